//! Errors as `anyturn:model` reports them.

use crate::api::{Error, ErrorKind};

/// An error without a time to try again at.
pub fn error(kind: ErrorKind, message: impl Into<String>) -> Error {
    Error {
        kind,
        message: message.into(),
        retry_after: None,
    }
}
