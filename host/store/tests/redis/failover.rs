//! What a fail-over under load costs, printed:
//! `cargo test -p anyturn-store --release -- --ignored --nocapture failover`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyturn_state::{Error, Found, Query, Store, Write};
use anyturn_store::{AnyStore, NamespacedStore, RedisOptions, RedisStore};
use anyturn_test_servers::redis_cluster::RedisCluster;
use anyturn_test_servers::redis_sentinel::RedisSentinel;
use tokio::task::JoinHandle;

const TASKS: usize = 32;
/// How long commits are made before the primary dies.
const BEFORE: Duration = Duration::from_secs(3);

/// How long they are made afterwards.
const AFTER: Duration = Duration::from_secs(3);

/// Commits without a pause, each counted in a scope of its own.
struct Load {
    store: NamespacedStore,
    is_over: Arc<AtomicBool>,
    /// When each commit was answered.
    tasks: Vec<JoinHandle<Vec<Instant>>>,
}

impl Load {
    async fn start(url: &str) -> Self {
        let store = RedisStore::connect(url, RedisOptions::default()).await.unwrap();
        let store = AnyStore::Redis(store).namespace("test").unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let tasks = (0..TASKS).map(|task| tokio::spawn(commit(store.clone(), task, is_over.clone())));
        let tasks = tasks.collect();
        tokio::time::sleep(BEFORE).await;
        Self {
            store,
            is_over,
            tasks,
        }
    }

    /// Prints what was lost of what was answered before the death.
    async fn end(self, died: Instant) {
        // Those that wait for the new primary come to their end.
        tokio::time::sleep(AFTER).await;
        self.is_over.store(true, Ordering::Relaxed);
        let (mut answered, mut lost) = (0, 0);
        let (mut window, mut away) = (Duration::ZERO, Duration::ZERO);
        for (task, commits) in self.tasks.into_iter().enumerate() {
            let commits = commits.await.unwrap();
            let (before, after): (Vec<Instant>, Vec<Instant>) = commits.iter().partition(|at| **at <= died);
            // The counter after the fail-over, without what was added to it since.
            let kept = count(&self.store, task).await.saturating_sub(after.len());
            answered += before.len();
            lost += before.len().saturating_sub(kept);
            if let Some(first) = before.get(kept) {
                window = window.max(died - *first);
            }
            if let Some(first) = after.first() {
                away = away.max(*first - died);
            }
        }
        println!(
            "{answered} commits answered in {BEFORE:?}, {lost} of them lost, the first {window:?} before the death; \
             every scope could be written again after {away:?}"
        );
    }
}

fn scope(task: usize) -> String {
    format!("task-{task}")
}

async fn commit(store: NamespacedStore, task: usize, is_over: Arc<AtomicBool>) -> Vec<Instant> {
    let mut answered = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let add = Write::Add {
            counter: "n".into(),
            delta: 1,
            ttl: None,
        };
        match store.commit(&scope(task), vec![add], Vec::new()).await {
            Ok(_) => answered.push(Instant::now()),
            Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(error) => panic!("{error}"),
        }
    }
    answered
}

async fn count(store: &NamespacedStore, task: usize) -> usize {
    let found = store.read(&scope(task), vec![Query::Counter("n".into())]).await;
    match found.unwrap().first() {
        Some(Found::Counter(counter)) => usize::try_from(counter.value).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn failover_with_sentinels() {
    let mut sentinel = RedisSentinel::start().await;
    let load = Load::start(&sentinel.url()).await;
    let died = sentinel.kill_primary().await;
    load.end(died).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn failover_in_a_cluster() {
    let mut cluster = RedisCluster::start().await;
    let load = Load::start(&cluster.url()).await;
    let died = cluster.kill(0).await;
    load.end(died).await;
}
