//! Decisions on risky calls: by the user of the session, and by somebody else with a role.
//!
//! A session belongs to one user and does not exist for others, so whoever decides for somebody else names what they
//! decide by an id of the list of approvals. It holds whose session it is, and which gate; the engine checks that the
//! caller may decide it.

use anyturn_engine::gate::Approval;
use anyturn_engine::port::Environment;
use anyturn_engine::{
    DecideOutcome, DecideRequest, Decider, Decision, Gate, Turn, Verdict, scope, session_index,
};
use anyturn_state::Store;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{bounded, parameter};
use crate::assistants::Files;
use crate::exchange::{Caller, Exchange};
use crate::http::{Problem, Response, read, respond};
use crate::platform::Platform;
use crate::turns::{self, Configured, problem};

/// The longest comment, in characters.
const MAX_COMMENT: usize = 1_000;

/// A decision.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DecisionBody {
    /// Whether the call may run.
    pub decision: VerdictBody,
    /// Other arguments to run it with; they are checked and recorded.
    #[serde(default)]
    pub arguments: Option<Value>,
    /// Whether the tool may run for the rest of the session without being asked about, where the gate's
    /// `allow_always` says that this can be decided.
    #[serde(default)]
    pub always: bool,
    /// For the model and for the audit. At most 1000 characters.
    #[serde(default)]
    pub comment: Option<String>,
}

/// Whether a call may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum VerdictBody {
    /// It may.
    Approve,
    /// It may not.
    Deny,
}

impl DecisionBody {
    fn check(self) -> Result<Decision, Problem> {
        let Self {
            decision,
            arguments,
            always,
            comment,
        } = self;
        let denies = decision == VerdictBody::Deny;
        match &arguments {
            Some(_) if denies => {
                return Err(Problem::at(
                    "/arguments",
                    "Other arguments go with an approval only.",
                ));
            }
            Some(arguments) if !arguments.is_object() => {
                return Err(Problem::at("/arguments", "A tool's arguments are an object."));
            }
            _ => {}
        }
        if always && denies {
            return Err(Problem::at(
                "/always",
                "Only an approval can hold for the rest of the session.",
            ));
        }
        if comment
            .as_ref()
            .is_some_and(|comment| comment.chars().count() > MAX_COMMENT)
        {
            return Err(Problem::at(
                "/comment",
                format!("A comment has at most {MAX_COMMENT} characters."),
            ));
        }
        Ok(Decision {
            verdict: if denies { Verdict::Deny } else { Verdict::Approve },
            arguments,
            always,
            comment: comment.filter(|comment| !comment.trim().is_empty()),
        })
    }
}

/// What came of a decision.
#[derive(Serialize)]
struct Decided {
    /// The gate as it is now.
    gate: Gate,
    /// Whether the turn still waits for other gates.
    waiting: bool,
    /// The turn, which went on if this was its last open gate; left out for a decider whose session it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    turn: Option<Turn>,
}

/// Answers `POST /v1/sessions/{session}/gates/{gate}`.
///
/// # Errors
/// 403, 404, 409, 429 and 503, and everything that can be wrong with the body.
pub async fn decide<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    session: &str,
    gate: &str,
    body: &Bytes,
) -> Result<Response, Problem> {
    let decision = decision(exchange, body)?;
    let place = Place {
        owner: caller.user().to_owned(),
        session: session.to_owned(),
        gate: gate.to_owned(),
    };
    answer(exchange, caller, place, decision).await
}

/// Answers `POST /v1/approvals/{approval}`.
///
/// # Errors
/// As [`decide`].
pub async fn approve<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    approval: &str,
    body: &Bytes,
) -> Result<Response, Problem> {
    let decision = decision(exchange, body)?;
    let place =
        Place::parse(approval).ok_or_else(|| problem::decision(anyturn_engine::DecideError::UnknownGate))?;
    answer(exchange, caller, place, decision).await
}

fn decision<P: Platform>(exchange: &Exchange<'_, P>, body: &Bytes) -> Result<Decision, Problem> {
    read::require_json(&exchange.parts.headers)?;
    read::json::<DecisionBody>(body)?.check()
}

async fn answer<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    place: Place,
    decision: Decision,
) -> Result<Response, Problem> {
    let configured = Configured::read(exchange, Files::new(exchange.platform)).await?;
    let Place { owner, session, gate } = place;
    // The turn may go on now, and is to be looked at should this instance die.
    let now = exchange.platform.environment().now();
    let used = session_index::touch(&owner, &session, now, configured.lease(), false);
    let (mine, theirs) = if owner == caller.user() {
        (used, Vec::new())
    } else {
        (Vec::new(), used)
    };
    exchange.count(caller, mine, Vec::new()).await?;
    if !theirs.is_empty() {
        let store = exchange.platform.store();
        store.commit(&scope::shard(&owner), theirs, Vec::new()).await?;
    }
    let request = DecideRequest {
        decider: decider(caller),
        owner,
        session,
        gate,
        decision,
    };
    let DecideOutcome { gate, waiting, turn } = configured.decide(request).await?;
    Ok(respond::json(StatusCode::OK, &Decided { gate, waiting, turn }))
}

fn decider(caller: &Caller) -> Decider {
    Decider {
        user: caller.user().to_owned(),
        roles: caller.identity.roles.clone(),
    }
}

/// A page of gates that wait for the caller's roles.
#[derive(Serialize)]
struct Approvals {
    data: Vec<Listed>,
    /// The `offset` of the next page; left out after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u32>,
}

/// A gate that waits for somebody with a role.
#[derive(Serialize)]
struct Listed {
    /// Where it is decided: `POST /v1/approvals/{id}`.
    id: String,
    #[serde(flatten)]
    approval: Approval,
}

/// Answers `GET /v1/approvals`.
///
/// # Errors
/// 422, 429 and 503.
pub async fn approvals<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
) -> Result<Response, Problem> {
    let query = exchange.parts.uri.query();
    let limit = bounded(query, "limit", 20, 100)?;
    let offset = parameter(query, "offset")?.unwrap_or(0);
    exchange.count(caller, Vec::new(), Vec::new()).await?;
    let engine = turns::engine(exchange.platform);
    let (approvals, next_offset) = engine.approvals(&decider(caller), offset, limit).await?;
    let data = approvals
        .into_iter()
        .map(|approval| Listed {
            id: Place::id(&approval.user, &approval.session, &approval.gate.id),
            approval,
        })
        .collect();
    Ok(respond::json(StatusCode::OK, &Approvals { data, next_offset }))
}

/// Where a gate is. As an id it is opaque, and safe in an address.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    owner: String,
    session: String,
    gate: String,
}

impl Place {
    fn id(owner: &str, session: &str, gate: &str) -> String {
        // Texts always become JSON.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&[owner, session, gate]).unwrap_or_default())
    }

    fn parse(id: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(id).ok()?;
        let [owner, session, gate] = anyturn_json::from_slice(&json).ok()?;
        Some(Self { owner, session, gate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approvals_id_leads_to_its_gate_whatever_people_are_called() {
        for (owner, session) in [("ana", "ses_1"), ("a/b\"%", "my \u{1f98a} talk"), ("", "")] {
            let id = Place::id(owner, session, "gate_1");
            assert!(
                id.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            );
            let place = Place {
                owner: owner.to_owned(),
                session: session.to_owned(),
                gate: "gate_1".to_owned(),
            };
            assert_eq!(Place::parse(&id), Some(place));
        }
        for other in ["", "x", "e30", "gate_1", "WyJhIiwiYiJd"] {
            assert_eq!(Place::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_decision_that_contradicts_itself_is_told_with_its_place() {
        let check = |body: &str| read::json::<DecisionBody>(body.as_bytes()).and_then(DecisionBody::check);
        let long = format!(r#"{{"decision": "deny", "comment": "{}"}}"#, "c".repeat(1_001));
        for (body, pointer, says) in [
            ("{}", "", "Missing field `decision`."),
            (
                r#"{"decision": "maybe"}"#,
                "/decision",
                "Unknown variant `maybe`, expected `approve` or `deny`.",
            ),
            (
                r#"{"decision": "deny", "arguments": {}}"#,
                "/arguments",
                "Other arguments go with an approval only.",
            ),
            (
                r#"{"decision": "approve", "arguments": [1]}"#,
                "/arguments",
                "A tool's arguments are an object.",
            ),
            (
                r#"{"decision": "deny", "always": true}"#,
                "/always",
                "Only an approval can hold for the rest of the session.",
            ),
            (
                r#"{"decision": "approve", "sure": true}"#,
                "/sure",
                "Unknown field `sure`, expected one of `decision`, `arguments`, `always`, `comment`.",
            ),
            (&long, "/comment", "A comment has at most 1000 characters."),
        ] {
            let problem = check(body).unwrap_err();
            assert_eq!(problem.kind.status(), 422, "{body}");
            assert_eq!(
                (problem.pointer.as_deref(), problem.detail.as_str()),
                (Some(pointer), says),
                "{body}"
            );
        }
        let decision =
            check(r#"{"decision": "approve", "arguments": {"a": 1}, "always": true, "comment": " "}"#);
        assert_eq!(
            decision.unwrap(),
            Decision {
                verdict: Verdict::Approve,
                arguments: Some(serde_json::json!({"a": 1})),
                always: true,
                comment: None,
            }
        );
    }
}
