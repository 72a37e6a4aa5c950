//! What providers need from outside: HTTP, a clock, randomness.
//!
//! The futures are not `Send` by contract: a component is one thread. Dropping a future or a body gives the
//! connection up; that is how a call is cancelled.

use std::time::Duration;

use http::Uri;

#[cfg(target_arch = "wasm32")]
pub mod wasi;

/// HTTP, a clock and randomness.
#[allow(async_fn_in_trait)]
pub trait Platform {
    /// An answer's body.
    type Body: Body;

    /// Sends a POST request; returns with the answer's head, whatever its status.
    async fn post(&self, request: &Post<'_>) -> Result<Reply<Self::Body>, TransportError>;

    /// Waits.
    async fn sleep(&self, duration: Duration);

    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;

    /// Time since the Unix epoch.
    fn unix_time(&self) -> Duration;

    /// 64 random bits.
    fn random(&self) -> u64;
}

/// A body as it arrives.
#[allow(async_fn_in_trait)]
pub trait Body {
    /// The next bytes, never empty; none at the proper end.
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, TransportError>;
}

/// A POST request.
#[derive(Debug)]
pub struct Post<'a> {
    /// Where to.
    pub uri: &'a Uri,
    /// Headers besides `content-length` and `host`.
    pub headers: &'a [(&'static str, String)],
    /// The body.
    pub body: &'a [u8],
    /// How long connecting may take.
    pub connect_timeout: Duration,
}

/// The head of an answer, and the way to its body.
#[derive(Debug)]
pub struct Reply<B> {
    /// The status code.
    pub status: u16,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: B,
}

impl<B> Reply<B> {
    /// The value of the first header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer, or no more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportError {
    /// There is no connection: the name is unknown, nobody listens, TLS failed, …
    Unreachable,
    /// Connecting or waiting took too long.
    Timeout,
    /// The connection broke.
    Broken,
    /// The manifest's `allowed_outbound_hosts` does not have the host.
    Denied,
}
