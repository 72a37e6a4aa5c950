//! The body of a Chat Completions request, and the rules of the interface that have to hold before there
//! can be one.
//!
//! JSON Schemas pass through as they are written, checked only to be JSON objects: their order of
//! properties is the model's order of thought, and providers differ in what they support. The module `tools` has
//! what they are for.

mod tools;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Serialize, Serializer, ser::SerializeSeq};
use serde_json::value::RawValue;

use super::adjust::Dialect;
use crate::{
    api::{self, Error, ErrorKind, Part, Role},
    failure::error,
    presets::{Preset, TokenLimit},
};
use tools::{response_format, tool_choice, tools};

/// Builds the body, or says which rule the request breaks.
pub fn body(request: &api::Request, dialect: &Dialect<'_>) -> Result<Vec<u8>, Error> {
    let Dialect {
        preset,
        model,
        adjustments,
        ..
    } = *dialect;
    let options = &request.options;
    check_options(options)?;
    let tools = tools(&request.tools)?;
    let tool_choice = tool_choice(request)?;
    let limit = |name| {
        options
            .max_output_tokens
            .filter(|_| adjustments.token_limit(preset) == name)
    };
    let body = Body {
        model,
        messages: messages(&request.messages, preset)?,
        stream: true,
        stream_options: StreamOptions { include_usage: true },
        tools,
        tool_choice,
        reasoning_effort: dialect.effort(),
        temperature: options
            .temperature
            .filter(|_| !adjustments.without_temperature)
            .map(decimal),
        top_p: options.top_p.filter(|_| !adjustments.without_top_p).map(decimal),
        max_completion_tokens: limit(TokenLimit::MaxCompletionTokens),
        max_tokens: limit(TokenLimit::MaxTokens),
        stop: &options.stop,
        seed: options.seed.filter(|_| preset.seed && !adjustments.without_seed),
        user: request
            .user
            .as_deref()
            .filter(|_| preset.user && !adjustments.without_user),
        response_format: options
            .response_schema
            .as_deref()
            .map(response_format)
            .transpose()?,
    };
    serde_json::to_vec(&body).map_err(|_| invalid("The request cannot be written as JSON."))
}

fn invalid(message: impl Into<String>) -> Error {
    error(ErrorKind::InvalidRequest, message)
}

/// The shortest decimal of a 32-bit float is what its author meant: 0.7, not 0.699999988079071.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

fn check_options(options: &api::Options) -> Result<(), Error> {
    let within = |value: Option<f32>, max: f32| value.is_none_or(|value| (0.0..=max).contains(&value));
    if !within(options.temperature, 2.0) {
        return Err(invalid("temperature must be from 0 to 2."));
    }
    if !within(options.top_p, 1.0) {
        return Err(invalid("top-p must be from 0 to 1."));
    }
    if options.stop.len() > 4 {
        return Err(invalid("There may be at most 4 stop texts."));
    }
    if options.max_output_tokens == Some(0) {
        return Err(invalid("max-output-tokens must be at least 1."));
    }
    Ok(())
}

// ---- the shapes -------------------------------------------------------------------------------------

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "slice_is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
}

fn slice_is_empty(slice: &[String]) -> bool {
    slice.is_empty()
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum Message<'a> {
    System {
        content: String,
    },
    User {
        content: Content<'a>,
    },
    Assistant {
        content: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        tool_call_id: &'a str,
        #[serde(serialize_with = "result_content")]
        content: Noted<'a>,
    },
}

/// One text is a string, which every provider takes; a list of parts is for those that see pictures.
enum Content<'a> {
    Text(&'a str),
    Parts(&'a [Part]),
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Parts(parts) => {
                let mut list = serializer.serialize_seq(Some(parts.len()))?;
                for part in *parts {
                    match part {
                        Part::Text(text) => list.serialize_element(&ContentPart::Text { text })?,
                        Part::Image(image) => list.serialize_element(&ContentPart::ImageUrl {
                            image_url: ImageUrl {
                                url: image_url(image),
                            },
                        })?,
                        // `messages` has refused these.
                        Part::ToolCall(_) | Part::ToolResult(_) => {}
                    }
                }
                list.end()
            }
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ContentPart<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl },
}

#[derive(Serialize)]
struct ImageUrl {
    url: String,
}

fn image_url(image: &api::Image) -> String {
    match &image.source {
        api::ImageSource::Url(url) => url.clone(),
        api::ImageSource::Data(data) => {
            let mut url = format!("data:{};base64,", image.media_type);
            BASE64_STANDARD.encode_string(data, &mut url);
            url
        }
    }
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    r#type: &'static str,
    function: CallFunction<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<ExtraContent>,
}

/// Gemini's addition to a tool call. Its models from 3 on refuse a call that they are told of without a
/// signature; calls that come from elsewhere, as all do after a conversation changed its provider, have this
/// word of Google's instead of one.
#[derive(Clone, Copy, Serialize)]
struct ExtraContent {
    google: Google,
}

#[derive(Clone, Copy, Serialize)]
struct Google {
    thought_signature: &'static str,
}

const UNSIGNED: ExtraContent = ExtraContent {
    google: Google {
        thought_signature: "skip_thought_signature_validator",
    },
};

#[derive(Serialize)]
struct CallFunction<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// A tool's result, and what the model is to know of it besides.
struct Noted<'a> {
    result: &'a api::ToolResult,
    notes: Vec<&'a str>,
}

/// The dialect has no flag for a tool's failure and no place for notes, so the text says both.
fn result_content<S: Serializer>(noted: &Noted<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    let Noted { result, notes } = noted;
    let failed = if result.is_error { "Error: " } else { "" };
    match (failed, &notes[..]) {
        ("", []) => serializer.serialize_str(&result.content),
        (failed, []) => serializer.collect_str(&format_args!("{failed}{}", result.content)),
        (failed, notes) => {
            let notes = notes.join("\n");
            serializer.collect_str(&format_args!("{notes}\n{failed}{}", result.content))
        }
    }
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a RawValue,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Choice<'a> {
    Word(&'static str),
    Named {
        r#type: &'static str,
        function: Name<'a>,
    },
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    r#type: &'static str,
    json_schema: JsonSchema<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'static str,
    schema: &'a RawValue,
    strict: bool,
}

// ---- messages ---------------------------------------------------------------------------------------

fn messages<'a>(messages: &'a [api::Message], preset: &Preset) -> Result<Vec<Message<'a>>, Error> {
    if messages.is_empty() {
        return Err(invalid("A request needs at least one message."));
    }
    let mut written = Vec::with_capacity(messages.len());
    for (at, message) in messages.iter().enumerate() {
        if message.parts.is_empty() {
            return Err(invalid(format!("Message {at} has no parts.")));
        }
        let misplaced = |part: &Part| {
            let part = match part {
                Part::Text(_) => "text",
                Part::Image(_) => "a picture",
                Part::ToolCall(_) => "a tool call",
                Part::ToolResult(_) => "a tool result",
            };
            invalid(format!("Message {at} holds {part}, which its role may not send."))
        };
        match message.role {
            Role::System => written.push(Message::System {
                content: text(&message.parts, misplaced)?,
            }),
            Role::User => written.push(Message::User {
                content: user_content(&message.parts, misplaced)?,
            }),
            Role::Assistant => written.push(assistant(&message.parts, preset, misplaced)?),
            // The dialect wants one message for each result.
            Role::Tool => {
                let begins = written.len();
                for part in &message.parts {
                    match (part, written.get_mut(begins..).and_then(<[_]>::last_mut)) {
                        (Part::ToolResult(result), _) => written.push(Message::Tool {
                            tool_call_id: &result.call_id,
                            content: Noted {
                                result,
                                notes: Vec::new(),
                            },
                        }),
                        (Part::Text(note), Some(Message::Tool { content, .. })) => content.notes.push(note),
                        _ => return Err(misplaced(part)),
                    }
                }
            }
        }
    }
    Ok(written)
}

fn text(parts: &[Part], misplaced: impl Fn(&Part) -> Error) -> Result<String, Error> {
    let mut joined = String::new();
    for part in parts {
        let Part::Text(text) = part else {
            return Err(misplaced(part));
        };
        if !joined.is_empty() {
            joined.push_str("\n\n");
        }
        joined.push_str(text);
    }
    Ok(joined)
}

fn user_content<'a>(parts: &'a [Part], misplaced: impl Fn(&Part) -> Error) -> Result<Content<'a>, Error> {
    for part in parts {
        match part {
            Part::Text(_) => {}
            Part::Image(image) => check_image(image)?,
            Part::ToolCall(_) | Part::ToolResult(_) => return Err(misplaced(part)),
        }
    }
    Ok(match parts {
        [Part::Text(text)] => Content::Text(text),
        parts => Content::Parts(parts),
    })
}

fn check_image(image: &api::Image) -> Result<(), Error> {
    const TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/webp", "image/gif"];
    match &image.source {
        api::ImageSource::Data(_) if !TYPES.contains(&image.media_type.as_str()) => {
            Err(invalid(format!("A picture must be one of {}.", TYPES.join(", "))))
        }
        api::ImageSource::Url(url) if !url.starts_with("https://") && !url.starts_with("data:image/") => {
            Err(invalid("A picture's address must begin with https://."))
        }
        _ => Ok(()),
    }
}

fn assistant<'a>(
    parts: &'a [Part],
    preset: &Preset,
    misplaced: impl Fn(&Part) -> Error,
) -> Result<Message<'a>, Error> {
    let mut content: Option<String> = None;
    let mut tool_calls = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) => content.get_or_insert_default().push_str(text),
            Part::ToolCall(call) => tool_calls.push(Call {
                id: &call.id,
                r#type: "function",
                function: CallFunction {
                    name: &call.name,
                    // Some models write nothing where there is nothing to say, and then refuse to read it.
                    arguments: match call.arguments.trim() {
                        "" => "{}",
                        arguments => arguments,
                    },
                },
                extra_content: preset.signed_calls.then_some(UNSIGNED),
            }),
            Part::Image(_) | Part::ToolResult(_) => return Err(misplaced(part)),
        }
    }
    Ok(Message::Assistant { content, tool_calls })
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
