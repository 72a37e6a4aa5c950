//! Turns in native words: `POST /v1/assistants/{assistant}/turns` and `POST /v1/sessions/{id}/turns`.

use anyturn_engine::{Event, EventId, EventKind, SessionTarget, Turn, TurnRequest, TurnState};
use anyturn_engine::{Failure, FailureKind};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use super::request::{CheckedTurn, TurnBody};
use crate::assistants::Files;
use crate::exchange::{Caller, Exchange};
use crate::http::{Kind, Problem, Response, read, respond, sse};
use crate::platform::Platform;
use crate::turns::problem::seconds;
use crate::turns::{self, Admitted, Work, Writer};

/// The longest idempotency key, in bytes.
const MAX_KEY: usize = 255;
/// The longest id of a session, in bytes.
pub const MAX_SESSION: usize = 255;
/// Milliseconds after which a stream begins although nothing has happened yet, so that nobody in between takes the
/// server for dead.
const PATIENCE: u64 = 1_000;

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
    let turn = read::json::<TurnBody>(body)?.check()?;
    let (assistant, session) = match target {
        Target::Assistant(name) => {
            files.read(name)?;
            let engine = turns::engine(exchange.platform);
            let id = engine.new_session_id(caller.user(), idempotency_key.as_deref());
            (Some(name.to_owned()), SessionTarget::New { id })
        }
        // No session has such an id; the engine would call the request invalid.
        Target::Session(id) if id.len() > MAX_SESSION => {
            return Err(super::sessions::unknown());
        }
        Target::Session(id) => (None, SessionTarget::Existing { id: id.to_owned() }),
    };
    let request = request(caller, assistant, session, turn, idempotency_key);
    run(exchange, caller, files, Work::Turn(request)).await
}

/// A turn for the engine.
#[must_use]
pub fn request(
    caller: &Caller,
    assistant: Option<String>,
    session: SessionTarget,
    turn: CheckedTurn,
    idempotency_key: Option<String>,
) -> TurnRequest {
    let CheckedTurn {
        message,
        title,
        timezone,
        options,
        on_busy,
    } = turn;
    TurnRequest {
        user: caller.user().to_owned(),
        roles: caller.identity.roles.clone(),
        assistant,
        session,
        message,
        idempotency_key,
        title,
        timezone,
        options,
        on_busy,
    }
}

/// Admits what takes a while, and answers it.
///
/// # Errors
/// Why there is no turn.
pub async fn run<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    files: Files<P>,
    work: Work,
) -> Result<Response, Problem> {
    let after = last_event_id(exchange)?;
    let admitted = turns::admit(exchange, caller, files, work).await?;
    answered(exchange, admitted, after).await
}

/// Answers what was admitted, as JSON or as a stream of the events after one.
///
/// # Errors
/// Why there is no turn.
pub async fn answered<P: Platform>(
    exchange: &Exchange<'_, P>,
    admitted: Admitted<P>,
    after: Option<EventId>,
) -> Result<Response, Problem> {
    if read::wants_events(&exchange.parts.headers) {
        let request_id = exchange.request_id.clone();
        admitted.stream(NativeWriter { request_id, after }).await
    } else {
        Ok(json(&admitted.run().await?))
    }
}

/// The event that a listener has heard last, by the `Last-Event-ID` header (WHATWG HTML, section 9.2.4).
///
/// # Errors
/// When it is no event's id.
pub fn last_event_id<P: Platform>(exchange: &Exchange<'_, P>) -> Result<Option<EventId>, Problem> {
    let given = exchange.parts.headers.get("last-event-id");
    given
        .filter(|id| !id.is_empty())
        .map(|id| {
            let text = String::from_utf8_lossy(id.as_bytes());
            text.parse().map_err(|error: anyturn_engine::NoEventId| {
                Problem::new(
                    Kind::InvalidHeader,
                    format!("The last event's id is `{text}`; {error}."),
                )
                .with("header", "last-event-id")
            })
        })
        .transpose()
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

/// A turn that has ended, with the status of how it did.
fn json(turn: &Turn) -> Response {
    let status = match (turn.state, &turn.error) {
        (TurnState::Failed, Some(failure)) => failure_kind(failure).status(),
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

/// What kind of problem a turn's failure is. Its status asks to come again only where that can help: where the same
/// idempotency key goes on with the turn.
#[must_use]
pub fn failure_kind(failure: &Failure) -> Kind {
    match failure.kind {
        FailureKind::RateLimited if failure.retryable => Kind::ModelRateLimited,
        FailureKind::Interrupted if failure.retryable => Kind::TurnInterrupted,
        FailureKind::Interrupted => Kind::TurnGivenUp,
        FailureKind::Timeout => Kind::ModelTimeout,
        FailureKind::ContextTooLong | FailureKind::ContentRefused | FailureKind::TooLarge => {
            Kind::InvalidMessage
        }
        FailureKind::ToolsUnavailable => Kind::ToolUnavailable,
        FailureKind::Expired => Kind::GateExpired,
        FailureKind::RateLimited
        | FailureKind::InvalidRequest
        | FailureKind::Unauthorized
        | FailureKind::UnknownModel
        | FailureKind::Unavailable
        | FailureKind::Protocol
        | FailureKind::StepLimit => Kind::ModelFailed,
    }
}

/// When trying again makes sense; none if it does not, or nobody knows.
#[must_use]
pub fn retry_after(failure: &Failure) -> Option<String> {
    if !failure.retryable {
        return None;
    }
    match (failure.retry_after, failure.kind) {
        (Some(milliseconds), _) => Some(seconds(milliseconds)),
        (None, FailureKind::RateLimited | FailureKind::Interrupted) => Some(seconds(1000)),
        (None, _) => None,
    }
}

/// Whether a listener has heard an event already.
#[must_use]
pub fn is_heard(after: Option<&EventId>, id: &EventId) -> bool {
    after.is_some_and(|after| id.turn == after.turn && id <= after)
}

/// Native events: each with an id, so that a client can tell what it has.
pub struct NativeWriter {
    /// Names the request in what goes wrong.
    pub request_id: String,
    /// What the client has heard last; it is not told again what it has.
    pub after: Option<EventId>,
}

impl Writer for NativeWriter {
    fn write(&mut self, event: &Event) -> Option<String> {
        if is_heard(self.after.as_ref(), &event.id) {
            return None;
        }
        // All keys are strings, so this cannot fail.
        let data = serde_json::to_string(&event.kind).unwrap_or_default();
        Some(sse::event(&event.id.to_string(), event.kind.name(), &data))
    }

    fn begins(&self, _: &EventKind) -> bool {
        true
    }

    fn patience(&self) -> Option<u64> {
        Some(PATIENCE)
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
