//! Answers: JSON in the words of the app that signs in, pages for browsers, and nothing that is cached.

use anyturn_state::Error as StateError;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;

use crate::settings::SettingsError;

/// An answer.
pub type Response = http::Response<Full<Bytes>>;

/// Why a request was refused, told as `{"success": false, "error", "message"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    error: &'static str,
    message: String,
    retry_after: Option<u64>,
    allow: Option<&'static str>,
}

#[derive(Serialize)]
struct Document<'a> {
    success: bool,
    error: &'a str,
    message: &'a str,
}

impl Refusal {
    /// A refusal of a kind, in words for people.
    pub fn new(status: StatusCode, error: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            error,
            message: message.into(),
            retry_after: None,
            allow: None,
        }
    }

    /// 400 for what cannot be read.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// 503, to be tried again after so many milliseconds.
    pub fn unavailable(message: impl Into<String>, after: u64) -> Self {
        let mut refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message);
        refusal.retry_after = Some(after.div_ceil(1000).max(1));
        refusal
    }

    /// 500 for what the operator has to look at.
    pub fn misconfigured(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "misconfigured", message)
    }

    /// 405 with the methods that would do.
    pub fn method(allow: &'static str) -> Self {
        let message = format!("This path takes {allow}.");
        let mut refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
        refusal.allow = Some(allow);
        refusal
    }

    /// What it tells people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Its kind.
    #[must_use]
    pub fn error(&self) -> &'static str {
        self.error
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// As an answer.
    #[must_use]
    pub fn into_response(self) -> Response {
        let document = Document {
            success: false,
            error: self.error,
            message: &self.message,
        };
        let mut response = json(self.status, &document);
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

impl From<StateError> for Refusal {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Conflict { .. } => Self::unavailable(
                "Somebody else changes the account at the same time. Try again.",
                1000,
            ),
            // What a store says may name keys, but holds no values.
            error => Self::unavailable(format!("{}.", capital(&error.to_string())), 1000),
        }
    }
}

impl From<SettingsError> for Refusal {
    fn from(error: SettingsError) -> Self {
        let message = format!("{}.", capital(&error.to_string()));
        if error.missing {
            Self::new(StatusCode::NOT_IMPLEMENTED, "not_configured", message)
        } else {
            Self::misconfigured(message)
        }
    }
}

/// A sentence's beginning.
pub fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters).collect()
    })
}

/// A JSON answer.
pub fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    // What is written here has texts as keys, so this cannot fail.
    let body = serde_json::to_vec(value).unwrap_or_default();
    with_type(status, "application/json", body)
}

/// A page.
pub fn html(status: StatusCode, page: String) -> Response {
    let mut response = with_type(status, "text/html; charset=utf-8", page.into_bytes());
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    );
    response
}

/// Sends a browser elsewhere.
///
/// # Errors
/// When a header cannot hold the address.
pub fn see_other(address: &str) -> Result<Response, Refusal> {
    let address = HeaderValue::from_str(address)
        .map_err(|_| Refusal::misconfigured("The address to return to cannot stand in a header."))?;
    let mut response = with_type(StatusCode::SEE_OTHER, "text/plain", Vec::new());
    response.headers_mut().insert(header::LOCATION, address);
    Ok(response)
}

fn with_type(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response {
    let length = body.len();
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_LENGTH, HeaderValue::from(length)),
        // RFC 6749, section 5.1; and no address with a code in it is told to anybody.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ] {
        response.headers_mut().insert(name, value);
    }
    response
}
