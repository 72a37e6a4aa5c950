//! Listening to a turn that is running, or has run, anywhere; and stopping it.

use crate::assistant::Assistants;
use crate::engine::Engine;
use crate::event::EventId;
use crate::port::{Environment, Model, Sink, Tools};
use crate::turn::{Turn, TurnError, TurnState};
use anyturn_state::Store;

/// What a request to stop a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopping {
    /// The turn was told to stop; its instance notices at once, or when it next writes.
    Asked,
    /// It had ended already, and stays as it ended.
    Ended(TurnState),
}

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// Tells `sink` what happens in a turn, from its beginning or after the event that the listener heard last,
    /// until it ends; returns how it ended. It does not matter which instance runs the turn. If none does any
    /// more, this one goes on with it.
    ///
    /// When the turn's events are not kept any more (ten minutes after its end), it is retold from its journal.
    pub async fn attach(
        &self,
        user: &str,
        session: &str,
        turn: &str,
        after: Option<EventId>,
        assistants: &impl Assistants,
        sink: &impl Sink,
    ) -> Result<Turn, TurnError> {
        let _ = (user, session, turn, after, assistants, sink);
        Err(TurnError::UnknownTurn)
    }

    /// How far a turn is: a report of what it has said and done by now.
    pub async fn report(&self, user: &str, session: &str, turn: &str) -> Result<Turn, TurnError> {
        let _ = (user, session, turn);
        Err(TurnError::UnknownTurn)
    }

    /// Stops a turn, on whatever instance it runs. The model's answer is broken off, no further tool is called,
    /// and what ran stays recorded. A turn that has ended stays as it is.
    pub async fn stop(
        &self,
        user: &str,
        session: &str,
        turn: &str,
        assistants: &impl Assistants,
    ) -> Result<Stopping, TurnError> {
        let _ = (user, session, turn, assistants);
        Err(TurnError::UnknownTurn)
    }
}
