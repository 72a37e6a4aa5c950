//! What the journal records of gates.

use super::is_default;
use crate::gate::{GateKind, Risk, RiskLevel};
use crate::port::EffectClass;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A call that waits for a decision: everything that it takes to make it, so that nobody has to ask the model
/// again what was meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GateOpened {
    /// The gate's id.
    pub gate: String,
    /// The call's id.
    pub call: String,
    /// The tool's name, as the model knows it.
    pub name: String,
    /// The server.
    pub server: String,
    /// The tool's name at the server.
    pub tool: String,
    /// Its name for people.
    pub title: String,
    /// The validated arguments.
    pub arguments: Value,
    /// The hash of their canonical JSON.
    pub hash: String,
    /// What repeating the call would mean.
    pub class: EffectClass,
    /// What it can do.
    pub risk: Risk,
    /// How much harm it could do, where the tool says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<RiskLevel>,
    /// The argument whose elements are the things that it affects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<String>,
    /// Whether the tool promises that it can be undone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reversible: bool,
    /// Who decides.
    pub kind: GateKind,
    /// The role that whoever decides must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Whether the tool may be allowed for the rest of the conversation.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allow_always: bool,
    /// When it counts as denied, in milliseconds since the epoch.
    pub expires: u64,
}

impl GateOpened {
    /// How many bytes the arguments have as JSON, and somewhat more.
    pub(crate) fn weighs(&self) -> usize {
        serde_json::to_vec(&self.arguments).map_or(0, |json| json.len()) + ROUGHLY
    }
}

/// Bytes of what a gate has besides its arguments.
const ROUGHLY: usize = 1 << 10;

/// A decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GateDecided {
    /// The gate.
    pub gate: String,
    /// What was decided.
    pub verdict: Ruling,
    /// Who decided; none where time did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The arguments to run the call with, if they were edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// The hash of the arguments that were decided on.
    pub hash: String,
    /// Whether the tool is allowed for the rest of the conversation.
    #[serde(default, skip_serializing_if = "is_default")]
    pub always: bool,
    /// What was said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ruling {
    /// The call may run.
    Approved,
    /// It may not.
    Denied,
    /// Nobody decided in time: it may not.
    Expired,
    /// The conversation has no place for it any more.
    Dropped,
}
