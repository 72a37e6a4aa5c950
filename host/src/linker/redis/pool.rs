//! A component's connections to Redis.
//!
//! A component has at most [`MOST`] connections open at once; a request that wants another one waits for it, up to
//! [`WAIT`]. A connection is a request's alone. When the request gives it back, it is kept for the next one, unless it may
//! be in a state that the next one must not meet: after a command that changes the connection ([`CHANGING`]), after an
//! error that is not the server's answer, or while an answer is still to come. A connection that lay idle is asked for a
//! sign of life first, so that one that the server closed is not used.

use crate::guest::Guest;
use crate::runtime::Runtime;
use crate::telemetry::conventions;
use crate::telemetry::traces::{Place, Span};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisError, RedisResult};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections that a component may have open.
const MOST: usize = 4096;
/// How long a request waits for a connection to be given back.
const WAIT: Duration = Duration::from_secs(5);
/// Connections to one address that are kept without a request.
const KEPT: usize = 64;
/// A connection that was not used for longer than this is tried before it is used.
const TRUSTED: Duration = Duration::from_secs(1);
/// How long a command may take. Longer than a blocking read's own limit, which components set.
const RESPONSE: Duration = Duration::from_secs(35);
const CONNECT: Duration = Duration::from_secs(5);

/// Commands after which a connection is not what it was.
const CHANGING: [&str; 22] = [
    "ASKING",
    "AUTH",
    "CLIENT",
    "DISCARD",
    "EXEC",
    "HELLO",
    "MONITOR",
    "MULTI",
    "PSUBSCRIBE",
    "PSYNC",
    "PUNSUBSCRIBE",
    "QUIT",
    "READONLY",
    "READWRITE",
    "REPLCONF",
    "RESET",
    "SELECT",
    "SSUBSCRIBE",
    "SUBSCRIBE",
    "SYNC",
    "UNWATCH",
    "WATCH",
];

/// A component's connections.
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    places: Arc<Semaphore>,
    /// By address, credentials included: whoever gives them anew gets only what was opened with them.
    idle: Mutex<HashMap<String, Vec<Idle>>>,
}

struct Idle {
    connection: MultiplexedConnection,
    since: Instant,
}

/// What became of the wish for a connection.
pub(super) enum Checkout {
    Open(Pooled),
    NoAddress,
    TooMany,
    Failed(RedisError),
}

impl Default for Pool {
    fn default() -> Self {
        Self(Arc::new(Inner {
            places: Arc::new(Semaphore::new(MOST)),
            idle: Mutex::default(),
        }))
    }
}

impl Pool {
    /// A connection to an address: one that was kept, or a new one.
    pub(super) async fn checkout(&self, address: &str) -> Checkout {
        let places = Arc::clone(&self.0.places);
        let Ok(Ok(place)) = tokio::time::timeout(WAIT, places.acquire_owned()).await else {
            return Checkout::TooMany;
        };
        let connection = match self.kept(address).await {
            Some(connection) => connection,
            None => {
                let Ok(client) = redis::Client::open(address) else {
                    return Checkout::NoAddress;
                };
                match connect(&client).await {
                    Ok(connection) => connection,
                    Err(error) => return Checkout::Failed(error),
                }
            }
        };
        Checkout::Open(Pooled {
            handle: Handle {
                connection,
                state: Arc::default(),
                within: None,
            },
            address: address.to_owned(),
            pool: Arc::clone(&self.0),
            _place: place,
        })
    }

    /// A connection that was kept and still answers.
    async fn kept(&self, address: &str) -> Option<MultiplexedConnection> {
        loop {
            let Idle {
                mut connection,
                since,
            } = self.0.idle().get_mut(address)?.pop()?;
            if since.elapsed() < TRUSTED
                || redis::cmd("PING")
                    .query_async::<()>(&mut connection)
                    .await
                    .is_ok()
            {
                return Some(connection);
            }
        }
    }
}

impl Inner {
    fn idle(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn connect(client: &redis::Client) -> RedisResult<MultiplexedConnection> {
    let config = redis::AsyncConnectionConfig::new()
        .set_response_timeout(Some(RESPONSE))
        .set_connection_timeout(Some(CONNECT));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// A connection that a request has; given back when dropped.
pub(super) struct Pooled {
    handle: Handle,
    address: String,
    pool: Arc<Inner>,
    _place: OwnedSemaphorePermit,
}

impl Pooled {
    /// What runs commands on it.
    pub(super) fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if !self.handle.state.is_as_new() {
            return;
        }
        let mut idle = self.pool.idle();
        let kept = idle.entry(std::mem::take(&mut self.address)).or_default();
        if kept.len() < KEPT {
            kept.push(Idle {
                connection: self.handle.connection.clone(),
                since: Instant::now(),
            });
        }
    }
}

/// Runs commands on a connection. Commands of one request may run side by side.
#[derive(Clone)]
pub(super) struct Handle {
    connection: MultiplexedConnection,
    state: Arc<State>,
    /// What its commands are a part of, if that is traced.
    within: Option<(Arc<Runtime>, Place)>,
}

/// What happened to a connection while a request had it.
#[derive(Default)]
struct State {
    changed: AtomicBool,
    running: AtomicUsize,
}

impl State {
    fn is_as_new(&self) -> bool {
        !self.changed.load(Ordering::Acquire) && self.running.load(Ordering::Acquire) == 0
    }
}

/// A command under way.
struct Running<'a> {
    state: &'a State,
    /// Whether the server has answered it. Otherwise its answer may still come, to whoever asks next.
    answered: bool,
}

impl<'a> Running<'a> {
    fn begin(state: &'a State) -> Self {
        state.running.fetch_add(1, Ordering::AcqRel);
        Self {
            state,
            answered: false,
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.state.changed.store(true, Ordering::Release);
        }
        self.state.running.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Handle {
    /// The same for commands that an instance asks for now.
    pub(super) fn within(mut self, guest: &Guest) -> Self {
        self.within = guest.place().map(|place| (Arc::clone(guest.runtime()), place));
        self
    }

    fn span(&self, command: &Cmd) -> Span {
        match &self.within {
            Some((runtime, place)) => runtime.traces.part(Some(place.clone()), |place| {
                let name = match command.args_iter().next() {
                    Some(redis::Arg::Simple(name)) => name,
                    _ => b"",
                };
                conventions::command(name, place)
            }),
            None => Span::default(),
        }
    }

    /// Notes that a command may change the connection.
    pub(super) fn about_to_run(&self, command: &str) {
        if CHANGING.contains(&command.to_ascii_uppercase().as_str()) {
            self.state.changed.store(true, Ordering::Release);
        }
    }

    /// Runs a command.
    pub(super) async fn query<R: FromRedisValue>(&self, command: Cmd) -> RedisResult<R> {
        let mut running = Running::begin(&self.state);
        let mut connection = self.connection.clone();
        let span = self.span(&command);
        let answer: RedisResult<redis::Value> = command.query_async(&mut connection).await;
        if let Err(error) = &answer {
            // The code that the server gave, such as `WRONGTYPE`.
            span.fail(error.code().unwrap_or("no-answer"));
        }
        // An error that has a code is the server's answer; any other is the connection's.
        running.answered = answer.as_ref().err().is_none_or(|error| error.code().is_some());
        drop(running);
        Ok(R::from_redis_value(answer?)?)
    }
}
