//! JSON Web Tokens (RFC 7519) signed with a shared secret: HS256 (RFC 7515, RFC 7518), and nothing else.
//!
//! The algorithm is pinned: a token's own `alg` can only agree. A token must end (`exp`). Clocks may differ by a minute.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, SeqAccess, Visitor};
use sha2::Sha256;

use crate::Identity;
use crate::user::{InvalidUser, User, is_role};

/// How far clocks may differ, in seconds.
const LEEWAY: f64 = 60.0;
/// RFC 7518, section 3.2: a key of at least the hash's size must be used.
const MIN_SECRET: usize = 32;
/// Longer tokens are not looked at.
const MAX_TOKEN: usize = 16 * 1024;

/// Verifies tokens.
#[derive(Clone)]
pub struct JwtVerifier {
    secret: Box<[u8]>,
    issuer: Option<Box<str>>,
    audience: Option<Box<str>>,
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            secret: _,
            issuer,
            audience,
        } = self;
        f.debug_struct("JwtVerifier")
            .field("issuer", issuer)
            .field("audience", audience)
            .finish_non_exhaustive()
    }
}

/// Why a token was refused. Tells nothing that its bearer does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts of base64url, or not JSON in them.
    #[error("the token is no JSON Web Token: {0}")]
    Malformed(&'static str),
    /// Signed in another way.
    #[error("the token is signed with another algorithm than HS256")]
    Algorithm,
    /// Demands something that is not known here (RFC 7515, section 4.1.11).
    #[error("the token's header has critical extensions, which are not supported")]
    Critical,
    /// Signed with another secret, or altered.
    #[error("the token's signature is wrong")]
    Signature,
    /// Has no end.
    #[error("the token has no expiry (`exp`)")]
    NoExpiry,
    /// Ended.
    #[error("the token has expired")]
    Expired,
    /// Has not begun.
    #[error("the token is not valid yet (`nbf`)")]
    NotYet,
    /// From somebody else.
    #[error("the token is from another issuer (`iss`)")]
    Issuer,
    /// For somebody else.
    #[error("the token is for another audience (`aud`)")]
    Audience,
    /// Names nobody.
    #[error("the token names no user (`sub` or `id`)")]
    NoUser,
    /// Names nobody that can be.
    #[error("the token's user cannot be used: {0}")]
    User(#[from] InvalidUser),
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: std::borrow::Cow<'a, str>,
    #[serde(default)]
    crit: Option<serde::de::IgnoredAny>,
}

/// The claims that matter. NumericDate may have a fraction (RFC 7519, section 2).
#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
    nbf: Option<f64>,
    iss: Option<String>,
    aud: Option<OneOrMany>,
    sub: Option<String>,
    /// What Better Auth calls the user in the tokens that it issues with the whole user as payload.
    id: Option<String>,
    roles: Option<OneOrMany>,
    role: Option<OneOrMany>,
}

enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Written by hand: a derived one would bring a second way of reading everything into every component.
impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrTexts;

        impl<'de> Visitor<'de> for TextOrTexts {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }
            fn visit_str<E>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, texts: A) -> Result<OneOrMany, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(texts)).map(OneOrMany::Many)
            }
        }

        deserializer.deserialize_any(TextOrTexts)
    }
}

impl OneOrMany {
    fn as_slice(&self) -> &[String] {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many,
        }
    }
}

impl JwtVerifier {
    /// A verifier for a secret, and for an issuer and an audience if they matter.
    ///
    /// # Errors
    /// When the secret is too short to be one.
    pub fn new(secret: &[u8], issuer: Option<&str>, audience: Option<&str>) -> Result<Self, String> {
        check_secret(secret)?;
        Ok(Self {
            secret: secret.into(),
            issuer: issuer.map(Into::into),
            audience: audience.map(Into::into),
        })
    }

    /// Verifies a token in its compact form at a time in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// Why the token does not identify anybody.
    pub fn verify(&self, token: &str, now: u64) -> Result<Identity, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Malformed("it is longer than 16 KiB"));
        }
        let (signed, signature) = token
            .rsplit_once('.')
            .ok_or(TokenError::Malformed("it has no signature"))?;
        let (header, payload) = signed
            .split_once('.')
            .ok_or(TokenError::Malformed("it has no payload"))?;

        let header = decode(header)?;
        let header: Header<'_> = anyturn_json::from_slice(&header)
            .map_err(|_| TokenError::Malformed("its header is not valid"))?;
        if header.alg != "HS256" {
            return Err(TokenError::Algorithm);
        }
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }

        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).map_err(|_| TokenError::Signature)?;
        mac.update(signed.as_bytes());
        mac.verify_slice(&decode(signature)?)
            .map_err(|_| TokenError::Signature)?;

        let claims: Claims = anyturn_json::from_slice(&decode(payload)?)
            .map_err(|_| TokenError::Malformed("its claims are not of their types"))?;
        self.check(&claims, now)?;
        let user = claims.sub.or(claims.id).ok_or(TokenError::NoUser)?;
        let mut roles = Vec::new();
        for claim in [&claims.roles, &claims.role].into_iter().flatten() {
            match claim {
                // One string may hold several, as OAuth's `scope` does.
                OneOrMany::One(one) => one.split([' ', ',']).for_each(|role| add_role(&mut roles, role)),
                OneOrMany::Many(many) => many.iter().for_each(|role| add_role(&mut roles, role)),
            }
        }
        Ok(Identity {
            user: User::parse(&user)?,
            roles,
            expires: claims.exp.map(milliseconds),
        })
    }

    fn check(&self, claims: &Claims, now: u64) -> Result<(), TokenError> {
        // Exact for the next 285,000 years.
        #[allow(clippy::cast_precision_loss)]
        let now = now as f64 / 1000.0;
        let end = claims.exp.ok_or(TokenError::NoExpiry)?;
        if now >= end + LEEWAY {
            return Err(TokenError::Expired);
        }
        if claims.nbf.is_some_and(|begin| now + LEEWAY < begin) {
            return Err(TokenError::NotYet);
        }
        if self.issuer.is_some() && self.issuer.as_deref() != claims.iss.as_deref() {
            return Err(TokenError::Issuer);
        }
        if let Some(audience) = self.audience.as_deref() {
            let named = claims.aud.as_ref().map_or(&[][..], OneOrMany::as_slice);
            if !named.iter().any(|name| name == audience) {
                return Err(TokenError::Audience);
            }
        }
        Ok(())
    }
}

/// Whether a secret is long enough to be one.
pub(crate) fn check_secret(secret: &[u8]) -> Result<(), String> {
    if secret.len() < MIN_SECRET {
        return Err(format!(
            "is {} bytes long; HS256 needs at least {MIN_SECRET} (RFC 7518, section 3.2): \
             `openssl rand -base64 48` makes a good one",
            secret.len()
        ));
    }
    Ok(())
}

/// When a token is refused from, in milliseconds since the Unix epoch; what is no such time is at one of its ends.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn milliseconds(end: f64) -> u64 {
    ((end + LEEWAY) * 1000.0) as u64
}

fn add_role(roles: &mut Vec<String>, role: &str) {
    if is_role(role) && !roles.iter().any(|known| known == role) {
        roles.push(role.to_owned());
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed("a part of it is not base64url"))
}
