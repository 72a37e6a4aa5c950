//! What happens when a cluster moves its slots, or loses a primary.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use anyturn_state::{Error, ExpectedLength, Found, Query, Store, Write, Written};
use anyturn_store::{AnyStore, NamespacedStore, RedisOptions, RedisStore};
use anyturn_test_servers::process::PATIENCE;
use anyturn_test_servers::redis_cluster::RedisCluster;
use anyturn_test_servers::redis_server::RedisServer;
use tokio::sync::Mutex;

/// The cluster of all tests that do it no harm, as long as any of them runs, so that it ends with the last.
static SHARED: Mutex<Weak<RedisCluster>> = Mutex::const_new(Weak::new());

pub async fn shared() -> Arc<RedisCluster> {
    let mut shared = SHARED.lock().await;
    if let Some(cluster) = shared.upgrade() {
        return cluster;
    }
    let cluster = Arc::new(RedisCluster::start().await);
    *shared = Arc::downgrade(&cluster);
    cluster
}

/// The key of the counter that [`add`] adds to, in a scope.
fn key(scope: &str) -> String {
    format!("anyturn:{{test/{scope}}}:c:n")
}

fn add() -> Vec<Write> {
    vec![Write::Add {
        counter: "n".into(),
        delta: 1,
        ttl: None,
    }]
}

fn append(journal: &str) -> Vec<Write> {
    vec![Write::Append {
        journal: journal.into(),
        expected: ExpectedLength::Any,
        entries: vec![b"a".to_vec()],
        ttl: None,
    }]
}

async fn count(store: &NamespacedStore, scope: &str) -> Result<i64, Error> {
    match store.read(scope, vec![Query::Counter("n".into())]).await?.first() {
        Some(Found::Counter(counter)) => Ok(counter.value),
        other => panic!("{other:?}"),
    }
}

/// Reads until the store answers; reading changes nothing.
async fn counted(store: &NamespacedStore, scope: &str) -> i64 {
    let begun = Instant::now();
    loop {
        match count(store, scope).await {
            Ok(count) => return count,
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

async fn open(cluster: &RedisCluster, response_timeout: Duration) -> (AnyStore, NamespacedStore) {
    let options = RedisOptions {
        response_timeout,
        ..RedisOptions::default()
    };
    let store = AnyStore::Redis(RedisStore::connect(&cluster.url(), options).await.unwrap());
    let namespace = store.namespace("test").unwrap();
    (store, namespace)
}

#[tokio::test]
async fn operations_go_to_the_node_that_has_their_slot() {
    let cluster = RedisCluster::start().await;
    let (store, namespace) = open(&cluster, PATIENCE).await;
    assert!(
        store.description().starts_with("Redis ")
            && store.description().contains("the cluster of 127.0.0.1:"),
        "{}",
        store.description()
    );
    store.ping().await.unwrap();
    let scopes: Vec<String> = (0..30).map(|number| format!("scope-{number}")).collect();
    for scope in &scopes {
        namespace.commit(scope, add(), Vec::new()).await.unwrap();
    }
    let calls = |node: usize, command: &str| cluster.nodes()[node].calls(command);
    for node in 0..3 {
        assert!(calls(node, "evalsha") > 0, "every primary has some of 30 scopes");
        let info = cluster.nodes()[node].text(&["INFO", "errorstats"]);
        assert!(
            !info.contains("MOVED"),
            "nothing was sent to a wrong node: {info}"
        );
    }
    // One round trip each: no operation was sent twice.
    let all: u64 = (0..6).map(|node| calls(node, "evalsha")).sum();
    assert_eq!(all, 30);
    assert_eq!(store.round_trips(), 30);
}

#[tokio::test]
async fn a_watch_hears_of_an_append_on_any_node() {
    let cluster = shared().await;
    let (_, namespace) = open(&cluster, PATIENCE).await;
    for number in 0..6 {
        let scope = format!("heard-{number}");
        let watching = tokio::spawn({
            let (namespace, scope) = (namespace.clone(), scope.clone());
            async move { namespace.watch(&scope, "turns", 0, 10, 30_000).await }
        });
        let channel = format!("anyturn:{{test/{scope}}}:j:turns");
        listener(&cluster, &channel).await;
        let begun = Instant::now();
        namespace
            .commit(&scope, append("turns"), Vec::new())
            .await
            .unwrap();
        assert_eq!(watching.await.unwrap().unwrap().entries, [b"a"]);
        // Who hears nothing looks after five seconds.
        assert!(begun.elapsed() < Duration::from_secs(5), "it was woken up");
    }
}

/// Waits until a channel has a subscriber, and returns the node that has it.
async fn listener(cluster: &RedisCluster, channel: &str) -> usize {
    loop {
        for (at, node) in cluster.nodes().iter().enumerate() {
            if node.answers_now()
                && !node
                    .command(&["PUBSUB", "CHANNELS", &channel.replace(['{', '}'], "?")])
                    .starts_with("*0")
            {
                return at;
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How often a node has answered with an error.
fn refusals(cluster: &RedisCluster, node: usize, error: &str) -> u64 {
    let stats = cluster.nodes()[node].text(&["INFO", "errorstats"]);
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix(&format!("errorstat_{error}:count=")));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

/// A scope with a counter, its slot, the node that has it, and another one.
async fn scope(cluster: &RedisCluster, namespace: &NamespacedStore, name: &str) -> (u16, usize, usize) {
    namespace.commit(name, add(), Vec::new()).await.unwrap();
    let slot = cluster.slot(&key(name));
    let from = cluster.owner(slot);
    (slot, from, (from + 1) % 3)
}

#[tokio::test]
async fn a_slot_that_moves_is_followed() {
    let cluster = shared().await;
    let (_, namespace) = open(&cluster, PATIENCE).await;
    let (slot, from, to) = scope(&cluster, &namespace, "followed").await;
    let asked = refusals(&cluster, from, "ASK");
    // The key is on the new node, the slot is not yet.
    cluster.begin_move(slot, to);
    cluster.move_keys(slot, to);
    assert_eq!(count(&namespace, "followed").await, Ok(1));
    namespace.commit("followed", add(), Vec::new()).await.unwrap();
    assert!(
        refusals(&cluster, from, "ASK") >= asked + 2,
        "both were redirected"
    );

    // The slot is the new node's.
    let moved = refusals(&cluster, from, "MOVED");
    cluster.end_move(slot, to);
    namespace.commit("followed", add(), Vec::new()).await.unwrap();
    assert_eq!(count(&namespace, "followed").await, Ok(3));
    assert!(refusals(&cluster, from, "MOVED") > moved, "it was redirected");
    assert_eq!(cluster.owner(slot), to);
}

#[tokio::test]
async fn an_operation_on_keys_that_are_being_moved_waits_for_the_rest() {
    let cluster = shared().await;
    let (_, namespace) = open(&cluster, PATIENCE).await;
    let (slot, from, to) = scope(&cluster, &namespace, "waiting").await;
    let refused = refusals(&cluster, from, "TRYAGAIN");
    cluster.begin_move(slot, to);
    // One of its keys is there, the other is nowhere.
    let writes = [add(), append("turns")].concat();
    let waiting = tokio::spawn({
        let namespace = namespace.clone();
        async move { namespace.commit("waiting", writes, Vec::new()).await }
    });
    while refusals(&cluster, from, "TRYAGAIN") == refused {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    cluster.move_keys(slot, to);
    cluster.end_move(slot, to);
    let written = waiting.await.unwrap().unwrap().written;
    assert!(
        matches!(written.as_slice(), [Written::Counter(counter), Written::Length(1)] if counter.value == 2)
    );
}

#[tokio::test]
async fn keys_that_stay_halfway_are_unavailable() {
    let cluster = shared().await;
    let (_, namespace) = open(&cluster, Duration::from_millis(300)).await;
    let (slot, _, to) = scope(&cluster, &namespace, "halfway").await;
    cluster.begin_move(slot, to);
    let writes = [add(), append("turns")].concat();
    let error = namespace.commit("halfway", writes, Vec::new()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unavailable(reason) if reason.contains("TryAgain")),
        "{error}"
    );
    // Nothing of it has happened.
    assert_eq!(count(&namespace, "halfway").await, Ok(1));
}

#[tokio::test]
async fn a_primary_that_dies_is_replaced_and_each_operation_happens_at_most_once() {
    let mut cluster = RedisCluster::start().await;
    let (store, namespace) = open(&cluster, Duration::from_secs(2)).await;
    let slot = cluster.slot(&key("s"));
    let dying = cluster.owner(slot);
    namespace.commit("s", add(), Vec::new()).await.unwrap();
    cluster.nodes()[dying].replicated(1).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let adding = tokio::spawn({
        let (namespace, is_over) = (namespace.clone(), Arc::clone(&is_over));
        async move {
            let (mut done, mut unknown) = (1, 0);
            while !is_over.load(Ordering::Relaxed) {
                match namespace.commit("s", add(), Vec::new()).await {
                    Ok(_) => done += 1,
                    Err(Error::Unavailable(_)) => {
                        unknown += 1;
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            (done, unknown)
        }
    });
    cluster.kill(dying).await;
    is_over.store(true, Ordering::Relaxed);
    let (done, unknown) = adding.await.unwrap();
    let before = counted(&namespace, "s").await;
    assert!(before >= 1, "what the replica had is there");
    assert!(
        before <= done + unknown,
        "{before} of {done} and perhaps {unknown}"
    );
    namespace.commit("s", add(), Vec::new()).await.unwrap();
    assert_eq!(counted(&namespace, "s").await, before + 1);
    assert_ne!(cluster.owner(slot), dying);
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_store_that_was_idle_while_a_primary_was_replaced_knows_the_new_one() {
    let mut cluster = RedisCluster::start().await;
    // Less time than an operation would need to find out by itself.
    let (store, namespace) = open(&cluster, Duration::from_millis(500)).await;
    namespace.commit("s", add(), Vec::new()).await.unwrap();
    let dying = cluster.owner(cluster.slot(&key("s")));
    cluster.nodes()[dying].replicated(1).await;
    cluster.kill(dying).await;
    let begun = Instant::now();
    while let Err(error) = store.ping().await {
        assert!(begun.elapsed() < PATIENCE, "{error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    namespace.commit("s", add(), Vec::new()).await.unwrap();
    assert_eq!(count(&namespace, "s").await, Ok(2));
}

#[tokio::test]
async fn a_watch_survives_the_node_that_it_listened_to() {
    let mut cluster = RedisCluster::start().await;
    let (_, namespace) = open(&cluster, Duration::from_secs(2)).await;
    let watching = tokio::spawn({
        let namespace = namespace.clone();
        async move { heard(&namespace).await }
    });
    let channel = "anyturn:{test/s}:j:turns";
    let node = listener(&cluster, channel).await;
    cluster.kill(node).await;
    assert_ne!(listener(&cluster, channel).await, node);
    // The node may have been the one with the journal.
    while namespace.commit("s", append("turns"), Vec::new()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!watching.await.unwrap().is_empty());
}

#[tokio::test]
async fn a_single_server_and_a_cluster_are_not_taken_for_each_other() {
    let cluster = shared().await;
    let url = format!("redis://127.0.0.1:{}", cluster.nodes()[0].port());
    let error = RedisStore::connect(&url, RedisOptions::default())
        .await
        .err()
        .unwrap();
    assert!(
        matches!(&error, Error::Invalid(reason) if reason.contains("redis-cluster://")),
        "{error}"
    );
    let single = RedisServer::start_without_log().await;
    let url = format!("redis-cluster://127.0.0.1:{}", single.port());
    let error = RedisStore::connect(&url, RedisOptions::default())
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("cluster support disabled"), "{error}");
}
