//! What a listener hears of a turn while it runs.
//!
//! Events of one turn are numbered from 0 without gaps, so `<turn>.<n>` identifies one ([`Event::id`]). The
//! texts of all [`EventKind::TextDelta`]s, put together, are the content of the finished turn's message.

use crate::time::Timestamp;
use crate::turn::{ToolCallReport, Turn};
use serde::Serialize;
use serde_json::Value;

/// Something that happened in a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The turn's id.
    pub turn: String,
    /// Counts the turn's events from 0.
    pub n: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What happened. Serializes to an event's data alone; [`EventKind::name`] is the event's name.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum EventKind {
    /// The turn was admitted. The first event.
    TurnStarted {
        /// The conversation's id.
        session: String,
        /// The turn's id.
        turn: String,
        /// The assistant's name.
        assistant: String,
        /// When it was admitted.
        created_at: Timestamp,
    },
    /// More of the assistant's text.
    TextDelta {
        /// The text.
        text: String,
    },
    /// A tool is about to run.
    ToolStarted {
        /// The call's id.
        id: String,
        /// The tool's name, as the model knows it.
        tool: String,
        /// The tool's name for people.
        title: String,
        /// The server that offers it.
        server: String,
        /// What it is called with.
        arguments: Value,
    },
    /// A tool has answered, or will not.
    ToolFinished(ToolCallReport),
    /// The turn is finished. The last event.
    TurnFinished(Box<Turn>),
    /// The turn failed. The last event.
    TurnFailed(Box<Turn>),
}

impl EventKind {
    /// The name of the event in event streams, such as `turn.started`.
    pub fn name(&self) -> &'static str {
        match self {
            EventKind::TurnStarted { .. } => "turn.started",
            EventKind::TextDelta { .. } => "text.delta",
            EventKind::ToolStarted { .. } => "tool.started",
            EventKind::ToolFinished(_) => "tool.finished",
            EventKind::TurnFinished(_) => "turn.finished",
            EventKind::TurnFailed(_) => "turn.failed",
        }
    }
}

impl Event {
    /// What identifies the event: `<turn>.<n>`.
    pub fn id(&self) -> String {
        format!("{}.{}", self.turn, self.n)
    }
}
