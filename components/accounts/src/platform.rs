//! What this component needs from wherever it runs: a store, variables, HTTP, time and randomness.
//!
//! The component provides it over WASI and Spin; a test in memory. Everything else is written against this trait, so
//! that it is tested natively as it runs.

use anyturn_state::Store;
use bytes::Bytes;

/// The largest answer of another server that is read, in bytes.
pub const MAX_ANSWER: usize = 256 * 1024;
/// How long another server may take for a whole answer, in milliseconds.
pub const FETCH_TIMEOUT: u64 = 10_000;

/// The world around a request.
#[allow(async_fn_in_trait)]
pub trait Platform {
    /// State, in this component's own namespace.
    type Store: Store;

    /// State.
    fn store(&self) -> &Self::Store;

    /// A variable of this component; empty when it is not set.
    ///
    /// # Errors
    /// When it cannot be resolved.
    async fn variable(&self, name: &'static str) -> Result<String, String>;

    /// Milliseconds since the Unix epoch.
    fn now(&self) -> u64;

    /// Bytes that nobody can foresee.
    ///
    /// # Errors
    /// When the system has none to give.
    fn random(&self) -> Result<[u8; 32], String>;

    /// Lets time pass.
    async fn sleep(&self, milliseconds: u64);

    /// Sends a request to another server and reads its whole answer, of [`MAX_ANSWER`] bytes at most, within
    /// [`FETCH_TIMEOUT`]. Follows no redirects.
    ///
    /// # Errors
    /// Why there is no answer.
    async fn fetch(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, FetchError>;
}

/// Why another server gave no answer. It tells nothing of what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The manifest does not allow the address.
    #[error("spin.toml does not allow it in `allowed_outbound_hosts`")]
    Denied,
    /// It cannot be reached, or broke off.
    #[error("it cannot be reached")]
    Unreachable,
    /// It took too long.
    #[error("it did not answer in time")]
    Timeout,
    /// Its answer is larger than [`MAX_ANSWER`].
    #[error("its answer is too large")]
    TooLarge,
}
