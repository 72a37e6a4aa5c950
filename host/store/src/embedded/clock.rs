//! The time that times to live are measured by.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The system's clock, which is not believed when it goes backwards: what has expired stays so.
#[derive(Default)]
pub(super) struct Clock {
    latest: AtomicU64,
    #[cfg(test)]
    ahead: AtomicU64,
}

impl Clock {
    /// Milliseconds since the Unix epoch; never less than before.
    pub(super) fn now(&self) -> u64 {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        #[cfg(test)]
        let now = now + self.ahead.load(Ordering::Relaxed);
        self.latest.fetch_max(now, Ordering::Relaxed).max(now)
    }

    /// Puts the clock ahead, because some times to live are longer than a test.
    #[cfg(test)]
    pub(super) fn advance(&self, milliseconds: u64) {
        self.ahead.fetch_add(milliseconds, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_go_back_when_the_system_clock_does() {
        let clock = Clock::default();
        clock.advance(10_000);
        let before = clock.now();
        clock.ahead.store(0, Ordering::Relaxed);
        assert!(clock.now() >= before);
    }
}
