//! A user's Google account as it lies in the store, in the user's own scope and in one document, so that whatever
//! happens to it at the same time happens to all of it: an account that was deleted cannot come back because a token
//! of it was being refreshed.

use anyturn_state::{Document, Error, ExpectedVersion, Found, Query, Store, Write};
use anyturn_tool_sdk::escape;
use serde::{Deserialize, Serialize};

/// The document's name.
pub(crate) const DOCUMENT: &str = "google";

/// What user ids of people who signed in with Google begin with.
const PREFIX: &str = "google-";

/// The user's id of a Google account. It depends on nothing else, so that a changed address changes nobody.
#[must_use]
pub fn user_id(sub: &str) -> String {
    format!("{PREFIX}{sub}")
}

/// Google's id of the account that a user signs in with, if that is how they sign in.
#[must_use]
pub fn google_id(user: &str) -> Option<&str> {
    let sub = user.strip_prefix(PREFIX)?;
    let is_sub = !sub.is_empty() && sub.bytes().all(|byte| byte.is_ascii_digit());
    is_sub.then_some(sub)
}

/// A connected account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Google's id of it.
    pub sub: String,
    /// Its address.
    pub email: String,
    /// What the user has allowed, by Google's names.
    pub scopes: Vec<String>,
    /// Since when it is connected: milliseconds since the Unix epoch.
    pub since: u64,
    /// The sealed refresh token; none when Google does not accept it any more.
    pub refresh: Option<String>,
    /// The access token in use.
    pub access: Option<Access>,
}

/// An access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Sealed.
    pub sealed: String,
    /// When it ends: milliseconds since the Unix epoch.
    pub expires: u64,
}

/// The scope of what belongs to a user.
#[must_use]
pub fn scope(user: &str) -> String {
    format!("user/{}", escape(user))
}

/// A user's account and its version.
///
/// # Errors
/// When the store fails.
pub async fn read<S: Store>(store: &S, user: &str) -> Result<Option<(Account, u64)>, Error> {
    let found = store.read(&scope(user), vec![query()]).await?;
    of(found.first())
}

/// Asks for the account.
#[must_use]
pub fn query() -> Query {
    Query::Document(DOCUMENT.to_owned())
}

/// The account in an answer to [`query`].
///
/// # Errors
/// When it was written by a later version.
pub fn of(found: Option<&Found>) -> Result<Option<(Account, u64)>, Error> {
    let Some(Found::Document(Some(Document { version, value }))) = found else {
        return Ok(None);
    };
    let account = anyturn_json::from_slice(value)
        .map_err(|error| Error::Corrupt(format!("a Google account: {error}")))?;
    Ok(Some((account, *version)))
}

/// Stores an account in the place of a version of it; 0 for none.
#[must_use]
pub fn put(account: &Account, version: u64) -> Write {
    Write::Put {
        document: DOCUMENT.to_owned(),
        expected: if version == 0 {
            ExpectedVersion::Absent
        } else {
            ExpectedVersion::Exactly(version)
        },
        // Texts and numbers always have a form in JSON.
        value: serde_json::to_vec(account).unwrap_or_default(),
        ttl: None,
    }
}

/// Forgets the account, whatever its version.
#[must_use]
pub fn delete() -> Write {
    Write::Delete {
        document: DOCUMENT.to_owned(),
        expected: ExpectedVersion::Any,
    }
}
