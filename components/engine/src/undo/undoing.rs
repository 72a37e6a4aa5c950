//! The turn that undoes.

use super::{UndoError, UndoRequest};
use crate::assistant::Assistants;
use crate::engine::Engine;
use crate::port::{Environment, Model, Sink, Tools};
use crate::turn::Turn;
use anyturn_state::Store;

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// Undoes a call of the conversation, in a turn of its own. The same call again gives the same turn.
    pub async fn undo(
        &self,
        assistants: &impl Assistants,
        request: UndoRequest,
        sink: &impl Sink,
    ) -> Result<Turn, UndoError> {
        let _ = (assistants, request, sink);
        Err(UndoError::Nothing)
    }
}
