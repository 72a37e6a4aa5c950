//! The bindings' types and the port's. Conversion moves strings and bytes and copies none of them.

use anyturn_state as port;

use crate::bindings::exports::anyturn::state::{queue, store, types};

// ---- into the port ----------------------------------------------------------------------------------

impl From<store::Position> for port::Position {
    fn from(position: store::Position) -> Self {
        match position {
            store::Position::At(position) => Self::At(position),
            store::Position::Checkpoint => Self::Checkpoint,
            store::Position::Last(count) => Self::Last(count),
        }
    }
}

impl From<store::Query> for port::Query {
    fn from(query: store::Query) -> Self {
        match query {
            store::Query::Document(name) => Self::Document(name),
            store::Query::Counter(name) => Self::Counter(name),
            store::Query::Journal(store::JournalQuery {
                journal,
                start,
                limit,
            }) => Self::Journal {
                journal,
                start: start.into(),
                limit,
            },
            store::Query::Index(store::IndexQuery {
                index,
                min,
                max,
                descending,
                offset,
                limit,
            }) => Self::Index {
                index,
                min,
                max,
                descending,
                offset,
                limit,
            },
            store::Query::Lease(name) => Self::Lease(name),
        }
    }
}

impl From<store::ExpectedLength> for port::ExpectedLength {
    fn from(expected: store::ExpectedLength) -> Self {
        match expected {
            store::ExpectedLength::Any => Self::Any,
            store::ExpectedLength::Exactly(length) => Self::Exactly(length),
            store::ExpectedLength::AtLeast(length) => Self::AtLeast(length),
        }
    }
}

impl From<store::ExpectedVersion> for port::ExpectedVersion {
    fn from(expected: store::ExpectedVersion) -> Self {
        match expected {
            store::ExpectedVersion::Any => Self::Any,
            store::ExpectedVersion::Absent => Self::Absent,
            store::ExpectedVersion::Present => Self::Present,
            store::ExpectedVersion::Exactly(version) => Self::Exactly(version),
        }
    }
}

impl From<store::Write> for port::Write {
    fn from(write: store::Write) -> Self {
        match write {
            store::Write::Append(store::Append {
                journal,
                expected,
                entries,
                ttl,
            }) => Self::Append {
                journal,
                expected: expected.into(),
                entries,
                ttl,
            },
            store::Write::SetCheckpoint(store::SetCheckpoint { journal, position }) => {
                Self::SetCheckpoint { journal, position }
            }
            store::Write::DeleteJournal(name) => Self::DeleteJournal(name),
            store::Write::Put(store::Put {
                document,
                expected,
                value,
                ttl,
            }) => Self::Put {
                document,
                expected: expected.into(),
                value,
                ttl,
            },
            store::Write::Delete(store::Delete { document, expected }) => Self::Delete {
                document,
                expected: expected.into(),
            },
            store::Write::Add(store::Add { counter, delta, ttl }) => Self::Add { counter, delta, ttl },
            store::Write::IndexPut(store::IndexPut {
                index,
                member,
                score,
                value,
                only_existing,
            }) => Self::IndexPut {
                index,
                member,
                score,
                value,
                only_existing,
            },
            store::Write::IndexRemove(store::IndexRemove { index, member }) => {
                Self::IndexRemove { index, member }
            }
            store::Write::IndexTrim(store::IndexTrim { index, below }) => Self::IndexTrim { index, below },
            store::Write::Acquire(store::Acquire { lease, holder, ttl }) => {
                Self::Acquire { lease, holder, ttl }
            }
            store::Write::Hold(store::Hold { lease, epoch, ttl }) => Self::Hold { lease, epoch, ttl },
            store::Write::Release(store::Release { lease, epoch }) => Self::Release { lease, epoch },
            store::Write::NotAfter(moment) => Self::NotAfter(moment),
        }
    }
}

impl From<queue::NewJob> for port::NewJob {
    fn from(job: queue::NewJob) -> Self {
        let queue::NewJob {
            id,
            payload,
            delay,
            max_attempts,
            remember,
        } = job;
        Self {
            id,
            payload,
            delay,
            max_attempts,
            remember,
        }
    }
}

// ---- out of the port --------------------------------------------------------------------------------

impl From<port::LeaseState> for types::LeaseState {
    fn from(lease: port::LeaseState) -> Self {
        let port::LeaseState {
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

impl From<port::Counter> for store::Counter {
    fn from(counter: port::Counter) -> Self {
        let port::Counter { value, remaining } = counter;
        Self { value, remaining }
    }
}

impl From<port::JournalSlice> for store::JournalSlice {
    fn from(slice: port::JournalSlice) -> Self {
        let port::JournalSlice {
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

impl From<port::Found> for store::Found {
    fn from(found: port::Found) -> Self {
        match found {
            port::Found::Document(document) => Self::Document(
                document.map(|port::Document { version, value }| store::Document { version, value }),
            ),
            port::Found::Counter(counter) => Self::Counter(counter.into()),
            port::Found::Journal(slice) => Self::Journal(slice.into()),
            port::Found::Index(members) => Self::Index(
                members
                    .into_iter()
                    .map(|port::Member { member, score, value }| store::Member { member, score, value })
                    .collect(),
            ),
            port::Found::Lease(lease) => Self::Lease(lease.into()),
        }
    }
}

impl From<port::Written> for store::Written {
    fn from(written: port::Written) -> Self {
        match written {
            port::Written::Done => Self::Done,
            port::Written::Length(length) => Self::Length(length),
            port::Written::Version(version) => Self::Version(version),
            port::Written::Counter(counter) => Self::Counter(counter.into()),
            port::Written::Granted { epoch, until } => Self::Granted(store::Grant { epoch, until }),
        }
    }
}

impl From<port::Committed> for store::Committed {
    fn from(committed: port::Committed) -> Self {
        let port::Committed { written, found } = committed;
        Self {
            written: written.into_iter().map(Into::into).collect(),
            found: found.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<port::Job> for queue::Job {
    fn from(job: port::Job) -> Self {
        let port::Job {
            id,
            payload,
            attempt,
            receipt,
        } = job;
        Self {
            id,
            payload,
            attempt,
            receipt,
        }
    }
}

impl From<port::DeadJob> for queue::DeadJob {
    fn from(job: port::DeadJob) -> Self {
        let port::DeadJob {
            id,
            payload,
            attempts,
            reason,
            at,
        } = job;
        Self {
            id,
            payload,
            attempts,
            reason,
            at,
        }
    }
}

impl From<port::Depth> for queue::QueueDepth {
    fn from(depth: port::Depth) -> Self {
        let port::Depth {
            due,
            delayed,
            running,
            dead,
        } = depth;
        Self {
            due,
            delayed,
            running,
            dead,
        }
    }
}

impl From<port::Actual> for types::Actual {
    fn from(actual: port::Actual) -> Self {
        match actual {
            port::Actual::Length(length) => Self::Length(length),
            port::Actual::Version(version) => Self::Version(version),
            port::Actual::Lease(lease) => Self::Lease(lease.into()),
            port::Actual::Time(now) => Self::Time(now),
        }
    }
}

impl From<port::Error> for types::Error {
    fn from(error: port::Error) -> Self {
        match error {
            port::Error::Conflict { write, actual } => Self::Conflict(types::Conflict {
                write,
                actual: actual.into(),
            }),
            port::Error::Invalid(message) => Self::Invalid(message),
            port::Error::Unavailable(message) => Self::Unavailable(message),
            port::Error::Corrupt(message) => Self::Corrupt(message),
        }
    }
}
