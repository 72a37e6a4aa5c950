//! How many instances may live at once, and what happens to the request that is one too many.
//!
//! A request from outside waits in a bounded queue when all places are taken. Places go to those who wait in
//! the order in which they came, and nobody overtakes them. A request is refused when the queue is full or its
//! time to wait is over: better a quick 503 with `Retry-After` than a slow failure for everybody.
//!
//! Calls from component to component have places of their own and never queue: their callers hold places,
//! and would wait for each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Seconds after which a refused client may try again.
pub(crate) const RETRY_AFTER: u64 = 1;

/// How requests wait for a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue {
    /// How many may wait at once.
    pub(crate) length: usize,
    /// For how long each may.
    pub(crate) patience: Duration,
}

/// Hands out places.
pub(crate) struct Admission {
    outside: Arc<Semaphore>,
    inside: Arc<Semaphore>,
    /// How many requests from outside there are places for.
    places: usize,
    queue: Queue,
    waiting: AtomicUsize,
    live: Arc<AtomicUsize>,
}

/// A place; given back when it is dropped.
pub(crate) struct Permit {
    _place: OwnedSemaphorePermit,
    live: Arc<AtomicUsize>,
}

/// A request that was let in.
pub(crate) struct Admitted {
    pub(crate) permit: Permit,
    /// How long it waited, if it had to.
    pub(crate) waited: Option<Duration>,
}

/// All places are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// And as many wait as may.
    Queue,
    /// And none became free in time.
    Patience,
}

impl Full {
    /// A word for metrics.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Queue => "queue-full",
            Self::Patience => "waited-too-long",
        }
    }
}

impl Admission {
    /// Divides `room` instances between requests from outside and calls from component to component.
    pub(crate) fn new(room: u32, queue: Queue) -> Self {
        let room = usize::try_from(room)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        let outside = (room / 2).max(1);
        Self {
            outside: Arc::new(Semaphore::new(outside)),
            inside: Arc::new(Semaphore::new(room.saturating_sub(outside).max(1))),
            places: outside,
            queue,
            waiting: AtomicUsize::new(0),
            live: Arc::new(AtomicUsize::new(0)),
        }
    }

    /// A place for a request from outside.
    pub(crate) async fn admit(&self) -> Result<Admitted, Full> {
        // A place that is given back belongs to whoever waits longest, so nobody is overtaken here.
        if let Ok(place) = Arc::clone(&self.outside).try_acquire_owned() {
            return Ok(Admitted {
                permit: self.permit(place),
                waited: None,
            });
        }
        let waiting = Waiting::enter(&self.waiting, self.queue.length)?;
        let began = Instant::now();
        let place =
            tokio::time::timeout(self.queue.patience, Arc::clone(&self.outside).acquire_owned()).await;
        drop(waiting);
        match place {
            Ok(Ok(place)) => Ok(Admitted {
                permit: self.permit(place),
                waited: Some(began.elapsed()),
            }),
            _ => Err(Full::Patience),
        }
    }

    /// A place for a call from component to component.
    pub(crate) fn admit_inside(&self) -> Result<Permit, Full> {
        let place = Arc::clone(&self.inside)
            .try_acquire_owned()
            .map_err(|_| Full::Queue)?;
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

    /// Requests from outside that have a place, and how many places there are.
    pub(crate) fn taken(&self) -> (usize, usize) {
        (
            self.places.saturating_sub(self.outside.available_permits()),
            self.places,
        )
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
        if before < limit {
            Ok(place)
        } else {
            Err(Full::Queue)
        }
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
    use std::sync::Mutex;

    fn admission(room: u32, length: usize, patience: Duration) -> Arc<Admission> {
        Arc::new(Admission::new(room, Queue { length, patience }))
    }

    #[tokio::test]
    async fn the_one_too_many_is_refused_when_the_queue_is_full_or_its_time_is_over() {
        let full = admission(2, 0, Duration::from_secs(60));
        let held = full.admit().await.unwrap();
        assert_eq!(full.admit().await.err(), Some(Full::Queue));
        assert_eq!((full.live(), full.waiting(), full.taken()), (1, 0, (1, 1)));
        drop(held);
        assert!(full.admit().await.unwrap().waited.is_none());

        let hurried = admission(2, 1, Duration::ZERO);
        let _held = hurried.admit().await.unwrap();
        assert_eq!(
            hurried.admit().await.err(),
            Some(Full::Patience),
            "nobody gave a place back in time"
        );
        assert_eq!(hurried.waiting(), 0);
    }

    #[tokio::test]
    async fn places_that_are_given_back_go_to_those_who_wait_in_the_order_they_came() {
        let admission = admission(2, 8, Duration::from_secs(60));
        let held = admission.admit().await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiters = Vec::new();
        for number in 0..8_usize {
            let (admission, order) = (Arc::clone(&admission), Arc::clone(&order));
            waiters.push(tokio::spawn({
                let admission = Arc::clone(&admission);
                async move {
                    let admitted = admission.admit().await.unwrap();
                    assert!(admitted.waited.is_some());
                    order.lock().unwrap().push(number);
                }
            }));
            while admission.waiting() <= number {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(admission.admit().await.err(), Some(Full::Queue));
        drop(held);
        assert!(
            Arc::clone(&admission.outside).try_acquire_owned().is_err(),
            "the place is promised to the first one"
        );
        for waiter in waiters {
            waiter.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), (0..8).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn calls_between_components_never_wait_for_places_of_their_callers() {
        let admission = admission(2, 8, Duration::from_secs(60));
        let _outside = admission.admit().await.unwrap();
        let _inside = admission.admit_inside().unwrap();
        assert!(admission.admit_inside().is_err());
    }
}
