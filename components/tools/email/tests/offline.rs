//! What people say to an assistant with these tools, and what the offline model makes of it.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is wrong should panic"
)]

use std::time::Duration;

use anyturn_model::api::{Event, Example, Message, Options, Part, Request, Role, Tool, ToolChoice};
use anyturn_model::offline;
use anyturn_model::port::{Body, Platform, Post, Reply, TransportError};
use serde_json::Value;

struct NoNetwork;

impl Platform for NoNetwork {
    type Body = NoBody;
    async fn post(&self, _: &Post<'_>) -> Result<Reply<NoBody>, TransportError> {
        panic!("the offline model used the network")
    }
    async fn sleep(&self, _: Duration) {
        panic!("the offline model waited")
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
    fn unix_time(&self) -> Duration {
        Duration::from_secs(1_795_168_800)
    }
    fn random(&self) -> u64 {
        1
    }
}

struct NoBody;

impl Body for NoBody {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, TransportError> {
        Ok(None)
    }
}

/// The tools as the engine shows them to a model.
fn tools() -> Vec<Tool> {
    let tools: Value = serde_json::from_str(include_str!("../tools.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tools = tools.as_array().unwrap().iter().map(|tool| Tool {
        name: text(&tool["name"]),
        description: text(&tool["description"]),
        parameters: tool["inputSchema"].to_string(),
        examples: tool["_meta"]["anyturn.dev/examples"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|example| Example {
                utterance: text(&example["utterance"]),
                arguments: example["arguments"].to_string(),
            })
            .collect(),
    });
    tools.collect()
}

/// Friday, 20 November 2026, 11:00 in Berlin: `tool {arguments}`, or what it says instead.
fn planned(said: &str) -> String {
    let request = Request {
        purpose: "turn".into(),
        messages: vec![Message {
            role: Role::User,
            parts: vec![Part::Text(said.into())],
        }],
        tools: tools(),
        tool_choice: ToolChoice::Auto,
        options: Options {
            model: None,
            temperature: None,
            top_p: None,
            max_output_tokens: None,
            stop: Vec::new(),
            response_schema: None,
            seed: None,
        },
        local_time: Some("2026-11-20T11:00:00+01:00".into()),
        user: None,
    };
    let mut planned = String::new();
    for event in offline::answer(&request, &NoNetwork) {
        match event {
            Event::Text(text) => planned.push_str(&text),
            Event::ToolCallStarted(call) => planned.extend([call.name.as_str(), " "]),
            Event::ToolCallArguments(call) => planned.push_str(&call.arguments),
            _ => {}
        }
    }
    planned
}

#[test]
fn people_are_understood_without_a_language_model() {
    let wrong: Vec<String> = [
        (
            "find emails from Sarah this week",
            r#"search_emails {"from":"Sarah","when":"this week"}"#,
        ),
        (
            "what newsletters came today?",
            r#"search_emails {"category":"newsletters","when":"today"}"#,
        ),
        (
            "find emails about the roadmap",
            r#"search_emails {"text":"the roadmap"}"#,
        ),
        ("show unread emails", r#"search_emails {"unread":true}"#),
        ("read email demo-sarah-4", r#"read_email {"id":"demo-sarah-4"}"#),
        (
            "archive demo-sarah-4",
            r#"archive_emails {"ids":["demo-sarah-4"]}"#,
        ),
        (
            "unarchive demo-sarah-4",
            r#"unarchive_emails {"ids":["demo-sarah-4"]}"#,
        ),
        (
            "mark demo-ci-1 as read",
            r#"mark_emails_read {"ids":["demo-ci-1"]}"#,
        ),
        (
            "mark demo-ci-1 as unread",
            r#"mark_emails_unread {"ids":["demo-ci-1"]}"#,
        ),
        ("delete demo-shop-1", r#"trash_emails {"ids":["demo-shop-1"]}"#),
        ("restore demo-shop-1", r#"untrash_emails {"ids":["demo-shop-1"]}"#),
        (
            "label demo-tom-1 as Lumen",
            r#"label_emails {"ids":["demo-tom-1"],"label":"Lumen"}"#,
        ),
        (
            "reply to demo-sarah-5: \"See you there.\"",
            r#"reply_to_email {"body":"See you there.","id":"demo-sarah-5"}"#,
        ),
        (
            "forward demo-marcus-1 to tom.okafor@lumen.example",
            r#"forward_email {"id":"demo-marcus-1","to":["tom.okafor@lumen.example"]}"#,
        ),
        (
            "send an email to bob@example.com about \"lunch\": \"Friday at noon?\"",
            r#"send_email {"body":"Friday at noon?","subject":"lunch","to":["bob@example.com"]}"#,
        ),
        (
            "draft an email to bob@example.com about \"lunch\": \"Friday at noon?\"",
            r#"draft_email {"body":"Friday at noon?","subject":"lunch","to":["bob@example.com"]}"#,
        ),
    ]
    .into_iter()
    .filter(|(said, wanted)| planned(said) != *wanted)
    .map(|(said, wanted)| format!("{said}\n  wanted {wanted}\n  found  {}", planned(said)))
    .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
