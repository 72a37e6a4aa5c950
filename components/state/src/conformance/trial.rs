//! One run of one promise: a scope of its own, and short words for what the promises do.

use super::Fixture;
use crate::port::*;

/// The greatest counter, score, version, epoch and position.
pub(super) const MAX: i64 = (1 << 53) - 1;

/// A run of a promise.
pub(super) struct Trial<'a, F> {
    pub(super) fixture: &'a F,
    /// A scope, or queue, that nobody else uses.
    pub(super) scope: String,
}

impl<'a, F: Fixture> Trial<'a, F> {
    pub(super) fn new(promise: &str, fixture: &'a F) -> Self {
        Self {
            fixture,
            scope: format!("conformance/{promise}/{}", fixture.unique()),
        }
    }

    pub(super) fn store(&self) -> &F::Store {
        self.fixture.store()
    }

    pub(super) fn now(&self) -> u64 {
        self.fixture.now()
    }

    pub(super) async fn sleep(&self, milliseconds: u64) {
        self.fixture.sleep(milliseconds).await;
    }

    /// Waits until it is `moment` on the fixture's clock.
    pub(super) async fn sleep_until(&self, moment: u64) {
        while self.now() < moment {
            self.sleep(moment - self.now()).await;
        }
    }

    /// A commit that may fail.
    pub(super) async fn attempt(&self, writes: Vec<Write>) -> Result<Vec<Written>, Error> {
        let committed = self.store().commit(&self.scope, writes, Vec::new()).await?;
        assert_eq!(committed.found, []);
        Ok(committed.written)
    }

    /// A commit that succeeds.
    pub(super) async fn write(&self, writes: Vec<Write>) -> Vec<Written> {
        self.attempt(writes).await.expect("the commit succeeds")
    }

    /// A commit that conflicts.
    pub(super) async fn conflict(&self, writes: Vec<Write>) -> (u32, Actual) {
        match self.attempt(writes).await {
            Err(Error::Conflict { write, actual }) => (write, actual),
            other => panic!("expected a conflict, got {other:?}"),
        }
    }

    /// A commit that breaks a rule.
    pub(super) async fn invalid(&self, writes: Vec<Write>) {
        assert_invalid(self.attempt(writes).await);
    }

    pub(super) async fn find(&self, query: Query) -> Found {
        let mut found = self
            .store()
            .read(&self.scope, vec![query])
            .await
            .expect("the read succeeds");
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    pub(super) async fn document(&self, name: &str) -> Option<Document> {
        match self.find(Query::Document(name.into())).await {
            Found::Document(document) => document,
            other => panic!("expected a document, got {other:?}"),
        }
    }

    pub(super) async fn version(&self, name: &str) -> u64 {
        self.document(name).await.map_or(0, |document| document.version)
    }

    pub(super) async fn counter(&self, name: &str) -> Counter {
        match self.find(Query::Counter(name.into())).await {
            Found::Counter(counter) => counter,
            other => panic!("expected a counter, got {other:?}"),
        }
    }

    pub(super) async fn slice(&self, name: &str, start: Position, limit: u32) -> JournalSlice {
        match self
            .find(Query::Journal {
                journal: name.into(),
                start,
                limit,
            })
            .await
        {
            Found::Journal(slice) => slice,
            other => panic!("expected a journal, got {other:?}"),
        }
    }

    /// A journal from its beginning.
    pub(super) async fn journal(&self, name: &str) -> JournalSlice {
        self.slice(name, Position::At(0), 1000).await
    }

    pub(super) async fn lease(&self, name: &str) -> LeaseState {
        match self.find(Query::Lease(name.into())).await {
            Found::Lease(lease) => lease,
            other => panic!("expected a lease, got {other:?}"),
        }
    }

    /// A lease's epoch and the moment up to which it is held, from the write that was asked for it.
    pub(super) async fn grant(&self, write: Write) -> (u64, u64) {
        match self.write(vec![write]).await.as_slice() {
            [Written::Granted { epoch, until }] => (*epoch, *until),
            other => panic!("expected a grant, got {other:?}"),
        }
    }

    /// The store's clock, as a scope of this namespace sees it.
    pub(super) async fn time(&self) -> u64 {
        self.time_in(self.store(), &self.scope).await
    }

    /// The store's clock, as any scope sees it: the beginning of the epoch has passed, so the answer is the time.
    pub(super) async fn time_in(&self, store: &F::Store, scope: &str) -> u64 {
        match store.commit(scope, vec![Write::NotAfter(0)], Vec::new()).await {
            Err(Error::Conflict {
                write: 0,
                actual: Actual::Time(now),
            }) => now,
            other => panic!("expected the time, got {other:?}"),
        }
    }

    pub(super) async fn index(&self, query: Query) -> Vec<Member> {
        match self.find(query).await {
            Found::Index(members) => members,
            other => panic!("expected members, got {other:?}"),
        }
    }

    /// All members of an index, ascending.
    pub(super) async fn members(&self, name: &str) -> Vec<Member> {
        self.index(range(name, -MAX, MAX, false, 0, 1000)).await
    }

    pub(super) async fn watch(&self, journal: &str, start: u64, limit: u32, timeout: u64) -> JournalSlice {
        self.store()
            .watch(&self.scope, journal, start, limit, timeout)
            .await
            .expect("the watch succeeds")
    }

    /// Enqueues a job.
    pub(super) async fn enqueue(&self, job: NewJob) -> bool {
        self.store()
            .enqueue(&self.scope, job)
            .await
            .expect("the job is valid")
    }

    pub(super) async fn claim(&self, limit: u32, visibility: u64) -> Vec<Job> {
        self.store()
            .claim(&self.scope, limit, visibility)
            .await
            .expect("the claim succeeds")
    }

    /// Claims the one job that is due.
    pub(super) async fn claim_one(&self, visibility: u64) -> Job {
        let mut jobs = self.claim(10, visibility).await;
        assert_eq!(jobs.len(), 1, "one job is due: {jobs:?}");
        jobs.remove(0)
    }

    /// Claims the one job that becomes due `delay` after a moment between `before` and `after`: not earlier, and at
    /// most one second later.
    pub(super) async fn claim_when_due(&self, before: u64, after: u64, delay: u64) -> Job {
        for moment in [0, delay / 2, delay - 20] {
            self.sleep_until(before + moment).await;
            if let Some(job) = self.claim(1, LONG).await.pop() {
                assert!(self.now() - before >= delay, "it was given out before its time");
                return job;
            }
        }
        self.sleep_until(after + delay + 1000).await;
        self.claim_one(LONG).await
    }

    pub(super) async fn acknowledge(&self, job: &Job) -> bool {
        self.store()
            .acknowledge(&self.scope, &job.id, job.receipt)
            .await
            .expect("it is answered")
    }

    pub(super) async fn retry(&self, job: &Job, delay: u64, reason: &str) -> bool {
        self.store()
            .retry(&self.scope, &job.id, job.receipt, delay, reason)
            .await
            .expect("it is answered")
    }

    pub(super) async fn extend(&self, job: &Job, visibility: u64) -> bool {
        self.store()
            .extend(&self.scope, &job.id, job.receipt, visibility)
            .await
            .expect("it is answered")
    }

    pub(super) async fn dead_letters(&self, offset: u32, limit: u32) -> Vec<DeadJob> {
        self.store()
            .dead_letters(&self.scope, offset, limit)
            .await
            .expect("they are listed")
    }

    pub(super) async fn replay(&self, id: &str) -> bool {
        self.store()
            .replay(&self.scope, id)
            .await
            .expect("it is answered")
    }

    pub(super) async fn depth(&self) -> Depth {
        self.store().depth(&self.scope).await.expect("it is answered")
    }
}

/// What each document, entry and member holds where its content does not matter.
pub(super) const VALUE: &[u8] = b"value";

/// A time to live that no test outlives.
pub(super) const LONG: u64 = 3_600_000;

#[track_caller]
pub(super) fn assert_invalid<T: std::fmt::Debug>(result: Result<T, Error>) {
    match result {
        Err(Error::Invalid(reason)) => assert!(!reason.is_empty(), "an error for people says something"),
        other => panic!("expected `invalid`, got {other:?}"),
    }
}

pub(super) fn put(document: &str, expected: ExpectedVersion, value: &[u8]) -> Write {
    Write::Put {
        document: document.into(),
        expected,
        value: value.into(),
        ttl: None,
    }
}

pub(super) fn put_for(document: &str, ttl: u64) -> Write {
    Write::Put {
        document: document.into(),
        expected: ExpectedVersion::Any,
        value: VALUE.into(),
        ttl: Some(ttl),
    }
}

pub(super) fn delete(document: &str, expected: ExpectedVersion) -> Write {
    Write::Delete {
        document: document.into(),
        expected,
    }
}

pub(super) fn append(journal: &str, expected: ExpectedLength, entries: &[&[u8]]) -> Write {
    let entries = entries.iter().map(|entry| entry.to_vec()).collect();
    Write::Append {
        journal: journal.into(),
        expected,
        entries,
        ttl: None,
    }
}

pub(super) fn append_for(journal: &str, ttl: u64) -> Write {
    let entries = vec![VALUE.to_vec()];
    Write::Append {
        journal: journal.into(),
        expected: ExpectedLength::Any,
        entries,
        ttl: Some(ttl),
    }
}

pub(super) fn checkpoint(journal: &str, position: u64) -> Write {
    Write::SetCheckpoint {
        journal: journal.into(),
        position,
    }
}

pub(super) fn add(counter: &str, delta: i64, ttl: Option<u64>) -> Write {
    Write::Add {
        counter: counter.into(),
        delta,
        ttl,
    }
}

pub(super) fn member(index: &str, member: &str, score: i64) -> Write {
    member_with(index, member, score, VALUE, false)
}

pub(super) fn member_with(index: &str, member: &str, score: i64, value: &[u8], only_existing: bool) -> Write {
    Write::IndexPut {
        index: index.into(),
        member: member.into(),
        score,
        value: value.into(),
        only_existing,
    }
}

pub(super) fn acquire(lease: &str, holder: &str, ttl: u64) -> Write {
    Write::Acquire {
        lease: lease.into(),
        holder: holder.into(),
        ttl,
    }
}

pub(super) fn hold(lease: &str, epoch: u64, ttl: Option<u64>) -> Write {
    Write::Hold {
        lease: lease.into(),
        epoch,
        ttl,
    }
}

pub(super) fn release(lease: &str, epoch: u64) -> Write {
    Write::Release {
        lease: lease.into(),
        epoch,
    }
}

/// A grant of this epoch, as [`untimed`] leaves it.
pub(super) fn granted(epoch: u64) -> Written {
    Written::Granted { epoch, until: 0 }
}

/// What was written, without the moments up to which leases are held.
pub(super) fn untimed(mut all: Vec<Written>) -> Vec<Written> {
    for written in &mut all {
        if let Written::Granted { until, .. } = written {
            *until = 0;
        }
    }
    all
}

pub(super) fn range(index: &str, min: i64, max: i64, descending: bool, offset: u32, limit: u32) -> Query {
    Query::Index {
        index: index.into(),
        min,
        max,
        descending,
        offset,
        limit,
    }
}

/// A job that may be claimed at once, three times, and is forgotten when it is done.
pub(super) fn job(id: &str) -> NewJob {
    NewJob {
        id: id.into(),
        payload: VALUE.into(),
        delay: 0,
        max_attempts: 3,
        remember: 0,
    }
}
