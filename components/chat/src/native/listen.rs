//! A turn that was begun already: how far it is, what happens in it, and stopping it. Wherever it runs.

use anyturn_engine::{EventId, NoEventId, Stopping, TurnState};
use http::StatusCode;
use serde::Serialize;

use super::turns::{NativeWriter, last_event_id, put_names};
use super::{parameter_text, sessions};
use crate::assistants::Files;
use crate::exchange::{Caller, Exchange};
use crate::http::{Kind, Problem, Response, respond};
use crate::native::turns::MAX_SESSION;
use crate::platform::Platform;
use crate::turns::{self, Configured, Work, problem};

/// What came of stopping a turn.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Stop {
    /// The session's id.
    pub session: String,
    /// The turn's id.
    pub turn: String,
    /// `stopping`: it was told to, and its last event tells when it has; or `stopped`.
    pub state: &'static str,
}

/// Answers `GET /v1/sessions/{session}/turns/{turn}`.
///
/// # Errors
/// 404, 429 and 503.
pub async fn read<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    session: &str,
    turn: &str,
) -> Result<Response, Problem> {
    check_ids(session, turn)?;
    exchange.count(caller, Vec::new(), Vec::new()).await?;
    let engine = turns::engine(exchange.platform);
    let report = engine
        .report(caller.user(), session, turn)
        .await
        .map_err(problem::turn)?;
    let mut response = respond::json(StatusCode::OK, &report);
    put_names(&mut response, session, turn);
    Ok(response)
}

/// Answers `GET /v1/sessions/{session}/turns/{turn}/events`: the turn's events after the one that the header
/// `Last-Event-ID` or the parameter `after` names, whatever `Accept` says.
///
/// # Errors
/// 404, 429 and 503, and 400 or 422 for an id that is none of this turn.
pub async fn events<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    session: &str,
    turn: &str,
) -> Result<Response, Problem> {
    check_ids(session, turn)?;
    let after = after(exchange, turn)?;
    let work = Work::Attach {
        user: caller.user().to_owned(),
        session: session.to_owned(),
        turn: turn.to_owned(),
        after: after.clone(),
    };
    let admitted = turns::admit(exchange, caller, Files::new(exchange.platform), work).await?;
    let writer = NativeWriter {
        request_id: exchange.request_id.clone(),
        after,
    };
    let mut response = admitted.stream(writer).await?;
    put_names(&mut response, session, turn);
    Ok(response)
}

/// A browser that reconnects sends the header and keeps the address, so the header goes first.
fn after<P: Platform>(exchange: &Exchange<'_, P>, turn: &str) -> Result<Option<EventId>, Problem> {
    let of_another = |id: &EventId| id.turn != turn;
    if let Some(id) = last_event_id(exchange)? {
        if of_another(&id) {
            let detail = format!("The last event's id is `{id}`, which is an event of another turn.");
            return Err(Problem::new(Kind::InvalidHeader, detail).with("header", "last-event-id"));
        }
        return Ok(Some(id));
    }
    let Some(text) = parameter_text(exchange.parts.uri.query(), "after")? else {
        return Ok(None);
    };
    let wrong = |reason: &str| {
        Problem::new(
            Kind::InvalidRequest,
            format!("The parameter `after` is `{text}`; {reason}."),
        )
        .with("parameter", "after")
    };
    match text.parse::<EventId>() {
        Ok(id) if of_another(&id) => Err(wrong("that is an event of another turn")),
        Ok(id) => Ok(Some(id)),
        Err(NoEventId) => Err(wrong(&NoEventId.to_string())),
    }
}

/// Answers `POST /v1/sessions/{session}/turns/{turn}/stop`.
///
/// # Errors
/// 404, 409, 429 and 503.
pub async fn stop<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    session: &str,
    turn: &str,
) -> Result<Response, Problem> {
    check_ids(session, turn)?;
    let configured = Configured::read(exchange, Files::new(exchange.platform)).await?;
    exchange.count(caller, Vec::new(), Vec::new()).await?;
    let (status, state) = match configured.stop(caller.user(), session, turn).await? {
        Stopping::Asked => (StatusCode::ACCEPTED, "stopping"),
        Stopping::Ended(TurnState::Stopped) => (StatusCode::OK, "stopped"),
        Stopping::Ended(state) => return Err(ended(turn, state)),
    };
    let stop = Stop {
        session: session.to_owned(),
        turn: turn.to_owned(),
        state,
    };
    Ok(respond::json(status, &stop))
}

/// A turn that cannot be stopped any more.
fn ended(turn: &str, state: TurnState) -> Problem {
    let (state, detail) = match state {
        TurnState::Failed => ("failed", "The turn has failed before; there is nothing to stop."),
        TurnState::Waiting => (
            "waiting",
            "The turn waits for decisions, and nothing of it runs; deny its gates to end it.",
        ),
        TurnState::Queued | TurnState::Running | TurnState::Finished | TurnState::Stopped => (
            "finished",
            "The turn has finished before, and stays as it finished; what it did can be undone.",
        ),
    };
    Problem::new(Kind::TurnFinished, detail)
        .with("turn", turn)
        .with("state", state)
}

/// No session and no turn has such an id; the engine would call the request invalid.
fn check_ids(session: &str, turn: &str) -> Result<(), Problem> {
    if session.len() > MAX_SESSION {
        return Err(sessions::unknown());
    }
    if turn.len() > MAX_SESSION {
        return Err(problem::turn(anyturn_engine::TurnError::UnknownTurn));
    }
    Ok(())
}
