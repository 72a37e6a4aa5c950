//! Errors in the published shape: `{"error": {"message", "type", "param", "code"}}`.

use http::{HeaderMap, Method, Response, StatusCode};
use serde_json::{Value, json};

use super::{body::Body, json_response};

/// An error as the API tells it.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    message: String,
    kind: &'static str,
    param: Option<String>,
    code: Option<&'static str>,
}

impl ApiError {
    fn new(status: StatusCode, message: String, kind: &'static str, code: Option<&'static str>) -> Self {
        Self {
            status,
            message,
            kind,
            param: None,
            code,
        }
    }

    /// A request that breaks a rule; `param` says where.
    pub fn invalid(param: &str, message: String, code: Option<&'static str>) -> Self {
        Self {
            param: Some(param.to_owned()),
            ..Self::new(StatusCode::BAD_REQUEST, message, "invalid_request_error", code)
        }
    }

    /// A required parameter is not there.
    pub fn missing(param: &str) -> Self {
        let message = format!("Missing required parameter: '{param}'.");
        Self::invalid(param, message, Some("missing_required_parameter"))
    }

    /// A parameter is of the wrong type.
    pub fn wrong_type(param: &str, expected: &str, found: &Value) -> Self {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        let message = format!("Invalid type for '{param}': expected {expected}, but got {found} instead.");
        Self::invalid(param, message, Some("invalid_type"))
    }

    /// A parameter nobody knows.
    pub fn unknown_parameter(param: &str) -> Self {
        Self::invalid(
            param,
            format!("Unknown parameter: '{param}'."),
            Some("unknown_parameter"),
        )
    }

    /// No such model.
    pub fn unknown_model(model: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("The model `{model}` does not exist or you do not have access to it."),
            "invalid_request_error",
            Some("model_not_found"),
        )
    }

    /// No such address.
    pub fn unknown_url(method: &Method, path: &str) -> Self {
        let message = format!("Invalid URL ({method} {path})");
        Self::new(StatusCode::NOT_FOUND, message, "invalid_request_error", None)
    }

    /// The wrong method.
    pub fn method(method: &Method, path: &str) -> Self {
        let message = format!("Not allowed to {method} on {path}.");
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            message,
            "invalid_request_error",
            None,
        )
    }

    /// The body is not JSON.
    pub fn not_json(body: &[u8]) -> Self {
        let message = match body.is_empty() {
            true => "you must provide a model parameter",
            false => "We could not parse the JSON body of your request.",
        };
        Self::new(
            StatusCode::BAD_REQUEST,
            message.into(),
            "invalid_request_error",
            None,
        )
    }

    /// The body is too large.
    pub fn too_large() -> Self {
        let message = "Request body is too large.".into();
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            message,
            "invalid_request_error",
            None,
        )
    }

    /// The error as a response.
    pub fn into_response(self) -> Result<Response<Body>, std::io::Error> {
        let body = json!({"error": {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }});
        json_response(self.status, &body)
    }
}

/// Checks the key, as a bearer token or in Azure's `api-key`. Like the original, the error repeats a part of
/// a wrong key.
pub fn check_key(headers: &HeaderMap, key: &str) -> Result<(), ApiError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let sent = text("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .or_else(|| text("api-key"));
    match sent {
        Some(sent) if sent == key => Ok(()),
        Some(sent) => {
            let start: String = sent.chars().take(8).collect();
            let message =
                format!("Incorrect API key provided: {start}***. You can find your API key in your account.");
            let kind = "invalid_request_error";
            Err(ApiError::new(
                StatusCode::UNAUTHORIZED,
                message,
                kind,
                Some("invalid_api_key"),
            ))
        }
        None => {
            let message =
                "You didn't provide an API key. Send it in an Authorization header using Bearer auth.".into();
            Err(ApiError::new(
                StatusCode::UNAUTHORIZED,
                message,
                "invalid_request_error",
                None,
            ))
        }
    }
}
