//! The network outside of components: Tokio and reqwest, with a clock that a test may be in charge of.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};

use super::{Network, NetworkError, Outgoing};

/// A network over reqwest.
///
/// With [`Native::at`] its time is virtual: it stands still, and a wait ends at once and moves it on. So a test can
/// say how long a client waited, and never waits itself.
#[derive(Debug)]
pub struct Native {
    client: reqwest::Client,
    clock: Option<Mutex<Clock>>,
    random: AtomicU64,
}

#[derive(Debug)]
struct Clock {
    now: Duration,
    waits: Vec<Duration>,
}

impl Native {
    /// With the machine's clock.
    pub fn new() -> Native {
        // TLS is compiled in, and wants a provider chosen even where every address is plain HTTP. That another one was
        // chosen before is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Native {
            client: reqwest::Client::new(),
            clock: None,
            random: AtomicU64::new(u64::MAX),
        }
    }

    /// With a virtual clock that shows this time since the Unix epoch.
    pub fn at(now: Duration) -> Native {
        let clock = Clock {
            now,
            waits: Vec::new(),
        };
        Native {
            clock: Some(Mutex::new(clock)),
            ..Native::new()
        }
    }

    /// From now on random numbers are this one.
    pub fn set_random(&self, random: u64) {
        self.random.store(random, Ordering::Relaxed);
    }

    /// How long was waited so far, wait by wait; nothing where the clock is the machine's.
    pub fn waits(&self) -> Vec<Duration> {
        self.clock
            .as_ref()
            .map_or_else(Vec::new, |clock| lock(clock).waits.clone())
    }
}

impl Default for Native {
    fn default() -> Native {
        Native::new()
    }
}

fn lock(clock: &Mutex<Clock>) -> std::sync::MutexGuard<'_, Clock> {
    clock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Network for Native {
    async fn send(&self, outgoing: Outgoing) -> Result<http::Response<Bytes>, NetworkError> {
        let Outgoing {
            request,
            limit,
            timeout,
        } = outgoing;
        let request =
            reqwest::Request::try_from(request).map_err(|error| NetworkError::NotSent(error.to_string()))?;
        let lost = |error: reqwest::Error| {
            let error = error.without_url();
            if error.is_connect() {
                NetworkError::NotSent(error.to_string())
            } else {
                NetworkError::Lost(error.to_string())
            }
        };
        let asked = async {
            let mut response = self.client.execute(request).await.map_err(lost)?;
            let mut body = BytesMut::new();
            while let Some(chunk) = response.chunk().await.map_err(lost)? {
                if body.len() + chunk.len() > limit {
                    return Err(NetworkError::TooLarge(limit));
                }
                body.extend_from_slice(&chunk);
            }
            let mut answer = http::Response::new(body.freeze());
            *answer.status_mut() = response.status();
            *answer.headers_mut() = response.headers().clone();
            Ok(answer)
        };
        tokio::time::timeout(timeout, asked)
            .await
            .unwrap_or_else(|_| Err(NetworkError::Lost("there was none in time".to_owned())))
    }

    async fn sleep(&self, duration: Duration) {
        match &self.clock {
            None => tokio::time::sleep(duration).await,
            Some(clock) => {
                let mut clock = lock(clock);
                clock.now += duration;
                clock.waits.push(duration);
            }
        }
    }

    fn now(&self) -> Duration {
        match &self.clock {
            None => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Some(clock) => lock(clock).now,
        }
    }

    fn random(&self) -> u64 {
        self.random.load(Ordering::Relaxed)
    }
}
