//! Tokens for signed-in users, made as a front end's server makes them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// A secret for `JWT_SECRET`, long enough to be accepted.
pub const SECRET: &str = "a secret of the tests, forty bytes long!";

/// A token (RFC 7519, HS256) of a user, good for an hour.
pub fn token(user: &str) -> String {
    token_of(user, &[])
}

/// A token of a user who has these roles, good for an hour.
pub fn token_of(user: &str, roles: &[&str]) -> String {
    signed(
        &json!({ "alg": "HS256", "typ": "JWT" }),
        &json!({ "sub": user, "roles": roles, "exp": now() + 3600 }),
        SECRET,
    )
}

/// A token of any kind, right or wrong.
pub fn signed(header: &Value, claims: &Value, secret: &str) -> String {
    let content = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes())
        .unwrap_or_else(|error| panic!("any key length will do: {error}"));
    mac.update(content.as_bytes());
    format!(
        "{content}.{}",
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    )
}

/// Seconds since the Unix epoch.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
