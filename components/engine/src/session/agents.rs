//! What an assistant of several agents (`kind = "four-prompt"`) keeps in mind in a session.
//!
//! It is read out of the journal, as the rest of a session is, and expires with it.

pub use crate::conversation::Status;
use crate::conversation::{Conversation, Domain};
use crate::gate::Gate;
use serde::Serialize;
use serde_json::Value;

/// What the assistant knows, and its agents. Serializes to JSON for the native API.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct State {
    /// What agents were asked for in the latest turn.
    pub command_list: Vec<AgentCommand>,
    /// What the assistant has noted.
    pub accumulated_knowledge: String,
    /// What each agent knows, in the order in which they were first asked.
    pub agents: Vec<AgentState>,
}

/// Something that an agent was asked for, in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AgentCommand {
    /// The agent's name.
    pub agent: String,
    /// What is to be done.
    pub command: String,
    /// How far it is.
    pub status: Status,
}

/// What an agent knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AgentState {
    /// The agent's name.
    pub agent: String,
    /// What its tools have answered, the latest last, as far as there is room.
    pub working_data: Vec<ToolData>,
    /// The latest calls of its tools, the latest last.
    pub tool_call_list: Vec<ToolCalled>,
    /// What it has changed last: the tool's name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_action: Option<String>,
    /// What it is to do when somebody has decided: the gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_action: Option<Gate>,
}

/// What a tool has answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolData {
    /// The tool's name for people.
    pub tool: String,
    /// The structured result; text if there is none.
    pub result: Value,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToolCalled {
    /// The tool's name for people.
    pub tool: String,
    /// Whether it worked.
    pub worked: bool,
}

impl State {
    /// What is known in a conversation at `now`; none if nothing is.
    pub(crate) fn of(conversation: &Conversation, now: u64) -> Option<State> {
        let domains = &conversation.standing.domains;
        let mut agents: Vec<AgentState> = domains.known.iter().map(known).collect();
        for turn in conversation.waiting() {
            for gated in turn.open_gates().filter(|gated| !gated.is_due(now)) {
                let Some(name) = turn.agent_of(&gated.opened.call) else {
                    continue;
                };
                let gate = Some(gated.report(&turn.turn));
                match agents.iter_mut().find(|agent| agent.agent == name) {
                    Some(agent) => agent.pending_action = gate,
                    None => agents.push(AgentState {
                        agent: name.to_owned(),
                        pending_action: gate,
                        ..AgentState::default()
                    }),
                }
            }
        }
        let command_list: Vec<_> = domains
            .commands
            .iter()
            .map(|command| AgentCommand {
                agent: command.agent.clone(),
                command: command.text.clone(),
                status: command.status,
            })
            .collect();
        let nothing = command_list.is_empty() && agents.is_empty() && domains.notes.is_empty();
        (!nothing).then(|| State {
            command_list,
            accumulated_knowledge: domains.notes.clone(),
            agents,
        })
    }
}

fn known(domain: &Domain) -> AgentState {
    let Domain {
        agent,
        working,
        calls,
        last_action,
    } = domain;
    AgentState {
        agent: agent.clone(),
        working_data: working
            .iter()
            .map(|found| ToolData {
                tool: found.title.clone(),
                result: anyturn_json::from_str(&found.data).unwrap_or_default(),
            })
            .collect(),
        tool_call_list: calls
            .iter()
            .map(|(tool, worked)| ToolCalled {
                tool: tool.clone(),
                worked: *worked,
            })
            .collect(),
        last_action: Some(last_action.clone()).filter(|action| !action.is_empty()),
        pending_action: None,
    }
}
