//! What one request may use: memory, CPU time and wall time.
//!
//! Memory is counted over all memories of the instance, those of composed dependencies included. CPU time is
//! the time that the request's task spent being polled, taken at each epoch tick: a guest that waits spends
//! none, a guest that loops is stopped within one tick of its limit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use wasmtime::ResourceLimiter;

/// The limits of every request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of linear memory that one instance may have, with its dependencies.
    pub(crate) memory: usize,
    /// Elements that one table may have.
    pub(crate) table: usize,
    /// Time on a core.
    pub(crate) cpu: Duration,
    /// Time from admission to the end of the guest's last task.
    pub(crate) wall: Duration,
}

/// Counts the memory of one instance and refuses what goes beyond its limit.
pub(crate) struct Memory {
    limit: usize,
    table_limit: usize,
    used: usize,
    /// Whether something was refused: the reason of a trap that follows.
    pub(crate) refused: bool,
}

impl Memory {
    /// Nothing used yet.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            limit: limits.memory,
            table_limit: limits.table,
            used: 0,
            refused: false,
        }
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.limit {
            self.refused = true;
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.table_limit;
        self.refused |= !allowed;
        Ok(allowed)
    }
}

/// Measures the CPU time of the request that an instance serves.
pub(crate) struct Meter {
    origin: Instant,
    /// Nanoseconds of finished polls.
    spent: AtomicU64,
    /// Nanoseconds after `origin` at which the present poll began.
    polled: AtomicU64,
}

impl Meter {
    /// Nothing spent yet.
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
            spent: AtomicU64::new(0),
            polled: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Marks the beginning of a poll.
    pub(crate) fn begin(&self) {
        self.polled.store(self.now(), Ordering::Relaxed);
    }

    /// Marks the end of a poll.
    pub(crate) fn end(&self) {
        let poll = self.now().saturating_sub(self.polled.load(Ordering::Relaxed));
        self.spent.fetch_add(poll, Ordering::Relaxed);
    }

    /// What was spent up to now; only meaningful within a poll.
    pub(crate) fn spent(&self) -> Duration {
        let present = self.now().saturating_sub(self.polled.load(Ordering::Relaxed));
        Duration::from_nanos(self.spent.load(Ordering::Relaxed).saturating_add(present))
    }

    /// Begins to count for another request; within a poll.
    pub(crate) fn reset(&self) {
        self.spent.store(0, Ordering::Relaxed);
        self.begin();
    }
}
