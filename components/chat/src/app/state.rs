//! What an assistant of several agents keeps in mind, in the app's words: what waits is told as everywhere in this
//! dialect, without its arguments.

use anyturn_engine::session::agents::{AgentCommand, AgentState, State, ToolCalled, ToolData};
use serde::Serialize;

use super::answer::Confirmation;

/// What is kept in mind in a session.
#[derive(Serialize)]
pub struct StateView<'a> {
    command_list: &'a [AgentCommand],
    accumulated_knowledge: &'a str,
    agents: Vec<AgentView<'a>>,
}

/// What an agent knows.
#[derive(Serialize)]
struct AgentView<'a> {
    agent: &'a str,
    working_data: &'a [ToolData],
    tool_call_list: &'a [ToolCalled],
    #[serde(skip_serializing_if = "Option::is_none")]
    last_action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_action: Option<Confirmation<'a>>,
}

impl<'a> StateView<'a> {
    /// Of a session that has one.
    pub fn of(state: &'a State) -> Self {
        let State {
            command_list,
            accumulated_knowledge,
            agents,
        } = state;
        Self {
            command_list,
            accumulated_knowledge,
            agents: agents.iter().map(AgentView::of).collect(),
        }
    }
}

impl<'a> AgentView<'a> {
    fn of(state: &'a AgentState) -> Self {
        let AgentState {
            agent,
            working_data,
            tool_call_list,
            last_action,
            pending_action,
        } = state;
        Self {
            agent,
            working_data,
            tool_call_list,
            last_action: last_action.as_deref(),
            pending_action: pending_action.as_ref().map(Confirmation::about),
        }
    }
}
