//! What the variables say about identity, parsed into what cannot be wrong.

use std::num::NonZeroU32;

use crate::key::{self, ApiKey};
use crate::{Credentials, Identity, JwtVerifier, RateLimit, Unidentified, User};

/// The variables as they are set; an empty one is not set.
#[derive(Clone, Copy, Default)]
pub struct Variables<'a> {
    /// The secret that tokens are signed with (HS256); at least 32 bytes.
    pub jwt_secret: &'a str,
    /// What a token's `iss` must be.
    pub jwt_issuer: &'a str,
    /// What a token's `aud` must be or hold.
    pub jwt_audience: &'a str,
    /// Lines or `;`-separated entries `<sha256 hex of the key>:<user>[:role,role[:expiry RFC 3339]]`.
    pub api_keys: &'a str,
    /// Who everybody is while no other way to be identified is configured.
    pub development_user: &'a str,
    /// Requests per user and minute; `0` for no limit, empty for 600.
    pub rate_limit_per_minute: &'a str,
}

/// A variable that is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the variable `{variable}` {reason}")]
pub struct ConfigError {
    /// Which variable.
    pub variable: &'static str,
    /// What is wrong with it; never its value where that is secret.
    pub reason: String,
}

/// Who is identified how, and how much they may use.
#[derive(Clone, Debug)]
pub struct Config {
    access: Access,
    /// The limit per user, if there is one.
    pub rate_limit: Option<RateLimit>,
}

#[derive(Clone, Debug)]
enum Access {
    Unconfigured,
    Development(User),
    Credentials {
        jwt: Option<JwtVerifier>,
        keys: Vec<ApiKey>,
    },
}

/// How callers are identified, for people and start-up checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode<'a> {
    /// Nobody can be.
    Unconfigured,
    /// Everybody is this user.
    Development(&'a User),
    /// By credentials.
    Credentials {
        /// Whether tokens are accepted.
        tokens: bool,
        /// How many API keys are.
        keys: usize,
    },
}

impl Config {
    /// Parses the variables.
    ///
    /// # Errors
    /// The first variable that is wrong.
    pub fn parse(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let Variables {
            jwt_secret,
            jwt_issuer,
            jwt_audience,
            api_keys,
            development_user,
            rate_limit_per_minute,
        } = *variables;
        let jwt = if jwt_secret.is_empty() {
            for (variable, value) in [("jwt_issuer", jwt_issuer), ("jwt_audience", jwt_audience)] {
                if !value.is_empty() {
                    return Err(error(
                        variable,
                        "is set, but `jwt_secret` is not: set both, or neither",
                    ));
                }
            }
            None
        } else {
            let verifier = JwtVerifier::new(
                jwt_secret.as_bytes(),
                not_empty(jwt_issuer),
                not_empty(jwt_audience),
            )
            .map_err(|reason| error("jwt_secret", reason))?;
            Some(verifier)
        };
        let keys = api_keys
            .split([';', '\n'])
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .enumerate()
            .map(|(i, entry)| {
                ApiKey::parse(entry)
                    .map_err(|reason| error("api_keys", format!("is wrong: entry {} {reason}", i + 1)))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let access = match (development_user, jwt.is_some() || !keys.is_empty()) {
            ("", false) => Access::Unconfigured,
            ("", true) => Access::Credentials { jwt, keys },
            (user, false) => Access::Development(
                User::parse(user)
                    .map_err(|reason| error("development_user", format!("is wrong: {reason}")))?,
            ),
            (_, true) => {
                return Err(error(
                    "development_user",
                    "lets everybody in, so it cannot be set together with `jwt_secret` or `api_keys`: unset it",
                ));
            }
        };
        Ok(Self {
            access,
            rate_limit: rate_limit(rate_limit_per_minute)?,
        })
    }

    /// How callers are identified.
    #[must_use]
    pub fn mode(&self) -> Mode<'_> {
        match &self.access {
            Access::Unconfigured => Mode::Unconfigured,
            Access::Development(user) => Mode::Development(user),
            Access::Credentials { jwt, keys } => Mode::Credentials {
                tokens: jwt.is_some(),
                keys: keys.len(),
            },
        }
    }

    /// Finds out who is calling. `now` is in milliseconds since the Unix epoch.
    ///
    /// In development mode credentials are not looked at: clients that insist on sending an API key work.
    ///
    /// # Errors
    /// Why the request is nobody's.
    pub fn identify(&self, credentials: &Credentials<'_>, now: u64) -> Result<Identity, Unidentified> {
        let (jwt, keys) = match &self.access {
            Access::Unconfigured => return Err(Unidentified::Unconfigured),
            Access::Development(user) => {
                return Ok(Identity {
                    user: user.clone(),
                    roles: Vec::new(),
                    expires: None,
                });
            }
            Access::Credentials { jwt, keys } => (jwt.as_ref(), keys.as_slice()),
        };
        let secret = match (credentials.api_key, credentials.authorization) {
            (Some(key), _) => return by_key(keys, key.trim(), now),
            (None, Some(header)) => bearer(header).ok_or(Unidentified::Scheme)?,
            (None, None) => return Err(Unidentified::Missing),
        };
        if secret.starts_with(key::PREFIX) {
            return by_key(keys, secret, now);
        }
        jwt.ok_or(Unidentified::TokensOff)?
            .verify(secret, now)
            .map_err(Unidentified::from)
    }
}

fn by_key(keys: &[ApiKey], key: &str, now: u64) -> Result<Identity, Unidentified> {
    if keys.is_empty() {
        return Err(Unidentified::KeysOff);
    }
    let found = key::find(keys, key).ok_or(Unidentified::UnknownKey)?;
    if found
        .expires
        .is_some_and(|end| i64::try_from(now).unwrap_or(i64::MAX) >= end)
    {
        return Err(Unidentified::ExpiredKey);
    }
    Ok(Identity {
        user: found.user.clone(),
        roles: found.roles.clone(),
        expires: found.expires.and_then(|end| u64::try_from(end).ok()),
    })
}

/// The token of `Bearer <token>`; the scheme's case does not matter (RFC 9110, section 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn rate_limit(value: &str) -> Result<Option<RateLimit>, ConfigError> {
    const DEFAULT: u32 = 600;
    let limit = match value.trim() {
        "" => DEFAULT,
        value => value.parse().map_err(|_| {
            error(
                "rate_limit_per_minute",
                format!("is `{value}`; it must be a whole number of requests, 0 for no limit"),
            )
        })?,
    };
    Ok(NonZeroU32::new(limit).map(RateLimit::per_minute))
}

fn not_empty(value: &str) -> Option<&str> {
    Some(value).filter(|value| !value.is_empty())
}

fn error(variable: &'static str, reason: impl Into<String>) -> ConfigError {
    ConfigError {
        variable,
        reason: reason.into(),
    }
}
