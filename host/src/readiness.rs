//! Whether requests should be sent here, as far as the store decides it.
//!
//! The store is asked for a sign of life all the time, whether or not anybody asks for `/ready`. A host that
//! cannot reach it for a while says that it is not ready, so that others take its requests if only it is cut
//! off. It does not say so at once, because a blip of the store would take all hosts out of service together;
//! nor do all hosts say so at the same moment, because the time that each waits differs. It is ready again
//! when the store has answered a few times in a row.

use crate::drain::Drain;
use anyturn_store::AnyStore;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often the store is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often in a row the store has to answer before requests are sent here again.
const RECOVERED: u32 = 3;

/// What was found out last. Clones are the same.
#[derive(Clone)]
pub(crate) struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Watches a store, which has just answered; without one there is nothing to wait for. It counts as out of
    /// reach when it has not answered for `grace`, and up to half as long again.
    pub(crate) fn watch(store: Option<AnyStore>, grace: Duration) -> Self {
        let ready = Self(Arc::new(AtomicBool::new(true)));
        if let Some(store) = store {
            let share = RandomState::new().hash_one(std::process::id()) % 512;
            let judge = Judge::new(grace + grace * u32::try_from(share).unwrap_or(0) / 1024);
            tokio::spawn(watch(store, judge, Arc::clone(&ready.0)));
        }
        ready
    }

    /// Why no requests should be sent here, if so: the process ends, or the store is not there.
    pub(crate) fn obstacle(&self, drain: &Drain) -> Option<&'static str> {
        if drain.is_leaving() {
            Some("shutting down")
        } else if !self.0.load(Ordering::Relaxed) {
            Some("the store is out of reach")
        } else {
            None
        }
    }
}

async fn watch(store: AnyStore, mut judge: Judge, ready: Arc<AtomicBool>) {
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let answered = tokio::time::timeout(PATIENCE, store.ping()).await;
        let before = judge.ready;
        let now = judge.look(Instant::now(), matches!(answered, Ok(Ok(()))));
        ready.store(now, Ordering::Relaxed);
        match (before, now) {
            (true, false) => tracing::error!(
                store = store.description(),
                "the store is out of reach; no more requests should be sent here"
            ),
            (false, true) => tracing::info!(store = store.description(), "the store is there again"),
            _ => {}
        }
    }
}

/// Makes of single answers what is told.
struct Judge {
    grace: Duration,
    ready: bool,
    /// Since when the store has not answered.
    silent: Option<Instant>,
    /// How often in a row it has answered.
    answers: u32,
}

impl Judge {
    fn new(grace: Duration) -> Self {
        Self {
            grace,
            ready: true,
            silent: None,
            answers: 0,
        }
    }

    fn look(&mut self, now: Instant, answered: bool) -> bool {
        if answered {
            self.silent = None;
            self.answers = self.answers.saturating_add(1);
            self.ready |= self.answers >= RECOVERED;
        } else {
            let since = *self.silent.get_or_insert(now);
            self.answers = 0;
            self.ready &= now.saturating_duration_since(since) < self.grace;
        }
        self.ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blip_changes_nothing_and_an_outage_does_until_the_store_is_there_for_good() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut judge = Judge::new(Duration::from_secs(10));
        for second in 0..9 {
            assert!(judge.look(at(second), false), "not yet at second {second}");
        }
        assert!(judge.look(at(9), true), "it was a blip");
        assert!(judge.look(at(10), false));
        assert!(
            judge.look(at(19), false),
            "the time counts from the last answer on"
        );
        assert!(!judge.look(at(20), false));
        for (second, answered, ready) in [
            (21, true, false),
            (22, true, false),
            (23, false, false),
            (24, true, false),
            (25, true, false),
            (26, true, true),
            (27, false, true),
        ] {
            assert_eq!(judge.look(at(second), answered), ready, "second {second}");
        }
    }

    #[test]
    fn without_grace_the_first_silence_counts() {
        assert!(!Judge::new(Duration::ZERO).look(Instant::now(), false));
    }
}
