//! Metrics by OTLP: what `/metrics` says, sent to a collector every so often.
//!
//! The series are those that can be scraped, under the same names; [`openmetrics`] reads them where `/metrics` writes
//! them, and [`otlp`] says them in OTLP's words. Nothing of it happens in a request: a task of its own reads the series and
//! sends them, and where nobody asks for metrics there is no task. Counters are told from the process's start on, so what a
//! collector did not get is in the next export; nothing waits for one, and nothing is kept for it.

mod collector;
mod openmetrics;
mod otlp;
mod settings;

pub(super) use settings::Settings;

use crate::metrics::Exports;
use collector::Collector;
use opentelemetry_sdk::Resource;
use prost::Message as _;
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior};

/// Exports of metrics that somebody has asked for.
pub(crate) struct Push {
    settings: Settings,
    collector: Collector,
    teller: otlp::Teller,
}

/// Exports that go on until they are [finished](Self::finish).
pub(crate) struct Pushing {
    last: oneshot::Sender<Duration>,
    task: tokio::task::JoinHandle<()>,
}

impl Push {
    /// Exports to the collector that `settings` names, made by `resource`.
    pub(super) fn new(settings: Settings, client: reqwest::Client, resource: &Resource) -> Self {
        Self {
            collector: Collector::new(client, &settings),
            teller: otlp::Teller::new(resource, SystemTime::now()),
            settings,
        }
    }

    /// Begins to export what `gather` returns: the series, as `/metrics` has them.
    pub(crate) fn start(
        self,
        exports: Exports,
        gather: impl Fn() -> String + Send + Sync + 'static,
    ) -> Pushing {
        let (last, ends) = oneshot::channel();
        let task = tokio::spawn(self.go_on(exports, gather, ends));
        Pushing { last, task }
    }

    async fn go_on(
        self,
        exports: Exports,
        gather: impl Fn() -> String + Send + Sync,
        mut ends: oneshot::Receiver<Duration>,
    ) {
        let mut told = Told {
            exports,
            failing: false,
        };
        let interval = self.settings.interval;
        let mut ticks = tokio::time::interval_at(Instant::now() + interval, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let limit = loop {
            let export = async {
                ticks.tick().await;
                self.export(gather(), self.settings.limit).await
            };
            tokio::select! {
                // What is under way is given up for the last one, which says all that it would have said.
                limit = &mut ends => break limit,
                result = export => told.tell(result),
            }
        };
        // Without a limit nobody waits any more.
        if let Ok(limit) = limit {
            told.tell(self.export(gather(), limit.min(self.settings.limit)).await);
        }
    }

    /// Exports a text of series, or says why it could not.
    async fn export(&self, text: String, limit: Duration) -> Result<(), String> {
        let families = openmetrics::read(&text)?;
        let request = self.teller.tell(&families, SystemTime::now())?;
        let sending = self.collector.send(request.encode_to_vec());
        match tokio::time::timeout(limit, sending).await {
            Ok(result) => result,
            Err(_) => Err(format!(
                "the collector did not answer within {} ms",
                limit.as_millis()
            )),
        }
    }
}

impl Pushing {
    /// Exports once more, for as long as that may take, and then no more.
    pub(crate) async fn finish(self, limit: Duration) {
        // A task that is gone has crashed, and that was told.
        let _ = self.last.send(limit);
        let _ = self.task.await;
    }
}

/// What is told about exports: each is counted, and the log says when they begin to fail, and when they work again.
struct Told {
    exports: Exports,
    failing: bool,
}

impl Told {
    fn tell(&mut self, result: Result<(), String>) {
        self.exports.ended(result.is_ok());
        match (std::mem::replace(&mut self.failing, result.is_err()), result) {
            (false, Err(reason)) => tracing::warn!(
                reason,
                "metrics cannot be exported; the next export tells what this one would have told"
            ),
            (true, Ok(())) => tracing::info!("metrics are exported again"),
            _ => {}
        }
    }
}
