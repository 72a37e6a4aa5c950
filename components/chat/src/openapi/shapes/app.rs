//! Answers in the app's words.

use schemars::JsonSchema;
use serde::Serialize;

use super::Time;
use super::agents::{AgentCommand, ToolCalled, ToolData};
use super::decisions::RiskLevel;

/// What came of a message.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::openapi) struct AppAnswer {
    /// Always true.
    success: bool,
    /// What the assistant says, and what it asks.
    message: String,
    /// The session.
    session_id: String,
    /// Whether something waits for a yes or a no in the next message.
    requires_confirmation: bool,
    /// What waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmation_context: Option<AppConfirmation>,
    /// About the turn.
    metadata: AppMetadata,
}

/// What waits for the user's yes or no.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct AppConfirmation {
    /// The tool; the first one's name if several calls wait.
    action: String,
    /// How many things would be affected; a call that does not say counts as one.
    count: u64,
    /// The highest of all calls that wait.
    risk_level: RiskLevel,
}

/// About a turn.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct AppMetadata {
    /// Seconds that it took.
    processing_time: f64,
    /// The tools that were called, each once.
    tools_used: Vec<String>,
}

/// An error in a stream.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::openapi) struct AppFailure {
    /// What a program can act on, such as `model-failed`.
    error: String,
    /// For people.
    message: String,
}

/// A session.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::openapi) struct AppSession {
    /// Its id.
    session_id: String,
    /// Whose it is.
    user_id: String,
    /// When it began.
    created_at: Time,
    /// When something last happened in it.
    updated_at: Time,
    /// When it expires if nothing happens.
    expires_at: Time,
    /// Whether something waits for a yes or a no.
    requires_confirmation: bool,
    /// What waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmation_context: Option<AppConfirmation>,
    /// What an assistant of several agents keeps in mind; left out of others, and before their first turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<AppState>,
    /// What was said in the last 10 turns, the oldest first.
    #[serde(rename = "conversationHistory")]
    history: Vec<AppSaid>,
}

/// What an assistant of several agents keeps in mind in a session.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct AppState {
    /// What agents were asked for in the latest turn.
    command_list: Vec<AgentCommand>,
    /// What the assistant has noted.
    accumulated_knowledge: String,
    /// What each agent knows, in the order in which they were first asked.
    agents: Vec<AppAgentState>,
}

/// What an agent knows.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct AppAgentState {
    /// The agent's name.
    agent: String,
    /// What its tools have answered, the latest last, as far as there is room.
    working_data: Vec<ToolData>,
    /// The latest calls of its tools, the latest last.
    tool_call_list: Vec<ToolCalled>,
    /// What it has changed last: the tool's name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_action: Option<String>,
    /// What it is to do when somebody has decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_action: Option<AppConfirmation>,
}

/// A message.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct AppSaid {
    /// `user` or `assistant`.
    role: String,
    /// What was said.
    content: String,
    /// When.
    timestamp: Time,
}

/// A session in short.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::openapi) struct AppSessionSummary {
    /// Its id.
    session_id: String,
    /// When it began.
    created_at: Time,
    /// When it expires if nothing happens.
    expires_at: Time,
    /// How many messages were said, both sides together.
    message_count: u64,
}

/// It was done.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::openapi) struct AppDone {
    /// Always true.
    success: bool,
    /// For people.
    message: String,
}

/// Whom the credentials stand for.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::openapi) struct AppCaller {
    /// The user.
    user_id: String,
    /// When the credentials expire; left out if they do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Time>,
}
