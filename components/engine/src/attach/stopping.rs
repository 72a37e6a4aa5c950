//! Stopping turns, from any instance.
//!
//! A turn is told to stop in the journal `control/<turn>`, which its instance watches once the turn is no longer
//! a quick one, and looks at with every write. What has ended is not touched: only the instance that has the
//! turn's lease ends it.

use super::Listener;
use crate::address::Address;
use crate::assistant::Assistants;
use crate::conversation::{End, Progress};
use crate::engine::Engine;
use crate::event::outbox::Nobody;
use crate::journal::{Failure, FailureKind, VERSION};
use crate::port::{Environment, Model, Tools};
use crate::scope;
use crate::turn::{TurnError, TurnState};
use anyturn_state::{Error, ExpectedLength, Store, Write};

/// How long it is kept that a turn was told to stop, in milliseconds: longer than a turn lasts.
const TTL: u64 = 24 * 60 * 60 * 1000;

/// What a request to stop a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopping {
    /// The turn was told to stop; its instance notices at once, or when it next writes.
    Asked,
    /// It has ended: before, and then it stays as it was, or just now.
    Ended(TurnState),
}

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// Stops a turn, on whatever instance it runs. The model's answer is broken off, no further tool is called,
    /// and what ran stays recorded. A turn that has ended stays as it is; one that waits for others ends when it
    /// begins, and one that waits for decisions ends without them.
    pub async fn stop(
        &self,
        user: &str,
        session: &str,
        turn: &str,
        assistants: &impl Assistants,
    ) -> Result<Stopping, TurnError> {
        let address = Address::new(user, session);
        let state = self.state(&address, None).await?;
        let begun = state.is_unfinished(turn);
        if begun || state.waiting(turn)?.is_some() {
            self.tell_to_stop(&address, turn).await?;
            if begun && !state.is_busy() {
                // Its instance died; nobody else would notice soon.
                self.settle(&address, assistants).await?;
            }
            let state = self.state(&address, None).await?;
            if state.is_unfinished(turn) || state.waiting(turn)?.is_some() {
                return Ok(Stopping::Asked);
            }
        }
        let mut report = self.report(user, session, turn).await?;
        let expired = |error: &Failure| error.kind == FailureKind::Expired && error.retryable;
        if report.state == TurnState::Waiting || report.error.as_ref().is_some_and(expired) {
            // It is taken up once more, only to stop.
            self.tell_to_stop(&address, turn).await?;
            Box::pin(self.drop_gates(&address, turn, assistants)).await?;
            report = self.report(user, session, turn).await?;
        }
        let ended = report.state;
        Ok(Stopping::Ended(ended))
    }

    /// Stops the running turn and waits for its end; gives it back if it was stopped and not quicker.
    pub(crate) async fn interrupt(
        &self,
        address: &Address,
        running: &str,
        assistants: &impl Assistants,
    ) -> Result<Option<Progress>, TurnError> {
        self.tell_to_stop(address, running).await?;
        let ended = self.follow(address, running, Listener::default(), assistants, &Nobody);
        match Box::pin(ended).await {
            // Refused after its admission, or forgotten: not there, in any case.
            Ok(_) | Err(TurnError::UnknownTurn) => {}
            Err(error) => return Err(error),
        }
        let loaded = self.load(address).await?;
        let found = self.find(address, &loaded, running, None).await?;
        Ok(found.filter(|turn| matches!(turn.end, Some(End::Stopped { .. }))))
    }

    async fn tell_to_stop(&self, address: &Address, turn: &str) -> Result<(), TurnError> {
        let entry = format!(r#"{{"v":{VERSION},"at":{}}}"#, self.environment.now());
        let tell = Write::Append {
            journal: scope::control(turn),
            expected: ExpectedLength::Exactly(0),
            entries: vec![entry.into_bytes()],
            ttl: Some(TTL),
        };
        match self.store.commit(&address.scope, vec![tell], Vec::new()).await {
            // It was told before.
            Ok(_) | Err(Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
