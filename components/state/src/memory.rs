//! The reference implementation of `anyturn:state`, in memory, for tests.
//!
//! It keeps every promise of `wit/state/state.wit` in the plainest way there is: an operation works on a copy of its
//! scope, and the copy takes the scope's place when all of it went well. Nothing here is quick or durable.
//!
//! Tests get what they need to be deterministic and unkind:
//! - time is a [`ManualClock`], which moves only when told to;
//! - every operation gives other tasks a turn before it is applied and again before its answer arrives, so that an
//!   executor can interleave tasks, or drop one whose commit took effect without its knowing;
//! - [`MemoryStore::fail`] and [`MemoryStore::on_operation`] make operations fail before or after they are applied;
//! - [`MemoryStore::round_trips`] counts.

mod clock;
mod queue;
mod scope;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::limits;
use crate::port::*;

pub use clock::ManualClock;
use scope::{Refusal, Scope};

/// A store in memory. Clones share their contents, clock, faults and counts.
#[derive(Clone, Default)]
pub struct MemoryStore {
    namespace: String,
    clock: ManualClock,
    shared: Arc<Mutex<Shared>>,
}

/// When a failing operation fails. The caller cannot tell the two apart, which is the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is applied.
    Before,
    /// It is applied, but its answer is lost.
    After,
}

/// An operation that is about to be applied, as [`MemoryStore::on_operation`] sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation<'a> {
    /// Counts all operations on the store from 1.
    pub number: u64,
    /// The function of the interface, such as `commit`.
    pub function: &'a str,
    /// The scope or queue.
    pub scope: &'a str,
}

type Hook = Box<dyn FnMut(Operation<'_>) -> Option<Fault> + Send>;

#[derive(Default)]
struct Shared {
    scopes: BTreeMap<Key, Scope>,
    queues: BTreeMap<Key, queue::Jobs>,
    round_trips: u64,
    faults: BTreeMap<u64, Fault>,
    hook: Option<Hook>,
    watchers: Vec<Waker>,
}

/// A namespace, and a scope or queue in it.
type Key = (String, String);

impl MemoryStore {
    /// An empty store with a clock of its own, in the namespace `""`.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that tells time by `clock`.
    pub fn with_clock(clock: ManualClock) -> Self {
        Self {
            clock,
            ..Self::default()
        }
    }

    /// The same store, bound to another namespace.
    pub fn namespace(&self, namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            ..self.clone()
        }
    }

    /// The store's clock.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// How many operations were asked of the store, in all namespaces, failed ones included.
    pub fn round_trips(&self) -> u64 {
        self.lock().round_trips
    }

    /// Makes the `nth` operation from now fail as unavailable; 1 is the next one.
    pub fn fail(&self, nth: u64, fault: Fault) {
        let mut shared = self.lock();
        let number = shared.round_trips.saturating_add(nth);
        shared.faults.insert(number, fault);
    }

    /// Asks `hook` before each operation whether it shall fail. Replaces the hook that was there; it must not use
    /// the store itself.
    pub fn on_operation(&self, hook: impl FnMut(Operation<'_>) -> Option<Fault> + Send + 'static) {
        self.lock().hook = Some(Box::new(hook));
    }

    /// Takes back every fault and the hook.
    pub fn heal(&self) {
        let mut shared = self.lock();
        shared.faults.clear();
        shared.hook = None;
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Nothing is changed before an operation is complete, so a panic elsewhere leaves no half-done work.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, scope: &str) -> Key {
        (self.namespace.clone(), scope.to_owned())
    }

    /// One round trip: counts it, lets others run, injects faults, applies `action`, lets others run again.
    async fn operate<T>(
        &self,
        function: &str,
        scope: &str,
        action: impl FnOnce(&mut Shared, Key, u64) -> Result<T, Error>,
    ) -> Result<T, Error> {
        yield_once().await;
        let answer = {
            let mut shared = self.lock();
            let fault = shared.count(function, scope);
            if fault == Some(Fault::Before) {
                Err(unavailable())
            } else {
                let answer = action(&mut shared, self.key(scope), self.clock.now());
                shared.watchers.drain(..).for_each(Waker::wake);
                if fault.is_some() {
                    Err(unavailable())
                } else {
                    answer
                }
            }
        };
        yield_once().await;
        answer
    }

    async fn job<T>(
        &self,
        function: &str,
        queue: &str,
        action: impl FnOnce(&mut queue::Jobs, u64) -> T,
    ) -> Result<T, Error> {
        self.operate(function, queue, |shared, key, now| {
            let jobs = shared.queues.entry(key).or_default();
            jobs.forget(now);
            Ok(action(jobs, now))
        })
        .await
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn count(&mut self, function: &str, scope: &str) -> Option<Fault> {
        self.round_trips += 1;
        let number = self.round_trips;
        let planned = self.faults.remove(&number);
        let asked = self.hook.as_mut().and_then(|hook| {
            hook(Operation {
                number,
                function,
                scope,
            })
        });
        planned.or(asked)
    }

    /// The scope as it is now: what has run out is gone from it.
    fn scope(&self, key: &Key, now: u64) -> Scope {
        let mut scope = self.scopes.get(key).cloned().unwrap_or_default();
        scope.expire(now);
        scope
    }
}

impl Store for MemoryStore {
    async fn read(&self, scope: &str, queries: Vec<Query>) -> Result<Vec<Found>, Error> {
        limits::read(scope, &queries)?;
        self.operate("read", scope, |shared, key, now| {
            let scope = shared.scope(&key, now);
            Ok(queries.iter().map(|query| scope.find(query, now)).collect())
        })
        .await
    }

    async fn commit(&self, scope: &str, writes: Vec<Write>, queries: Vec<Query>) -> Result<Committed, Error> {
        limits::commit(scope, &writes, &queries)?;
        self.operate("commit", scope, |shared, key, now| {
            let mut scope = shared.scope(&key, now);
            let mut written = Vec::with_capacity(writes.len());
            for (position, write) in (0u32..).zip(writes) {
                written.push(scope.apply(write, now).map_err(|refusal| match refusal {
                    Refusal::Conflict(actual) => Error::Conflict {
                        write: position,
                        actual,
                    },
                    Refusal::Invalid(reason) => Error::Invalid(format!("write {position}: {reason}")),
                })?);
            }
            let found = queries.iter().map(|query| scope.find(query, now)).collect();
            shared.scopes.insert(key, scope);
            Ok(Committed { written, found })
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
        let deadline = self.clock.now().saturating_add(timeout);
        self.operate("watch", scope, |_, _, _| Ok(())).await?;
        let key = self.key(scope);
        poll_fn(|context| {
            let now = self.clock.now();
            let mut shared = self.lock();
            let slice = shared
                .scope(&key, now)
                .journal(journal, Position::At(start), limit);
            if slice.length > start || now >= deadline {
                return Poll::Ready(Ok(slice));
            }
            if !shared
                .watchers
                .iter()
                .any(|waker| waker.will_wake(context.waker()))
            {
                shared.watchers.push(context.waker().clone());
            }
            self.clock.wake_when_moved(context.waker());
            Poll::Pending
        })
        .await
    }
}

impl Queue for MemoryStore {
    async fn enqueue(&self, queue: &str, job: NewJob) -> Result<bool, Error> {
        limits::enqueue(queue, &job)?;
        self.job("enqueue", queue, |jobs, now| jobs.enqueue(job, now))
            .await
    }

    async fn claim(&self, queue: &str, limit: u32, visibility: u64) -> Result<Vec<Job>, Error> {
        limits::claim(queue, limit, visibility)?;
        self.job("claim", queue, |jobs, now| jobs.claim(limit, visibility, now))
            .await
    }

    async fn extend(&self, queue: &str, id: &str, receipt: u64, visibility: u64) -> Result<bool, Error> {
        limits::extend(queue, id, receipt, visibility)?;
        self.job("extend", queue, |jobs, now| {
            jobs.extend(id, receipt, visibility, now)
        })
        .await
    }

    async fn acknowledge(&self, queue: &str, id: &str, receipt: u64) -> Result<bool, Error> {
        limits::acknowledge(queue, id, receipt)?;
        self.job("acknowledge", queue, |jobs, now| {
            jobs.acknowledge(id, receipt, now)
        })
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
        self.job("retry", queue, |jobs, now| {
            jobs.retry(id, receipt, delay, reason, now)
        })
        .await
    }

    async fn dead_letters(&self, queue: &str, offset: u32, limit: u32) -> Result<Vec<DeadJob>, Error> {
        limits::dead_letters(queue, limit)?;
        self.job("dead-letters", queue, |jobs, _| jobs.dead_letters(offset, limit))
            .await
    }

    async fn replay(&self, queue: &str, id: &str) -> Result<bool, Error> {
        limits::replay(queue, id)?;
        self.job("replay", queue, |jobs, now| jobs.replay(id, now)).await
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Error> {
        limits::scope(queue)?;
        self.job("depth", queue, |jobs, now| jobs.depth(now)).await
    }
}

fn unavailable() -> Error {
    Error::Unavailable("a test made this operation fail".to_owned())
}

/// Lets the executor run other tasks.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
