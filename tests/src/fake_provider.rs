//! A fake of OpenAI's Chat Completions API, as published (platform.openai.com, "Chat"): streaming and not,
//! with its validation, its errors and its list of models.
//!
//! Unscripted it echoes, or answers as [`FakeProvider::answer_by`] says. Scripted, it gives the [`Answer`]s of [`FakeProvider::script`] in sequence, one for
//! each request that is valid, with the failures that real providers have: delays, stalls, cut streams,
//! garbage, rate limits. It records every request, and whether its client left before the end.
//!
//! ```
//! use anyturn_tests::fake_provider::{Answer, FakeProvider};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> anyhow::Result<()> {
//! let provider = FakeProvider::start().await?;
//! provider.script([Answer::rate_limited(1), Answer::text("Hello!").cut_after(2)]);
//! let base_url = provider.base_url();
//! assert!(base_url.ends_with("/v1"));
//! // … point a client at it, and look at `provider.requests()`.
//! # Ok(())
//! # }
//! ```

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub use answer::Answer;
pub use validate::Completion;

mod answer;
mod body;
mod completion;
mod errors;
mod reasoning;
mod validate;

use crate::http1;
use body::Body;
use errors::ApiError;

/// The models of a provider that was not told others.
const MODELS: [&str; 4] = ["gpt-6-luna", "gpt-6.1-terra", "gpt-4.1", "gpt-4.1-mini"];
/// Larger requests are refused.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// A running provider; dropping it stops it and closes its connections.
#[derive(Debug)]
pub struct FakeProvider {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// A request that the provider got.
#[derive(Clone, Debug)]
pub struct Received {
    /// `POST`, …
    pub method: Method,
    /// With the query.
    pub path: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The body; null if it is no JSON.
    pub body: Value,
    /// Whether the client left before it had the whole answer.
    pub abandoned: bool,
    /// Whether the answer was sent to its end.
    pub answered: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Counts the changes of `state.requests`.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    key: Option<String>,
    models: Vec<String>,
    script: VecDeque<Answer>,
    unscripted: Unscripted,
    requests: Vec<Received>,
    forgets: bool,
}

/// What is answered when the script is at its end.
#[derive(Clone)]
struct Unscripted(Arc<dyn Fn(&Completion) -> Answer + Send + Sync>);

impl std::fmt::Debug for Unscripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unscripted")
    }
}

impl FakeProvider {
    /// Starts a provider on a free port of the loopback interface, in the present Tokio runtime.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("no free port")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                key: None,
                models: MODELS.iter().map(ToString::to_string).collect(),
                script: VecDeque::new(),
                unscripted: Unscripted(Arc::new(|request| {
                    Answer::text(&format!("You said: {}", request.last_text()))
                })),
                requests: Vec::new(),
                forgets: false,
            }),
            changes: watch::Sender::new(0),
        });
        let server = tokio::spawn(http1::serve(listener, {
            let shared = Arc::clone(&shared);
            move |request| answer(request, Arc::clone(&shared))
        }));
        Ok(Self {
            address,
            shared,
            server,
        })
    }

    /// What to set `OPENAI_BASE_URL` to.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on answers 401 to whoever does not send this key.
    pub fn require_key(&self, key: &str) {
        self.shared.lock().key = Some(key.to_owned());
    }

    /// From now on knows these models only.
    pub fn serve_models(&self, models: &[&str]) {
        self.shared.lock().models = models.iter().map(ToString::to_string).collect();
    }

    /// Appends answers to those that wait for a request.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.lock().script.extend(answers);
    }

    /// From now on this answers where no script does: by what the request says alone, so that it does not
    /// matter in which order requests come and how often.
    pub fn answer_by(&self, answer: impl Fn(&Completion) -> Answer + Send + Sync + 'static) {
        self.shared.lock().unscripted = Unscripted(Arc::new(answer));
    }

    /// From now on keeps no record of requests: for a test that runs for long.
    pub fn forget_requests(&self) {
        self.shared.lock().forgets = true;
    }

    /// How many scripted answers nobody has asked for yet.
    pub fn unused(&self) -> usize {
        self.shared.lock().script.len()
    }

    /// All requests so far, those included that were refused.
    pub fn requests(&self) -> Vec<Received> {
        self.shared.lock().requests.clone()
    }

    /// Waits until the requests are as wanted: that there are two, that the first was abandoned, …
    pub async fn until(&self, wanted: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let mut changes = self.shared.changes.subscribe();
        loop {
            let requests = self.requests();
            if wanted(&requests) {
                return requests;
            }
            // The sender lives as long as `self`.
            let _ = changes.changed().await;
        }
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, request: Received) -> usize {
        let mut state = self.lock();
        if state.forgets {
            return usize::MAX;
        }
        state.requests.push(request);
        let at = state.requests.len() - 1;
        drop(state);
        self.changes.send_modify(|changes| *changes += 1);
        at
    }

    fn change(&self, at: usize, change: impl FnOnce(&mut Received)) {
        if let Some(request) = self.lock().requests.get_mut(at) {
            change(request);
        }
        self.changes.send_modify(|changes| *changes += 1);
    }
}

/// Tells how an answer ended: sent to its end, or abandoned by the client.
#[derive(Debug)]
struct Ending {
    shared: Arc<Shared>,
    request: usize,
    settled: bool,
}

impl Ending {
    fn answered(&mut self) {
        self.settle(|request| request.answered = true);
    }

    /// The provider ends it itself, on purpose.
    fn cut(&mut self) {
        self.settle(|_| {});
    }

    fn settle(&mut self, change: impl FnOnce(&mut Received)) {
        if !std::mem::replace(&mut self.settled, true) {
            self.shared.change(self.request, change);
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.settle(|request| request.abandoned = true);
    }
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return ApiError::too_large().into_response(),
    };
    let parsed: Option<Value> = serde_json::from_slice(&body).ok();
    let request = shared.record(Received {
        method: head.method.clone(),
        path: head.uri.to_string(),
        headers: head.headers.clone(),
        body: parsed.clone().unwrap_or_default(),
        abandoned: false,
        answered: false,
    });
    let mut ending = Ending {
        shared: shared.clone(),
        request,
        settled: false,
    };
    match route(&head, &body, parsed, &shared) {
        Ok(Routed::Completion(request)) => {
            let (scripted, unscripted) = {
                let mut state = shared.lock();
                (state.script.pop_front(), state.unscripted.clone())
            };
            let answer = scripted.unwrap_or_else(|| (unscripted.0)(&request));
            answer.give(&request, ending).await
        }
        Ok(Routed::Json(value)) => {
            ending.answered();
            json_response(StatusCode::OK, &value)
        }
        Err(error) => {
            ending.answered();
            error.into_response()
        }
    }
}

enum Routed {
    Completion(validate::Completion),
    Json(Value),
}

fn route(
    head: &http::request::Parts,
    body: &Bytes,
    parsed: Option<Value>,
    shared: &Shared,
) -> Result<Routed, ApiError> {
    let state = shared.lock();
    if let Some(key) = &state.key {
        errors::check_key(&head.headers, key)?;
    }
    let path = head.uri.path();
    let model =
        |id: &str| json!({"id": id, "object": "model", "created": 1_745_000_000, "owned_by": "system"});
    // Azure's addresses differ before this.
    if path.ends_with("/chat/completions") {
        if head.method != Method::POST {
            return Err(ApiError::method(&head.method, path));
        }
        let Some(parsed) = parsed else {
            return Err(ApiError::not_json(body));
        };
        return validate::completion(parsed, &state.models).map(Routed::Completion);
    }
    match (path, &head.method) {
        ("/v1/models", &Method::GET) => {
            let data: Vec<Value> = state.models.iter().map(|id| model(id)).collect();
            Ok(Routed::Json(json!({"object": "list", "data": data})))
        }
        (path, &Method::GET) if path.starts_with("/v1/models/") => {
            let id = path.trim_start_matches("/v1/models/");
            match state.models.iter().any(|known| known == id) {
                true => Ok(Routed::Json(model(id))),
                false => Err(ApiError::unknown_model(id)),
            }
        }
        _ => Err(ApiError::unknown_url(&head.method, path)),
    }
}

fn json_response(status: StatusCode, value: &Value) -> Result<Response<Body>, std::io::Error> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("x-request-id", "req_fake")
        .body(Body::whole(Bytes::from(value.to_string())))
        .map_err(std::io::Error::other)
}
