//! A tool server whose effects are counted where anyturn cannot reach: in the test's own process.
//!
//! It is a real MCP server over HTTP, with one tool of every effect class. A call says what it is about by
//! its `label`, which the test chooses; so effects are counted by what was wanted, not by any key that the
//! system under test makes up. A call that has arrived runs to its end, whoever sent it and whether they are
//! still there: what tool servers in the world do, too.
//!
//! [`EffectServer::hold`] stops a call right before or right after its effect until it is released, so that
//! a test can do something to an instance exactly there.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::hold::{Hold, Holds};
use crate::http1;

mod tools;

/// Larger requests are refused.
const MAX_BODY: usize = 1 << 20;

/// What a tool promises about being called again; each class has a tool of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// It changes nothing.
    Read,
    /// The same idempotency key takes effect once.
    Idempotent,
    /// It can be asked whether a call took effect, and refuses a call that comes too late.
    Verifiable,
    /// Nothing.
    Unprotected,
}

/// Something that a tool has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The tool's class.
    pub class: Class,
    /// What the test calls it.
    pub label: String,
    /// The idempotency key that came with the call.
    pub key: Option<String>,
    /// The arguments as they came.
    pub arguments: String,
    /// Milliseconds since the Unix epoch.
    pub at: u64,
}

/// A moment in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The call has arrived.
    BeforeEffect,
    /// The effect is there, the answer is not.
    AfterEffect,
}

/// A running server; dropping it stops it.
#[derive(Debug)]
pub struct EffectServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    holds: Holds,
    /// Counts the calls that have arrived or ended.
    calls: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    effects: Vec<Effect>,
    /// How many of them there are, by label.
    counts: HashMap<String, usize>,
    /// What the protected tools have answered, by class and key.
    outcomes: HashMap<(Class, String), String>,
    /// Calls under way.
    running: usize,
}

impl Class {
    /// All of them.
    pub const ALL: [Class; 4] = [
        Class::Read,
        Class::Idempotent,
        Class::Verifiable,
        Class::Unprotected,
    ];

    /// The name of the tool.
    pub fn tool(self) -> &'static str {
        match self {
            Class::Read => "read",
            Class::Idempotent => "idempotent",
            Class::Verifiable => "verifiable",
            Class::Unprotected => "unprotected",
        }
    }
}

impl EffectServer {
    /// Starts a server on a free port of the loopback interface, in the present Tokio runtime.
    /// Calls can be held with `holds`.
    pub async fn start(holds: Holds) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap_or_else(|error| panic!("a port for the tool server: {error}"));
        let address = listener
            .local_addr()
            .unwrap_or_else(|error| panic!("the tool server's address: {error}"));
        let shared = Arc::new(Shared {
            holds,
            ..Shared::default()
        });
        let server = tokio::spawn(http1::serve(listener, {
            let shared = Arc::clone(&shared);
            move |request| answer(request, Arc::clone(&shared))
        }));
        Self {
            address,
            shared,
            server,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that was done so far, in its order.
    pub fn effects(&self) -> Vec<Effect> {
        self.shared.lock().effects.clone()
    }

    /// How often something was done.
    pub fn count(&self, label: &str) -> usize {
        self.shared.lock().counts.get(label).copied().unwrap_or(0)
    }

    /// The next call under this label is held at this moment; calls that come after it are not.
    pub fn hold(&self, label: &str, moment: Moment) -> Hold {
        self.shared.holds.place(place(label, moment))
    }

    /// Waits until no call is under way.
    pub async fn idle(&self) {
        let mut calls = self.shared.calls.subscribe();
        while self.shared.lock().running > 0 {
            // The sender lives as long as `self`.
            let _ = calls.changed().await;
        }
    }
}

impl Drop for EffectServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops here if a test wants that.
    async fn pass(&self, label: &str, moment: Moment) {
        if let Some(stopped) = self.holds.come(&place(label, moment)) {
            stopped.released().await;
        }
    }

    fn run(&self, change: impl FnOnce(&mut usize)) {
        change(&mut self.lock().running);
        self.calls.send_modify(|count| *count += 1);
    }
}

fn place(label: &str, moment: Moment) -> String {
    format!("{label}: {moment:?}")
}

/// Milliseconds since the Unix epoch; a store on the same machine has the same clock.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, http::Error> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return status(StatusCode::BAD_REQUEST),
    };
    if head.method != http::Method::POST {
        return status(StatusCode::METHOD_NOT_ALLOWED);
    }
    // In a task of its own: hyper drops the service when its client goes away, and the effect must not mind.
    shared.run(|running| *running += 1);
    let working = tokio::spawn(async move {
        let answer = anyturn_mcp::server::handle(&tools::Tools(&shared), &head.headers, &body).await;
        shared.run(|running| *running -= 1);
        answer
    });
    let Ok(answer) = working.await else {
        return status(StatusCode::INTERNAL_SERVER_ERROR);
    };
    Response::builder()
        .status(answer.status)
        .header("content-type", "application/json")
        .body(Full::from(answer.body.unwrap_or_default()))
}

fn status(status: StatusCode) -> Result<Response<Full<Bytes>>, http::Error> {
    Response::builder().status(status).body(Full::default())
}
