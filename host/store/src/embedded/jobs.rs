//! Queues of jobs.

use anyturn_state::limits::MAX_OPERATION;
use anyturn_state::{DeadJob, Depth, Job, NewJob};
use rusqlite::{Connection, OptionalExtension, params};

use super::failure::Failure;
use super::worker::Session;

/// Adds a job, unless its id is taken.
pub(super) fn enqueue(session: &Session<'_>, queue: &str, job: NewJob) -> Result<bool, Failure> {
    let Session { connection, now, .. } = *session;
    let NewJob {
        id,
        payload,
        delay,
        max_attempts,
        remember,
    } = job;
    // An id that has been remembered for long enough is free, though its row may still be there.
    let sql = "DELETE FROM job WHERE queue = ? AND id = ? AND state = 3 AND due <= ?";
    connection.prepare_cached(sql)?.execute(params![queue, id, now])?;
    let sql = "INSERT INTO job
                   (queue, id, state, due, sequence, receipt, attempts, max_attempts, remember, reason, payload)
               VALUES (?, ?, 0, ?, ?, 0, 0, ?, ?, '', ?)
               ON CONFLICT DO NOTHING";
    let due = now.saturating_add(delay);
    let sequence = next(connection)?;
    let row = params![queue, id, due, sequence, max_attempts, remember, payload];
    Ok(connection.prepare_cached(sql)?.execute(row)? == 1)
}

/// Gives out due jobs, after having buried those whose last claim has run out.
pub(super) fn claim(
    session: &Session<'_>,
    queue: &str,
    limit: u32,
    visibility: u64,
) -> Result<Vec<Job>, Failure> {
    let Session { connection, now, .. } = *session;
    let sql = "UPDATE job SET state = 2, due = ?2, sequence = ?3
               WHERE queue = ?1 AND state = 1 AND due <= ?2 AND attempts >= max_attempts";
    connection
        .prepare_cached(sql)?
        .execute(params![queue, now, next(connection)?])?;

    let sql = "SELECT id, attempts, payload FROM job WHERE queue = ? AND state < 2 AND due <= ?
               ORDER BY due, sequence LIMIT ?";
    let mut due = connection.prepare_cached(sql)?;
    let mut due = due.query(params![queue, now, limit])?;
    let mut jobs: Vec<Job> = Vec::new();
    let mut bytes = 0;
    while let Some(row) = due.next()? {
        let (id, attempts, payload): (String, u32, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        bytes += payload.len();
        // Fewer jobs than asked for are better than an answer that fills the memory.
        if bytes > MAX_OPERATION && !jobs.is_empty() {
            break;
        }
        jobs.push(Job {
            id,
            payload,
            attempt: attempts.saturating_add(1),
            receipt: next(connection)?,
        });
    }
    let sql = "UPDATE job SET state = 1, due = ?, receipt = ?, attempts = ? WHERE queue = ? AND id = ?";
    let mut update = connection.prepare_cached(sql)?;
    let visible = now.saturating_add(visibility);
    for job in &jobs {
        update.execute(params![visible, job.receipt, job.attempt, queue, job.id])?;
    }
    Ok(jobs)
}

/// Prolongs a claim.
pub(super) fn extend(
    session: &Session<'_>,
    queue: &str,
    id: &str,
    receipt: u64,
    visibility: u64,
) -> Result<bool, Failure> {
    let Session { connection, now, .. } = *session;
    let sql = "UPDATE job SET due = ? WHERE queue = ? AND id = ? AND state = 1 AND receipt = ?";
    let visible = now.saturating_add(visibility);
    Ok(connection
        .prepare_cached(sql)?
        .execute(params![visible, queue, id, receipt])?
        == 1)
}

/// Removes a finished job; its id stays taken for as long as it asked for.
pub(super) fn acknowledge(
    session: &Session<'_>,
    queue: &str,
    id: &str,
    receipt: u64,
) -> Result<bool, Failure> {
    let Session { connection, now, .. } = *session;
    let sql = "UPDATE job SET state = 3, due = ? + remember, payload = x'', reason = ''
               WHERE queue = ? AND id = ? AND state = 1 AND receipt = ?";
    Ok(connection
        .prepare_cached(sql)?
        .execute(params![now, queue, id, receipt])?
        == 1)
}

/// Gives a job back, or buries it when that was its last attempt.
pub(super) fn retry(
    session: &Session<'_>,
    queue: &str,
    id: &str,
    receipt: u64,
    delay: u64,
    reason: &str,
) -> Result<bool, Failure> {
    let Session { connection, now, .. } = *session;
    let sql = "UPDATE job
               SET state = iif(attempts >= max_attempts, 2, 0), due = iif(attempts >= max_attempts, ?, ?),
                   sequence = ?, reason = ?
               WHERE queue = ? AND id = ? AND state = 1 AND receipt = ?";
    let due = now.saturating_add(delay);
    let sequence = next(connection)?;
    let row = params![now, due, sequence, reason, queue, id, receipt];
    Ok(connection.prepare_cached(sql)?.execute(row)? == 1)
}

/// The dead letters, the latest first.
pub(super) fn dead_letters(
    session: &Session<'_>,
    queue: &str,
    offset: u32,
    limit: u32,
) -> Result<Vec<DeadJob>, Failure> {
    let sql = "SELECT id, payload, attempts, reason, due FROM job WHERE queue = ? AND state = 2
               ORDER BY due DESC, sequence DESC LIMIT ? OFFSET ?";
    let mut statement = session.connection.prepare_cached(sql)?;
    let letters = statement.query_map(params![queue, limit, offset], |row| {
        let (id, payload, attempts) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(DeadJob {
            id,
            payload,
            attempts,
            reason: row.get(3)?,
            at: row.get(4)?,
        })
    })?;
    Ok(letters.collect::<rusqlite::Result<_>>()?)
}

/// Puts a dead letter back with its attempts forgotten.
pub(super) fn replay(session: &Session<'_>, queue: &str, id: &str) -> Result<bool, Failure> {
    let Session { connection, now, .. } = *session;
    let sql = "UPDATE job SET state = 0, due = ?, sequence = ?, attempts = 0, reason = ''
               WHERE queue = ? AND id = ? AND state = 2";
    let sequence = next(connection)?;
    Ok(connection
        .prepare_cached(sql)?
        .execute(params![now, sequence, queue, id])?
        == 1)
}

/// How many jobs are where.
pub(super) fn depth(session: &Session<'_>, queue: &str) -> Result<Depth, Failure> {
    let Session { connection, now, .. } = *session;
    let count = |condition: &str| -> rusqlite::Result<u64> {
        let sql = format!("SELECT count(*) FROM job WHERE queue = ?1 AND {condition}");
        let mut statement = connection.prepare_cached(&sql)?;
        let counted = if sql.contains("?2") {
            statement.query_row(params![queue, now], |row| row.get(0))
        } else {
            statement.query_row(params![queue], |row| row.get(0))
        };
        Ok(counted.optional()?.unwrap_or(0))
    };
    let running = count("state = 1 AND due > ?2")?;
    Ok(Depth {
        // A claim that ran out is due again, if only for the dead letters.
        due: count("state < 2 AND due <= ?2")?,
        delayed: count("state < 2 AND due > ?2")?.saturating_sub(running),
        running,
        dead: count("state = 2")?,
    })
}

/// The next number that no job has had for its sequence or receipt.
fn next(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "UPDATE tally SET value = value + 1 RETURNING value";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}
