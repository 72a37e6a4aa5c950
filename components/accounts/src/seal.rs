//! Sealing what is stored: XChaCha20-Poly1305, with the user and the purpose bound to it, so that what was sealed for
//! one user or one purpose opens for no other.
//!
//! Keys come from the variable `token_keys`: `id:base64 of 32 bytes`, several separated by commas. The first seals, all
//! open; what a later one has opened is [`Opened::outdated`], to be sealed anew. Nonces are random and 24 bytes long, so
//! that no counter has to be kept.
//!
//! A sealed text reads `<key id>.<base64url of nonce and ciphertext>`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::secret::Secret;

const KEY: usize = 32;
const NONCE: usize = 24;

/// What a sealed text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Google's refresh token.
    Refresh,
    /// Google's access token.
    Access,
    /// The code verifier of a flow that is under way.
    Verifier,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Purpose::Refresh => "refresh",
            Purpose::Access => "access",
            Purpose::Verifier => "verifier",
        }
    }

    /// What is authenticated with a text. No user's id holds a line break.
    fn associated(self, user: &str) -> Vec<u8> {
        format!("anyturn accounts 1\n{}\n{user}", self.name()).into_bytes()
    }
}

/// Keys, the sealing one first.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<(String, Zeroizing<[u8; KEY]>)>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.keys.iter().map(|(id, _)| id).collect();
        f.debug_tuple("Keyring").field(&ids).finish()
    }
}

/// A text that was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The text.
    pub secret: Secret,
    /// Whether it was sealed with another key than would seal it now.
    pub outdated: bool,
}

/// Why a text does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unopenable {
    /// Its key is not there any more.
    #[error(
        "what is stored was sealed with the key `{0}`, which `token_keys` does not have: add it again at the end"
    )]
    NoSuchKey(String),
    /// It was altered, belongs to somebody else, or the key of this id has changed.
    #[error(
        "what is stored does not open with the key of its name in `token_keys`: did that key change, and not its name?"
    )]
    Altered,
}

impl Keyring {
    /// Reads the variable `token_keys`.
    ///
    /// # Errors
    /// What is wrong with it, without repeating any of it but a key's id.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut keys: Vec<(String, Zeroizing<[u8; KEY]>)> = Vec::new();
        let entries = text.split([',', '\n']).map(str::trim);
        for (position, entry) in entries.filter(|entry| !entry.is_empty()).enumerate() {
            let position = position + 1;
            let (id, key) = entry
                .split_once(':')
                .ok_or_else(|| format!("is wrong: entry {position} has no `:`; {FORM}"))?;
            let id = id.trim();
            let is_id = (1..=32).contains(&id.len())
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
            if !is_id {
                return Err(format!(
                    "is wrong: the id of entry {position} must be 1 to 32 letters, digits, `-` and `_`; {FORM}"
                ));
            }
            if keys.iter().any(|(known, _)| known == id) {
                return Err(format!("is wrong: two keys have the id `{id}`"));
            }
            keys.push((id.to_owned(), key_of(key.trim()).ok_or_else(|| {
                format!("is wrong: the key `{id}` is not the base64 of {KEY} bytes; `openssl rand -base64 32` makes one")
            })?));
        }
        if keys.is_empty() {
            return Err(format!("has no key; {FORM}"));
        }
        Ok(Self { keys })
    }

    /// Seals a text of a user.
    ///
    /// # Errors
    /// Never for texts of the size that tokens have.
    pub fn seal(
        &self,
        purpose: Purpose,
        user: &str,
        random: &[u8; 32],
        secret: &Secret,
    ) -> Result<String, Unopenable> {
        let (id, key) = self.keys.first().ok_or(Unopenable::Altered)?;
        let nonce = random.first_chunk::<NONCE>().ok_or(Unopenable::Altered)?;
        let associated = purpose.associated(user);
        let payload = Payload {
            msg: secret.expose().as_bytes(),
            aad: &associated,
        };
        let sealed = cipher(key)
            .encrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| Unopenable::Altered)?;
        let mut text = format!("{id}.");
        URL_SAFE_NO_PAD.encode_string([nonce.as_slice(), &sealed].concat(), &mut text);
        Ok(text)
    }

    /// Opens what was sealed for this user and this purpose.
    ///
    /// # Errors
    /// When it does not open.
    pub fn open(&self, purpose: Purpose, user: &str, sealed: &str) -> Result<Opened, Unopenable> {
        let (id, text) = sealed.split_once('.').ok_or(Unopenable::Altered)?;
        let place = self.keys.iter().position(|(known, _)| known == id);
        let (place, (_, key)) = place
            .and_then(|place| Some((place, self.keys.get(place)?)))
            .ok_or_else(|| Unopenable::NoSuchKey(id.to_owned()))?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Unopenable::Altered)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>().ok_or(Unopenable::Altered)?;
        let associated = purpose.associated(user);
        let payload = Payload {
            msg: sealed,
            aad: &associated,
        };
        let opened = cipher(key)
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| Unopenable::Altered)?;
        Ok(Opened {
            secret: Secret::new(String::from_utf8(opened).map_err(|_| Unopenable::Altered)?),
            outdated: place != 0,
        })
    }
}

const FORM: &str =
    "write `id:key`, several separated by commas, where a key is what `openssl rand -base64 32` prints";

fn cipher(key: &[u8; KEY]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

/// A key, in whichever base64 it is written.
fn key_of(text: &str) -> Option<Zeroizing<[u8; KEY]>> {
    let decoded = [STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|base64| base64.decode(text).ok())
        .map(Zeroizing::new)?;
    <[u8; KEY]>::try_from(decoded.as_slice()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, byte: u8) -> String {
        format!("{id}:{}", STANDARD.encode([byte; 32]))
    }

    fn keyring(entries: &[String]) -> Keyring {
        Keyring::parse(&entries.join(",")).unwrap()
    }

    fn seal(keyring: &Keyring, purpose: Purpose, user: &str) -> String {
        keyring
            .seal(purpose, user, &[9; 32], &Secret::new("1//refresh".into()))
            .unwrap()
    }

    #[test]
    fn a_text_opens_for_its_user_and_its_purpose_only() {
        let keys = keyring(&[entry("a", 1)]);
        let sealed = seal(&keys, Purpose::Refresh, "ann");
        let opened = keys.open(Purpose::Refresh, "ann", &sealed).unwrap();
        assert_eq!((opened.secret.expose(), opened.outdated), ("1//refresh", false));
        assert_eq!(
            keys.open(Purpose::Refresh, "bob", &sealed),
            Err(Unopenable::Altered)
        );
        assert_eq!(
            keys.open(Purpose::Access, "ann", &sealed),
            Err(Unopenable::Altered)
        );
        assert!(!sealed.contains("refresh"));
    }

    #[test]
    fn a_text_that_was_changed_does_not_open() {
        let keys = keyring(&[entry("a", 1)]);
        let sealed = seal(&keys, Purpose::Access, "ann");
        for place in 2..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(keys.open(Purpose::Access, "ann", &changed).is_err(), "{place}");
        }
        for short in ["", "a", "a.", "a.AAAA"] {
            assert!(keys.open(Purpose::Access, "ann", short).is_err(), "{short}");
        }
    }

    #[test]
    fn the_first_key_seals_and_every_key_opens() {
        let old = keyring(&[entry("2025", 1)]);
        let both = keyring(&[entry("2026", 2), entry("2025", 1)]);
        let new = keyring(&[entry("2026", 2)]);
        let sealed = seal(&old, Purpose::Refresh, "ann");
        assert!(
            both.open(Purpose::Refresh, "ann", &sealed).unwrap().outdated,
            "to be sealed anew"
        );
        assert_eq!(
            new.open(Purpose::Refresh, "ann", &sealed),
            Err(Unopenable::NoSuchKey("2025".into()))
        );
        let again = seal(&both, Purpose::Refresh, "ann");
        assert!(!new.open(Purpose::Refresh, "ann", &again).unwrap().outdated);
        let renamed = keyring(&[entry("2025", 3)]);
        assert_eq!(
            renamed.open(Purpose::Refresh, "ann", &sealed),
            Err(Unopenable::Altered)
        );
    }

    #[test]
    fn wrong_keys_are_told_without_being_repeated() {
        let short = STANDARD.encode([7; 31]);
        for (text, told) in [
            (String::new(), "has no key"),
            (STANDARD.encode([7; 32]), "entry 1 has no `:`"),
            (format!("a b:{short}"), "the id of entry 1"),
            (format!("a:{short}"), "`a` is not the base64 of 32 bytes"),
            (
                format!("{},{}", entry("a", 7), entry("a", 8)),
                "two keys have the id `a`",
            ),
        ] {
            let error = Keyring::parse(&text).unwrap_err();
            assert!(error.contains(told), "{error}");
            assert!(
                !error.contains(&short) && !error.contains(&STANDARD.encode([7; 32])),
                "{error}"
            );
        }
        let keys = keyring(&[entry("a", 7)]);
        assert_eq!(format!("{keys:?}"), "Keyring([\"a\"])");
    }
}
