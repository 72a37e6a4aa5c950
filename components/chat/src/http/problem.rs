//! Problem details (RFC 9457): what went wrong, for people and for programs.

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Body, Response};

/// What a client can act on. Every kind has a `type` of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No such route.
    NotFound,
    /// The route knows other methods.
    MethodNotAllowed,
    /// The body is over 1 MiB.
    BodyTooLarge,
    /// The body is not JSON by its content type.
    UnsupportedMediaType,
    /// The body is not JSON by its content.
    MalformedJson,
    /// A header is wrong.
    InvalidHeader,
    /// A field or a parameter is wrong.
    InvalidRequest,
    /// The message is empty, too long or of the wrong kind.
    InvalidMessage,
    /// Nobody knows who is asking.
    Unauthorized,
    /// A page of another origin asks, and its origin is not on the list.
    OriginNotAllowed,
    /// Too many requests.
    RateLimited,
    /// No such assistant.
    UnknownAssistant,
    /// No such session: never, no longer, or somebody else's.
    UnknownSession,
    /// No such tool server, or none that may be reached.
    UnknownTool,
    /// No such turn in the session, or too long ago.
    UnknownTurn,
    /// No such gate that the caller may decide.
    UnknownGate,
    /// Another turn is running.
    TurnRunning,
    /// The turn has ended, and what is asked for needs one that has not.
    TurnFinished,
    /// The turn has not ended, and what is asked for needs one that has.
    TurnUnfinished,
    /// The gate was decided in another way, or has expired.
    GateDecided,
    /// Nobody decided in time.
    GateExpired,
    /// It is somebody else's to decide.
    NotAllowed,
    /// There is nothing that can be undone.
    NothingToUndo,
    /// It was done too long ago to be undone.
    TooLate,
    /// A later version of anyturn wrote the session.
    LaterVersion,
    /// The same idempotency key came with another request.
    IdempotencyMismatch,
    /// The session is another assistant's.
    OtherAssistant,
    /// An assistant's file is wrong.
    InvalidAssistant,
    /// A variable is wrong.
    Misconfigured,
    /// The store cannot be reached.
    StoreUnavailable,
    /// The model failed.
    ModelFailed,
    /// The model is over its limit.
    ModelRateLimited,
    /// The model did not answer in time.
    ModelTimeout,
    /// A tool server cannot be reached.
    ToolUnavailable,
    /// A tool's answer is larger than is passed on.
    ToolAnswerTooLarge,
    /// The instance that ran the turn died; the turn can be gone on with.
    TurnInterrupted,
    /// The instances that ran the turn died, and nobody goes on with it.
    TurnGivenUp,
    /// Something that must not happen.
    Internal,
}

impl Kind {
    /// The last part of the `type`, the title and the status.
    #[must_use]
    pub fn parts(self) -> (&'static str, &'static str, StatusCode) {
        use StatusCode as S;
        match self {
            Kind::NotFound => ("not-found", "There is nothing here", S::NOT_FOUND),
            Kind::MethodNotAllowed => (
                "method-not-allowed",
                "The method does not exist here",
                S::METHOD_NOT_ALLOWED,
            ),
            Kind::BodyTooLarge => ("body-too-large", "The body is too large", S::PAYLOAD_TOO_LARGE),
            Kind::UnsupportedMediaType => (
                "unsupported-media-type",
                "The body must be JSON",
                S::UNSUPPORTED_MEDIA_TYPE,
            ),
            Kind::MalformedJson => ("malformed-json", "The body is not JSON", S::BAD_REQUEST),
            Kind::InvalidHeader => ("invalid-header", "A header is not valid", S::BAD_REQUEST),
            Kind::InvalidRequest => ("invalid-request", "A value is not valid", S::UNPROCESSABLE_ENTITY),
            Kind::InvalidMessage => (
                "invalid-message",
                "The message cannot be taken",
                S::UNPROCESSABLE_ENTITY,
            ),
            Kind::Unauthorized => ("unauthorized", "Who is calling is not known", S::UNAUTHORIZED),
            Kind::OriginNotAllowed => ("origin-not-allowed", "The origin is not allowed", S::FORBIDDEN),
            Kind::RateLimited => ("rate-limited", "Too many requests", S::TOO_MANY_REQUESTS),
            Kind::UnknownAssistant => ("unknown-assistant", "There is no such assistant", S::NOT_FOUND),
            Kind::UnknownSession => ("unknown-session", "There is no such session", S::NOT_FOUND),
            Kind::UnknownTool => ("unknown-tool", "There is no such tool server", S::NOT_FOUND),
            Kind::UnknownTurn => ("unknown-turn", "There is no such turn", S::NOT_FOUND),
            Kind::UnknownGate => ("unknown-gate", "There is no such gate", S::NOT_FOUND),
            Kind::TurnFinished => ("turn-finished", "The turn has ended", S::CONFLICT),
            Kind::TurnUnfinished => ("turn-unfinished", "The turn has not ended", S::CONFLICT),
            Kind::GateDecided => ("gate-decided", "The gate is decided already", S::CONFLICT),
            Kind::GateExpired => ("gate-expired", "Nobody decided in time", S::CONFLICT),
            Kind::NotAllowed => ("not-allowed", "This is somebody else's to decide", S::FORBIDDEN),
            Kind::NothingToUndo => (
                "nothing-to-undo",
                "There is nothing that can be undone",
                S::CONFLICT,
            ),
            Kind::TooLate => ("too-late", "It is too late to undo this", S::CONFLICT),
            Kind::LaterVersion => ("later-version", "A later version wrote this session", S::CONFLICT),
            Kind::TurnRunning => (
                "turn-running",
                "Another turn of the session is running",
                S::CONFLICT,
            ),
            Kind::IdempotencyMismatch => (
                "idempotency-mismatch",
                "The idempotency key was used for another request",
                S::UNPROCESSABLE_ENTITY,
            ),
            Kind::OtherAssistant => (
                "other-assistant",
                "The session belongs to another assistant",
                S::CONFLICT,
            ),
            Kind::InvalidAssistant => (
                "invalid-assistant",
                "The assistant's file is not valid",
                S::INTERNAL_SERVER_ERROR,
            ),
            Kind::Misconfigured => (
                "misconfigured",
                "The server is not configured well",
                S::INTERNAL_SERVER_ERROR,
            ),
            Kind::StoreUnavailable => (
                "store-unavailable",
                "The store cannot be reached",
                S::SERVICE_UNAVAILABLE,
            ),
            Kind::ModelFailed => ("model-failed", "The model did not answer", S::BAD_GATEWAY),
            Kind::ModelRateLimited => (
                "model-rate-limited",
                "The model is over its limit",
                S::TOO_MANY_REQUESTS,
            ),
            Kind::ModelTimeout => (
                "model-timeout",
                "The model did not answer in time",
                S::GATEWAY_TIMEOUT,
            ),
            Kind::ToolUnavailable => (
                "tool-unavailable",
                "The tool server cannot be reached",
                S::BAD_GATEWAY,
            ),
            Kind::ToolAnswerTooLarge => (
                "tool-answer-too-large",
                "The tool server's answer is too large",
                S::BAD_GATEWAY,
            ),
            Kind::TurnInterrupted => (
                "turn-interrupted",
                "The turn was interrupted",
                S::SERVICE_UNAVAILABLE,
            ),
            Kind::TurnGivenUp => ("turn-given-up", "The turn was given up", S::INTERNAL_SERVER_ERROR),
            Kind::Internal => ("internal", "Something went wrong here", S::INTERNAL_SERVER_ERROR),
        }
    }

    /// The status that goes with it.
    #[must_use]
    pub fn status(self) -> StatusCode {
        self.parts().2
    }
}

/// Problem details as they are written (RFC 9457).
#[derive(Serialize)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(schemars::JsonSchema),
    schemars(rename = "Problem")
)]
pub struct Details<'a> {
    /// What a program can act on: `https://anyturn.dev/problems/` and the kind.
    #[serde(rename = "type")]
    kind: String,
    /// What kind of problem it is, for people.
    title: &'static str,
    /// The answer's status.
    status: u16,
    /// What is wrong this time and what would be right, for people.
    detail: &'a str,
    /// A JSON pointer (RFC 6901) to the field that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    /// More, by kind: `line` and `column`, `variable`, `header`, `parameter`, `limit`, `turn`, …
    #[serde(flatten)]
    extras: &'a Map<String, Value>,
    /// Names the request in the server's logs.
    request_id: &'a str,
}

/// What went wrong.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What kind it is.
    pub kind: Kind,
    /// What it is this time, for people.
    pub detail: String,
    /// A JSON pointer (RFC 6901) to the field that is wrong, or the header's or variable's name.
    pub pointer: Option<String>,
    /// Further members.
    pub extras: Map<String, Value>,
    /// Headers of the answer.
    pub headers: Vec<(HeaderName, String)>,
}

impl Problem {
    /// A problem with its sentence.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            pointer: None,
            extras: Map::new(),
            headers: Vec::new(),
        }
    }

    /// A field of the body that is wrong.
    #[must_use]
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: Some(pointer.into()),
            ..Self::new(Kind::InvalidRequest, detail)
        }
    }

    /// A message that cannot be taken.
    #[must_use]
    pub fn message(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: Some(pointer.into()),
            ..Self::new(Kind::InvalidMessage, detail)
        }
    }

    /// With a further member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extras.insert(name.to_owned(), value.into());
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The problem as JSON, its members in the order in which people want to read them.
    #[must_use]
    pub fn to_json(&self, request_id: &str) -> String {
        let (slug, title, status) = self.kind.parts();
        let details = Details {
            kind: format!("https://anyturn.dev/problems/{slug}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            pointer: self.pointer.as_deref(),
            extras: &self.extras,
            request_id,
        };
        // All keys are strings, so this cannot fail.
        serde_json::to_string(&details).unwrap_or_default()
    }

    /// The answer.
    #[must_use]
    pub fn into_response(self, request_id: &str) -> Response {
        let mut response = Response::new(Body::from(self.to_json(request_id)));
        *response.status_mut() = self.kind.status();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        self.put_headers(&mut response);
        response
    }

    /// Puts the problem's headers into an answer of another shape.
    pub fn put_headers(&self, response: &mut Response) {
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        }
    }
}

impl From<anyturn_state::Error> for Problem {
    fn from(error: anyturn_state::Error) -> Self {
        match error {
            anyturn_state::Error::Unavailable(reason) => Problem::new(
                Kind::StoreUnavailable,
                format!(
                    "The store did not answer ({reason}). Turns that were stored are safe; try again shortly."
                ),
            )
            .header(header::RETRY_AFTER, "2"),
            other => Problem::new(Kind::Internal, other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_from_the_general_to_the_particular() {
        let problem = Problem::at("/message", "The message is empty.").with("limit", 3);
        assert_eq!(
            problem.to_json("r1"),
            r#"{"type":"https://anyturn.dev/problems/invalid-request","title":"A value is not valid","status":422,"detail":"The message is empty.","pointer":"/message","limit":3,"request_id":"r1"}"#
        );
    }

    #[test]
    fn a_store_that_is_down_says_that_nothing_is_lost_and_when_to_come_back() {
        let problem = Problem::from(anyturn_state::Error::Unavailable("connection refused".into()));
        let response = problem.clone().into_response("r");
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "2");
        assert!(problem.detail.contains("Turns that were stored are safe"));
    }
}
