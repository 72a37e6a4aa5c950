//! A fake of the parts of Google that anyturn uses, as published: paths, JSON, error bodies, paging, batches, quotas.
//!
//! One [`FakeGoogle`] serves all of Google's APIs under one address on the loopback interface. What anyturn reaches at
//! different hosts lies at different paths, so every variable `google_…_url` of spin.toml can be set to that one address.
//!
//! - [`answer`]: answers, and errors in Google's form.
//! - [`batch`]: `multipart/mixed`, whose parts are answered as if they had come alone.
//! - [`calendar`]: events and free/busy. [`people`]: contacts.
//! - [`faults`]: quotas, failures and lost answers, on demand.
//! - [`gmail`]: what lies in mailboxes, and what can be done with it.
//! - [`oauth`]: signing in, consent, tokens, and taking permissions back.
//! - [`scopes`]: what may be done with an access token, as Google documents it for every method.
//! - [`tokens`]: who may do what: access tokens that expire and are taken back; and the component `accounts` as the
//!   tools see it, for tests of a tool alone.
//!
//! ```
//! use anyturn_google_fake::{Failure, FakeGoogle};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> anyhow::Result<()> {
//! let google = FakeGoogle::start().await?;
//! google.connect("ada", "ada@northwind.example");
//! google.fail("/gmail/v1/users/me/messages", Failure::RateLimited { retry_after: Some(1) }, 2);
//! // … point a client at google.url(), and look at google.requests().
//! # Ok(())
//! # }
//! ```

pub mod answer;
pub mod batch;
pub mod calendar;
pub mod faults;
mod frame;
pub mod gmail;
pub mod oauth;
pub mod people;
pub mod scopes;
pub mod tokens;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use answer::Answer;
pub use faults::Failure;
use faults::Faults;
pub use frame::Request;
use oauth::OAuth;
use tokens::Tokens;

/// A running fake; dropping it stops it and closes its connections.
#[derive(Debug)]
pub struct FakeGoogle {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

/// All that Google knows.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) tokens: Tokens,
    pub(crate) faults: Faults,
    pub(crate) gmail: gmail::Gmail,
    pub(crate) oauth: OAuth,
    pub(crate) requests: Vec<Request>,
    pub(crate) calendars: calendar::Calendars,
    pub(crate) people: people::People,
}

impl FakeGoogle {
    /// Starts it on a free port of the loopback interface, in the present Tokio runtime.
    pub async fn start() -> anyhow::Result<FakeGoogle> {
        FakeGoogle::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts it at this address, in the present Tokio runtime.
    pub async fn bind(address: SocketAddr) -> anyhow::Result<FakeGoogle> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("{address} cannot be listened at"))?;
        let address = listener.local_addr()?;
        let mut state = State::default();
        state.oauth.set_base(format!("http://{address}"));
        let state = Arc::new(Mutex::new(state));
        let server = tokio::spawn(frame::serve(listener, state.clone()));
        Ok(FakeGoogle {
            address,
            state,
            server,
        })
    }

    /// Its address, such as `http://127.0.0.1:4000`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address that stands for the component `accounts`, for tests of a tool alone.
    pub fn accounts_url(&self) -> String {
        format!("{}{}", self.url(), tokens::ACCOUNTS)
    }

    /// Lets a user of anyturn have connected the Google account of this address.
    pub fn connect(&self, user: &str, email: &str) {
        self.lock().tokens.connect(user, email);
    }

    /// Lets whoever has connected an account have allowed no more than these scopes.
    pub fn allow(&self, email: &str, scopes: &[&str]) {
        self.lock().tokens.allow(email, scopes);
    }

    /// Makes all access tokens of an account expire; refreshing helps.
    pub fn expire(&self, email: &str) {
        self.lock().tokens.expire(email);
    }

    /// Takes anyturn's access to an account back; only connecting again helps.
    pub fn revoke(&self, email: &str) {
        let mut state = self.lock();
        let State { tokens, oauth, .. } = &mut *state;
        tokens.revoke(email);
        oauth.take_back(tokens, email);
    }

    /// Does something with Google's accounts, clients and keys.
    pub fn oauth<T>(&self, work: impl FnOnce(&mut OAuth) -> T) -> T {
        work(&mut self.lock().oauth)
    }

    /// Fails the next so many requests whose path contains this, those within batches included.
    pub fn fail(&self, path: &str, failure: Failure, times: u32) {
        self.lock().faults.add(path, failure, times);
    }

    /// All requests so far, those within batches included, those that failed too.
    pub fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// How many requests had a path that contains this.
    pub fn count(&self, path: &str) -> usize {
        let state = self.lock();
        state
            .requests
            .iter()
            .filter(|request| request.path.contains(path))
            .count()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for FakeGoogle {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(crate) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
