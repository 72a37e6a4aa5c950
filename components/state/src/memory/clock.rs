//! Time that moves only when a test says so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// A clock in milliseconds since the Unix epoch. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Time>>);

#[derive(Debug)]
struct Time {
    now: u64,
    waiting: Vec<Waker>,
}

/// An arbitrary moment in 2023, so that nothing works by accident only because time began at 0.
const BEGINNING: u64 = 1_700_000_000_000;

impl Default for ManualClock {
    fn default() -> Self {
        Self::at(BEGINNING)
    }
}

impl ManualClock {
    /// A clock that stands at a time.
    pub fn at(now: u64) -> Self {
        Self(Arc::new(Mutex::new(Time {
            now,
            waiting: Vec::new(),
        })))
    }

    /// Milliseconds since the Unix epoch.
    pub fn now(&self) -> u64 {
        self.lock().now
    }

    /// Lets time pass, and wakes whoever waits for it to.
    pub fn advance(&self, milliseconds: u64) {
        let waiting = {
            let mut time = self.lock();
            time.now = time.now.saturating_add(milliseconds);
            std::mem::take(&mut time.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until the clock was moved on by so much.
    pub async fn sleep(&self, milliseconds: u64) {
        let deadline = self.now().saturating_add(milliseconds);
        std::future::poll_fn(|context| {
            if self.now() >= deadline {
                return std::task::Poll::Ready(());
            }
            self.wake_when_moved(context.waker());
            std::task::Poll::Pending
        })
        .await
    }

    pub(super) fn wake_when_moved(&self, waker: &Waker) {
        let mut time = self.lock();
        if !time.waiting.iter().any(|waiting| waiting.will_wake(waker)) {
            time.waiting.push(waker.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Time> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
