//! The state port over Redis: [`anyturn_state::schema`] on a connection that repairs itself.
//!
//! - [`address`]: where the server is, how to speak about it without its password, TLS.
//! - [`link`]: the one connection that all operations of the process share.
//! - [`notices`]: the one connection that wakes up whoever watches a journal.
//!
//! Promises:
//! - Every operation ends within [`RedisOptions::response_timeout`], a watch at most that much after its own
//!   time-out.
//! - An operation is sent once. When its answer is lost it is `unavailable`, and never repeated here: only the
//!   caller's conditions can tell whether it took effect. (A script that the server did not know has not run; it
//!   is sent again.)
//! - A lost connection is opened again for as long as the store exists. Operations that begin meanwhile wait for
//!   it, but fail at once when the server has been away for longer than the time-out.

mod address;
mod link;
mod notices;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyturn_state::Error;
use anyturn_state::schema::{self, Backend, Invocation};

use address::Address;
use link::Link;
use notices::{Notices, Ticket};

/// One namespace of a Redis.
pub type Namespace = schema::Client<RedisStore>;

/// How to talk to Redis.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// How long an operation may take before it is `unavailable`.
    pub response_timeout: Duration,
    /// How long opening a connection may take, TLS and sign-on included.
    pub connection_timeout: Duration,
    /// For `rediss:` with a private certificate authority: its certificates in PEM. Those of the public
    /// authorities are known.
    pub certificate_authority: Option<Vec<u8>>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        let two_seconds = Duration::from_secs(2);
        Self {
            response_timeout: two_seconds,
            connection_timeout: two_seconds,
            certificate_authority: None,
        }
    }
}

/// A Redis server. Clones share its connections, which are closed with the last of them.
#[derive(Clone)]
pub struct RedisStore {
    shared: Arc<Shared>,
}

struct Shared {
    description: String,
    link: Link,
    notices: Notices,
    round_trips: AtomicU64,
}

impl RedisStore {
    /// Connects to `redis://[user][:password@]host[:port][/database]`, `rediss://…` for TLS, or
    /// `unix:///path`. Needs a Tokio runtime, now and for as long as the store exists.
    ///
    /// # Errors
    ///
    /// `invalid` when the address is none, `unavailable` when the server cannot be reached, refuses the
    /// credentials or is older than Redis 7.0. Neither contains a password.
    pub async fn connect(url: &str, options: RedisOptions) -> Result<Self, Error> {
        let address = Address::parse(url, &options)?;
        let (link, server) = Link::open(&address, &options).await?;
        let notices = Notices::new(&address, &options)?;
        let description = format!("{server} at {address}");
        let round_trips = AtomicU64::new(0);
        Ok(Self {
            shared: Arc::new(Shared {
                description,
                link,
                notices,
                round_trips,
            }),
        })
    }

    /// A view of one namespace, which has passed [`anyturn_state::limits::namespace`].
    pub fn namespace(&self, namespace: &str) -> Namespace {
        Namespace::new(self.clone(), namespace.to_owned())
    }

    /// Asks the server for a sign of life.
    ///
    /// # Errors
    ///
    /// `unavailable` with the reason.
    pub async fn ping(&self) -> Result<(), Error> {
        self.shared.link.ping().await
    }

    /// What and where the server is: `Redis 7.2.4 at redis.example:6379, database 0`.
    pub fn description(&self) -> &str {
        &self.shared.description
    }

    /// How many operations have been sent to the server since it was opened.
    pub fn round_trips(&self) -> u64 {
        self.shared.round_trips.load(Ordering::Relaxed)
    }
}

impl Backend for RedisStore {
    type Waiter<'a> = Ticket;

    async fn evaluate(&self, call: &Invocation) -> Result<Vec<u8>, Error> {
        self.shared.round_trips.fetch_add(1, Ordering::Relaxed);
        self.shared.link.evaluate(call).await
    }

    async fn waiter(&self, key: String) -> Result<Ticket, Error> {
        self.shared.notices.subscribe(key).await
    }
}
