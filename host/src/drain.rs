//! The end of the process: first nobody sends new work, then none is taken, then what runs may finish.
//!
//! On SIGTERM or SIGINT `/ready` turns false while everything is served as before, for as long as load
//! balancers need to notice ([`Phase::Leaving`]). Then nothing more is accepted, and what is under way
//! (answers, streams, and guests whose clients have left) may finish within a limit ([`Phase::Draining`]). A
//! second signal ends it at once.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Phase {
    /// It has not begun.
    Serving,
    /// Requests are served, but none should be sent.
    Leaving,
    /// Nothing new is taken.
    Draining,
}

/// Tells everybody how far the end has come, and knows who is still busy.
#[derive(Clone)]
pub(crate) struct Drain {
    phase: Arc<watch::Sender<Phase>>,
    /// The same as `phase` for whoever asks with every request.
    leaving: Arc<AtomicBool>,
    busy: Arc<watch::Sender<usize>>,
}

/// Somebody is busy until this is dropped.
pub(crate) struct Busy(Arc<watch::Sender<usize>>);

impl Drain {
    /// The end has not begun.
    pub(crate) fn new() -> Self {
        Self {
            phase: Arc::new(watch::Sender::new(Phase::Serving)),
            leaving: Arc::default(),
            busy: Arc::new(watch::Sender::new(0)),
        }
    }

    /// From now on nobody should send requests here; those that come are served.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
        self.phase.send_replace(Phase::Leaving);
    }

    /// From now on nothing new is taken.
    pub(crate) fn begin(&self) {
        self.leaving.store(true, Ordering::Relaxed);
        self.phase.send_replace(Phase::Draining);
    }

    /// Whether requests should go elsewhere.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// Returns when requests should go elsewhere.
    pub(crate) fn left(&self) -> impl Future<Output = ()> + use<> {
        self.reached(Phase::Leaving)
    }

    /// Returns when nothing new is taken any more.
    pub(crate) fn begun(&self) -> impl Future<Output = ()> + use<> {
        self.reached(Phase::Draining)
    }

    fn reached(&self, phase: Phase) -> impl Future<Output = ()> + use<> {
        let mut state = self.phase.subscribe();
        async move {
            // The sender lives as long as `self.phase` is held by somebody who could begin.
            let _ = state.wait_for(|now| *now >= phase).await;
        }
    }

    /// Marks somebody as busy.
    pub(crate) fn hold(&self) -> Busy {
        self.busy.send_modify(|busy| *busy = busy.saturating_add(1));
        Busy(Arc::clone(&self.busy))
    }

    /// Waits until nobody is busy and `idle` holds, at most `limit`; `false` when time ran out.
    pub(crate) async fn finish(&self, limit: Duration, idle: impl Fn() -> bool) -> bool {
        let finished = async {
            let mut busy = self.busy.subscribe();
            let _ = busy.wait_for(|busy| *busy == 0).await;
            // Guests whose clients have gone hold no connection; they are few, and looking is cheap.
            while !idle() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(limit, finished).await.is_ok()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|busy| *busy = busy.saturating_sub(1));
    }
}

/// Returns when the process is asked to end, which from this call on does not end it by itself.
pub(crate) fn signal() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    };
    async move {
        #[cfg(unix)]
        if let (Ok(mut terminate), Ok(mut interrupt)) = signals {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn draining_waits_for_the_busy_but_not_forever() {
        let drain = Drain::new();
        let busy = drain.hold();
        drain.begin();
        drain.begun().await;
        assert!(!drain.finish(Duration::from_millis(20), || true).await);
        drop(busy);
        assert!(drain.finish(Duration::from_secs(30), || true).await);
        assert!(!drain.finish(Duration::from_millis(20), || false).await);
    }

    #[tokio::test]
    async fn requests_are_sent_elsewhere_before_they_are_refused() {
        let drain = Drain::new();
        assert!(!drain.is_leaving());
        assert!(drain.left().now_or_never().is_none());
        drain.leave();
        assert!(drain.is_leaving());
        drain.left().await;
        assert!(drain.begun().now_or_never().is_none());
        drain.begin();
        drain.begun().await;
        drain.left().await;
    }
}
