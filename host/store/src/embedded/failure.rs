//! Why an operation on the database did not happen.

use std::path::Path;

use anyturn_state::{Actual, Error};
use rusqlite::ErrorCode;

/// What stops an operation half-way.
#[derive(Debug)]
pub(super) enum Failure {
    /// The operation itself: a conflict or an invalid request.
    Refused(Error),
    /// The database.
    Sqlite(rusqlite::Error),
}

impl Failure {
    /// A condition that did not hold; whoever knows the write's position sets it.
    pub(super) fn conflict(actual: Actual) -> Self {
        Self::Refused(Error::Conflict { write: 0, actual })
    }

    pub(super) fn invalid(reason: String) -> Self {
        Self::Refused(Error::Invalid(reason))
    }

    /// Says which write it was.
    pub(super) fn at(self, position: u32) -> Self {
        match self {
            Self::Refused(Error::Conflict { write: _, actual }) => Self::Refused(Error::Conflict {
                write: position,
                actual,
            }),
            Self::Refused(Error::Invalid(reason)) => {
                Self::Refused(Error::Invalid(format!("write {position}: {reason}")))
            }
            other => other,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// The port's error for an error of the database at `path`.
pub(super) fn explain(path: &Path, error: &rusqlite::Error) -> Error {
    let path = path.display();
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DiskFull => Error::Unavailable(format!("there is no space left for {path}")),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                Error::Corrupt(format!("{path} is damaged or not a database: {error}"))
            }
            _ => Error::Unavailable(format!("{path} cannot be used: {error}")),
        },
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..) => {
            Error::Corrupt(format!("{path} holds a value that cannot be: {error}"))
        }
        _ => Error::Unavailable(format!("{path} cannot be used: {error}")),
    }
}
