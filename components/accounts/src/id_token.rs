//! Google's ID tokens (OpenID Connect Core 1.0, section 3.1.3.7), verified whole.
//!
//! A token is signed with RS256 and nothing else, by one of Google's published keys; it is from Google, for one of our
//! clients, within its time, and about a verified e-mail address. What cannot be right anyway is refused before keys
//! are looked for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::signature::Verifier;
use rsa::{BoxedUint, RsaPublicKey};
use serde::Deserialize;
use sha2::Sha256;

use crate::answer::Refusal;
use crate::keys::{self, Key, NoKey};
use crate::platform::Platform;
use crate::secret::Secret;
use http::StatusCode;

/// How far clocks may differ: seconds.
const LEEWAY: u64 = 60;
/// Longer tokens are not looked at.
const MAX_TOKEN: usize = 16 * 1024;
/// The sizes of a modulus in bytes (RFC 7518, section 3.3: at least 2048 bits).
const MODULUS: std::ops::RangeInclusive<usize> = 256..=512;
const ISSUERS: [&str; 2] = ["accounts.google.com", "https://accounts.google.com"];

/// What a token has to be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// For one of these clients.
    pub audiences: &'a [String],
    /// Of a member of one of these hosted domains; empty for anybody.
    pub domains: &'a [String],
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Google's id of the account, which never changes.
    pub sub: String,
    /// Their verified address.
    pub email: String,
}

/// Why a token was refused. Repeats nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts of base64url with JSON in two of them.
    #[error("the token is no ID token: {0}")]
    Malformed(&'static str),
    /// Signed in another way.
    #[error("the token is signed with another algorithm than RS256")]
    Algorithm,
    /// Demands something that is not known here (RFC 7515, section 4.1.11).
    #[error("the token's header has critical extensions, which are not supported")]
    Critical,
    /// Not from Google.
    #[error("the token is from another issuer (`iss`) than Google")]
    Issuer,
    /// For another application.
    #[error("the token is for another application (`aud`)")]
    Audience,
    /// Over.
    #[error("the token has expired")]
    Expired,
    /// Not begun.
    #[error("the token is not valid yet (`iat`)")]
    NotYet,
    /// By none of Google's keys.
    #[error("the token is signed with a key that Google does not publish (`kid`)")]
    UnknownKey,
    /// Altered, or signed by somebody else.
    #[error("the token's signature is wrong")]
    Signature,
    /// Of an account whose address is not verified.
    #[error("the Google account has no verified e-mail address")]
    Unverified,
    /// Of an account outside of the domains that may.
    #[error("the Google account belongs to none of the domains that are let in")]
    Domain,
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        let (status, kind) = match error {
            TokenError::Domain => (StatusCode::FORBIDDEN, "not_allowed"),
            _ => (StatusCode::UNAUTHORIZED, "invalid_token"),
        };
        Self::new(
            status,
            kind,
            format!("{}.", crate::answer::capital(&error.to_string())),
        )
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default)]
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    /// Google names one; a token for several is not one of theirs.
    aud: String,
    sub: String,
    exp: u64,
    iat: u64,
    nbf: Option<u64>,
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
    hd: Option<String>,
}

/// Verifies a token, by keys that are fetched where they are not there yet.
///
/// # Errors
/// Why it is not believed, or why nobody can tell.
pub async fn verify<P: Platform>(
    platform: &P,
    certs_url: &str,
    token: &Secret,
    expected: Expected<'_>,
) -> Result<Person, Refusal> {
    let unverified = read(token.expose())?;
    check(&unverified.claims, expected, platform.now() / 1000)?;
    let key = match keys::find(platform, certs_url, &unverified.kid).await {
        Ok(key) => key,
        Err(NoKey::Unknown) => return Err(TokenError::UnknownKey.into()),
        Err(NoKey::Refused(refusal)) => return Err(refusal),
    };
    verify_signature(&key, unverified.signed.as_bytes(), &unverified.signature)?;
    person(unverified.claims, expected).map_err(Refusal::from)
}

struct Unverified<'a> {
    kid: String,
    signed: &'a str,
    signature: Vec<u8>,
    claims: Claims,
}

fn read(token: &str) -> Result<Unverified<'_>, TokenError> {
    if token.len() > MAX_TOKEN {
        return Err(TokenError::Malformed("it is longer than 16 KiB"));
    }
    let (signed, signature) = token
        .rsplit_once('.')
        .ok_or(TokenError::Malformed("it has no signature"))?;
    let (header, payload) = signed
        .split_once('.')
        .ok_or(TokenError::Malformed("it has no payload"))?;
    let header: Header = anyturn_json::from_slice(&decode(header)?)
        .map_err(|_| TokenError::Malformed("its header is not valid"))?;
    if header.alg != "RS256" {
        return Err(TokenError::Algorithm);
    }
    if header.crit.is_some() {
        return Err(TokenError::Critical);
    }
    let claims: Claims = anyturn_json::from_slice(&decode(payload)?)
        .map_err(|_| TokenError::Malformed("its claims are not those of an ID token"))?;
    Ok(Unverified {
        kid: header
            .kid
            .ok_or(TokenError::Malformed("it names no key (`kid`)"))?,
        signed,
        signature: decode(signature)?,
        claims,
    })
}

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed("a part of it is not base64url"))
}

fn check(claims: &Claims, expected: Expected<'_>, now: u64) -> Result<(), TokenError> {
    if !ISSUERS.contains(&claims.iss.as_str()) {
        return Err(TokenError::Issuer);
    }
    if !expected.audiences.contains(&claims.aud) {
        return Err(TokenError::Audience);
    }
    if now >= claims.exp.saturating_add(LEEWAY) {
        return Err(TokenError::Expired);
    }
    let begin = claims.nbf.unwrap_or(0).max(claims.iat);
    if now.saturating_add(LEEWAY) < begin {
        return Err(TokenError::NotYet);
    }
    Ok(())
}

/// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, section 3.3).
fn verify_signature(key: &Key, signed: &[u8], signature: &[u8]) -> Result<(), TokenError> {
    // A key that Google publishes and that cannot be one is as good as none.
    let key = public_key(key).ok_or(TokenError::UnknownKey)?;
    let signature = Signature::try_from(signature).map_err(|_| TokenError::Signature)?;
    VerifyingKey::<Sha256>::new(key)
        .verify(signed, &signature)
        .map_err(|_| TokenError::Signature)
}

fn public_key(key: &Key) -> Option<RsaPublicKey> {
    let number = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        bytes.get(zeros..).map(<[u8]>::to_vec)
    };
    let modulus = number(&key.n).filter(|bytes| MODULUS.contains(&bytes.len()))?;
    let exponent = number(&key.e).filter(|bytes| (1..=8).contains(&bytes.len()))?;
    RsaPublicKey::new(
        BoxedUint::from_be_slice_vartime(&modulus),
        BoxedUint::from_be_slice_vartime(&exponent),
    )
    .ok()
}

fn person(claims: Claims, expected: Expected<'_>) -> Result<Person, TokenError> {
    let email = claims
        .email
        .filter(|email| claims.email_verified && !email.is_empty())
        .ok_or(TokenError::Unverified)?;
    // The claim, and not the address: anybody can have an account with an address of any domain.
    let is_member = |domain: &str| {
        expected
            .domains
            .iter()
            .any(|known| known.eq_ignore_ascii_case(domain))
    };
    if !expected.domains.is_empty() && !claims.hd.as_deref().is_some_and(is_member) {
        return Err(TokenError::Domain);
    }
    if claims.sub.is_empty() {
        return Err(TokenError::Malformed("it names no account (`sub`)"));
    }
    Ok(Person {
        sub: claims.sub,
        email,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(modulus: &[u8], exponent: &[u8]) -> Key {
        Key {
            kid: "a".into(),
            n: URL_SAFE_NO_PAD.encode(modulus),
            e: URL_SAFE_NO_PAD.encode(exponent),
        }
    }

    #[test]
    fn a_published_key_has_at_least_2048_bits_and_an_exponent_that_can_be_one() {
        let odd = |length: usize| {
            let mut modulus = vec![0xc3; length];
            modulus[length - 1] = 1;
            modulus
        };
        assert!(public_key(&key(&odd(256), &[1, 0, 1])).is_some());
        assert!(public_key(&key(&odd(512), &[0, 1, 0, 1])).is_some());
        for (modulus, exponent) in [
            (odd(255), vec![1, 0, 1]),
            ([&[0], odd(255).as_slice()].concat(), vec![1, 0, 1]),
            (odd(513), vec![1, 0, 1]),
            (odd(256), vec![]),
            (odd(256), vec![0]),
            (odd(256), vec![1]),
            (vec![], vec![1, 0, 1]),
        ] {
            assert!(
                public_key(&key(&modulus, &exponent)).is_none(),
                "{}",
                modulus.len()
            );
        }
    }
}
