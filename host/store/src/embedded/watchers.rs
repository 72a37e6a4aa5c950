//! Who waits for which journal. All writers are in this process, so waking is a function call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A journal: its scope's key and its name.
pub(super) type JournalKey = (String, String);

/// Those who wait.
#[derive(Default)]
pub(super) struct Watchers(Mutex<HashMap<JournalKey, Arc<Notify>>>);

/// One who waits; stops waiting when dropped.
pub(super) struct Subscription<'a> {
    watchers: &'a Watchers,
    key: JournalKey,
    bell: Arc<Notify>,
}

impl Watchers {
    pub(super) fn subscribe(&self, key: JournalKey) -> Subscription<'_> {
        let bell = self.lock().entry(key.clone()).or_default().clone();
        Subscription {
            watchers: self,
            key,
            bell,
        }
    }

    /// Wakes all who wait for these journals.
    pub(super) fn wake(&self, grown: &[JournalKey]) {
        if grown.is_empty() {
            return;
        }
        let watchers = self.lock();
        for key in grown {
            if let Some(bell) = watchers.get(key) {
                bell.notify_waiters();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JournalKey, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription<'_> {
    pub(super) fn bell(&self) -> &Notify {
        &self.bell
    }
}

impl Drop for Subscription<'_> {
    fn drop(&mut self) {
        let mut watchers = self.watchers.lock();
        // The map's and this one: under the lock, nobody can get another.
        if Arc::strong_count(&self.bell) == 2 {
            watchers.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_for_those_who_have_stopped_waiting() {
        let watchers = Watchers::default();
        let key = || ("chat s".to_owned(), "j".to_owned());
        let (first, second) = (watchers.subscribe(key()), watchers.subscribe(key()));
        drop(first);
        assert_eq!(watchers.lock().len(), 1);
        drop(second);
        assert_eq!(watchers.lock().len(), 0);
    }
}
