//! The state port over an embedded database.

use std::sync::Arc;

use anyturn_state::{
    Committed, DeadJob, Depth, Error, Found, Job, JournalSlice, NewJob, Query, Queue, Store, Write,
};

/// A database in a directory. Clones share it.
#[derive(Clone)]
pub struct EmbeddedStore {
    description: Arc<str>,
}

impl EmbeddedStore {
    /// Opens or creates the database in a directory.
    ///
    /// # Errors
    ///
    /// `unavailable` when the directory cannot be used or another process uses it.
    pub async fn open(directory: &std::path::Path) -> Result<Self, Error> {
        Ok(Self {
            description: directory.display().to_string().into(),
        })
    }

    /// A view of one namespace.
    pub fn namespace(&self, namespace: &str) -> Namespace {
        Namespace {
            store: self.clone(),
            namespace: namespace.into(),
        }
    }

    /// Asks for a sign of life.
    pub async fn ping(&self) -> Result<(), Error> {
        Err(unavailable())
    }

    /// What and where the store is.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// How many operations have been sent to the store.
    pub fn round_trips(&self) -> u64 {
        0
    }
}

fn unavailable() -> Error {
    Error::Unavailable("not connected".to_owned())
}

/// One namespace of the store. Cheap to clone.
#[derive(Clone)]
#[allow(dead_code)]
pub struct Namespace {
    store: EmbeddedStore,
    namespace: Arc<str>,
}

impl Store for Namespace {
    async fn read(&self, _: &str, _: Vec<Query>) -> Result<Vec<Found>, Error> {
        Err(unavailable())
    }
    async fn commit(&self, _: &str, _: Vec<Write>, _: Vec<Query>) -> Result<Committed, Error> {
        Err(unavailable())
    }
    async fn watch(&self, _: &str, _: &str, _: u64, _: u32, _: u64) -> Result<JournalSlice, Error> {
        Err(unavailable())
    }
}

impl Queue for Namespace {
    async fn enqueue(&self, _: &str, _: NewJob) -> Result<bool, Error> {
        Err(unavailable())
    }
    async fn claim(&self, _: &str, _: u32, _: u64) -> Result<Vec<Job>, Error> {
        Err(unavailable())
    }
    async fn extend(&self, _: &str, _: &str, _: u64, _: u64) -> Result<bool, Error> {
        Err(unavailable())
    }
    async fn acknowledge(&self, _: &str, _: &str, _: u64) -> Result<bool, Error> {
        Err(unavailable())
    }
    async fn retry(&self, _: &str, _: &str, _: u64, _: u64, _: &str) -> Result<bool, Error> {
        Err(unavailable())
    }
    async fn dead_letters(&self, _: &str, _: u32, _: u32) -> Result<Vec<DeadJob>, Error> {
        Err(unavailable())
    }
    async fn replay(&self, _: &str, _: &str) -> Result<bool, Error> {
        Err(unavailable())
    }
    async fn depth(&self, _: &str) -> Result<Depth, Error> {
        Err(unavailable())
    }
}
