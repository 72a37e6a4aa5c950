//! Undo: calling what a tool has named as the inverse of what it did.
//!
//! A result may carry its inverse calls. For a while after it (`Settings::undo`) the user of the conversation
//! can have them made: by a request, or by saying "undo". Undoing is a turn of its own in the journal, without a
//! model: each inverse is a step with an idempotency key of its own, gated where it is risky, and audited. Undoing
//! the same call again gives the same answer, unless something of it is left to be undone: then that is tried again,
//! by the same keys.

mod undoing;

use crate::time::Timestamp;
use crate::turn::TurnError;
use serde::{Deserialize, Serialize};

/// A wish to undo.
#[derive(Clone, Debug, PartialEq)]
pub struct UndoRequest {
    /// Whose conversation it is.
    pub user: String,
    /// The user's roles, for tools.
    pub roles: Vec<String>,
    /// The user's IANA time zone.
    pub timezone: Option<String>,
    /// The conversation.
    pub session: String,
    /// The call to undo; the last one that can be undone, if none is named.
    pub call: Option<String>,
}

/// How a call can be undone. Serializes to JSON for the native API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UndoOffer {
    /// What would happen, for people; several things for a call that did several.
    pub titles: Vec<String>,
    /// Until when.
    pub until: Timestamp,
}

/// What came of undoing a call. Serializes to JSON for the native API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UndoReport {
    /// The call that was to be undone.
    pub call: String,
    /// Its tool's name for people.
    pub title: String,
    /// Each thing that was to be undone; several for a call that did several things.
    pub items: Vec<UndoItem>,
}

impl UndoReport {
    /// The report in words.
    pub(crate) fn text(&self) -> String {
        let line = |item: &UndoItem| match (item.undone, item.earlier) {
            (true, false) => item.text.clone(),
            (true, true) => format!("Undone before: {}.", item.title),
            (false, _) => format!("Not undone: {}. {}", item.title, item.text),
        };
        self.items.iter().map(line).collect::<Vec<_>>().join("\n\n")
    }
}

/// One thing that was to be undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UndoItem {
    /// What was to happen, for people: "Restore “buy milk”".
    pub title: String,
    /// Whether it did.
    pub undone: bool,
    /// Whether it did, or may have done, when the call was undone before; it was not tried again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub earlier: bool,
    /// What the tool answered, or why it is not undone.
    pub text: String,
}

/// Why nothing is undone.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum UndoError {
    /// Nothing was done in the conversation that can be undone.
    #[error("there is nothing that can be undone")]
    Nothing,
    /// There is no such call among the latest of the conversation that can be undone.
    #[error("this call is none of the latest ones that can be undone")]
    UnknownCall,
    /// It was done too long ago.
    #[error("this was done too long ago to be undone")]
    TooLate,
    /// The turn of the undoing.
    #[error(transparent)]
    Turn(#[from] TurnError),
}

impl From<anyturn_state::Error> for UndoError {
    fn from(error: anyturn_state::Error) -> Self {
        UndoError::Turn(error.into())
    }
}
