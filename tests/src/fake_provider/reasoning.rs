//! What models that reason refuse, and what the others do, in the words of the published API.

use serde_json::Value;

use super::errors::ApiError;

/// The models that reason unless they are told not to.
const REASONING: [&str; 2] = ["gpt-6-luna", "gpt-6.1-terra"];

/// Checks the parameters that depend on whether a model reasons.
pub fn check(body: &Value, model: &str) -> Result<(), ApiError> {
    let effort = body.get("reasoning_effort").and_then(Value::as_str);
    if !REASONING.contains(&model) {
        return match effort {
            Some(_) => Err(unsupported("reasoning_effort", "")),
            None => Ok(()),
        };
    }
    if body.get("max_tokens").is_some() {
        return Err(unsupported("max_tokens", " Use 'max_completion_tokens' instead."));
    }
    if effort == Some("none") {
        return Ok(());
    }
    if body
        .get("tools")
        .and_then(Value::as_array)
        .is_some_and(|tools| !tools.is_empty())
    {
        let message = format!(
            "Function tools with reasoning_effort are not supported for {model} in /v1/chat/completions. To use \
             function tools, use /v1/responses or set reasoning_effort to 'none'."
        );
        return Err(ApiError::invalid("reasoning_effort", message, None));
    }
    for name in ["temperature", "top_p"] {
        if let Some(value) = body.get(name).filter(|value| value.as_f64() != Some(1.0)) {
            let message = format!(
                "Unsupported value: '{name}' does not support {value} with this model. Only the default (1) value is \
                 supported."
            );
            return Err(ApiError::invalid(name, message, Some("unsupported_value")));
        }
    }
    if body.get("stop").is_some() {
        return Err(unsupported("stop", ""));
    }
    Ok(())
}

fn unsupported(name: &str, advice: &str) -> ApiError {
    let message = format!("Unsupported parameter: '{name}' is not supported with this model.{advice}");
    ApiError::invalid(name, message, Some("unsupported_parameter"))
}
