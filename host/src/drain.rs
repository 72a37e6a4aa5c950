//! The end of the process: no new work, and time for what runs.
//!
//! On SIGTERM or SIGINT `/ready` turns false, nothing more is accepted, and what is under way (answers,
//! streams, and guests whose clients have left) may finish within a limit. A second signal ends it at once.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Tells everybody that the end has begun, and knows who is still busy.
#[derive(Clone)]
pub(crate) struct Drain {
    state: Arc<watch::Sender<bool>>,
    busy: Arc<watch::Sender<usize>>,
}

/// Somebody is busy until this is dropped.
pub(crate) struct Busy(Arc<watch::Sender<usize>>);

impl Drain {
    /// The end has not begun.
    pub(crate) fn new() -> Self {
        Self {
            state: Arc::new(watch::Sender::new(false)),
            busy: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Begins the end.
    pub(crate) fn begin(&self) {
        self.state.send_replace(true);
    }

    /// Whether it has begun.
    pub(crate) fn has_begun(&self) -> bool {
        *self.state.borrow()
    }

    /// Returns when it begins.
    pub(crate) fn begun(&self) -> impl Future<Output = ()> + use<> {
        let mut state = self.state.subscribe();
        async move {
            // The sender lives as long as `self.state` is held by somebody who could begin.
            let _ = state.wait_for(|begun| *begun).await;
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

/// Returns when the process is asked to end.
pub(crate) async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut terminate), Ok(mut interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn draining_waits_for_the_busy_but_not_forever() {
        let drain = Drain::new();
        let busy = drain.hold();
        drain.begin();
        drain.begun().await;
        assert!(drain.has_begun());
        assert!(!drain.finish(Duration::from_millis(20), || true).await);
        drop(busy);
        assert!(drain.finish(Duration::from_secs(30), || true).await);
        assert!(!drain.finish(Duration::from_millis(20), || false).await);
    }
}
