//! The embedded store keeps every promise of the port.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and its helping functions do so too"
)]

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyturn_state::conformance::{Fixture, check};
use anyturn_state::{ExpectedLength, Store, Write};
use anyturn_store::{AnyStore, Durability, EmbeddedStore, NamespacedStore};

/// The store as the host uses it, so that what lies between is tested along.
struct Embedded {
    store: NamespacedStore,
    neighbour: NamespacedStore,
}

static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Fixture for Embedded {
    type Store = NamespacedStore;

    fn store(&self) -> &NamespacedStore {
        &self.store
    }

    fn neighbour(&self) -> Option<&NamespacedStore> {
        Some(&self.neighbour)
    }

    fn unique(&self) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        COUNT.fetch_add(1, Ordering::Relaxed).to_string()
    }

    fn now(&self) -> u64 {
        BEGINNING.elapsed().as_millis() as u64
    }

    async fn sleep(&self, milliseconds: u64) {
        // Rounded up: this clock cuts fractions of a millisecond off.
        tokio::time::sleep(Duration::from_millis(milliseconds + 1)).await;
    }
}

fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test)
}

fn run(promise: &str) {
    let directory = tempfile::tempdir().unwrap();
    block_on(async {
        let store = AnyStore::Embedded(EmbeddedStore::open(directory.path()).await.unwrap());
        let neighbour = store.namespace("neighbour").unwrap();
        let store = store.namespace("tested").unwrap();
        check(promise, &Embedded { store, neighbour }).await;
    });
}

anyturn_state::conformance_tests!(run);

/// Commits of `tasks` tasks, each on a conversation of its own, per second.
async fn commits_per_second(durability: Durability, tasks: usize, each: usize) -> f64 {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open_with(directory.path(), durability)
        .await
        .unwrap();
    let view = store.namespace("chat");
    let began = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let view = view.clone();
            tokio::spawn(async move {
                let scope = format!("conversation/{task}");
                for round in 0..each {
                    let write = Write::Append {
                        journal: "turns".into(),
                        expected: ExpectedLength::Exactly(round as u64),
                        entries: vec![vec![7; 500]],
                        ttl: Some(300_000),
                    };
                    view.commit(&scope, vec![write], Vec::new()).await.unwrap();
                }
            })
        })
        .collect();
    for task in running {
        task.await.unwrap();
    }
    let rate = (tasks * each) as f64 / began.elapsed().as_secs_f64();
    for task in 0..tasks {
        let slice = view
            .watch(&format!("conversation/{task}"), "turns", 0, 0, 0)
            .await
            .unwrap();
        assert_eq!(slice.length, each as u64);
    }
    rate
}

#[test]
fn commits_of_many_tasks_share_their_flushes_and_all_arrive() {
    for durability in [Durability::Full, Durability::Normal] {
        for (tasks, each) in [(1, 200), (64, 50)] {
            let rate = block_on(commits_per_second(durability, tasks, each));
            println!("{durability:?}: {rate:.0} commits/s with {tasks} tasks");
        }
    }
}
