//! Many tasks at once. The tasks share a thread, but their operations are under way together, and each operation of
//! a real store crosses to other threads or processes.

use futures::future::join_all;

use super::Fixture;
use super::trial::*;
use crate::port::*;

const TASKS: u64 = 12;
const ROUNDS: u64 = 8;

pub(super) async fn puts_on_an_exact_version_lose_no_update<F: Fixture>(trial: &Trial<'_, F>) {
    let task = || async {
        for _ in 0..ROUNDS {
            let mut present = trial.document("sum").await;
            // Whoever is refused is told the version, but has to read the value again.
            loop {
                let (expected, sum) = match &present {
                    None => (ExpectedVersion::Absent, 0),
                    Some(document) => {
                        let sum: [u8; 8] = document.value.as_slice().try_into().unwrap();
                        (
                            ExpectedVersion::Exactly(document.version),
                            u64::from_be_bytes(sum),
                        )
                    }
                };
                match trial
                    .attempt(vec![put("sum", expected, &(sum + 1).to_be_bytes())])
                    .await
                {
                    Ok(written) => break assert_eq!(written, [Written::Version(sum + 1)]),
                    Err(Error::Conflict {
                        write: 0,
                        actual: Actual::Version(version),
                    }) => {
                        assert!(version > sum, "a conflict names a version that came in between");
                    }
                    Err(other) => panic!("{other}"),
                }
                present = trial.document("sum").await;
            }
        }
    };
    join_all((0..TASKS).map(|_| task())).await;
    let total = TASKS * ROUNDS;
    assert_eq!(
        trial.document("sum").await,
        Some(Document {
            version: total,
            value: total.to_be_bytes().into()
        })
    );
}

pub(super) async fn additions_to_a_counter_lose_nothing<F: Fixture>(trial: &Trial<'_, F>) {
    let task = || async {
        let mut values = Vec::new();
        for _ in 0..ROUNDS {
            match trial.write(vec![add("c", 1, None)]).await[..] {
                [Written::Counter(counter)] => values.push(counter.value),
                ref other => panic!("expected a counter, got {other:?}"),
            }
        }
        values
    };
    let mut values = join_all((0..TASKS).map(|_| task())).await.concat();
    values.sort_unstable();
    let all: Vec<i64> = (1..).take((TASKS * ROUNDS) as usize).collect();
    assert_eq!(values, all, "every addition was told a value of its own");
}

pub(super) async fn appends_on_an_exact_length_take_every_position_once<F: Fixture>(trial: &Trial<'_, F>) {
    let task = |task: u64| async move {
        let mut expected = 0;
        for round in 0..ROUNDS {
            let entry = format!("{task}.{round}");
            loop {
                let write = append("j", ExpectedLength::Exactly(expected), &[entry.as_bytes()]);
                match trial.attempt(vec![write]).await {
                    Ok(written) => {
                        expected += 1;
                        break assert_eq!(written, [Written::Length(expected)]);
                    }
                    Err(Error::Conflict {
                        write: 0,
                        actual: Actual::Length(length),
                    }) => {
                        assert!(length > expected, "a journal only grows");
                        expected = length;
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
    };
    join_all((0..TASKS).map(task)).await;
    let slice = trial.journal("j").await;
    assert_eq!(slice.length, TASKS * ROUNDS);
    let mut entries = slice.entries;
    entries.sort();
    entries.dedup();
    assert_eq!(entries.len() as u64, TASKS * ROUNDS, "each entry is there once");
}

pub(super) async fn a_lease_has_one_winner<F: Fixture>(trial: &Trial<'_, F>) {
    let task = |task: u64| async move {
        let holder = format!("holder-{task}");
        match trial.attempt(vec![acquire("l", &holder, LONG)]).await {
            Ok(written) => {
                assert_eq!(untimed(written), [granted(1)]);
                Some(holder)
            }
            Err(Error::Conflict {
                write: 0,
                actual: Actual::Lease(lease),
            }) => {
                assert_eq!(lease.epoch, 1);
                assert_ne!(lease.holder, holder);
                None
            }
            Err(other) => panic!("{other}"),
        }
    };
    let winners: Vec<String> = join_all((0..TASKS).map(task))
        .await
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(winners, [trial.lease("l").await.holder]);
}

pub(super) async fn a_read_is_as_of_one_moment<F: Fixture>(trial: &Trial<'_, F>) {
    let writer = async {
        for _ in 0..TASKS * ROUNDS {
            let one = put("one", ExpectedVersion::Any, VALUE);
            let other = put("other", ExpectedVersion::Any, VALUE);
            trial
                .write(vec![one, append("j", ExpectedLength::Any, &[VALUE]), other])
                .await;
        }
    };
    let reader = async {
        let length = Query::Journal {
            journal: "j".into(),
            start: Position::At(0),
            limit: 0,
        };
        let queries = [
            Query::Document("one".into()),
            length,
            Query::Document("other".into()),
        ];
        for _ in 0..TASKS * ROUNDS {
            let found = trial.store().read(&trial.scope, queries.to_vec()).await.unwrap();
            let [
                Found::Document(one),
                Found::Journal(journal),
                Found::Document(other),
            ] = &found[..]
            else {
                panic!("expected a document, a journal and a document, got {found:?}");
            };
            assert_eq!(one, other);
            assert_eq!(
                journal.length,
                one.as_ref().map_or(0, |document| document.version)
            );
        }
    };
    futures::future::join(writer, reader).await;
}
