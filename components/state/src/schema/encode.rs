//! Operations as calls of scripts: which script, on which keys, with which arguments.
//!
//! The scripts consume keys and arguments from left to right, so the order here is theirs. Arguments have
//! passed [`crate::limits`].

use super::keys::Keys;
use super::script::{self, Script};
use crate::port::{ExpectedLength, ExpectedVersion, NewJob, Position, Query, Write};

/// From how many bytes on a document is sent as it is stored, with room for its version.
const LARGE: usize = 1024;

/// What a document begins with, `1:<version>:`, before the script knows its version.
const NO_VERSION: &[u8] = b"1:0000000000000000:";

/// One call of a script.
#[derive(Debug)]
pub struct Invocation {
    /// Which.
    pub script: &'static Script,
    /// Every key that it touches; all of them have the same hash tag.
    pub keys: Vec<String>,
    /// Its arguments.
    pub args: Vec<Arg>,
}

/// An argument of a script; Redis sees all three as strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    /// A word that the scripts know.
    Word(&'static str),
    /// An integer, in decimal.
    Integer(i64),
    /// Names and values.
    Bytes(Vec<u8>),
}

impl Arg {
    /// Limits keep every number below 2^53.
    fn number(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }

    fn count(value: usize) -> Self {
        Self::number(value as u64)
    }

    /// No time to live is an empty argument.
    fn ttl(ttl: Option<u64>) -> Self {
        ttl.map_or(Self::Word(""), Self::number)
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self::Bytes(text.into_bytes())
    }
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Bytes(text.into())
    }
}

impl Invocation {
    pub(super) fn read(keys: &Keys, queries: Vec<Query>) -> Self {
        let mut call = Self::new(&script::READ, Vec::with_capacity(2 * queries.len()));
        let mut whole = Whole::default();
        call.queries(keys, queries, &mut whole);
        call.read_at_once(whole)
    }

    pub(super) fn commit(keys: &Keys, writes: Vec<Write>, queries: Vec<Query>) -> Self {
        let mut call = Self::new(
            &script::COMMIT,
            Vec::with_capacity(2 * (writes.len() + queries.len())),
        );
        call.args.push(Arg::count(writes.len()));
        let mut whole = Whole::default();
        // Only writes to an index cannot fail.
        let last = writes
            .iter()
            .rposition(|write| !is_unconditional(write))
            .unwrap_or_default();
        for (position, write) in writes.into_iter().enumerate() {
            call.write(keys, write, position >= last, &mut whole);
        }
        call.queries(keys, queries, &mut whole);
        call.read_at_once(whole)
    }

    pub(super) fn enqueue(keys: &Keys, job: NewJob) -> Self {
        let NewJob {
            id,
            payload,
            delay,
            max_attempts,
            remember,
        } = job;
        Self::new(&script::ENQUEUE, keys.queue()).with([
            id.into(),
            Arg::Bytes(payload),
            Arg::number(delay),
            Arg::number(max_attempts.into()),
            Arg::number(remember),
        ])
    }

    pub(super) fn claim(keys: &Keys, limit: u32, visibility: u64) -> Self {
        Self::new(&script::CLAIM, keys.queue()).with([Arg::number(limit.into()), Arg::number(visibility)])
    }

    pub(super) fn extend(keys: &Keys, id: &str, receipt: u64, visibility: u64) -> Self {
        Self::new(&script::EXTEND, keys.queue()).with([
            id.into(),
            Arg::number(receipt),
            Arg::number(visibility),
        ])
    }

    pub(super) fn acknowledge(keys: &Keys, id: &str, receipt: u64) -> Self {
        Self::new(&script::ACKNOWLEDGE, keys.queue()).with([id.into(), Arg::number(receipt)])
    }

    pub(super) fn retry(keys: &Keys, id: &str, receipt: u64, delay: u64, reason: &str) -> Self {
        Self::new(&script::RETRY, keys.queue()).with([
            id.into(),
            Arg::number(receipt),
            Arg::number(delay),
            reason.into(),
        ])
    }

    /// The limit is at least 1.
    pub(super) fn dead_letters(keys: &Keys, offset: u32, limit: u32) -> Self {
        Self::new(&script::DEAD_LETTERS, keys.queue())
            .with([Arg::number(offset.into()), Arg::number(limit.into())])
    }

    pub(super) fn replay(keys: &Keys, id: &str) -> Self {
        Self::new(&script::REPLAY, keys.queue()).with([id.into()])
    }

    pub(super) fn depth(keys: &Keys) -> Self {
        Self::new(&script::DEPTH, keys.queue())
    }

    fn new(script: &'static Script, keys: Vec<String>) -> Self {
        let args = Vec::with_capacity(4 * keys.capacity());
        Self { script, keys, args }
    }

    fn with<const N: usize>(mut self, args: [Arg; N]) -> Self {
        self.args.extend(args);
        self
    }

    fn push<const N: usize>(&mut self, args: [Arg; N]) {
        self.args.extend(args);
    }

    /// Adds a key whose string the script is going to read whole.
    fn whole(&mut self, key: String, whole: &mut Whole) {
        let known = whole
            .positions
            .iter()
            .any(|position| self.keys.get(*position) == Some(&key));
        if !known {
            whole.positions.push(self.keys.len());
        }
        self.keys.push(key);
    }

    /// Tells the script which strings to read by one command; a single one is read where it is needed.
    fn read_at_once(mut self, Whole { mut positions }: Whole) -> Self {
        if positions.len() < 2 {
            positions.clear();
        }
        let count = Arg::count(positions.len());
        // Lua counts from 1.
        let positions = positions.into_iter().map(|position| Arg::count(position + 1));
        self.args.splice(0..0, std::iter::once(count).chain(positions));
        self
    }

    fn journal(&mut self, keys: &Keys, name: &str) {
        self.keys.extend([keys.journal(name), keys.checkpoint(name)]);
    }

    fn index(&mut self, keys: &Keys, name: &str) {
        self.keys.extend([keys.index(name), keys.index_values(name)]);
    }

    /// `last`: no write after this one can fail.
    fn write(&mut self, keys: &Keys, write: Write, last: bool, whole: &mut Whole) {
        match write {
            Write::Append {
                journal,
                expected,
                entries,
                ttl,
            } => {
                self.journal(keys, &journal);
                let (how, length) = match expected {
                    ExpectedLength::Any => ("*", 0),
                    ExpectedLength::Exactly(length) => ("=", length),
                    ExpectedLength::AtLeast(length) => (">", length),
                };
                let count = Arg::count(entries.len());
                self.push([
                    Arg::Word("append"),
                    Arg::Word(how),
                    Arg::number(length),
                    Arg::ttl(ttl),
                    count,
                ]);
                self.args.extend(entries.into_iter().map(Arg::Bytes));
            }
            Write::SetCheckpoint { journal, position } => {
                self.journal(keys, &journal);
                self.push([Arg::Word("checkpoint"), Arg::number(position)]);
            }
            Write::DeleteJournal(journal) => {
                self.journal(keys, &journal);
                self.push([Arg::Word("delete-journal")]);
            }
            Write::Put {
                document,
                expected,
                value,
                ttl,
            } => {
                let key = keys.document(&document);
                // What is replaced is as a rule about as large; of what is large the version will do.
                if expected == ExpectedVersion::Absent || value.len() < LARGE {
                    self.whole(key, whole);
                } else {
                    self.keys.push(key);
                }
                let (how, version) = expected_version(expected);
                let (put, value) = if value.len() < LARGE {
                    ("put", value)
                } else {
                    ("put-large", [NO_VERSION, &value].concat())
                };
                self.push([Arg::Word(put), how, version, Arg::ttl(ttl), Arg::Bytes(value)]);
            }
            Write::Delete { document, expected } => {
                // What is deleted is small as a rule.
                self.whole(keys.document(&document), whole);
                let (how, version) = expected_version(expected);
                self.push([Arg::Word("delete"), how, version]);
            }
            Write::Add { counter, delta, ttl } => {
                let key = keys.counter(&counter);
                let add = if last {
                    self.keys.push(key);
                    "add-last"
                } else {
                    self.whole(key, whole);
                    "add"
                };
                self.push([Arg::Word(add), Arg::Integer(delta), Arg::ttl(ttl)]);
            }
            Write::IndexPut {
                index,
                member,
                score,
                value,
                only_existing,
            } => {
                self.index(keys, &index);
                self.push([
                    Arg::Word("index-put"),
                    Arg::Integer(only_existing.into()),
                    member.into(),
                    Arg::Integer(score),
                    Arg::Bytes(value),
                ]);
            }
            Write::IndexRemove { index, member } => {
                self.index(keys, &index);
                self.push([Arg::Word("index-remove"), member.into()]);
            }
            Write::IndexTrim { index, below } => {
                self.index(keys, &index);
                self.push([Arg::Word("index-trim"), Arg::Integer(below)]);
            }
            Write::Acquire { lease, holder, ttl } => {
                self.whole(keys.lease(&lease), whole);
                self.push([Arg::Word("acquire"), holder.into(), Arg::number(ttl)]);
            }
            Write::Hold { lease, epoch, ttl } => {
                self.whole(keys.lease(&lease), whole);
                self.push([Arg::Word("hold"), Arg::number(epoch), Arg::ttl(ttl)]);
            }
            Write::Release { lease, epoch } => {
                self.whole(keys.lease(&lease), whole);
                self.push([Arg::Word("release"), Arg::number(epoch)]);
            }
            Write::NotAfter(moment) => self.push([Arg::Word("not-after"), Arg::number(moment)]),
        }
    }

    fn queries(&mut self, keys: &Keys, queries: Vec<Query>, whole: &mut Whole) {
        self.args.push(Arg::count(queries.len()));
        for query in queries {
            self.query(keys, query, whole);
        }
    }

    fn query(&mut self, keys: &Keys, query: Query, whole: &mut Whole) {
        match query {
            Query::Document(name) => {
                self.whole(keys.document(&name), whole);
                self.push([Arg::Word("document")]);
            }
            Query::Counter(name) => {
                self.whole(keys.counter(&name), whole);
                self.push([Arg::Word("counter")]);
            }
            Query::Journal {
                journal,
                start,
                limit,
            } => {
                let (from, position) = match start {
                    Position::At(position) => ("at", position),
                    Position::Checkpoint => ("checkpoint", 0),
                    Position::Last(count) => ("last", count.into()),
                };
                if start == Position::Checkpoint {
                    self.keys.push(keys.journal(&journal));
                    self.whole(keys.checkpoint(&journal), whole);
                } else {
                    // Its checkpoint is only of interest if there is such a journal.
                    self.journal(keys, &journal);
                }
                self.push([
                    Arg::Word("journal"),
                    Arg::Word(from),
                    Arg::number(position),
                    Arg::number(limit.into()),
                ]);
            }
            Query::Index {
                index,
                min,
                max,
                descending,
                offset,
                limit,
            } => {
                self.index(keys, &index);
                let (order, from, to) = if descending {
                    ("descending", max, min)
                } else {
                    ("ascending", min, max)
                };
                self.push([
                    Arg::Word("index"),
                    Arg::Word(order),
                    Arg::Integer(from),
                    Arg::Integer(to),
                    Arg::number(offset.into()),
                    Arg::number(limit.into()),
                ]);
            }
            Query::Lease(name) => {
                self.whole(keys.lease(&name), whole);
                self.push([Arg::Word("lease")]);
            }
        }
    }
}

/// Strings that a script is going to read whole, by their positions among its keys; each once.
#[derive(Default)]
struct Whole {
    positions: Vec<usize>,
}

/// Whether a write has no condition and breaks no rule, whatever is stored.
fn is_unconditional(write: &Write) -> bool {
    matches!(
        write,
        Write::IndexPut { .. } | Write::IndexRemove { .. } | Write::IndexTrim { .. }
    )
}

fn expected_version(expected: ExpectedVersion) -> (Arg, Arg) {
    let (how, version) = match expected {
        ExpectedVersion::Any => ("*", 0),
        ExpectedVersion::Absent => ("=", 0),
        ExpectedVersion::Present => (">", 1),
        ExpectedVersion::Exactly(version) => ("=", version),
    };
    (Arg::Word(how), Arg::number(version))
}
