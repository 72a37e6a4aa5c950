//! The component `accounts`, which keeps the users' access to Google and hands out access tokens.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;

use crate::backoff::Backoff;
use crate::{Error, Network, NetworkError, Outgoing, Secret};

/// What does not stand for itself in a header that names a user: see `anyturn-user` in docs/tools.md.
const RESERVED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b',');
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// An access token has at most 2,048 bytes (Google, "Using OAuth 2.0"), and little beside it.
const LIMIT: usize = 64 << 10;
const SERVER: &str = "the component accounts";

/// Where access tokens come from, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts {
    /// Without a slash at its end.
    url: String,
    user: String,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    email: String,
}

/// Access to an account.
pub(crate) struct Token {
    pub(crate) secret: Secret,
    /// The account's address.
    pub(crate) email: String,
}

impl Accounts {
    /// The component's address inside the application.
    pub const URL: &'static str = "http://accounts.spin.internal";

    /// The account of this user.
    pub fn of(user: &str) -> Accounts {
        Accounts {
            url: Accounts::URL.to_owned(),
            user: user.to_owned(),
        }
    }

    /// Asks at another address, without a slash at its end.
    #[must_use]
    pub fn at(self, url: impl Into<String>) -> Accounts {
        Accounts {
            url: url.into(),
            ..self
        }
    }

    /// An access token; none when the user has connected no account. `stale` is one that Google does not take.
    pub(crate) async fn token<N: Network>(
        &self,
        network: &N,
        deadline: Duration,
        stale: Option<&Secret>,
    ) -> Result<Option<Token>, Error> {
        let body = match stale {
            None => json!({}),
            Some(token) => json!({ "stale": token.digest() }),
        };
        let body = Bytes::from(body.to_string());
        let mut backoff = Backoff::new(deadline);
        loop {
            let failure = match self.ask(network, deadline, body.clone()).await? {
                Ok(response) => match response.status().as_u16() {
                    200 => return read(response.body()).map(Some),
                    404 => return Ok(None),
                    401 | 409 => return Err(Error::Reconnect),
                    status @ (429 | 500..=599) => Error::Unreachable {
                        server: SERVER,
                        reason: format!("it answers with the status {status}"),
                    },
                    status => {
                        return Err(Error::Malformed {
                            server: SERVER,
                            reason: format!("its status is {status}"),
                        });
                    }
                },
                // Asking for a token changes nothing: it can always be done again.
                Err(error) => Error::from_network(SERVER, error),
            };
            match backoff.next(network.now(), None, network.random()) {
                Some(wait) => network.sleep(wait).await,
                None => return Err(failure),
            }
        }
    }

    async fn ask<N: Network>(
        &self,
        network: &N,
        deadline: Duration,
        body: Bytes,
    ) -> Result<Result<http::Response<Bytes>, NetworkError>, Error> {
        let left = deadline.saturating_sub(network.now());
        if left.is_zero() {
            return Err(Error::OutOfTime);
        }
        let user = utf8_percent_encode(&self.user, RESERVED).to_string();
        let request = http::Request::post(format!("{}/token", self.url))
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header("anyturn-user", user)
            .body(body)
            .map_err(|error| Error::Unreachable {
                server: SERVER,
                reason: error.to_string(),
            })?;
        Ok(network
            .send(Outgoing {
                request,
                limit: LIMIT,
                timeout: TIMEOUT.min(left),
            })
            .await)
    }
}

fn read(body: &[u8]) -> Result<Token, Error> {
    // Not with serde's own words: they quote what they do not understand.
    match anyturn_json::from_slice::<Answer>(body) {
        Ok(answer) if !answer.access_token.is_empty() => Ok(Token {
            secret: Secret::new(answer.access_token),
            email: answer.email,
        }),
        _ => Err(Error::Malformed {
            server: SERVER,
            reason: "it has no access token".to_owned(),
        }),
    }
}
