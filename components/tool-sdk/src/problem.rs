//! Errors of the plain HTTP API: problem details (RFC 9457).

use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::FieldError;
use crate::service::{Response, respond};

/// Where the kinds of problems are described.
const BASE: &str = "https://anyturn.dev/problems/";

/// What went wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    slug: &'static str,
    title: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    allow: Option<&'static str>,
    retry_after: Option<u32>,
}

/// What went wrong with a request (RFC 9457).
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemDocument<'a> {
    /// What kind of problem it is: a URI.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this request, and what would be right.
    detail: &'a str,
    /// Which fields are wrong, where it is fields.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schemars(default)]
    errors: &'a [FieldError],
    /// Names the request in the server's logs, where whoever passed it on has given it a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Problem {
    /// A problem of this kind; `slug` is the last part of its URI.
    pub fn new(
        status: StatusCode,
        slug: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Problem {
        let detail = detail.into();
        Problem {
            status,
            slug,
            title,
            detail,
            errors: Vec::new(),
            allow: None,
            retry_after: None,
        }
    }

    /// 404 for a path that leads nowhere.
    pub fn no_such_path(path: &str) -> Problem {
        Problem::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "Not found",
            format!("There is nothing at {path}."),
        )
    }

    /// 405 for a method that a path does not take; `allow` lists those that it does.
    pub fn method_not_allowed(path: &str, allow: &'static str) -> Problem {
        let detail = format!("{path} takes {allow}.");
        let title = "Method not allowed";
        let problem = Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            title,
            detail,
        );
        Problem {
            allow: Some(allow),
            ..problem
        }
    }

    /// 422 for fields with the wrong contents.
    pub fn invalid_fields(errors: Vec<FieldError>) -> Problem {
        let detail = errors
            .iter()
            .map(|error| format!("{}: {}", error.field, error.message))
            .collect::<Vec<_>>()
            .join(" ");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Problem {
            errors,
            ..Problem::new(status, "invalid-fields", "Invalid fields", detail)
        }
    }

    /// 503 for a server that cannot do its work at present.
    pub fn unavailable(detail: impl Into<String>) -> Problem {
        let problem = Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Temporarily unavailable",
            detail,
        );
        Problem {
            retry_after: Some(1),
            ..problem
        }
    }

    /// The problem as JSON.
    fn document(&self, request_id: Option<&str>) -> Vec<u8> {
        let document = ProblemDocument {
            kind: format!("{BASE}{}", self.slug),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
            request_id,
        };
        serde_json::to_vec(&document).unwrap_or_default()
    }

    /// Names the request in a response that tells a problem; others stay as they are.
    pub(crate) fn name_request(response: &mut Response, request_id: &str) {
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            *response.body_mut() = problem.document(Some(request_id)).into();
        }
    }

    /// The response that tells it. [`serve`](crate::serve) names the request in it.
    pub fn into_response(self) -> Response {
        let body = self.document(None);
        let mut response = respond(self.status, "application/problem+json", body);
        let headers = response.headers_mut();
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}
