//! How many instances may live at once, and what happens to the request that is one too many.
//!
//! A request from outside waits in a short queue when all places are taken, and is refused when the queue is
//! full or its patience runs out: better a quick 503 with `Retry-After` than a slow failure for everybody.
//!
//! Calls from component to component have places of their own and never queue: their callers hold places,
//! and would wait for each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a request waits for a place.
const PATIENCE: Duration = Duration::from_secs(2);

/// Seconds after which a refused client may try again.
pub(crate) const RETRY_AFTER: u64 = 1;

/// Hands out places.
pub(crate) struct Admission {
    outside: Arc<Semaphore>,
    inside: Arc<Semaphore>,
    queue: usize,
    patience: Duration,
    waiting: AtomicUsize,
    live: Arc<AtomicUsize>,
}

/// A place; given back when it is dropped.
pub(crate) struct Permit {
    _place: OwnedSemaphorePermit,
    live: Arc<AtomicUsize>,
}

/// All places are taken.
#[derive(Debug)]
pub(crate) struct Full;

impl Admission {
    /// Divides `room` instances between requests from outside and calls from component to component.
    pub(crate) fn new(room: u32, queue: usize) -> Self {
        let room = usize::try_from(room)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        let outside = (room / 2).max(1);
        Self {
            outside: Arc::new(Semaphore::new(outside)),
            inside: Arc::new(Semaphore::new(room.saturating_sub(outside).max(1))),
            queue,
            patience: PATIENCE,
            waiting: AtomicUsize::new(0),
            live: Arc::new(AtomicUsize::new(0)),
        }
    }

    /// A place for a request from outside.
    pub(crate) async fn admit(&self) -> Result<Permit, Full> {
        if let Ok(place) = Arc::clone(&self.outside).try_acquire_owned() {
            return Ok(self.permit(place));
        }
        let waiting = Waiting::enter(&self.waiting, self.queue)?;
        let place = tokio::time::timeout(self.patience, Arc::clone(&self.outside).acquire_owned()).await;
        drop(waiting);
        match place {
            Ok(Ok(place)) => Ok(self.permit(place)),
            _ => Err(Full),
        }
    }

    /// A place for a call from component to component.
    pub(crate) fn admit_inside(&self) -> Result<Permit, Full> {
        let place = Arc::clone(&self.inside).try_acquire_owned().map_err(|_| Full)?;
        Ok(self.permit(place))
    }

    fn permit(&self, place: OwnedSemaphorePermit) -> Permit {
        self.live.fetch_add(1, Ordering::Relaxed);
        Permit {
            _place: place,
            live: Arc::clone(&self.live),
        }
    }

    /// Instances that live.
    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// Requests that wait for a place.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A place in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(waiting: &'a AtomicUsize, limit: usize) -> Result<Self, Full> {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        let place = Self(waiting);
        if before < limit { Ok(place) } else { Err(Full) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_one_too_many_is_refused_when_the_queue_is_full_or_patience_ends() {
        let admission = Admission::new(2, 0);
        let held = admission.admit().await.unwrap();
        assert!(admission.admit().await.is_err());
        assert_eq!((admission.live(), admission.waiting()), (1, 0));
        drop(held);
        assert!(admission.admit().await.is_ok());

        let admission = Admission {
            patience: Duration::ZERO,
            ..Admission::new(2, 1)
        };
        let _held = admission.admit().await.unwrap();
        assert!(
            admission.admit().await.is_err(),
            "nobody gave a place back within the patience"
        );
        assert_eq!(admission.waiting(), 0);
    }

    #[tokio::test]
    async fn a_place_that_is_given_back_goes_to_the_one_who_waits() {
        let admission = Arc::new(Admission::new(2, 1));
        let held = admission.admit().await.unwrap();
        let waiter = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.admit().await.is_ok() }
        });
        while admission.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        drop(held);
        assert!(waiter.await.unwrap());
    }

    #[tokio::test]
    async fn calls_between_components_never_wait_for_places_of_their_callers() {
        let admission = Admission::new(2, 8);
        let _outside = admission.admit().await.unwrap();
        let _inside = admission.admit_inside().unwrap();
        assert!(admission.admit_inside().is_err());
    }
}
