//! The state port for a native process: over Redis, and over an embedded database.
//!
//! [`AnyStore`] is one of the two, opened once for the process. [`AnyStore::namespace`] opens a cheap view of it
//! that implements [`Store`] and [`Queue`] for one component; a component never names its own namespace.
//!
//! Promises: every call ends (with `unavailable` at the latest when the store's time-out has passed), futures
//! are `Send`, and no error, log or description contains a password.

mod embedded;
mod redis;

pub use embedded::{Durability, EmbeddedStore};
pub use redis::{RedisOptions, RedisStore};

use anyturn_state::{
    Committed, DeadJob, Depth, Error, Found, Job, JournalSlice, NewJob, Query, Queue, Store, Write,
};

/// The store of this process. Clones share it.
#[derive(Clone)]
pub enum AnyStore {
    /// Redis, shared by any number of processes.
    Redis(RedisStore),
    /// A database in a local directory, for one process.
    Embedded(EmbeddedStore),
}

impl AnyStore {
    /// A view of one namespace; see [`anyturn_state::limits::namespace`] for what is allowed.
    ///
    /// # Errors
    ///
    /// `invalid` when the namespace is not one.
    pub fn namespace(&self, namespace: &str) -> Result<NamespacedStore, Error> {
        anyturn_state::limits::namespace(namespace)?;
        Ok(match self {
            Self::Redis(store) => NamespacedStore::Redis(store.namespace(namespace)),
            Self::Embedded(store) => NamespacedStore::Embedded(store.namespace(namespace)),
        })
    }

    /// Asks the store for a sign of life.
    ///
    /// # Errors
    ///
    /// `unavailable` with the reason.
    pub async fn ping(&self) -> Result<(), Error> {
        match self {
            Self::Redis(store) => store.ping().await,
            Self::Embedded(store) => store.ping().await,
        }
    }

    /// What and where the store is, for people, without credentials.
    pub fn description(&self) -> &str {
        match self {
            Self::Redis(store) => store.description(),
            Self::Embedded(store) => store.description(),
        }
    }

    /// How many operations have been sent to the store since it was opened. A watch counts as one for each
    /// time that it looks.
    pub fn round_trips(&self) -> u64 {
        match self {
            Self::Redis(store) => store.round_trips(),
            Self::Embedded(store) => store.round_trips(),
        }
    }
}

/// One namespace of a store. Cheap to clone.
#[derive(Clone)]
pub enum NamespacedStore {
    /// In Redis.
    Redis(redis::Namespace),
    /// In the embedded database.
    Embedded(embedded::Namespace),
}

/// Calls a method on whichever store it is.
macro_rules! either {
    ($self:ident, $view:ident => $call:expr) => {
        match $self {
            NamespacedStore::Redis($view) => $call,
            NamespacedStore::Embedded($view) => $call,
        }
    };
}

impl Store for NamespacedStore {
    async fn read(&self, scope: &str, queries: Vec<Query>) -> Result<Vec<Found>, Error> {
        either!(self, view => view.read(scope, queries).await)
    }

    async fn commit(&self, scope: &str, writes: Vec<Write>, queries: Vec<Query>) -> Result<Committed, Error> {
        either!(self, view => view.commit(scope, writes, queries).await)
    }

    async fn watch(
        &self,
        scope: &str,
        journal: &str,
        start: u64,
        limit: u32,
        timeout: u64,
    ) -> Result<JournalSlice, Error> {
        either!(self, view => view.watch(scope, journal, start, limit, timeout).await)
    }
}

impl Queue for NamespacedStore {
    async fn enqueue(&self, queue: &str, job: NewJob) -> Result<bool, Error> {
        either!(self, view => view.enqueue(queue, job).await)
    }

    async fn claim(&self, queue: &str, limit: u32, visibility: u64) -> Result<Vec<Job>, Error> {
        either!(self, view => view.claim(queue, limit, visibility).await)
    }

    async fn extend(&self, queue: &str, id: &str, receipt: u64, visibility: u64) -> Result<bool, Error> {
        either!(self, view => view.extend(queue, id, receipt, visibility).await)
    }

    async fn acknowledge(&self, queue: &str, id: &str, receipt: u64) -> Result<bool, Error> {
        either!(self, view => view.acknowledge(queue, id, receipt).await)
    }

    async fn retry(
        &self,
        queue: &str,
        id: &str,
        receipt: u64,
        delay: u64,
        reason: &str,
    ) -> Result<bool, Error> {
        either!(self, view => view.retry(queue, id, receipt, delay, reason).await)
    }

    async fn dead_letters(&self, queue: &str, offset: u32, limit: u32) -> Result<Vec<DeadJob>, Error> {
        either!(self, view => view.dead_letters(queue, offset, limit).await)
    }

    async fn replay(&self, queue: &str, id: &str) -> Result<bool, Error> {
        either!(self, view => view.replay(queue, id).await)
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Error> {
        either!(self, view => view.depth(queue).await)
    }
}

/// Fails to compile when the host could no longer poll a store's futures on several threads.
#[allow(dead_code)]
fn futures_are_send(store: &AnyStore, view: &NamespacedStore) {
    fn send<T: Send>(_: T) {}
    send(store.ping());
    send(view.read("", Vec::new()));
    send(view.commit("", Vec::new(), Vec::new()));
    send(view.watch("", "", 0, 0, 0));
    send(view.claim("", 0, 0));
    send(view.retry("", "", 0, 0, ""));
}
