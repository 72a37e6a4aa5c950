//! The state port over Redis: [`anyturn_state::schema`] on a connection that repairs itself.
//!
//! - [`address`]: where a Redis is, how to speak about it without its password, TLS.
//! - [`source`]: which server a connection is opened to: the one that is named, the primary that sentinels name, or
//!   some node of a cluster.
//! - [`link`]: a connection that operations share; [`dial`] opens it, [`command`] is what is sent.
//! - [`cluster`]: a link to each primary of a cluster, and which of them has what.
//! - [`notices`]: the one connection that wakes up whoever watches a journal.
//!
//! Promises:
//! - Every operation ends within [`RedisOptions::response_timeout`], a watch at most that much after its own
//!   time-out.
//! - An operation is run at most once. When its answer is lost it is `unavailable`, and never repeated here: only the
//!   caller's conditions can tell whether it took effect. (What the server says that it has not run is sent again: a
//!   script that it did not know, and in a cluster what another node has to run.)
//! - A lost connection is opened again for as long as the store exists. Operations that begin meanwhile wait for
//!   it, but fail at once when the server has been away for longer than the time-out.

mod address;
mod cluster;
mod command;
mod dial;
mod link;
mod notices;
mod source;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyturn_state::Error;
use anyturn_state::schema::{self, Backend, Invocation};

use address::{Address, Topology};
use cluster::Cluster;
use link::Link;
use notices::{Notices, Ticket};
use source::Source;

/// One namespace of a Redis.
pub type Namespace = schema::Client<RedisStore>;

/// How to talk to Redis.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// How long an operation may take before it is `unavailable`.
    pub response_timeout: Duration,
    /// How long opening a connection may take, TLS and sign-on included.
    pub connection_timeout: Duration,
    /// For a URL with TLS and servers with certificates of a private authority: its certificate in PEM. Without it
    /// the public authorities are trusted.
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
    servers: Servers,
    notices: Notices,
    round_trips: AtomicU64,
}

/// What operations are sent to.
enum Servers {
    /// One server: the only one, or the primary of the moment.
    One(Link),
    /// The primaries of a cluster.
    Cluster(Cluster),
}

impl RedisOptions {
    /// Says whether [`RedisStore::connect`] would take a URL with these options, without connecting.
    ///
    /// # Errors
    ///
    /// `invalid`, with what is wrong and what would be right, and without what is in the URL.
    pub fn check(&self, url: &str) -> Result<(), Error> {
        Address::parse(url, self.certificate_authority.as_deref()).map(drop)
    }
}

impl RedisStore {
    /// Connects. Needs a Tokio runtime, now and for as long as the store exists.
    ///
    /// | URL | leads to |
    /// |---|---|
    /// | `redis://[user:password@]host[:port][/database]`, `unix:///path` | one server |
    /// | `redis-sentinel://[user:password@]host[:port],…/primary[/database][?sentinel_username=…&sentinel_password=…]` | the primary that the sentinels at these hosts call by this name; user and password are the primary's |
    /// | `redis-cluster://[user:password@]host[:port],…` | the cluster of which these are some nodes |
    ///
    /// With `rediss` instead of `redis` all of it is TLS, the sentinels included.
    ///
    /// # Errors
    ///
    /// `invalid` when the address is none, `unavailable` when the server cannot be reached, refuses the
    /// credentials or is older than Redis 7.0. Neither contains a password.
    pub async fn connect(url: &str, options: RedisOptions) -> Result<Self, Error> {
        let address = Address::parse(url, options.certificate_authority.as_deref())?;
        let (servers, listening, server) = match &address.topology {
            Topology::Cluster(seeds) => {
                let (cluster, server) = Cluster::open(&address, seeds.clone(), &options).await?;
                let listening = Source::member(&address.access, cluster.members());
                (Servers::Cluster(cluster), listening, server)
            }
            Topology::Server(server) => {
                let source = || Source::server(&address.access, server.clone());
                let (link, server) = Link::open(source(), &address, &options).await?;
                (Servers::One(link), source(), server.stands_alone()?)
            }
            Topology::Sentinel(sentinels) => {
                let source = || Source::primary(&address.access, sentinels);
                let (link, server) = Link::open(source()?, &address, &options).await?;
                (Servers::One(link), source()?, server)
            }
        };
        Ok(Self {
            shared: Arc::new(Shared {
                description: format!("{server} at {address}"),
                servers,
                notices: Notices::new(listening, &options),
                round_trips: AtomicU64::new(0),
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
        match &self.shared.servers {
            Servers::One(link) => link.ping().await,
            Servers::Cluster(cluster) => cluster.ping().await,
        }
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
        match &self.shared.servers {
            Servers::One(link) => link.evaluate(call).await,
            Servers::Cluster(cluster) => cluster.evaluate(call).await,
        }
    }

    async fn waiter(&self, key: String) -> Result<Ticket, Error> {
        self.shared.notices.subscribe(key).await
    }
}
