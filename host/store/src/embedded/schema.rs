//! The database: its tables, its version, how it is opened.
//!
//! Keys are `<namespace> <scope>` (a space is part of neither) or `<namespace> <queue>`. Times are milliseconds since
//! the Unix epoch, and `expires` is none for what lives until it is deleted. Whatever reads a row looks at `expires`
//! itself: a row may stay long after it has expired.

use std::path::Path;
use std::time::Duration;

use anyturn_state::Error;
use rusqlite::{Connection, OpenFlags};

use super::Durability;
use super::failure::explain;

/// The version of the tables that this program writes, in `user_version`.
const VERSION: i64 = 1;

/// Tells our databases from other people's, in `application_id`: "anyt".
const APPLICATION: i64 = 0x616e_7974;

/// More than there are statements in this crate.
const STATEMENTS: usize = 128;

const TABLES: &str = "
CREATE TABLE journal (
    -- Never used twice, because a deleted journal's entries go later than it does.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    length INTEGER NOT NULL,
    checkpoint INTEGER NOT NULL,
    expires INTEGER,
    UNIQUE (scope, name)
) STRICT;
CREATE INDEX journal_expires ON journal (expires) WHERE expires IS NOT NULL;

CREATE TABLE entry (
    journal INTEGER NOT NULL,
    position INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (journal, position)
) STRICT, WITHOUT ROWID;

-- Journals that are gone, but whose entries are still to be deleted.
CREATE TABLE deleted_journal (id INTEGER PRIMARY KEY) STRICT;

CREATE TABLE document (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires INTEGER,
    value BLOB NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT;
CREATE INDEX document_expires ON document (expires) WHERE expires IS NOT NULL;

CREATE TABLE counter (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    value INTEGER NOT NULL,
    expires INTEGER,
    PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX counter_expires ON counter (expires) WHERE expires IS NOT NULL;

CREATE TABLE member (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    member TEXT NOT NULL,
    score INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (scope, name, member)
) STRICT;
CREATE INDEX member_score ON member (scope, name, score, member);

-- Free when it has expired or nobody holds it; its row stays for its epoch.
CREATE TABLE lease (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    holder TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX lease_expires ON lease (expires);

CREATE TABLE job (
    queue TEXT NOT NULL,
    id TEXT NOT NULL,
    -- 0 waiting, 1 running, 2 dead, 3 acknowledged.
    state INTEGER NOT NULL,
    -- When it may be claimed (waiting, running), when it died, or when its id is free.
    due INTEGER NOT NULL,
    -- Orders what is due or died in the same millisecond.
    sequence INTEGER NOT NULL,
    receipt INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    remember INTEGER NOT NULL,
    reason TEXT NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (queue, id)
) STRICT;
CREATE INDEX job_due ON job (queue, due, sequence) WHERE state < 2;
CREATE INDEX job_running ON job (queue, due) WHERE state = 1;
CREATE INDEX job_dead ON job (queue, due, sequence) WHERE state = 2;
CREATE INDEX job_acknowledged ON job (due) WHERE state = 3;

-- The last sequence number and receipt given out.
CREATE TABLE tally (value INTEGER NOT NULL) STRICT;
INSERT INTO tally VALUES (0);
";

/// Opens the connection that writes, making or checking the database.
pub(super) fn open(path: &Path, durability: Durability) -> Result<Connection, Error> {
    let mut connection = connect(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    )?;
    prepare(&mut connection, path, durability).map_err(|problem| match problem {
        Problem::Sqlite(error) => explain(path, &error),
        Problem::Unusable(reason) => Error::Unavailable(format!("{} {reason}", path.display())),
        Problem::Unfit(reason) => Error::Corrupt(format!("{} {reason}", path.display())),
    })?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, Error> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

enum Problem {
    Sqlite(rusqlite::Error),
    Unfit(String),
    Unusable(String),
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    // Each connection stays within one thread, so that SQLite needs no locks of its own.
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| explain(path, &error))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Only a person with another tool can be in the way.
    connection
        .busy_timeout(Duration::from_secs(5))
        .map_err(|error| explain(path, &error))?;
    Ok(connection)
}

fn prepare(connection: &mut Connection, path: &Path, durability: Durability) -> Result<(), Problem> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && application != APPLICATION {
        return Err(Problem::Unfit(
            "is a database of another program; choose another data directory".into(),
        ));
    }
    if version > VERSION {
        return Err(Problem::Unfit(format!(
            "was written by a later version of anyturn (its schema is {version}, this program knows up to \
             {VERSION}); nothing was changed: run the later version, or choose another data directory"
        )));
    }

    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Problem::Unusable(
            "is on a file system without shared memory, such as a network's; choose a data directory on a local disk"
                .into(),
        ));
    }
    connection.pragma_update(
        None,
        "synchronous",
        match durability {
            Durability::Full => "FULL",
            Durability::Normal => "NORMAL",
        },
    )?;
    if version < VERSION {
        let transaction = connection.transaction()?;
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
        tracing::debug!(path = %path.display(), version = VERSION, "created the embedded store's database");
    }
    Ok(())
}
