//! A calendar server over a store in memory, and people who use it. It is Friday, 20 November 2026, 11:00 in Berlin.

#![allow(dead_code, reason = "every test file uses a part")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is wrong should panic"
)]

use std::cell::Cell;

use anyturn_calendar::Calendars;
use anyturn_state::memory::MemoryStore;
use anyturn_tool_sdk::serve;
use bytes::Bytes;
use futures::executor::block_on;
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

/// 2026-11-20T10:00:00Z.
pub const START: u64 = 1_795_168_800_000;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(START) };
}

pub struct Server {
    pub store: MemoryStore,
    calendars: Calendars<MemoryStore>,
    timezone: Cell<&'static str>,
}

/// A tool's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub text: String,
    pub structured: Value,
    pub is_error: bool,
    pub inverse: Value,
}

impl Said {
    pub fn event(&self) -> &Value {
        self.structured.get("event").unwrap_or_else(|| panic!("{self:?}"))
    }

    pub fn id(&self) -> String {
        self.event()["id"].as_str().unwrap().to_owned()
    }

    /// The titles of a list.
    pub fn titles(&self) -> Vec<String> {
        let events = self.structured["events"].as_array().unwrap();
        events
            .iter()
            .map(|event| event["title"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The slots as `start end`, without what follows the minutes.
    pub fn slots(&self) -> Vec<String> {
        let slots = self.structured["slots"].as_array().unwrap();
        let short = |slot: &Value, key: &str| slot[key].as_str().unwrap()[..16].to_owned();
        slots
            .iter()
            .map(|slot| format!("{} {}", short(slot, "start"), short(slot, "end")))
            .collect()
    }
}

impl Server {
    pub fn new() -> Server {
        NOW.with(|now| now.set(START));
        let store = MemoryStore::new();
        let calendars = Calendars::new(store.clone()).with_clock(|| NOW.with(Cell::get));
        Server {
            store,
            calendars,
            timezone: Cell::new("Europe/Berlin"),
        }
    }

    /// It is another time, for users somewhere else.
    pub fn at(now: &str, timezone: &'static str) -> Server {
        let server = Server::new();
        let now: jiff::Timestamp = now.parse().unwrap();
        NOW.with(|own| own.set(u64::try_from(now.as_millisecond()).unwrap()));
        server.timezone.set(timezone);
        server
    }

    /// Users are somewhere else from now on.
    pub fn travel(&self, timezone: &'static str) {
        self.timezone.set(timezone);
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
            .header("anyturn-timezone", self.timezone.get())
            .body(Full::<Bytes>::from(body.to_string()))
            .unwrap();
        let (head, body) = serve(&self.calendars, request).await.into_parts();
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
}
