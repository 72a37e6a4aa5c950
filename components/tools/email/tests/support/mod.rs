//! Mailboxes of both kinds with the same in them, and somebody who uses them. It is Friday, 20 November 2026, 11:00 in
//! Berlin.

#![allow(dead_code, reason = "every test file uses a part")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is wrong should panic"
)]

use std::time::Duration;

use anyturn_email::demo::corpus;
use anyturn_email::mail::{Address, Mail};
use anyturn_email::{Addresses, Email};
use anyturn_google::network::native::Native;
use anyturn_google_fake::FakeGoogle;
use anyturn_state::memory::{ManualClock, MemoryStore};
use anyturn_tool_sdk::serve;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use jiff::Zoned;
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address as Header;
use serde_json::{Value, json};

pub const NOW: u64 = 1_795_168_800_000;
/// The Google account of the user ada.
pub const ALEX: &str = "alex.kim@northwind.example";

/// One kind of mailbox.
pub struct World {
    pub name: &'static str,
    pub store: MemoryStore,
    pub google: Option<FakeGoogle>,
    email: Email<MemoryStore, Native>,
}

/// A tool's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub text: String,
    pub structured: Value,
    pub is_error: bool,
    /// The calls that undo it.
    pub inverses: Vec<Value>,
}

impl World {
    /// A demo mailbox.
    pub fn demo() -> World {
        let store = store();
        let network = Native::at(Duration::from_millis(NOW));
        World {
            name: "demo",
            email: Email::new(store.clone(), network).with_clock(|| NOW),
            store,
            google: None,
        }
    }

    /// Gmail, with the same in it.
    pub async fn gmail() -> World {
        let world = World::empty_gmail().await;
        world.google().gmail(ALEX, |mailbox| {
            for mail in mails().iter().rev() {
                let labels: Vec<&str> = mail.summary.labels.iter().map(String::as_str).collect();
                mailbox.deliver(&mime(mail), mail.summary.date.as_millisecond(), &labels);
            }
        });
        world
    }

    /// Gmail, with nothing in it.
    pub async fn empty_gmail() -> World {
        let google = FakeGoogle::start().await.unwrap();
        google.connect("ada", ALEX);
        let store = store();
        let network = Native::at(Duration::from_millis(NOW));
        let addresses = Addresses {
            gmail: google.url(),
            accounts: google.accounts_url(),
        };
        World {
            name: "gmail",
            email: Email::new(store.clone(), network)
                .with_google(addresses)
                .with_clock(|| NOW),
            store,
            google: Some(google),
        }
    }

    /// One of each kind.
    pub async fn both() -> [World; 2] {
        [World::demo(), World::gmail().await]
    }

    pub fn google(&self) -> &FakeGoogle {
        self.google.as_ref().unwrap()
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
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        let (_, body) = serve(&self.email, request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert!(
            !String::from_utf8_lossy(&body).contains("ya29"),
            "no token is shown"
        );
        serde_json::from_slice(&body).unwrap()
    }

    /// Calls a tool with an idempotency key, or without one when it is empty.
    pub async fn call(&self, key: &str, tool: &str, arguments: Value) -> Said {
        let meta = match key {
            "" => json!({}),
            key => json!({"anyturn.dev/idempotency-key": key}),
        };
        let body = self.call_with("ada", meta, tool, arguments).await;
        said(&body).unwrap_or_else(|| panic!("{}: {tool}: {body}", self.name))
    }

    /// Calls a tool without a key; it must succeed.
    pub async fn does(&self, tool: &str, arguments: Value) -> Said {
        let said = self.call("", tool, arguments).await;
        assert!(!said.is_error, "{}: {tool}: {}", self.name, said.text);
        said
    }

    /// Calls a tool; it must fail.
    pub async fn refuses(&self, tool: &str, arguments: Value) -> String {
        let said = self.call("", tool, arguments).await;
        assert!(said.is_error, "{}: {tool}: {}", self.name, said.text);
        said.text
    }

    /// Searches.
    pub async fn search(&self, arguments: Value) -> Said {
        self.does("search_emails", arguments).await
    }

    /// How many emails a search finds.
    pub async fn total(&self, arguments: Value) -> u64 {
        self.search(arguments).await.structured["total"].as_u64().unwrap()
    }

    /// The ids that a search finds.
    pub async fn ids(&self, arguments: Value) -> Vec<String> {
        let found = self.search(arguments).await;
        let ids = found.structured["ids"].as_array().unwrap().clone();
        ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    /// The id of the latest email that a search finds.
    pub async fn id(&self, arguments: Value) -> String {
        let ids = self.ids(arguments.clone()).await;
        ids.into_iter()
            .next()
            .unwrap_or_else(|| panic!("{arguments} finds something"))
    }

    /// Makes all calls that undo a call.
    pub async fn undo(&self, done: &Said) -> Vec<Said> {
        assert!(!done.inverses.is_empty(), "{}: {done:?} can be undone", self.name);
        let mut all = Vec::new();
        for inverse in &done.inverses {
            let tool = inverse["tool"].as_str().unwrap();
            all.push(self.does(tool, inverse["arguments"].clone()).await);
        }
        all
    }
}

/// A result; none if the message is an error of the protocol.
pub fn said(body: &Value) -> Option<Said> {
    let result = body.get("result")?;
    let meta = &result["_meta"];
    let mut inverses = meta["anyturn.dev/inverses"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if let Some(inverse) = meta.get("anyturn.dev/inverse") {
        inverses.push(inverse.clone());
    }
    Some(Said {
        text: result["content"][0]["text"].as_str()?.to_owned(),
        structured: result["structuredContent"].clone(),
        is_error: result["isError"].as_bool()?,
        inverses,
    })
}

fn store() -> MemoryStore {
    MemoryStore::with_clock(ManualClock::at(NOW))
}

/// What lies in both.
pub fn mails() -> Vec<Mail> {
    let begun: Zoned = "2026-11-20T11:00:00+01:00[Europe/Berlin]".parse().unwrap();
    assert_eq!(u64::try_from(begun.timestamp().as_millisecond()).unwrap(), NOW);
    corpus::mails(&begun)
}

/// An email as it is delivered.
pub fn mime(mail: &Mail) -> Vec<u8> {
    let summary = &mail.summary;
    let header = |address: &Address| Header::new_address(Some(address.name.clone()), address.email.clone());
    let mut message = MessageBuilder::new()
        .message_id(mail.message_id.as_str())
        .from(header(&summary.from))
        .to(Header::new_list(summary.to.iter().map(header).collect()))
        .subject(summary.subject.as_str())
        .date(summary.date.as_second())
        .text_body(mail.body.as_str());
    if let Some(answered) = mail.references.last() {
        message = message
            .in_reply_to(answered.as_str())
            .references(answered.as_str());
    }
    for attachment in &mail.attachments {
        message = message.attachment(
            attachment.media_type.as_str(),
            attachment.name.as_str(),
            format!("contents of {}", attachment.name).into_bytes(),
        );
    }
    message.write_to_vec().unwrap()
}
