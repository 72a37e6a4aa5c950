//! What assistants of several agents tell, and keep in mind.

use super::Gate;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// How far an assistant of several agents is.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::openapi) struct AgentProgress {
    /// What is being done.
    stage: Stage,
    /// The sub-agent that does it; null for the assistant itself.
    agent: Option<String>,
    /// Whether it is done.
    status: StageStatus,
}

/// What an assistant of several agents is doing.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// It makes commands for its sub-agents of a message.
    Understanding,
    /// A sub-agent carries a command out.
    Working,
    /// A sub-agent decides, by what its tools have answered, what to do next.
    Reassessing,
    /// It takes in what the sub-agents have answered, and writes the reply.
    Updating,
}

/// How far a stage is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum StageStatus {
    /// It has begun.
    Started,
    /// It is done.
    Finished,
    /// It goes on when somebody has decided.
    Waiting,
    /// It could not be done.
    Failed,
}

/// What an assistant of several agents keeps in mind in a session.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::openapi) struct State {
    /// What agents were asked for in the latest turn.
    command_list: Vec<AgentCommand>,
    /// What the assistant has noted.
    accumulated_knowledge: String,
    /// What each agent knows, in the order in which they were first asked.
    agents: Vec<AgentState>,
}

/// Something that an agent was asked for, in words.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct AgentCommand {
    /// The agent's name.
    agent: String,
    /// What is to be done.
    command: String,
    /// How far it is.
    status: CommandStatus,
}

/// How far a command is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum CommandStatus {
    /// It has not begun.
    Queued,
    /// It is under way.
    Running,
    /// Somebody has to decide first.
    Waiting,
    /// The agent has answered.
    Finished,
    /// The turn ended before it did.
    Dropped,
}

/// What an agent knows.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct AgentState {
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
    pending_action: Option<Gate>,
}

/// What a tool has answered.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ToolData {
    /// The tool's name for people.
    tool: String,
    /// The structured result; text if there is none.
    result: Value,
}

/// A call of a tool.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ToolCalled {
    /// The tool's name for people.
    tool: String,
    /// Whether it worked.
    worked: bool,
}
