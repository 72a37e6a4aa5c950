//! What the offline model makes of what people say to an assistant with certain tools. Shared by the tests of the
//! tools, each of which says what should come of its own.

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
fn shown(tools: &str) -> Vec<Tool> {
    let tools: Value = serde_json::from_str(tools).unwrap();
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
fn planned(tools: &str, said: &str) -> String {
    let request = Request {
        purpose: "turn".into(),
        messages: vec![Message {
            role: Role::User,
            parts: vec![Part::Text(said.into())],
        }],
        tools: shown(tools),
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

/// Holds the model to what should come of each sentence, given a component's `tools.json`.
pub fn holds(tools: &str, expected: &[(&str, &str)]) {
    let wrong: Vec<String> = expected
        .iter()
        .filter(|(said, wanted)| planned(tools, said) != *wanted)
        .map(|(said, wanted)| format!("{said}\n  wanted {wanted}\n  found  {}", planned(tools, said)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
