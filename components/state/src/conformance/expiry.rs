//! Times to live: never early, at most one second late.

use super::Fixture;
use super::trial::*;
use crate::port::*;

/// Milliseconds. Long enough that a machine is rarely too busy to look in time, short enough to wait for.
const TTL: u64 = 400;

/// Lets `write` set a time to live of [`TTL`] and checks that `lives` is true before it has run out and false when
/// one second more has passed.
async fn expires_in_time<F: Fixture>(trial: &Trial<'_, F>, write: Write, lives: impl AsyncFn() -> bool) {
    let before = trial.now();
    trial.write(vec![write]).await;
    let after = trial.now();
    for moment in [TTL / 2, TTL - 50] {
        trial.sleep_until(before + moment).await;
        let alive = lives().await;
        // On a machine that stood still meanwhile, the answer proves nothing.
        if trial.now() - before < TTL {
            assert!(alive, "it was gone before its time");
        }
    }
    trial.sleep_until(after + TTL + 1000).await;
    assert!(!lives().await, "it was still there one second after its time");
}

pub(super) async fn a_document_expires_in_time<F: Fixture>(trial: &Trial<'_, F>) {
    expires_in_time(trial, put_for("d", TTL), async || {
        trial.document("d").await.is_some()
    })
    .await;
}

pub(super) async fn a_journal_expires_in_time_with_its_checkpoint<F: Fixture>(trial: &Trial<'_, F>) {
    trial
        .write(vec![
            append("j", ExpectedLength::Any, &[VALUE, VALUE]),
            checkpoint("j", 2),
        ])
        .await;
    expires_in_time(trial, append_for("j", TTL), async || {
        trial.journal("j").await.length == 3
    })
    .await;
    assert_eq!(trial.journal("j").await, JournalSlice::default());
}

pub(super) async fn a_counter_expires_in_time<F: Fixture>(trial: &Trial<'_, F>) {
    expires_in_time(trial, add("c", 1, Some(TTL)), async || {
        trial.counter("c").await.value == 1
    })
    .await;
    assert_eq!(trial.counter("c").await, Counter::default());
    let written = trial.write(vec![add("c", 1, Some(LONG))]).await;
    assert!(
        matches!(
            written[..],
            [Written::Counter(Counter {
                value: 1,
                remaining: Some(_)
            })]
        ),
        "the next window begins with the next addition: {written:?}"
    );
}

pub(super) async fn a_lease_expires_in_time<F: Fixture>(trial: &Trial<'_, F>) {
    expires_in_time(trial, acquire("l", "me", TTL), async || {
        trial.lease("l").await.holder == "me"
    })
    .await;
}

pub(super) async fn a_put_without_a_time_to_live_leaves_the_present_one<F: Fixture>(trial: &Trial<'_, F>) {
    trial.write(vec![put_for("d", TTL)]).await;
    let after = trial.now();
    match trial
        .attempt(vec![put("d", ExpectedVersion::Exactly(1), VALUE)])
        .await
    {
        Ok(written) => assert_eq!(written, [Written::Version(2)]),
        // On a machine that stood still, it ran out before.
        Err(error) => assert!(trial.now() - after >= TTL, "{error}"),
    }
    // A new one lives until it is deleted.
    trial
        .write(vec![put("other", ExpectedVersion::Absent, VALUE)])
        .await;
    trial.sleep_until(after + TTL + 1000).await;
    assert_eq!(trial.document("d").await, None);
    assert_eq!(trial.version("other").await, 1);
}

pub(super) async fn an_append_without_a_time_to_live_leaves_the_present_one<F: Fixture>(
    trial: &Trial<'_, F>,
) {
    trial.write(vec![append_for("j", TTL)]).await;
    let after = trial.now();
    match trial
        .attempt(vec![append("j", ExpectedLength::Exactly(1), &[VALUE])])
        .await
    {
        Ok(written) => assert_eq!(written, [Written::Length(2)]),
        Err(error) => assert!(trial.now() - after >= TTL, "{error}"),
    }
    trial
        .write(vec![append("other", ExpectedLength::Exactly(0), &[VALUE])])
        .await;
    trial.sleep_until(after + TTL + 1000).await;
    assert_eq!(trial.journal("j").await.length, 0);
    assert_eq!(trial.journal("other").await.length, 1);
}

pub(super) async fn a_new_time_to_live_replaces_the_present_one<F: Fixture>(trial: &Trial<'_, F>) {
    trial
        .write(vec![
            put_for("longer", TTL),
            put_for("longer", LONG),
            put_for("shorter", LONG),
            put_for("shorter", TTL),
            append_for("longer", TTL),
            append_for("longer", LONG),
            append_for("shorter", LONG),
            append_for("shorter", TTL),
        ])
        .await;
    trial.sleep_until(trial.now() + TTL + 1000).await;
    assert_eq!(trial.version("longer").await, 2);
    assert_eq!(trial.version("shorter").await, 0);
    assert_eq!(trial.journal("longer").await.length, 2);
    assert_eq!(trial.journal("shorter").await.length, 0);
}

pub(super) async fn what_has_expired_is_as_if_it_had_never_existed<F: Fixture>(trial: &Trial<'_, F>) {
    trial
        .write(vec![
            put_for("d", TTL),
            put_for("d", TTL),
            append_for("j", TTL),
            append_for("j", TTL),
        ])
        .await;
    trial.write(vec![put_for("e", TTL), append_for("k", TTL)]).await;
    trial.sleep_until(trial.now() + TTL + 1000).await;
    // For conditions…
    let exactly = vec![put("d", ExpectedVersion::Exactly(2), VALUE)];
    assert_eq!(trial.conflict(exactly).await, (0, Actual::Version(0)));
    assert_eq!(
        trial
            .conflict(vec![append("j", ExpectedLength::AtLeast(1), &[VALUE])])
            .await,
        (0, Actual::Length(0))
    );
    assert_eq!(
        trial.conflict(vec![delete("d", ExpectedVersion::Present)]).await,
        (0, Actual::Version(0))
    );
    trial.invalid(vec![checkpoint("j", 1)]).await;
    // … and for what comes after it, which has neither its version, its entries nor its time to live.
    let written = trial
        .write(vec![
            put("d", ExpectedVersion::Absent, b"new"),
            append("j", ExpectedLength::Exactly(0), &[b"new"]),
            put("e", ExpectedVersion::Any, b"new"),
            append("k", ExpectedLength::Any, &[b"new"]),
        ])
        .await;
    assert_eq!(
        written,
        [
            Written::Version(1),
            Written::Length(1),
            Written::Version(1),
            Written::Length(1)
        ]
    );
    trial.sleep(TTL + 1000).await;
    assert_eq!(
        trial.document("d").await,
        Some(Document {
            version: 1,
            value: b"new".into()
        })
    );
    assert_eq!(trial.version("e").await, 1);
    assert_eq!(trial.journal("j").await.entries, [b"new"]);
    assert_eq!(trial.journal("k").await.entries, [b"new"]);
}

pub(super) async fn a_deleted_thing_leaves_no_time_to_live_behind<F: Fixture>(trial: &Trial<'_, F>) {
    trial.write(vec![put_for("d", TTL), append_for("j", TTL)]).await;
    trial
        .write(vec![
            delete("d", ExpectedVersion::Any),
            Write::DeleteJournal("j".into()),
        ])
        .await;
    trial
        .write(vec![
            put("d", ExpectedVersion::Absent, VALUE),
            append("j", ExpectedLength::Exactly(0), &[VALUE]),
        ])
        .await;
    trial.sleep(TTL + 1000).await;
    assert_eq!(trial.version("d").await, 1);
    assert_eq!(trial.journal("j").await.length, 1);
}
