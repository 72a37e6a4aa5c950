//! The engine's model port over the import `anyturn:model`.

use std::collections::VecDeque;

use anyturn_engine::port::{
    Answer, Example, FinishReason, Message, Model, ModelError, ModelErrorKind, ModelEvent, ModelOptions,
    ModelRequest, ModelTool, Part, Role, ToolCall, ToolResult, Usage,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use spin_sdk::wasip3::wit_bindgen::{StreamReader, StreamResult};

use crate::platform::ModelDescription;
use bindings::anyturn::model::chat as wit;

#[allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::restriction
)]
mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit/model",
        world: "imports",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

/// How many events are taken at once.
const BATCH: usize = 32;

/// The model that the manifest's dependency provides.
#[derive(Clone, Copy, Debug)]
pub struct Imported;

/// What is configured.
pub async fn describe() -> Result<ModelDescription, String> {
    let wit::Description {
        provider,
        model,
        remote,
    } = wit::describe().await?;
    Ok(ModelDescription {
        provider,
        model,
        remote,
    })
}

impl Model for Imported {
    type Answer = Arriving;

    async fn complete(&self, request: ModelRequest) -> Result<Arriving, ModelError> {
        let events = wit::complete(into_request(request)).await.map_err(error)?;
        Ok(Arriving {
            events,
            ready: VecDeque::new(),
        })
    }
}

/// An answer; dropping it cancels the call.
pub struct Arriving {
    events: StreamReader<wit::Event>,
    ready: VecDeque<wit::Event>,
}

impl Answer for Arriving {
    async fn next(&mut self) -> Option<ModelEvent> {
        while self.ready.is_empty() {
            let (result, events) = self.events.read(Vec::with_capacity(BATCH)).await;
            self.ready.extend(events);
            if self.ready.is_empty() && !matches!(result, StreamResult::Complete(_)) {
                return None;
            }
        }
        self.ready.pop_front().map(event)
    }
}

fn event(event: wit::Event) -> ModelEvent {
    match event {
        wit::Event::Text(text) => ModelEvent::Text(text),
        wit::Event::ToolCallStarted(wit::ToolCallStart { index, id, name }) => {
            ModelEvent::ToolCallStarted { index, id, name }
        }
        wit::Event::ToolCallArguments(wit::ToolCallDelta { index, arguments }) => {
            ModelEvent::ToolCallArguments { index, arguments }
        }
        wit::Event::Finished(wit::Finish { reason, usage, model }) => ModelEvent::Finished {
            reason: match reason {
                wit::FinishReason::Stop => FinishReason::Stop,
                wit::FinishReason::Length => FinishReason::Length,
                wit::FinishReason::ToolCalls => FinishReason::ToolCalls,
                wit::FinishReason::ContentFilter => FinishReason::ContentFilter,
            },
            usage: Usage {
                input_tokens: usage.input_tokens,
                cached_tokens: usage.cached_tokens,
                output_tokens: usage.output_tokens,
            },
            model,
        },
        wit::Event::Failed(failure) => ModelEvent::Failed(error(failure)),
    }
}

fn error(error: wit::Error) -> ModelError {
    let wit::Error {
        kind,
        message,
        retry_after,
    } = error;
    let kind = match kind {
        wit::ErrorKind::InvalidRequest => ModelErrorKind::InvalidRequest,
        wit::ErrorKind::Unauthorized => ModelErrorKind::Unauthorized,
        wit::ErrorKind::UnknownModel => ModelErrorKind::UnknownModel,
        wit::ErrorKind::RateLimited => ModelErrorKind::RateLimited,
        wit::ErrorKind::ContextTooLong => ModelErrorKind::ContextTooLong,
        wit::ErrorKind::ContentRefused => ModelErrorKind::ContentRefused,
        wit::ErrorKind::Unavailable => ModelErrorKind::Unavailable,
        wit::ErrorKind::Timeout => ModelErrorKind::Timeout,
        wit::ErrorKind::Protocol => ModelErrorKind::Protocol,
    };
    ModelError {
        kind,
        message,
        retry_after,
    }
}

fn into_request(request: ModelRequest) -> wit::Request {
    let ModelRequest {
        purpose,
        messages,
        tools,
        tools_allowed,
        options,
        local_time,
        user,
    } = request;
    let ModelOptions {
        model,
        temperature,
        top_p,
        max_output_tokens,
        stop,
        seed,
    } = options;
    wit::Request {
        purpose,
        messages: messages.into_iter().map(message).collect(),
        tool_choice: if tools_allowed && !tools.is_empty() {
            wit::ToolChoice::Auto
        } else {
            wit::ToolChoice::None
        },
        tools: tools.into_iter().map(tool).collect(),
        options: wit::Options {
            model,
            temperature,
            top_p,
            max_output_tokens,
            stop,
            response_schema: None,
            seed,
        },
        local_time,
        user,
    }
}

fn message(message: Message) -> wit::Message {
    let Message { role, parts } = message;
    wit::Message {
        role: match role {
            Role::System => wit::Role::System,
            Role::User => wit::Role::User,
            Role::Assistant => wit::Role::Assistant,
            Role::Tool => wit::Role::Tool,
        },
        parts: parts.into_iter().map(part).collect(),
    }
}

fn part(part: Part) -> wit::Part {
    match part {
        Part::Text { text } => wit::Part::Text(text),
        Part::Image { media_type, url } => {
            // What is no valid Base64 was refused when the message came.
            let data = url.strip_prefix("data:").and_then(|data| data.split_once(','));
            let source = match data.map(|(_, data)| STANDARD.decode(data)) {
                Some(data) => wit::ImageSource::Data(data.unwrap_or_default()),
                None => wit::ImageSource::Url(url),
            };
            wit::Part::Image(wit::Image { media_type, source })
        }
        Part::ToolCall(ToolCall { id, name, arguments }) => {
            wit::Part::ToolCall(wit::ToolCall { id, name, arguments })
        }
        Part::ToolResult(ToolResult {
            call_id,
            content,
            is_error,
        }) => wit::Part::ToolResult(wit::ToolResult {
            call_id,
            content,
            is_error,
        }),
    }
}

fn tool(tool: ModelTool) -> wit::Tool {
    let ModelTool {
        name,
        description,
        parameters,
        examples,
    } = tool;
    wit::Tool {
        name,
        description,
        parameters,
        examples: examples
            .into_iter()
            .map(|Example { utterance, arguments }| wit::Example { utterance, arguments })
            .collect(),
    }
}
