//! What lies in Redis: one slot for each scope, times to live, and nothing that is left behind.

use anyturn_state::{Error, ExpectedLength, ExpectedVersion, NewJob, Position, Query, Queue, Store, Write};
use anyturn_store::{AnyStore, NamespacedStore, RedisOptions, RedisStore};
use redis::aio::MultiplexedConnection;

use crate::server::Server;

fn everything(ttl: Option<u64>) -> Vec<Write> {
    vec![
        Write::Append {
            journal: "turns".into(),
            expected: ExpectedLength::Any,
            entries: vec![b"1".to_vec(), b"2".to_vec()],
            ttl,
        },
        Write::SetCheckpoint {
            journal: "turns".into(),
            position: 1,
        },
        Write::Put {
            document: "snapshot".into(),
            expected: ExpectedVersion::Any,
            value: b"v".to_vec(),
            ttl,
        },
        Write::Add {
            counter: "rate".into(),
            delta: 1,
            ttl,
        },
        Write::Acquire {
            lease: "turn".into(),
            holder: "me".into(),
            ttl: 5_000,
        },
    ]
}

async fn keys(spy: &mut MultiplexedConnection) -> Vec<String> {
    let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(spy).await.unwrap();
    keys.sort();
    keys
}

async fn pttl(spy: &mut MultiplexedConnection, key: &str) -> i64 {
    redis::cmd("PTTL").arg(key).query_async(spy).await.unwrap()
}

async fn exercise_the_queue(store: &NamespacedStore) {
    for id in ["a", "b"] {
        let payload = b"payload".to_vec();
        let job = NewJob {
            id: id.into(),
            payload,
            delay: 0,
            max_attempts: 1,
            remember: 60_000,
        };
        assert!(store.enqueue("jobs", job).await.unwrap());
    }
    let jobs = store.claim("jobs", 2, 60_000).await.unwrap();
    assert!(store.acknowledge("jobs", "a", jobs[0].receipt).await.unwrap());
    assert!(store.retry("jobs", "b", jobs[1].receipt, 0, "why").await.unwrap());
}

#[tokio::test]
async fn all_keys_of_a_scope_lie_in_one_slot() {
    // A node of a cluster refuses scripts whose keys lie in several slots, or that touch undeclared ones.
    let cluster = crate::cluster::shared().await;
    let store = RedisStore::connect(&cluster.url(), RedisOptions::default())
        .await
        .unwrap();
    let store = AnyStore::Redis(store).namespace("layout").unwrap();
    let index = Write::IndexPut {
        index: "sessions".into(),
        member: "m".into(),
        score: 1,
        value: b"v".to_vec(),
        only_existing: false,
    };
    let queries = vec![
        Query::Document("snapshot".into()),
        Query::Counter("rate".into()),
        Query::Lease("turn".into()),
        Query::Journal {
            journal: "turns".into(),
            start: Position::Checkpoint,
            limit: 9,
        },
    ];
    store
        .commit(
            "conversation/1",
            [everything(None), vec![index]].concat(),
            queries,
        )
        .await
        .unwrap();
    exercise_the_queue(&store).await;
    let mut slots = std::collections::BTreeMap::<String, Vec<u16>>::new();
    for node in cluster.nodes() {
        let keys = node.command(&["KEYS", "anyturn:?layout/*"]);
        for key in keys.split("\r\n").filter(|line| line.contains('{')) {
            let scope = key.split_once('}').unwrap().0.to_owned();
            slots.entry(scope).or_default().push(cluster.slot(key));
        }
    }
    assert_eq!(
        slots.keys().collect::<Vec<_>>(),
        ["anyturn:{layout/conversation/1", "anyturn:{layout/jobs"]
    );
    for (scope, slots) in slots {
        assert!(
            slots.len() >= 4 && slots.iter().all(|slot| *slot == slots[0]),
            "{scope}: {slots:?}"
        );
    }
}

#[tokio::test]
async fn every_key_written_with_a_time_to_live_has_one() {
    let server = Server::start().await;
    let mut spy = server.spy().await;
    let store = server.namespace().await;
    store
        .commit("s", everything(Some(60_000)), Vec::new())
        .await
        .unwrap();
    let found = keys(&mut spy).await;
    assert_eq!(
        found,
        ["c:rate", "d:snapshot", "j:turns", "k:turns", "l:turn"].map(|k| format!("anyturn:{{test/s}}:{k}"))
    );
    for key in found {
        let ttl = pttl(&mut spy, &key).await;
        let most = if key.contains(":l:") {
            24 * 3_600_000 + 5_000
        } else {
            60_000
        };
        assert!(ttl > most - 30_000 && ttl <= most, "{key}: {ttl}");
    }
}

#[tokio::test]
async fn a_checkpoint_expires_with_its_journal_and_never_before() {
    let server = Server::start().await;
    let mut spy = server.spy().await;
    let store = server.namespace().await;
    let append = |ttl| Write::Append {
        journal: "turns".into(),
        expected: ExpectedLength::Any,
        entries: vec![b"1".to_vec()],
        ttl,
    };
    let checkpoint = Write::SetCheckpoint {
        journal: "turns".into(),
        position: 1,
    };
    let mut expiries = async || {
        let mut at = Vec::new();
        for kind in ["j", "k"] {
            let key = format!("anyturn:{{test/s}}:{kind}:turns");
            at.push(
                redis::cmd("PEXPIRETIME")
                    .arg(key)
                    .query_async::<i64>(&mut spy)
                    .await
                    .unwrap(),
            );
        }
        (at[0], at[1])
    };
    // In one commit, in a later one, when the journal's time is prolonged, and when it has none.
    for writes in [
        vec![append(Some(50_000)), checkpoint.clone()],
        vec![checkpoint.clone()],
        vec![append(Some(90_000))],
    ] {
        store.commit("s", writes, Vec::new()).await.unwrap();
        let (journal, checkpoint) = expiries().await;
        // Redis 7.0 reads its clock for each command, so they may be some ticks apart.
        assert!(
            journal > 0 && (journal..journal + 1_000).contains(&checkpoint),
            "{journal} {checkpoint}"
        );
    }
    store
        .commit("s", vec![Write::DeleteJournal("turns".into())], Vec::new())
        .await
        .unwrap();
    assert_eq!(expiries().await, (-2, -2));
    store
        .commit("s", vec![append(None), checkpoint], Vec::new())
        .await
        .unwrap();
    assert_eq!(expiries().await, (-1, -1));
}

#[tokio::test]
async fn a_checkpoint_that_outlived_its_journal_is_not_the_next_ones() {
    let server = Server::start().await;
    let mut spy = server.spy().await;
    let store = server.namespace().await;
    store.commit("s", everything(None), Vec::new()).await.unwrap();
    redis::cmd("DEL")
        .arg("anyturn:{test/s}:j:turns")
        .exec_async(&mut spy)
        .await
        .unwrap();
    let query = Query::Journal {
        journal: "turns".into(),
        start: Position::Checkpoint,
        limit: 9,
    };
    let empty = anyturn_state::Found::Journal(Default::default());
    assert_eq!(store.read("s", vec![query.clone()]).await, Ok(vec![empty]));
    let append = everything(None).swap_remove(0);
    let committed = store.commit("s", vec![append], vec![query]).await.unwrap();
    match &committed.found[0] {
        anyturn_state::Found::Journal(slice) => assert_eq!((slice.checkpoint, slice.entries.len()), (0, 2)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_finished_queue_and_an_emptied_index_leave_nothing_that_stays() {
    let server = Server::start().await;
    let mut spy = server.spy().await;
    let store = server.namespace().await;
    exercise_the_queue(&store).await;
    assert!(store.replay("jobs", "b").await.unwrap());
    let jobs = store.claim("jobs", 9, 60_000).await.unwrap();
    assert!(store.acknowledge("jobs", "b", jobs[0].receipt).await.unwrap());
    let put = |member: &str, score| Write::IndexPut {
        index: "i".into(),
        member: member.into(),
        score,
        value: b"v".to_vec(),
        only_existing: false,
    };
    let writes = vec![
        put("a", 1),
        put("b", 2),
        Write::IndexRemove {
            index: "i".into(),
            member: "a".into(),
        },
        Write::IndexTrim {
            index: "i".into(),
            below: 3,
        },
    ];
    store.commit("s", writes, Vec::new()).await.unwrap();
    let found = keys(&mut spy).await;
    assert_eq!(found, ["anyturn:{test/jobs}:q:done"]);
    let ttl = pttl(&mut spy, &found[0]).await;
    assert!(ttl > 0 && ttl <= 60_001, "{ttl}");
}

#[tokio::test]
async fn a_member_without_a_value_takes_no_field_and_one_that_has_one_loses_it() {
    let server = Server::start().await;
    let mut spy = server.spy().await;
    let store = server.namespace().await;
    // As they were once written: an empty field for each member.
    for name in ["old", "older"] {
        for (command, key, value) in [("ZADD", "x:i", "1"), ("HSET", "v:i", "")] {
            let mut command = redis::cmd(command);
            command.arg(format!("anyturn:{{test/s}}:{key}"));
            if value.is_empty() {
                command.arg(name).arg(value);
            } else {
                command.arg(value).arg(name);
            }
            command.exec_async(&mut spy).await.unwrap();
        }
    }
    let put = |member: &str, only_existing| Write::IndexPut {
        index: "i".into(),
        member: member.into(),
        score: 2,
        value: Vec::new(),
        only_existing,
    };
    let query = Query::Index {
        index: "i".into(),
        min: 0,
        max: 9,
        descending: false,
        offset: 0,
        limit: 9,
    };
    let writes = vec![put("new", false), put("old", true)];
    let committed = store.commit("s", writes, vec![query]).await.unwrap();
    let members = match &committed.found[0] {
        anyturn_state::Found::Index(members) => members,
        other => panic!("{other:?}"),
    };
    let found: Vec<(&str, &[u8])> = members
        .iter()
        .map(|member| (member.member.as_str(), member.value.as_slice()))
        .collect();
    assert_eq!(found, [("older", &b""[..]), ("new", b""), ("old", b"")]);
    let fields: Vec<String> = redis::cmd("HKEYS")
        .arg("anyturn:{test/s}:v:i")
        .query_async(&mut spy)
        .await
        .unwrap();
    assert_eq!(fields, ["older"]);
    store
        .commit("s", vec![put("older", false)], Vec::new())
        .await
        .unwrap();
    assert_eq!(keys(&mut spy).await, ["anyturn:{test/s}:x:i"]);
}

#[tokio::test]
async fn an_index_of_thousands_is_listed_and_trimmed() {
    let server = Server::start().await;
    let store = server.namespace().await;
    for first in (0..5_000).step_by(100) {
        let put = |score: i64| Write::IndexPut {
            index: "i".into(),
            member: format!("m{score:04}"),
            score,
            value: score.to_string().into_bytes(),
            only_existing: false,
        };
        store
            .commit("s", (first..first + 100).map(put).collect(), Vec::new())
            .await
            .unwrap();
    }
    let query = Query::Index {
        index: "i".into(),
        min: i64::MIN,
        max: i64::MAX,
        descending: true,
        offset: 1,
        limit: u32::MAX,
    };
    let list = async || match store.read("s", vec![query.clone()]).await.unwrap().swap_remove(0) {
        anyturn_state::Found::Index(members) => members,
        other => panic!("{other:?}"),
    };
    let members = list().await;
    assert_eq!(members.len(), 4_999);
    for (member, score) in members.iter().zip((0..4_999).rev()) {
        assert_eq!(
            (member.score, &member.value),
            (score, &score.to_string().into_bytes())
        );
    }
    let trim = Write::IndexTrim {
        index: "i".into(),
        below: 4_990,
    };
    store.commit("s", vec![trim], Vec::new()).await.unwrap();
    assert_eq!(list().await.len(), 9);
}

#[tokio::test]
async fn data_of_a_later_schema_is_corrupt_and_left_alone() {
    let server = Server::start().await;
    let mut spy = server.spy().await;
    let store = server.namespace().await;
    let put = Write::Put {
        document: "d".into(),
        expected: ExpectedVersion::Any,
        value: b"mine".to_vec(),
        ttl: None,
    };
    let acquire = Write::Acquire {
        lease: "l".into(),
        holder: "me".into(),
        ttl: 1_000,
    };
    let add = Write::Add {
        counter: "before".into(),
        delta: 1,
        ttl: None,
    };
    let listed = Write::IndexPut {
        index: "i".into(),
        member: "m".into(),
        score: 1,
        value: Vec::new(),
        only_existing: false,
    };
    for (key, later, write, query) in [
        ("d:d", "2:7:theirs", put, Query::Document("d".into())),
        ("l:l", "2:7:theirs", acquire, Query::Lease("l".into())),
        (
            "c:c",
            "2^64",
            Write::Add {
                counter: "c".into(),
                delta: 1,
                ttl: None,
            },
            Query::Counter("c".into()),
        ),
    ] {
        let key = format!("anyturn:{{test/s}}:{key}");
        redis::cmd("SET")
            .arg(&key)
            .arg(later)
            .exec_async(&mut spy)
            .await
            .unwrap();
        // With what has no condition after it, and with what has.
        for after in [vec![], vec![listed.clone()], vec![add.clone()]] {
            let writes = [vec![add.clone(), write.clone()], after].concat();
            let result = store.commit("s", writes, Vec::new()).await;
            assert!(matches!(result, Err(Error::Corrupt(_))), "{key}: {result:?}");
        }
        let result = store.read("s", vec![query]).await;
        assert!(matches!(result, Err(Error::Corrupt(_))), "{key}: {result:?}");
        let kept: String = redis::cmd("GET").arg(&key).query_async(&mut spy).await.unwrap();
        assert_eq!(kept, later);
    }
    let journal = "anyturn:{test/s}:j:j";
    redis::cmd("XADD")
        .arg(journal)
        .arg("1-0")
        .arg("e2")
        .arg("x")
        .exec_async(&mut spy)
        .await
        .unwrap();
    let query = Query::Journal {
        journal: "j".into(),
        start: Position::At(0),
        limit: 1,
    };
    assert!(matches!(
        store.read("s", vec![query]).await,
        Err(Error::Corrupt(_))
    ));
    redis::cmd("SET")
        .arg("anyturn:{test/s}:j:k")
        .arg("no stream")
        .exec_async(&mut spy)
        .await
        .unwrap();
    let query = Query::Journal {
        journal: "k".into(),
        start: Position::At(0),
        limit: 1,
    };
    assert!(matches!(
        store.read("s", vec![query]).await,
        Err(Error::Corrupt(_))
    ));
    let before = store
        .read("s", vec![Query::Counter("before".into())])
        .await
        .unwrap();
    assert_eq!(before, [anyturn_state::Found::Counter(Default::default())]);
}
