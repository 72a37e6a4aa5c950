//! Keys, which are any text, as names of the state, which are not.
//!
//! A name says what its key says where it can, because people look into stores: bytes that a name may not have are written
//! `=` and two hexadecimal digits, as elsewhere in the state. A key for which that is too long is named by its hash, after
//! `==`. No two keys have the same name.

use crate::{Error, MAX_KEY};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// The longest name: with what stands before it, a name of the state.
const MAX_NAME: usize = 200;

/// A key, checked, with its name.
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) name: String,
    hash: [u8; 32],
}

impl Key {
    /// Checks a key.
    pub(crate) fn new(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_KEY {
            return Err(Error::Key(text.len()));
        }
        let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        Ok(Self {
            text: text.to_owned(),
            name: spelled(text).unwrap_or_else(|| format!("=={}", hex(&hash))),
            hash,
        })
    }

    /// The document of its value.
    pub(crate) fn document(&self) -> String {
        format!("v:{}", self.name)
    }

    /// Its place in the order of keys: the same for ever, and evenly spread.
    pub(crate) fn score(&self) -> i64 {
        let first = self.hash.first_chunk::<8>().copied().unwrap_or_default();
        // 52 bits: a score of the state has 53, and a sign.
        i64::try_from(u64::from_be_bytes(first) >> 12).unwrap_or_default()
    }

    /// The document that counts deletions of this key and of those that share it: one key in 256 does.
    pub(crate) fn deletions(&self) -> String {
        format!("d:{:02x}", self.hash.last().copied().unwrap_or_default())
    }
}

/// The key as a name, if that is not too long.
fn spelled(key: &str) -> Option<String> {
    if key.is_empty() {
        return Some("=".to_owned());
    }
    let mut name = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"._~:/@+-".contains(&byte) {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "={byte:02X}");
        }
        if name.len() > MAX_NAME {
            return None;
        }
    }
    Some(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(key: &str) -> String {
        Key::new(key).unwrap_or_else(|error| panic!("{error}")).name
    }

    #[test]
    fn names_are_ones_of_the_state_and_no_two_keys_share_one() {
        let long = "x".repeat(300);
        let longer = "x".repeat(301);
        let keys = [
            "", "=", "==", "~", "a", "a b", "a=20b", "é", "日本", "user/1:a", &long, &longer,
        ];
        for (index, key) in keys.iter().enumerate() {
            let name = name(key);
            assert!(name.len() <= MAX_NAME, "{key}");
            let query = anyturn_state::Query::Document(format!("v:{name}"));
            assert_eq!(anyturn_state::limits::read("kv", &[query]), Ok(()), "{key}");
            for other in &keys[index + 1..] {
                assert_ne!(name, self::name(other), "{key:?} and {other:?}");
            }
        }
    }

    #[test]
    fn a_plain_key_keeps_its_spelling() {
        assert_eq!(name("user/1:a"), "user/1:a");
        assert_eq!(name("two words"), "two=20words");
    }

    #[test]
    fn a_key_that_is_too_long_is_refused() {
        assert!(Key::new(&"x".repeat(MAX_KEY)).is_ok());
        assert_eq!(
            Key::new(&"x".repeat(MAX_KEY + 1)).err(),
            Some(Error::Key(MAX_KEY + 1))
        );
    }
}
