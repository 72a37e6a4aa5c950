//! Turns that have ended, and reports of any turn.

use super::Listener;
use super::hearing::Hearing;
use crate::address::Address;
use crate::conversation::Progress;
use crate::engine::Engine;
use crate::event::log::Entry as Logged;
use crate::journal::{Entry, Failure, FailureKind, Record};
use crate::loading::{self, Loaded, PAGE};
use crate::port::{Environment, Model, Tools};
use crate::settle::{State, head};
use crate::turn::{Turn, TurnError, TurnState};
use anyturn_state::{Position, Store};

/// What there is of a turn that is not running and does not wait.
pub(super) enum Ended {
    /// Its end, which has been told.
    Over(Box<Turn>),
    /// It has not ended after all, or the listener wants it tried again, and that makes sense.
    GoesOn,
    /// More was logged of it; it is to be looked at once more.
    Again,
}

/// How many pages of a conversation's journal are searched for a turn of which nothing else is known.
const PAGES: u32 = 16;

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// How far a turn is: a report of what it has said and done by now.
    pub async fn report(&self, user: &str, session: &str, turn: &str) -> Result<Turn, TurnError> {
        let address = Address::new(user, session);
        let state = self.state(&address, None).await?;
        let loaded = self.load(&address).await?;
        if let Some((_, waiting)) = state.waiting(turn)? {
            let progress = Progress::new(waiting.turn, 0, waiting.at, waiting.started);
            return Ok(Turn {
                state: TurnState::Queued,
                ..progress.turn(session, head(&loaded))
            });
        }
        if let Some(found) = self.find(&address, &loaded, turn, None).await? {
            let report = found.turn(session, head(&loaded));
            return Ok(if found.is_waiting() {
                report.at(self.store_time(&address.scope).await?)
            } else {
                report
            });
        }
        // Conversations may be kept for a shorter time than the events of their turns.
        let mut hearing = Hearing::new(turn, &crate::event::outbox::Nobody, None);
        while hearing.take(&self.log(&address, turn, hearing.position).await?)? {}
        match hearing.end {
            Some(Logged::Event(event)) => event.kind.end().cloned().ok_or(TurnError::UnknownTurn),
            _ => Err(unknown(&state)),
        }
    }

    /// Tells the end of a turn that is not running and does not wait, unless it is to be gone on with.
    pub(super) async fn ended(
        &self,
        address: &Address,
        state: &State,
        hearing: &mut Hearing<'_>,
        listener: Listener,
    ) -> Result<Ended, TurnError> {
        let logged = match &hearing.end {
            Some(Logged::Event(event)) => event.kind.end().cloned(),
            Some(Logged::End(_)) | None => None,
        };
        let retryable = |turn: &Turn| turn.error.as_ref().is_some_and(|error| error.retryable);
        // What a turn waits for may have been decided in part, or have expired, since it was told.
        let lasts = |turn: &&Turn| !retryable(turn) && turn.state != TurnState::Waiting;
        if let Some(turn) = logged.as_ref().filter(lasts) {
            hearing.conclude(turn);
            return Ok(Ended::Over(Box::new(turn.clone())));
        }
        let loaded = self.load(address).await?;
        let found = self
            .find(address, &loaded, hearing.turn(), listener.first)
            .await?;
        let turn = match (found, logged) {
            // It began, or is tried again, since the state was read.
            (Some(found), _) if found.end.is_none() => return Ok(Ended::GoesOn),
            (Some(found), _) if listener.retry && found.can_go_on() => return Ok(Ended::GoesOn),
            (Some(found), _) if found.goes_on_without() || self.is_due(&address.scope, &found).await? => {
                return Ok(Ended::GoesOn);
            }
            (Some(found), _) => found.turn(&address.session, head(&loaded)),
            (None, Some(turn)) => turn,
            (None, None) => return Err(unknown(state)),
        };
        if hearing.end.is_some() {
            // It may have gone on and ended once more since the log was read: then that is told, as it was logged.
            let length = hearing.position;
            let more = self.log(address, hearing.turn(), length).await?;
            if more.length > length {
                hearing.take(&more)?;
                return Ok(Ended::Again);
            }
        }
        let expired = |error: &Failure| error.kind == FailureKind::Expired;
        if hearing.end.is_some() && turn.error.as_ref().is_some_and(expired) {
            hearing.overtaken(&turn);
        } else if hearing.end.is_some() {
            hearing.conclude(&turn);
        } else {
            hearing.retell(&turn);
        }
        Ok(Ended::Over(Box::new(turn)))
    }

    /// A turn of a conversation; `None` if it is gone, or was never part of it. `first`: where its first entry
    /// stands, if that is known.
    pub(crate) async fn find(
        &self,
        address: &Address,
        loaded: &Loaded,
        turn: &str,
        first: Option<u64>,
    ) -> Result<Option<Progress>, TurnError> {
        // A turn that has not ended, or may be tried again, is after the checkpoint.
        let conversation = &loaded.conversation;
        let near = conversation.current.iter().chain(&conversation.superseded);
        let mut near = near.chain(&conversation.waiting);
        if let Some(progress) = near.find(|known| known.turn == turn) {
            return Ok(Some(progress.clone()));
        }
        let first = match first {
            Some(first) => Some(first),
            None => self.search(address, loaded.length, turn).await?,
        };
        let Some(first) = first else {
            return Ok(None);
        };
        let mut found = loading::turn_at(&self.store, &address.scope, first, turn).await?;
        if let Some(found) = &mut found {
            // The conversation has gone on; trying this one again now would change its past.
            found.settle();
        }
        Ok(found)
    }

    /// Where a turn's first entry stands, if that is not too long ago.
    async fn search(&self, address: &Address, length: u64, turn: &str) -> Result<Option<u64>, TurnError> {
        let mut end = length;
        for _ in 0..PAGES {
            if end == 0 {
                break;
            }
            let start = end.saturating_sub(u64::from(PAGE));
            let slice = loading::read(&self.store, &address.scope, Position::At(start), PAGE).await?;
            for (position, bytes) in (slice.first..end).zip(&slice.entries) {
                let entry = Entry::decode(bytes, position)?;
                if entry.turn == turn && matches!(entry.what, Record::TurnStarted(_)) {
                    return Ok(Some(position));
                }
            }
            end = start;
        }
        Ok(None)
    }
}

fn unknown(state: &State) -> TurnError {
    if state.length == 0 {
        TurnError::UnknownSession
    } else {
        TurnError::UnknownTurn
    }
}
