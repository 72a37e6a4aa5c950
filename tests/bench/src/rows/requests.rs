//! The requests that are measured.

use crate::load::Connection;
use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;
use serde_json::{Value, json};

/// Begins a conversation and returns its id.
pub async fn begin(port: u16, assistant: &str) -> Result<String> {
    begin_with(port, assistant, "hello").await
}

/// Begins a conversation with this message and returns its id.
pub async fn begin_with(port: u16, assistant: &str, message: &str) -> Result<String> {
    let request = post(
        &format!("/v1/assistants/{assistant}/turns"),
        &json!({ "message": message }),
    );
    let answer: Value = serde_json::from_slice(&Connection::open(port).await?.send(request).await?)?;
    Ok(answer
        .get("session")
        .and_then(Value::as_str)
        .context("the answer names the session")?
        .to_owned())
}

/// Makes turns of a conversation, one like another.
pub fn turn(session: &str) -> impl FnMut() -> Request<Full<Bytes>> + Send + use<> {
    let path = format!("/v1/sessions/{session}/turns");
    move || post(&path, &json!({ "message": "hello again" }))
}

/// A GET request.
pub fn get(path: &str) -> Request<Full<Bytes>> {
    request("GET", path, Bytes::new())
}

/// A POST request with a JSON body.
pub fn post(path: &str, body: &Value) -> Request<Full<Bytes>> {
    request("POST", path, Bytes::from(body.to_string()))
}

fn request(method: &str, path: &str, body: Bytes) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(body))
        .unwrap_or_else(|error| panic!("{method} {path} is a request: {error}"))
}

/// The same request, to be answered with a stream of events.
pub fn streamed(mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request
        .headers_mut()
        .insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
    request
}
