//! Traces: spans that are exported by OTLP, and contexts that travel in headers (W3C Trace Context).
//!
//! OpenTelemetry's own variables switch them on ([`settings`]). Without them there is no tracer, and a span is nothing:
//! what it would be is not even worked out. Ending a span puts it into a queue and never waits ([`export`]).
//!
//! [`settings`]: super::settings
//! [`export`]: super::export

use super::export::{self, Counts};
use super::settings::Settings;
use super::spans::Value;
use anyhow::Result;
use http::{HeaderMap, HeaderValue};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceId,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, InstrumentationScope, Key, KeyValue, StringValue};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tracing::field::DisplayValue;

/// Somewhere in a trace.
#[derive(Clone, Debug)]
pub(crate) struct Place(SpanContext);

impl Place {
    /// What the headers of a request say.
    pub(crate) fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let context =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
        let place = context.span().span_context().clone();
        place.is_valid().then_some(Self(place))
    }

    /// Puts it into the headers of a request, instead of what was there.
    pub(crate) fn put(&self, headers: &mut HeaderMap) {
        let context = Context::new().with_remote_span_context(self.0.clone());
        TraceContextPropagator::new().inject_context(&context, &mut HeaderInjector(headers));
        // The propagator writes what vendors added to the trace also where none did.
        if headers.get("tracestate").is_some_and(HeaderValue::is_empty) {
            headers.remove("tracestate");
        }
    }

    /// The trace and the span, as fields of a log event.
    pub(crate) fn ids(place: Option<&Self>) -> (Option<DisplayValue<TraceId>>, Option<DisplayValue<SpanId>>) {
        let id = |place: &Self| tracing::field::display(place.0.trace_id());
        let span = |place: &Self| tracing::field::display(place.0.span_id());
        (place.map(id), place.map(span))
    }
}

/// What is known of a span when it begins.
pub(crate) struct Beginning {
    pub(crate) name: Cow<'static, str>,
    pub(crate) kind: SpanKind,
    pub(crate) parent: Option<Place>,
    pub(crate) attributes: Vec<(Key, Value)>,
    /// When it began, if that was before now.
    pub(crate) since: Option<SystemTime>,
}

/// Makes spans, or nothing.
pub(crate) struct Traces {
    exporting: Option<Exporting>,
    counts: Counts,
}

struct Exporting {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// Whether contexts are taken from those who call and told to those who are called.
    propagates: bool,
}

impl Traces {
    /// Spans that `resource` makes and `client` exports, within the asynchronous runtime.
    pub(super) fn exported(settings: &Settings, client: reqwest::Client, resource: Resource) -> Result<Self> {
        let counts = Counts::default();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(export::processor(settings, client, counts.clone())?)
            .with_resource(resource)
            .build();
        // When the last of these is dropped it exports what is left, and whoever drops it waits. That is for `finish`;
        // a process that is ended at once shall end at once.
        std::mem::forget(provider.clone());
        let scope = InstrumentationScope::builder("anyturn").with_version(env!("CARGO_PKG_VERSION"));
        Ok(Self {
            exporting: Some(Exporting {
                tracer: provider.tracer_with_scope(scope.build()),
                provider,
                propagates: settings.propagates,
            }),
            counts,
        })
    }

    /// None.
    pub(crate) fn off() -> Self {
        Self {
            exporting: None,
            counts: Counts::default(),
        }
    }

    /// Whether there are any.
    pub(crate) fn are_made(&self) -> bool {
        self.exporting.is_some()
    }

    /// What became of spans that have ended.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Begins a span; what it is, is only asked for where there are spans.
    pub(crate) fn begin(&self, what: impl FnOnce() -> Beginning) -> Span {
        let Some(exporting) = &self.exporting else {
            return Span(None);
        };
        let Beginning {
            name,
            kind,
            parent,
            attributes,
            since,
        } = what();
        let mut builder = SpanBuilder::from_name(name)
            .with_kind(kind)
            .with_attributes(attributes.into_iter().map(key_value));
        builder.start_time = since;
        let context = match parent {
            Some(Place(parent)) => Context::new().with_remote_span_context(parent),
            None => Context::new(),
        };
        let span = exporting.tracer.build_with_context(builder, &context);
        Span(Some(Arc::new(Begun {
            place: Place(span.span_context().clone()),
            span: Mutex::new(Recording { span, failed: false }),
        })))
    }

    /// Begins a span within another one, if that is traced.
    pub(crate) fn part(&self, of: Option<Place>, what: impl FnOnce(Option<Place>) -> Beginning) -> Span {
        match of {
            Some(place) => self.begin(|| what(Some(place))),
            None => Span(None),
        }
    }

    /// Where a request from outside stands, by its headers.
    pub(crate) fn incoming(&self, headers: &HeaderMap) -> Option<Place> {
        let exporting = self.exporting.as_ref()?;
        exporting.propagates.then(|| Place::of_headers(headers))?
    }

    /// Tells a server elsewhere where a request stands.
    pub(crate) fn tell(&self, headers: &mut HeaderMap, span: &Span) {
        let propagates = |exporting: &Exporting| exporting.propagates;
        if self.exporting.as_ref().is_some_and(propagates)
            && let Some(place) = span.place()
        {
            place.put(headers);
        }
    }

    /// Exports what has not been exported, and no more from then on. Waits; not for an asynchronous task.
    pub(crate) fn finish(&self, limit: Duration) {
        if let Some(exporting) = &self.exporting
            && let Err(error) = exporting.provider.shutdown_with_timeout(limit)
        {
            tracing::warn!(%error, "the last spans could not be exported");
        }
    }
}

fn key_value((key, value): (Key, Value)) -> KeyValue {
    match value {
        // OpenTelemetry has these as a list.
        Value::Text(text) if key.as_str() == "gen_ai.response.finish_reasons" => {
            let list: Vec<StringValue> = vec![text.into()];
            KeyValue::new(key, opentelemetry::Value::Array(list.into()))
        }
        Value::Text(text) => KeyValue::new(key, text),
        Value::Whole(number) => KeyValue::new(key, number),
        Value::Number(number) => KeyValue::new(key, number),
        Value::Truth(truth) => KeyValue::new(key, truth),
    }
}

/// A piece of work, if somebody traces it. It ends when the last clone is dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span(Option<Arc<Begun>>);

#[derive(Debug)]
struct Begun {
    place: Place,
    span: Mutex<Recording>,
}

#[derive(Debug)]
struct Recording {
    span: opentelemetry_sdk::trace::Span,
    failed: bool,
}

impl Span {
    /// Its place in its trace.
    pub(crate) fn place(&self) -> Option<&Place> {
        self.0.as_deref().map(|begun| &begun.place)
    }

    /// Adds to what is known of it, by names that nothing was said of yet.
    pub(crate) fn set<K: Into<Key>>(&self, attribute: impl FnOnce() -> (K, Value)) {
        self.with(|Recording { span, .. }| {
            let (key, value) = attribute();
            span.set_attribute(key_value((key.into(), value)));
        });
    }

    /// Says that it failed, and how (`error.type`). What is said first counts.
    pub(crate) fn fail(&self, kind: &str) {
        self.with(|Recording { span, failed }| {
            if !std::mem::replace(failed, true) {
                span.set_attribute(KeyValue::new("error.type", kind.to_owned()));
                span.set_status(Status::error(""));
            }
        });
    }

    /// Says that it goes on with what began elsewhere, by a `traceparent`.
    pub(crate) fn link(&self, traceparent: &str) {
        self.with(|Recording { span, .. }| {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_str(traceparent) {
                headers.insert("traceparent", value);
            }
            if let Some(Place(place)) = Place::of_headers(&headers) {
                span.add_link(place, Vec::new());
            }
        });
    }

    /// Ends it now; what is said of it later is lost.
    pub(crate) fn end(&self) {
        self.with(|Recording { span, .. }| span.end());
    }

    fn with(&self, change: impl FnOnce(&mut Recording)) {
        if let Some(begun) = &self.0 {
            change(&mut begun.span.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_same_after_its_journey_through_headers() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ),
            ("tracestate", "vendor=1,other=2"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let mut sent = HeaderMap::new();
        sent.insert("tracestate", HeaderValue::from_static("stale=1"));
        Place::of_headers(&headers).unwrap().put(&mut sent);
        assert_eq!(sent, headers);
        headers.remove("tracestate");
        Place::of_headers(&headers).unwrap().put(&mut sent);
        assert_eq!(sent, headers);
        headers.insert("traceparent", HeaderValue::from_static("00-zz-1-01"));
        assert!(Place::of_headers(&headers).is_none());
    }

    #[test]
    fn nobody_is_asked_anything_where_there_are_no_traces() {
        let traces = Traces::off();
        let span = traces.begin(|| panic!("nobody wants to know"));
        span.set::<Key>(|| panic!("nobody wants to know"));
        span.fail("never");
        let mut headers = HeaderMap::new();
        traces.tell(&mut headers, &span);
        assert!(headers.is_empty() && span.place().is_none());
    }
}
