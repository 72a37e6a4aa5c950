//! Every promise of the port, on one server and on a cluster.

use std::time::{Duration, Instant};

use anyturn_state::conformance::{Fixture, check};
use anyturn_store::{AnyStore, NamespacedStore, RedisOptions, RedisStore};

use crate::server::{Server, unique};

struct Redis<S> {
    store: NamespacedStore,
    neighbour: NamespacedStore,
    begun: Instant,
    _servers: S,
}

impl<S> Redis<S> {
    fn new(store: &AnyStore, servers: S) -> Self {
        Self {
            store: store.namespace("test").unwrap(),
            neighbour: store.namespace("neighbour").unwrap(),
            begun: Instant::now(),
            _servers: servers,
        }
    }
}

impl<S> Fixture for Redis<S> {
    type Store = NamespacedStore;

    fn store(&self) -> &NamespacedStore {
        &self.store
    }

    fn neighbour(&self) -> Option<&NamespacedStore> {
        Some(&self.neighbour)
    }

    fn unique(&self) -> String {
        unique()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap()
    }

    async fn sleep(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

mod one_server {
    use super::*;

    fn run(promise: &str) {
        runtime().block_on(async {
            let server = Server::start().await;
            let store = server.store().await;
            check(promise, &Redis::new(&store, server)).await;
        });
    }

    anyturn_state::conformance_tests!(run);
}

mod cluster {
    use super::*;

    fn run(promise: &str) {
        runtime().block_on(async {
            let cluster = crate::cluster::shared().await;
            let store = RedisStore::connect(&cluster.url(), RedisOptions::default())
                .await
                .unwrap();
            check(promise, &Redis::new(&AnyStore::Redis(store), cluster)).await;
        });
    }

    anyturn_state::conformance_tests!(run);
}
