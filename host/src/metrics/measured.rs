//! What is counted of the store's operations; and a store whose operations are counted apart from those of
//! `anyturn:state`: what key-value stores lie on.

use super::registering::{Seconds, series, timed};
use anyturn_state::{Committed, Error, Found, JournalSlice, Query, Store, Write};
use anyturn_store::NamespacedStore;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::{Duration, Instant};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StoreOperation {
    operation: &'static str,
}

/// The series of the store's operations.
#[derive(Clone)]
pub(crate) struct Operations {
    durations: Family<StoreOperation, Histogram, Seconds>,
    errors: Family<StoreOperation, Counter>,
}

impl Operations {
    /// Series which `registry` knows from now on. Those that alerts look at are there at once, so that their first event
    /// counts as an increase.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let operations = Self {
            durations: timed(
                registry,
                "store_operation_duration",
                "Time that an operation of the store took, by operation",
                Family::new_with_constructor(Seconds),
            ),
            errors: series(
                registry,
                "store_operation_errors",
                "Operations of the store that failed",
                Family::default(),
            ),
        };
        for operation in ["read", "commit", "watch", "key-value-read", "key-value-commit"] {
            drop(operations.errors.get_or_create(&StoreOperation { operation }));
        }
        operations
    }

    /// One ended.
    pub(crate) fn ended(&self, operation: &'static str, duration: Duration, succeeded: bool) {
        let operation = StoreOperation { operation };
        self.durations
            .get_or_create(&operation)
            .observe(duration.as_secs_f64());
        if !succeeded {
            self.errors.get_or_create(&operation).inc();
        }
    }
}

/// A component's key-value store, measured.
#[derive(Clone)]
pub(crate) struct Measured {
    store: NamespacedStore,
    operations: Operations,
}

impl Measured {
    /// Counts the operations of `store` among `operations`.
    pub(crate) fn new(store: NamespacedStore, operations: Operations) -> Self {
        Self { store, operations }
    }

    async fn measure<R>(
        &self,
        name: &'static str,
        operation: impl Future<Output = Result<R, Error>>,
    ) -> Result<R, Error> {
        let started = Instant::now();
        let result = operation.await;
        self.operations
            .ended(name, started.elapsed(), !is_failure(&result));
        result
    }
}

/// Whether it is the store that failed, and not a condition or a caller.
pub(crate) fn is_failure<R>(result: &Result<R, Error>) -> bool {
    matches!(result, Err(Error::Unavailable(_) | Error::Corrupt(_)))
}

impl Store for Measured {
    async fn read(&self, scope: &str, queries: Vec<Query>) -> Result<Vec<Found>, Error> {
        self.measure("key-value-read", self.store.read(scope, queries))
            .await
    }

    async fn commit(&self, scope: &str, writes: Vec<Write>, queries: Vec<Query>) -> Result<Committed, Error> {
        let committed = self.store.commit(scope, writes, queries);
        self.measure("key-value-commit", committed).await
    }

    async fn watch(
        &self,
        scope: &str,
        journal: &str,
        start: u64,
        limit: u32,
        timeout: u64,
    ) -> Result<JournalSlice, Error> {
        // Key-value stores have no journals.
        self.store.watch(scope, journal, start, limit, timeout).await
    }
}
