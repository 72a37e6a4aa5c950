//! A calendar server over a store in memory, and people who use it. It is Friday, 20 November 2026, 11:00 in Berlin.
//!
//! [`Server::new`] serves demo calendars. [`Server::google`] serves the calendars of a fake Google, at which Ann and others
//! have accounts.

#![allow(dead_code, reason = "every test file uses a part")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is wrong should panic"
)]

use std::cell::Cell;

use std::time::Duration;

use anyturn_calendar::{Addresses, Calendars};
use anyturn_google::network::native::Native;
use anyturn_google_fake::FakeGoogle;
use anyturn_state::memory::MemoryStore;
use anyturn_tool_sdk::serve;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

/// 2026-11-20T10:00:00Z.
pub const START: u64 = 1_795_168_800_000;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(START) };
}

pub struct Server {
    pub store: MemoryStore,
    calendars: Calendars<MemoryStore, Native>,
    timezone: Cell<&'static str>,
    runtime: Runtime,
    google: Option<FakeGoogle>,
}

/// Ann's account.
pub const ANN: &str = "alex.kim@northwind.example";

/// What both kinds of calendars promise.
pub fn both(test: impl Fn(&Server)) {
    test(&Server::new());
    test(&Server::google());
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
        Server::over(false)
    }

    /// Ann has a Google account, and others have accounts, too; Bob has not connected any.
    pub fn google() -> Server {
        let server = Server::over(true);
        server.at_google().connect("ann", ANN);
        server
    }

    fn over(google: bool) -> Server {
        NOW.with(|now| now.set(START));
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let google = google.then(|| runtime.block_on(FakeGoogle::start()).unwrap());
        let store = MemoryStore::new();
        let network = Native::at(Duration::from_millis(START));
        let mut calendars = Calendars::new(store.clone(), network).with_clock(|| NOW.with(Cell::get));
        if let Some(google) = &google {
            calendars = calendars.with_google(Addresses {
                calendar: google.url(),
                accounts: google.accounts_url(),
            });
        }
        Server {
            store,
            calendars,
            timezone: Cell::new("Europe/Berlin"),
            runtime,
            google,
        }
    }

    /// The fake Google.
    pub fn at_google(&self) -> &FakeGoogle {
        self.google.as_ref().unwrap()
    }

    /// Runs something to its end.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// It is another time, for users somewhere else.
    pub fn at(now: &str, timezone: &'static str) -> Server {
        let server = Server::new();
        server.set(now, timezone);
        server
    }

    /// It is another time, and users are somewhere else.
    pub fn set(&self, now: &str, timezone: &'static str) {
        let now: jiff::Timestamp = now.parse().unwrap();
        NOW.with(|own| own.set(u64::try_from(now.as_millisecond()).unwrap()));
        self.timezone.set(timezone);
    }

    /// Users are somewhere else from now on.
    pub fn travel(&self, timezone: &'static str) {
        self.timezone.set(timezone);
    }

    /// Calls a tool with an idempotency key, or without one when it is empty.
    pub fn call(&self, user: &str, key: &str, tool: &str, arguments: Value) -> Said {
        self.run(self.call_async(user, key, tool, arguments))
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
