//! A closed-loop load generator: so many connections, each sending its next request when the last answer is
//! there. Latency is from the first byte of the request to the last byte of the answer.

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// One kept-alive connection.
#[derive(Debug)]
pub struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    /// Connects to a port on loopback.
    pub async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Sends a request and returns the head of the answer.
    pub async fn begin(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
        self.0.ready().await?;
        Ok(self.0.send_request(request).await?)
    }

    /// Sends a request and reads the whole answer, which must be a success.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Bytes> {
        let path = request.uri().clone();
        let response = self.begin(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!(
                "{path} was answered with {status}: {}",
                String::from_utf8_lossy(&body)
            );
        }
        Ok(body)
    }
}

/// What a run showed.
#[derive(Clone, Debug)]
pub struct Measured {
    latencies: Vec<Duration>,
    elapsed: Duration,
}

impl Measured {
    /// From single measurements, one after another.
    pub fn from_latencies(mut latencies: Vec<Duration>) -> Self {
        let elapsed = latencies.iter().sum();
        latencies.sort_unstable();
        Self { latencies, elapsed }
    }

    /// How many requests were measured.
    pub fn count(&self) -> usize {
        self.latencies.len()
    }

    /// Requests per second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that this share of the requests stayed under, in milliseconds.
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.latencies
            .get(at)
            .map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// Runs `connections` loops for `warm_up` and then for `time`, of which only the latter counts. `requests`
/// gives each loop, by its number, what makes its next request.
pub async fn run<F, R>(
    port: u16,
    connections: usize,
    warm_up: Duration,
    time: Duration,
    requests: F,
) -> Result<Measured>
where
    F: Fn(usize) -> R,
    R: FnMut() -> Request<Full<Bytes>> + Send + 'static,
{
    let begin = Instant::now() + warm_up;
    let end = begin + time;
    let mut loops = Vec::new();
    for number in 0..connections {
        let mut connection = Connection::open(port).await.context("connecting")?;
        let mut next = requests(number);
        loops.push(tokio::spawn(async move {
            let mut latencies = Vec::with_capacity(1 << 16);
            loop {
                let start = Instant::now();
                if start >= end {
                    return anyhow::Ok(latencies);
                }
                connection.send(next()).await?;
                if start >= begin {
                    latencies.push(start.elapsed());
                }
            }
        }));
    }
    let mut latencies = Vec::new();
    for one in loops {
        latencies.extend(one.await??);
    }
    latencies.sort_unstable();
    Ok(Measured {
        latencies,
        elapsed: time,
    })
}
