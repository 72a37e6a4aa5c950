//! Turns in the app's words: `POST /api/chat/process`, and hearing of one again after the connection was lost.

use anyturn_engine::port::Environment;
use anyturn_engine::{Page, SessionTarget, TurnState};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;

use super::answer::{Answer, AppWriter};
use crate::assistants::Files;
use crate::exchange::{Caller, Exchange};
use crate::http::{Problem, Response, read, respond};
use crate::native::request::{MessageBody, OptionsBody, TurnBody};
use crate::native::sessions::unknown;
use crate::native::turns::{self as native, MAX_SESSION};
use crate::openai::error::failed;
use crate::platform::Platform;
use crate::turns::{self, Work};

/// The body of a message. What else a client sends is not looked at; who is asking is the token's to say.
#[derive(Deserialize)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(schemars::JsonSchema),
    schemars(rename = "AppMessage")
)]
pub struct Body {
    /// What the user says.
    message: String,
    /// The session; a new one without it.
    #[serde(default)]
    session_id: Option<String>,
    /// What the user likes.
    #[serde(default)]
    user_preferences: Option<Preferences>,
}

/// What the user likes.
#[derive(Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
struct Preferences {
    /// Their time zone by its IANA name, such as `Europe/Berlin`. UTC without one.
    #[serde(default)]
    timezone: Option<String>,
}

/// Answers `POST /api/chat/process`.
///
/// # Errors
/// Everything that can be wrong with a turn.
pub async fn process<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    body: &Bytes,
) -> Result<Response, Problem> {
    read::require_json(&exchange.parts.headers)?;
    let clock = exchange.platform.environment().clone();
    let began = clock.now();
    let key = native::idempotency_key(exchange)?;
    let Body {
        message,
        session_id,
        user_preferences,
    } = read::json(body)?;
    let turn = TurnBody {
        message: MessageBody::Text(message),
        title: None,
        timezone: user_preferences.and_then(|preferences| preferences.timezone),
        options: OptionsBody::default(),
        on_busy: None,
    };
    let turn = turn.check()?;
    let assistant = exchange.variable("app_assistant").await?;
    let files = Files::new(exchange.platform);
    files.read(&assistant)?;
    let session = match session_id.filter(|id| !id.is_empty()) {
        None => SessionTarget::New {
            id: turns::engine(exchange.platform).new_session_id(caller.user(), key.as_deref()),
        },
        Some(id) if id.len() > MAX_SESSION => return Err(unknown()),
        Some(id) => SessionTarget::Existing { id },
    };
    let request = native::request(caller, Some(assistant), session, turn, key);
    let after = native::last_event_id(exchange)?;
    let admitted = turns::admit(exchange, caller, files, Work::Turn(request)).await?;
    if read::wants_events(&exchange.parts.headers) {
        let writer = AppWriter {
            clock,
            since: Some(began),
            after,
        };
        return admitted.stream(writer).await;
    }
    let turn = admitted.run().await?;
    if turn.state == TurnState::Failed {
        return Err(failed(&turn));
    }
    let took = clock.now().saturating_sub(began);
    let mut response = respond::json(StatusCode::OK, &Answer::new(&turn, took));
    native::put_names(&mut response, &turn.session, &turn.turn);
    Ok(response)
}

/// Answers `GET /api/chat/session/{id}/events`: what happens in the turn of the event that `Last-Event-ID` names, after
/// it; without one, in the turn that runs now. 204 where there is nothing to hear.
///
/// # Errors
/// 400, 404, 429 and 503.
pub async fn events<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    session: &str,
) -> Result<Response, Problem> {
    let after = native::last_event_id(exchange)?;
    if session.len() > MAX_SESSION {
        return Err(unknown());
    }
    exchange.count(caller, Vec::new(), Vec::new()).await?;
    let turn = match &after {
        Some(after) => after.turn.clone(),
        None => {
            let page = Page {
                before: None,
                limit: 1,
            };
            let engine = turns::engine(exchange.platform);
            let found = engine.session(caller.user(), session, page).await?;
            match found.ok_or_else(unknown)?.messages.pop() {
                Some(last) if !last.state.has_ended() => last.turn,
                _ => return Ok(respond::empty(StatusCode::NO_CONTENT)),
            }
        }
    };
    let work = Work::Attach {
        user: caller.user().to_owned(),
        session: session.to_owned(),
        turn,
        after: after.clone(),
    };
    let writer = AppWriter {
        clock: exchange.platform.environment().clone(),
        since: None,
        after,
    };
    let admitted = turns::admit_counted(exchange, Files::new(exchange.platform), work).await?;
    admitted.stream(writer).await
}
