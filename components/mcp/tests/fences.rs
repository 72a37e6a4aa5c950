//! Calls that must not come late, and questions about calls: how both look on the wire, in both revisions.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is wrong should panic"
)]

mod support;

use std::borrow::Cow;
use std::cell::RefCell;
use std::convert::Infallible;

use anyturn_mcp::client::{CallTool, Client, ClientError, Transport};
use anyturn_mcp::server::{Call, Server, handle};
use anyturn_mcp::{CallResult, Checked, Implementation, RpcError, Tool};
use bytes::Bytes;
use futures::executor::block_on;
use http::{Request, Response, Uri};
use http_body_util::Full;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use support::{Echo, IDENTITY};

/// A server, and what it was sent.
struct Wire<S> {
    server: S,
    /// The `_meta` of all requests.
    seen: RefCell<Vec<Value>>,
}

impl<S: Server> Wire<S> {
    fn to(server: S) -> Self {
        let seen = RefCell::default();
        Wire { server, seen }
    }
}

impl<S: Server> Transport for Wire<S> {
    type Body = Full<Bytes>;
    type Error = Infallible;

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Full<Bytes>>, Infallible> {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        self.seen.borrow_mut().push(body["params"]["_meta"].clone());
        let answer = handle(&self.server, request.headers(), request.body()).await;
        let mut response = Response::new(Full::new(Bytes::from(answer.body.unwrap_or_default())));
        *response.status_mut() = answer.status;
        Ok(response)
    }
}

fn client() -> Client {
    Client::new(IDENTITY, Uri::from_static("http://echo.spin.internal/mcp")).stateless_only()
}

fn arguments() -> Box<RawValue> {
    to_raw_value(&json!({"text": "hi"})).unwrap()
}

#[test]
fn a_call_carries_the_moment_after_which_it_must_not_take_effect() {
    let wire = Wire::to(Echo::default());
    let arguments = arguments();
    let call = CallTool::new("late", &arguments).with_not_after(1_795_168_800_000);
    let error = block_on(client().call_tool(&wire, call)).unwrap_err();
    assert!(
        matches!(&error, ClientError::Rpc(error) if error.code == RpcError::TOO_LATE
            && error.message == "later than Some(1795168800000)"),
        "{error:?}"
    );
    assert!(error.proves_not_run());
    assert_eq!(
        wire.seen.borrow()[0]["anyturn.dev/not-after"],
        1_795_168_800_000_u64
    );
    let call = CallTool::new("late", &arguments);
    let error = block_on(client().call_tool(&wire, call)).unwrap_err();
    assert!(error.to_string().contains("later than None"), "{error}");
    assert!(wire.seen.borrow()[1].get("anyturn.dev/not-after").is_none());
}

#[test]
fn a_moment_that_cannot_be_read_is_no_reason_to_go_on_without() {
    let server = Echo::default();
    for wrong in [json!("tomorrow"), json!(-1), json!(1.5), json!([])] {
        for key in ["anyturn.dev/not-after", "anyturn.dev/check"] {
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                "params": {"name": "echo", "arguments": {}, "_meta": {key: wrong}}});
            let answer = block_on(handle(&server, &Default::default(), body.to_string().as_bytes()));
            let body: Value = serde_json::from_slice(&answer.body.unwrap()).unwrap();
            assert_eq!(
                (answer.status.as_u16(), &body["error"]["code"]),
                (400, &json!(-32602))
            );
        }
    }
    assert!(server.keys.borrow().is_empty(), "nothing was called");
}

#[test]
fn a_check_asks_and_calls_nothing() {
    let wire = Wire::to(Echo::default());
    let arguments = arguments();
    for (key, found) in [("k1", Checked::Recorded), ("k2", Checked::NotFound)] {
        let call = CallTool::new("echo", &arguments)
            .with_idempotency_key(key)
            .as_check();
        let result = block_on(client().call_tool(&wire, call)).unwrap();
        assert_eq!(result.meta.check, Some(found));
    }
    assert!(wire.server.keys.borrow().is_empty(), "nothing was called");
    let asked = ["k1", "k2"].map(|key| Some(key.to_owned()));
    assert_eq!(*wire.server.checked.borrow(), asked);
    assert_eq!(wire.seen.borrow()[0]["anyturn.dev/check"], true);
    // A call is no check, and its result says nothing of one.
    let result = block_on(client().call_tool(&wire, CallTool::new("echo", &arguments))).unwrap();
    assert_eq!(result.meta.check, None);
    assert!(wire.seen.borrow()[2].get("anyturn.dev/check").is_none());
}

#[test]
fn before_2026_a_check_looks_the_same() {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "echo", "arguments": {},
        "_meta": {"anyturn.dev/check": true, "anyturn.dev/idempotency-key": "k1"}}});
    let server = Echo::default();
    let answer = block_on(handle(&server, &Default::default(), body.to_string().as_bytes()));
    let body: Value = serde_json::from_slice(&answer.body.unwrap()).unwrap();
    assert_eq!(body["result"]["_meta"], json!({"anyturn.dev/check": "recorded"}));
    assert!(server.keys.borrow().is_empty());
}

/// Has no checks to offer.
struct Plain;

impl Server for Plain {
    fn identity(&self) -> Implementation {
        IDENTITY
    }

    fn tools(&self) -> Cow<'_, str> {
        Cow::Borrowed("[]")
    }

    async fn call(&self, _: Call<'_>) -> Result<CallResult, RpcError> {
        panic!("a check was taken for a call")
    }
}

#[test]
fn a_server_without_checks_refuses_them() {
    let wire = Wire::to(Plain);
    let arguments = arguments();
    let error = block_on(client().call_tool(&wire, CallTool::new("pay", &arguments).as_check())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tool server answered: pay cannot tell whether a call took effect (code -32602)"
    );
}

#[test]
fn a_tool_announces_that_it_answers_checks() {
    let described = |meta: Value| -> Tool {
        serde_json::from_value(json!({"name": "pay", "inputSchema": {}, "_meta": meta})).unwrap()
    };
    assert!(described(json!({"anyturn.dev/verifiable": true})).meta.verifiable);
    assert!(!described(json!({})).meta.verifiable);
    let written = serde_json::to_value(described(json!({"anyturn.dev/verifiable": true}))).unwrap();
    assert_eq!(written["_meta"], json!({"anyturn.dev/verifiable": true}));
}
