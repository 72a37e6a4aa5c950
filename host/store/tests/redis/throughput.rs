//! What a turn costs, printed: `cargo test -p anyturn-store --release -- --ignored --nocapture throughput`.

use std::collections::BTreeMap;
use std::time::Instant;

use anyturn_state::{ExpectedLength, ExpectedVersion, Position, Query, Store, Write, Written};
use anyturn_store::NamespacedStore;

use crate::server::Server;

const TASKS: usize = 64;
const TURNS: usize = 500;
const MINUTE: Option<u64> = Some(60_000);

/// The three commits of a turn without tools.
async fn turn(store: &NamespacedStore, task: usize, number: usize) {
    let user = format!("user/{task}");
    let conversation = format!("conversation/{task}/1");
    let key = format!("idempotency/{number}");
    let touch = Write::IndexPut {
        index: "sessions".into(),
        member: "1".into(),
        score: 1_900_000_000_000,
        value: vec![b's'; 120],
        only_existing: false,
    };
    let rate = Write::Add {
        counter: "rate".into(),
        delta: 1,
        ttl: MINUTE,
    };
    store.commit(&user, vec![rate, touch], Vec::new()).await.unwrap();

    let journal = |entries, expected| Write::Append {
        journal: "turns".into(),
        expected,
        entries,
        ttl: MINUTE,
    };
    let put = |document: &str, expected, size| Write::Put {
        document: document.into(),
        expected,
        value: vec![b'v'; size],
        ttl: MINUTE,
    };
    let expected = if number == 0 {
        ExpectedLength::Exactly(0)
    } else {
        ExpectedLength::AtLeast(1)
    };
    let admission = vec![
        put(&key, ExpectedVersion::Absent, 60),
        Write::Acquire {
            lease: "turn".into(),
            holder: "instance".into(),
            ttl: 10_000,
        },
        journal(vec![vec![b'e'; 200]], expected),
    ];
    let queries = vec![
        Query::Document("snapshot".into()),
        Query::Journal {
            journal: "turns".into(),
            start: Position::Checkpoint,
            limit: 100,
        },
    ];
    let admitted = store.commit(&conversation, admission, queries).await.unwrap();
    let (Written::Granted { epoch, .. }, Written::Length(length)) =
        (admitted.written[1], admitted.written[2])
    else {
        panic!("{admitted:?}");
    };
    let finish = vec![
        Write::Hold {
            lease: "turn".into(),
            epoch,
            ttl: None,
        },
        journal(
            vec![vec![b'e'; 400], vec![b'e'; 300]],
            ExpectedLength::Exactly(length),
        ),
        put("snapshot", ExpectedVersion::Any, 2_000),
        Write::SetCheckpoint {
            journal: "turns".into(),
            position: length + 2,
        },
        put(&key, ExpectedVersion::Present, 400),
        Write::Release {
            lease: "turn".into(),
            epoch,
        },
    ];
    store.commit(&conversation, finish, Vec::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn throughput() {
    let server = Server::start().await;
    let mut spy = server.spy().await;
    let store = server.namespace().await;
    turn(&store, TASKS, 0).await;
    redis::cmd("CONFIG")
        .arg("RESETSTAT")
        .exec_async(&mut spy)
        .await
        .unwrap();

    let begun = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..TURNS {
                    turn(&store, task, number).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let commits = (3 * TASKS * TURNS) as f64;
    println!(
        "{TASKS} tasks: {:.0} commits/s, {:.0} turns/s",
        commits / elapsed,
        commits / elapsed / 3.0
    );
    let stats: String = redis::cmd("INFO")
        .arg("commandstats")
        .query_async(&mut spy)
        .await
        .unwrap();
    for line in stats.lines().filter(|line| line.starts_with("cmdstat")) {
        println!("{line}");
    }

    redis::cmd("CONFIG")
        .arg(&["SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "6000"])
        .exec_async(&mut spy)
        .await
        .unwrap();
    let begun = Instant::now();
    for number in 0..2_000 {
        turn(&store, TASKS + 1, number).await;
    }
    println!(
        "1 task: {:.0} µs per turn",
        begun.elapsed().as_secs_f64() * 1e6 / 2_000.0
    );
    // An entry is (id, time, microseconds, command, …); a commit is told by the number of its keys.
    type Entry = (u64, u64, u64, Vec<redis::Value>, String, String);
    let mut slowlog = redis::cmd("SLOWLOG");
    let log: Vec<Entry> = slowlog.arg("GET").arg(6_000).query_async(&mut spy).await.unwrap();
    let mut costs = BTreeMap::<String, Vec<u64>>::new();
    for (_, _, microseconds, command, _, _) in log {
        let words: Vec<String> = command
            .into_iter()
            .take(3)
            .flat_map(redis::from_redis_value)
            .collect();
        if words[0] == "EVALSHA" {
            costs.entry(words[2].clone()).or_default().push(microseconds);
        }
    }
    for (keys, mut costs) in costs {
        costs.sort();
        let at = |part: usize| costs[costs.len() * part / 100];
        println!(
            "a commit on {keys} keys: {} µs, p99 {} µs within Redis",
            at(50),
            at(99)
        );
    }
}
