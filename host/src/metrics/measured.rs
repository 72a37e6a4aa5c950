//! A store whose operations are counted apart from those of `anyturn:state`: what key-value stores lie on.

use super::Operations;
use anyturn_state::{Committed, Error, Found, JournalSlice, Query, Store, Write};
use anyturn_store::NamespacedStore;
use std::time::Instant;

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
