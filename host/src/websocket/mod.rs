//! A WebSocket in front of a component's stream of events (RFC 6455), for clients that cannot keep a request open.
//!
//! It is thin: a message from the client becomes a request to the component, and every event of the answer becomes a
//! message to the client, in the same words. What a turn is, who may take it and how it goes on after a crash is the
//! component's. Between messages a connection costs a task and its buffers; there is no instance for it.
//!
//! A client says `{"type": "message", "data": {…}, "id"?}`. `data` is the body of the request; where it names no
//! session, the connection's is added. `id` becomes the idempotency key. It hears `{"type", "data", "session_id", "id"}`,
//! where `id` is the event's. A client that lost its connection comes back, to any host, with `session_id` and
//! `last_event_id` in the query, and hears what it missed and then what comes.
//!
//! Nobody is let in whom the component does not know: it is asked before the connection is opened, which also judges the
//! origin of pages. Credentials come in the `Authorization` or `x-api-key` header, as the subprotocol
//! `bearer.<token>` beside `anyturn`, or as `token` in the query, and are never logged.
//!
//! Limits: a message has at most 1 MiB; so many connections a user; so many turns at once on a connection. Whoever
//! reads slowly makes the turn's stream wait, and is left after a while. See [`Code`] for how connections end.

mod connection;
mod handshake;
mod turn;

use crate::drain::Drain;
use crate::runtime::{Component, Runtime};
use anyturn_manifest::Application;
use http::HeaderMap;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(crate) use handshake::Refused;
pub(crate) use turn::NoAnswer;

/// How connections may be used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many connections a user may have.
    pub(crate) per_user: usize,
    /// How often a silent client is asked whether it is still there.
    pub(crate) ping: Duration,
    /// How long a client may take to read a message.
    pub(crate) patience: Duration,
}

/// Why the host closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// The client has closed it.
    Closed = 1000,
    /// This host is about to stop: come back, and another one answers.
    GoingAway = 1001,
    /// Something that is no WebSocket came.
    Protocol = 1002,
    /// Messages are text.
    Unsupported = 1003,
    /// The connection broke off. Never sent.
    Lost = 1006,
    /// Text that is no UTF-8.
    InvalidText = 1007,
    /// Too many pings, or answers that nobody reads.
    Policy = 1008,
    /// A message over the limit.
    TooBig = 1009,
    /// The credentials do not hold any more: come back with others.
    Expired = 4401,
    /// The client has not been heard of for long.
    Idle = 4408,
}

/// A WebSocket of the application.
struct Socket {
    path: String,
    api: String,
    component: Arc<Component>,
}

/// All of them, and who is connected.
pub(crate) struct WebSockets {
    sockets: Vec<Socket>,
    limits: Limits,
    users: Arc<Mutex<HashMap<String, usize>>>,
}

/// A connection of a user is counted until this is dropped.
struct Counted {
    user: String,
    users: Arc<Mutex<HashMap<String, usize>>>,
}

/// A client, as far as requests in its name need it.
#[derive(Clone)]
struct Client {
    runtime: Arc<Runtime>,
    component: Arc<Component>,
    api: Arc<str>,
    /// The host that the client asked for.
    authority: Arc<str>,
    /// Its credentials, marked as secret.
    credentials: HeaderMap,
}

impl WebSockets {
    /// Those that the manifest names.
    pub(crate) fn new(application: &Application, runtime: &Runtime, limits: Limits) -> Self {
        let socket = |component: &anyturn_manifest::Component| {
            let websocket = component.websocket()?;
            Some(Socket {
                path: websocket.path.clone(),
                api: websocket.api.clone(),
                component: Arc::clone(runtime.chained(component.id().as_str())?),
            })
        };
        Self {
            sockets: application.triggered().filter_map(socket).collect(),
            limits,
            users: Arc::default(),
        }
    }

    fn at(&self, path: &str) -> Option<&Socket> {
        self.sockets.iter().find(|socket| socket.path == path)
    }

    /// Whether clients connect at a path.
    pub(crate) fn are_at(&self, path: &str) -> bool {
        self.at(path).is_some()
    }

    /// Counts a user's connection; none if there are as many as may be.
    fn count(&self, user: &str) -> Option<Counted> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = users.entry(user.to_owned()).or_default();
        if *connections >= self.limits.per_user {
            return None;
        }
        *connections += 1;
        Some(Counted {
            user: user.to_owned(),
            users: Arc::clone(&self.users),
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connections) = users.get_mut(&self.user) {
            *connections -= 1;
            if *connections == 0 {
                users.remove(&self.user);
            }
        }
    }
}

/// What a connection runs with besides its client.
struct Surroundings {
    drain: Drain,
    limits: Limits,
    /// When the credentials expire.
    expires: Option<std::time::SystemTime>,
    counted: Counted,
    /// The place that the connection has among all.
    place: Arc<dyn Send + Sync>,
}
