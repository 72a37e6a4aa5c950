//! What the engine writes into answers, as schemas. The engine knows no schemas; tests hold real answers to these.
#![allow(dead_code, reason = "only their schemas are used")]

mod agents;
mod app;
mod decisions;

pub(super) use agents::AgentProgress;
pub(super) use app::{AppAnswer, AppCaller, AppDone, AppFailure, AppSession, AppSessionSummary};
use decisions::UndoOffer;
pub(super) use decisions::{ApprovalList, Audit, DecisionTaken, ForkedSession, Gate, UndoReport};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// What came of a turn.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Turn {
    /// The session's id.
    session: String,
    /// The turn's id.
    turn: String,
    /// The assistant's name.
    assistant: String,
    /// How far it is.
    state: TurnState,
    /// What the assistant said. In a failed turn: what it had said until then.
    message: Reply,
    /// The tools that were called, in their order.
    tool_calls: Vec<ToolCall>,
    /// The calls that wait for decisions, and those that did. Left out when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gates: Vec<Gate>,
    /// What came of it, if it was a turn that undoes.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<UndoReport>,
    /// What all model calls of the turn took.
    usage: Usage,
    /// The model that answered last, as its provider names it; empty when none answered.
    model: String,
    /// When it was admitted, as RFC 3339.
    created_at: Time,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

/// How far a turn is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum TurnState {
    /// It waits for those before it.
    Queued,
    /// It has begun and not ended.
    Running,
    /// The assistant answered.
    Finished,
    /// It did not, or not completely.
    Failed,
    /// Somebody stopped it. What it had said and done until then stands.
    Stopped,
    /// Calls of it wait for decisions; then it goes on.
    Waiting,
}

/// A moment as RFC 3339 in UTC.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
struct Time(#[schemars(extend("format" = "date-time"))] String);

/// What the assistant said.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Reply {
    /// `assistant`.
    role: String,
    /// Markdown.
    content: String,
    /// What of it was said since the last decision, if the turn has waited for one: the rest was told before.
    #[serde(skip_serializing_if = "Option::is_none")]
    since_decision: Option<String>,
    /// Whether it asks by itself for the decisions that the turn waits for; absent if not.
    #[serde(skip_serializing_if = "Option::is_none")]
    asks: Option<bool>,
}

/// A tool that was called.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ToolCall {
    /// The call's id.
    id: String,
    /// The tool's name.
    tool: String,
    /// The server that offers it.
    server: String,
    /// What it was called with.
    arguments: Value,
    /// What it answered: the structured result if there is one, else text.
    result: Value,
    /// Whether it failed.
    is_error: bool,
    /// How it can be undone, where it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<UndoOffer>,
}

/// Tokens; the offline model counts words.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Usage {
    /// Read by the model.
    input_tokens: u32,
    /// Of these, read from the provider's cache.
    cached_tokens: u32,
    /// Written by the model.
    output_tokens: u32,
}

/// Why a turn failed.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Failure {
    /// What a program can act on.
    kind: FailureKind,
    /// For people.
    message: String,
    /// Whether the same idempotency key goes on with the turn where it failed.
    retryable: bool,
    /// Milliseconds after which trying again makes sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

/// Why a turn failed.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum FailureKind {
    /// The provider refuses the request.
    InvalidRequest,
    /// The provider's credentials are missing or refused.
    Unauthorized,
    /// The provider has no such model.
    UnknownModel,
    /// The provider limits the rate or the quota.
    RateLimited,
    /// The conversation is longer than the model can read.
    ContextTooLong,
    /// The provider refuses the content.
    ContentRefused,
    /// The provider cannot be reached or fails.
    Unavailable,
    /// The provider did not answer in time.
    Timeout,
    /// The provider answered what cannot be understood, or broke off.
    Protocol,
    /// A tool server could not say which tools it has.
    ToolsUnavailable,
    /// The model did not answer within the assistant's limit of steps.
    StepLimit,
    /// Something was larger than the store takes.
    TooLarge,
    /// The instance that ran the turn died, and another message came before anybody went on with it.
    Interrupted,
    /// Nobody decided in time what the turn waited for, and the session went on without it.
    Expired,
}

/// The turn was admitted.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct TurnStarted {
    /// The session's id.
    session: String,
    /// The turn's id.
    turn: String,
    /// The assistant's name.
    assistant: String,
    /// When it was admitted.
    created_at: Time,
}

/// Another instance has taken the turn over.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct TurnResumed {
    /// What stands of the answer: it takes the place of all text before.
    text: String,
}

/// More of the assistant's text.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct TextDelta {
    /// The text.
    text: String,
}

/// A tool is about to run.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ToolStarted {
    /// The call's id.
    id: String,
    /// The tool's name.
    tool: String,
    /// The tool's name for people.
    title: String,
    /// The server that offers it.
    server: String,
    /// What it is called with.
    arguments: Value,
}

/// A page of sessions, the one used last first.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct SessionList {
    /// The sessions.
    data: Vec<SessionSummary>,
    /// The `offset` of the next page; left out after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u32>,
}

/// A session as a list shows it.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct SessionSummary {
    /// The session's id.
    id: String,
    /// The assistant's name.
    assistant: String,
    /// For people.
    title: String,
    /// When it began.
    created_at: Time,
    /// When something last happened in it.
    updated_at: Time,
}

/// A session with a page of its turns, the oldest first.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Session {
    /// The session's id.
    id: String,
    /// The assistant's name.
    assistant: String,
    /// For people.
    title: String,
    /// When it began.
    created_at: Time,
    /// When something last happened in it.
    updated_at: Time,
    /// Whether a turn is running.
    running: bool,
    /// When it is forgotten if nothing happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Time>,
    /// A page of turns.
    turns: Vec<SessionTurn>,
    /// What to ask `before` of for earlier turns; left out when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
    /// The calls that wait for a decision, whatever the page. Left out when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gates: Vec<Gate>,
    /// What an assistant of several agents keeps in mind. Left out for other assistants.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<agents::State>,
    /// The session that this one was forked from.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
}

/// Where a session comes from.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Origin {
    /// The other session; it may have expired.
    session: String,
    /// The turn at which it was forked.
    turn: String,
}

/// A turn as a session shows it.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct SessionTurn {
    /// The turn's id.
    turn: String,
    /// What the user said.
    input: String,
    /// Addresses of the user's pictures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<String>,
    /// How far it is.
    state: TurnState,
    /// What the assistant said; left out while it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Reply>,
    /// The tools that were called.
    tool_calls: Vec<ToolCall>,
    /// The calls that wait for decisions, and those that did. Left out when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gates: Vec<Gate>,
    /// What came of it, if it was a turn that undoes.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<UndoReport>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    /// When the user said it.
    created_at: Time,
}
