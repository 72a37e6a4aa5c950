//! A user's access to Google.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use http::header;
use serde::de::DeserializeOwned;

use crate::backoff::{Backoff, retry_after};
use crate::error::Refusal;
use crate::{Accounts, ApiError, Error, Network, NetworkError, Outgoing, Request, Secret};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long a call may take that has no deadline of its own.
const PATIENCE: Duration = Duration::from_secs(30);
const SERVER: &str = "Google";

/// A user's access to Google, for one call of a tool.
#[derive(Debug)]
pub struct Client<'a, N> {
    pub(crate) network: &'a N,
    accounts: Accounts,
    token: RefCell<Secret>,
    email: String,
    pub(crate) deadline: Duration,
}

impl<'a, N: Network> Client<'a, N> {
    /// Gets access; none when the user has connected no account.
    ///
    /// `not_after` is the call's: milliseconds since the Unix epoch after which nobody waits for Google any more.
    /// That moment is the store's, and here the machine's clock measures it, which is good enough for how long to wait;
    /// what must not happen late has to be made a condition of a commit.
    ///
    /// # Errors
    ///
    /// The user has to connect the account again, or the component `accounts` does not answer.
    pub async fn connect(
        network: &'a N,
        accounts: Accounts,
        not_after: Option<u64>,
    ) -> Result<Option<Client<'a, N>>, Error> {
        let patience = network.now() + PATIENCE;
        let deadline = not_after.map_or(patience, |moment| Duration::from_millis(moment).min(patience));
        let Some(token) = accounts.token(network, deadline, None).await? else {
            return Ok(None);
        };
        Ok(Some(Client {
            network,
            accounts,
            token: RefCell::new(token.secret),
            email: token.email,
            deadline,
        }))
    }

    /// The account's e-mail address, as it was when the user connected it.
    pub fn address(&self) -> &str {
        &self.email
    }

    /// Makes a request, and again as long as that is safe and may help. Returns a successful answer.
    ///
    /// # Errors
    ///
    /// Google refuses, or cannot be reached, or nobody knows; see [`Error`].
    pub async fn send(&self, request: &Request) -> Result<http::Response<Bytes>, Error> {
        let mut backoff = Backoff::new(self.deadline);
        let mut renewed = false;
        loop {
            let (failure, retry_after) = match self.attempt(request).await? {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => {
                    let error = ApiError::read(response.status().as_u16(), response.body());
                    let retry_after = retry_after(response.headers(), self.network.now());
                    match error.refusal() {
                        Refusal::Expired if !renewed => {
                            renewed = true;
                            self.renew().await?;
                            continue;
                        }
                        // A token that was made a moment ago: the account itself is locked.
                        Refusal::Expired => return Err(Error::Reconnect),
                        Refusal::Final => return Err(Error::Api(error)),
                        Refusal::Busy => (Error::Busy { retry_after }, retry_after),
                        Refusal::Failed if request.repeatable => (Error::Api(error), retry_after),
                        Refusal::Failed => {
                            return Err(Error::Unknown {
                                server: SERVER,
                                reason: error.to_string(),
                            });
                        }
                    }
                }
                Err(error @ NetworkError::TooLarge(_)) => return Err(Error::from_network(SERVER, error)),
                Err(error @ NetworkError::Lost(_)) if !request.repeatable => {
                    return Err(Error::from_network(SERVER, error));
                }
                Err(error) => (Error::from_network(SERVER, error), None),
            };
            self.pause(&mut backoff, retry_after, failure).await?;
        }
    }

    /// Makes a request and reads the answer's JSON.
    ///
    /// # Errors
    ///
    /// As of [`Client::send`]; or the answer is not what was expected.
    pub async fn json<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Error> {
        read(self.send(request).await?.body())
    }

    /// Waits before the next try, or fails with what the last one came to.
    pub(crate) async fn pause(
        &self,
        backoff: &mut Backoff,
        retry_after: Option<Duration>,
        failure: Error,
    ) -> Result<(), Error> {
        match backoff.next(self.network.now(), retry_after, self.network.random()) {
            Some(wait) => {
                self.network.sleep(wait).await;
                Ok(())
            }
            None => Err(failure),
        }
    }

    /// Gets another access token in place of the one that Google does not take any more.
    pub(crate) async fn renew(&self) -> Result<(), Error> {
        let stale = self.token.borrow().clone();
        let token = self
            .accounts
            .token(self.network, self.deadline, Some(&stale))
            .await?;
        // None: the user has disconnected the account in the meantime.
        *self.token.borrow_mut() = token.ok_or(Error::Reconnect)?.secret;
        Ok(())
    }

    async fn attempt(&self, request: &Request) -> Result<Result<http::Response<Bytes>, NetworkError>, Error> {
        let left = self.deadline.saturating_sub(self.network.now());
        if left.is_zero() {
            return Err(Error::OutOfTime);
        }
        let unusable = |reason: &str| Error::Unreachable {
            server: SERVER,
            reason: reason.to_owned(),
        };
        let mut outgoing = request
            .to_http()
            .ok_or_else(|| unusable("its address is none; see the variables google_…_url"))?;
        let bearer = self.token.borrow().bearer();
        let bearer = bearer.ok_or_else(|| unusable("the access token holds what no header may hold"))?;
        outgoing.headers_mut().insert(header::AUTHORIZATION, bearer);
        Ok(self
            .network
            .send(Outgoing {
                request: outgoing,
                limit: request.limit,
                timeout: TIMEOUT.min(left),
            })
            .await)
    }
}

/// What an answer's JSON says.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    anyturn_json::from_slice(body).map_err(|error| Error::Malformed {
        server: SERVER,
        // Where and of what type, and not what stands there, which may be anybody's.
        reason: format!("line {}, column {}", error.line(), error.column()),
    })
}
