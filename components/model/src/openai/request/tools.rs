//! The tools of a request, which of them may be called, and the schema of its answer.

use std::collections::HashSet;

use serde_json::value::RawValue;

use super::{Choice, Function, JsonSchema, Name, ResponseFormat, Tool, invalid};
use crate::api::{self, Error, ToolChoice};

pub(super) fn tools(tools: &[api::Tool]) -> Result<Vec<Tool<'_>>, Error> {
    let mut names = HashSet::with_capacity(tools.len());
    tools
        .iter()
        .map(|tool| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            if !(1..=64).contains(&tool.name.len()) || !tool.name.bytes().all(fits) {
                return Err(invalid(format!(
                    "The tool name “{}” is not 1 to 64 of ASCII letters, digits, _ and -.",
                    tool.name
                )));
            }
            if !names.insert(&tool.name) {
                return Err(invalid(format!("Two tools are called “{}”.", tool.name)));
            }
            Ok(Tool {
                r#type: "function",
                function: Function {
                    name: &tool.name,
                    description: &tool.description,
                    parameters: schema(&tool.parameters, || format!("The parameters of “{}”", tool.name))?,
                },
            })
        })
        .collect()
}

fn schema(text: &str, what: impl Fn() -> String) -> Result<&RawValue, Error> {
    match anyturn_json::from_str::<&RawValue>(text) {
        Ok(value) if value.get().starts_with('{') => Ok(value),
        _ => Err(invalid(format!("{} are not a JSON object.", what()))),
    }
}

pub(super) fn tool_choice(request: &api::Request) -> Result<Option<Choice<'_>>, Error> {
    match &request.tool_choice {
        // Providers refuse a choice where there is nothing to choose from.
        ToolChoice::Auto | ToolChoice::None if request.tools.is_empty() => Ok(None),
        ToolChoice::Required if request.tools.is_empty() => {
            Err(invalid("A tool call is required, but there are no tools."))
        }
        ToolChoice::Auto => Ok(None),
        ToolChoice::None => Ok(Some(Choice::Word("none"))),
        ToolChoice::Required => Ok(Some(Choice::Word("required"))),
        ToolChoice::Named(name) if request.tools.iter().any(|tool| tool.name == *name) => {
            Ok(Some(Choice::Named {
                r#type: "function",
                function: Name { name },
            }))
        }
        ToolChoice::Named(name) => Err(invalid(format!(
            "The tool “{name}” is to be called, but there is no such one."
        ))),
    }
}

pub(super) fn response_format(text: &str) -> Result<ResponseFormat<'_>, Error> {
    let schema = schema(text, || "The contents of the response schema".into())?;
    let strict = anyturn_json::from_str(text).is_ok_and(|schema| fits_strict(&schema));
    Ok(ResponseFormat {
        r#type: "json_schema",
        json_schema: JsonSchema {
            name: "answer",
            schema,
            strict,
        },
    })
}

/// Strict mode guarantees the schema, but providers refuse it for schemas with optional or additional
/// properties (OpenAI, "Structured outputs", "Supported schemas"); those are sent as a request only.
fn fits_strict(schema: &serde_json::Value) -> bool {
    use serde_json::Value;
    match schema {
        Value::Object(object) => {
            let own = match object.get("properties").and_then(Value::as_object) {
                Some(properties) => {
                    let required = object.get("required").and_then(Value::as_array);
                    object.get("additionalProperties") == Some(&Value::Bool(false))
                        && properties.keys().all(|name| {
                            required.is_some_and(|required| required.iter().any(|entry| entry == name))
                        })
                }
                None => true,
            };
            own && object.values().all(fits_strict)
        }
        Value::Array(items) => items.iter().all(fits_strict),
        _ => true,
    }
}
