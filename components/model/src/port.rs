//! What providers need from outside: HTTP, a clock, randomness.

use std::time::Duration;

#[cfg(target_arch = "wasm32")]
pub mod wasi;

/// HTTP, a clock and randomness.
#[allow(async_fn_in_trait)]
pub trait Platform {
    /// Waits.
    async fn sleep(&self, duration: Duration);
    /// Time since the Unix epoch.
    fn unix_time(&self) -> Duration;
    /// 64 random bits.
    fn random(&self) -> u64;
}
