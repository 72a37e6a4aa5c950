//! The state port over anything that can run the schema's scripts.

use std::time::{Duration, Instant};

use super::encode::Invocation;
use super::keys::Keys;
use super::reply::Reply;
use crate::limits;
use crate::port::{
    Committed, DeadJob, Depth, Error, Found, Job, JournalSlice, NewJob, Position, Query, Queue, Store, Write,
};

/// A connection to Redis.
#[allow(async_fn_in_trait)]
pub trait Backend {
    /// Wakes up when a journal may have grown.
    type Waiter<'a>: Waiter
    where
        Self: 'a;

    /// Runs a script, loading it first where the server does not know it, and returns its reply. An error is
    /// `unavailable`, or `corrupt` when the server says that the script cannot work with what is stored.
    async fn evaluate(&self, call: &Invocation) -> Result<Vec<u8>, Error>;

    /// Begins to wait for a journal, by the name of its key.
    async fn waiter(&self, key: String) -> Result<Self::Waiter<'_>, Error>;
}

/// Wakes up when a journal may have grown.
#[allow(async_fn_in_trait)]
pub trait Waiter {
    /// Returns when the journal may have an entry at `start`, or `within` has passed. It may return for
    /// nothing, but it never sleeps through an entry that was appended after [`Backend::waiter`] returned.
    async fn wait(&mut self, start: u64, within: Duration) -> Result<(), Error>;
}

/// One namespace of a Redis.
#[derive(Clone, Debug)]
pub struct Client<B> {
    backend: B,
    namespace: String,
}

impl<B> Client<B> {
    /// The namespace has passed [`limits::namespace`].
    pub fn new(backend: B, namespace: String) -> Self {
        Self { backend, namespace }
    }

    fn keys(&self, scope: &str) -> Keys {
        Keys::new(&self.namespace, scope)
    }
}

impl<B: Backend> Store for Client<B> {
    async fn read(&self, scope: &str, queries: Vec<Query>) -> Result<Vec<Found>, Error> {
        limits::read(scope, &queries)?;
        let count = queries.len();
        let call = Invocation::read(&self.keys(scope), queries);
        Reply::open(&self.backend.evaluate(&call).await?)?.found(count)
    }

    async fn commit(&self, scope: &str, writes: Vec<Write>, queries: Vec<Query>) -> Result<Committed, Error> {
        limits::commit(scope, &writes, &queries)?;
        let counts = (writes.len(), queries.len());
        let call = Invocation::commit(&self.keys(scope), writes, queries);
        Reply::open(&self.backend.evaluate(&call).await?)?.committed(counts.0, counts.1)
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
        let begun = Instant::now();
        let timeout = Duration::from_millis(timeout);
        let keys = self.keys(scope);
        let query = Query::Journal {
            journal: journal.to_owned(),
            start: Position::At(start),
            limit,
        };
        let look = Invocation::read(&keys, vec![query]);

        // Most watches find something at once, so the waiter comes only after the first look; entries between
        // the two are found by the second.
        let slice = self.look(&look).await?;
        if slice.length > start || timeout.is_zero() {
            return Ok(slice);
        }
        let mut waiter = self.backend.waiter(keys.journal(journal)).await?;
        loop {
            let slice = self.look(&look).await?;
            let left = timeout.saturating_sub(begun.elapsed());
            if slice.length > start || left.is_zero() {
                return Ok(slice);
            }
            waiter.wait(start, left).await?;
        }
    }
}

impl<B: Backend> Client<B> {
    async fn look(&self, look: &Invocation) -> Result<JournalSlice, Error> {
        let found = Reply::open(&self.backend.evaluate(look).await?)?.found(1)?;
        match found.into_iter().next() {
            Some(Found::Journal(slice)) => Ok(slice),
            other => Err(Error::Corrupt(format!(
                "the store found {other:?} where a journal was asked for"
            ))),
        }
    }

    async fn flag(&self, call: Invocation) -> Result<bool, Error> {
        Reply::open(&self.backend.evaluate(&call).await?)?.flag()
    }
}

impl<B: Backend> Queue for Client<B> {
    async fn enqueue(&self, queue: &str, job: NewJob) -> Result<bool, Error> {
        limits::enqueue(queue, &job)?;
        self.flag(Invocation::enqueue(&self.keys(queue), job)).await
    }

    async fn claim(&self, queue: &str, limit: u32, visibility: u64) -> Result<Vec<Job>, Error> {
        limits::claim(queue, limit, visibility)?;
        let call = Invocation::claim(&self.keys(queue), limit, visibility);
        Reply::open(&self.backend.evaluate(&call).await?)?.jobs()
    }

    async fn extend(&self, queue: &str, id: &str, receipt: u64, visibility: u64) -> Result<bool, Error> {
        limits::extend(queue, id, receipt, visibility)?;
        self.flag(Invocation::extend(&self.keys(queue), id, receipt, visibility))
            .await
    }

    async fn acknowledge(&self, queue: &str, id: &str, receipt: u64) -> Result<bool, Error> {
        limits::acknowledge(queue, id, receipt)?;
        self.flag(Invocation::acknowledge(&self.keys(queue), id, receipt))
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
        self.flag(Invocation::retry(&self.keys(queue), id, receipt, delay, reason))
            .await
    }

    async fn dead_letters(&self, queue: &str, offset: u32, limit: u32) -> Result<Vec<DeadJob>, Error> {
        limits::dead_letters(queue, limit)?;
        if limit == 0 {
            return Ok(Vec::new());
        }
        let call = Invocation::dead_letters(&self.keys(queue), offset, limit);
        Reply::open(&self.backend.evaluate(&call).await?)?.dead_jobs()
    }

    async fn replay(&self, queue: &str, id: &str) -> Result<bool, Error> {
        limits::replay(queue, id)?;
        self.flag(Invocation::replay(&self.keys(queue), id)).await
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Error> {
        limits::scope(queue)?;
        let call = Invocation::depth(&self.keys(queue));
        Reply::open(&self.backend.evaluate(&call).await?)?.depth()
    }
}
