//! The platform that WASI 0.3 offers.

use std::time::Duration;

use spin_sdk::wasip3::{
    clocks::{monotonic_clock, system_clock},
    random::random,
};

use super::Platform;

/// WASI 0.3.
#[derive(Clone, Copy, Debug)]
pub struct Wasi;

impl Platform for Wasi {
    async fn sleep(&self, duration: Duration) {
        monotonic_clock::wait_for(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)).await;
    }

    fn unix_time(&self) -> Duration {
        let now = system_clock::now();
        Duration::new(u64::try_from(now.seconds).unwrap_or(0), now.nanoseconds)
    }

    fn random(&self) -> u64 {
        random::get_random_u64()
    }
}
