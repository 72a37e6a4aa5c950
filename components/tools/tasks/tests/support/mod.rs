//! A to-do server over a store in memory, and people who use it. It is Friday, 20 November 2026, 10:00 UTC.

#![allow(dead_code, reason = "every test file uses a part")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is wrong should panic"
)]

use std::cell::Cell;

use anyturn_state::memory::MemoryStore;
use anyturn_tasks::Tasks;
use anyturn_tool_sdk::serve;
use bytes::Bytes;
use futures::executor::block_on;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(1_795_168_800_000) };
}

pub const DAY: u64 = 24 * 60 * 60 * 1000;

pub struct Server {
    pub store: MemoryStore,
    tasks: Tasks<MemoryStore>,
}

/// An answer of the REST API.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A tool's result.
#[derive(Debug, PartialEq)]
pub struct Said {
    pub text: String,
    pub structured: Value,
    pub is_error: bool,
    pub inverse: Value,
}

impl Said {
    pub fn task(&self) -> &Value {
        self.structured.get("task").unwrap()
    }

    pub fn id(&self) -> String {
        self.task().get("id").unwrap().as_str().unwrap().to_owned()
    }
}

impl Server {
    pub fn new() -> Server {
        let store = MemoryStore::new();
        let tasks = Tasks::new(store.clone()).with_clock(|| NOW.with(Cell::get));
        Server { store, tasks }
    }

    /// Lets time pass, for the server and for the store.
    pub fn wait(&self, milliseconds: u64) {
        NOW.with(|now| now.set(now.get() + milliseconds));
        self.store.clock().advance(milliseconds);
    }

    pub fn send(&self, request: Request<Full<Bytes>>) -> (u16, HeaderMap, Bytes) {
        let (head, body) = block_on(serve(&self.tasks, request)).into_parts();
        (
            head.status.as_u16(),
            head.headers,
            block_on(body.collect()).unwrap().to_bytes(),
        )
    }

    /// Calls a tool with an idempotency key, or without one when it is empty.
    pub fn call(&self, user: &str, key: &str, tool: &str, arguments: Value) -> Said {
        block_on(self.call_async(user, key, tool, arguments))
    }

    /// [`Server::call`], for calls at the same time.
    pub async fn call_async(&self, user: &str, key: &str, tool: &str, arguments: Value) -> Said {
        let meta = match key {
            "" => json!({}),
            key => json!({"anyturn.dev/idempotency-key": key}),
        };
        let body = self.call_with(user, meta, tool, arguments).await;
        let result = &body["result"];
        Said {
            text: result["content"][0]["text"]
                .as_str()
                .unwrap_or_else(|| panic!("{body}"))
                .to_owned(),
            structured: result["structuredContent"].clone(),
            is_error: result["isError"].as_bool().unwrap(),
            inverse: result["_meta"]["anyturn.dev/inverse"].clone(),
        }
    }

    /// Calls a tool with this in `_meta`, and returns the protocol's message.
    pub async fn call_with(&self, user: &str, mut meta: Value, tool: &str, arguments: Value) -> Value {
        meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let request = Request::post("/mcp")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", tool)
            .header("anyturn-user", user)
            .header("anyturn-timezone", "Europe/Berlin")
            .body(Full::from(body.to_string()))
            .unwrap();
        let (head, body) = serve(&self.tasks, request).await.into_parts();
        let body: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        assert_eq!(head.status, 200, "{body}");
        body
    }

    /// Calls a tool as Ann, without a key; it must succeed.
    pub fn ann(&self, tool: &str, arguments: Value) -> Said {
        let said = self.call("ann", "", tool, arguments);
        assert!(!said.is_error, "{}", said.text);
        said
    }

    /// Calls a tool as Ann; it must fail.
    pub fn refuses(&self, tool: &str, arguments: Value) -> String {
        let said = self.call("ann", "", tool, arguments);
        assert!(said.is_error, "{}", said.text);
        said.text
    }

    /// Calls the tool that undoes a call.
    pub fn undo(&self, said: &Said) -> Said {
        self.ann(
            said.inverse["tool"].as_str().unwrap(),
            said.inverse["arguments"].clone(),
        )
    }

    /// The titles that a list shows.
    pub fn titles(&self, arguments: Value) -> Vec<String> {
        let said = self.ann("list_tasks", arguments);
        said.structured["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| task["title"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Sends a request to the REST API as Ann.
    pub fn rest(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.rest_raw("ann", method, path, headers, body)
    }

    pub fn rest_raw(
        &self,
        user: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !user.is_empty() {
            request = request.header("anyturn-user", user);
        }
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (status, headers, body) = self.send(request.body(Full::new(body.into())).unwrap());
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Answer {
            status,
            headers,
            body,
        }
    }
}
