//! Users as the rest of the system knows them: ids that can stand in a header and in a key as they are.

use std::fmt::Write;

/// The longest id, in bytes of its canonical form. Scopes of the store hold it escaped once more.
const MAX: usize = 128;

/// A user's id in its canonical form: 1 to 128 bytes of visible ASCII.
///
/// Everything else that a token's `sub` may hold (blanks, `%`, letters beyond ASCII) is percent-encoded, so that two
/// different subjects never become one user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct User(String);

impl User {
    /// Makes the canonical form of what a token or an entry calls its user.
    ///
    /// # Errors
    /// When it is empty or too long.
    pub fn parse(raw: &str) -> Result<Self, InvalidUser> {
        if raw.is_empty() {
            return Err(InvalidUser::Empty);
        }
        let mut id = String::with_capacity(raw.len());
        for byte in raw.bytes() {
            if byte.is_ascii_graphic() && byte != b'%' {
                id.push(char::from(byte));
            } else {
                // Writing to a string cannot fail.
                let _ = write!(id, "%{byte:02X}");
            }
        }
        if id.len() > MAX {
            Err(InvalidUser::TooLong)
        } else {
            Ok(Self(id))
        }
    }

    /// The canonical form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why something is no user's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUser {
    /// It is empty.
    #[error("the user's id is empty")]
    Empty,
    /// It is longer than 128 bytes.
    #[error("the user's id is longer than 128 bytes")]
    TooLong,
}

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub user: User,
    /// What they may do. Names of ASCII letters, digits, `.`, `_`, `-` and `:`; others are not taken over.
    pub roles: Vec<String>,
    /// When the credentials expire, in milliseconds since the Unix epoch; none if they do not.
    pub expires: Option<u64>,
}

/// Whether a role can travel in a comma-separated header. A role that cannot is dropped: that only ever takes rights.
pub(crate) fn is_role(role: &str) -> bool {
    !role.is_empty()
        && role.len() <= 64
        && role
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_subjects_never_become_one_user() {
        let ids: Vec<_> = ["a b", "a%20b", "a+b", "ä", "Ã¤", "a|b"]
            .iter()
            .map(|raw| User::parse(raw).unwrap().0)
            .collect();
        assert_eq!(ids, ["a%20b", "a%2520b", "a+b", "%C3%A4", "%C3%83%C2%A4", "a|b"]);
    }

    #[test]
    fn an_id_is_neither_empty_nor_too_long() {
        assert_eq!(User::parse(""), Err(InvalidUser::Empty));
        assert_eq!(User::parse(&"a".repeat(129)), Err(InvalidUser::TooLong));
        assert_eq!(User::parse(&"ä".repeat(22)), Err(InvalidUser::TooLong));
        assert!(User::parse(&"a".repeat(128)).is_ok());
    }
}
