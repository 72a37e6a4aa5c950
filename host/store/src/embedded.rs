//! The state port over an embedded database: SQLite in a data directory, for one process.
//!
//! Promises:
//! - what was answered survives a crash of the process and, with [`Durability::Full`], of the machine; a commit is
//!   there whole or not at all;
//! - a second process that opens the directory is refused and told who has it;
//! - a database of a later version, or of another program, is refused and not touched;
//! - what has expired is not seen from that moment on, and is deleted in the background.
//!
//! One thread writes and one reads ([`worker`]); a namespace is a prefix of the scopes' keys ([`schema`]).

mod clock;
mod directory;
mod expiry;
mod failure;
mod jobs;
mod journal;
mod schema;
mod scope;
#[cfg(test)]
mod tests;
mod watchers;
mod worker;

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyturn_state::{
    Committed, DeadJob, Depth, Error, Found, Job, JournalSlice, NewJob, Position, Query, Queue, Store, Write,
    limits,
};
use tokio::time::{Instant, timeout, timeout_at};

use clock::Clock;
use failure::Failure;
use watchers::Watchers;
use worker::{Session, Worker};

/// How long an operation may take before its caller is told that the store is unavailable. Only a disk that hangs
/// takes so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a commit survives once it was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the process and of the machine: each transaction is flushed to the disk.
    #[default]
    Full,
    /// A crash of the process. A crash of the machine may undo the latest commits, but leaves the database whole.
    Normal,
}

/// A database in a directory. Clones share it; when the last one and all its namespaces are gone, it is closed.
#[derive(Clone)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
}

struct Shared {
    description: String,
    round_trips: AtomicU64,
    watchers: Arc<Watchers>,
    #[cfg_attr(not(test), allow(dead_code, reason = "tests put it ahead"))]
    clock: Arc<Clock>,
    // The reader ends first, so that the writer closes the database as its last user and tidies it up.
    reader: Worker,
    writer: Worker,
}

impl EmbeddedStore {
    /// Opens or creates the database in a directory, which is created if need be; see [`Durability::Full`].
    ///
    /// # Errors
    ///
    /// `unavailable` when the directory cannot be used or another process uses it, `corrupt` when what is in it is
    /// damaged, of a later version or of another program.
    pub async fn open(directory: &Path) -> Result<Self, Error> {
        Self::open_with(directory, Durability::default()).await
    }

    /// Like [`EmbeddedStore::open`], with a choice of what a commit survives.
    ///
    /// # Errors
    ///
    /// As [`EmbeddedStore::open`].
    pub async fn open_with(directory: &Path, durability: Durability) -> Result<Self, Error> {
        let clock = Arc::new(Clock::default());
        let watchers = Arc::new(Watchers::default());
        let writer =
            worker::start_writer(directory.to_owned(), durability, clock.clone(), watchers.clone()).await?;
        let reader = worker::start_reader(directory.join(directory::DATABASE), clock.clone()).await?;
        let description = format!("embedded store in {}", directory.display());
        let round_trips = AtomicU64::new(0);
        let shared = Shared {
            description,
            round_trips,
            watchers,
            clock,
            reader,
            writer,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// A view of one namespace, which [`anyturn_state::limits::namespace`] allows.
    pub fn namespace(&self, namespace: &str) -> Namespace {
        Namespace {
            store: self.clone(),
            namespace: namespace.into(),
        }
    }

    /// Asks both threads for a sign of life.
    ///
    /// # Errors
    ///
    /// `unavailable` with the reason.
    pub async fn ping(&self) -> Result<(), Error> {
        let look = |session: &mut Session<'_>| {
            let sql = "SELECT value FROM tally";
            Ok(session
                .connection
                .prepare_cached(sql)?
                .query_row([], |row| row.get::<_, i64>(0))
                .map(drop)?)
        };
        self.call(&self.shared.reader, look).await?;
        self.call(&self.shared.writer, look).await
    }

    /// What and where the store is, for people.
    pub fn description(&self) -> &str {
        &self.shared.description
    }

    /// How many operations have been sent to the store since it was opened. A watch counts as one for each time
    /// that it looks.
    pub fn round_trips(&self) -> u64 {
        self.shared.round_trips.load(Ordering::Relaxed)
    }

    async fn call<T, A>(&self, worker: &Worker, action: A) -> Result<T, Error>
    where
        T: Send + 'static,
        A: FnOnce(&mut Session<'_>) -> Result<T, Failure> + Send + 'static,
    {
        self.shared.round_trips.fetch_add(1, Ordering::Relaxed);
        let answer = timeout(PATIENCE, worker.call(action)).await;
        answer.unwrap_or_else(|_| {
            Err(Error::Unavailable(format!(
                "the {} did not answer within {} s",
                self.description(),
                PATIENCE.as_secs()
            )))
        })
    }
}

/// One namespace of the store. Cheap to clone.
#[derive(Clone)]
pub struct Namespace {
    store: EmbeddedStore,
    namespace: Arc<str>,
}

impl Namespace {
    /// The key of a scope or queue.
    fn key(&self, scope: &str) -> String {
        format!("{} {scope}", self.namespace)
    }

    async fn look<T: Send + 'static>(
        &self,
        action: impl FnOnce(&mut Session<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.store.call(&self.store.shared.reader, action).await
    }

    async fn change<T: Send + 'static>(
        &self,
        action: impl FnOnce(&mut Session<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.store.call(&self.store.shared.writer, action).await
    }
}

fn find_all(session: &Session<'_>, scope: &str, queries: Vec<Query>) -> Result<Vec<Found>, Failure> {
    queries
        .into_iter()
        .map(|query| scope::find(session, scope, query))
        .collect()
}

impl Store for Namespace {
    async fn read(&self, scope: &str, queries: Vec<Query>) -> Result<Vec<Found>, Error> {
        limits::read(scope, &queries)?;
        let key = self.key(scope);
        self.look(move |session| find_all(session, &key, queries)).await
    }

    async fn commit(&self, scope: &str, writes: Vec<Write>, queries: Vec<Query>) -> Result<Committed, Error> {
        limits::commit(scope, &writes, &queries)?;
        let key = self.key(scope);
        self.change(move |session| {
            let mut written = Vec::with_capacity(writes.len());
            for (position, write) in (0..).zip(writes) {
                written.push(scope::apply(session, &key, write).map_err(|failure| failure.at(position))?);
            }
            Ok(Committed {
                written,
                found: find_all(session, &key, queries)?,
            })
        })
        .await
    }

    async fn watch(
        &self,
        scope: &str,
        journal: &str,
        start: u64,
        limit: u32,
        timeout: u64,
    ) -> Result<JournalSlice, Error> {
        limits::watch(scope, journal, start, timeout)?;
        let deadline = Instant::now() + Duration::from_millis(timeout);
        let key = (self.key(scope), journal.to_owned());
        let subscription = self.store.shared.watchers.subscribe(key.clone());
        loop {
            // Listening begins before looking, so that nothing can come in between.
            let mut grown = pin!(subscription.bell().notified());
            grown.as_mut().enable();
            let (scope, journal) = key.clone();
            let look = move |session: &mut Session<'_>| {
                let Session { connection, now, .. } = *session;
                Ok(journal::slice(
                    connection,
                    &scope,
                    &journal,
                    Position::At(start),
                    limit,
                    now,
                )?)
            };
            let slice = self.look(look).await?;
            if slice.length > start || timeout_at(deadline, grown).await.is_err() {
                return Ok(slice);
            }
        }
    }
}

impl Queue for Namespace {
    async fn enqueue(&self, queue: &str, job: NewJob) -> Result<bool, Error> {
        limits::enqueue(queue, &job)?;
        let key = self.key(queue);
        self.change(move |session| jobs::enqueue(session, &key, job))
            .await
    }

    async fn claim(&self, queue: &str, limit: u32, visibility: u64) -> Result<Vec<Job>, Error> {
        limits::claim(queue, limit, visibility)?;
        let key = self.key(queue);
        self.change(move |session| jobs::claim(session, &key, limit, visibility))
            .await
    }

    async fn extend(&self, queue: &str, id: &str, receipt: u64, visibility: u64) -> Result<bool, Error> {
        limits::extend(queue, id, receipt, visibility)?;
        let (key, id) = (self.key(queue), id.to_owned());
        self.change(move |session| jobs::extend(session, &key, &id, receipt, visibility))
            .await
    }

    async fn acknowledge(&self, queue: &str, id: &str, receipt: u64) -> Result<bool, Error> {
        limits::acknowledge(queue, id, receipt)?;
        let (key, id) = (self.key(queue), id.to_owned());
        self.change(move |session| jobs::acknowledge(session, &key, &id, receipt))
            .await
    }

    async fn retry(
        &self,
        queue: &str,
        id: &str,
        receipt: u64,
        delay: u64,
        reason: &str,
    ) -> Result<bool, Error> {
        limits::retry(queue, id, receipt, delay, reason)?;
        let (key, id, reason) = (self.key(queue), id.to_owned(), reason.to_owned());
        self.change(move |session| jobs::retry(session, &key, &id, receipt, delay, &reason))
            .await
    }

    async fn dead_letters(&self, queue: &str, offset: u32, limit: u32) -> Result<Vec<DeadJob>, Error> {
        limits::dead_letters(queue, limit)?;
        let key = self.key(queue);
        self.look(move |session| jobs::dead_letters(session, &key, offset, limit))
            .await
    }

    async fn replay(&self, queue: &str, id: &str) -> Result<bool, Error> {
        limits::replay(queue, id)?;
        let (key, id) = (self.key(queue), id.to_owned());
        self.change(move |session| jobs::replay(session, &key, &id)).await
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Error> {
        limits::scope(queue)?;
        let key = self.key(queue);
        self.look(move |session| jobs::depth(session, &key)).await
    }
}
