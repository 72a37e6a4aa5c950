//! What happens when sentinels replace a primary.

use std::time::{Duration, Instant};

use anyturn_state::{Error, ExpectedLength, Found, Query, Store, Write};
use anyturn_store::{AnyStore, NamespacedStore, RedisOptions, RedisStore};
use anyturn_test_servers::process::PATIENCE;
use anyturn_test_servers::redis_sentinel::{PRIMARY, RedisSentinel};
use anyturn_test_servers::redis_server::RedisServer;

fn add() -> Vec<Write> {
    vec![Write::Add {
        counter: "n".into(),
        delta: 1,
        ttl: None,
    }]
}

/// Reads until the store answers: sentinels close the connections to a server whose role they change.
async fn counted(store: &NamespacedStore) -> i64 {
    let begun = Instant::now();
    loop {
        match store.read("s", vec![Query::Counter("n".into())]).await {
            Ok(found) => match found.first() {
                Some(Found::Counter(counter)) => return counter.value,
                other => panic!("{other:?}"),
            },
            Err(Error::Unavailable(reason)) => assert!(begun.elapsed() < PATIENCE, "{reason}"),
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Watches a journal until it has entries, again when the store was out of reach, as whoever listens to a turn does.
async fn heard(store: &NamespacedStore) -> Vec<Vec<u8>> {
    loop {
        match store.watch("s", "turns", 0, 10, 30_000).await {
            Ok(slice) => return slice.entries,
            Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn open(sentinel: &RedisSentinel) -> (AnyStore, NamespacedStore) {
    let store = RedisStore::connect(&sentinel.url(), RedisOptions::default())
        .await
        .unwrap();
    let store = AnyStore::Redis(store);
    let namespace = store.namespace("test").unwrap();
    (store, namespace)
}

/// Adds until it succeeds; returns how often it may have been added before.
async fn add_again(namespace: &NamespacedStore) -> i64 {
    let mut unknown = 0;
    loop {
        match namespace.commit("s", add(), Vec::new()).await {
            Ok(_) => return unknown,
            Err(Error::Unavailable(_)) => {
                unknown += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_primary_that_dies_is_replaced_and_its_data_is_gone_on_with() {
    let mut sentinel = RedisSentinel::start().await;
    let (store, namespace) = open(&sentinel).await;
    assert!(
        store
            .description()
            .contains(&format!("{PRIMARY} of the sentinels 127.0.0.1:")),
        "{}",
        store.description()
    );
    namespace.commit("s", add(), Vec::new()).await.unwrap();
    sentinel.primary().replicated(2).await;
    let watching = tokio::spawn({
        let namespace = namespace.clone();
        async move { heard(&namespace).await }
    });
    let adding = tokio::spawn({
        let namespace = namespace.clone();
        async move {
            let mut done = 1;
            while namespace.commit("s", add(), Vec::new()).await.is_ok() {
                done += 1;
            }
            // The one that failed, those that failed after it, and the one that succeeded again.
            (done, 1 + add_again(&namespace).await + 1)
        }
    });
    sentinel.kill_primary().await;
    let (done, perhaps) = adding.await.unwrap();
    let count = counted(&namespace).await;
    assert!(
        (2..=done + perhaps).contains(&count),
        "{count} of {done} and perhaps {perhaps}"
    );
    let append = Write::Append {
        journal: "turns".into(),
        expected: ExpectedLength::Any,
        entries: vec![b"a".to_vec()],
        ttl: None,
    };
    while namespace
        .commit("s", vec![append.clone()], Vec::new())
        .await
        .is_err()
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!watching.await.unwrap().is_empty());
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_primary_that_became_a_replica_is_left_for_the_new_one() {
    let sentinel = RedisSentinel::start().await;
    let (_, namespace) = open(&sentinel).await;
    namespace.commit("s", add(), Vec::new()).await.unwrap();
    sentinel.primary().replicated(2).await;
    let old = sentinel.primary().port();
    sentinel.demote_primary().await;
    assert_ne!(sentinel.primary().port(), old);
    // A replica runs nothing that writes, so there is nothing unknown about what it refused.
    add_again(&namespace).await;
    assert_eq!(counted(&namespace).await, 2);
}

#[tokio::test]
async fn an_unknown_primary_and_a_server_that_is_no_sentinel_are_said_so() {
    let sentinel = RedisSentinel::start().await;
    let options = || RedisOptions {
        response_timeout: Duration::from_secs(1),
        ..RedisOptions::default()
    };
    let url = sentinel.url().replace(PRIMARY, "nobody");
    let error = RedisStore::connect(&url, options()).await.err().unwrap();
    assert!(
        matches!(&error, Error::Unavailable(reason) if reason.contains("nobody of the sentinels") && reason.contains("not found")),
        "{error}"
    );
    let single = RedisServer::start_without_log().await;
    let url = format!("redis-sentinel://127.0.0.1:{}/main", single.port());
    let error = RedisStore::connect(&url, options()).await.err().unwrap();
    assert!(
        matches!(&error, Error::Unavailable(reason) if reason.contains("sentinel")),
        "{error}"
    );
    // And the other way round.
    let first = sentinel.url();
    let (hosts, _) = first
        .trim_start_matches("redis-sentinel://")
        .split_once('/')
        .unwrap();
    let url = format!("redis://{}", hosts.split(',').next().unwrap());
    let error = RedisStore::connect(&url, options()).await.err().unwrap();
    assert!(
        matches!(&error, Error::Invalid(reason) if reason.contains("redis-sentinel://")),
        "{error}"
    );
}
