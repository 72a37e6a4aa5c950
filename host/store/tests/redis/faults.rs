//! What happens when the server forgets, dies, hangs or refuses.

use std::time::{Duration, Instant};

use anyturn_state::{Error, ExpectedLength, Found, Query, Store, Write};
use anyturn_store::{AnyStore, NamespacedStore, RedisOptions, RedisStore};

use crate::server::Server;

fn append(entry: &str) -> Vec<Write> {
    let entries = vec![entry.as_bytes().to_vec()];
    vec![Write::Append {
        journal: "turns".into(),
        expected: ExpectedLength::Any,
        entries,
        ttl: None,
    }]
}

fn add() -> Vec<Write> {
    vec![Write::Add {
        counter: "n".into(),
        delta: 1,
        ttl: None,
    }]
}

async fn count(store: &NamespacedStore) -> Result<i64, Error> {
    match store.read("s", vec![Query::Counter("n".into())]).await?.first() {
        Some(Found::Counter(counter)) => Ok(counter.value),
        other => panic!("{other:?}"),
    }
}

fn impatient() -> RedisOptions {
    let response_timeout = Duration::from_millis(300);
    RedisOptions {
        response_timeout,
        connection_timeout: Duration::from_millis(300),
        ..Default::default()
    }
}

async fn open(server: &Server, options: RedisOptions) -> (AnyStore, NamespacedStore) {
    let store = server.store_with(options).await;
    let namespace = store.namespace("test").unwrap();
    (store, namespace)
}

/// Repeats until the store answers again. The caller's condition makes repeating harmless.
async fn recovers(store: &NamespacedStore) {
    let begun = Instant::now();
    while let Err(error) = count(store).await {
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_sent_again() {
    let server = Server::start().await;
    let (store, namespace) = open(&server, RedisOptions::default()).await;
    namespace.commit("s", add(), Vec::new()).await.unwrap();
    redis::cmd("SCRIPT")
        .arg("FLUSH")
        .exec_async(&mut server.spy().await)
        .await
        .unwrap();
    namespace.commit("s", add(), Vec::new()).await.unwrap();
    assert_eq!(count(&namespace).await, Ok(2));
    assert_eq!(store.round_trips(), 3);
}

#[tokio::test]
async fn a_restarted_server_is_used_again() {
    let mut server = Server::start().await;
    let (store, namespace) = open(&server, RedisOptions::default()).await;
    namespace.commit("s", add(), Vec::new()).await.unwrap();
    server.kill();
    server.restart().await;
    recovers(&namespace).await;
    namespace.commit("s", add(), Vec::new()).await.unwrap();
    assert_eq!(count(&namespace).await, Ok(1), "the new server began empty");
    store.ping().await.unwrap();
}

#[tokio::test]
async fn an_operation_during_a_short_absence_waits_for_the_server() {
    let mut server = Server::start().await;
    let patient = RedisOptions {
        response_timeout: Duration::from_secs(60),
        ..Default::default()
    };
    let (_, namespace) = open(&server, patient).await;
    server.kill();
    // However the loss is noticed, the operation after it finds no connection and waits for one.
    let _ = count(&namespace).await;
    let waiting = tokio::spawn(async move { count(&namespace).await });
    server.restart().await;
    assert_eq!(waiting.await.unwrap(), Ok(0));
}

#[tokio::test]
async fn an_absent_server_is_unavailable_and_soon_at_once() {
    let mut server = Server::start().await;
    let (store, namespace) = open(&server, impatient()).await;
    server.kill();
    for _ in 0..3 {
        let error = namespace.commit("s", add(), Vec::new()).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
    }
    assert!(matches!(store.ping().await, Err(Error::Unavailable(_))));
    tokio::time::sleep(impatient().response_timeout).await;
    let begun = Instant::now();
    for _ in 0..100 {
        assert!(matches!(count(&namespace).await, Err(Error::Unavailable(_))));
    }
    assert!(begun.elapsed() < 100 * impatient().response_timeout);
}

#[tokio::test]
async fn a_server_that_hangs_is_unavailable_and_used_again_when_it_goes_on() {
    let server = Server::start().await;
    let (_, namespace) = open(&server, impatient()).await;
    namespace.commit("s", add(), Vec::new()).await.unwrap();
    server.freeze();
    let hanging = (0..20).map(|_| namespace.commit("s", add(), Vec::new()));
    for result in futures::future::join_all(hanging).await {
        assert!(matches!(result, Err(Error::Unavailable(_))), "{result:?}");
    }
    assert!(matches!(count(&namespace).await, Err(Error::Unavailable(_))));
    server.thaw();
    recovers(&namespace).await;
    // Unknown whether they were applied, but each at most once.
    assert!((1..=21).contains(&count(&namespace).await.unwrap()));
}

#[tokio::test]
async fn a_watch_ends_while_the_server_hangs() {
    let server = Server::start().await;
    let (_, namespace) = open(&server, impatient()).await;
    let watching = tokio::spawn({
        let namespace = namespace.clone();
        async move { namespace.watch("s", "turns", 0, 10, 500).await }
    });
    subscribed(&server, 1).await;
    server.freeze();
    let result = watching.await.unwrap();
    assert!(matches!(result, Err(Error::Unavailable(_))), "{result:?}");
    server.thaw();
}

/// Waits until so many channels have a subscriber.
async fn subscribed(server: &Server, channels: usize) {
    let mut spy = server.spy().await;
    loop {
        let found: Vec<String> = redis::cmd("PUBSUB")
            .arg("CHANNELS")
            .query_async(&mut spy)
            .await
            .unwrap();
        if found.len() == channels {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn watchers_of_one_journal_share_a_subscription_and_give_it_up() {
    let server = Server::start().await;
    let (_, namespace) = open(&server, RedisOptions::default()).await;
    let watch = || {
        let namespace = namespace.clone();
        tokio::spawn(async move { namespace.watch("s", "turns", 0, 10, 30_000).await })
    };
    let watchers: Vec<_> = (0..50).map(|_| watch()).collect();
    let abandoned = watch();
    subscribed(&server, 1).await;
    abandoned.abort();
    namespace.commit("s", append("a"), Vec::new()).await.unwrap();
    for watcher in watchers {
        assert_eq!(watcher.await.unwrap().unwrap().entries, [b"a"]);
    }
    subscribed(&server, 0).await;
}

#[tokio::test]
async fn a_watch_survives_the_loss_of_its_connection() {
    let server = Server::start().await;
    let (_, namespace) = open(&server, RedisOptions::default()).await;
    let watching = tokio::spawn({
        let namespace = namespace.clone();
        async move { namespace.watch("s", "turns", 0, 10, 30_000).await }
    });
    subscribed(&server, 1).await;
    let mut spy = server.spy().await;
    let mut kill = redis::cmd("CLIENT");
    let killed: u32 = kill
        .arg("KILL")
        .arg("TYPE")
        .arg("PUBSUB")
        .query_async(&mut spy)
        .await
        .unwrap();
    assert_eq!(killed, 1);
    // Whether this falls into the gap or not, the watcher gets it.
    namespace.commit("s", append("a"), Vec::new()).await.unwrap();
    assert_eq!(watching.await.unwrap().unwrap().entries, [b"a"]);
}

#[tokio::test]
async fn a_watch_begun_after_the_loss_of_the_connection_is_woken_up() {
    let server = Server::start().await;
    let (_, namespace) = open(&server, RedisOptions::default()).await;
    for round in 0..3 {
        let watching = tokio::spawn({
            let namespace = namespace.clone();
            async move { namespace.watch("s", "turns", round, 10, 30_000).await }
        });
        subscribed(&server, 1).await;
        namespace.commit("s", append("a"), Vec::new()).await.unwrap();
        assert_eq!(watching.await.unwrap().unwrap().first, round);
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL")
            .arg("TYPE")
            .arg("PUBSUB")
            .exec_async(&mut server.spy().await)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_server_without_memory_applies_nothing() {
    let server = Server::start().await;
    let (_, namespace) = open(&server, RedisOptions::default()).await;
    namespace.commit("s", add(), Vec::new()).await.unwrap();
    let mut spy = server.spy().await;
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("maxmemory")
        .arg("1")
        .exec_async(&mut spy)
        .await
        .unwrap();
    let error = namespace
        .commit("s", [append("a"), add()].concat(), Vec::new())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Unavailable(message) if message.contains("OOM")),
        "{error}"
    );
    assert_eq!(count(&namespace).await, Ok(1));
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("maxmemory")
        .arg("0")
        .exec_async(&mut spy)
        .await
        .unwrap();
    let committed = namespace.commit("s", append("a"), Vec::new()).await.unwrap();
    assert_eq!(committed.written, [anyturn_state::Written::Length(1)]);
}

#[tokio::test]
async fn a_replica_is_unavailable_until_it_is_a_primary_again() {
    let server = Server::start().await;
    let (_, namespace) = open(&server, RedisOptions::default()).await;
    let mut spy = server.spy().await;
    let mut role = async |host: &str, port: &str| {
        redis::cmd("REPLICAOF")
            .arg(host)
            .arg(port)
            .exec_async(&mut spy)
            .await
            .unwrap();
    };
    role("127.0.0.1", "1").await;
    let error = namespace.commit("s", add(), Vec::new()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    role("NO", "ONE").await;
    recovers(&namespace).await;
    namespace.commit("s", add(), Vec::new()).await.unwrap();
}

#[tokio::test]
async fn a_password_is_used_and_never_shown() {
    let server = Server::start_with(&["--requirepass", "s3cret"]).await;
    let connect = async |password: &str| {
        let url = format!("{}?pass={password}", server.url());
        RedisStore::connect(&url, impatient()).await
    };
    let store = connect("s3cret").await.unwrap();
    assert!(
        store.description().starts_with("Redis "),
        "{}",
        store.description()
    );
    assert!(!store.description().contains("s3cret"), "{}", store.description());
    let error = connect("wr0ng").await.err().unwrap();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(!error.to_string().contains("wr0ng"), "{error}");
}

#[tokio::test]
async fn nobody_at_the_address_is_said_so() {
    let error = RedisStore::connect("redis://127.0.0.1:1", impatient())
        .await
        .err()
        .unwrap();
    assert!(
        matches!(&error, Error::Unavailable(message) if message.contains("127.0.0.1:1")),
        "{error}"
    );
}
