//! Credentials that nothing prints.

use std::fmt::{self, Write as _};

use http::HeaderValue;
use sha2::{Digest, Sha256};

/// A credential: shown by nothing, not even in a request's headers.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a credential.
    pub fn new(credential: String) -> Secret {
        Secret(credential)
    }

    /// The credential as a bearer token (RFC 6750, section 2.1); none if it holds what no header may hold.
    pub(crate) fn bearer(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// What names the credential without giving it away: its SHA-256, in hexadecimal digits.
    pub(crate) fn digest(&self) -> String {
        let mut text = String::with_capacity(64);
        for byte in Sha256::digest(self.0.as_bytes()) {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_by_nothing() {
        let secret = Secret::new("ya29.abc".into());
        assert_eq!(format!("{secret:?}"), "(secret)");
        let bearer = secret.bearer().unwrap();
        assert_eq!(bearer.to_str().unwrap(), "Bearer ya29.abc");
        assert_eq!(format!("{bearer:?}"), "Sensitive");
        assert_eq!(Secret::new("a\nb".into()).bearer(), None);
    }

    #[test]
    fn a_secret_is_named_by_its_sha_256() {
        // FIPS 180-4's example for "abc".
        assert_eq!(
            Secret::new("abc".into()).digest(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
