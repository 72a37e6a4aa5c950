//! Who calls. It is decided once, by whoever stands in front (`chat`), and travels in headers:
//! `anyturn-user`, `anyturn-roles`, `anyturn-session`, `anyturn-timezone`.
//!
//! A tool server believes these headers. So its route is private, or it stands behind something that sets or
//! strips them.

use http::HeaderMap;

use crate::{Failure, escape};

/// The longest user id that fits a scope after the worst escaping.
const MAX_USER: usize = 160;

/// On whose behalf a request comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The user's id; none when nobody said.
    pub user: Option<String>,
    /// Their roles.
    pub roles: Vec<String>,
    /// The conversation that the call belongs to.
    pub session: Option<String>,
    /// The user's IANA time zone.
    pub timezone: Option<String>,
}

impl Caller {
    /// The caller that these headers name.
    pub fn from_headers(headers: &HeaderMap) -> Caller {
        let text = |name: &str| {
            let value = std::str::from_utf8(headers.get(name)?.as_bytes()).ok()?.trim();
            (!value.is_empty()).then(|| value.to_owned())
        };
        let roles = text("anyturn-roles")
            .map(|roles| roles.split(',').map(|role| role.trim().to_owned()).collect())
            .unwrap_or_default();
        Caller {
            user: text("anyturn-user"),
            roles,
            session: text("anyturn-session"),
            timezone: text("anyturn-timezone"),
        }
    }

    /// The user, for tools that cannot do without.
    pub fn user(&self) -> Result<&str, Failure> {
        match self.user.as_deref() {
            None => Err(Failure::NobodyCalls),
            Some(user) if user.len() > MAX_USER => Err(Failure::rejected(format!(
                "The user's id is longer than the {MAX_USER} bytes that are allowed."
            ))),
            Some(user) => Ok(user),
        }
    }

    /// The scope of the store that holds what belongs to the user.
    pub fn scope(&self) -> Result<String, Failure> {
        Ok(format!("user/{}", escape(self.user()?)))
    }
}
