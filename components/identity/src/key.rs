//! API keys: long random strings, of which only the SHA-256 is configured.

use std::fmt::Write;

use hmac::digest::CtOutput;
use sha2::{Digest, Sha256};

use crate::moment;
use crate::user::{User, is_role};

/// What every key begins with, so that scanners and people recognise one.
pub(crate) const PREFIX: &str = "ak_";

/// A configured key.
#[derive(Clone, Debug)]
pub struct ApiKey {
    hash: [u8; 32],
    /// Whose it is.
    pub user: User,
    /// What it may do.
    pub roles: Vec<String>,
    /// When it ends: milliseconds since the Unix epoch.
    pub expires: Option<i64>,
}

impl ApiKey {
    /// Reads `<sha256 hex of the key>:<user>[:role,role[:expiry RFC 3339]]`.
    pub(crate) fn parse(entry: &str) -> Result<Self, String> {
        let mut fields = entry.splitn(4, ':');
        let hash = fields.next().and_then(from_hex).ok_or(
            "must begin with the key's SHA-256 as 64 hexadecimal digits (`anyturn key` makes a key and its entry)",
        )?;
        let user = fields
            .next()
            .ok_or("lacks a user: `<sha256>:<user>[:role,role[:expiry]]`")?;
        let user = User::parse(user.trim()).map_err(|reason| reason.to_string())?;
        let mut roles = Vec::new();
        for role in fields
            .next()
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|role| !role.is_empty())
        {
            if !is_role(role) {
                return Err(format!(
                    "has the role `{role}`; roles are made of letters, digits, `.`, `_`, `-` and `:`"
                ));
            }
            roles.push(role.to_owned());
        }
        let expires = match fields.next().map(str::trim).filter(|expiry| !expiry.is_empty()) {
            None => None,
            Some(expiry) => Some(moment::parse(expiry).ok_or_else(|| {
                format!("has the expiry `{expiry}`, which is no RFC 3339 time like 2027-01-31T00:00:00Z")
            })?),
        };
        Ok(Self {
            hash,
            user,
            roles,
            expires,
        })
    }
}

/// Finds the entry of a key. Looks at every entry, whichever fits, in constant time each.
pub(crate) fn find<'a>(keys: &'a [ApiKey], key: &str) -> Option<&'a ApiKey> {
    let presented = CtOutput::<Sha256>::new(Sha256::digest(key.as_bytes()));
    let mut found = None;
    for entry in keys {
        if CtOutput::<Sha256>::new(entry.hash.into()) == presented {
            found = Some(entry);
        }
    }
    found
}

/// Whether somebody shows the right secret. Takes the same time for every wrong one.
#[must_use]
pub fn same_secret(presented: &str, secret: &str) -> bool {
    let digest = |text: &str| CtOutput::<Sha256>::new(Sha256::digest(text.as_bytes()));
    digest(presented) == digest(secret)
}

/// A key that was just made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewKey {
    /// For its user; it cannot be found out again.
    pub key: String,
    /// For the configuration.
    pub sha256: String,
}

impl NewKey {
    /// The entry for the variable `api_keys`.
    #[must_use]
    pub fn entry(&self, user: &User, roles: &[&str]) -> String {
        let Self { key: _, sha256 } = self;
        if roles.is_empty() {
            format!("{sha256}:{user}")
        } else {
            format!("{sha256}:{user}:{}", roles.join(","))
        }
    }
}

/// Makes a key of 256 random bits.
#[must_use]
pub fn new_key(random: [u8; 32]) -> NewKey {
    use base64::Engine;

    let key = format!(
        "{PREFIX}{}",
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random)
    );
    let mut sha256 = String::with_capacity(64);
    for byte in Sha256::digest(key.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(sha256, "{byte:02x}");
    }
    NewKey { key, sha256 }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let text = text.trim().as_bytes();
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        let high = char::from(high).to_digit(16)?;
        let low = char::from(low).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_same_only_as_itself() {
        assert!(same_secret("tick-1", "tick-1"));
        for other in ["", "tick-", "tick-2", "TICK-1", "tick-1 "] {
            assert!(!same_secret(other, "tick-1"), "{other}");
        }
    }

    #[test]
    fn a_new_key_is_found_by_its_entry() {
        let made = new_key([7; 32]);
        assert!(
            made.key.starts_with("ak_") && made.key.len() == 46,
            "{}",
            made.key
        );
        let user = User::parse("ana").unwrap();
        let keys = vec![
            ApiKey::parse(&new_key([8; 32]).entry(&user, &[])).unwrap(),
            ApiKey::parse(&made.entry(&user, &["editor", "approver"])).unwrap(),
        ];
        let found = find(&keys, &made.key).unwrap();
        assert_eq!(found.roles, ["editor", "approver"]);
        assert!(find(&keys, "ak_nope").is_none());
    }

    #[test]
    fn an_entry_may_name_an_expiry() {
        let hash = new_key([1; 32]).sha256;
        let key = ApiKey::parse(&format!("{hash}:ana::2027-01-31T00:00:00Z")).unwrap();
        assert_eq!(key.expires, Some(1_801_353_600_000));
        assert!(key.roles.is_empty());
    }

    #[test]
    fn a_wrong_entry_says_what_would_be_right() {
        let hash = new_key([1; 32]).sha256;
        for (entry, says) in [
            ("secret:ana".to_owned(), "64 hexadecimal digits"),
            (format!("{}é:ana", &hash[..62]), "64 hexadecimal digits"),
            (hash.clone(), "lacks a user"),
            (format!("{hash}:"), "empty"),
            (format!("{hash}:ana:a b"), "role `a b`"),
            (format!("{hash}:ana:x:tomorrow"), "expiry `tomorrow`"),
        ] {
            let error = ApiKey::parse(&entry).unwrap_err();
            assert!(error.contains(says), "{entry}: {error}");
        }
    }
}
