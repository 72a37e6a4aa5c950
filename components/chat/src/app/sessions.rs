//! Sessions in the app's words, and who is asking.

use anyturn_engine::port::Role;
use anyturn_engine::{Page, Session, SessionMessage, Timestamp};
use http::StatusCode;
use serde::Serialize;

use super::answer::Confirmation;
use super::state::StateView;
use crate::assistants::Files;
use crate::exchange::{Caller, Exchange};
use crate::http::{Problem, Response, respond};
use crate::native::sessions as native;
use crate::openai::waiting;
use crate::platform::Platform;
use crate::turns;

/// How many turns of its history a session shows.
const HISTORY: u32 = 10;
/// How many are read at a time to count them.
const PAGE: u32 = 50;

/// A session.
#[derive(Serialize)]
struct SessionView<'a> {
    session_id: &'a str,
    user_id: &'a str,
    created_at: Timestamp,
    updated_at: Timestamp,
    expires_at: Timestamp,
    requires_confirmation: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmation_context: Option<Confirmation<'a>>,
    /// What an assistant of several agents keeps in mind.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<StateView<'a>>,
    #[serde(rename = "conversationHistory")]
    history: Vec<Said>,
}

/// A message.
#[derive(Serialize)]
struct Said {
    role: Role,
    content: String,
    timestamp: Timestamp,
}

/// What a session is, in short.
#[derive(Serialize)]
struct Summary<'a> {
    session_id: &'a str,
    created_at: Timestamp,
    expires_at: Timestamp,
    message_count: usize,
}

/// It was done.
#[derive(Serialize)]
struct Done {
    success: bool,
    message: &'static str,
}

/// Who is asking.
#[derive(Serialize)]
struct Asking<'a> {
    user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

/// Answers `GET /api/chat/caller`.
#[must_use]
pub fn caller(caller: &Caller) -> Response {
    let asking = Asking {
        user_id: caller.user(),
        expires_at: caller.identity.expires.map(Timestamp),
    };
    respond::json(StatusCode::OK, &asking)
}

/// Answers `GET /api/chat/session/{id}`.
///
/// # Errors
/// 404, 429 and 503.
pub async fn read<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    id: &str,
) -> Result<Response, Problem> {
    exchange.count(caller, Vec::new(), Vec::new()).await?;
    let session = page(exchange, caller, id, None, HISTORY).await?;
    let confirmation = Confirmation::of(&session.gates);
    let view = SessionView {
        session_id: &session.head.session,
        user_id: caller.user(),
        created_at: session.head.created_at,
        updated_at: session.head.updated_at,
        expires_at: expires(exchange, &session)?,
        requires_confirmation: confirmation.is_some(),
        confirmation_context: confirmation,
        state: session.state.as_ref().map(StateView::of),
        history: session.messages.iter().map(said).collect(),
    };
    Ok(respond::json(StatusCode::OK, &view))
}

/// Answers `GET /api/session/{id}`.
///
/// # Errors
/// 404, 429 and 503.
pub async fn summary<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    id: &str,
) -> Result<Response, Problem> {
    exchange.count(caller, Vec::new(), Vec::new()).await?;
    let session = page(exchange, caller, id, None, PAGE).await?;
    let (mut message_count, mut before) = (session.messages.len(), session.before);
    while before.is_some() {
        let earlier = page(exchange, caller, id, before, PAGE).await?;
        message_count += earlier.messages.len();
        before = earlier.before;
    }
    let summary = Summary {
        session_id: &session.head.session,
        created_at: session.head.created_at,
        expires_at: expires(exchange, &session)?,
        message_count,
    };
    Ok(respond::json(StatusCode::OK, &summary))
}

/// Answers `DELETE /api/chat/session/{id}` and `DELETE /api/session/{id}`.
///
/// # Errors
/// 404, 429 and 503.
pub async fn forget<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    id: &str,
) -> Result<Response, Problem> {
    native::delete(exchange, caller, id).await?;
    let done = Done {
        success: true,
        message: "The session is forgotten.",
    };
    Ok(respond::json(StatusCode::OK, &done))
}

async fn page<P: Platform>(
    exchange: &Exchange<'_, P>,
    caller: &Caller,
    id: &str,
    before: Option<u64>,
    limit: u32,
) -> Result<Session, Problem> {
    let engine = turns::engine(exchange.platform);
    let found = engine.session(caller.user(), id, Page { before, limit }).await?;
    found.ok_or_else(native::unknown)
}

/// When a session expires if nothing happens. While its first turn runs nothing is stored that tells; its assistant
/// does.
fn expires<P: Platform>(exchange: &Exchange<'_, P>, session: &Session) -> Result<Timestamp, Problem> {
    if let Some(expires) = session.expires_at {
        return Ok(expires);
    }
    let assistant = Files::new(exchange.platform).read(&session.head.assistant)?;
    let used = session.head.updated_at.0;
    Ok(Timestamp(used.saturating_add(assistant.session.ttl)))
}

fn said(message: &SessionMessage) -> Said {
    let mut content = message.content.clone();
    if message.role == Role::Assistant && !message.asks {
        waiting::add(&mut content, &waiting::text(message.state, &message.gates));
    }
    Said {
        role: message.role,
        content,
        timestamp: message.created_at,
    }
}
