//! What Prometheus can ask for at `/metrics`.
//!
//! Series that a good request touches are looked up once, when a component is prepared, and are a few atomic
//! additions afterwards.

mod exports;
mod measured;
mod process;
mod registering;

pub(crate) use exports::Exports;
pub(crate) use measured::{Measured, Operations, is_failure};
pub(crate) use registering::{Seconds, series, timed};

use crate::telemetry::agents::Agents;
use crate::telemetry::export::Counts;
use process::Process;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    component: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Failed {
    component: String,
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Handled {
    component: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfComponent {
    component: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Directed {
    direction: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ClosedBy {
    code: u16,
}

/// Why an instance can be stopped.
const FAILURES: [&str; 6] = ["trap", "cpu", "memory", "wall", "instantiation", "error"];

/// All series of the process.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    durations: Family<OfComponent, Histogram, Seconds>,
    calls: Family<Answered, Counter>,
    call_durations: Family<OfComponent, Histogram, Seconds>,
    messages: Family<Handled, Counter>,
    message_durations: Family<OfComponent, Histogram, Seconds>,
    streams: Gauge,
    websockets: Gauge,
    websocket_messages: Family<Directed, Counter>,
    websocket_closes: Family<ClosedBy, Counter>,
    agents: Agents,
    exports: Exports,
    failures: Family<Failed, Counter>,
    refused: Family<Refused, Counter>,
    waited: Histogram,
    outbound: Family<Failed, Counter>,
    store: Operations,
    ready: Gauge,
    live: Gauge,
    running: Gauge,
    places: Gauge,
    waiting: Gauge,
    cache_hits: Gauge,
    cache_misses: Gauge,
    store_round_trips: Counter,
}

/// The series of one component that every request touches.
pub(crate) struct Series {
    ok: Counter,
    durations: Histogram,
    requests: Family<Answered, Counter>,
    calls: Family<Answered, Counter>,
    call_durations: Histogram,
    messages: Family<Handled, Counter>,
    message_durations: Family<OfComponent, Histogram, Seconds>,
    component: String,
}

impl Series {
    /// A call from another component was answered; 0 stands for no answer.
    pub(crate) fn called(&self, status: u16, duration: Duration) {
        self.call_durations.observe(duration.as_secs_f64());
        self.calls
            .get_or_create(&Answered {
                component: self.component.clone(),
                status,
            })
            .inc();
    }

    /// A message of a redis trigger was handled.
    pub(crate) fn handled(&self, succeeded: bool, duration: Duration) {
        let component = self.component.clone();
        self.message_durations
            .get_or_create(&OfComponent {
                component: component.clone(),
            })
            .observe(duration.as_secs_f64());
        let outcome = if succeeded { "ok" } else { "error" };
        self.messages.get_or_create(&Handled { component, outcome }).inc();
    }

    /// A request was answered.
    pub(crate) fn answered(&self, status: u16, duration: Duration) {
        self.durations.observe(duration.as_secs_f64());
        if status == 200 {
            self.ok.inc();
        } else {
            self.requests
                .get_or_create(&Answered {
                    component: self.component.clone(),
                    status,
                })
                .inc();
        }
    }
}

/// An event stream that is being sent, or a WebSocket that is open.
pub(crate) struct OpenStream(Gauge);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What `/metrics` reads from elsewhere when it is asked.
pub(crate) struct Readings {
    pub(crate) ready: bool,
    pub(crate) live: usize,
    pub(crate) running: usize,
    pub(crate) places: usize,
    pub(crate) waiting: usize,
    pub(crate) store_round_trips: u64,
}

impl Metrics {
    /// Empty series, and those that count spans.
    pub(crate) fn new(spans: &Counts) -> Self {
        let mut root = Registry::default();
        root.register_collector(Box::new(Process));
        let registry = root.sub_registry_with_prefix("anyturn");
        let agents = Agents::new(registry);
        series(
            registry,
            "trace_spans",
            "Spans of traces that have ended, by what became of them",
            spans.series(),
        );
        let metrics = Self {
            exports: Exports::new(registry),
            requests: series(
                registry,
                "http_requests",
                "Requests answered, by component and status",
                Family::default(),
            ),
            durations: timed(
                registry,
                "http_request_duration",
                "Time from a request's arrival to the head of its response",
                Family::new_with_constructor(Seconds),
            ),
            calls: series(
                registry,
                "component_calls",
                "Calls from component to component, by the one that was called; status 0 is no answer",
                Family::default(),
            ),
            call_durations: timed(
                registry,
                "component_call_duration",
                "Time from a call between components to the head of its response",
                Family::new_with_constructor(Seconds),
            ),
            messages: series(
                registry,
                "messages",
                "Messages of redis triggers that components handled, by outcome",
                Family::default(),
            ),
            message_durations: timed(
                registry,
                "message_duration",
                "Time that a component took to handle a message",
                Family::new_with_constructor(Seconds),
            ),
            streams: series(
                registry,
                "streams_open",
                "Event streams that are being sent now",
                Gauge::default(),
            ),
            websockets: series(
                registry,
                "websockets_open",
                "WebSockets that are open now",
                Gauge::default(),
            ),
            websocket_messages: series(
                registry,
                "websocket_messages",
                "Messages over WebSockets, by direction",
                Family::default(),
            ),
            websocket_closes: series(
                registry,
                "websocket_closes",
                "WebSockets that were closed, by code; 1006 broke off",
                Family::default(),
            ),
            agents,
            failures: series(
                registry,
                "component_failures",
                "Instances that were stopped, by reason",
                Family::default(),
            ),
            refused: series(
                registry,
                "http_requests_refused",
                "Requests refused for want of a place, by what there was too much of",
                Family::default(),
            ),
            waited: timed(
                registry,
                "http_request_wait",
                "Time that requests waited for a place, of those that had to and got one",
                Seconds.new_metric(),
            ),
            outbound: series(
                registry,
                "outbound_requests",
                "Requests that components sent to the network, by outcome",
                Family::default(),
            ),
            store: Operations::new(registry),
            ready: series(
                registry,
                "ready",
                "Whether requests should be sent here, as /ready tells it",
                Gauge::default(),
            ),
            live: series(
                registry,
                "instances_live",
                "Instances that live now",
                Gauge::default(),
            ),
            running: series(
                registry,
                "requests_running",
                "Requests from outside that have a place",
                Gauge::default(),
            ),
            places: series(
                registry,
                "requests_limit",
                "Places for requests from outside",
                Gauge::default(),
            ),
            waiting: series(
                registry,
                "requests_waiting",
                "Requests that wait for a place",
                Gauge::default(),
            ),
            cache_hits: series(
                registry,
                "compiled_cache_hits",
                "Components that were found compiled when the process started",
                Gauge::default(),
            ),
            cache_misses: series(
                registry,
                "compiled_cache_misses",
                "Components that had to be compiled when the process started",
                Gauge::default(),
            ),
            store_round_trips: series(
                registry,
                "store_round_trips",
                "Operations sent to the store",
                Counter::default(),
            ),
            registry: Registry::default(),
        };
        metrics.begin_at_zero();
        Self {
            registry: root,
            ..metrics
        }
    }

    /// Makes the series that alerts look at, so that their first event counts as an increase.
    fn begin_at_zero(&self) {
        for reason in ["queue-full", "waited-too-long", "connections"] {
            drop(self.refused.get_or_create(&Refused { reason }));
        }
    }

    /// The series of a component.
    pub(crate) fn of(&self, component: &str) -> Series {
        let component = component.to_owned();
        for kind in FAILURES {
            drop(self.failures.get_or_create(&Failed {
                component: component.clone(),
                kind,
            }));
        }
        Series {
            ok: self.requests.get_or_create_owned(&Answered {
                component: component.clone(),
                status: 200,
            }),
            durations: self.durations.get_or_create_owned(&OfComponent {
                component: component.clone(),
            }),
            requests: self.requests.clone(),
            calls: self.calls.clone(),
            call_durations: self.call_durations.get_or_create_owned(&OfComponent {
                component: component.clone(),
            }),
            messages: self.messages.clone(),
            message_durations: self.message_durations.clone(),
            component,
        }
    }

    /// What is counted of the store's operations.
    pub(crate) fn store(&self) -> &Operations {
        &self.store
    }

    /// What is counted of exports of these series.
    pub(crate) fn exports(&self) -> &Exports {
        &self.exports
    }

    /// What is counted of assistants, models and tools.
    pub(crate) fn agents(&self) -> &Agents {
        &self.agents
    }

    /// An event stream begins, and lasts until what is returned is dropped.
    pub(crate) fn stream(&self) -> OpenStream {
        self.streams.inc();
        OpenStream(self.streams.clone())
    }

    /// A WebSocket is opened, and lasts until what is returned is dropped.
    pub(crate) fn websocket(&self) -> OpenStream {
        self.websockets.inc();
        OpenStream(self.websockets.clone())
    }

    /// A message came or went over a WebSocket.
    pub(crate) fn websocket_message(&self, direction: &'static str) {
        self.websocket_messages
            .get_or_create(&Directed { direction })
            .inc();
    }

    /// A WebSocket was closed.
    pub(crate) fn websocket_closed(&self, code: u16) {
        self.websocket_closes.get_or_create(&ClosedBy { code }).inc();
    }

    /// An instance was stopped.
    pub(crate) fn failed(&self, component: &str, kind: &'static str) {
        self.failures
            .get_or_create(&Failed {
                component: component.to_owned(),
                kind,
            })
            .inc();
    }

    /// A request found no place.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Refused { reason }).inc();
    }

    /// A request had to wait for its place.
    pub(crate) fn waited(&self, duration: Duration) {
        self.waited.observe(duration.as_secs_f64());
    }

    /// A component's request to the network ended.
    pub(crate) fn outbound(&self, component: &str, kind: &'static str) {
        self.outbound
            .get_or_create(&Failed {
                component: component.to_owned(),
                kind,
            })
            .inc();
    }

    /// How the cache of compiled components did.
    pub(crate) fn cache(&self, (hits, misses): (u64, u64)) {
        self.cache_hits.set(i64::try_from(hits).unwrap_or(i64::MAX));
        self.cache_misses.set(i64::try_from(misses).unwrap_or(i64::MAX));
    }

    /// All series as text.
    pub(crate) fn text(&self, readings: &Readings) -> String {
        self.agents.read();
        let count = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.ready.set(i64::from(readings.ready));
        self.live.set(count(readings.live));
        self.running.set(count(readings.running));
        self.places.set(count(readings.places));
        self.waiting.set(count(readings.waiting));
        // The store counts by itself, from its opening on.
        self.store_round_trips
            .inner()
            .store(readings.store_round_trips, Ordering::Relaxed);
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
