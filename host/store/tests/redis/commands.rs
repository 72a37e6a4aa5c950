//! How many commands an operation makes: each of them costs Redis as much as all that a script does around it.

use anyturn_state::{ExpectedLength, ExpectedVersion, Position, Query, Store, Write};
use redis::aio::MultiplexedConnection;

use crate::server::Server;

/// How often each command was called since this was asked last; not those that ask.
async fn called(spy: &mut MultiplexedConnection) -> Vec<(String, u64)> {
    let info: String = redis::cmd("INFO")
        .arg("commandstats")
        .query_async(spy)
        .await
        .unwrap();
    redis::cmd("CONFIG")
        .arg("RESETSTAT")
        .exec_async(spy)
        .await
        .unwrap();
    let mut called: Vec<(String, u64)> = info
        .lines()
        .filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="))
        .map(|(name, rest)| (name.to_owned(), rest.split(',').next().unwrap().parse().unwrap()))
        .filter(|(name, _)| !["info", "config|resetstat", "evalsha", "eval"].contains(&name.as_str()))
        .collect();
    called.sort();
    called
}

fn counted(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected
        .iter()
        .map(|(name, calls)| ((*name).to_owned(), *calls))
        .collect()
}

fn list(index: &str, member: &str, score: i64, value: &[u8], only_existing: bool) -> Write {
    Write::IndexPut {
        index: index.into(),
        member: member.into(),
        score,
        value: value.into(),
        only_existing,
    }
}

/// The writes of a request to a shard: it is counted, its session was used, and is to be looked at.
fn request(score: i64) -> Vec<Write> {
    let count = Write::Add {
        counter: "rate".into(),
        delta: 1,
        ttl: Some(60_000),
    };
    vec![
        count,
        list("sessions", "s", score, b"", true),
        list("running", "u/s", score, b"", false),
    ]
}

fn append(journal: &str, expected: ExpectedLength, entries: &[&[u8]], ttl: Option<u64>) -> Write {
    Write::Append {
        journal: journal.into(),
        expected,
        entries: entries.iter().map(|entry| entry.to_vec()).collect(),
        ttl,
    }
}

fn journal(journal: &str, start: Position) -> Query {
    Query::Journal {
        journal: journal.into(),
        start,
        limit: 128,
    }
}

/// The writes and queries by which a turn is admitted.
fn admission() -> (Vec<Write>, Vec<Query>) {
    let writes = vec![
        Write::NotAfter(u64::from(u32::MAX) * 1000),
        Write::Acquire {
            lease: "turn".into(),
            holder: "me".into(),
            ttl: 5_000,
        },
        append("queue", ExpectedLength::Exactly(0), &[], None),
        Write::Put {
            document: "unfinished".into(),
            expected: ExpectedVersion::Absent,
            value: b"turn".to_vec(),
            ttl: Some(60_000),
        },
        append("turns", ExpectedLength::AtLeast(1), &[b"started"], None),
    ];
    let queries = vec![
        Query::Document("snapshot".into()),
        journal("turns", Position::Checkpoint),
    ];
    (writes, queries)
}

/// The writes and queries by which it ends.
fn end(epoch: u64, length: u64, snapshot: &[u8]) -> (Vec<Write>, Vec<Query>) {
    let ttl = Some(60_000);
    let writes = vec![
        Write::Hold {
            lease: "turn".into(),
            epoch,
            ttl: None,
        },
        append(
            "turns",
            ExpectedLength::Exactly(length),
            &[b"called", b"ended"],
            ttl,
        ),
        append(&format!("events/{epoch}"), ExpectedLength::Any, &[b"told"], ttl),
        Write::Delete {
            document: "unfinished".into(),
            expected: ExpectedVersion::Any,
        },
        Write::Put {
            document: "snapshot".into(),
            expected: ExpectedVersion::Any,
            value: snapshot.into(),
            ttl,
        },
        Write::SetCheckpoint {
            journal: "turns".into(),
            position: length + 2,
        },
        Write::Release {
            lease: "turn".into(),
            epoch,
        },
    ];
    (writes, vec![journal("control", Position::At(0))])
}

#[tokio::test]
async fn a_turn_makes_no_command_twice() {
    let server = Server::start().await;
    let mut spy = server.spy().await;
    let store = server.namespace().await;
    let listed = vec![list("sessions", "s", 0, b"", false)];
    store.commit("shard", listed, Vec::new()).await.unwrap();
    let begun = vec![append("turns", ExpectedLength::Exactly(0), &[b"started"], None)];
    store.commit("conversation", begun, Vec::new()).await.unwrap();

    // The first turn finds nothing, the second one what the first one has left.
    for (epoch, snapshot) in [(1, vec![b'v'; 2_000]), (2, vec![b'v'; 2_000])] {
        let score = i64::try_from(epoch).unwrap();
        store.commit("shard", request(score), Vec::new()).await.unwrap();
        let (writes, queries) = admission();
        store.commit("conversation", writes, queries).await.unwrap();
        if epoch == 1 {
            let (writes, queries) = end(epoch, 2, &snapshot);
            store.commit("conversation", writes, queries).await.unwrap();
        }
    }
    let (writes, queries) = end(2, 5, &vec![b'v'; 2_000]);
    store.commit("conversation", writes, queries).await.unwrap();

    called(&mut spy).await;
    store.commit("shard", request(3), Vec::new()).await.unwrap();
    assert_eq!(
        called(&mut spy).await,
        counted(&[("exists", 1), ("incrby", 1), ("pttl", 1), ("zadd", 2)])
    );
    let (writes, queries) = admission();
    let admitted = store.commit("conversation", writes, queries).await.unwrap();
    assert_eq!(
        called(&mut spy).await,
        counted(&[
            ("mget", 1),
            ("publish", 1),
            ("set", 2),
            ("time", 1),
            ("xadd", 1),
            ("xlen", 2),
            ("xrange", 1)
        ])
    );
    assert!(
        matches!(&admitted.found[..], [
            anyturn_state::Found::Document(Some(document)),
            anyturn_state::Found::Journal(slice)
        ] if document.version == 2 && document.value.len() == 2_000 && (slice.length, slice.first) == (8, 7)),
        "{:?}",
        admitted.found
    );
    let (writes, queries) = end(3, 8, &vec![b'v'; 2_000]);
    store.commit("conversation", writes, queries).await.unwrap();
    assert_eq!(
        called(&mut spy).await,
        counted(&[
            ("del", 1),
            ("getrange", 1),
            ("mget", 1),
            ("pexpire", 2),
            ("publish", 2),
            ("set", 3),
            ("setrange", 1),
            ("time", 1),
            ("xadd", 3),
            ("xlen", 3)
        ])
    );
}

#[tokio::test]
async fn what_is_read_by_itself_takes_one_command() {
    let server = Server::start().await;
    let mut spy = server.spy().await;
    let store = server.namespace().await;
    called(&mut spy).await;
    for (query, commands) in [
        (Query::Document("d".into()), &[("get", 1)][..]),
        (Query::Lease("l".into()), &[("get", 1)]),
        (Query::Counter("c".into()), &[("get", 1)]),
        (journal("j", Position::At(0)), &[("xlen", 1)]),
        (journal("j", Position::Checkpoint), &[("xlen", 1)]),
    ] {
        store.read("s", vec![query]).await.unwrap();
        assert_eq!(called(&mut spy).await, counted(commands));
    }
    let queries = vec![
        Query::Document("d".into()),
        Query::Lease("l".into()),
        journal("j", Position::Checkpoint),
    ];
    store.read("s", queries).await.unwrap();
    assert_eq!(called(&mut spy).await, counted(&[("mget", 1), ("xlen", 1)]));
}
