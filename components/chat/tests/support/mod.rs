//! A world in memory: everything that chat reaches, scripted and watched.
#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "each test file uses its part; a test fails by panicking"
)]

mod contract;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::rc::Rc;

use anyturn_chat::handle::handle;
use anyturn_chat::platform::{ModelDescription, Platform, SendError};
use anyturn_engine::port::{
    Answer, Environment, FinishReason, Model, ModelError, ModelErrorKind, ModelEvent, ModelRequest, Usage,
};
use anyturn_state::memory::MemoryStore;
use bytes::Bytes;
use futures::executor::{LocalPool, LocalSpawner};
use futures::task::LocalSpawnExt;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;

/// When everything happens, in milliseconds since the Unix epoch: 2025-11-20T05:00:00Z.
pub const NOW: u64 = 1_763_614_800_000;

pub const CHAT: &str = "title = \"Chat\"\nprompt = \"Be nice.\"\n[limits]\nmessage_chars = 100\n";
pub const TASKS: &str = "title = \"Tasks\"\ngreeting = \"Hi!\"\nsuggestions = [\"a\"]\nprompt = \"Keep a list.\"\n[[tools]]\nserver = \"tasks\"\n";

type Send = Rc<dyn Fn(http::Request<Bytes>) -> Result<http::Response<Full<Bytes>>, SendError>>;

/// The world.
#[derive(Clone)]
pub struct World {
    pub store: MemoryStore,
    pub model: Script,
    pub environment: Clock,
    pub variables: Rc<RefCell<BTreeMap<&'static str, String>>>,
    pub files: Rc<RefCell<BTreeMap<String, Vec<u8>>>>,
    pub send: Rc<RefCell<Send>>,
    pool: Rc<RefCell<LocalPool>>,
    spawner: LocalSpawner,
}

/// An answer, complete.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The last part of a problem's type.
    pub fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        let json = self.json();
        assert_eq!(json["status"], self.status.as_u16());
        assert_eq!(json["request_id"], self.header("x-request-id"));
        json["type"]
            .as_str()
            .unwrap()
            .strip_prefix("https://anyturn.dev/problems/")
            .unwrap()
            .to_owned()
    }

    /// The stream's events: name and data.
    pub fn events(&self) -> Vec<(String, String)> {
        assert_eq!(self.header("content-type"), "text/event-stream", "{self:?}");
        let field = |event: &str, name: &str| {
            event
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or_default()
                .to_owned()
        };
        self.body
            .split("\n\n")
            .filter(|event| !event.is_empty())
            .map(|event| (field(event, "event: "), field(event, "data: ")))
            .collect()
    }
}

impl World {
    /// A world in which everybody is `local`, with the assistants `chat` and `tasks`.
    pub fn new() -> Self {
        let pool = LocalPool::new();
        let spawner = pool.spawner();
        let world = Self {
            store: MemoryStore::new(),
            model: Script::default(),
            environment: Clock {
                now: Rc::new(Cell::new(NOW)),
                patience: Rc::new(Cell::new(50)),
                drawn: Rc::default(),
            },
            variables: Rc::default(),
            files: Rc::default(),
            send: Rc::new(RefCell::new(Rc::new(|_| {
                Err(SendError::NotSent("nobody is there".into()))
            }))),
            pool: Rc::new(RefCell::new(pool)),
            spawner,
        };
        world.set("development_user", "local");
        world.put("/assistants/chat.toml", CHAT);
        world.put("/assistants/tasks.toml", TASKS);
        world
    }

    pub fn set(&self, name: &'static str, value: &str) {
        self.variables.borrow_mut().insert(name, value.to_owned());
    }

    pub fn put(&self, path: &str, text: &str) {
        self.files
            .borrow_mut()
            .insert(path.to_owned(), text.as_bytes().to_vec());
    }

    pub fn on_send(
        &self,
        answer: impl Fn(http::Request<Bytes>) -> Result<http::Response<Full<Bytes>>, SendError> + 'static,
    ) {
        *self.send.borrow_mut() = Rc::new(answer);
    }

    /// The same world on another instance; the tasks of this one are not polled any more.
    pub fn restarted(&self) -> Self {
        let pool = LocalPool::new();
        Self {
            spawner: pool.spawner(),
            pool: Rc::new(RefCell::new(pool)),
            model: Script::default(),
            ..self.clone()
        }
    }

    /// Lets time pass, here and in the store.
    pub fn pass(&self, milliseconds: u64) {
        self.environment
            .now
            .set(self.environment.now.get() + milliseconds);
        self.store.clock().advance(milliseconds);
    }

    /// Runs until a future is done, and tasks with it.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.pool.borrow_mut().run_until(future)
    }

    /// Runs all tasks until they wait for something.
    pub fn settle(&self) {
        self.pool.borrow_mut().run_until_stalled();
    }

    pub fn begin(&self, request: http::Request<Full<Bytes>>) -> anyturn_chat::http::Response {
        self.run(handle(self, request))
    }

    /// Asks, and holds the answer to the description of the API.
    pub fn ask(&self, request: http::Request<Full<Bytes>>) -> Reply {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let (parts, body) = self.begin(request).into_parts();
        let body = self
            .run(body.collect())
            .unwrap_or_else(|error| panic!("{error}"))
            .to_bytes();
        let reply = Reply {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        };
        contract::check(&method, &path, &reply);
        reply
    }

    pub fn get(&self, path: &str) -> Reply {
        self.ask(request("GET", path, ""))
    }

    pub fn post(&self, path: &str, body: &str) -> Reply {
        self.ask(request("POST", path, body))
    }
}

/// A request of JSON, to localhost.
pub fn request(method: &str, path: &str, body: &str) -> http::Request<Full<Bytes>> {
    with(method, path, body, &[("content-type", "application/json")])
}

/// A request with these headers, to localhost.
pub fn with(method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> http::Request<Full<Bytes>> {
    let mut builder = http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost:3000");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(Bytes::from(body.to_owned()))).unwrap()
}

/// A request for events.
pub fn stream(path: &str, body: &str) -> http::Request<Full<Bytes>> {
    with(
        "POST",
        path,
        body,
        &[
            ("content-type", "application/json"),
            ("accept", "text/event-stream"),
        ],
    )
}

impl Platform for World {
    type Store = MemoryStore;
    type Model = Script;
    type Environment = Clock;
    type Incoming = Full<Bytes>;

    fn store(&self) -> &MemoryStore {
        &self.store
    }
    fn model(&self) -> &Script {
        &self.model
    }
    fn environment(&self) -> &Clock {
        &self.environment
    }
    async fn describe_model(&self) -> Result<ModelDescription, String> {
        Ok(ModelDescription {
            provider: "offline".into(),
            model: "offline".into(),
            remote: false,
        })
    }
    async fn variable(&self, name: &'static str) -> Result<String, String> {
        Ok(self.variables.borrow().get(name).cloned().unwrap_or_default())
    }
    fn read_file(&self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
        Ok(self.files.borrow().get(path).cloned())
    }
    fn list_files(&self, folder: &str) -> std::io::Result<Vec<String>> {
        let files = self.files.borrow();
        Ok(files
            .keys()
            .filter_map(|path| path.strip_prefix(folder)?.strip_prefix('/'))
            .map(ToOwned::to_owned)
            .collect())
    }
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Full<Bytes>>, SendError> {
        let send = self.send.borrow().clone();
        send(request)
    }
    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.spawner.spawn_local(task).unwrap();
    }
}

/// A clock that stands still, and numbers that are not random.
#[derive(Clone)]
pub struct Clock {
    pub now: Rc<Cell<u64>>,
    /// Waits of at most so many milliseconds are over at once; longer ones never end.
    pub patience: Rc<Cell<u64>>,
    drawn: Rc<Cell<u128>>,
}

impl Environment for Clock {
    fn now(&self) -> u64 {
        self.now.get()
    }
    fn random(&self) -> u128 {
        self.drawn.set(self.drawn.get() + 1);
        self.drawn.get()
    }
    fn local_time(&self, now: u64, timezone: Option<&str>) -> String {
        anyturn_chat::timezone::local_time(now, timezone)
    }
    async fn sleep(&self, milliseconds: u64) {
        if milliseconds > self.patience.get() {
            futures::future::pending().await
        }
    }
}

/// An answer, or why there is none.
type Scripted = Result<Vec<ModelEvent>, ModelError>;

/// A model that says what it was told to say, and remembers what it was asked.
#[derive(Clone, Default)]
pub struct Script {
    pub answers: Rc<RefCell<VecDeque<Scripted>>>,
    pub asked: Rc<RefCell<Vec<ModelRequest>>>,
    /// Answers wait here while it is closed.
    pub gate: Gate,
    /// Who answers when there is nothing more that it was told to say.
    pub otherwise: Rc<RefCell<Option<Otherwise>>>,
}

/// Answers a request.
pub type Otherwise = Rc<dyn Fn(&ModelRequest) -> Vec<ModelEvent>>;

impl Script {
    pub fn say(&self, texts: &[&str]) {
        let mut events: Vec<_> = texts
            .iter()
            .map(|text| ModelEvent::Text((*text).to_owned()))
            .collect();
        events.push(finished(FinishReason::Stop));
        self.answers.borrow_mut().push_back(Ok(events));
    }

    pub fn call(&self, tool: &str, arguments: &str) {
        self.answers.borrow_mut().push_back(Ok(vec![
            ModelEvent::ToolCallStarted {
                index: 0,
                id: "c1".into(),
                name: tool.into(),
            },
            ModelEvent::ToolCallArguments {
                index: 0,
                arguments: arguments.into(),
            },
            finished(FinishReason::ToolCalls),
        ]));
    }

    pub fn fail(&self, kind: ModelErrorKind, retry_after: Option<u64>) {
        self.answers
            .borrow_mut()
            .push_back(Err(failure(kind, retry_after)));
    }

    pub fn break_off(&self, text: &str, kind: ModelErrorKind) {
        self.answers.borrow_mut().push_back(Ok(vec![
            ModelEvent::Text(text.to_owned()),
            ModelEvent::Failed(failure(kind, None)),
        ]));
    }
}

pub fn failure(kind: ModelErrorKind, retry_after: Option<u64>) -> ModelError {
    ModelError {
        kind,
        message: "the provider said no".to_owned(),
        retry_after,
    }
}

fn finished(reason: FinishReason) -> ModelEvent {
    let usage = Usage {
        input_tokens: 7,
        cached_tokens: 2,
        output_tokens: 3,
    };
    ModelEvent::Finished {
        reason,
        usage,
        model: "script-1".to_owned(),
    }
}

impl Model for Script {
    type Answer = Told;

    async fn complete(&self, request: ModelRequest) -> Result<Told, ModelError> {
        let scripted = self.answers.borrow_mut().pop_front();
        let otherwise = self.otherwise.borrow().clone();
        let events = match (scripted, otherwise) {
            (Some(scripted), _) => scripted?,
            (None, Some(otherwise)) => otherwise(&request),
            (None, None) => panic!("the model was not expected to be asked"),
        };
        self.asked.borrow_mut().push(request);
        Ok(Told {
            events: events.into(),
            gate: self.gate.clone(),
        })
    }
}

pub struct Told {
    events: VecDeque<ModelEvent>,
    gate: Gate,
}

impl Answer for Told {
    async fn next(&mut self) -> Option<ModelEvent> {
        self.gate.pass().await;
        self.events.pop_front()
    }
}

/// Holds a model's answer back until a test lets it go on.
#[derive(Clone, Default)]
pub struct Gate(Rc<GateState>);

#[derive(Default)]
struct GateState {
    closed: Cell<bool>,
    waiting: RefCell<Vec<std::task::Waker>>,
}

impl Gate {
    pub fn close(&self) {
        self.0.closed.set(true);
    }
    pub fn open(&self) {
        self.0.closed.set(false);
        self.0
            .waiting
            .borrow_mut()
            .drain(..)
            .for_each(std::task::Waker::wake);
    }
    fn pass(&self) -> impl Future<Output = ()> + use<> {
        let state = Rc::clone(&self.0);
        std::future::poll_fn(move |cx| {
            if !state.closed.get() {
                return std::task::Poll::Ready(());
            }
            state.waiting.borrow_mut().push(cx.waker().clone());
            std::task::Poll::Pending
        })
    }
}
