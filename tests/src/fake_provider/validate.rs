//! What the API checks before it answers.

use serde_json::Value;

use super::{errors::ApiError, reasoning};

/// A valid request for a completion.
#[derive(Clone, Debug)]
pub struct Completion {
    body: Value,
}

/// The published parameters.
const PARAMETERS: [&str; 37] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "temperature",
    "top_p",
    "n",
    "stop",
    "max_tokens",
    "max_completion_tokens",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "user",
    "seed",
    "response_format",
    "store",
    "metadata",
    "modalities",
    "audio",
    "prediction",
    "reasoning_effort",
    "service_tier",
    "functions",
    "function_call",
    "web_search_options",
    "prompt_cache_key",
    "safety_identifier",
    "verbosity",
    "prompt_cache_retention",
    "context_management",
    "extra_body",
];

impl Completion {
    /// Whether the answer is to be streamed.
    pub fn streams(&self) -> bool {
        self.body.get("stream") == Some(&Value::Bool(true))
    }

    /// Whether the stream is to end with the usage.
    pub fn wants_usage(&self) -> bool {
        self.body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true))
    }

    /// The model.
    pub fn model(&self) -> &str {
        self.body.get("model").and_then(Value::as_str).unwrap_or_default()
    }

    /// The last message's text.
    pub fn last_text(&self) -> String {
        let last = self.messages().last().and_then(|message| message.get("content"));
        match last {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(parts)) => parts
                .iter()
                .filter_map(|part| part.get("text")?.as_str())
                .collect(),
            _ => String::new(),
        }
    }

    /// The names of the functions that may be called.
    pub fn tools(&self) -> Vec<&str> {
        let tools = self.body.get("tools").and_then(Value::as_array);
        let tools = tools.map_or(&[][..], Vec::as_slice);
        tools
            .iter()
            .filter_map(|tool| tool.pointer("/function/name")?.as_str())
            .collect()
    }

    /// Tokens, counted generously: a fourth of the characters.
    pub fn prompt_tokens(&self) -> u64 {
        let length: usize = self
            .messages()
            .iter()
            .map(|message| message.to_string().len())
            .sum();
        (length / 4) as u64
    }

    /// The messages, in the published shape.
    pub fn messages(&self) -> &[Value] {
        self.body
            .get("messages")
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }
}

/// Checks a request.
pub fn completion(body: Value, models: &[String]) -> Result<Completion, ApiError> {
    let Some(object) = body.as_object() else {
        return Err(ApiError::not_json(b"?"));
    };
    for (name, _) in object {
        if !PARAMETERS.contains(&name.as_str()) {
            return Err(ApiError::unknown_parameter(name));
        }
    }
    let model = match object.get("model") {
        Some(Value::String(model)) => model,
        Some(other) => return Err(ApiError::wrong_type("model", "a string", other)),
        None => return Err(ApiError::not_json(b"")),
    };
    if !models.iter().any(|known| known == model) {
        return Err(ApiError::unknown_model(model));
    }
    check_messages(object.get("messages"))?;
    check_tools(&body)?;
    check_options(&body)?;
    reasoning::check(&body, model)?;
    Ok(Completion { body })
}

fn check_messages(messages: Option<&Value>) -> Result<(), ApiError> {
    let messages = match messages {
        Some(Value::Array(messages)) => messages,
        Some(other) => return Err(ApiError::wrong_type("messages", "an array of objects", other)),
        None => return Err(ApiError::missing("messages")),
    };
    if messages.is_empty() {
        let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.";
        return Err(ApiError::invalid("messages", message.into(), Some("empty_array")));
    }
    // The calls of the last assistant message that have no result yet.
    let mut open: Vec<String> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let role = message.get("role").and_then(Value::as_str);
        let Some(role) = role else {
            return Err(ApiError::missing(&format!("messages[{at}].role")));
        };
        if role == "tool" {
            answers_a_call(at, message, &mut open)?;
            continue;
        }
        if let Some(id) = open.first() {
            return Err(ApiError::invalid(
                &format!("messages.[{at}].role"),
                format!(
                    "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
                     'tool_call_id'. The following tool_call_ids did not have response messages: {id}"
                ),
                None,
            ));
        }
        match role {
            "system" | "developer" | "user" => check_content(at, role, message.get("content"))?,
            "assistant" => open = check_assistant(at, message)?,
            other => {
                let param = format!("messages[{at}].role");
                let message = format!(
                    "Invalid value: '{other}'. Supported values are: 'system', 'assistant', 'user', 'tool', and 'developer'."
                );
                return Err(ApiError::invalid(&param, message, Some("invalid_value")));
            }
        }
    }
    Ok(())
}

fn answers_a_call(at: usize, message: &Value, open: &mut Vec<String>) -> Result<(), ApiError> {
    let Some(id) = message.get("tool_call_id").and_then(Value::as_str) else {
        return Err(ApiError::missing(&format!("messages[{at}].tool_call_id")));
    };
    check_content(at, "tool", message.get("content"))?;
    match open.iter().position(|open| open == id) {
        Some(place) => {
            open.remove(place);
            Ok(())
        }
        None => Err(ApiError::invalid(
            &format!("messages.[{at}].role"),
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                .into(),
            None,
        )),
    }
}

fn check_content(at: usize, role: &str, content: Option<&Value>) -> Result<(), ApiError> {
    let param = format!("messages[{at}].content");
    let parts = match content {
        Some(Value::String(_)) => return Ok(()),
        Some(Value::Array(parts)) if !parts.is_empty() => parts,
        Some(other @ Value::Null) => {
            return Err(ApiError::wrong_type(
                &param,
                "one of a string or array of objects",
                other,
            ));
        }
        Some(other) => {
            return Err(ApiError::wrong_type(
                &param,
                "one of a string or array of objects",
                other,
            ));
        }
        None => return Err(ApiError::missing(&param)),
    };
    for (place, part) in parts.iter().enumerate() {
        let param = format!("{param}[{place}]");
        match part.get("type").and_then(Value::as_str) {
            Some("text") if part.get("text").is_some_and(Value::is_string) => {}
            Some("image_url") if role == "user" => {
                let url = part
                    .pointer("/image_url/url")
                    .and_then(Value::as_str)
                    .unwrap_or("");
                if !["https://", "http://", "data:image/"]
                    .iter()
                    .any(|start| url.starts_with(start))
                {
                    let message = "Invalid image URL.".into();
                    return Err(ApiError::invalid(
                        &format!("{param}.image_url.url"),
                        message,
                        Some("invalid_value"),
                    ));
                }
            }
            _ => {
                let message = format!("Invalid value for a part of a message with role '{role}'.");
                return Err(ApiError::invalid(
                    &format!("{param}.type"),
                    message,
                    Some("invalid_value"),
                ));
            }
        }
    }
    Ok(())
}

/// Gives the ids of the message's calls.
fn check_assistant(at: usize, message: &Value) -> Result<Vec<String>, ApiError> {
    let calls = match message.get("tool_calls") {
        None => {
            check_content(at, "assistant", message.get("content"))?;
            return Ok(Vec::new());
        }
        Some(Value::Array(calls)) if !calls.is_empty() => calls,
        Some(other) => {
            return Err(ApiError::wrong_type(
                &format!("messages[{at}].tool_calls"),
                "a non-empty array",
                other,
            ));
        }
    };
    calls
        .iter()
        .enumerate()
        .map(|(place, call)| {
            let param = |name: &str| format!("messages[{at}].tool_calls[{place}].{name}");
            if call.get("type") != Some(&Value::from("function")) {
                return Err(ApiError::missing(&param("type")));
            }
            for name in ["name", "arguments"] {
                match call.pointer(&format!("/function/{name}")) {
                    Some(Value::String(_)) => {}
                    Some(other) => return Err(ApiError::wrong_type(&param(name), "a string", other)),
                    None => return Err(ApiError::missing(&param(name))),
                }
            }
            match call.get("id").and_then(Value::as_str) {
                Some(id) if id.len() <= 40 => Ok(id.to_owned()),
                Some(_) => {
                    let message =
                        "Invalid 'id': string too long. Expected a string with maximum length 40.".into();
                    Err(ApiError::invalid(
                        &param("id"),
                        message,
                        Some("string_above_max_length"),
                    ))
                }
                None => Err(ApiError::missing(&param("id"))),
            }
        })
        .collect()
}

fn check_tools(body: &Value) -> Result<(), ApiError> {
    let tools = match body.get("tools") {
        None => {
            if body.get("tool_choice").is_some() {
                let message = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.";
                return Err(ApiError::invalid("tool_choice", message.into(), None));
            }
            return Ok(());
        }
        Some(Value::Array(tools)) if !tools.is_empty() => tools,
        Some(other) => return Err(ApiError::wrong_type("tools", "a non-empty array", other)),
    };
    for (at, tool) in tools.iter().enumerate() {
        let param = |name: &str| format!("tools[{at}].{name}");
        if tool.get("type") != Some(&Value::from("function")) {
            return Err(ApiError::missing(&param("type")));
        }
        let name = tool.pointer("/function/name").and_then(Value::as_str);
        let Some(name) = name else {
            return Err(ApiError::missing(&param("function.name")));
        };
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
            let message = format!(
                "Invalid '{}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
                param("function.name")
            );
            return Err(ApiError::invalid(
                &param("function.name"),
                message,
                Some("invalid_value"),
            ));
        }
        match tool.pointer("/function/parameters") {
            None => {}
            Some(schema) if schema.get("type") == Some(&Value::from("object")) => {}
            Some(_) => {
                let message = format!(
                    "Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"'."
                );
                let param = param("function.parameters");
                return Err(ApiError::invalid(
                    &param,
                    message,
                    Some("invalid_function_parameters"),
                ));
            }
        }
    }
    if let Some(named) = body.pointer("/tool_choice/function/name")
        && !tools
            .iter()
            .any(|tool| tool.pointer("/function/name") == Some(named))
    {
        let message = "Tool choice refers to a function that is not among the tools.".into();
        return Err(ApiError::invalid("tool_choice", message, None));
    }
    Ok(())
}

fn check_options(body: &Value) -> Result<(), ApiError> {
    for (name, max) in [("temperature", 2.0), ("top_p", 1.0)] {
        match body.get(name) {
            None | Some(Value::Null) => {}
            Some(value) => match value.as_f64() {
                Some(number) if (0.0..=max).contains(&number) => {}
                Some(number) => {
                    let message = format!("Invalid '{name}': {number} is out of range 0 to {max}.");
                    return Err(ApiError::invalid(name, message, Some("decimal_out_of_range")));
                }
                None => return Err(ApiError::wrong_type(name, "a decimal", value)),
            },
        }
    }
    if body
        .get("stop")
        .and_then(Value::as_array)
        .is_some_and(|stop| stop.len() > 4)
    {
        let message = "Invalid 'stop': array too long. Expected an array with maximum length 4.".into();
        return Err(ApiError::invalid("stop", message, Some("array_above_max_length")));
    }
    if body.get("stream_options").is_some() && body.get("stream") != Some(&Value::Bool(true)) {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.".into();
        return Err(ApiError::invalid("stream_options", message, None));
    }
    if body.get("max_tokens").is_some() && body.get("max_completion_tokens").is_some() {
        let message =
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.".into();
        return Err(ApiError::invalid(
            "max_tokens",
            message,
            Some("invalid_parameter_combination"),
        ));
    }
    if let Some(format) = body.get("response_format")
        && format.get("type") == Some(&Value::from("json_schema"))
        && !format.pointer("/json_schema/name").is_some_and(Value::is_string)
    {
        return Err(ApiError::missing("response_format.json_schema.name"));
    }
    Ok(())
}
