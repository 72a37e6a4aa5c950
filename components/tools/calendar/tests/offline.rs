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
        ("what's on tomorrow", r#"list_events {"day":"2026-11-21"}"#),
        ("What's on tomorrow and who is coming?", r#"list_events {"day":"2026-11-21"}"#),
        ("what is on my calendar on Monday?", r#"list_events {"day":"2026-11-23"}"#),
        ("show my calendar", "list_events {}"),
        ("what meetings do I have next week?", r#"list_events {"from":"2026-11-23","to":"2026-11-29"}"#),
        ("list my meetings with Elena Rossi", r#"list_events {"attendee":"Elena Rossi"}"#),
        ("find events about the roadmap", r#"list_events {"text":"the roadmap"}"#),
        ("tell me more about the design review", r#"read_event {"event":"the design review"}"#),
        ("who is coming to the kick-off?", r#"read_event {"event":"the kick-off"}"#),
        (
            "schedule 30 minutes with Sarah on Thursday afternoon",
            r#"find_free_time {"attendees":["Sarah"],"duration_minutes":30,"window":"Thursday afternoon"}"#,
        ),
        (
            "find 20 minutes with Marcus and Priya tomorrow morning",
            r#"find_free_time {"attendees":["Priya","Marcus"],"duration_minutes":20,"window":"tomorrow morning"}"#,
        ),
        ("when am I free next week?", r#"find_free_time {"window":"next week"}"#),
        (
            "when are Marcus and I free on Tuesday?",
            r#"find_free_time {"attendees":["Marcus"],"window":"Tuesday"}"#,
        ),
        (
            "put haircut in my calendar on Tuesday at 5pm",
            r#"create_event {"attendees":[],"start":"2026-11-24T17:00:00+01:00","title":"haircut"}"#,
        ),
        (
            "block 45 minutes for reading tomorrow at 10:30",
            r#"create_event {"attendees":[],"duration_minutes":45,"start":"2026-11-21T10:30:00+01:00","title":"reading"}"#,
        ),
        (
            "invite tom.okafor@lumen.example to dinner on Friday at 19:00",
            r#"create_event {"attendees":["tom.okafor@lumen.example"],"start":"2026-11-27T19:00:00+01:00","title":"dinner"}"#,
        ),
        (
            "move the kick-off to Monday at 10am",
            r#"update_event {"event":"the kick-off","start":"2026-11-23T10:00:00+01:00"}"#,
        ),
        ("rename focus time to writing", r#"update_event {"event":"focus time","title":"writing"}"#),
        ("cancel the kick-off", r#"cancel_event {"event":"the kick-off"}"#),
        ("remove the dentist from my calendar", r#"cancel_event {"event":"the dentist"}"#),
    ]
    .into_iter()
    .filter(|(said, wanted)| planned(said) != *wanted)
    .map(|(said, wanted)| format!("{said}\n  wanted {wanted}\n  found  {}", planned(said)))
    .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
