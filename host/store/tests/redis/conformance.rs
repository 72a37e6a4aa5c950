//! Every promise of the port.

use std::time::{Duration, Instant};

use anyturn_state::conformance::{Fixture, check};
use anyturn_store::NamespacedStore;

use crate::server::{Server, unique};

struct Redis {
    store: NamespacedStore,
    neighbour: NamespacedStore,
    begun: Instant,
    _server: Server,
}

impl Fixture for Redis {
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

fn run(promise: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = Server::start().await;
        let store = server.store().await;
        let fixture = Redis {
            store: store.namespace("test").unwrap(),
            neighbour: store.namespace("neighbour").unwrap(),
            begun: Instant::now(),
            _server: server,
        };
        check(promise, &fixture).await;
    });
}

anyturn_state::conformance_tests!(run);
