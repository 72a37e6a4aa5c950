//! Between the interface's types and the port's. They mirror each other; nothing is checked here.

use super::{queue, store as wit, types};
use anyturn_state as port;

pub(super) fn error(error: port::Error) -> types::Error {
    match error {
        port::Error::Conflict { write, actual } => {
            let actual = match actual {
                port::Actual::Length(length) => types::Actual::Length(length),
                port::Actual::Version(version) => types::Actual::Version(version),
                port::Actual::Lease(state) => types::Actual::Lease(lease(state)),
                port::Actual::Time(now) => types::Actual::Time(now),
            };
            types::Error::Conflict(types::Conflict { write, actual })
        }
        port::Error::Invalid(reason) => types::Error::Invalid(reason),
        port::Error::Unavailable(reason) => types::Error::Unavailable(reason),
        port::Error::Corrupt(reason) => types::Error::Corrupt(reason),
    }
}

fn lease(state: port::LeaseState) -> types::LeaseState {
    types::LeaseState {
        holder: state.holder,
        epoch: state.epoch,
        remaining: state.remaining,
    }
}

pub(super) fn query(query: wit::Query) -> port::Query {
    match query {
        wit::Query::Document(name) => port::Query::Document(name),
        wit::Query::Counter(name) => port::Query::Counter(name),
        wit::Query::Journal(query) => port::Query::Journal {
            journal: query.journal,
            start: match query.start {
                wit::Position::At(position) => port::Position::At(position),
                wit::Position::Checkpoint => port::Position::Checkpoint,
                wit::Position::Last(entries) => port::Position::Last(entries),
            },
            limit: query.limit,
        },
        wit::Query::Index(query) => port::Query::Index {
            index: query.index,
            min: query.min,
            max: query.max,
            descending: query.descending,
            offset: query.offset,
            limit: query.limit,
        },
        wit::Query::Lease(name) => port::Query::Lease(name),
    }
}

pub(super) fn found(found: port::Found) -> wit::Found {
    match found {
        port::Found::Document(document) => wit::Found::Document(document.map(|document| wit::Document {
            version: document.version,
            value: document.value,
        })),
        port::Found::Counter(found) => wit::Found::Counter(counter(found)),
        port::Found::Journal(found) => wit::Found::Journal(slice(found)),
        port::Found::Index(members) => wit::Found::Index(members.into_iter().map(member).collect()),
        port::Found::Lease(state) => wit::Found::Lease(lease(state)),
    }
}

fn counter(counter: port::Counter) -> wit::Counter {
    wit::Counter {
        value: counter.value,
        remaining: counter.remaining,
    }
}

fn member(member: port::Member) -> wit::Member {
    wit::Member {
        member: member.member,
        score: member.score,
        value: member.value,
    }
}

pub(super) fn slice(slice: port::JournalSlice) -> wit::JournalSlice {
    wit::JournalSlice {
        length: slice.length,
        checkpoint: slice.checkpoint,
        first: slice.first,
        entries: slice.entries,
    }
}

pub(super) fn write(write: wit::Write) -> port::Write {
    match write {
        wit::Write::Append(write) => port::Write::Append {
            journal: write.journal,
            expected: match write.expected {
                wit::ExpectedLength::Any => port::ExpectedLength::Any,
                wit::ExpectedLength::Exactly(length) => port::ExpectedLength::Exactly(length),
                wit::ExpectedLength::AtLeast(length) => port::ExpectedLength::AtLeast(length),
            },
            entries: write.entries,
            ttl: write.ttl,
        },
        wit::Write::SetCheckpoint(write) => port::Write::SetCheckpoint {
            journal: write.journal,
            position: write.position,
        },
        wit::Write::DeleteJournal(journal) => port::Write::DeleteJournal(journal),
        wit::Write::Put(write) => port::Write::Put {
            document: write.document,
            expected: version(write.expected),
            value: write.value,
            ttl: write.ttl,
        },
        wit::Write::Delete(write) => port::Write::Delete {
            document: write.document,
            expected: version(write.expected),
        },
        wit::Write::Add(write) => port::Write::Add {
            counter: write.counter,
            delta: write.delta,
            ttl: write.ttl,
        },
        wit::Write::IndexPut(write) => port::Write::IndexPut {
            index: write.index,
            member: write.member,
            score: write.score,
            value: write.value,
            only_existing: write.only_existing,
        },
        wit::Write::IndexRemove(write) => port::Write::IndexRemove {
            index: write.index,
            member: write.member,
        },
        wit::Write::IndexTrim(write) => port::Write::IndexTrim {
            index: write.index,
            below: write.below,
        },
        wit::Write::Acquire(write) => port::Write::Acquire {
            lease: write.lease,
            holder: write.holder,
            ttl: write.ttl,
        },
        wit::Write::Hold(write) => port::Write::Hold {
            lease: write.lease,
            epoch: write.epoch,
            ttl: write.ttl,
        },
        wit::Write::Release(write) => port::Write::Release {
            lease: write.lease,
            epoch: write.epoch,
        },
        wit::Write::NotAfter(moment) => port::Write::NotAfter(moment),
    }
}

fn version(expected: wit::ExpectedVersion) -> port::ExpectedVersion {
    match expected {
        wit::ExpectedVersion::Any => port::ExpectedVersion::Any,
        wit::ExpectedVersion::Absent => port::ExpectedVersion::Absent,
        wit::ExpectedVersion::Present => port::ExpectedVersion::Present,
        wit::ExpectedVersion::Exactly(version) => port::ExpectedVersion::Exactly(version),
    }
}

pub(super) fn written(written: port::Written) -> wit::Written {
    match written {
        port::Written::Done => wit::Written::Done,
        port::Written::Length(length) => wit::Written::Length(length),
        port::Written::Version(version) => wit::Written::Version(version),
        port::Written::Counter(value) => wit::Written::Counter(counter(value)),
        port::Written::Granted { epoch, until } => wit::Written::Granted(wit::Grant { epoch, until }),
    }
}

pub(super) fn new_job(job: queue::NewJob) -> port::NewJob {
    port::NewJob {
        id: job.id,
        payload: job.payload,
        delay: job.delay,
        max_attempts: job.max_attempts,
        remember: job.remember,
    }
}

pub(super) fn job(job: port::Job) -> queue::Job {
    queue::Job {
        id: job.id,
        payload: job.payload,
        attempt: job.attempt,
        receipt: job.receipt,
    }
}

pub(super) fn dead_job(job: port::DeadJob) -> queue::DeadJob {
    queue::DeadJob {
        id: job.id,
        payload: job.payload,
        attempts: job.attempts,
        reason: job.reason,
        at: job.at,
    }
}

pub(super) fn depth(depth: port::Depth) -> queue::QueueDepth {
    queue::QueueDepth {
        due: depth.due,
        delayed: depth.delayed,
        running: depth.running,
        dead: depth.dead,
    }
}
