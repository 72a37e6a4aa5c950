//! A toolbox over HTTP: what the service promises besides the protocol itself.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is wrong should panic"
)]

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use anyturn_mcp::Tool as Described;
use anyturn_mcp::client::{CallTool, Client, Transport};
use anyturn_state::memory::MemoryStore;
use anyturn_state::{ExpectedVersion, Query, Store, Write};
use anyturn_tool_sdk::{
    Call, Effect, Example, Failure, Implementation, Once, OnceError, Reply, Response, Tool, Toolbox, serve,
    testing,
};
use bytes::Bytes;
use futures::executor::block_on;
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// Notes
/// a text.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Note {
    /// What to
    /// note.
    text: String,
    /// How often.
    times: Option<u8>,
}

impl Tool<Notes> for Note {
    const NAME: &'static str = "note";
    const TITLE: &'static str = "Note something";
    const EFFECT: Effect = Effect::IDEMPOTENT.destructive();
    const EXAMPLES: &'static [Example] = &[Example("note hello", r#"{"text":"hello"}"#)];

    async fn call(self, notes: &Notes, call: &Call<'_>) -> Result<Reply, Failure> {
        let scope = call.caller.scope()?;
        let write = Write::Add {
            counter: "notes".into(),
            delta: 1,
            ttl: None,
        };
        let times = self
            .times
            .map(|times| format!(" {times} times"))
            .unwrap_or_default();
        let reply = Reply::new(format!("Noted {}{times} for {}.", self.text, call.caller.user()?))
            .with_inverse("forget", json!({}), "Forget it");
        Ok(Once::of(call)?
            .apply(&notes.store, &scope, vec![write], reply)
            .await?)
    }
}

/// Fails.
#[derive(Deserialize, JsonSchema)]
struct Fail {}

impl Tool<Notes> for Fail {
    const NAME: &'static str = "fail";
    const TITLE: &'static str = "Fail";
    const EFFECT: Effect = Effect::READ;

    async fn call(self, _: &Notes, _: &Call<'_>) -> Result<Reply, Failure> {
        Err(Failure::Broken("the disk is full".into()))
    }
}

#[derive(Default)]
struct Notes {
    store: MemoryStore,
    default_user: Option<String>,
}

impl Toolbox for Notes {
    const IDENTITY: Implementation = Implementation {
        name: "notes",
        title: None,
        version: "1",
    };
    type Tools = (Note, Fail);

    fn default_user(&self) -> Option<String> {
        self.default_user.clone()
    }

    fn allows_origin(&self, origin: &str) -> bool {
        origin == "https://trusted.example"
    }
}

impl Notes {
    fn count(&self, user: &str) -> i64 {
        let scope = format!("user/{user}");
        match block_on(self.store.read(&scope, vec![Query::Counter("notes".into())]))
            .unwrap()
            .remove(0)
        {
            anyturn_state::Found::Counter(counter) => counter.value,
            other => panic!("{other:?}"),
        }
    }
}

impl Transport for Notes {
    type Body = Full<Bytes>;
    type Error = Infallible;

    async fn send(&self, request: Request<Bytes>) -> Result<Response, Infallible> {
        Ok(serve(self, request.map(Full::new)).await)
    }
}

fn post(headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> (u16, HeaderMap, Value) {
    let mut request = Request::post("/mcp");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = block_on(serve(
        &Notes::default(),
        request.body(Full::new(body.into())).unwrap(),
    ));
    let (head, body) = response.into_parts();
    let body = block_on(body.collect()).unwrap().to_bytes();
    (
        head.status.as_u16(),
        head.headers,
        serde_json::from_slice(&body).unwrap_or(Value::Null),
    )
}

const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

#[test]
fn a_client_lists_and_calls_the_tools() {
    let notes = Notes::default();
    let client = Client::new(Notes::IDENTITY, Uri::from_static("/mcp"))
        .stateless_only()
        .with_header(
            http::HeaderName::from_static("anyturn-user"),
            HeaderValue::from_static("ann"),
        );
    let tools: Vec<Described<Value>> = block_on(client.list_tools(&notes)).unwrap();
    assert_eq!(tools[0].title.as_deref(), Some("Note something"));
    assert_eq!(tools[0].description, "Notes a text.");
    assert_eq!(
        tools[0].input_schema,
        json!({
            "type": "object",
            "properties": {
                "text": {"type": "string", "description": "What to note."},
                "times": {"type": "integer", "minimum": 0, "maximum": 255, "description": "How often."},
            },
            "required": ["text"],
            "additionalProperties": false,
        })
    );
    assert!(tools[0].annotations.is_destructive() && tools[0].annotations.is_idempotent());
    assert!(tools[1].annotations.is_read_only());
    let arguments = serde_json::value::to_raw_value(&json!({"text": "hello"})).unwrap();
    let call = CallTool::new("note", &arguments).with_idempotency_key("k1");
    for _ in 0..2 {
        let result = block_on(client.call_tool(&notes, call)).unwrap();
        assert_eq!(result.text(), "Noted hello for ann.");
        assert_eq!(result.meta.inverse.unwrap().tool, "forget");
    }
    assert_eq!(notes.count("ann"), 1);
    block_on(client.call_tool(&notes, CallTool::new("note", &arguments))).unwrap();
    assert_eq!(notes.count("ann"), 2);
    let error = block_on(client.call_tool(&notes, CallTool::new("fail", &arguments))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tool server answered: the disk is full (code -32603)"
    );
    assert!(!error.proves_not_run());
    let error = block_on(client.call_tool(&notes, CallTool::new("fly", &arguments))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tool server answered: Unknown tool: fly (code -32602)"
    );
}

#[test]
fn whose_data_it_is_must_be_known() {
    let call = |notes: &Notes, arguments: Value| {
        let client = Client::new(Notes::IDENTITY, Uri::from_static("/mcp"));
        let arguments = serde_json::value::to_raw_value(&arguments).unwrap();
        block_on(client.call_tool(notes, CallTool::new("note", &arguments))).unwrap()
    };
    let refused = call(&Notes::default(), json!({"text": "a"}));
    assert!(refused.is_error);
    assert!(refused.text().contains("nobody said whose") && refused.text().contains("DEFAULT_USER"));
    let alone = Notes {
        default_user: Some("me".into()),
        ..Notes::default()
    };
    assert_eq!(call(&alone, json!({"text": "a"})).text(), "Noted a for me.");
    let wrong = call(&alone, json!({"text": "a", "times": -1}));
    assert!(
        wrong
            .text()
            .starts_with("The arguments of note do not fit: times: invalid value"),
        "{}",
        wrong.text()
    );
}

#[test]
fn only_post_with_json_from_known_origins_is_served() {
    let (status, headers, _) = post(&[JSON], PING);
    assert_eq!(
        (status, &headers["content-length"]),
        (200, &HeaderValue::from_static("36"))
    );
    assert_eq!(
        post(&[JSON, ("accept", "application/json, text/event-stream")], PING).0,
        200
    );
    assert_eq!(post(&[JSON, ("accept", "*/*;q=0.1")], PING).0, 200);
    assert_eq!(post(&[JSON, ("origin", "https://trusted.example")], PING).0, 200);
    for (headers, status) in [
        (vec![], 415),
        (vec![("content-type", "text/plain")], 415),
        (vec![JSON, ("accept", "text/html")], 406),
        (vec![JSON, ("origin", "https://evil.example")], 403),
        (vec![JSON, ("origin", "null")], 403),
    ] {
        let (found, headers, body) = post(&headers, PING);
        assert_eq!((found, &body["status"]), (status, &json!(status)));
        assert_eq!(headers["content-type"], "application/problem+json");
    }
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let (status, headers, body) = post(&[JSON], notification);
    assert_eq!((status, body), (202, Value::Null));
    assert!(!headers.contains_key("content-type"));
}

/// A body of so many frames, which counts how many were taken.
struct Frames<'a> {
    left: usize,
    taken: &'a Cell<usize>,
}

impl http_body::Body for Frames<'_> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.taken.set(self.taken.get() + 1);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b' '; 64 << 10])))))
    }
}

#[test]
fn a_body_over_a_mebibyte_is_not_read_on() {
    let send = |path: &str, announced: Option<&str>, frames: usize| {
        let taken = Cell::new(0);
        let mut request = Request::post(path).header(JSON.0, JSON.1);
        if let Some(length) = announced {
            request = request.header("content-length", length);
        }
        let request = request
            .body(Frames {
                left: frames,
                taken: &taken,
            })
            .unwrap();
        let status = block_on(serve(&Notes::default(), request)).status().as_u16();
        (status, taken.get())
    };
    for path in ["/mcp", "/elsewhere"] {
        assert_eq!(send(path, Some("1048577"), 17), (413, 0));
        assert_eq!(
            send(path, Some("99999999999999999999"), 1).0,
            if path == "/mcp" { 400 } else { 404 }
        );
        assert_eq!(send(path, None, 1000), (413, 17));
    }
    // Exactly one mebibyte of blanks is no JSON, but no larger than allowed.
    assert_eq!(send("/mcp", Some("1048576"), 16), (400, 16));
}

#[test]
fn a_path_that_leads_nowhere_is_404() {
    let request = Request::get("/elsewhere").body(Full::<Bytes>::default()).unwrap();
    assert_eq!(block_on(serve(&Notes::default(), request)).status(), 404);
}

#[test]
fn a_list_that_is_not_current_says_which_line() {
    let directory = std::env::temp_dir().join(format!("anyturn-tool-sdk-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("tools.json");
    std::fs::write(&file, Notes::list().replace("What to note.", "What?")).unwrap();
    let message = testing::check_list::<Notes>(&file).unwrap_err();
    assert!(
        message.contains("tools.json:2:") && message.contains("UPDATE=1"),
        "{message}"
    );
    std::fs::write(&file, Notes::list().as_bytes()).unwrap();
    testing::check_list::<Notes>(&file).unwrap();
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_lost_condition_of_the_effect_is_no_repetition() {
    let store = MemoryStore::new();
    let put = |expected| {
        vec![
            Write::Add {
                counter: "n".into(),
                delta: 1,
                ttl: None,
            },
            Write::Put {
                document: "d".into(),
                expected,
                value: b"x".to_vec(),
                ttl: None,
            },
        ]
    };
    let once = Once::new(Some("k"), 1).unwrap();
    let lost = block_on(once.commit(&store, "user/a", put(ExpectedVersion::Present), 5));
    assert!(
        matches!(
            lost,
            Err(OnceError::State(anyturn_state::Error::Conflict { write: 1, .. }))
        ),
        "the number counts the effect's own writes: {lost:?}"
    );
    assert_eq!(
        block_on(once.apply(&store, "user/a", put(ExpectedVersion::Absent), 6)),
        Ok(6)
    );
    assert_eq!(
        block_on(once.apply(&store, "user/a", put(ExpectedVersion::Absent), 7)),
        Ok(6)
    );
    let other = Once::new(Some("k"), 2).unwrap();
    assert_eq!(
        block_on(other.apply(&store, "user/a", vec![], 7)),
        Err(OnceError::KeyReused)
    );
    assert!(Once::new(Some(""), 1).is_err() && Once::new(Some(&"/".repeat(81)), 1).is_err());
}
