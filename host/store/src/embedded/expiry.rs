//! Deletes what has expired, a little at a time, so that no operation waits long behind it.

use rusqlite::{Connection, Transaction, params};

use super::journal;

/// Rows of one kind that one sweep deletes at most.
const ROWS: u32 = 250;

/// How long a lease's epoch is kept after the lease has run out and no journal is left in its scope, in
/// milliseconds: 24 hours, as the contract has it.
const EPOCH: u64 = 24 * 60 * 60 * 1000;

/// Deletes some of what had expired at `now`; tells whether there is more.
pub(super) fn sweep(connection: &mut Connection, now: u64) -> rusqlite::Result<bool> {
    let idle: bool = connection
        .prepare_cached(ANYTHING)?
        .query_row(params![now, epochs(now)], |row| {
            row.get::<_, bool>(0).map(|anything| !anything)
        })?;
    if idle {
        // The usual case: no transaction, nothing to flush.
        return Ok(false);
    }
    let transaction = connection.transaction()?;
    let mut more = false;
    for sql in [
        "DELETE FROM document WHERE rowid IN
             (SELECT rowid FROM document WHERE expires IS NOT NULL AND expires <= ? LIMIT ?)",
        "DELETE FROM counter WHERE (scope, name) IN
             (SELECT scope, name FROM counter WHERE expires IS NOT NULL AND expires <= ? LIMIT ?)",
        "DELETE FROM job WHERE rowid IN (SELECT rowid FROM job WHERE state = 3 AND due <= ? LIMIT ?)",
    ] {
        more |= transaction.prepare_cached(sql)?.execute(params![now, ROWS])? == ROWS as usize;
    }
    more |= leases(&transaction, now)?;
    more |= journals(&transaction, now)?;
    more |= entries(&transaction)?;
    transaction.commit()?;
    Ok(more)
}

/// Whether there is anything to delete.
const ANYTHING: &str = "SELECT
    EXISTS (SELECT 1 FROM deleted_journal)
    OR EXISTS (SELECT 1 FROM journal WHERE expires IS NOT NULL AND expires <= ?1)
    OR EXISTS (SELECT 1 FROM document WHERE expires IS NOT NULL AND expires <= ?1)
    OR EXISTS (SELECT 1 FROM counter WHERE expires IS NOT NULL AND expires <= ?1)
    OR EXISTS (SELECT 1 FROM job WHERE state = 3 AND due <= ?1)
    OR EXISTS (SELECT 1 FROM lease WHERE expires <= ?2)";

fn epochs(now: u64) -> u64 {
    now.saturating_sub(EPOCH)
}

/// Deletes leases that ran out long ago, except where the scope still has a journal: those are free from now on, and
/// looked at again when as long has passed once more.
fn leases(transaction: &Transaction<'_>, now: u64) -> rusqlite::Result<bool> {
    let sql = "SELECT scope, name, EXISTS (SELECT 1 FROM journal WHERE journal.scope = lease.scope)
               FROM lease WHERE expires <= ? LIMIT ?";
    let mut old = transaction.prepare_cached(sql)?;
    let old = old.query_map(params![epochs(now), ROWS], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    let old: Vec<(String, String, bool)> = old.collect::<rusqlite::Result<_>>()?;
    let mut keep = transaction
        .prepare_cached("UPDATE lease SET holder = '', expires = ? WHERE scope = ? AND name = ?")?;
    let mut delete = transaction.prepare_cached("DELETE FROM lease WHERE scope = ? AND name = ?")?;
    for (scope, name, needed) in &old {
        if *needed {
            keep.execute(params![now, scope, name])?;
        } else {
            delete.execute(params![scope, name])?;
        }
    }
    Ok(old.len() == ROWS as usize)
}

fn journals(transaction: &Transaction<'_>, now: u64) -> rusqlite::Result<bool> {
    let sql = "SELECT id FROM journal WHERE expires IS NOT NULL AND expires <= ? LIMIT ?";
    let mut expired = transaction.prepare_cached(sql)?;
    let expired = expired.query_map(params![now, ROWS], |row| row.get(0))?;
    let expired: Vec<i64> = expired.collect::<rusqlite::Result<_>>()?;
    for id in &expired {
        journal::remove(transaction, *id)?;
    }
    Ok(expired.len() == ROWS as usize)
}

/// Deletes entries of journals that are gone.
fn entries(transaction: &Transaction<'_>) -> rusqlite::Result<bool> {
    let sql = "SELECT id FROM deleted_journal LIMIT ?";
    let mut gone = transaction.prepare_cached(sql)?;
    let gone: Vec<i64> = gone
        .query_map([ROWS], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let sql = "DELETE FROM entry WHERE journal = ?1
               AND position < (SELECT min(position) FROM entry WHERE journal = ?1) + ?2";
    let mut delete = transaction.prepare_cached(sql)?;
    let mut left = ROWS as usize;
    for id in &gone {
        let deleted = delete.execute(params![id, left])?;
        if deleted == left {
            // There may be more of it.
            return Ok(true);
        }
        left -= deleted;
        transaction
            .prepare_cached("DELETE FROM deleted_journal WHERE id = ?")?
            .execute([id])?;
    }
    Ok(gone.len() == ROWS as usize)
}
