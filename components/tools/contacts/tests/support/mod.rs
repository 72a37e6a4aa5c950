//! A server of contacts over a store in memory, and people who use it. It is Friday, 20 November 2026, 11:00 in Berlin.

#![allow(dead_code, reason = "every test file uses a part")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is wrong should panic"
)]

use std::cell::Cell;

use std::time::Duration;

use anyturn_contacts::{Addresses, Contacts};
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
    contacts: Contacts<MemoryStore, Native>,
    runtime: Runtime,
    google: Option<FakeGoogle>,
}

/// Ann's account.
pub const ANN: &str = "alex.kim@northwind.example";

/// A tool's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub text: String,
    pub structured: Value,
    pub is_error: bool,
}

impl Said {
    /// The names of a list.
    pub fn names(&self) -> Vec<String> {
        let contacts = self.structured["contacts"].as_array().unwrap();
        contacts
            .iter()
            .map(|contact| contact["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Server {
    pub fn new() -> Server {
        Server::over(false)
    }

    /// Ann has a Google account; Bob has not connected any.
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
        let mut contacts = Contacts::new(store.clone(), network).with_clock(|| NOW.with(Cell::get));
        if let Some(google) = &google {
            contacts = contacts.with_google(Addresses {
                people: google.url(),
                accounts: google.accounts_url(),
            });
        }
        Server {
            store,
            contacts,
            runtime,
            google,
        }
    }

    /// The fake Google.
    pub fn at_google(&self) -> &FakeGoogle {
        self.google.as_ref().unwrap()
    }

    /// Calls a tool.
    pub fn call(&self, user: &str, tool: &str, arguments: Value) -> Said {
        let body = self
            .runtime
            .block_on(self.call_with(user, json!({}), tool, arguments));
        let result = &body["result"];
        Said {
            text: result["content"][0]["text"]
                .as_str()
                .unwrap_or_else(|| panic!("{body}"))
                .to_owned(),
            structured: result["structuredContent"].clone(),
            is_error: result["isError"].as_bool().unwrap(),
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
            .body(Full::<Bytes>::from(body.to_string()))
            .unwrap();
        let (head, body) = serve(&self.contacts, request).await.into_parts();
        let body: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        assert_eq!(head.status, 200, "{body}");
        body
    }

    /// Calls a tool as Ann; it must succeed.
    pub fn ann(&self, tool: &str, arguments: Value) -> Said {
        let said = self.call("ann", tool, arguments);
        assert!(!said.is_error, "{}", said.text);
        said
    }

    /// Calls a tool as Ann; it must fail.
    pub fn refuses(&self, tool: &str, arguments: Value) -> String {
        let said = self.call("ann", tool, arguments);
        assert!(said.is_error, "{}", said.text);
        said.text
    }
}
