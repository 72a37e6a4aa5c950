//! Journals: appending, slices, checkpoints.

use super::Fixture;
use super::trial::*;
use crate::port::ExpectedLength::{Any, AtLeast, Exactly};
use crate::port::Position::{At, Checkpoint, Last};
use crate::port::*;

/// A journal `j` with the entries `0`, `1`, … `9`.
async fn ten_entries<F: Fixture>(trial: &Trial<'_, F>) {
    let digits: Vec<Vec<u8>> = (b'0'..=b'9').map(|digit| vec![digit]).collect();
    let digits: Vec<&[u8]> = digits.iter().map(Vec::as_slice).collect();
    assert_eq!(
        trial.write(vec![append("j", Exactly(0), &digits)]).await,
        [Written::Length(10)]
    );
}

/// The slice that begins at `first` and holds these digits.
fn slice(checkpoint: u64, first: u64, digits: &str) -> JournalSlice {
    let entries = digits.bytes().map(|digit| vec![digit]).collect();
    JournalSlice {
        length: 10,
        checkpoint,
        first,
        entries,
    }
}

pub(super) async fn entries_take_the_positions_0_1_2<F: Fixture>(trial: &Trial<'_, F>) {
    assert_eq!(
        trial.write(vec![append("j", Any, &[b"a"])]).await,
        [Written::Length(1)]
    );
    assert_eq!(
        trial.write(vec![append("j", Any, &[b"b", b"c"])]).await,
        [Written::Length(3)]
    );
    let written = trial
        .write(vec![append("j", Any, &[b"d"]), append("j", Any, &[b"e"])])
        .await;
    assert_eq!(written, [Written::Length(4), Written::Length(5)]);
    let all = trial.journal("j").await;
    assert_eq!(
        (all.length, all.first, all.entries.concat()),
        (5, 0, b"abcde".to_vec())
    );
    for (position, entry) in (0..).zip(all.entries) {
        assert_eq!(trial.slice("j", At(position), 1).await.entries, [entry]);
    }
}

pub(super) async fn a_journal_keeps_any_bytes<F: Fixture>(trial: &Trial<'_, F>) {
    let all: Vec<u8> = (0..=255).collect();
    let entries = [&all[..], b"", b"\0", b"\r\n", "日本".as_bytes(), b"\xff\xfe"];
    trial.write(vec![append("j", Any, &entries)]).await;
    assert_eq!(trial.journal("j").await.entries, entries);
}

pub(super) async fn append_if_exactly_refuses_every_other_length<F: Fixture>(trial: &Trial<'_, F>) {
    ten_entries(trial).await;
    for wrong in [0, 9, 11, MAX as u64] {
        assert_eq!(
            trial.conflict(vec![append("j", Exactly(wrong), &[VALUE])]).await,
            (0, Actual::Length(10))
        );
    }
    assert_eq!(trial.journal("j").await.length, 10);
    assert_eq!(
        trial.write(vec![append("j", Exactly(10), &[VALUE])]).await,
        [Written::Length(11)]
    );
}

pub(super) async fn exactly_0_means_that_the_journal_does_not_exist<F: Fixture>(trial: &Trial<'_, F>) {
    assert_eq!(
        trial.conflict(vec![append("j", Exactly(1), &[VALUE])]).await,
        (0, Actual::Length(0))
    );
    assert_eq!(
        trial.write(vec![append("j", Exactly(0), &[VALUE])]).await,
        [Written::Length(1)]
    );
    assert_eq!(
        trial.conflict(vec![append("j", Exactly(0), &[VALUE])]).await,
        (0, Actual::Length(1))
    );
}

pub(super) async fn append_if_at_least_refuses_a_shorter_journal<F: Fixture>(trial: &Trial<'_, F>) {
    assert_eq!(
        trial.conflict(vec![append("j", AtLeast(1), &[VALUE])]).await,
        (0, Actual::Length(0))
    );
    assert_eq!(
        trial.write(vec![append("j", AtLeast(0), &[VALUE])]).await,
        [Written::Length(1)]
    );
    assert_eq!(
        trial.conflict(vec![append("j", AtLeast(2), &[VALUE])]).await,
        (0, Actual::Length(1))
    );
    assert_eq!(
        trial.write(vec![append("j", AtLeast(1), &[VALUE])]).await,
        [Written::Length(2)]
    );
    assert_eq!(
        trial.write(vec![append("j", AtLeast(1), &[VALUE])]).await,
        [Written::Length(3)]
    );
}

pub(super) async fn an_append_of_no_entries_is_a_condition_only<F: Fixture>(trial: &Trial<'_, F>) {
    assert_eq!(
        trial.write(vec![append("j", Exactly(0), &[])]).await,
        [Written::Length(0)]
    );
    assert_eq!(
        trial.write(vec![append("j", Exactly(0), &[VALUE])]).await,
        [Written::Length(1)]
    );
    assert_eq!(
        trial.write(vec![append("j", Exactly(1), &[])]).await,
        [Written::Length(1)]
    );
    assert_eq!(
        trial.conflict(vec![append("j", Exactly(2), &[])]).await,
        (0, Actual::Length(1))
    );
    // Of a journal that does not exist it makes none, nor a time to live for the one to come.
    let nothing_for = |journal: &str, ttl| Write::Append {
        journal: journal.into(),
        expected: Any,
        entries: Vec::new(),
        ttl: Some(ttl),
    };
    trial.write(vec![nothing_for("other", 1)]).await;
    trial.write(vec![append("other", Exactly(0), &[VALUE])]).await;
    // Of one that exists it sets the time to live that it is given.
    trial
        .write(vec![append_for("j", 1), nothing_for("j", LONG)])
        .await;
    trial.sleep_until(trial.now() + 1001).await;
    assert_eq!(trial.journal("other").await.length, 1);
    assert_eq!(trial.journal("j").await.length, 2);
}

pub(super) async fn a_slice_begins_at_an_absolute_position<F: Fixture>(trial: &Trial<'_, F>) {
    ten_entries(trial).await;
    assert_eq!(trial.slice("j", At(0), 3).await, slice(0, 0, "012"));
    assert_eq!(trial.slice("j", At(4), 3).await, slice(0, 4, "456"));
    assert_eq!(trial.slice("j", At(8), 3).await, slice(0, 8, "89"));
    assert_eq!(trial.slice("j", At(10), 3).await, slice(0, 10, ""));
    assert_eq!(trial.slice("j", At(11), 3).await, slice(0, 11, ""));
    assert_eq!(trial.slice("j", At(11), 0).await, slice(0, 11, ""));
    assert_eq!(trial.slice("j", At(0), u32::MAX).await, slice(0, 0, "0123456789"));
}

pub(super) async fn a_slice_begins_at_the_checkpoint<F: Fixture>(trial: &Trial<'_, F>) {
    ten_entries(trial).await;
    assert_eq!(trial.slice("j", Checkpoint, 2).await, slice(0, 0, "01"));
    assert_eq!(trial.write(vec![checkpoint("j", 7)]).await, [Written::Done]);
    assert_eq!(trial.slice("j", Checkpoint, 2).await, slice(7, 7, "78"));
    assert_eq!(trial.slice("j", At(1), 2).await, slice(7, 1, "12"));
    trial.write(vec![checkpoint("j", 10)]).await;
    assert_eq!(trial.slice("j", Checkpoint, 2).await, slice(10, 10, ""));
}

pub(super) async fn a_slice_holds_the_last_entries_or_all_if_there_are_fewer<F: Fixture>(
    trial: &Trial<'_, F>,
) {
    ten_entries(trial).await;
    assert_eq!(trial.slice("j", Last(3), 100).await, slice(0, 7, "789"));
    assert_eq!(trial.slice("j", Last(3), 2).await, slice(0, 7, "78"));
    assert_eq!(trial.slice("j", Last(10), 100).await, slice(0, 0, "0123456789"));
    assert_eq!(trial.slice("j", Last(11), 100).await, slice(0, 0, "0123456789"));
    assert_eq!(trial.slice("j", Last(u32::MAX), 1).await, slice(0, 0, "0"));
    assert_eq!(trial.slice("j", Last(0), 100).await, slice(0, 10, ""));
}

pub(super) async fn a_limit_of_0_tells_the_length_only<F: Fixture>(trial: &Trial<'_, F>) {
    ten_entries(trial).await;
    for start in [At(0), At(5), Checkpoint, Last(3)] {
        let slice = trial.slice("j", start, 0).await;
        assert_eq!((slice.length, slice.entries), (10, Vec::new()));
    }
}

pub(super) async fn a_journal_that_does_not_exist_is_empty<F: Fixture>(trial: &Trial<'_, F>) {
    for start in [At(0), Checkpoint, Last(3)] {
        assert_eq!(trial.slice("j", start, 10).await, JournalSlice::default());
    }
    assert_eq!(
        trial.write(vec![Write::DeleteJournal("j".into())]).await,
        [Written::Done]
    );
}

pub(super) async fn a_long_journal_is_read_in_pages_without_gaps<F: Fixture>(trial: &Trial<'_, F>) {
    let entries: Vec<Vec<u8>> = (0..500)
        .map(|number: u32| number.to_be_bytes().to_vec())
        .collect();
    for part in entries.chunks(50) {
        let part: Vec<&[u8]> = part.iter().map(Vec::as_slice).collect();
        trial.write(vec![append("j", Any, &part)]).await;
    }
    let mut read = Vec::new();
    loop {
        let slice = trial.slice("j", At(read.len() as u64), 33).await;
        assert_eq!((slice.length, slice.first), (500, read.len() as u64));
        if slice.entries.is_empty() {
            break;
        }
        read.extend(slice.entries);
    }
    assert_eq!(read, entries);
}

pub(super) async fn a_checkpoint_may_be_set_up_to_the_length_within_the_commit<F: Fixture>(
    trial: &Trial<'_, F>,
) {
    let written = trial
        .write(vec![
            append("j", Any, &[b"a", b"b"]),
            checkpoint("j", 2),
            append("j", Any, &[b"c"]),
            checkpoint("j", 3),
        ])
        .await;
    assert_eq!(
        written,
        [
            Written::Length(2),
            Written::Done,
            Written::Length(3),
            Written::Done
        ]
    );
    assert_eq!(trial.journal("j").await.checkpoint, 3);
    trial.write(vec![append("j", Any, &[b"d"])]).await;
    assert_eq!(
        trial.journal("j").await.checkpoint,
        3,
        "appending leaves it where it is"
    );
}

pub(super) async fn a_checkpoint_past_the_end_is_invalid<F: Fixture>(trial: &Trial<'_, F>) {
    trial.invalid(vec![checkpoint("j", 1)]).await;
    trial
        .write(vec![append("j", Any, &[VALUE]), checkpoint("j", 1)])
        .await;
    trial.invalid(vec![checkpoint("j", 2)]).await;
    trial
        .invalid(vec![append("j", Any, &[VALUE]), checkpoint("j", 3)])
        .await;
    trial
        .invalid(vec![checkpoint("j", 2), append("j", Any, &[VALUE])])
        .await;
    let journal = trial.journal("j").await;
    assert_eq!((journal.length, journal.checkpoint), (1, 1));
}

pub(super) async fn a_deleted_journal_takes_its_checkpoint_along_and_starts_over<F: Fixture>(
    trial: &Trial<'_, F>,
) {
    ten_entries(trial).await;
    trial.write(vec![checkpoint("j", 5)]).await;
    assert_eq!(
        trial.write(vec![Write::DeleteJournal("j".into())]).await,
        [Written::Done]
    );
    assert_eq!(trial.journal("j").await, JournalSlice::default());
    assert_eq!(
        trial.write(vec![append("j", Exactly(0), &[b"new"])]).await,
        [Written::Length(1)]
    );
    let again = trial.journal("j").await;
    assert_eq!(
        again,
        JournalSlice {
            length: 1,
            checkpoint: 0,
            first: 0,
            entries: vec![b"new".into()]
        }
    );
}
