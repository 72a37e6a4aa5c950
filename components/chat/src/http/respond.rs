//! Answers: JSON, and the headers that every answer has.

use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{Body, Response};

/// A JSON answer.
pub fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    // What is serialised here has string keys only, so this cannot fail.
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer without a body.
#[must_use]
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An event stream.
#[must_use]
pub fn events(stream: super::sse::EventStream) -> Response {
    let mut response = Response::new(Body::Events(stream));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    // nginx would collect the events otherwise.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Puts a text into a header; one that cannot be in a header is left out.
pub fn put_text(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The headers that every answer has, unless it brought its own: nothing is cached, nothing is guessed, nothing is
/// framed, nothing is executed.
pub fn put_common_headers(response: &mut Response, request_id: &str) {
    const COMMON: [(header::HeaderName, HeaderValue); 4] = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        ),
    ];
    let headers = response.headers_mut();
    for (name, value) in COMMON {
        headers.entry(name).or_insert(value);
    }
    put_text(response, "x-request-id", request_id);
}
