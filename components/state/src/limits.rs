//! The limits of `anyturn:state`, checked once and in one place for every store.
//!
//! A store calls the function that bears its operation's name before anything else; what it returns is the
//! `invalid` error of the WIT, written for the person who has to change the call. What depends on the stored
//! state (a counter that would leave its range, a checkpoint past the end) is left to the store.

use crate::port::{Error, ExpectedLength, ExpectedVersion, NewJob, Position, Query, Write};

/// Counters, scores, versions, epochs, positions and moments lie within plus and minus this: 2^53 − 1, the largest
/// integer up to which a double (Redis scores, Lua numbers) holds every integer exactly.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;
/// Times to live, delays and time-outs, in milliseconds: the present time plus one of them is below
/// [`MAX_INTEGER`].
pub const MAX_DURATION: u64 = 1 << 52;
/// A scope's length in bytes.
pub const MAX_SCOPE: usize = 512;
/// A name's length in bytes; also of a queue's job id.
pub const MAX_NAME: usize = 256;
/// A namespace's length in bytes.
pub const MAX_NAMESPACE: usize = 64;
/// A lease holder's length in bytes.
pub const MAX_HOLDER: usize = 128;
/// A document's value, a journal entry or a job's payload, in bytes.
pub const MAX_VALUE: usize = 1 << 20;
/// An index member's value, in bytes.
pub const MAX_MEMBER_VALUE: usize = 4 << 10;
/// What a worker may say about a job that failed, in bytes.
pub const MAX_REASON: usize = 4 << 10;
/// Writes and queries of one operation together.
pub const MAX_ITEMS: usize = 128;
/// Journal entries of one commit.
pub const MAX_ENTRIES: usize = 1024;
/// All names, values and entries of one operation together, in bytes.
pub const MAX_OPERATION: usize = 4 << 20;
/// How long a watch may wait, in milliseconds.
pub const MAX_WATCH: u64 = 30_000;
/// Jobs or dead letters of one call.
pub const MAX_JOBS: u32 = 1024;

/// Checks the name that a host binds a component's state to. It contains no `/`, so that a namespace and a
/// scope joined by one cannot be taken for another pair.
pub fn namespace(namespace: &str) -> Result<(), Error> {
    plain("a namespace", namespace, MAX_NAMESPACE)?;
    if namespace.contains('/') {
        return Err(invalid(format!(
            "a namespace must not contain '/': {namespace:?}"
        )));
    }
    Ok(())
}

/// Checks a scope.
pub fn scope(scope: &str) -> Result<(), Error> {
    plain("a scope", scope, MAX_SCOPE)
}

/// Checks the arguments of `read`.
pub fn read(scope: &str, queries: &[Query]) -> Result<(), Error> {
    commit(scope, &[], queries)
}

/// Checks the arguments of `commit`.
pub fn commit(scope: &str, writes: &[Write], queries: &[Query]) -> Result<(), Error> {
    self::scope(scope)?;
    let items = writes.len() + queries.len();
    if items > MAX_ITEMS {
        return Err(invalid(format!(
            "one operation has at most {MAX_ITEMS} writes and queries, this one has {items}"
        )));
    }
    let mut total = Total::default();
    for write in writes {
        check_write(write, &mut total)?;
    }
    for query in queries {
        check_query(query, &mut total)?;
    }
    total.check()
}

/// Checks the arguments of `watch`.
pub fn watch(scope: &str, journal: &str, start: u64, timeout: u64) -> Result<(), Error> {
    self::scope(scope)?;
    name(journal)?;
    integer("a position", start)?;
    if timeout > MAX_WATCH {
        return Err(invalid(format!(
            "a watch waits at most {MAX_WATCH} ms, not {timeout}"
        )));
    }
    Ok(())
}

/// Checks the arguments of `enqueue`.
pub fn enqueue(queue: &str, job: &NewJob) -> Result<(), Error> {
    scope(queue)?;
    job_id(&job.id)?;
    bytes("a job's payload", job.payload.len(), MAX_VALUE)?;
    duration("a delay", job.delay)?;
    duration("the time for which an id is remembered", job.remember)?;
    if job.max_attempts == 0 {
        return Err(invalid("a job needs at least 1 attempt".to_owned()));
    }
    Ok(())
}

/// Checks the arguments of `claim`.
pub fn claim(queue: &str, limit: u32, visibility: u64) -> Result<(), Error> {
    scope(queue)?;
    page(limit)?;
    positive("a visibility time-out", visibility)
}

/// Checks the arguments of `extend`.
pub fn extend(queue: &str, id: &str, receipt: u64, visibility: u64) -> Result<(), Error> {
    acknowledge(queue, id, receipt)?;
    positive("a visibility time-out", visibility)
}

/// Checks the arguments of `acknowledge`.
pub fn acknowledge(queue: &str, id: &str, receipt: u64) -> Result<(), Error> {
    scope(queue)?;
    job_id(id)?;
    integer("a receipt", receipt)
}

/// Checks the arguments of `retry`.
pub fn retry(queue: &str, id: &str, receipt: u64, delay: u64, reason: &str) -> Result<(), Error> {
    acknowledge(queue, id, receipt)?;
    duration("a delay", delay)?;
    bytes("a reason", reason.len(), MAX_REASON)
}

/// Checks the arguments of `dead-letters`.
pub fn dead_letters(queue: &str, limit: u32) -> Result<(), Error> {
    scope(queue)?;
    page(limit)
}

/// Checks the arguments of `replay`.
pub fn replay(queue: &str, id: &str) -> Result<(), Error> {
    scope(queue)?;
    job_id(id)
}

/// The bytes and entries of an operation so far.
#[derive(Default)]
struct Total {
    bytes: usize,
    entries: usize,
}

impl Total {
    fn name(&mut self, name: &str) -> Result<(), Error> {
        self.bytes += name.len();
        self::name(name)
    }

    fn value(&mut self, what: &str, length: usize, most: usize) -> Result<(), Error> {
        self.bytes += length;
        bytes(what, length, most)
    }

    fn check(&self) -> Result<(), Error> {
        if self.entries > MAX_ENTRIES {
            return Err(invalid(format!(
                "one commit appends at most {MAX_ENTRIES} entries, this one has {}",
                self.entries
            )));
        }
        bytes("one operation", self.bytes, MAX_OPERATION)
    }
}

fn check_write(write: &Write, total: &mut Total) -> Result<(), Error> {
    match write {
        Write::Append {
            journal,
            expected,
            entries,
            ttl,
        } => {
            total.name(journal)?;
            match *expected {
                ExpectedLength::Any => {}
                ExpectedLength::Exactly(length) | ExpectedLength::AtLeast(length) => {
                    integer("a length", length)?;
                }
            }
            total.entries += entries.len();
            for entry in entries {
                total.value("a journal entry", entry.len(), MAX_VALUE)?;
            }
            time_to_live(*ttl)
        }
        Write::SetCheckpoint { journal, position } => {
            total.name(journal)?;
            integer("a position", *position)
        }
        Write::DeleteJournal(name) => total.name(name),
        Write::Put {
            document,
            expected,
            value,
            ttl,
        } => {
            total.name(document)?;
            version(*expected)?;
            total.value("a document", value.len(), MAX_VALUE)?;
            time_to_live(*ttl)
        }
        Write::Delete { document, expected } => {
            total.name(document)?;
            version(*expected)
        }
        Write::Add { counter, delta, ttl } => {
            total.name(counter)?;
            signed("an addition", *delta)?;
            time_to_live(*ttl)
        }
        Write::IndexPut {
            index,
            member,
            score,
            value,
            only_existing: _,
        } => {
            total.name(index)?;
            total.name(member)?;
            signed("a score", *score)?;
            total.value("an index member's value", value.len(), MAX_MEMBER_VALUE)
        }
        Write::IndexRemove { index, member } => {
            total.name(index)?;
            total.name(member)
        }
        Write::IndexTrim { index, below } => {
            total.name(index)?;
            signed("a score", *below)
        }
        Write::Acquire { lease, holder, ttl } => {
            total.name(lease)?;
            if holder.is_empty() {
                return Err(invalid("a lease's holder must not be empty".to_owned()));
            }
            total.value("a lease's holder", holder.len(), MAX_HOLDER)?;
            positive("a lease's time to live", *ttl)
        }
        Write::Hold { lease, epoch, ttl } => {
            total.name(lease)?;
            integer("an epoch", *epoch)?;
            time_to_live(*ttl)
        }
        Write::Release { lease, epoch } => {
            total.name(lease)?;
            integer("an epoch", *epoch)
        }
        Write::NotAfter(moment) => integer("a moment", *moment),
    }
}

fn check_query(query: &Query, total: &mut Total) -> Result<(), Error> {
    match query {
        Query::Document(name) | Query::Counter(name) | Query::Lease(name) => total.name(name),
        Query::Journal {
            journal,
            start,
            limit: _,
        } => {
            total.name(journal)?;
            match *start {
                Position::At(position) => integer("a position", position),
                Position::Checkpoint | Position::Last(_) => Ok(()),
            }
        }
        // Bounds outside the range of scores are good bounds: they exclude nothing.
        Query::Index {
            index,
            min: _,
            max: _,
            descending: _,
            offset: _,
            limit: _,
        } => total.name(index),
    }
}

fn name(name: &str) -> Result<(), Error> {
    plain("a name", name, MAX_NAME)
}

fn plain(what: &str, text: &str, most: usize) -> Result<(), Error> {
    if text.is_empty() {
        return Err(invalid(format!("{what} must not be empty")));
    }
    bytes(what, text.len(), most)?;
    match text
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "._~:/@+=-".contains(*c)))
    {
        None => Ok(()),
        Some(bad) => Err(invalid(format!(
            "{what} is made of ASCII letters, digits and . _ ~ : / @ + = - only; {text:?} has {bad:?}"
        ))),
    }
}

fn job_id(id: &str) -> Result<(), Error> {
    if id.is_empty() {
        return Err(invalid("a job's id must not be empty".to_owned()));
    }
    bytes("a job's id", id.len(), MAX_NAME)
}

fn version(expected: ExpectedVersion) -> Result<(), Error> {
    match expected {
        ExpectedVersion::Exactly(version) => integer("a version", version),
        ExpectedVersion::Any | ExpectedVersion::Absent | ExpectedVersion::Present => Ok(()),
    }
}

fn bytes(what: &str, length: usize, most: usize) -> Result<(), Error> {
    if length > most {
        return Err(invalid(format!(
            "{what} has at most {most} bytes, this one has {length}"
        )));
    }
    Ok(())
}

fn integer(what: &str, value: u64) -> Result<(), Error> {
    if value > MAX_INTEGER {
        return Err(invalid(format!("{what} is at most {MAX_INTEGER}, not {value}")));
    }
    Ok(())
}

fn signed(what: &str, value: i64) -> Result<(), Error> {
    if value.unsigned_abs() > MAX_INTEGER {
        return Err(invalid(format!(
            "{what} lies between -{MAX_INTEGER} and {MAX_INTEGER}, unlike {value}"
        )));
    }
    Ok(())
}

fn time_to_live(ttl: Option<u64>) -> Result<(), Error> {
    ttl.map_or(Ok(()), |ttl| positive("a time to live", ttl))
}

fn positive(what: &str, duration: u64) -> Result<(), Error> {
    if duration == 0 {
        return Err(invalid(format!("{what} is at least 1 ms")));
    }
    self::duration(what, duration)
}

fn duration(what: &str, duration: u64) -> Result<(), Error> {
    if duration > MAX_DURATION {
        return Err(invalid(format!(
            "{what} is at most {MAX_DURATION} ms, not {duration}"
        )));
    }
    Ok(())
}

fn page(limit: u32) -> Result<(), Error> {
    if limit > MAX_JOBS {
        return Err(invalid(format!(
            "one call returns at most {MAX_JOBS} jobs, not {limit}"
        )));
    }
    Ok(())
}

fn invalid(message: String) -> Error {
    Error::Invalid(message)
}
