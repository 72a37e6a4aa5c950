//! How spans leave the process: a bounded queue, batches, and OTLP over HTTP by the host's own client.
//!
//! Whoever ends a span never waits: a span for which the queue has no room is dropped. A batch that the collector does
//! not take, within its time-out and the SDK's repetitions, is lost as well. Both are counted; the log says when exports
//! begin to fail, and when they work again.

use super::settings::Settings;
use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::Context;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::WithHttpConfig as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor,
};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prost::Message as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wasmtime_wasi::async_trait;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct Ended {
    outcome: &'static str,
}

/// What became of spans that have ended.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    all: Family<Ended, Counter>,
    /// The collector has taken them.
    exported: Counter,
    /// It has not.
    failed: Counter,
    /// There was no room for them.
    dropped: Counter,
}

impl Default for Counts {
    fn default() -> Self {
        let all = Family::default();
        let of = |outcome| Family::get_or_create_owned(&all, &Ended { outcome });
        Self {
            exported: of("exported"),
            failed: of("failed"),
            dropped: of("dropped"),
            all,
        }
    }
}

impl Counts {
    /// The series by outcome.
    pub(crate) fn series(&self) -> Family<Ended, Counter> {
        self.all.clone()
    }
}

/// What takes spans when they end.
pub(super) fn processor(settings: &Settings, client: reqwest::Client, counts: Counts) -> Result<Bounded> {
    let refused = Arc::<Mutex<Option<Refused>>>::default();
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(Collector {
            client,
            runtime: tokio::runtime::Handle::current(),
            timeout: settings.timeout,
            refused: Arc::clone(&refused),
        })
        .build()
        .context("traces cannot be exported as the OTEL_… variables say")?;
    let waiting = Arc::new(AtomicUsize::new(0));
    let exporter = Counted {
        exporter,
        refused,
        waiting: Arc::clone(&waiting),
        failing: AtomicBool::new(false),
        counts: counts.clone(),
    };
    let batches = BatchConfigBuilder::default().with_max_queue_size(settings.queue);
    Ok(Bounded {
        batches: BatchSpanProcessor::builder(exporter)
            .with_batch_config(batches.build())
            .build(),
        waiting,
        room: settings.queue,
        counts,
    })
}

/// The SDK's queue, with what it drops counted: it does not tell.
#[derive(Debug)]
pub(super) struct Bounded {
    batches: BatchSpanProcessor,
    /// Spans in the queue.
    waiting: Arc<AtomicUsize>,
    room: usize,
    counts: Counts,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < self.room {
            self.batches.on_end(span);
        } else {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.counts.dropped.inc();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, limit: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(limit)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// An exporter with what becomes of its batches counted and, when that changes, told.
#[derive(Debug)]
struct Counted<E> {
    exporter: E,
    /// What the collector did not want of the batch that it took last.
    refused: Arc<Mutex<Option<Refused>>>,
    waiting: Arc<AtomicUsize>,
    failing: AtomicBool,
    counts: Counts,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.waiting.fetch_sub(spans, Ordering::Relaxed);
        let spans = u64::try_from(spans).unwrap_or(u64::MAX);
        let result = self.exporter.export(batch).await;
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (lost, reason) = match (result, refused) {
            (Err(error), _) => (spans, Some(error.to_string())),
            (Ok(()), Some(refused)) => (refused.spans.min(spans), Some(refused.reason)),
            (Ok(()), None) => (0, None),
        };
        self.counts.failed.inc_by(lost);
        self.counts.exported.inc_by(spans.saturating_sub(lost));
        match (self.failing.swap(reason.is_some(), Ordering::Relaxed), reason) {
            (false, Some(reason)) => tracing::warn!(
                reason,
                "spans cannot be exported; metrics count those that are lost, and nothing else suffers"
            ),
            (true, None) => tracing::info!("spans are exported again"),
            _ => {}
        }
        // The SDK would write a line for every batch that fails.
        Ok(())
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn shutdown_with_timeout(&self, limit: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(limit)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// The collector. The SDK exports from a thread of its own, and the client needs the runtime.
#[derive(Debug)]
struct Collector {
    client: reqwest::Client,
    runtime: tokio::runtime::Handle,
    timeout: Duration,
    refused: Arc<Mutex<Option<Refused>>>,
}

/// What a collector does not want of a batch that it takes (`partial_success` of OTLP).
#[derive(Debug)]
struct Refused {
    spans: u64,
    reason: String,
}

impl Refused {
    fn of(answer: &[u8]) -> Option<Self> {
        let told = ExportTraceServiceResponse::decode(answer).ok()?.partial_success?;
        let spans = u64::try_from(told.rejected_spans).unwrap_or(0);
        (spans > 0).then_some(Self {
            spans,
            reason: told.error_message,
        })
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut request = reqwest::Request::try_from(request)?;
        *request.timeout_mut() = Some(self.timeout);
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let response = client.execute(request).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let mut answer = Response::new(response.bytes().await?);
            *answer.status_mut() = status;
            *answer.headers_mut() = headers;
            Ok::<_, reqwest::Error>(answer)
        });
        let answer = sent.await??;
        if answer.status().is_success() {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Refused::of(answer.body());
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;
    use opentelemetry_sdk::error::OTelSdkError;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// A collector that says when a batch has come, and takes it or not when it is told.
    #[derive(Debug)]
    struct Told {
        came: Sender<usize>,
        answers: Mutex<Receiver<bool>>,
    }

    impl SpanExporter for Told {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.came.send(batch.len()).unwrap();
            match self.answers.lock().unwrap().recv().unwrap() {
                true => Ok(()),
                false => Err(OTelSdkError::InternalFailure("no".into())),
            }
        }
    }

    #[test]
    fn what_is_exported_refused_and_dropped_is_counted_and_nobody_waits() {
        let (came, comes) = channel();
        let (answer, answers) = channel();
        let counts = Counts::default();
        let waiting = Arc::new(AtomicUsize::new(0));
        let refused = Arc::<Mutex<Option<Refused>>>::default();
        let exporter = Counted {
            exporter: Told {
                came,
                answers: Mutex::new(answers),
            },
            refused: Arc::clone(&refused),
            waiting: Arc::clone(&waiting),
            failing: AtomicBool::new(false),
            counts: counts.clone(),
        };
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(4)
            .with_max_export_batch_size(2)
            .with_scheduled_delay(Duration::from_secs(3600));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Bounded {
                batches: BatchSpanProcessor::builder(exporter)
                    .with_batch_config(config.build())
                    .build(),
                waiting,
                room: 4,
                counts: counts.clone(),
            })
            .build();
        let tracer = provider.tracer("test");
        let end = |spans| (0..spans).for_each(|_| drop(tracer.start("span")));
        let counted = || (counts.exported.get(), counts.failed.get(), counts.dropped.get());
        // Two make a batch, which hangs; four more have room, and three have not.
        end(2);
        assert_eq!(comes.recv(), Ok(2));
        end(7);
        assert_eq!(counted(), (0, 0, 3));
        answer.send(false).unwrap();
        assert_eq!(comes.recv(), Ok(2));
        answer.send(true).unwrap();
        assert_eq!(comes.recv(), Ok(2));
        assert_eq!(counted(), (2, 2, 3));
        let answered = ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess {
                rejected_spans: 1,
                error_message: "one too many".into(),
            }),
        };
        *refused.lock().unwrap() = Refused::of(&answered.encode_to_vec());
        answer.send(true).unwrap();
        provider.shutdown().unwrap();
        assert_eq!(counted(), (3, 3, 3));
    }
}
