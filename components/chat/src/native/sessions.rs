//! Sessions in native words: to list, to read, to forget.

use anyturn_engine::port::Role;
use anyturn_engine::session::{Origin, agents};
use anyturn_engine::undo::UndoReport;
use anyturn_engine::{
    Failure, Gate, Page, Session, SessionHead, SessionMessage, Timestamp, ToolCallReport, TurnState,
    session_index,
};
use http::StatusCode;
use serde::Serialize;

use super::{bounded, parameter};
use crate::exchange::{Caller, Exchange};
use crate::http::{Kind, Problem, Response, respond};
use crate::platform::Platform;
use crate::turns;

/// A page of sessions, the one used last first.
#[derive(Serialize)]
struct SessionList {
    data: Vec<Summary>,
    /// The `offset` of the next page; left out after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u32>,
}

#[derive(Serialize)]
struct Summary {
    id: String,
    assistant: String,
    title: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A session with a page of its turns, the oldest first.
#[derive(Serialize)]
struct SessionView {
    #[serde(flatten)]
    summary: Summary,
    running: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    turns: Vec<TurnView>,
    /// What to ask `before` of for earlier turns; left out when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
    /// The calls that wait for a decision, whatever the page.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gates: Vec<Gate>,
    /// What an assistant of several agents keeps in mind.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<agents::State>,
    /// The session that this one was forked from.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
}

/// A turn as a session shows it.
#[derive(Serialize)]
struct TurnView {
    turn: String,
    /// What the user said.
    input: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<String>,
    state: TurnState,
    /// What the assistant said; left out while it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<MessageView>,
    tool_calls: Vec<ToolCallReport>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gates: Vec<Gate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<UndoReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    created_at: Timestamp,
}

#[derive(Serialize)]
struct MessageView {
    role: Role,
    content: String,
}

/// Answers `GET /v1/sessions`.
///
/// # Errors
/// 429 and 503.
pub async fn list<P: Platform>(exchange: &mut Exchange<'_, P>, caller: &Caller) -> Result<Response, Problem> {
    let query = exchange.parts.uri.query();
    let limit = bounded(query, "limit", 20, 100)?;
    let offset = parameter(query, "offset")?.unwrap_or(0);
    exchange.count(caller, Vec::new(), Vec::new()).await?;
    let engine = turns::engine(exchange.platform);
    let (heads, next_offset) = engine.sessions(caller.user(), offset, limit).await?;
    let data = heads.into_iter().map(summary).collect();
    Ok(respond::json(StatusCode::OK, &SessionList { data, next_offset }))
}

/// Answers `GET /v1/sessions/{id}`.
///
/// # Errors
/// 404, 429 and 503.
pub async fn read<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    id: &str,
) -> Result<Response, Problem> {
    let query = exchange.parts.uri.query();
    let page = Page {
        before: parameter(query, "before")?,
        limit: bounded(query, "limit", 50, 100)?,
    };
    exchange.count(caller, Vec::new(), Vec::new()).await?;
    let engine = turns::engine(exchange.platform);
    let session = engine
        .session(caller.user(), id, page)
        .await?
        .ok_or_else(unknown)?;
    Ok(respond::json(StatusCode::OK, &view(session)))
}

/// Answers `DELETE /v1/sessions/{id}`.
///
/// # Errors
/// 404, 429 and 503.
pub async fn delete<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    id: &str,
) -> Result<Response, Problem> {
    exchange
        .count(caller, vec![session_index::remove(caller.user(), id)], Vec::new())
        .await?;
    let engine = turns::engine(exchange.platform);
    if engine.delete_session(caller.user(), id).await? {
        Ok(respond::empty(StatusCode::NO_CONTENT))
    } else {
        Err(unknown())
    }
}

/// No such session.
pub fn unknown() -> Problem {
    Problem::new(
        Kind::UnknownSession,
        "There is no such session; it may have expired.",
    )
}

fn summary(head: SessionHead) -> Summary {
    let SessionHead {
        session,
        assistant,
        title,
        created_at,
        updated_at,
    } = head;
    Summary {
        id: session,
        assistant,
        title,
        created_at,
        // A session is listed a moment before it is begun.
        updated_at: updated_at.max(created_at),
    }
}

/// Puts what was said and what was answered together, turn by turn.
fn view(session: Session) -> SessionView {
    let Session {
        head,
        running,
        expires_at,
        messages,
        before,
        gates,
        state,
        origin,
    } = session;
    let mut turns: Vec<TurnView> = Vec::new();
    for said in messages {
        let SessionMessage {
            turn,
            role,
            content,
            asks: _,
            images,
            tool_calls,
            state,
            gates,
            undo,
            error,
            created_at,
        } = said;
        let continues = turns.last().is_some_and(|last| last.turn == turn);
        if !continues {
            turns.push(TurnView {
                turn,
                input: String::new(),
                images: Vec::new(),
                state,
                message: None,
                tool_calls: Vec::new(),
                gates: Vec::new(),
                undo: None,
                error: None,
                created_at,
            });
        }
        let Some(view) = turns.last_mut() else { continue };
        if role == Role::User {
            view.input = content;
            view.images = images;
        } else {
            view.message = Some(MessageView { role, content });
            view.tool_calls = tool_calls;
            view.gates = gates;
            view.undo = undo;
            view.error = error;
        }
    }
    SessionView {
        summary: summary(head),
        running,
        expires_at,
        turns,
        before,
        gates,
        state,
        origin,
    }
}
