//! What each write does to a scope's rows, and what each query finds in them.
//!
//! Journals are in [`super::journal`]. Every function ignores rows that have expired.

use anyturn_state::limits::MAX_INTEGER;
use anyturn_state::{
    Actual, Counter, Document, ExpectedVersion, Found, LeaseState, Member, Query, Write, Written,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::failure::Failure;
use super::journal;
use super::worker::Session;

/// When a time to live that begins now runs out.
pub(super) fn from_now(ttl: Option<u64>, now: u64) -> Option<u64> {
    ttl.map(|ttl| now.saturating_add(ttl))
}

/// Whether a row that expires then is still there.
pub(super) fn lives(expires: Option<u64>, now: u64) -> bool {
    expires.is_none_or(|expires| now < expires)
}

pub(super) fn require(holds: bool, actual: impl FnOnce() -> Actual) -> Result<(), Failure> {
    if holds {
        Ok(())
    } else {
        Err(Failure::conflict(actual()))
    }
}

/// Answers a query.
pub(super) fn find(session: &Session<'_>, scope: &str, query: Query) -> Result<Found, Failure> {
    let Session {
        connection,
        now,
        grown: _,
    } = *session;
    Ok(match query {
        Query::Document(name) => Found::Document(document(connection, scope, &name, now)?),
        Query::Counter(name) => {
            let counter = counter(connection, scope, &name, now)?;
            Found::Counter(counter.map(|stored| stored.seen(now)).unwrap_or_default())
        }
        Query::Journal {
            journal,
            start,
            limit,
        } => Found::Journal(journal::slice(connection, scope, &journal, start, limit, now)?),
        Query::Index {
            index,
            min,
            max,
            descending,
            offset,
            limit,
        } => Found::Index(members(
            connection,
            scope,
            &index,
            (min, max),
            descending,
            (offset, limit),
        )?),
        Query::Lease(name) => Found::Lease(lease(connection, scope, &name, now)?),
    })
}

/// Applies one write.
pub(super) fn apply(session: &mut Session<'_>, scope: &str, write: Write) -> Result<Written, Failure> {
    let Session { connection, now, .. } = *session;
    match write {
        Write::Append {
            journal,
            expected,
            entries,
            ttl,
        } => journal::append(session, scope, journal, expected, &entries, ttl),
        Write::SetCheckpoint { journal, position } => {
            journal::set_checkpoint(connection, scope, &journal, position, now)
        }
        Write::DeleteJournal(name) => journal::delete(connection, scope, &name),
        Write::Put {
            document,
            expected,
            value,
            ttl,
        } => put(connection, scope, &document, expected, &value, ttl, now),
        Write::Delete { document, expected } => {
            let (version, _) = version(connection, scope, &document, now)?;
            require_version(expected, version)?;
            let sql = "DELETE FROM document WHERE scope = ? AND name = ?";
            connection
                .prepare_cached(sql)?
                .execute(params![scope, document])?;
            Ok(Written::Done)
        }
        Write::Add { counter, delta, ttl } => add(connection, scope, &counter, delta, ttl, now),
        Write::IndexPut {
            index,
            member,
            score,
            value,
            only_existing,
        } => {
            let sql = if only_existing {
                "UPDATE member SET score = ?4, value = ?5 WHERE scope = ?1 AND name = ?2 AND member = ?3"
            } else {
                "INSERT INTO member (scope, name, member, score, value) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET score = excluded.score, value = excluded.value"
            };
            connection
                .prepare_cached(sql)?
                .execute(params![scope, index, member, score, value])?;
            Ok(Written::Done)
        }
        Write::IndexRemove { index, member } => {
            let sql = "DELETE FROM member WHERE scope = ? AND name = ? AND member = ?";
            connection
                .prepare_cached(sql)?
                .execute(params![scope, index, member])?;
            Ok(Written::Done)
        }
        Write::IndexTrim { index, below } => {
            let sql = "DELETE FROM member WHERE scope = ? AND name = ? AND score < ?";
            connection
                .prepare_cached(sql)?
                .execute(params![scope, index, below])?;
            Ok(Written::Done)
        }
        Write::Acquire { lease, holder, ttl } => acquire(connection, scope, &lease, &holder, ttl, now),
        Write::Hold { lease, epoch, ttl } => {
            let present = held(connection, scope, &lease, epoch, now)?;
            let Some(expires) = from_now(ttl, now) else {
                return Ok(granted(epoch, now.saturating_add(present.remaining)));
            };
            let sql = "UPDATE lease SET expires = ? WHERE scope = ? AND name = ?";
            connection
                .prepare_cached(sql)?
                .execute(params![expires, scope, lease])?;
            Ok(granted(epoch, expires))
        }
        Write::Release { lease, epoch } => {
            held(connection, scope, &lease, epoch, now)?;
            let sql = "UPDATE lease SET holder = '', expires = ? WHERE scope = ? AND name = ?";
            connection
                .prepare_cached(sql)?
                .execute(params![now, scope, lease])?;
            Ok(Written::Done)
        }
        Write::NotAfter(moment) => {
            require(now <= moment, || Actual::Time(now))?;
            Ok(Written::Done)
        }
    }
}

// ---- documents --------------------------------------------------------------------------------------

fn document(
    connection: &Connection,
    scope: &str,
    name: &str,
    now: u64,
) -> rusqlite::Result<Option<Document>> {
    let sql = "SELECT version, value FROM document
               WHERE scope = ? AND name = ? AND (expires IS NULL OR expires > ?)";
    connection
        .prepare_cached(sql)?
        .query_row(params![scope, name, now], |row| {
            Ok(Document {
                version: row.get(0)?,
                value: row.get(1)?,
            })
        })
        .optional()
}

/// A document's version, 0 when there is none, and when it expires.
fn version(
    connection: &Connection,
    scope: &str,
    name: &str,
    now: u64,
) -> rusqlite::Result<(u64, Option<u64>)> {
    let sql = "SELECT version, expires FROM document
               WHERE scope = ? AND name = ? AND (expires IS NULL OR expires > ?)";
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![scope, name, now], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.unwrap_or((0, None)))
}

fn require_version(expected: ExpectedVersion, version: u64) -> Result<(), Failure> {
    let holds = match expected {
        ExpectedVersion::Any => true,
        ExpectedVersion::Absent => version == 0,
        ExpectedVersion::Present => version > 0,
        ExpectedVersion::Exactly(expected) => version == expected,
    };
    require(holds, || Actual::Version(version))
}

fn put(
    connection: &Connection,
    scope: &str,
    name: &str,
    expected: ExpectedVersion,
    value: &[u8],
    ttl: Option<u64>,
    now: u64,
) -> Result<Written, Failure> {
    let (present, kept) = version(connection, scope, name, now)?;
    require_version(expected, present)?;
    let version = present + 1;
    let expires = from_now(ttl, now).or(kept);
    // The conflict may be with a row that has expired and is overwritten whole.
    let sql = "INSERT INTO document (scope, name, version, expires, value) VALUES (?, ?, ?, ?, ?)
               ON CONFLICT DO UPDATE
               SET version = excluded.version, expires = excluded.expires, value = excluded.value";
    connection
        .prepare_cached(sql)?
        .execute(params![scope, name, version, expires, value])?;
    Ok(Written::Version(version))
}

// ---- counters ---------------------------------------------------------------------------------------

struct Stored {
    value: i64,
    expires: Option<u64>,
}

impl Stored {
    fn seen(&self, now: u64) -> Counter {
        Counter {
            value: self.value,
            remaining: self.expires.map(|expires| expires.saturating_sub(now)),
        }
    }
}

fn counter(connection: &Connection, scope: &str, name: &str, now: u64) -> rusqlite::Result<Option<Stored>> {
    let sql = "SELECT value, expires FROM counter
               WHERE scope = ? AND name = ? AND (expires IS NULL OR expires > ?)";
    connection
        .prepare_cached(sql)?
        .query_row(params![scope, name, now], |row| {
            Ok(Stored {
                value: row.get(0)?,
                expires: row.get(1)?,
            })
        })
        .optional()
}

fn add(
    connection: &Connection,
    scope: &str,
    name: &str,
    delta: i64,
    ttl: Option<u64>,
    now: u64,
) -> Result<Written, Failure> {
    let present = counter(connection, scope, name, now)?;
    let value = present
        .as_ref()
        .map_or(0, |stored| stored.value)
        .saturating_add(delta);
    if value.unsigned_abs() > MAX_INTEGER {
        return Err(Failure::invalid(format!(
            "the counter {name:?} would leave the range of ±(2^53 − 1)"
        )));
    }
    let stored = Stored {
        value,
        expires: present.map_or(from_now(ttl, now), |stored| stored.expires),
    };
    let sql = "INSERT INTO counter (scope, name, value, expires) VALUES (?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET value = excluded.value, expires = excluded.expires";
    connection
        .prepare_cached(sql)?
        .execute(params![scope, name, stored.value, stored.expires])?;
    Ok(Written::Counter(stored.seen(now)))
}

// ---- indexes ----------------------------------------------------------------------------------------

fn members(
    connection: &Connection,
    scope: &str,
    name: &str,
    (min, max): (i64, i64),
    descending: bool,
    (offset, limit): (u32, u32),
) -> rusqlite::Result<Vec<Member>> {
    let sql = if descending {
        "SELECT member, score, value FROM member WHERE scope = ? AND name = ? AND score BETWEEN ? AND ?
         ORDER BY score DESC, member DESC LIMIT ? OFFSET ?"
    } else {
        "SELECT member, score, value FROM member WHERE scope = ? AND name = ? AND score BETWEEN ? AND ?
         ORDER BY score, member LIMIT ? OFFSET ?"
    };
    connection
        .prepare_cached(sql)?
        .query_map(params![scope, name, min, max, limit, offset], |row| {
            Ok(Member {
                member: row.get(0)?,
                score: row.get(1)?,
                value: row.get(2)?,
            })
        })?
        .collect()
}

// ---- leases -----------------------------------------------------------------------------------------

fn lease(connection: &Connection, scope: &str, name: &str, now: u64) -> rusqlite::Result<LeaseState> {
    let sql = "SELECT holder, epoch, expires FROM lease WHERE scope = ? AND name = ?";
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![scope, name], |row| {
            let (holder, epoch, expires): (String, u64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(if lives(Some(expires), now) && !holder.is_empty() {
                LeaseState {
                    holder,
                    epoch,
                    remaining: expires - now,
                }
            } else {
                LeaseState {
                    holder: String::new(),
                    epoch,
                    remaining: 0,
                }
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn acquire(
    connection: &Connection,
    scope: &str,
    name: &str,
    holder: &str,
    ttl: u64,
    now: u64,
) -> Result<Written, Failure> {
    let present = lease(connection, scope, name, now)?;
    let epoch = present.epoch + 1;
    require(present.holder.is_empty() || present.holder == holder, || {
        Actual::Lease(present)
    })?;
    let sql = "INSERT INTO lease (scope, name, holder, epoch, expires) VALUES (?, ?, ?, ?, ?)
               ON CONFLICT DO UPDATE
               SET holder = excluded.holder, epoch = excluded.epoch, expires = excluded.expires";
    let expires = now.saturating_add(ttl);
    connection
        .prepare_cached(sql)?
        .execute(params![scope, name, holder, epoch, expires])?;
    Ok(granted(epoch, expires))
}

/// A lease that is free from the moment on at which it expires.
fn granted(epoch: u64, expires: u64) -> Written {
    Written::Granted {
        epoch,
        until: expires.saturating_sub(1),
    }
}

/// The lease, if it is held with this epoch.
fn held(
    connection: &Connection,
    scope: &str,
    name: &str,
    epoch: u64,
    now: u64,
) -> Result<LeaseState, Failure> {
    let present = lease(connection, scope, name, now)?;
    if present.holder.is_empty() || present.epoch != epoch {
        return Err(Failure::conflict(Actual::Lease(present)));
    }
    Ok(present)
}
