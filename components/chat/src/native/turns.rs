//! Turns in native words: `POST /v1/assistants/{assistant}/turns` and `POST /v1/sessions/{id}/turns`.

use anyturn_engine::{Event, EventKind, SessionTarget, Turn, TurnRequest, TurnState};
use anyturn_engine::{Failure, FailureKind};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use super::request::{CheckedTurn, TurnBody};
use crate::assistants::Files;
use crate::exchange::{Caller, Exchange};
use crate::http::{Kind, Problem, Response, read, respond, sse};
use crate::platform::Platform;
use crate::turns::{self, Writer, seconds};

/// The longest idempotency key, in bytes.
const MAX_KEY: usize = 255;
/// The longest id of a session, in bytes.
pub const MAX_SESSION: usize = 255;

/// Which session a turn is for.
#[derive(Clone, Copy)]
pub enum Target<'a> {
    /// A new one with this assistant.
    Assistant(&'a str),
    /// This one.
    Session(&'a str),
}

/// Answers a turn, as JSON or as a stream of events.
///
/// # Errors
/// Everything that can be wrong with a turn.
pub async fn answer<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    target: Target<'_>,
    body: &Bytes,
) -> Result<Response, Problem> {
    read::require_json(&exchange.parts.headers)?;
    let idempotency_key = idempotency_key(exchange)?;
    let files = Files::new(exchange.platform);
    let CheckedTurn {
        message,
        title,
        timezone,
        options,
    } = read::json::<TurnBody>(body)?.check()?;
    let (assistant, session) = match target {
        Target::Assistant(name) => {
            files.read(name)?;
            let engine = turns::engine(exchange.platform, crate::tools::Servers::new(exchange.platform));
            let id = engine.new_session_id(caller.user(), idempotency_key.as_deref());
            (Some(name.to_owned()), SessionTarget::New { id })
        }
        // No session has such an id; the engine would call the request invalid.
        Target::Session(id) if id.len() > MAX_SESSION => {
            return Err(turns::problem(anyturn_engine::TurnError::UnknownSession));
        }
        Target::Session(id) => (None, SessionTarget::Existing { id: id.to_owned() }),
    };
    let request = TurnRequest {
        user: caller.user().to_owned(),
        roles: caller.identity.roles.clone(),
        assistant,
        session,
        message,
        idempotency_key,
        title,
        timezone,
        options,
        on_busy: None,
    };
    let admitted = turns::admit(exchange, caller, files, request).await?;
    if read::wants_events(&exchange.parts.headers) {
        admitted
            .stream(NativeWriter {
                request_id: exchange.request_id.clone(),
            })
            .await
    } else {
        Ok(json(&admitted.run().await?))
    }
}

/// The `Idempotency-Key` header.
///
/// # Errors
/// When it is empty or too long.
pub fn idempotency_key<P: Platform>(exchange: &Exchange<'_, P>) -> Result<Option<String>, Problem> {
    match exchange.parts.headers.get("idempotency-key") {
        None => Ok(None),
        Some(key) => match key.to_str() {
            Ok(key) if (1..=MAX_KEY).contains(&key.len()) => Ok(Some(key.to_owned())),
            _ => Err(Problem::new(
                Kind::InvalidHeader,
                format!("An idempotency key is made of 1 to {MAX_KEY} visible characters."),
            )
            .with("header", "idempotency-key")),
        },
    }
}

fn json(turn: &Turn) -> Response {
    let status = match (turn.state, &turn.error) {
        (TurnState::Failed, Some(failure)) => failure_kind(failure.kind).status(),
        _ => StatusCode::OK,
    };
    let mut response = respond::json(status, turn);
    put_names(&mut response, &turn.session, &turn.turn);
    if let Some(after) = turn.error.as_ref().and_then(retry_after)
        && let Ok(after) = HeaderValue::from_str(&after)
    {
        response.headers_mut().insert(header::RETRY_AFTER, after);
    }
    response
}

/// Names the session and the turn in the headers.
pub fn put_names(response: &mut Response, session: &str, turn: &str) {
    respond::put_text(response, "anyturn-session", session);
    respond::put_text(response, "anyturn-turn", turn);
}

/// What kind of problem a turn's failure is.
#[must_use]
pub fn failure_kind(kind: FailureKind) -> Kind {
    match kind {
        FailureKind::RateLimited => Kind::ModelRateLimited,
        FailureKind::Timeout => Kind::ModelTimeout,
        FailureKind::ContextTooLong | FailureKind::ContentRefused | FailureKind::TooLarge => {
            Kind::InvalidMessage
        }
        FailureKind::ToolsUnavailable => Kind::ToolUnavailable,
        FailureKind::Interrupted => Kind::TurnInterrupted,
        FailureKind::InvalidRequest
        | FailureKind::Unauthorized
        | FailureKind::UnknownModel
        | FailureKind::Unavailable
        | FailureKind::Protocol
        | FailureKind::StepLimit => Kind::ModelFailed,
    }
}

/// When trying again makes sense.
#[must_use]
pub fn retry_after(failure: &Failure) -> Option<String> {
    match (failure.retry_after, failure.kind) {
        (Some(milliseconds), _) => Some(seconds(milliseconds)),
        (None, FailureKind::RateLimited | FailureKind::Interrupted) => Some(seconds(1000)),
        (None, _) => None,
    }
}

/// Native events: each with an id, so that a client can tell what it has.
struct NativeWriter {
    request_id: String,
}

impl Writer for NativeWriter {
    fn write(&mut self, event: &Event) -> Option<String> {
        // All keys are strings, so this cannot fail.
        let data = serde_json::to_string(&event.kind).unwrap_or_default();
        Some(sse::event(&event.id.to_string(), event.kind.name(), &data))
    }

    fn begins(&self, _: &EventKind) -> bool {
        true
    }

    fn end(&mut self, _: &Turn) -> String {
        // The engine tells every turn's end as an event.
        String::new()
    }

    fn break_off(&mut self, problem: &Problem) -> String {
        // Without an id, so that a client which comes back goes on after the last event that it has.
        format!("event: error\n{}", sse::data(&problem.to_json(&self.request_id)))
    }

    fn refuse(&self, _: &Turn) -> Option<Problem> {
        None
    }
}
