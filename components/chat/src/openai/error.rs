//! Errors in OpenAI's shape, so that a client's own exceptions and retries work.

use anyturn_engine::Turn;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::http::{Kind, Problem, Response, respond};
use crate::native::turns::{failure_kind, retry_after};

/// Tells OpenAI's clients whether to send the request again by themselves, whatever the status.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// The body of an error.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorObject,
}

/// What went wrong.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ErrorObject {
    /// For people.
    pub message: String,
    /// What a program can act on, roughly.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The parameter that is wrong.
    pub param: Option<String>,
    /// What a program can act on, in detail.
    pub code: Option<&'static str>,
}

/// A parameter whose value this server has no support for.
pub fn unsupported(param: &str, detail: impl Into<String>) -> Problem {
    Problem::at(pointer(param), detail).with("code", "unsupported_value")
}

/// A parameter that is wrong.
pub fn invalid(param: &str, detail: impl Into<String>) -> Problem {
    Problem::at(pointer(param), detail)
}

/// A parameter's name as a JSON pointer, which is what problems carry.
fn pointer(param: &str) -> String {
    format!("/{}", param.replace('[', "/").replace(']', "").replace('.', "/"))
}

/// A JSON pointer as OpenAI names parameters: `messages[0].content`.
fn param(pointer: &str) -> Option<String> {
    let mut name = String::new();
    for segment in pointer.split('/').skip(1) {
        if segment.bytes().all(|byte| byte.is_ascii_digit()) && !segment.is_empty() {
            name.push('[');
            name.push_str(segment);
            name.push(']');
        } else {
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(&segment.replace("~1", "/").replace("~0", "~"));
        }
    }
    (!name.is_empty()).then_some(name)
}

/// A turn that failed.
pub fn failed(turn: &Turn) -> Problem {
    let Some(failure) = &turn.error else {
        return Problem::new(Kind::ModelFailed, "The turn failed.");
    };
    let problem = Problem::new(failure_kind(failure), failure.message.as_str());
    let problem = match failure.kind {
        anyturn_engine::FailureKind::ContextTooLong => problem.with("code", "context_length_exceeded"),
        anyturn_engine::FailureKind::ContentRefused => problem.with("code", "content_filter"),
        _ => problem,
    };
    let problem = match retry_after(failure) {
        Some(after) => problem.header(header::RETRY_AFTER, after),
        None => problem,
    };
    if failure.retryable {
        problem
    } else {
        // OpenAI's clients send a request again that failed at the server, unless they are told not to.
        problem.header(SHOULD_RETRY, "false")
    }
}

/// A problem's error object, and its status.
#[must_use]
pub fn body(problem: &Problem) -> (StatusCode, ErrorBody) {
    let (status, kind, code) = describe(problem.kind);
    let missing = problem
        .detail
        .strip_prefix("Missing field `")
        .and_then(|rest| rest.split('`').next());
    let param = match (problem.kind, missing) {
        (Kind::UnknownAssistant, _) => Some("model".to_owned()),
        (_, Some(field)) => {
            let place = problem.pointer.as_deref().and_then(param);
            Some(place.map_or_else(|| field.to_owned(), |place| format!("{place}.{field}")))
        }
        _ => problem.pointer.as_deref().and_then(param),
    };
    let code = match problem.extras.get("code").and_then(serde_json::Value::as_str) {
        Some("unsupported_value") => Some("unsupported_value"),
        Some("context_length_exceeded") => Some("context_length_exceeded"),
        Some("content_filter") => Some("content_filter"),
        _ => code,
    };
    (
        status,
        ErrorBody {
            error: ErrorObject {
                message: problem.detail.clone(),
                kind,
                param,
                code,
            },
        },
    )
}

/// Statuses as OpenAI's clients know them: what is wrong with a request is 400 there.
fn describe(kind: Kind) -> (StatusCode, &'static str, Option<&'static str>) {
    const INVALID: &str = "invalid_request_error";
    const SERVER: &str = "server_error";
    let status = kind.status();
    match kind {
        Kind::InvalidRequest | Kind::InvalidMessage | Kind::InvalidHeader | Kind::MalformedJson => {
            (StatusCode::BAD_REQUEST, INVALID, None)
        }
        Kind::UnknownAssistant => (status, INVALID, Some("model_not_found")),
        Kind::NotFound => (status, INVALID, Some("unknown_url")),
        Kind::MethodNotAllowed => (status, INVALID, Some("method_not_supported")),
        Kind::BodyTooLarge => (status, INVALID, Some("request_too_large")),
        Kind::UnsupportedMediaType => (status, INVALID, Some("unsupported_media_type")),
        Kind::Unauthorized => (status, INVALID, Some("invalid_api_key")),
        Kind::OriginNotAllowed => (status, INVALID, Some("origin_not_allowed")),
        Kind::UnknownSession => (status, INVALID, Some("session_not_found")),
        Kind::UnknownTool => (status, INVALID, Some("tool_not_found")),
        Kind::UnknownTurn => (status, INVALID, Some("turn_not_found")),
        Kind::UnknownGate => (status, INVALID, Some("gate_not_found")),
        Kind::TurnRunning => (status, INVALID, Some("turn_running")),
        Kind::TurnFinished => (status, INVALID, Some("turn_finished")),
        Kind::TurnUnfinished => (status, INVALID, Some("turn_unfinished")),
        Kind::GateDecided => (status, INVALID, Some("gate_decided")),
        Kind::GateExpired => (status, INVALID, Some("gate_expired")),
        Kind::NotAllowed => (status, INVALID, Some("not_allowed")),
        Kind::NothingToUndo => (status, INVALID, Some("nothing_to_undo")),
        Kind::TooLate => (status, INVALID, Some("too_late")),
        Kind::LaterVersion => (status, INVALID, Some("later_version")),
        Kind::IdempotencyMismatch => (StatusCode::BAD_REQUEST, INVALID, Some("idempotency_key_reused")),
        Kind::OtherAssistant => (status, INVALID, Some("other_assistant")),
        Kind::RateLimited | Kind::ModelRateLimited => (status, "requests", Some("rate_limit_exceeded")),
        Kind::InvalidAssistant => (status, SERVER, Some("invalid_assistant")),
        Kind::Misconfigured => (status, SERVER, Some("misconfigured")),
        Kind::StoreUnavailable => (status, SERVER, Some("store_unavailable")),
        Kind::ModelFailed => (status, SERVER, Some("model_failed")),
        Kind::ModelTimeout => (status, SERVER, Some("model_timeout")),
        Kind::ToolUnavailable => (status, SERVER, Some("tool_unavailable")),
        Kind::ToolAnswerTooLarge => (status, SERVER, Some("tool_answer_too_large")),
        Kind::TurnInterrupted => (status, SERVER, Some("turn_interrupted")),
        Kind::TurnGivenUp => (status, SERVER, Some("turn_given_up")),
        Kind::Internal => (status, SERVER, None),
    }
}

/// The answer.
#[must_use]
pub fn response(problem: &Problem) -> Response {
    let (status, body) = body(problem);
    let mut response = respond::json(status, &body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    problem.put_headers(&mut response);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_becomes_a_parameter() {
        assert_eq!(
            param("/messages/0/content/1/image_url"),
            Some("messages[0].content[1].image_url".to_owned())
        );
        assert_eq!(param(""), None);
        assert_eq!(pointer("messages[0].content"), "/messages/0/content");
    }

    #[test]
    fn a_missing_parameter_is_named() {
        let (status, body) = body(&Problem::at("", "Missing field `model`."));
        assert_eq!(status, 400);
        assert_eq!(body.error.param.as_deref(), Some("model"));
        let (_, body) = super::body(&Problem::at("/messages/2", "Missing field `role`."));
        assert_eq!(body.error.param.as_deref(), Some("messages[2].role"));
    }

    #[test]
    fn a_turn_that_is_given_up_is_not_to_be_sent_again() {
        let turn = |retryable: bool| {
            let turn = serde_json::json!({
                "session": "s", "turn": "t", "assistant": "a", "state": "failed", "tool_calls": [], "model": "",
                "message": {"role": "assistant", "content": ""},
                "usage": {"input_tokens": 0, "output_tokens": 0}, "created_at": "2026-11-20T06:57:10.376Z",
                "error": {"kind": "interrupted", "message": "given up", "retryable": retryable},
            });
            serde_json::from_value::<Turn>(turn).unwrap()
        };
        let headers = |retryable: bool| {
            let response = response(&failed(&turn(retryable)));
            let header = |name| {
                response
                    .headers()
                    .get(name)
                    .map(|value| value.to_str().unwrap().to_owned())
            };
            (
                response.status().as_u16(),
                header("retry-after"),
                header("x-should-retry"),
            )
        };
        assert_eq!(headers(false), (500, None, Some("false".to_owned())));
        assert_eq!(headers(true), (503, Some("1".to_owned()), None));
        let (_, body) = body(&failed(&turn(false)));
        assert_eq!(body.error.code, Some("turn_given_up"));
    }
}
