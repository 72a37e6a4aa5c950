//! Waiting for a journal to grow.

use futures::future::{join, join_all};

use super::Fixture;
use super::trial::*;
use crate::port::*;

/// Longer than any append takes, so that a watch that was not woken is seen to have failed.
const PATIENCE: u64 = 20_000;

async fn grow<F: Fixture>(trial: &Trial<'_, F>, entries: &[&[u8]]) {
    trial.write(vec![append("j", ExpectedLength::Any, entries)]).await;
}

pub(super) async fn a_watch_returns_at_once_what_is_there<F: Fixture>(trial: &Trial<'_, F>) {
    grow(trial, &[b"a", b"b", b"c"]).await;
    trial.write(vec![checkpoint("j", 2)]).await;
    // A time-out of 0 returns what there is; a longer one does so at once.
    for timeout in [0, PATIENCE] {
        let slice = trial.watch("j", 1, 10, timeout).await;
        let entries = vec![b"b".to_vec(), b"c".to_vec()];
        assert_eq!(
            slice,
            JournalSlice {
                length: 3,
                checkpoint: 2,
                first: 1,
                entries
            }
        );
    }
    assert_eq!(trial.watch("j", 3, 10, 0).await.entries, [] as [Vec<u8>; 0]);
}

pub(super) async fn a_watch_wakes_when_an_entry_is_appended<F: Fixture>(trial: &Trial<'_, F>) {
    grow(trial, &[b"a"]).await;
    let append = async {
        // Once with the watch long under way, once together with it.
        trial.sleep(200).await;
        grow(trial, &[b"b"]).await;
    };
    let (slice, ()) = join(trial.watch("j", 1, 10, PATIENCE), append).await;
    assert_eq!(
        (slice.length, slice.first, slice.entries),
        (2, 1, vec![b"b".to_vec()])
    );
    let (slice, ()) = join(trial.watch("j", 2, 10, PATIENCE), grow(trial, &[b"c"])).await;
    assert_eq!(
        (slice.length, slice.first, slice.entries),
        (3, 2, vec![b"c".to_vec()])
    );
}

pub(super) async fn a_watch_wakes_when_its_journal_comes_into_being<F: Fixture>(trial: &Trial<'_, F>) {
    let append = async {
        trial.sleep(100).await;
        grow(trial, &[b"a"]).await;
    };
    let (slice, ()) = join(trial.watch("j", 0, 10, PATIENCE), append).await;
    assert_eq!(
        slice,
        JournalSlice {
            length: 1,
            checkpoint: 0,
            first: 0,
            entries: vec![b"a".into()]
        }
    );
}

pub(super) async fn a_watch_that_times_out_returns_an_empty_slice<F: Fixture>(trial: &Trial<'_, F>) {
    for entries in [0, 1] {
        let before = trial.now();
        let (slice, ()) = join(trial.watch("j", entries, 10, 300), trial.sleep(300)).await;
        assert_eq!(
            (slice.length, slice.first, slice.entries),
            (entries, entries, Vec::new())
        );
        assert!(
            trial.now() - before >= 290,
            "it returned after {} ms",
            trial.now() - before
        );
        grow(trial, &[VALUE]).await;
    }
}

pub(super) async fn a_watch_waits_for_its_own_start<F: Fixture>(trial: &Trial<'_, F>) {
    grow(trial, &[b"a"]).await;
    let append = async {
        for entry in [&b"b"[..], b"c", b"d"] {
            trial.sleep(50).await;
            grow(trial, &[entry]).await;
        }
    };
    let (slice, ()) = join(trial.watch("j", 3, 10, PATIENCE), append).await;
    assert_eq!(
        (slice.length, slice.first, slice.entries),
        (4, 3, vec![b"d".to_vec()])
    );
}

pub(super) async fn a_watch_returns_at_most_its_limit<F: Fixture>(trial: &Trial<'_, F>) {
    grow(trial, &[b"a", b"b", b"c"]).await;
    let slice = trial.watch("j", 0, 2, PATIENCE).await;
    assert_eq!(
        (slice.length, slice.entries),
        (3, vec![b"a".to_vec(), b"b".to_vec()])
    );
    let (slice, ()) = join(trial.watch("j", 3, 2, PATIENCE), grow(trial, &[b"d", b"e", b"f"])).await;
    assert_eq!(slice.entries, [b"d", b"e"]);
}

pub(super) async fn all_watchers_of_a_journal_wake<F: Fixture>(trial: &Trial<'_, F>) {
    let watchers = join_all((0..8).map(|_| trial.watch("j", 0, 10, PATIENCE)));
    let append = async {
        trial.sleep(100).await;
        grow(trial, &[b"a"]).await;
    };
    let (slices, ()) = join(watchers, append).await;
    for slice in slices {
        assert_eq!(slice.entries, [b"a"]);
    }
}

pub(super) async fn a_watch_sees_its_own_journal_only<F: Fixture>(trial: &Trial<'_, F>) {
    let elsewhere = async {
        trial.sleep(50).await;
        trial
            .write(vec![append("other", ExpectedLength::Any, &[VALUE])])
            .await;
        trial.write(vec![put("j", ExpectedVersion::Any, VALUE)]).await;
        let write = append("j", ExpectedLength::Any, &[VALUE]);
        let other = format!("{}/other", trial.scope);
        trial
            .store()
            .commit(&other, vec![write], Vec::new())
            .await
            .unwrap();
        trial
            .attempt(vec![
                append("j", ExpectedLength::Any, &[VALUE]),
                hold("l", 1, None),
            ])
            .await
            .unwrap_err();
        trial.sleep(250).await;
    };
    let (slice, ()) = join(trial.watch("j", 0, 10, 300), elsewhere).await;
    assert_eq!(slice, JournalSlice::default());
}

pub(super) async fn concurrent_appends_reach_a_watcher_in_order_each_once<F: Fixture>(trial: &Trial<'_, F>) {
    const APPENDERS: usize = 5;
    const EACH: usize = 20;
    let appender = |number: usize| async move {
        for entry in 0..EACH {
            grow(trial, &[format!("{number}.{entry:02}").as_bytes()]).await;
        }
    };
    let watcher = async {
        let mut seen: Vec<Vec<u8>> = Vec::new();
        while seen.len() < APPENDERS * EACH {
            let slice = trial.watch("j", seen.len() as u64, 7, PATIENCE).await;
            assert!(
                !slice.entries.is_empty(),
                "the watch timed out after {} entries",
                seen.len()
            );
            assert!(slice.entries.len() <= 7);
            assert_eq!(slice.first, seen.len() as u64);
            seen.extend(slice.entries);
        }
        seen
    };
    let (seen, _) = join(watcher, join_all((0..APPENDERS).map(appender))).await;
    assert_eq!(seen, trial.journal("j").await.entries);
    for number in 0..APPENDERS {
        let theirs: Vec<_> = seen
            .iter()
            .filter(|entry| entry.starts_with(&[b'0' + number as u8]))
            .collect();
        assert_eq!(theirs.len(), EACH);
        assert!(
            theirs.is_sorted(),
            "what one task appended in order stays in order"
        );
    }
}
