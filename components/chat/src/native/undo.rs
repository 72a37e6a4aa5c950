//! Undoing what tools did, and the record of what was decided and undone.

use anyturn_engine::audit::AuditEntry;
use anyturn_engine::{Page, UndoRequest};
use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::request::check_timezone;
use super::turns::{MAX_SESSION, run};
use super::{bounded, parameter, sessions};
use crate::assistants::Files;
use crate::exchange::{Caller, Exchange};
use crate::http::{Problem, Response, read, respond};
use crate::platform::Platform;
use crate::turns::{self, Work};

/// What is to be undone. May be left out altogether.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct UndoBody {
    /// The call to undo; without it the last one that can be undone.
    pub call: Option<String>,
    /// The user's time zone by its IANA name, such as `Europe/Berlin`. UTC without one.
    pub timezone: Option<String>,
}

/// Answers `POST /v1/sessions/{session}/undo`, as JSON or as a stream of events: undoing is a turn of its own.
///
/// # Errors
/// 404, 409, 429 and 503, and everything that can be wrong with the body.
pub async fn undo<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    session: &str,
    body: &Bytes,
) -> Result<Response, Problem> {
    let UndoBody { call, timezone } = if body.is_empty() {
        UndoBody::default()
    } else {
        read::require_json(&exchange.parts.headers)?;
        read::json(body)?
    };
    check_timezone(timezone.as_deref())?;
    if session.len() > MAX_SESSION {
        return Err(sessions::unknown());
    }
    let request = UndoRequest {
        user: caller.user().to_owned(),
        roles: caller.identity.roles.clone(),
        timezone,
        session: session.to_owned(),
        call,
    };
    let files = Files::new(exchange.platform);
    run(exchange, caller, files, Work::Undo(request)).await
}

/// A page of a session's audit, the latest first.
#[derive(Serialize)]
struct Audit {
    data: Vec<AuditEntry>,
    /// What to ask `before` of for earlier entries; left out when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
}

/// Answers `GET /v1/sessions/{session}/audit`. It outlives the session, so that a session which was forgotten, or
/// never was, is no error.
///
/// # Errors
/// 422, 429 and 503.
pub async fn audit<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    session: &str,
) -> Result<Response, Problem> {
    let query = exchange.parts.uri.query();
    let page = Page {
        before: parameter(query, "before")?,
        limit: bounded(query, "limit", 50, 100)?,
    };
    exchange.count(caller, Vec::new(), Vec::new()).await?;
    let engine = turns::engine(exchange.platform);
    let page = engine.audit(caller.user(), session, page).await?;
    let audit = Audit {
        data: page.entries,
        before: page.before,
    };
    Ok(respond::json(StatusCode::OK, &audit))
}
