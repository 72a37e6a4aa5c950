//! The types of `anyturn:state` and the traits that its implementations and its users meet in.
//!
//! They mirror `wit/state/state.wit`, which holds the promises; this module adds none and drops none.
//! Futures are not `Send` by contract, so that components (one thread) and natively compiled tests can
//! implement the traits alike; a concrete store's futures are `Send` where its parts are.

use serde::{Deserialize, Serialize};

/// One thing to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// A document.
    Document(String),
    /// A counter.
    Counter(String),
    /// A part of a journal.
    Journal {
        /// The journal's name.
        journal: String,
        /// Where to begin.
        start: Position,
        /// At most this many entries; 0 tells the length only.
        limit: u32,
    },
    /// A part of an index.
    Index {
        /// The index's name.
        index: String,
        /// Lowest score, inclusive.
        min: i64,
        /// Highest score, inclusive.
        max: i64,
        /// From the highest score down.
        descending: bool,
        /// Skip so many.
        offset: u32,
        /// At most this many.
        limit: u32,
    },
    /// A lease.
    Lease(String),
}

/// A place in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// An absolute position; 0 is the first entry.
    At(u64),
    /// The journal's checkpoint (0 when none was set).
    Checkpoint,
    /// So many entries before the end.
    Last(u32),
}

/// What a query found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Found {
    /// The document, if there is one.
    Document(Option<Document>),
    /// The counter.
    Counter(Counter),
    /// The entries.
    Journal(JournalSlice),
    /// The members.
    Index(Vec<Member>),
    /// The lease.
    Lease(LeaseState),
}

/// A document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Starts at 1 and grows by 1 with every put.
    pub version: u64,
    /// The value.
    pub value: Vec<u8>,
}

/// A counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// The value; 0 when the counter does not exist.
    pub value: i64,
    /// Milliseconds until it expires.
    pub remaining: Option<u64>,
}

/// Entries of a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalSlice {
    /// The journal's length.
    pub length: u64,
    /// The journal's checkpoint.
    pub checkpoint: u64,
    /// The position of the first entry in `entries`; of an empty slice, the position that was asked for.
    pub first: u64,
    /// The entries, without gaps.
    pub entries: Vec<Vec<u8>>,
}

/// A member of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub member: String,
    /// What it is ordered by.
    pub score: i64,
    /// Its value.
    pub value: Vec<u8>,
}

/// A lease as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseState {
    /// Who holds it; empty when nobody does.
    pub holder: String,
    /// The epoch of the last acquisition; 0 when it was never acquired.
    pub epoch: u64,
    /// Milliseconds until it runs out; 0 when nobody holds it.
    pub remaining: u64,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Write {
    /// Appends entries to a journal; without entries, a condition and nothing else. Result:
    /// [`Written::Length`].
    Append {
        /// The journal's name.
        journal: String,
        /// Condition on the length before the append.
        expected: ExpectedLength,
        /// What to append.
        entries: Vec<Vec<u8>>,
        /// Milliseconds from now, for the whole journal.
        ttl: Option<u64>,
    },
    /// Sets a journal's checkpoint. Result: [`Written::Done`].
    SetCheckpoint {
        /// The journal's name.
        journal: String,
        /// At most the length after this commit's appends so far.
        position: u64,
    },
    /// Deletes a journal with its checkpoint. Result: [`Written::Done`].
    DeleteJournal(String),
    /// Creates or replaces a document. Result: [`Written::Version`].
    Put {
        /// The document's name.
        document: String,
        /// Condition on the version before the put.
        expected: ExpectedVersion,
        /// The new value.
        value: Vec<u8>,
        /// Milliseconds from now.
        ttl: Option<u64>,
    },
    /// Deletes a document. Result: [`Written::Done`].
    Delete {
        /// The document's name.
        document: String,
        /// Condition on the version.
        expected: ExpectedVersion,
    },
    /// Adds to a counter. Result: [`Written::Counter`].
    Add {
        /// The counter's name.
        counter: String,
        /// How much.
        delta: i64,
        /// Milliseconds; set only when the counter does not exist yet.
        ttl: Option<u64>,
    },
    /// Adds or replaces a member of an index. Result: [`Written::Done`].
    IndexPut {
        /// The index's name.
        index: String,
        /// The member.
        member: String,
        /// What it is ordered by.
        score: i64,
        /// Its value; at most 4 KiB.
        value: Vec<u8>,
        /// Do nothing unless the member is there already.
        only_existing: bool,
    },
    /// Removes a member of an index. Result: [`Written::Done`].
    IndexRemove {
        /// The index's name.
        index: String,
        /// The member.
        member: String,
    },
    /// Removes all members with a lower score. Result: [`Written::Done`].
    IndexTrim {
        /// The index's name.
        index: String,
        /// Members with a score lower than this go.
        below: i64,
    },
    /// Acquires a lease that nobody else holds. Result: [`Written::Granted`].
    Acquire {
        /// The lease's name.
        lease: String,
        /// Unique to the instance that asks.
        holder: String,
        /// Milliseconds.
        ttl: u64,
    },
    /// Requires that a lease is held with this epoch. Result: [`Written::Granted`].
    Hold {
        /// The lease's name.
        lease: String,
        /// The epoch that it was acquired with.
        epoch: u64,
        /// The lease's new time to live, in milliseconds from now.
        ttl: Option<u64>,
    },
    /// Gives a lease up. Result: [`Written::Done`].
    Release {
        /// The lease's name.
        lease: String,
        /// The epoch that it was acquired with.
        epoch: u64,
    },
    /// Requires that the store's clock is not past this moment, in milliseconds since the Unix epoch. Result:
    /// [`Written::Done`].
    NotAfter(u64),
}

/// A condition on a journal's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExpectedLength {
    /// None.
    Any,
    /// Exactly this; 0 means that the journal does not exist.
    Exactly(u64),
    /// This or more.
    AtLeast(u64),
}

/// A condition on a document's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExpectedVersion {
    /// None.
    Any,
    /// There is no such document.
    Absent,
    /// There is one, whatever its version.
    Present,
    /// Exactly this version.
    Exactly(u64),
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Written {
    /// It was done, and there is nothing to tell.
    Done,
    /// The journal's length after the append.
    Length(u64),
    /// The document's version after the put.
    Version(u64),
    /// The counter after the addition.
    Counter(Counter),
    /// The lease as the one who asked now has it.
    Granted {
        /// The epoch of the acquisition.
        epoch: u64,
        /// The last moment at which it is held unless it is prolonged or given up, by the store's clock, in
        /// milliseconds since the Unix epoch: what is committed with [`Write::NotAfter`] this moment is
        /// committed before anybody else has the lease.
        until: u64,
    },
}

/// What a commit did and found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// One for each write.
    pub written: Vec<Written>,
    /// One for each query.
    pub found: Vec<Found>,
}

/// Why an operation did not happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// A condition did not hold; nothing was applied.
    #[error("the condition of write {write} did not hold: {actual}")]
    Conflict {
        /// The position in the list of writes.
        write: u32,
        /// What is the case.
        actual: Actual,
    },
    /// The request breaks a limit or a rule.
    #[error("invalid request to the store: {0}")]
    Invalid(String),
    /// The store cannot be reached; the operation may or may not have been applied.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store answered something that this version does not understand.
    #[error("the store holds data that this version does not understand: {0}")]
    Corrupt(String),
}

/// What a condition found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actual {
    /// The journal's length.
    Length(u64),
    /// The document's version; 0 when there is none.
    Version(u64),
    /// The lease as it is.
    Lease(LeaseState),
    /// The store's clock, in milliseconds since the Unix epoch.
    Time(u64),
}

impl std::fmt::Display for Actual {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Actual::Length(length) => write!(f, "the journal's length is {length}"),
            Actual::Version(0) => write!(f, "there is no such document"),
            Actual::Version(version) => write!(f, "the document's version is {version}"),
            Actual::Lease(lease) if lease.holder.is_empty() => {
                write!(f, "nobody holds the lease; its epoch is {}", lease.epoch)
            }
            Actual::Lease(lease) => write!(f, "the lease is held with epoch {}", lease.epoch),
            Actual::Time(now) => write!(f, "the store's clock is at {now} ms, past the moment required"),
        }
    }
}

/// `anyturn:state/store`.
#[allow(async_fn_in_trait)]
pub trait Store {
    /// Reads several things of one scope, as of one moment.
    async fn read(&self, scope: &str, queries: Vec<Query>) -> Result<Vec<Found>, Error>;

    /// Applies all writes or none, then answers the queries as of the same moment.
    async fn commit(&self, scope: &str, writes: Vec<Write>, queries: Vec<Query>) -> Result<Committed, Error>;

    /// Waits, at most `timeout` milliseconds, until a journal has an entry at `start` or later.
    async fn watch(
        &self,
        scope: &str,
        journal: &str,
        start: u64,
        limit: u32,
        timeout: u64,
    ) -> Result<JournalSlice, Error>;
}

/// A job to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewJob {
    /// At most one job with this id is in the queue.
    pub id: String,
    /// What the worker gets.
    pub payload: Vec<u8>,
    /// Milliseconds from now until it may be claimed.
    pub delay: u64,
    /// Claimed this often without being acknowledged, it goes to the dead letters.
    pub max_attempts: u32,
    /// Milliseconds for which its id stays taken after it was acknowledged.
    pub remember: u64,
}

/// A job given to a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The job's id.
    pub id: String,
    /// What was enqueued.
    pub payload: Vec<u8>,
    /// 1 for the first time.
    pub attempt: u32,
    /// Proves that this claim is the present one.
    pub receipt: u64,
}

/// A job that failed for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadJob {
    /// The job's id.
    pub id: String,
    /// What was enqueued.
    pub payload: Vec<u8>,
    /// How often it was claimed.
    pub attempts: u32,
    /// What the worker said last.
    pub reason: String,
    /// Milliseconds since the Unix epoch.
    pub at: u64,
}

/// How many jobs are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Depth {
    /// May be claimed now.
    pub due: u64,
    /// Will be later.
    pub delayed: u64,
    /// Claimed, within their visibility time-out.
    pub running: u64,
    /// In the dead letters.
    pub dead: u64,
}

/// `anyturn:state/queue`. Times are in milliseconds.
#[allow(async_fn_in_trait)]
pub trait Queue {
    /// Adds a job; `false` when its id is taken.
    async fn enqueue(&self, queue: &str, job: NewJob) -> Result<bool, Error>;
    /// Gives out up to `limit` due jobs, hidden from others for `visibility`.
    async fn claim(&self, queue: &str, limit: u32, visibility: u64) -> Result<Vec<Job>, Error>;
    /// Prolongs a claim; `false` when the receipt is not the present one.
    async fn extend(&self, queue: &str, id: &str, receipt: u64, visibility: u64) -> Result<bool, Error>;
    /// Removes a finished job; `false` when the receipt is not the present one.
    async fn acknowledge(&self, queue: &str, id: &str, receipt: u64) -> Result<bool, Error>;
    /// Gives a job back; `false` when the receipt is not the present one.
    async fn retry(
        &self,
        queue: &str,
        id: &str,
        receipt: u64,
        delay: u64,
        reason: &str,
    ) -> Result<bool, Error>;
    /// The dead letters, the latest first.
    async fn dead_letters(&self, queue: &str, offset: u32, limit: u32) -> Result<Vec<DeadJob>, Error>;
    /// Puts a dead letter back; `false` when there is no such one.
    async fn replay(&self, queue: &str, id: &str) -> Result<bool, Error>;
    /// How many jobs are where.
    async fn depth(&self, queue: &str) -> Result<Depth, Error>;
}
