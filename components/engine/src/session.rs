//! Sessions as their user sees them: what was said, which there are, and forgetting one.

pub mod agents;
pub mod fork;
pub mod index;
mod reading;

use crate::gate::Gate;
use crate::port::Role;
use crate::time::Timestamp;
use crate::turn::{ToolCallReport, TurnState};
use crate::undo::UndoReport;
use serde::Serialize;

/// A conversation with a page of its messages. Serializes to JSON for the native API.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Session {
    /// What it is.
    #[serde(flatten)]
    pub head: SessionHead,
    /// Whether a turn is running.
    pub running: bool,
    /// When it expires if nothing happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// A page of messages, the oldest first.
    pub messages: Vec<SessionMessage>,
    /// Where the page of earlier messages ends; none when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// The calls that wait for a decision, whatever the page.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// What an assistant of several agents knows, and what they were asked for last; none of other assistants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<agents::State>,
    /// The conversation that it was forked from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// Where a conversation comes from. What was said there before may be longer than what was taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The other conversation; it may have expired.
    pub session: String,
    /// The turn at which it was forked.
    pub turn: String,
}

/// What a list of sessions tells of each.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionHead {
    /// The session's id.
    pub session: String,
    /// The assistant's name.
    pub assistant: String,
    /// For people.
    pub title: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When something last happened in it.
    pub updated_at: Timestamp,
}

/// A message as people see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionMessage {
    /// The turn that it belongs to.
    pub turn: String,
    /// [`Role::User`] or [`Role::Assistant`].
    pub role: Role,
    /// Its text.
    pub content: String,
    /// Whether it asks by itself for the decisions that its turn waits for.
    #[serde(skip)]
    pub asks: bool,
    /// Addresses of its pictures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// The tools that were called for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCallReport>,
    /// How far its turn is.
    pub state: TurnState,
    /// The calls of the turn that wait for decisions, and those that did; with an assistant's message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// What came of the turn, if it was one that undoes; with an assistant's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<UndoReport>,
    /// Why an assistant's message is missing or incomplete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<crate::journal::Failure>,
    /// When it was written.
    pub created_at: Timestamp,
}

/// Which messages of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Only what lies before this place, which a [`Session::before`] has named.
    pub before: Option<u64>,
    /// At most so many turns.
    pub limit: u32,
}
