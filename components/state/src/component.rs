//! The state port inside a component: [`Imported`] is whatever store the host plugged in.
//!
//! The bindings to the world `imports` of `wit/state` live here and nowhere else, so that every component
//! links one copy of them. Conversion moves strings and bytes and copies none of them.

use crate::port;
use bindings::anyturn::state::{queue, store, types};

#[allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::restriction
)]
mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit/state",
        world: "imports",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

/// The store that the host, or the manifest's dependency, provides to this component. Its namespace is bound
/// outside; a component cannot name it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Imported;

impl port::Store for Imported {
    async fn read(&self, scope: &str, queries: Vec<port::Query>) -> Result<Vec<port::Found>, port::Error> {
        let found = store::read(scope.to_owned(), queries.into_iter().map(Into::into).collect()).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    async fn commit(
        &self,
        scope: &str,
        writes: Vec<port::Write>,
        queries: Vec<port::Query>,
    ) -> Result<port::Committed, port::Error> {
        let committed = store::commit(
            scope.to_owned(),
            writes.into_iter().map(Into::into).collect(),
            queries.into_iter().map(Into::into).collect(),
        )
        .await?;
        Ok(port::Committed {
            written: committed.written.into_iter().map(Into::into).collect(),
            found: committed.found.into_iter().map(Into::into).collect(),
        })
    }

    async fn watch(
        &self,
        scope: &str,
        journal: &str,
        start: u64,
        limit: u32,
        timeout: u64,
    ) -> Result<port::JournalSlice, port::Error> {
        let slice = store::watch(scope.to_owned(), journal.to_owned(), start, limit, timeout).await?;
        Ok(slice.into())
    }
}

impl port::Queue for Imported {
    async fn enqueue(&self, queue: &str, job: port::NewJob) -> Result<bool, port::Error> {
        let port::NewJob {
            id,
            payload,
            delay,
            max_attempts,
            remember,
        } = job;
        let job = queue::NewJob {
            id,
            payload,
            delay,
            max_attempts,
            remember,
        };
        Ok(queue::enqueue(queue.to_owned(), job).await?)
    }

    async fn claim(&self, queue: &str, limit: u32, visibility: u64) -> Result<Vec<port::Job>, port::Error> {
        let jobs = queue::claim(queue.to_owned(), limit, visibility).await?;
        Ok(jobs
            .into_iter()
            .map(
                |queue::Job {
                     id,
                     payload,
                     attempt,
                     receipt,
                 }| port::Job {
                    id,
                    payload,
                    attempt,
                    receipt,
                },
            )
            .collect())
    }

    async fn extend(
        &self,
        queue: &str,
        id: &str,
        receipt: u64,
        visibility: u64,
    ) -> Result<bool, port::Error> {
        Ok(queue::extend(queue.to_owned(), id.to_owned(), receipt, visibility).await?)
    }

    async fn acknowledge(&self, queue: &str, id: &str, receipt: u64) -> Result<bool, port::Error> {
        Ok(queue::acknowledge(queue.to_owned(), id.to_owned(), receipt).await?)
    }

    async fn retry(
        &self,
        queue: &str,
        id: &str,
        receipt: u64,
        delay: u64,
        reason: &str,
    ) -> Result<bool, port::Error> {
        Ok(queue::retry(queue.to_owned(), id.to_owned(), receipt, delay, reason.to_owned()).await?)
    }

    async fn dead_letters(
        &self,
        queue: &str,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<port::DeadJob>, port::Error> {
        let dead = queue::dead_letters(queue.to_owned(), offset, limit).await?;
        Ok(dead
            .into_iter()
            .map(
                |queue::DeadJob {
                     id,
                     payload,
                     attempts,
                     reason,
                     at,
                 }| port::DeadJob {
                    id,
                    payload,
                    attempts,
                    reason,
                    at,
                },
            )
            .collect())
    }

    async fn replay(&self, queue: &str, id: &str) -> Result<bool, port::Error> {
        Ok(queue::replay(queue.to_owned(), id.to_owned()).await?)
    }

    async fn depth(&self, queue: &str) -> Result<port::Depth, port::Error> {
        let queue::QueueDepth {
            due,
            delayed,
            running,
            dead,
        } = queue::depth(queue.to_owned()).await?;
        Ok(port::Depth {
            due,
            delayed,
            running,
            dead,
        })
    }
}

// ---- into the bindings ------------------------------------------------------------------------------

impl From<port::Position> for store::Position {
    fn from(position: port::Position) -> Self {
        match position {
            port::Position::At(position) => Self::At(position),
            port::Position::Checkpoint => Self::Checkpoint,
            port::Position::Last(count) => Self::Last(count),
        }
    }
}

impl From<port::Query> for store::Query {
    fn from(query: port::Query) -> Self {
        match query {
            port::Query::Document(name) => Self::Document(name),
            port::Query::Counter(name) => Self::Counter(name),
            port::Query::Journal {
                journal,
                start,
                limit,
            } => Self::Journal(store::JournalQuery {
                journal,
                start: start.into(),
                limit,
            }),
            port::Query::Index {
                index,
                min,
                max,
                descending,
                offset,
                limit,
            } => Self::Index(store::IndexQuery {
                index,
                min,
                max,
                descending,
                offset,
                limit,
            }),
            port::Query::Lease(name) => Self::Lease(name),
        }
    }
}

impl From<port::ExpectedLength> for store::ExpectedLength {
    fn from(expected: port::ExpectedLength) -> Self {
        match expected {
            port::ExpectedLength::Any => Self::Any,
            port::ExpectedLength::Exactly(length) => Self::Exactly(length),
            port::ExpectedLength::AtLeast(length) => Self::AtLeast(length),
        }
    }
}

impl From<port::ExpectedVersion> for store::ExpectedVersion {
    fn from(expected: port::ExpectedVersion) -> Self {
        match expected {
            port::ExpectedVersion::Any => Self::Any,
            port::ExpectedVersion::Absent => Self::Absent,
            port::ExpectedVersion::Present => Self::Present,
            port::ExpectedVersion::Exactly(version) => Self::Exactly(version),
        }
    }
}

impl From<port::Write> for store::Write {
    fn from(write: port::Write) -> Self {
        match write {
            port::Write::Append {
                journal,
                expected,
                entries,
                ttl,
            } => Self::Append(store::Append {
                journal,
                expected: expected.into(),
                entries,
                ttl,
            }),
            port::Write::SetCheckpoint { journal, position } => {
                Self::SetCheckpoint(store::SetCheckpoint { journal, position })
            }
            port::Write::DeleteJournal(name) => Self::DeleteJournal(name),
            port::Write::Put {
                document,
                expected,
                value,
                ttl,
            } => Self::Put(store::Put {
                document,
                expected: expected.into(),
                value,
                ttl,
            }),
            port::Write::Delete { document, expected } => Self::Delete(store::Delete {
                document,
                expected: expected.into(),
            }),
            port::Write::Add { counter, delta, ttl } => Self::Add(store::Add { counter, delta, ttl }),
            port::Write::IndexPut {
                index,
                member,
                score,
                value,
                only_existing,
            } => Self::IndexPut(store::IndexPut {
                index,
                member,
                score,
                value,
                only_existing,
            }),
            port::Write::IndexRemove { index, member } => {
                Self::IndexRemove(store::IndexRemove { index, member })
            }
            port::Write::IndexTrim { index, below } => Self::IndexTrim(store::IndexTrim { index, below }),
            port::Write::Acquire { lease, holder, ttl } => {
                Self::Acquire(store::Acquire { lease, holder, ttl })
            }
            port::Write::Hold { lease, epoch, ttl } => Self::Hold(store::Hold { lease, epoch, ttl }),
            port::Write::Release { lease, epoch } => Self::Release(store::Release { lease, epoch }),
            port::Write::NotAfter(moment) => Self::NotAfter(moment),
        }
    }
}

// ---- out of the bindings ----------------------------------------------------------------------------

impl From<types::LeaseState> for port::LeaseState {
    fn from(lease: types::LeaseState) -> Self {
        let types::LeaseState {
            holder,
            epoch,
            remaining,
        } = lease;
        Self {
            holder,
            epoch,
            remaining,
        }
    }
}

impl From<store::Counter> for port::Counter {
    fn from(counter: store::Counter) -> Self {
        let store::Counter { value, remaining } = counter;
        Self { value, remaining }
    }
}

impl From<store::JournalSlice> for port::JournalSlice {
    fn from(slice: store::JournalSlice) -> Self {
        let store::JournalSlice {
            length,
            checkpoint,
            first,
            entries,
        } = slice;
        Self {
            length,
            checkpoint,
            first,
            entries,
        }
    }
}

impl From<store::Found> for port::Found {
    fn from(found: store::Found) -> Self {
        match found {
            store::Found::Document(document) => Self::Document(
                document.map(|store::Document { version, value }| port::Document { version, value }),
            ),
            store::Found::Counter(counter) => Self::Counter(counter.into()),
            store::Found::Journal(slice) => Self::Journal(slice.into()),
            store::Found::Index(members) => Self::Index(
                members
                    .into_iter()
                    .map(|store::Member { member, score, value }| port::Member { member, score, value })
                    .collect(),
            ),
            store::Found::Lease(lease) => Self::Lease(lease.into()),
        }
    }
}

impl From<store::Written> for port::Written {
    fn from(written: store::Written) -> Self {
        match written {
            store::Written::Done => Self::Done,
            store::Written::Length(length) => Self::Length(length),
            store::Written::Version(version) => Self::Version(version),
            store::Written::Counter(counter) => Self::Counter(counter.into()),
            store::Written::Granted(store::Grant { epoch, until }) => Self::Granted { epoch, until },
        }
    }
}

impl From<types::Error> for port::Error {
    fn from(error: types::Error) -> Self {
        match error {
            types::Error::Conflict(types::Conflict { write, actual }) => Self::Conflict {
                write,
                actual: actual.into(),
            },
            types::Error::Invalid(message) => Self::Invalid(message),
            types::Error::Unavailable(message) => Self::Unavailable(message),
            types::Error::Corrupt(message) => Self::Corrupt(message),
        }
    }
}

impl From<types::Actual> for port::Actual {
    fn from(actual: types::Actual) -> Self {
        match actual {
            types::Actual::Length(length) => Self::Length(length),
            types::Actual::Version(version) => Self::Version(version),
            types::Actual::Lease(lease) => Self::Lease(lease.into()),
            types::Actual::Time(now) => Self::Time(now),
        }
    }
}
