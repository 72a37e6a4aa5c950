//! The offline model as the engine's port, as the component's glue maps it; and no network for anybody.

use anyturn_engine::port::{FinishReason, ModelEvent, ModelRequest, Part, Role, Usage};
use anyturn_google::network::{Network, NetworkError, Outgoing};
use anyturn_model::api;
use anyturn_model::offline::answer;
use anyturn_model::port::{Body, Platform, Post, Reply, TransportError};
use bytes::Bytes;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct NoNetwork;

impl Network for NoNetwork {
    async fn send(&self, _: Outgoing) -> Result<http::Response<Bytes>, NetworkError> {
        panic!("the demo mailbox used the network")
    }
    async fn sleep(&self, _: Duration) {
        panic!("the demo mailbox waited")
    }
    fn now(&self) -> Duration {
        Duration::from_millis(super::NOW)
    }
    fn random(&self) -> u64 {
        7
    }
}

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
        Duration::from_millis(super::NOW)
    }
    fn random(&self) -> u64 {
        1
    }
}

pub struct NoBody;

impl Body for NoBody {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, TransportError> {
        Ok(None)
    }
}

/// What the offline model answers.
pub fn offline(request: &ModelRequest) -> Vec<ModelEvent> {
    let part = |part: &Part| match part {
        Part::Text { text } => api::Part::Text(text.clone()),
        Part::Image { .. } => panic!("nobody sends pictures here"),
        Part::ToolCall(call) => api::Part::ToolCall(api::ToolCall {
            id: call.id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
        }),
        Part::ToolResult(result) => api::Part::ToolResult(api::ToolResult {
            call_id: result.call_id.clone(),
            content: result.content.clone(),
            is_error: result.is_error,
        }),
    };
    let messages = request.messages.iter().map(|message| api::Message {
        role: match message.role {
            Role::System => api::Role::System,
            Role::User => api::Role::User,
            Role::Assistant => api::Role::Assistant,
            Role::Tool => api::Role::Tool,
        },
        parts: message.parts.iter().map(part).collect(),
    });
    let tools = request.tools.iter().map(|tool| api::Tool {
        name: tool.name.clone(),
        description: tool.description.clone(),
        parameters: tool.parameters.clone(),
        examples: tool
            .examples
            .iter()
            .map(|example| api::Example {
                utterance: example.utterance.clone(),
                arguments: example.arguments.clone(),
            })
            .collect(),
    });
    let request = api::Request {
        purpose: request.purpose.clone(),
        messages: messages.collect(),
        tools: tools.collect(),
        tool_choice: if request.tools_allowed {
            api::ToolChoice::Auto
        } else {
            api::ToolChoice::None
        },
        options: api::Options {
            model: None,
            temperature: None,
            top_p: None,
            max_output_tokens: None,
            stop: Vec::new(),
            response_schema: None,
            seed: None,
        },
        local_time: request.local_time.clone(),
        user: None,
    };
    answer(&request, &NoNetwork).into_iter().map(event).collect()
}

fn event(event: api::Event) -> ModelEvent {
    match event {
        api::Event::Text(text) => ModelEvent::Text(text),
        api::Event::ToolCallStarted(start) => ModelEvent::ToolCallStarted {
            index: start.index,
            id: start.id,
            name: start.name,
        },
        api::Event::ToolCallArguments(delta) => ModelEvent::ToolCallArguments {
            index: delta.index,
            arguments: delta.arguments,
        },
        api::Event::Finished(finish) => ModelEvent::Finished {
            reason: match finish.reason {
                api::FinishReason::ToolCalls => FinishReason::ToolCalls,
                _ => FinishReason::Stop,
            },
            usage: Usage::default(),
            model: finish.model,
        },
        api::Event::Failed(error) => panic!("{}", error.message),
    }
}
