//! Gates: risky calls that wait for a person.
//!
//! A call that the assistant's policy finds risky does not run. It opens a gate, which holds exactly what would
//! be called, and its turn goes into the state `waiting` without holding on to anything: the conversation can
//! go on meanwhile. When all gates of the turn are decided, the same turn goes on: what was approved runs once,
//! with the very arguments that were shown and hashed, and the model is told what was denied, by whom and why.
//!
//! A gate is decided by people only: `confirm` by the user of the conversation, `approve` by somebody else with
//! a role. One that nobody decides in time counts as denied. The model can neither open nor skip nor decide one.

mod answering;
mod approvals;
pub(crate) mod canonical;
mod deciding;
mod expiry;
mod opening;
mod stakes;
mod taking;

pub(crate) use expiry::GONE_ON;
pub(crate) use opening::{LARGEST, Opening, question};
pub(crate) use stakes::count;
pub use stakes::{RiskLevel, Stakes};
pub(crate) use taking::{beside, by_itself};

use crate::time::Timestamp;
use crate::turn::{Turn, TurnError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A call that waits, or waited, for a decision. Serializes to JSON for the native API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The gate's id.
    #[serde(rename = "gate")]
    pub id: String,
    /// The turn that waits for it.
    pub turn: String,
    /// The call's id.
    pub call: String,
    /// The tool's name, as the model knows it.
    pub tool: String,
    /// The tool's name for people.
    pub title: String,
    /// The server that offers it.
    pub server: String,
    /// What it is called with if this is approved as it is.
    pub arguments: Value,
    /// SHA-256 of the arguments' canonical JSON, in hexadecimal.
    pub hash: String,
    /// Who decides.
    pub kind: GateKind,
    /// The role that decides a gate of kind `approve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What the call can do.
    pub risk: Risk,
    /// How much harm it could do; the worst where an earlier version has told of the gate.
    #[serde(default)]
    pub risk_level: RiskLevel,
    /// How many things it affects, where its tool lets them be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Whether the tool promises that what it does can be undone.
    pub reversible: bool,
    /// Whether whoever approves may allow the tool for the rest of the conversation.
    pub allow_always: bool,
    /// What is to be decided, in a sentence for people.
    pub question: String,
    /// Whether it is open.
    pub state: GateState,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it counts as denied.
    pub expires_at: Timestamp,
    /// How it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
}

/// Who decides a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateKind {
    /// The user of the conversation.
    Confirm,
    /// Somebody else who has the gate's role.
    Approve,
}

/// What a call can do, as far as its tool tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// It changes nothing.
    Reads,
    /// It adds something or changes something.
    Changes,
    /// It may destroy or overwrite something, or does not say that it does not.
    Destroys,
}

/// What has become of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateState {
    /// It waits for a decision.
    Open,
    /// The call may run.
    Approved,
    /// The call does not run.
    Denied,
    /// Nobody decided in time; the call does not run.
    Expired,
    /// The conversation went on in a way that the call has no place in; it does not run.
    Dropped,
}

/// How a gate was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// Who decided; none where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// What they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether the arguments were edited; the gate's are the edited ones then.
    pub edited: bool,
    /// Whether the tool is allowed for the rest of the conversation.
    pub always: bool,
}

/// What somebody decides. Deserializes from the body of a request.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Whether the call may run.
    #[serde(rename = "decision")]
    pub verdict: Verdict,
    /// Other arguments to run it with.
    #[serde(default)]
    pub arguments: Option<Value>,
    /// Allow the tool for the rest of the conversation.
    #[serde(default)]
    pub always: bool,
    /// For the model, and for the audit.
    #[serde(default)]
    pub comment: Option<String>,
}

/// Whether a call may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may.
    Approve,
    /// It may not.
    Deny,
}

/// Somebody who decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decider {
    /// The user's id.
    pub user: String,
    /// Their roles.
    pub roles: Vec<String>,
}

/// A decision to be taken.
#[derive(Clone, Debug, PartialEq)]
pub struct DecideRequest {
    /// Who decides.
    pub decider: Decider,
    /// Whose conversation it is: the decider's own, or the one that [`Approval::user`] names.
    pub owner: String,
    /// The conversation.
    pub session: String,
    /// The gate.
    pub gate: String,
    /// What is decided.
    pub decision: Decision,
}

/// What came of a decision.
#[derive(Clone, Debug, PartialEq)]
pub struct DecideOutcome {
    /// The gate as it is now. Expired, although the decision was another one, if it came too late.
    pub gate: Gate,
    /// Whether the turn still waits for other gates.
    pub waiting: bool,
    /// The turn, which went on if this was its last open gate; none for a decider whose conversation it is not.
    pub turn: Option<Turn>,
}

/// A gate that waits for somebody with a role. Serializes to JSON for the native API.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Approval {
    /// Whose conversation it is.
    pub user: String,
    /// The conversation.
    pub session: String,
    /// Its assistant.
    pub assistant: String,
    /// What is to be decided.
    #[serde(flatten)]
    pub gate: Gate,
}

/// Why a gate was not decided.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DecideError {
    /// There is no such gate in a conversation that the decider may see.
    #[error("there is no such gate; it may have expired with its conversation")]
    UnknownGate,
    /// It is decided by somebody with another role.
    #[error("this is decided by somebody with the role “{role}”")]
    OtherRole {
        /// The role.
        role: String,
    },
    /// Nobody approves what they have asked for themselves.
    #[error(
        "nobody approves what they have asked for themselves; it takes another person with the role “{role}”"
    )]
    OwnRequest {
        /// The role.
        role: String,
    },
    /// It was decided differently before, or has expired.
    #[error("this was decided already, in another way")]
    AlreadyDecided {
        /// The gate as it was decided.
        gate: Box<Gate>,
    },
    /// The decision cannot be accepted: why.
    #[error("{0}")]
    InvalidDecision(String),
    /// Edited arguments cannot be checked now, because the tools are not available.
    #[error("the edited arguments cannot be checked now: {0}")]
    Unchecked(String),
    /// The turn could not go on. Unless this says [`TurnError::Busy`], the decision may have been taken; the
    /// same decision again tells.
    #[error(transparent)]
    Turn(#[from] TurnError),
}

impl From<anyturn_state::Error> for DecideError {
    fn from(error: anyturn_state::Error) -> Self {
        DecideError::Turn(error.into())
    }
}
