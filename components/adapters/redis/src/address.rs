//! `redis://[[user]:password@]host[:port][/database]`.

use percent_encoding::percent_decode_str;

/// Where a Redis is, and who wants in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Empty for the default user.
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    pub(crate) database: u32,
}

impl Address {
    /// Reads one; nothing where it is none, or asks for TLS.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("redis://")?;
        let rest = rest.split(['?', '#']).next()?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, place) = match authority.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, authority),
        };
        let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(String::from);
        let (user, password) = match credentials.map(|text| text.split_once(':').unwrap_or((text, ""))) {
            Some((user, password)) => (decode(user)?, Some(decode(password)?)),
            None => (String::new(), None),
        };
        // The colons of an IPv6 address stand in brackets.
        let after_brackets = place.rfind(']').map_or(0, |at| at + 1);
        let (host, port) = match place.get(after_brackets..)?.rfind(':') {
            Some(at) => (
                place.get(..after_brackets + at)?,
                place.get(after_brackets + at + 1..)?.parse().ok()?,
            ),
            None => (place, 6379),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let database = if path.is_empty() { 0 } else { path.parse().ok()? };
        (!host.is_empty()).then(|| Self {
            host: host.to_owned(),
            port,
            user,
            password,
            database,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_an_address_is_read() {
        let whole = Address::parse("redis://ada:p%40ss@redis.example:7000/3").unwrap();
        assert_eq!(
            (whole.host.as_str(), whole.port, whole.database),
            ("redis.example", 7000, 3)
        );
        assert_eq!(
            (whole.user.as_str(), whole.password.as_deref()),
            ("ada", Some("p@ss"))
        );
        let short = Address::parse("redis://localhost").unwrap();
        assert_eq!((short.port, short.password, short.database), (6379, None, 0));
        let six = Address::parse("redis://:secret@[::1]:6380").unwrap();
        assert_eq!(
            (six.host.as_str(), six.port, six.user.as_str()),
            ("::1", 6380, "")
        );
    }

    #[test]
    fn what_is_no_address_or_asks_for_tls_is_refused() {
        for wrong in [
            "",
            "redis://",
            "rediss://host",
            "host:6379",
            "redis://host:port",
            "redis://host/name",
        ] {
            assert_eq!(Address::parse(wrong), None, "{wrong:?}");
        }
    }
}
