//! Tokens of our own: what [`crate::JwtVerifier`] accepts under the same variables.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use crate::ConfigError;
use crate::jwt::check_secret;

/// `{"alg":"HS256","typ":"JWT"}` (RFC 7515, section 3).
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// Issues tokens (RFC 7519) that name a user, signed with the shared secret (HS256).
#[derive(Clone)]
pub struct JwtIssuer {
    secret: Box<[u8]>,
    issuer: Option<Box<str>>,
    audience: Option<Box<str>>,
}

impl fmt::Debug for JwtIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            secret: _,
            issuer,
            audience,
        } = self;
        f.debug_struct("JwtIssuer")
            .field("issuer", issuer)
            .field("audience", audience)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

impl JwtIssuer {
    /// An issuer by the variables `jwt_secret`, `jwt_issuer` and `jwt_audience`; the last two may be empty.
    ///
    /// # Errors
    /// When the secret is too short to be one.
    pub fn new(secret: &str, issuer: &str, audience: &str) -> Result<Self, ConfigError> {
        check_secret(secret.as_bytes()).map_err(|reason| ConfigError {
            variable: "jwt_secret",
            reason,
        })?;
        let set = |value: &str| (!value.is_empty()).then(|| value.into());
        Ok(Self {
            secret: secret.as_bytes().into(),
            issuer: set(issuer),
            audience: set(audience),
        })
    }

    /// A token of this subject that begins now, in milliseconds since the Unix epoch, and ends after so many seconds.
    /// Its user is [`crate::User::parse`] of the subject.
    #[must_use]
    pub fn issue(&self, subject: &str, now: u64, lifetime: u64) -> String {
        let begin = now / 1000;
        let claims = Claims {
            sub: subject,
            iat: begin,
            exp: begin.saturating_add(lifetime),
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
        };
        // Texts and numbers always have a form in JSON, and an HMAC takes keys of any length.
        let claims = serde_json::to_vec(&claims).unwrap_or_default();
        let mut token = format!("{HEADER}.{}", URL_SAFE_NO_PAD.encode(claims));
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.secret) {
            mac.update(token.as_bytes());
            token.push('.');
            URL_SAFE_NO_PAD.encode_string(mac.finalize().into_bytes(), &mut token);
        }
        token
    }
}
