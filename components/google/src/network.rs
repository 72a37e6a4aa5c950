//! What a client of Google needs from outside: HTTP, a clock and randomness.
//!
//! The futures are not `Send` by contract: a component is one thread. Dropping a future gives the connection up.

use std::time::Duration;

use bytes::Bytes;

#[cfg(feature = "native")]
pub mod native;
#[cfg(all(feature = "component", target_family = "wasm"))]
pub mod wasi;

/// HTTP, a clock and randomness.
#[allow(async_fn_in_trait)]
pub trait Network {
    /// Sends a request and returns the whole answer, whatever its status.
    async fn send(&self, outgoing: Outgoing) -> Result<http::Response<Bytes>, NetworkError>;

    /// Waits.
    async fn sleep(&self, duration: Duration);

    /// Time since the Unix epoch.
    fn now(&self) -> Duration;

    /// 64 random bits.
    fn random(&self) -> u64;
}

/// A request on its way out.
#[derive(Debug)]
pub struct Outgoing {
    /// The request, with an absolute address.
    pub request: http::Request<Bytes>,
    /// The largest body of an answer that is read, in bytes.
    pub limit: usize,
    /// How long everything together may take.
    pub timeout: Duration,
}

/// Why there is no answer. No text holds anything of the request but its address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The server was not asked, which is certain.
    #[error("it cannot be reached: {0}")]
    NotSent(String),
    /// The connection broke or stood still: whether the server has done what it was asked is unknown.
    #[error("its answer was lost: {0}")]
    Lost(String),
    /// The answer is larger than was allowed.
    #[error("its answer has more than {0} bytes")]
    TooLarge(usize),
}
