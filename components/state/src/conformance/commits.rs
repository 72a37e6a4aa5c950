//! Atomicity, order, isolation.

use super::Fixture;
use super::trial::*;
use crate::port::*;

/// One write to a thing of each kind, all called `thing`.
fn one_of_each() -> Vec<Write> {
    vec![
        put("thing", ExpectedVersion::Any, b"new"),
        append("thing", ExpectedLength::Any, &[b"new"]),
        checkpoint("thing", 1),
        add("thing", 5, None),
        member_with("thing", "member", 5, b"new", false),
        acquire("thing", "somebody", LONG),
    ]
}

fn query_of_each() -> Vec<Query> {
    vec![
        Query::Document("thing".into()),
        Query::Journal {
            journal: "thing".into(),
            start: Position::At(0),
            limit: 10,
        },
        Query::Counter("thing".into()),
        range("thing", -MAX, MAX, false, 0, 10),
        Query::Lease("thing".into()),
    ]
}

/// What [`query_of_each`] finds where there is nothing.
fn nothing() -> Vec<Found> {
    vec![
        Found::Document(None),
        Found::Journal(JournalSlice::default()),
        Found::Counter(Counter::default()),
        Found::Index(Vec::new()),
        Found::Lease(LeaseState::default()),
    ]
}

/// What was found, without the time that a lease has left.
fn timeless(mut found: Vec<Found>) -> Vec<Found> {
    for found in &mut found {
        if let Found::Lease(lease) = found {
            lease.remaining = lease.remaining.min(1);
        }
    }
    found
}

async fn everything<F: Fixture>(trial: &Trial<'_, F>, store: &F::Store, scope: &str) -> Vec<Found> {
    let _ = trial;
    timeless(
        store
            .read(scope, query_of_each())
            .await
            .expect("the read succeeds"),
    )
}

pub(super) async fn a_commit_with_a_failed_condition_leaves_nothing<F: Fixture>(trial: &Trial<'_, F>) {
    let fails = || put("other", ExpectedVersion::Present, b"never");

    // Where there was nothing, there is nothing.
    let mut writes = one_of_each();
    writes.push(fails());
    assert_eq!(trial.conflict(writes).await, (6, Actual::Version(0)));
    assert_eq!(everything(trial, trial.store(), &trial.scope).await, nothing());

    // What was there is as it was.
    trial.write(one_of_each()).await;
    let before = everything(trial, trial.store(), &trial.scope).await;
    let writes = vec![
        put("thing", ExpectedVersion::Any, b"newer"),
        delete("thing", ExpectedVersion::Any),
        append("thing", ExpectedLength::Any, &[b"newer"]),
        checkpoint("thing", 2),
        Write::DeleteJournal("thing".into()),
        add("thing", 7, Some(1)),
        member_with("thing", "member", 6, b"newer", false),
        member("thing", "another", 7),
        Write::IndexRemove {
            index: "thing".into(),
            member: "member".into(),
        },
        Write::IndexTrim {
            index: "thing".into(),
            below: MAX,
        },
        acquire("thing", "somebody", 1),
        hold("thing", 2, Some(1)),
        release("thing", 2),
        fails(),
    ];
    assert_eq!(trial.conflict(writes).await, (13, Actual::Version(0)));
    assert_eq!(everything(trial, trial.store(), &trial.scope).await, before);
    assert!(
        trial.lease("thing").await.remaining > 1000,
        "its time to live was not cut"
    );
    assert_eq!(trial.counter("thing").await.remaining, None);
}

pub(super) async fn a_commit_with_an_invalid_write_leaves_nothing<F: Fixture>(trial: &Trial<'_, F>) {
    // Known to be invalid without looking at the store.
    let mut writes = one_of_each();
    writes.push(put("", ExpectedVersion::Any, VALUE));
    trial.invalid(writes).await;
    // Known only from what the store holds.
    let mut writes = one_of_each();
    writes.push(checkpoint("thing", 2));
    trial.invalid(writes).await;
    assert_eq!(everything(trial, trial.store(), &trial.scope).await, nothing());
}

pub(super) async fn each_write_sees_the_ones_before_it<F: Fixture>(trial: &Trial<'_, F>) {
    let written = trial
        .write(vec![
            put("d", ExpectedVersion::Absent, b"1"),
            put("d", ExpectedVersion::Exactly(1), b"2"),
            delete("d", ExpectedVersion::Exactly(2)),
            put("d", ExpectedVersion::Absent, b"3"),
            append("j", ExpectedLength::Exactly(0), &[b"a", b"b"]),
            append("j", ExpectedLength::Exactly(2), &[b"c"]),
            Write::DeleteJournal("j".into()),
            append("j", ExpectedLength::Exactly(0), &[b"d"]),
            append("j", ExpectedLength::AtLeast(1), &[b"e"]),
            add("c", 2, None),
            add("c", 3, None),
            acquire("l", "me", LONG),
            hold("l", 1, None),
            acquire("l", "me", LONG),
            release("l", 2),
            acquire("l", "you", LONG),
            member_with("i", "m", 1, b"1", true),
            member_with("i", "m", 2, b"2", false),
            member_with("i", "m", 3, b"3", true),
        ])
        .await;
    let counter = |value| {
        Written::Counter(Counter {
            value,
            remaining: None,
        })
    };
    use Written::{Done, Length, Version};
    assert_eq!(
        untimed(written),
        [
            Version(1),
            Version(2),
            Done,
            Version(1),
            Length(2),
            Length(3),
            Done,
            Length(1),
            Length(2),
            counter(2),
            counter(5),
            granted(1),
            granted(1),
            granted(2),
            Done,
            granted(3),
            Done,
            Done,
            Done,
        ]
    );
    assert_eq!(
        trial.document("d").await,
        Some(Document {
            version: 1,
            value: b"3".into()
        })
    );
    assert_eq!(trial.journal("j").await.entries, [b"d", b"e"]);
    assert_eq!(trial.lease("l").await.holder, "you");
    assert_eq!(
        trial.members("i").await,
        [Member {
            member: "m".into(),
            score: 3,
            value: b"3".into()
        }],
        "the first write of the index found no member, the last one did"
    );
}

pub(super) async fn the_first_failed_condition_is_the_one_reported<F: Fixture>(trial: &Trial<'_, F>) {
    trial
        .write(vec![append("j", ExpectedLength::Any, &[VALUE, VALUE])])
        .await;
    let writes = vec![
        put("d", ExpectedVersion::Absent, VALUE),
        append("j", ExpectedLength::Exactly(1), &[VALUE]),
        put("d", ExpectedVersion::Exactly(7), VALUE),
        hold("l", 1, None),
    ];
    assert_eq!(trial.conflict(writes.clone()).await, (1, Actual::Length(2)));
    let without_the_first = [writes[0].clone(), writes[2].clone(), writes[3].clone()].to_vec();
    assert_eq!(trial.conflict(without_the_first).await, (1, Actual::Version(1)));
    let last_only = vec![writes[0].clone(), writes[3].clone()];
    assert_eq!(
        trial.conflict(last_only).await,
        (1, Actual::Lease(LeaseState::default()))
    );
}

pub(super) async fn results_come_in_the_order_of_writes_and_queries<F: Fixture>(trial: &Trial<'_, F>) {
    let writes = vec![
        acquire("l", "me", LONG),
        append("j", ExpectedLength::Any, &[VALUE]),
        put("d", ExpectedVersion::Any, VALUE),
        delete("e", ExpectedVersion::Any),
        put("d", ExpectedVersion::Any, VALUE),
    ];
    let queries = vec![
        Query::Document("d".into()),
        Query::Counter("c".into()),
        Query::Document("e".into()),
        Query::Document("d".into()),
        Query::Journal {
            journal: "j".into(),
            start: Position::At(0),
            limit: 0,
        },
    ];
    let committed = trial.store().commit(&trial.scope, writes, queries).await.unwrap();
    use Written::{Done, Length, Version};
    assert_eq!(
        untimed(committed.written),
        [granted(1), Length(1), Version(1), Done, Version(2)]
    );
    let document = Found::Document(Some(Document {
        version: 2,
        value: VALUE.into(),
    }));
    assert_eq!(
        committed.found[..4],
        [
            document.clone(),
            Found::Counter(Counter::default()),
            Found::Document(None),
            document
        ]
    );
    assert!(matches!(&committed.found[4..], [Found::Journal(slice)] if slice.length == 1));
}

pub(super) async fn queries_of_a_commit_see_its_writes<F: Fixture>(trial: &Trial<'_, F>) {
    let committed = trial
        .store()
        .commit(&trial.scope, one_of_each(), query_of_each())
        .await
        .unwrap();
    let expected = vec![
        Found::Document(Some(Document {
            version: 1,
            value: b"new".into(),
        })),
        Found::Journal(JournalSlice {
            length: 1,
            checkpoint: 1,
            first: 0,
            entries: vec![b"new".into()],
        }),
        Found::Counter(Counter {
            value: 5,
            remaining: None,
        }),
        Found::Index(vec![Member {
            member: "member".into(),
            score: 5,
            value: b"new".into(),
        }]),
        Found::Lease(LeaseState {
            holder: "somebody".into(),
            epoch: 1,
            remaining: 1,
        }),
    ];
    assert_eq!(timeless(committed.found), expected);
    assert_eq!(
        everything(trial, trial.store(), &trial.scope).await,
        expected,
        "and so does a later read"
    );
}

pub(super) async fn queries_of_a_commit_see_what_it_changed_of_what_was_there<F: Fixture>(
    trial: &Trial<'_, F>,
) {
    let journal = |journal: &str, start| Query::Journal {
        journal: journal.into(),
        start,
        limit: 9,
    };
    let queries = || {
        vec![
            Query::Document("kept".into()),
            Query::Document("replaced".into()),
            Query::Document("gone".into()),
            Query::Counter("counter".into()),
            Query::Lease("released".into()),
            journal("longer", Position::Checkpoint),
            journal("further", Position::Checkpoint),
            journal("over", Position::Checkpoint),
            journal("again", Position::Checkpoint),
            journal("again", Position::Last(1)),
        ]
    };
    let names = ["longer", "further", "over", "again"];
    let mut before = vec![
        put("kept", ExpectedVersion::Any, VALUE),
        put("replaced", ExpectedVersion::Any, VALUE),
        put("gone", ExpectedVersion::Any, VALUE),
        add("counter", 3, None),
        acquire("released", "somebody", LONG),
    ];
    for name in names {
        before.push(append(name, ExpectedLength::Any, &[b"0", b"1"]));
        before.push(checkpoint(name, 1));
    }
    trial.write(before).await;
    let writes = vec![
        put("replaced", ExpectedVersion::Exactly(1), b"new"),
        delete("gone", ExpectedVersion::Any),
        add("counter", 4, None),
        release("released", 1),
        append("longer", ExpectedLength::Exactly(2), &[b"2"]),
        checkpoint("further", 2),
        Write::DeleteJournal("over".into()),
        Write::DeleteJournal("again".into()),
        append("again", ExpectedLength::Exactly(0), &[b"a", b"b"]),
    ];
    let committed = trial
        .store()
        .commit(&trial.scope, writes, queries())
        .await
        .unwrap();
    let document = |version, value: &[u8]| {
        Found::Document(Some(Document {
            version,
            value: value.into(),
        }))
    };
    let slice = |length, checkpoint, first, entries: &[&str]| {
        Found::Journal(JournalSlice {
            length,
            checkpoint,
            first,
            entries: entries.iter().map(|entry| entry.as_bytes().into()).collect(),
        })
    };
    let expected = [
        document(1, VALUE),
        document(2, b"new"),
        Found::Document(None),
        Found::Counter(Counter {
            value: 7,
            remaining: None,
        }),
        Found::Lease(LeaseState {
            holder: String::new(),
            epoch: 1,
            remaining: 0,
        }),
        slice(3, 1, 1, &["1", "2"]),
        slice(2, 2, 2, &[]),
        slice(0, 0, 0, &[]),
        slice(2, 0, 0, &["a", "b"]),
        slice(2, 0, 1, &["b"]),
    ];
    assert_eq!(committed.found, expected);
    assert_eq!(
        trial.store().read(&trial.scope, queries()).await.unwrap(),
        expected,
        "and so does a later read"
    );
}

pub(super) async fn queries_of_a_failed_commit_change_nothing<F: Fixture>(trial: &Trial<'_, F>) {
    let writes = vec![put("thing", ExpectedVersion::Any, VALUE), hold("thing", 1, None)];
    let result = trial.store().commit(&trial.scope, writes, query_of_each()).await;
    let actual = Actual::Lease(LeaseState::default());
    assert_eq!(result, Err(Error::Conflict { write: 1, actual }));
    assert_eq!(everything(trial, trial.store(), &trial.scope).await, nothing());
}

pub(super) async fn a_name_of_one_kind_says_nothing_about_another_kind<F: Fixture>(trial: &Trial<'_, F>) {
    for (kind, write) in [
        (0, put("thing", ExpectedVersion::Absent, VALUE)),
        (1, append("thing", ExpectedLength::Exactly(0), &[VALUE])),
        (2, add("thing", 1, None)),
        (3, member("thing", "thing", 1)),
        (4, acquire("thing", "thing", LONG)),
    ] {
        let before = everything(trial, trial.store(), &trial.scope).await;
        trial.write(vec![write]).await;
        let after = everything(trial, trial.store(), &trial.scope).await;
        for other in 0..5 {
            assert_eq!(
                before[other] == after[other],
                other != kind,
                "kind {other} after a write to {kind}"
            );
        }
    }
    trial
        .write(vec![
            delete("thing", ExpectedVersion::Exactly(1)),
            Write::DeleteJournal("thing".into()),
        ])
        .await;
    assert_eq!(trial.counter("thing").await.value, 1);
    assert_eq!(trial.members("thing").await.len(), 1);
    assert_eq!(trial.lease("thing").await.epoch, 1);
}

pub(super) async fn scopes_share_nothing<F: Fixture>(trial: &Trial<'_, F>) {
    let other = format!("{}/other", trial.scope);
    trial.write(one_of_each()).await;
    assert_eq!(everything(trial, trial.store(), &other).await, nothing());
    let writes = vec![put("thing", ExpectedVersion::Absent, b"theirs")];
    trial.store().commit(&other, writes, Vec::new()).await.unwrap();
    assert_eq!(
        trial.document("thing").await,
        Some(Document {
            version: 1,
            value: b"new".into()
        })
    );
}

pub(super) async fn namespaces_share_nothing<F: Fixture>(trial: &Trial<'_, F>) {
    let Some(neighbour) = trial.fixture.neighbour() else {
        return;
    };
    trial.write(one_of_each()).await;
    assert!(trial.enqueue(job("job")).await);
    assert_eq!(everything(trial, neighbour, &trial.scope).await, nothing());
    assert_eq!(neighbour.claim(&trial.scope, 10, LONG).await, Ok(Vec::new()));
    assert_eq!(
        neighbour.enqueue(&trial.scope, job("job")).await,
        Ok(true),
        "the id is not taken there"
    );
    let writes = vec![put("thing", ExpectedVersion::Absent, b"theirs")];
    neighbour.commit(&trial.scope, writes, Vec::new()).await.unwrap();
    assert_eq!(
        trial.document("thing").await,
        Some(Document {
            version: 1,
            value: b"new".into()
        })
    );
    assert_eq!(trial.depth().await.due, 1);
}
