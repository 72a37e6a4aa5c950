//! Forks: a new conversation that begins with what was said in another one up to some turn.
//!
//! Editing a message is a fork before its turn, and then a turn in the fork. What the fork's model sees is
//! copied; what lies further back stays in the origin, which the fork names. Gates, permissions, things to undo
//! and the audit stay with the origin.

use super::SessionHead;
use crate::engine::Engine;
use crate::port::{Environment, Model, Tools};
use crate::turn::TurnError;
use anyturn_state::Store;

/// A wish for a fork.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkRequest {
    /// Whose conversation it is.
    pub user: String,
    /// The conversation.
    pub session: String,
    /// The last turn of the fork's past.
    pub turn: String,
    /// Whether the past ends before that turn instead.
    pub before: bool,
    /// The fork's id, of [`crate::Engine::new_session_id`]. The same request again finds the same fork.
    pub fork: String,
}

/// Why there is no fork.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ForkError {
    /// There is no such session.
    #[error("there is no such session; it may have expired")]
    UnknownSession,
    /// There is no such turn in it.
    #[error("there is no such turn in this session")]
    UnknownTurn,
    /// The turn has not ended.
    #[error("this turn has not ended")]
    NotEnded,
    /// A session with the fork's id exists, and is another one.
    #[error("a session with this id exists already")]
    SessionExists,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] anyturn_state::Error),
}

impl From<ForkError> for TurnError {
    fn from(error: ForkError) -> Self {
        match error {
            ForkError::UnknownSession => TurnError::UnknownSession,
            ForkError::SessionExists => TurnError::SessionExists,
            ForkError::Store(error) => TurnError::Store(error),
            other => TurnError::InvalidMessage(other.to_string()),
        }
    }
}

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// Begins a conversation with the past of another one. It belongs into the user's list of sessions
    /// ([`crate::session_index::touch`]), and [`Engine::turn`] goes on with it.
    pub async fn fork(&self, request: ForkRequest) -> Result<SessionHead, ForkError> {
        let _ = request;
        Err(ForkError::UnknownTurn)
    }
}
