//! Journals: a row for the journal, and one for each entry.
//!
//! Deleting a journal, or beginning one anew where the old one has expired, costs the same however long it was: the
//! row goes at once, and the entries, which are known by the old row's number only, go later ([`super::expiry`]).

use anyturn_state::{Actual, ExpectedLength, JournalSlice, Position, Written};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::failure::Failure;
use super::scope::{from_now, lives, require};
use super::worker::Session;

struct Journal {
    id: i64,
    length: u64,
    checkpoint: u64,
    expires: Option<u64>,
}

/// A journal's row, even if it has expired.
fn row(connection: &Connection, scope: &str, name: &str) -> rusqlite::Result<Option<Journal>> {
    let sql = "SELECT id, length, checkpoint, expires FROM journal WHERE scope = ? AND name = ?";
    let read = |row: &Row<'_>| {
        Ok(Journal {
            id: row.get(0)?,
            length: row.get(1)?,
            checkpoint: row.get(2)?,
            expires: row.get(3)?,
        })
    };
    connection
        .prepare_cached(sql)?
        .query_row(params![scope, name], read)
        .optional()
}

fn present(connection: &Connection, scope: &str, name: &str, now: u64) -> rusqlite::Result<Option<Journal>> {
    Ok(row(connection, scope, name)?.filter(|journal| lives(journal.expires, now)))
}

/// A part of a journal; one that does not exist is empty.
pub(super) fn slice(
    connection: &Connection,
    scope: &str,
    name: &str,
    start: Position,
    limit: u32,
    now: u64,
) -> rusqlite::Result<JournalSlice> {
    let journal = present(connection, scope, name, now)?;
    let (length, checkpoint) = journal
        .as_ref()
        .map_or((0, 0), |found| (found.length, found.checkpoint));
    let first = match start {
        Position::At(position) => position,
        Position::Checkpoint => checkpoint,
        Position::Last(count) => length.saturating_sub(u64::from(count)),
    };
    let entries = match journal {
        Some(journal) if first < length && limit > 0 => {
            let sql = "SELECT value FROM entry WHERE journal = ? AND position >= ? ORDER BY position LIMIT ?";
            let mut statement = connection.prepare_cached(sql)?;
            let entries = statement.query_map(params![journal.id, first, limit], |row| row.get(0))?;
            entries.collect::<rusqlite::Result<_>>()?
        }
        _ => Vec::new(),
    };
    Ok(JournalSlice {
        length,
        checkpoint,
        first,
        entries,
    })
}

/// Appends entries.
pub(super) fn append(
    session: &mut Session<'_>,
    scope: &str,
    name: String,
    expected: ExpectedLength,
    entries: &[Vec<u8>],
    ttl: Option<u64>,
) -> Result<Written, Failure> {
    let Session { connection, now, .. } = *session;
    let found = row(connection, scope, &name)?;
    let (journal, expired) = match found {
        Some(journal) if lives(journal.expires, now) => (Some(journal), None),
        expired => (None, expired),
    };
    let before = journal.as_ref().map_or(0, |journal| journal.length);
    let holds = match expected {
        ExpectedLength::Any => true,
        ExpectedLength::Exactly(length) => before == length,
        ExpectedLength::AtLeast(length) => before >= length,
    };
    require(holds, || Actual::Length(before))?;
    if journal.is_none() && entries.is_empty() {
        return Ok(Written::Length(0));
    }

    if let Some(expired) = expired {
        remove(connection, expired.id)?;
    }
    let length = before + entries.len() as u64;
    let expires = from_now(ttl, now).or(journal.as_ref().and_then(|journal| journal.expires));
    let id = match journal {
        Some(journal) => {
            let sql = "UPDATE journal SET length = ?, expires = ? WHERE id = ?";
            connection
                .prepare_cached(sql)?
                .execute(params![length, expires, journal.id])?;
            journal.id
        }
        None => {
            let sql = "INSERT INTO journal (scope, name, length, checkpoint, expires) VALUES (?, ?, ?, 0, ?)";
            connection
                .prepare_cached(sql)?
                .insert(params![scope, name, length, expires])?
        }
    };
    let mut insert =
        connection.prepare_cached("INSERT INTO entry (journal, position, value) VALUES (?, ?, ?)")?;
    for (position, entry) in (before..).zip(entries) {
        insert.execute(params![id, position, entry])?;
    }
    if !entries.is_empty() {
        session.grown.push((scope.to_owned(), name));
    }
    Ok(Written::Length(length))
}

/// Sets the checkpoint.
pub(super) fn set_checkpoint(
    connection: &Connection,
    scope: &str,
    name: &str,
    position: u64,
    now: u64,
) -> Result<Written, Failure> {
    let journal = present(connection, scope, name, now)?;
    let length = journal.as_ref().map_or(0, |journal| journal.length);
    if position > length {
        return Err(Failure::invalid(format!(
            "the checkpoint of {name:?} cannot be {position}: its length is {length}"
        )));
    }
    if let Some(journal) = journal {
        let sql = "UPDATE journal SET checkpoint = ? WHERE id = ?";
        connection
            .prepare_cached(sql)?
            .execute(params![position, journal.id])?;
    }
    Ok(Written::Done)
}

/// Deletes a journal, if it is there.
pub(super) fn delete(connection: &Connection, scope: &str, name: &str) -> Result<Written, Failure> {
    if let Some(journal) = row(connection, scope, name)? {
        remove(connection, journal.id)?;
    }
    Ok(Written::Done)
}

/// Takes a journal's row away and leaves its entries for later.
pub(super) fn remove(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM journal WHERE id = ?")?
        .execute([id])?;
    connection
        .prepare_cached("INSERT INTO deleted_journal (id) VALUES (?)")?
        .execute([id])?;
    Ok(())
}
