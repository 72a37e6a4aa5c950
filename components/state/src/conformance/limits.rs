//! Each limit at its edge and one over. What is over changes nothing.

use super::Fixture;
use super::trial::*;
use crate::port::*;

const MEBIBYTE: usize = 1 << 20;

/// A text of so many letters.
fn long(length: usize) -> String {
    "x".repeat(length)
}

pub(super) async fn a_scope_has_1_to_512_bytes<F: Fixture>(trial: &Trial<'_, F>) {
    let longest = format!("{}{}", trial.scope, long(512 - trial.scope.len()));
    let store = trial.store();
    let writes = vec![put("d", ExpectedVersion::Any, VALUE)];
    let committed = store.commit(&longest, writes.clone(), Vec::new()).await.unwrap();
    assert_eq!(committed.written, [Written::Version(1)]);
    assert!(store.enqueue(&longest, job("job")).await.unwrap());
    for wrong in [String::new(), format!("{longest}x")] {
        assert_invalid(store.read(&wrong, vec![Query::Document("d".into())]).await);
        assert_invalid(store.commit(&wrong, writes.clone(), Vec::new()).await);
        assert_invalid(store.watch(&wrong, "j", 0, 1, 0).await);
        assert_invalid(store.enqueue(&wrong, job("job")).await);
        assert_invalid(store.claim(&wrong, 1, 1).await);
        assert_invalid(store.depth(&wrong).await);
    }
}

pub(super) async fn a_name_has_1_to_256_bytes<F: Fixture>(trial: &Trial<'_, F>) {
    for name in [long(1), long(256)] {
        trial
            .write(vec![put(&name, ExpectedVersion::Absent, VALUE)])
            .await;
        trial
            .write(vec![append(&name, ExpectedLength::Exactly(0), &[VALUE])])
            .await;
        trial
            .write(vec![
                add(&name, 1, None),
                member(&name, &name, 1),
                acquire(&name, "me", LONG),
            ])
            .await;
        assert_eq!(trial.version(&name).await, 1);
        assert_eq!(trial.members(&name).await[0].member, name);
        assert_eq!(trial.watch(&name, 0, 1, 0).await.length, 1);
    }
    for name in [long(0), long(257)] {
        trial.invalid(vec![put(&name, ExpectedVersion::Any, VALUE)]).await;
        trial.invalid(vec![delete(&name, ExpectedVersion::Any)]).await;
        trial
            .invalid(vec![append(&name, ExpectedLength::Any, &[VALUE])])
            .await;
        trial.invalid(vec![checkpoint(&name, 0)]).await;
        trial.invalid(vec![Write::DeleteJournal(name.clone())]).await;
        trial.invalid(vec![add(&name, 1, None)]).await;
        trial.invalid(vec![member(&name, "m", 1)]).await;
        trial.invalid(vec![member("i", &name, 1)]).await;
        trial
            .invalid(vec![Write::IndexTrim {
                index: name.clone(),
                below: 0,
            }])
            .await;
        trial.invalid(vec![acquire(&name, "me", LONG)]).await;
        trial.invalid(vec![hold(&name, 1, None)]).await;
        for query in [
            Query::Document(name.clone()),
            Query::Counter(name.clone()),
            Query::Lease(name.clone()),
            Query::Journal {
                journal: name.clone(),
                start: Position::At(0),
                limit: 1,
            },
            range(&name, 0, 0, false, 0, 1),
        ] {
            assert_invalid(trial.store().read(&trial.scope, vec![query]).await);
        }
        assert_invalid(trial.store().watch(&trial.scope, &name, 0, 1, 0).await);
    }
}

pub(super) async fn names_are_made_of_the_listed_characters_only<F: Fixture>(trial: &Trial<'_, F>) {
    let all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:/@+=-";
    trial
        .write(vec![
            put(all, ExpectedVersion::Absent, VALUE),
            member(all, all, 1),
        ])
        .await;
    assert_eq!(trial.version(all).await, 1);
    let scope = format!("{}/{all}", trial.scope);
    let writes = vec![put(all, ExpectedVersion::Absent, VALUE)];
    assert!(trial.store().commit(&scope, writes, Vec::new()).await.is_ok());
    for character in [
        ' ', '{', '}', '*', '?', '[', '%', '\\', '"', '\'', '\0', '\n', '\u{7f}', 'é', '\u{212a}',
    ] {
        let name = format!("a{character}b");
        trial.invalid(vec![put(&name, ExpectedVersion::Any, VALUE)]).await;
        trial.invalid(vec![member("i", &name, 1)]).await;
        assert_invalid(trial.store().read(&name, vec![Query::Document("d".into())]).await);
    }
}

pub(super) async fn a_value_has_at_most_1_mebibyte<F: Fixture>(trial: &Trial<'_, F>) {
    let most = vec![0xa5; MEBIBYTE];
    let over = vec![0xa5; MEBIBYTE + 1];
    trial.write(vec![put("d", ExpectedVersion::Any, &most)]).await;
    trial
        .write(vec![append("j", ExpectedLength::Any, &[&most])])
        .await;
    assert!(
        trial
            .enqueue(NewJob {
                payload: most.clone(),
                ..job("most")
            })
            .await
    );
    trial.invalid(vec![put("d", ExpectedVersion::Any, &over)]).await;
    trial
        .invalid(vec![append("j", ExpectedLength::Any, &[&over])])
        .await;
    assert_invalid(
        trial
            .store()
            .enqueue(
                &trial.scope,
                NewJob {
                    payload: over,
                    ..job("over")
                },
            )
            .await,
    );
    assert!(
        trial
            .document("d")
            .await
            .is_some_and(|document| document.value == most)
    );
    assert!(trial.journal("j").await.entries == [most.clone()]);
    assert!(trial.claim_one(LONG).await.payload == most);
}

pub(super) async fn an_operation_has_at_most_128_items<F: Fixture>(trial: &Trial<'_, F>) {
    let writes = |count| vec![add("c", 1, None); count];
    let queries = |count| vec![Query::Counter("c".into()); count];
    assert_eq!(trial.write(writes(128)).await.len(), 128);
    trial.invalid(writes(129)).await;
    assert_eq!(trial.counter("c").await.value, 128);
    let found = trial.store().read(&trial.scope, queries(128)).await.unwrap();
    assert_eq!(found.len(), 128);
    assert_invalid(trial.store().read(&trial.scope, queries(129)).await);
}

pub(super) async fn a_commit_has_at_most_4_mebibytes<F: Fixture>(trial: &Trial<'_, F>) {
    // Whether names count is nobody's promise: the edge is a little fuzzy.
    let part = &*vec![1; MEBIBYTE - 64];
    let rest = &*vec![1; 512];
    trial
        .write(vec![append("j", ExpectedLength::Any, &[part; 4])])
        .await;
    trial
        .invalid(vec![append(
            "j",
            ExpectedLength::Any,
            &[part, part, part, part, rest],
        )])
        .await;
    let mut puts = vec![put("d", ExpectedVersion::Any, part); 4];
    trial.write(puts.clone()).await;
    puts.push(put("e", ExpectedVersion::Any, rest));
    trial.invalid(puts).await;
    assert_eq!(trial.slice("j", Position::At(0), 0).await.length, 4);
    assert_eq!(trial.version("d").await, 4);
}

pub(super) async fn the_value_of_a_member_has_at_most_4_kibibytes<F: Fixture>(trial: &Trial<'_, F>) {
    trial
        .write(vec![member_with("i", "m", 1, &[7; 4096], false)])
        .await;
    trial
        .invalid(vec![member_with("i", "m", 2, &[8; 4097], false)])
        .await;
    assert_eq!(
        trial.members("i").await,
        [Member {
            member: "m".into(),
            score: 1,
            value: vec![7; 4096]
        }]
    );
}

pub(super) async fn a_holder_has_1_to_128_bytes<F: Fixture>(trial: &Trial<'_, F>) {
    trial.invalid(vec![acquire("l", "", LONG)]).await;
    trial.invalid(vec![acquire("l", &long(129), LONG)]).await;
    assert_eq!(trial.lease("l").await, LeaseState::default());
    trial
        .write(vec![acquire("l", &long(128), LONG), acquire("m", "é x", LONG)])
        .await;
    assert_eq!(trial.lease("l").await.holder, long(128));
    assert_eq!(
        trial.lease("m").await.holder,
        "é x",
        "a holder is no name: its alphabet is free"
    );
}

pub(super) async fn a_lease_lives_for_more_than_0_milliseconds<F: Fixture>(trial: &Trial<'_, F>) {
    trial.invalid(vec![acquire("l", "me", 0)]).await;
    assert_eq!(trial.lease("l").await, LeaseState::default());
}

pub(super) async fn scores_lie_within_53_bits<F: Fixture>(trial: &Trial<'_, F>) {
    trial
        .write(vec![
            member("i", "least", -MAX),
            member("i", "most", MAX),
            member("i", "next", MAX - 1),
        ])
        .await;
    trial.invalid(vec![member("i", "over", MAX + 1)]).await;
    trial.invalid(vec![member("i", "over", -MAX - 1)]).await;
    let scores: Vec<i64> = trial
        .members("i")
        .await
        .iter()
        .map(|member| member.score)
        .collect();
    assert_eq!(scores, [-MAX, MAX - 1, MAX]);
}

pub(super) async fn positions_lie_within_53_bits<F: Fixture>(trial: &Trial<'_, F>) {
    let most = MAX as u64;
    assert_eq!(trial.slice("j", Position::At(most), 1).await.length, 0);
    let over = Query::Journal {
        journal: "j".into(),
        start: Position::At(most + 1),
        limit: 1,
    };
    assert_invalid(trial.store().read(&trial.scope, vec![over]).await);
    trial.invalid(vec![checkpoint("j", most + 1)]).await;
    trial
        .invalid(vec![append("j", ExpectedLength::Exactly(most + 1), &[VALUE])])
        .await;
    trial
        .invalid(vec![put("d", ExpectedVersion::Exactly(most + 1), VALUE)])
        .await;
    trial.invalid(vec![hold("l", most + 1, None)]).await;
}

pub(super) async fn moments_lie_within_53_bits<F: Fixture>(trial: &Trial<'_, F>) {
    let most = MAX as u64;
    assert_eq!(trial.write(vec![Write::NotAfter(most)]).await, [Written::Done]);
    for over in [most + 1, u64::MAX] {
        trial.invalid(vec![Write::NotAfter(over)]).await;
    }
}

pub(super) async fn a_watch_lasts_at_most_30_seconds<F: Fixture>(trial: &Trial<'_, F>) {
    trial
        .write(vec![append("j", ExpectedLength::Any, &[VALUE])])
        .await;
    assert_eq!(trial.watch("j", 0, 1, 30_000).await.entries, [VALUE]);
    assert_invalid(trial.store().watch(&trial.scope, "j", 0, 1, 30_001).await);
}

pub(super) async fn a_job_has_an_id_of_1_to_256_bytes_and_at_least_1_attempt<F: Fixture>(
    trial: &Trial<'_, F>,
) {
    let store = trial.store();
    for id in ["", &long(257)] {
        assert_invalid(store.enqueue(&trial.scope, job(id)).await);
        assert_invalid(store.acknowledge(&trial.scope, id, 1).await);
        assert_invalid(store.extend(&trial.scope, id, 1, 1).await);
        assert_invalid(store.retry(&trial.scope, id, 1, 1, "").await);
        assert_invalid(store.replay(&trial.scope, id).await);
    }
    assert_invalid(
        store
            .enqueue(
                &trial.scope,
                NewJob {
                    max_attempts: 0,
                    ..job("job")
                },
            )
            .await,
    );
    assert_eq!(trial.depth().await, Depth::default());
    for id in ["é {x} *", &long(256)] {
        assert!(
            trial.enqueue(job(id)).await,
            "an id is no name: its alphabet is free"
        );
        assert_eq!(trial.claim_one(LONG).await.id, id);
    }
}
