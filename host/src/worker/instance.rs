//! Instances while they work and between two calls.
//!
//! An instance works wherever it is polled: in the task of whoever calls it as long as it comes on without
//! waiting, else in a task of its own. Between calls it is in no task at all, so that taking it up again wakes
//! nobody. One that nobody took up for [`PATIENCE`] is dropped.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// How long an instance lies idle. Up to as long again may pass before it is dropped.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Where an instance gets its next call.
pub(crate) struct Desk<J>(Mutex<Next<J>>);

enum Next<J> {
    /// The instance is not done with its last call.
    Busy,
    /// It waits for one.
    Free,
    /// There is one.
    Call(J),
}

impl<J> Desk<J> {
    /// The desk of an instance that has a call already.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Next::Busy)))
    }

    fn lock(&self) -> MutexGuard<'_, Next<J>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_free(&self) -> bool {
        matches!(*self.lock(), Next::Free)
    }

    /// The next call. Only the instance waits here, and who brings a call polls it.
    pub(super) async fn next(&self) -> J {
        poll_fn(|_| {
            let mut next = self.lock();
            match std::mem::replace(&mut *next, Next::Busy) {
                Next::Call(call) => Poll::Ready(call),
                Next::Busy | Next::Free => {
                    *next = Next::Free;
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// An instance, with all that it has to do.
pub(crate) struct Instance<J> {
    work: Pin<Box<dyn Future<Output = ()> + Send>>,
    desk: Arc<Desk<J>>,
}

impl<J: Send + 'static> Instance<J> {
    /// An instance that does `work`, calls from `desk` included.
    pub(super) fn new(work: impl Future<Output = ()> + Send + 'static, desk: Arc<Desk<J>>) -> Self {
        Self {
            work: Box::pin(work),
            desk,
        }
    }

    /// Gives an idle instance its next call.
    pub(super) fn give(&self, call: J) {
        *self.desk.lock() = Next::Call(call);
    }

    /// Has the instance work, here as far as it comes without waiting and then in a task of its own. It lies
    /// down in `idle` when it wants another call.
    pub(super) fn start(self, idle: &Idle<J>) {
        let mut work = self.until_free(idle);
        // Nobody has to be woken: what is not over now is polled again as soon as it has a task.
        let mut nobody = Context::from_waker(Waker::noop());
        if Pin::new(&mut work).poll(&mut nobody).is_pending() {
            tokio::spawn(work);
        }
    }

    /// The same, in a task of its own from the beginning.
    pub(super) fn start_elsewhere(self, idle: &Idle<J>) {
        tokio::spawn(self.until_free(idle));
    }

    fn until_free(self, idle: &Idle<J>) -> UntilFree<J> {
        UntilFree {
            instance: Some(self),
            idle: idle.clone(),
        }
    }
}

/// Works until the instance is done for good or wants another call.
struct UntilFree<J> {
    instance: Option<Instance<J>>,
    idle: Idle<J>,
}

impl<J: Send + 'static> Future for UntilFree<J> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(instance) = &mut self.instance else {
            return Poll::Ready(());
        };
        if instance.work.as_mut().poll(cx).is_pending() && !instance.desk.is_free() {
            return Poll::Pending;
        }
        if let Some(instance) = self.instance.take().filter(|instance| instance.desk.is_free()) {
            self.idle.park(instance);
        }
        Poll::Ready(())
    }
}

/// Instances of a component that wait for another call.
pub(crate) struct Idle<J>(Arc<Mutex<Parked<J>>>);

struct Parked<J> {
    /// The one that lay down last is the last: its memory is the most likely to be in a cache.
    instances: Vec<(Instant, Instance<J>)>,
    /// Whether somebody looks after them.
    attended: bool,
}

impl<J> Default for Idle<J> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Parked {
            instances: Vec::new(),
            attended: false,
        })))
    }
}

impl<J> Clone for Idle<J> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<J: Send + 'static> Idle<J> {
    fn lock(&self) -> MutexGuard<'_, Parked<J>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The instance that lay down last.
    pub(super) fn take(&self) -> Option<Instance<J>> {
        self.lock().instances.pop().map(|(_, instance)| instance)
    }

    fn park(&self, instance: Instance<J>) {
        let mut parked = self.lock();
        parked.instances.push((Instant::now(), instance));
        if !std::mem::replace(&mut parked.attended, true) {
            tokio::spawn(self.clone().attend());
        }
    }

    /// Drops whoever lies idle for too long, as long as there is anybody.
    async fn attend(self) {
        loop {
            tokio::time::sleep(PATIENCE).await;
            let forgotten = self.forgotten(Instant::now());
            let mut parked = self.lock();
            parked.attended = !parked.instances.is_empty();
            let over = !parked.attended;
            drop(parked);
            drop(forgotten);
            if over {
                return;
            }
        }
    }

    /// Takes those out that have been idle for too long.
    fn forgotten(&self, now: Instant) -> Vec<(Instant, Instance<J>)> {
        let instances = &mut self.lock().instances;
        let kept = instances.partition_point(|(since, _)| now.duration_since(*since) >= PATIENCE);
        instances.drain(..kept).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::channel::{mpsc, oneshot};
    use futures::{FutureExt as _, StreamExt as _};

    /// An instance that tells what it is called with, and waits for a word in calls that bring one.
    type Call = (u32, Option<oneshot::Receiver<()>>);

    fn instance(first: Call, told: mpsc::UnboundedSender<u32>) -> Instance<Call> {
        let desk = Desk::new();
        let calls = Arc::clone(&desk);
        Instance::new(
            async move {
                let (mut number, mut word) = first;
                loop {
                    if let Some(word) = word {
                        let _ = word.await;
                    }
                    let _ = told.unbounded_send(number);
                    (number, word) = calls.next().await;
                }
            },
            desk,
        )
    }

    #[tokio::test]
    async fn what_needs_no_waiting_is_done_before_start_returns() {
        let (told, mut hears) = mpsc::unbounded();
        let idle = Idle::default();
        instance((1, None), told).start(&idle);
        assert_eq!(hears.next().now_or_never(), Some(Some(1)));

        let again = idle.take().unwrap();
        again.give((2, None));
        again.start(&idle);
        assert_eq!(hears.next().now_or_never(), Some(Some(2)));
        assert!(idle.take().is_some() && idle.take().is_none());
    }

    #[tokio::test]
    async fn what_waits_goes_on_by_itself_and_is_idle_only_afterwards() {
        let (told, mut hears) = mpsc::unbounded();
        let (go, word) = oneshot::channel();
        let idle = Idle::default();
        instance((1, Some(word)), told).start(&idle);
        assert!(idle.take().is_none());
        go.send(()).unwrap();
        assert_eq!(hears.next().await, Some(1));
        while idle.take().is_none() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_instance_that_nobody_takes_up_is_dropped() {
        let (told, mut hears) = mpsc::unbounded();
        let idle = Idle::default();
        instance((1, None), told).start(&idle);
        assert_eq!(hears.next().await, Some(1));

        let now = Instant::now();
        assert!(idle.forgotten(now).is_empty());
        drop(idle.forgotten(now + PATIENCE));
        // The channel ends with the instance.
        assert_eq!(hears.next().now_or_never(), Some(None));
        assert!(idle.take().is_none());
    }
}
