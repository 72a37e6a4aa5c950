//! A new session with the past of another one, and with a message: saying something else than was said.

use anyturn_engine::port::Environment;
use anyturn_engine::{ForkError, ForkRequest, OnBusy, SessionTarget, TurnRequest, session_index};
use anyturn_state::Store;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::request::{MessageBody, OptionsBody, check_timezone};
use super::sessions;
use super::turns::{MAX_SESSION, answered, idempotency_key, last_event_id};
use crate::assistants::Files;
use crate::exchange::{Caller, Exchange};
use crate::http::{Problem, Response, read, respond};
use crate::platform::Platform;
use crate::turns::{self, Work, problem};

/// Where a session branches off.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ForkBody {
    /// The last turn of the new session's past.
    pub turn: String,
    /// Whether the past ends before that turn instead.
    #[serde(default)]
    pub before: bool,
    /// What the user says then: the answer is this turn's. With `before`, that is editing the turn's message.
    #[serde(default)]
    pub message: Option<MessageBody>,
    /// The user's time zone, for the message.
    #[serde(default)]
    pub timezone: Option<String>,
    /// What the answer to the message should look like.
    #[serde(default)]
    pub options: OptionsBody,
}

/// Answers `POST /v1/sessions/{session}/fork`: with the new session, or with its first turn.
///
/// # Errors
/// 404, 409, 429 and 503, everything that can be wrong with the body, and then with the turn.
pub async fn fork<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    session: &str,
    body: &Bytes,
) -> Result<Response, Problem> {
    read::require_json(&exchange.parts.headers)?;
    let key = idempotency_key(exchange)?;
    let after = last_event_id(exchange)?;
    let ForkBody {
        turn,
        before,
        message,
        timezone,
        options,
    } = read::json(body)?;
    let message = message.map(MessageBody::check).transpose()?;
    check_timezone(timezone.as_deref())?;
    let options = options.check()?;
    if session.len() > MAX_SESSION {
        return Err(sessions::unknown());
    }
    let engine = turns::engine(exchange.platform);
    // The same key may also name another session's fork, or a new session.
    let fork_key = key.as_ref().map(|key| format!("fork {session} {key}"));
    let fork = engine.new_session_id(caller.user(), fork_key.as_deref());
    let now = exchange.platform.environment().now();
    let lease = turns::settings(exchange).await?.lease;
    let listed = session_index::touch(caller.user(), &fork, now, lease, true);
    exchange.count(caller, listed, Vec::new()).await?;
    let request = ForkRequest {
        user: caller.user().to_owned(),
        session: session.to_owned(),
        turn,
        before,
        fork: fork.clone(),
    };
    let head = match engine.fork(request).await {
        Ok(head) => head,
        // It is another fork, and listed rightly.
        Err(error @ ForkError::SessionExists) => return Err(problem::fork(error)),
        Err(error) => {
            // That it stays listed if this fails does no harm: lists skip sessions that do not exist.
            let shard = anyturn_engine::scope::shard(caller.user());
            let unlisted = vec![session_index::remove(caller.user(), &fork)];
            let _ = exchange
                .platform
                .store()
                .commit(&shard, unlisted, Vec::new())
                .await;
            return Err(problem::fork(error));
        }
    };
    let Some(message) = message else {
        let mut response = respond::json(StatusCode::CREATED, &head);
        if let Ok(address) = HeaderValue::from_str(&format!("/v1/sessions/{fork}")) {
            response.headers_mut().insert(header::LOCATION, address);
        }
        return Ok(response);
    };
    let request = TurnRequest {
        user: caller.user().to_owned(),
        roles: caller.identity.roles.clone(),
        assistant: None,
        session: SessionTarget::Existing { id: fork },
        message,
        idempotency_key: key,
        title: None,
        timezone,
        options,
        on_busy: Some(OnBusy::Reject),
    };
    let files = Files::new(exchange.platform);
    let admitted = turns::admit_counted(exchange, files, Work::Turn(request)).await?;
    answered(exchange, admitted, after).await
}
