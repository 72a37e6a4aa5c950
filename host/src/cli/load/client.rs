//! One turn, as a client of the native API has it.

use super::Arguments;
use anyhow::{Context as _, Result, anyhow, bail};
use reqwest::header;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

/// The largest answer that is read, in bytes.
const LARGEST: usize = 8 << 20;

/// Sends turns.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    authorization: Option<header::HeaderValue>,
    assistant: String,
    streams: bool,
}

/// What came of a turn.
pub(super) enum Outcome {
    /// It ended well.
    Finished(Finished),
    /// It did not; a few words that are the same for all failures of a kind.
    Failed(String),
}

/// A turn that ended well, or waits for a decision.
pub(super) struct Finished {
    pub(super) session: String,
    /// From when it was due to its first event; none where there are no events.
    pub(super) first: Option<Duration>,
    /// From when it was due to its end.
    pub(super) total: Duration,
    pub(super) usage: Usage,
    /// Who answered, by the model's name.
    pub(super) model: Option<String>,
}

/// Tokens of a turn.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
}

/// A turn as the API describes it, as far as it matters here.
#[derive(Deserialize)]
struct Turn {
    session: String,
    state: String,
    #[serde(default)]
    usage: Usage,
    model: Option<String>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    kind: String,
}

impl Client {
    /// A client of the server that the arguments name.
    pub(super) fn new(http: reqwest::Client, arguments: &Arguments) -> Result<Self> {
        let url = reqwest::Url::parse(&arguments.url)
            .with_context(|| format!("--url is no address: {}", arguments.url))?;
        if !matches!(url.scheme(), "http" | "https") {
            bail!(
                "--url has to begin with http:// or https://, not {}",
                arguments.url
            );
        }
        let authorization = match &arguments.key {
            Some(key) => {
                let mut value = header::HeaderValue::try_from(format!("Bearer {key}"))
                    .map_err(|_| anyhow!("--key holds what cannot be in a header"))?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        Ok(Self {
            http,
            base: arguments.url.trim_end_matches('/').to_owned(),
            authorization,
            assistant: arguments.assistant.clone(),
            streams: !arguments.json,
        })
    }

    /// One turn of a conversation, or of a new one.
    pub(super) async fn turn(&self, session: Option<&str>, message: &str, due: Instant) -> Outcome {
        match self.try_turn(session, message, due).await {
            Ok(finished) => Outcome::Finished(finished),
            Err(reason) => Outcome::Failed(reason),
        }
    }

    async fn try_turn(&self, session: Option<&str>, message: &str, due: Instant) -> Result<Finished, String> {
        let path = match session {
            Some(session) => format!("/v1/sessions/{session}/turns"),
            None => format!("/v1/assistants/{}/turns", self.assistant),
        };
        let body = serde_json::json!({ "message": message }).to_string();
        let mut request = self
            .http
            .post(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        if self.streams {
            request = request.header(header::ACCEPT, "text/event-stream");
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization.clone());
        }
        let mut response = request.send().await.map_err(|error| transport(&error))?;
        let status = response.status();
        let is_stream = response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|name| name.as_bytes().starts_with(b"text/event-stream"));
        let mut text = Vec::new();
        let mut first = None;
        while let Some(piece) = response.chunk().await.map_err(|error| transport(&error))? {
            if is_stream && first.is_none() {
                first = Some(due.elapsed());
            }
            text.extend_from_slice(&piece);
            if text.len() > LARGEST {
                return Err("an answer that is too large".to_owned());
            }
        }
        let total = due.elapsed();
        if !status.is_success() {
            return Err(format!("{}{}", status.as_u16(), problem(&text)));
        }
        let turn = if is_stream { last_event(&text)? } else { text };
        let turn: Turn = serde_json::from_slice(&turn).map_err(|_| "an answer that is no turn".to_owned())?;
        match turn.state.as_str() {
            "finished" | "waiting" => Ok(Finished {
                session: turn.session,
                first,
                total,
                usage: turn.usage,
                model: turn.model,
            }),
            state => Err(match turn.error {
                Some(failure) => format!("turn {state}: {}", failure.kind),
                None => format!("turn {state}"),
            }),
        }
    }
}

/// The kind of problem that an answer names.
fn problem(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Problem {
        r#type: String,
    }
    let named = serde_json::from_slice::<Problem>(body).ok();
    let kind = named
        .as_ref()
        .and_then(|problem| problem.r#type.rsplit('/').next());
    kind.map_or_else(String::new, |kind| format!(" {kind}"))
}

/// The turn that the last event of a stream tells.
fn last_event(stream: &[u8]) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(stream).map_err(|_| "a stream that is no text".to_owned())?;
    let mut name = "";
    let mut data = "";
    for block in text.split("\n\n") {
        for line in block.lines() {
            if let Some(event) = line.strip_prefix("event:") {
                name = event.trim();
            } else if let Some(text) = line.strip_prefix("data:") {
                data = text.trim();
            }
        }
    }
    match name {
        "turn.finished" | "turn.failed" | "turn.stopped" | "turn.waiting" => Ok(data.as_bytes().to_vec()),
        "error" => Err(format!("error in a stream{}", problem(data.as_bytes()))),
        _ => Err("a stream that broke off".to_owned()),
    }
}

fn transport(error: &reqwest::Error) -> String {
    if error.is_connect() {
        "no connection"
    } else if error.is_timeout() {
        "no answer in time"
    } else {
        "a connection that broke"
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_stream_is_the_turn_and_anything_else_is_a_failure() {
        let stream = "id: 1\nevent: turn.started\ndata: {}\n\n: keep\n\nid: 2\nevent: turn.finished\ndata: {\"a\":1}\n\n";
        assert_eq!(last_event(stream.as_bytes()).unwrap(), br#"{"a":1}"#);
        let cut = "event: turn.started\ndata: {}\n\n";
        assert_eq!(last_event(cut.as_bytes()).unwrap_err(), "a stream that broke off");
        let error = "event: error\ndata: {\"type\":\"https://anyturn.dev/problems/store-unavailable\"}\n\n";
        assert_eq!(
            last_event(error.as_bytes()).unwrap_err(),
            "error in a stream store-unavailable"
        );
    }

    #[test]
    fn failures_are_told_apart_by_the_problems_kind() {
        assert_eq!(
            problem(br#"{"type":"https://anyturn.dev/problems/rate-limited"}"#),
            " rate-limited"
        );
        assert_eq!(problem(b"<html>"), "");
    }
}
