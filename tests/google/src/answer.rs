//! Answers, and errors in Google's form.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers besides the length.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// 200 with this JSON.
    pub fn json(value: &Value) -> Answer {
        Answer::of(StatusCode::OK, value)
    }

    /// A status with this JSON.
    pub fn of(status: StatusCode, value: &Value) -> Answer {
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json; charset=UTF-8");
        headers.insert(header::CONTENT_TYPE, json);
        Answer {
            status,
            headers,
            body: Bytes::from(value.to_string()),
        }
    }

    /// 204.
    pub fn empty() -> Answer {
        Answer {
            status: StatusCode::NO_CONTENT,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// An error as Google's APIs tell it: `{"error": {"code", "message", "errors": [{"message", "domain", "reason"}],
    /// "status"}}`.
    pub fn error(status: u16, reason: &str, message: &str) -> Answer {
        let domain = match reason {
            "rateLimitExceeded" | "userRateLimitExceeded" => "usageLimits",
            _ => "global",
        };
        let name = match status {
            400 => "INVALID_ARGUMENT",
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            409 => "ABORTED",
            412 => "FAILED_PRECONDITION",
            429 => "RESOURCE_EXHAUSTED",
            503 => "UNAVAILABLE",
            _ => "INTERNAL",
        };
        let value = json!({"error": {
            "code": status,
            "message": message,
            "errors": [{"message": message, "domain": domain, "reason": reason}],
            "status": name,
        }});
        Answer::of(
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            &value,
        )
    }

    /// 404 for something that does not exist.
    pub fn not_found() -> Answer {
        Answer::error(404, "notFound", "Requested entity was not found.")
    }

    /// 400 for something that is wrong.
    pub fn invalid(message: &str) -> Answer {
        Answer::error(400, "invalidArgument", message)
    }

    /// 401 for an access token that is unknown or has expired.
    pub fn unauthenticated() -> Answer {
        let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or \
                       other valid authentication credential.";
        let challenge = HeaderValue::from_static(
            "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"",
        );
        Answer::error(401, "authError", message).with(header::WWW_AUTHENTICATE, challenge)
    }

    /// 403 for an access token that is for other things.
    pub fn insufficient() -> Answer {
        let message = "Request had insufficient authentication scopes.";
        Answer::error(403, "insufficientPermissions", message)
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Answer {
        self.headers.insert(name, value);
        self
    }
}
