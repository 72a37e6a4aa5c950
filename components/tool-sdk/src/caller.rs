//! Who calls. It is decided once, by whoever stands in front (`chat`), and travels in headers:
//! `anyturn-user`, `anyturn-roles`, `anyturn-session`, `anyturn-timezone`. What cannot stand in a header is
//! percent-encoded there.
//!
//! A tool server believes these headers. So its route is private, or it stands behind something that sets or
//! strips them.

use std::borrow::Cow;

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
        let written = |name: &str| {
            let value = std::str::from_utf8(headers.get(name)?.as_bytes()).ok()?.trim();
            (!value.is_empty()).then_some(value)
        };
        let text = |name: &str| decoded(written(name)?);
        let roles = written("anyturn-roles").unwrap_or_default().split(',');
        let roles = roles
            .filter_map(|role| decoded(role.trim()))
            .filter(|role| !role.is_empty())
            .collect();
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

/// A text as it was before it was put into a header; none if it was none.
fn decoded(written: &str) -> Option<String> {
    let text = percent_encoding::percent_decode_str(written).decode_utf8();
    text.ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn names_are_what_they_were_before_they_were_put_into_headers() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("anyturn-user", "J%C3%B6rg%2541"),
            ("anyturn-roles", "editor, a%2Cb,"),
            ("anyturn-session", "my%20talk%0A"),
            ("anyturn-timezone", "Europe/Berlin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let caller = Caller {
            user: Some("J\u{f6}rg%41".to_owned()),
            roles: vec!["editor".to_owned(), "a,b".to_owned()],
            session: Some("my talk\n".to_owned()),
            timezone: Some("Europe/Berlin".to_owned()),
        };
        assert_eq!(Caller::from_headers(&headers), caller);
        headers.insert("anyturn-user", HeaderValue::from_static("%FF"));
        assert_eq!(Caller::from_headers(&headers).user, None, "that is no text");
    }
}
