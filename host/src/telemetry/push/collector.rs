//! A request to the collector: OTLP over HTTP, sent again as the specification wants it ("OTLP Specification", 1.10).

use super::settings::Settings;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message as _;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::time::Duration;
use url::Url;

/// How long to wait before the first repetition; each one waits twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(500);

/// The collector.
pub(super) struct Collector {
    client: reqwest::Client,
    address: Url,
    headers: HeaderMap,
    gzip: bool,
}

/// Why an attempt failed.
struct Failed {
    reason: String,
    /// How long to wait before another one; none if that would be in vain. `Some(None)`: as long as usual.
    again: Option<Option<Duration>>,
}

impl Collector {
    pub(super) fn new(client: reqwest::Client, settings: &Settings) -> Self {
        let mut headers = settings.headers.clone();
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        headers.insert(header::CONTENT_TYPE, protobuf);
        if settings.gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Self {
            client,
            address: settings.address.clone(),
            headers,
            gzip: settings.gzip,
        }
    }

    /// Sends an export, until the collector has it or does not want it; who waits, says for how long.
    pub(super) async fn send(&self, body: Vec<u8>) -> Result<(), String> {
        let body = bytes::Bytes::from(match self.gzip {
            true => compressed(&body).map_err(|error| format!("it cannot be compressed: {error}"))?,
            false => body,
        });
        let mut pause = PAUSE;
        loop {
            let Failed { reason, again } = match self.attempt(body.clone()).await {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            };
            let Some(wanted) = again else {
                return Err(reason);
            };
            tracing::debug!(reason, "metrics are exported again");
            tokio::time::sleep(wanted.unwrap_or_else(|| jittered(pause))).await;
            pause = pause.saturating_mul(2);
        }
    }

    async fn attempt(&self, body: bytes::Bytes) -> Result<(), Failed> {
        let sent = self
            .client
            .post(self.address.clone())
            .headers(self.headers.clone());
        let unreachable = |error: reqwest::Error| Failed {
            // Without the address, in which there may be a password.
            reason: format!("{:#}", anyhow::Error::from(error.without_url())),
            again: Some(None),
        };
        let answer = sent.body(body).send().await.map_err(unreachable)?;
        let status = answer.status();
        if status.is_success() {
            return refused(&answer.bytes().await.map_err(unreachable)?);
        }
        let passing = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        Err(Failed {
            reason: format!("the collector answered {status}"),
            again: passing.then(|| wait_for(answer.headers())),
        })
    }
}

/// What a collector did not want of what it took (`partial_success`); sending it again would not change its mind.
fn refused(answer: &[u8]) -> Result<(), Failed> {
    let told = ExportMetricsServiceResponse::decode(answer).unwrap_or_default();
    match told.partial_success {
        Some(partial) if partial.rejected_data_points > 0 => Err(Failed {
            reason: format!(
                "the collector refused {} numbers: {}",
                partial.rejected_data_points, partial.error_message
            ),
            again: None,
        }),
        Some(_) | None => Ok(()),
    }
}

/// The seconds that a server asks to be left alone for, if it does.
fn wait_for(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// A time between half of this one and all of it, so that hosts that failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let share = u32::try_from(RandomState::new().hash_one(pause) % 512).unwrap_or(0);
    pause / 2 + pause * share / 1024
}

fn compressed(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsPartialSuccess;

    #[test]
    fn what_a_collector_refuses_of_an_export_is_told_and_not_sent_again() {
        let answer = |rejected_data_points| {
            let partial_success = Some(ExportMetricsPartialSuccess {
                rejected_data_points,
                error_message: "too old".to_owned(),
            });
            ExportMetricsServiceResponse { partial_success }.encode_to_vec()
        };
        let failed = refused(&answer(3)).unwrap_err();
        assert!(failed.reason.contains("3 numbers: too old"), "{}", failed.reason);
        assert!(failed.again.is_none());
        // A warning is no refusal; and some answer with nothing, or in words.
        for taken in [answer(0), Vec::new(), b"ok".to_vec()] {
            assert!(refused(&taken).is_ok());
        }
    }

    #[test]
    fn a_collector_is_left_alone_for_as_long_as_it_asks_else_for_a_random_time() {
        let mut headers = HeaderMap::new();
        assert_eq!(wait_for(&headers), None);
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
        assert_eq!(wait_for(&headers), Some(Duration::from_secs(7)));
        for _ in 0..100 {
            let pause = jittered(PAUSE);
            assert!(pause >= PAUSE / 2 && pause <= PAUSE, "{pause:?}");
        }
    }
}
