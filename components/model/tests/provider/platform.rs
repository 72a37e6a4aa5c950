//! The port of the provider logic, natively.

use std::time::{Duration, Instant, SystemTime};

use anyturn_model::port::{Body, Platform, Post, Reply, TransportError};

/// HTTP by reqwest, time by Tokio, and no randomness: backoff waits are as short as they may be.
#[derive(Clone)]
pub struct Native {
    client: reqwest::Client,
    start: Instant,
}

impl Default for Native {
    fn default() -> Self {
        Self {
            client: anyturn_tests::client(),
            start: Instant::now(),
        }
    }
}

pub struct NativeBody(reqwest::Response);

impl Platform for Native {
    type Body = NativeBody;

    async fn post(&self, post: &Post<'_>) -> Result<Reply<NativeBody>, TransportError> {
        let mut request = self.client.post(post.uri.to_string()).body(post.body.to_vec());
        for (name, value) in post.headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.map_err(|error| match error {
            error if error.is_connect() => TransportError::Unreachable,
            _ => TransportError::Broken,
        })?;
        let headers = response.headers().iter();
        Ok(Reply {
            status: response.status().as_u16(),
            headers: headers
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("").to_owned()))
                .collect(),
            body: NativeBody(response),
        })
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn unix_time(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
    }

    fn random(&self) -> u64 {
        0
    }
}

impl Body for NativeBody {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, TransportError> {
        match self.0.chunk().await {
            Ok(chunk) => Ok(chunk.map(|chunk| chunk.to_vec())),
            Err(_) => Err(TransportError::Broken),
        }
    }
}
