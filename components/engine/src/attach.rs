//! Listening to a turn that is running, or has run, anywhere.
//!
//! A listener hears the turn's log and is woken by the store when there is more. It also sees to it that there
//! will be more: a turn that nobody works on any more is gone on with by whoever listens to it, and one that
//! waits is begun when those before it have ended. So every listener hears of the end, if it listens long enough.

mod hearing;
mod past;
mod stopping;

pub use stopping::Stopping;

use crate::address::Address;
use crate::assistant::Assistants;
use crate::engine::Engine;
use crate::event::{EventId, Place};
use crate::port::{Environment, Model, Sink, Tools};
use crate::scope;
use crate::settle::{Ready, Resumption, State};
use crate::turn::{Turn, TurnError};
use crate::working::Work;
use anyturn_state::Store;
use hearing::Hearing;
use past::Ended;
use std::cell::Cell;
use std::pin::pin;

/// The longest time that one `watch` may take, in milliseconds.
const LONGEST_WATCH: u64 = 30_000;

/// Milliseconds that the request of a message which waits has to begin its turn before others do it.
const PATIENCE: u64 = 250;

/// Entries of a log that are taken at once.
const PAGE: u32 = 128;

/// What a listener wants.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Listener {
    /// The last event that it has heard.
    heard: Option<Place>,
    /// Where the turn's first entry stands, if that is known.
    first: Option<u64>,
    /// Until when it waits, by this instance's clock; none waits until the end.
    deadline: Option<u64>,
    /// Whether a turn that failed is to be tried again, if that makes sense.
    retry: bool,
}

impl Listener {
    /// Somebody who has heard what comes before.
    pub(crate) fn after(heard: Option<Place>) -> Listener {
        Listener {
            heard,
            ..Listener::default()
        }
    }

    /// Somebody who repeats the request that led to the turn, and waits for so many milliseconds.
    pub(crate) fn repeating(first: Option<u64>, wait: u64, now: u64) -> Listener {
        Listener {
            heard: None,
            first,
            deadline: Some(now.saturating_add(wait)),
            retry: true,
        }
    }
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
        let address = Address::new(user, session);
        // An event of another turn says nothing about what was heard of this one.
        let after = after.filter(|after| after.turn == turn);
        let listener = Listener::after(after.map(|after| after.place()));
        self.follow(&address, turn, listener, assistants, sink).await
    }

    /// Listens to a turn until it ends, and does what has to be done so that it does.
    pub(crate) async fn follow(
        &self,
        address: &Address,
        turn: &str,
        listener: Listener,
        assistants: &impl Assistants,
        sink: &dyn Sink,
    ) -> Result<Turn, TurnError> {
        let mut hearing = Hearing::new(turn, sink, listener.heard);
        loop {
            let state = self.state(address, Some((turn, hearing.position))).await?;
            if hearing.take(&state.events)? {
                continue;
            }
            let resumption = if state.is_unfinished(turn) {
                hearing.end = None;
                if state.is_busy() {
                    let time = self.patience(&state, listener, turn)?;
                    let events = scope::events(turn);
                    let slice = self
                        .store
                        .watch(&address.scope, &events, hearing.position, PAGE, time)
                        .await?;
                    hearing.take(&slice)?;
                    continue;
                }
                self.resume(address, turn, assistants).await?
            } else if let Some((place, _)) = state.waiting(turn)? {
                self.wait(address, &state, place, listener, turn, assistants)
                    .await?
            } else {
                match self.ended(address, &state, &mut hearing, listener).await? {
                    Ended::Over(turn) => return Ok(*turn),
                    Ended::GoesOn => self.resume(address, turn, assistants).await?,
                    Ended::Again => continue,
                }
            };
            let Resumption::Ready(ready) = resumption else {
                continue;
            };
            while hearing.take(&self.log(address, turn, hearing.position).await?)? {}
            hearing.end = None;
            let Ready { admitted, assistant } = *ready;
            let heard = Cell::new(hearing.heard);
            let work = Work {
                address,
                admitted,
                assistant: &assistant,
                urgent: false,
                sink,
                heard: &heard,
            };
            match self.run(work, pin!(std::future::ready(None))).await {
                // Somebody else has it now, and may have ended it before this instance had read so far.
                Err(TurnError::Fenced { .. }) => {
                    hearing.heard = heard.get();
                    hearing.position = 0;
                }
                result => return result,
            }
        }
    }

    /// Waits for those before a message that waits, or begins its turn.
    async fn wait(
        &self,
        address: &Address,
        state: &State,
        place: usize,
        listener: Listener,
        turn: &str,
        assistants: &impl Assistants,
    ) -> Result<Resumption, TurnError> {
        let time = self.patience(state, listener, turn)?;
        if !state.is_busy() && state.unfinished.is_none() && place == 0 {
            return self.call_next(address, state, assistants).await;
        }
        let time = if state.is_busy() { time } else { PATIENCE };
        let slice = self
            .store
            .watch(&address.scope, scope::TURNS, state.length, 1, time)
            .await?;
        if slice.entries.is_empty() {
            // If somebody is at work, this does nothing.
            self.settle(address, assistants).await?;
        }
        Ok(Resumption::Elsewhere)
    }

    /// How long to wait for what comes next: no longer than the lease of whoever works on it lasts.
    fn patience(&self, state: &State, listener: Listener, turn: &str) -> Result<u64, TurnError> {
        let left = match listener.deadline {
            None => LONGEST_WATCH,
            Some(deadline) => deadline.saturating_sub(self.environment.now()),
        };
        if left == 0 {
            return Err(TurnError::StillRunning {
                turn: turn.to_owned(),
                retry_after: 1000,
            });
        }
        Ok(state.lease.remaining.clamp(1, LONGEST_WATCH).min(left))
    }
}
