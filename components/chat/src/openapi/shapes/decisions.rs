//! Gates, decisions, what can be undone, and the audit of all that.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Time, Turn};

/// A call that waits, or waited, for a decision.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::openapi) struct Gate {
    #[serde(flatten)]
    gate: GateMembers,
}

/// What a gate tells.
#[derive(Serialize, JsonSchema)]
struct GateMembers {
    /// The gate's id.
    gate: String,
    /// The turn that waits for it.
    turn: String,
    /// The call's id.
    call: String,
    /// The tool's name.
    tool: String,
    /// The tool's name for people.
    title: String,
    /// The server that offers it.
    server: String,
    /// What it is called with if this is approved as it is.
    arguments: Value,
    /// SHA-256 of the arguments' canonical JSON, in hexadecimal.
    hash: String,
    /// Who decides.
    kind: GateKind,
    /// The role that decides a gate of kind `approve`.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// What the call can do.
    risk: Risk,
    /// How much harm it could do.
    risk_level: RiskLevel,
    /// How many things it affects, where its tool lets them be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// Whether the tool promises that what it does can be undone.
    reversible: bool,
    /// Whether whoever approves may allow the tool for the rest of the session.
    allow_always: bool,
    /// What is to be decided, in a sentence for people.
    question: String,
    /// Whether it is open.
    state: GateState,
    /// When it was opened.
    created_at: Time,
    /// When it counts as denied.
    expires_at: Time,
    /// How it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<Decided>,
}

/// Who decides a gate.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum GateKind {
    /// The user of the session.
    Confirm,
    /// Somebody else who has the gate's role.
    Approve,
}

/// What a call can do, as far as its tool tells.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Risk {
    /// It changes nothing.
    Reads,
    /// It adds something or changes something.
    Changes,
    /// It may destroy or overwrite something, or does not say that it does not.
    Destroys,
}

/// How much harm a call could do.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RiskLevel {
    /// Little, and easily put right.
    Low,
    /// Some.
    Medium,
    /// Much, or what cannot be put right.
    High,
}

/// What has become of a gate.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum GateState {
    /// It waits for a decision.
    Open,
    /// The call may run.
    Approved,
    /// The call does not run.
    Denied,
    /// Nobody decided in time; the call does not run.
    Expired,
    /// The session went on in a way that the call has no place in; it does not run.
    Dropped,
}

/// How a gate was decided.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Decided {
    /// Who decided; left out where nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// When.
    at: Time,
    /// What they said.
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    /// Whether the arguments were edited; the gate's are the edited ones then.
    edited: bool,
    /// Whether the tool is allowed for the rest of the session.
    always: bool,
}

/// What came of a decision.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::openapi) struct DecisionTaken {
    /// The gate as it is now; expired, whatever was decided, if the decision came too late.
    gate: Gate,
    /// Whether the turn still waits for other gates.
    waiting: bool,
    /// The turn, which went on if this was its last open gate; left out for a decider whose session it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    turn: Option<Turn>,
}

/// A page of calls that wait for somebody with a role.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::openapi) struct ApprovalList {
    /// What expires first before others.
    data: Vec<Approval>,
    /// The `offset` of the next page; left out after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u32>,
}

/// A call that waits for somebody with a role.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Approval {
    /// Names it at `/v1/approvals/{approval}`.
    id: String,
    /// Whose session it is.
    user: String,
    /// The session.
    session: String,
    /// Its assistant.
    assistant: String,
    #[serde(flatten)]
    gate: GateMembers,
}

/// How a call can be undone.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct UndoOffer {
    /// What would happen, for people; several things for a call that did several.
    titles: Vec<String>,
    /// Until when.
    until: Time,
}

/// What came of undoing a call.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::openapi) struct UndoReport {
    /// The call that was to be undone.
    call: String,
    /// Its tool's name for people.
    title: String,
    /// Each thing that was to be undone.
    items: Vec<UndoItem>,
}

/// One thing that was to be undone.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct UndoItem {
    /// What was to happen, for people.
    title: String,
    /// Whether it did.
    undone: bool,
    /// Whether it did, or may have done, when the call was undone before: it was not tried again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    earlier: bool,
    /// What the tool answered, or why it is not undone.
    text: String,
}

/// A page of a session's audit, the latest first.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::openapi) struct Audit {
    /// The entries.
    data: Vec<AuditEntry>,
    /// What to ask `before` of for earlier entries; left out when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
}

/// Something that was decided or undone.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct AuditEntry {
    /// Its place in the audit, from 0.
    position: u64,
    /// When.
    at: Time,
    /// Who; left out where time decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// What happened.
    action: AuditAction,
    /// The turn.
    turn: String,
    /// The gate that was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<String>,
    /// The call that was decided on, or undone.
    call: String,
    /// The server of the tool.
    server: String,
    /// The tool, as its server knows it.
    tool: String,
    /// What it is called with.
    arguments: Value,
    /// SHA-256 of the arguments' canonical JSON, in hexadecimal.
    hash: String,
    /// Who was to decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<GateKind>,
    /// The role that was to decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// What the call can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    risk: Option<Risk>,
    /// What was said about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    /// The hash of the arguments as they were proposed, if they were edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed: Option<String>,
    /// Whether the tool was allowed for the rest of the session. Left out when it was not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    always: bool,
}

/// What the audit tells of.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum AuditAction {
    /// A call was approved.
    Approved,
    /// A call was denied.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// The session went on without the call.
    Dropped,
    /// A call was undone.
    Undone,
    /// A call could not be undone.
    NotUndone,
}

/// A session that begins with the past of another one.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::openapi) struct ForkedSession {
    /// The new session's id.
    session: String,
    /// The assistant's name.
    assistant: String,
    /// For people.
    title: String,
    /// When it began.
    created_at: Time,
    /// When something last happened in it.
    updated_at: Time,
}
