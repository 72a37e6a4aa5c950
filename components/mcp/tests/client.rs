//! The client against this crate's server, and against servers of other kinds.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that is wrong should panic"
)]

mod support;

use std::cell::RefCell;
use std::convert::Infallible;

use anyturn_mcp::client::{CallTool, Client, ClientError, Transport};
use anyturn_mcp::server::handle;
use anyturn_mcp::{CallResult, Implementation, Tool};
use bytes::Bytes;
use futures::executor::block_on;
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use support::Echo;

const US: Implementation = Implementation {
    name: "tests",
    title: None,
    version: "1",
};

fn client() -> Client {
    Client::new(US, Uri::from_static("http://echo.spin.internal/mcp"))
}

fn raw(value: Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(&value).unwrap()
}

/// Answers from a function, and remembers what it was asked.
struct Fake<F> {
    answer: F,
    seen: RefCell<Vec<Request<Bytes>>>,
}

impl<F: Fn(&Request<Bytes>, &Value) -> Response<String>> Fake<F> {
    fn new(answer: F) -> Fake<F> {
        Fake {
            answer,
            seen: RefCell::new(Vec::new()),
        }
    }

    fn methods(&self) -> Vec<String> {
        self.seen
            .borrow()
            .iter()
            .map(|request| {
                let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
                body["method"]
                    .as_str()
                    .unwrap_or(request.method().as_str())
                    .to_owned()
            })
            .collect()
    }
}

impl<F: Fn(&Request<Bytes>, &Value) -> Response<String>> Transport for Fake<F> {
    type Body = Full<Bytes>;
    type Error = Infallible;

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Full<Bytes>>, Infallible> {
        let body = serde_json::from_slice(request.body()).unwrap_or_default();
        let response = (self.answer)(&request, &body);
        self.seen.borrow_mut().push(request);
        Ok(response.map(|body| Full::new(Bytes::from(body))))
    }
}

fn respond(status: u16, body: impl ToString) -> Response<String> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(body.to_string())
        .unwrap()
}

fn result(request: &Value, result: Value) -> Response<String> {
    respond(
        200,
        json!({"jsonrpc": "2.0", "id": request["id"], "result": result}),
    )
}

fn call<T: Transport>(client: &Client, transport: &T) -> Result<CallResult, ClientError<T::Error>> {
    let arguments = raw(json!({"text": "hi"}));
    block_on(client.call_tool(
        transport,
        CallTool::new("echo", &arguments).with_idempotency_key("k1"),
    ))
}

/// This crate's own server, and what it was asked.
#[derive(Default)]
struct Ours {
    server: Echo,
    seen: RefCell<Vec<Request<Bytes>>>,
}

impl Transport for Ours {
    type Body = Full<Bytes>;
    type Error = Infallible;

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Full<Bytes>>, Infallible> {
        let answer = handle(&self.server, request.headers(), request.body()).await;
        self.seen.borrow_mut().push(request);
        let mut response = Response::new(Full::new(Bytes::from(answer.body.unwrap_or_default())));
        *response.status_mut() = answer.status;
        Ok(response)
    }
}

#[test]
fn our_own_server_costs_one_post() {
    let ours = Ours::default();
    let client = client().stateless_only().with_header(
        HeaderName::from_static("anyturn-user"),
        HeaderValue::from_static("ann"),
    );
    let tools: Vec<Tool<Value>> = block_on(client.list_tools(&ours)).unwrap();
    assert_eq!(tools[0].name, "echo");
    assert!(tools[0].annotations.is_read_only());
    assert_eq!(tools[0].meta.examples[0].utterance, "say hi");
    assert_eq!(tools[0].input_schema, json!({"type": "object"}));
    let answer = call(&client, &ours).unwrap();
    assert_eq!(answer.text(), "{\"text\":\"hi\"}");
    assert_eq!(answer.structured.unwrap().get(), "{\"said\":{\"text\":\"hi\"}}");
    assert_eq!(answer.meta.inverse.unwrap().tool, "unsay");
    assert_eq!(*ours.server.keys.borrow(), [Some("k1".to_owned())]);
    let seen = ours.seen.borrow();
    assert_eq!(seen.len(), 2);
    assert!(
        seen.iter()
            .all(|request| request.headers()["anyturn-user"] == "ann")
    );
}

/// As the SDKs of 2025 do: no session, no service.
fn old_server(request: &Request<Bytes>, body: &Value) -> Response<String> {
    let session = request.headers().get("mcp-session-id").map(HeaderValue::as_bytes);
    match (body["method"].as_str(), session) {
        (Some("initialize"), _) => {
            let mut response = result(
                body,
                json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "old", "version": "1"}}),
            );
            response
                .headers_mut()
                .insert("mcp-session-id", HeaderValue::from_static("s-1"));
            response
        }
        (_, None) => respond(
            400,
            json!({"jsonrpc": "2.0", "id": "server-error", "error": {"code": -32600, "message": "Missing session ID"}}),
        ),
        (Some("notifications/initialized"), Some(_)) => respond(202, ""),
        (Some("tools/list"), Some(_)) if body["params"]["cursor"] == "" => {
            result(body, json!({"tools": [{"name": "b", "inputSchema": {}}]}))
        }
        (Some("tools/list"), Some(_)) => result(
            body,
            json!({"tools": [{"name": "a", "inputSchema": {}}], "nextCursor": ""}),
        ),
        _ => result(body, json!({"content": [{"type": "text", "text": "done"}]})),
    }
}

#[test]
fn an_older_server_gets_its_handshake_once() {
    let fake = Fake::new(old_server);
    let client = client();
    // An empty cursor is a cursor.
    let tools: Vec<Tool> = block_on(client.list_tools(&fake)).unwrap();
    assert_eq!(
        tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(call(&client, &fake).unwrap().text(), "done");
    assert_eq!(
        fake.methods(),
        [
            "tools/list",
            "initialize",
            "notifications/initialized",
            "tools/list",
            "tools/list",
            "tools/call"
        ]
    );
    {
        let seen = fake.seen.borrow();
        assert_eq!(seen[5].headers()["mcp-protocol-version"], "2025-06-18");
        assert_eq!(seen[5].headers()["mcp-session-id"], "s-1");
        let body: Value = serde_json::from_slice(seen[5].body()).unwrap();
        assert_eq!(
            body["params"]["_meta"],
            json!({"anyturn.dev/idempotency-key": "k1"})
        );
    }
    block_on(client.close(&fake)).unwrap();
    assert_eq!(fake.methods().last().unwrap(), "DELETE");
}

#[test]
fn a_server_that_is_known_to_be_stateless_gets_no_handshake() {
    let fake = Fake::new(old_server);
    let error = call(&client().stateless_only(), &fake).unwrap_err();
    assert!(error.proves_not_run());
    assert_eq!(fake.methods(), ["tools/call"]);
}

#[test]
fn a_forgotten_session_is_begun_again() {
    let sessions = RefCell::new(0);
    let fake = Fake::new(|request: &Request<Bytes>, body: &Value| {
        if body["method"] == "initialize" {
            *sessions.borrow_mut() += 1;
        }
        if body["method"] == "tools/call" && *sessions.borrow() == 1 {
            return respond(404, "");
        }
        old_server(request, body)
    });
    assert_eq!(call(&client(), &fake).unwrap().text(), "done");
    assert_eq!(*sessions.borrow(), 2);
}

#[test]
fn errors_of_a_stateless_server_are_no_reason_for_a_handshake() {
    for (status, code) in [(400, -32020), (404, -32601), (400, -32021), (200, -32602)] {
        let fake = Fake::new(|_: &Request<Bytes>, body: &Value| {
            respond(
                status,
                json!({"jsonrpc": "2.0", "id": body["id"], "error": {"code": code, "message": "no"}}),
            )
        });
        let error = call(&client(), &fake).unwrap_err();
        assert!(
            matches!(&error, ClientError::Rpc(error) if error.code == code),
            "{error}"
        );
        assert!(error.proves_not_run());
        assert_eq!(fake.methods().len(), 1);
    }
}

#[test]
fn a_server_that_supports_an_older_revision_gets_it() {
    let fake = Fake::new(|request: &Request<Bytes>, body: &Value| {
        if request
            .headers()
            .get("mcp-protocol-version")
            .is_some_and(|version| version == "2026-07-28")
        {
            let data = json!({"supported": ["2025-11-25"], "requested": "2026-07-28"});
            let error = json!({"code": -32022, "message": "no", "data": data});
            return respond(400, json!({"jsonrpc": "2.0", "id": body["id"], "error": error}));
        }
        old_server(request, body)
    });
    assert_eq!(call(&client(), &fake).unwrap().text(), "done");
}

#[test]
fn an_answer_may_come_as_events() {
    let fake = Fake::new(|_: &Request<Bytes>, body: &Value| {
        let id = &body["id"];
        let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}});
        let ping = json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
        let other = json!({"jsonrpc": "2.0", "id": 99, "result": {"content": []}});
        let answer =
            json!({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": "late"}]}});
        let events = format!(
            ": keep alive\n\ndata: {progress}\n\ndata: {ping}\n\ndata: {other}\n\nevent: message\r\ndata: {answer}\r\n\r\n"
        );
        Response::builder()
            .header("content-type", "text/event-stream; charset=utf-8")
            .body(events)
            .unwrap()
    });
    assert_eq!(call(&client(), &fake).unwrap().text(), "late");
}

#[test]
fn what_is_not_the_protocol_is_told_apart() {
    let cases: [(u16, &str, bool, &str); 7] = [
        (500, "oops", false, "500 Internal Server Error: oops"),
        (401, "who?", true, "401 Unauthorized: who?"),
        (200, "<html>", false, "no JSON-RPC message: <html>"),
        (
            200,
            r#"{"jsonrpc":"2.0","id":1}"#,
            false,
            "neither a result nor an error",
        ),
        (
            200,
            r#"{"jsonrpc":"2.0","id":5,"result":{}}"#,
            false,
            "another request",
        ),
        (
            200,
            r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required"}}"#,
            false,
            "input_required",
        ),
        (
            503,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"down"}}"#,
            false,
            "down (code -32603)",
        ),
    ];
    for (status, body, not_run, expected) in cases {
        let fake = Fake::new(|_: &Request<Bytes>, _: &Value| respond(status, body));
        let error = call(&client(), &fake).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.proves_not_run(), not_run, "{error}");
    }
}

#[test]
fn an_endless_answer_is_cut_off() {
    let fake = Fake::new(|_: &Request<Bytes>, _: &Value| respond(200, "x".repeat(2000)));
    let error = call(&client().with_max_answer(1000), &fake).unwrap_err();
    assert!(error.to_string().contains("longer than 1000 bytes"), "{error}");
}

#[test]
fn a_list_that_never_ends_is_cut_off() {
    let fake = Fake::new(|_: &Request<Bytes>, body: &Value| {
        result(body, json!({"tools": [], "nextCursor": "again"}))
    });
    let error = block_on(client().list_tools::<Value, _>(&fake)).unwrap_err();
    assert!(error.to_string().contains("does not end"), "{error}");
}

#[test]
fn arguments_are_repeated_in_headers_where_the_tool_asks_for_it() {
    let fake = Fake::new(|_: &Request<Bytes>, body: &Value| match body["method"].as_str() {
        Some("tools/list") => {
            let header = |kind: &str, name: &str| json!({"type": kind, "x-mcp-header": name});
            let tool = |name: &str, properties: Value| json!({"name": name, "inputSchema": {"type": "object", "properties": properties}});
            result(
                body,
                json!({"tools": [
                    tool("plain", json!({})),
                    tool("good", json!({"region": header("string", "Region"),
                        "deep": {"properties": {"on": header("boolean", "On"), "n": header("integer", "N")}}})),
                    tool("number", json!({"a": header("number", "A")})),
                    tool("empty", json!({"a": header("string", "")})),
                    tool("space", json!({"a": header("string", "My Region")})),
                    tool("twice", json!({"a": header("string", "A"), "b": header("string", "a")})),
                    tool("items", json!({"a": {"type": "array", "items": header("string", "A")}})),
                ]}),
            )
        }
        _ => result(body, json!({"content": []})),
    });
    let client = client();
    let tools: Vec<Tool> = block_on(client.list_tools(&fake)).unwrap();
    assert_eq!(
        tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(),
        ["plain", "good"]
    );
    let arguments = raw(json!({"region": "Zürich", "deep": {"on": true, "n": null}}));
    let call = CallTool::new("good", &arguments).with_mirrored(&tools[1].mirrored);
    block_on(client.call_tool(&fake, call)).unwrap();
    let seen = fake.seen.borrow();
    let headers = seen[1].headers();
    assert_eq!(headers["mcp-param-region"], "=?base64?WsO8cmljaA==?=");
    assert_eq!(headers["mcp-param-on"], "true");
    assert!(!headers.contains_key("mcp-param-n"));
}
