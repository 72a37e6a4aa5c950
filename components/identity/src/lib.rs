//! Who is calling, what they may do, how much they may use.
//!
//! Promises:
//! - Configuration is parsed once into a [`Config`] that cannot be wrong; what is wrong is a [`ConfigError`] that
//!   names the variable and says what would be right.
//! - [`Config::identify`] turns the credentials of a request into an [`Identity`] or into an [`Unidentified`] that
//!   tells the caller why, without telling anything secret. Secrets are compared in constant time.
//! - [`JwtIssuer`] makes tokens that the same variables accept.
//! - [`RateLimit`] produces the write that counts a request and judges what the store answered, so that counting
//!   shares a commit with whatever else the request writes.
//!
//! Nothing here knows HTTP beyond header names and values, reads a clock or talks to a store: callers give the time
//! and make the commit.
//!
//! ```
//! use anyturn_identity::{Config, Credentials, Variables};
//!
//! let config = Config::parse(&Variables { development_user: "local", ..Variables::default() })?;
//! let caller = config.identify(&Credentials::default(), 1_700_000_000_000)?;
//! assert_eq!(caller.user.as_str(), "local");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod issue;
mod jwt;
mod key;
mod moment;
mod rate;
mod user;

pub use config::{Config, ConfigError, Mode, Variables};
pub use issue::JwtIssuer;
pub use jwt::{JwtVerifier, TokenError};
pub use key::{ApiKey, NewKey, new_key, same_secret};
pub use rate::{RateLimit, Verdict};
pub use user::{Identity, InvalidUser, User};

/// What a request shows to be identified by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `x-api-key` header.
    pub api_key: Option<&'a str>,
}

/// Why a request is nobody's. Always answered with 401.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unidentified {
    /// There is no way to be identified yet.
    #[error(
        "no authentication is configured: set `jwt_secret` or `api_keys`, or `development_user` on a machine \
         that nobody else reaches"
    )]
    Unconfigured,
    /// The request shows nothing.
    #[error(
        "the request carries no credentials: send `Authorization: Bearer <token or API key>`, or `x-api-key`"
    )]
    Missing,
    /// The `Authorization` header is of another scheme or has no token.
    #[error("the `Authorization` header must read `Bearer <token>`")]
    Scheme,
    /// A token came, and tokens are not configured.
    #[error("tokens are not accepted here, API keys are: they begin with `ak_`")]
    TokensOff,
    /// An API key came, and API keys are not configured.
    #[error("API keys are not accepted here, tokens (JWT) are")]
    KeysOff,
    /// The token was refused.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// No such API key.
    #[error("the API key is unknown")]
    UnknownKey,
    /// The API key ran out.
    #[error("the API key has expired")]
    ExpiredKey,
}

impl Unidentified {
    /// The `WWW-Authenticate` header that goes with the 401 (RFC 6750, section 3).
    #[must_use]
    pub fn www_authenticate(&self) -> String {
        match self {
            Unidentified::Unconfigured | Unidentified::Missing => r#"Bearer realm="anyturn""#.to_owned(),
            Unidentified::Scheme => {
                format!(
                    r#"Bearer realm="anyturn", error="invalid_request", error_description="{}""#,
                    quoted(self)
                )
            }
            _ => format!(
                r#"Bearer realm="anyturn", error="invalid_token", error_description="{}""#,
                quoted(self)
            ),
        }
    }
}

/// What may stand in an `error_description`: visible ASCII without quotation marks and backslashes.
fn quoted(error: &Unidentified) -> String {
    error
        .to_string()
        .chars()
        .map(|c| match c {
            '"' | '\\' | '`' => '\'',
            c if c.is_ascii_graphic() || c == ' ' => c,
            _ => '?',
        })
        .collect()
}
