//! Gates that have expired: how whoever reads sees them before anybody has written it down, and writing it down. By the
//! store's clock, which is also the one that refuses decisions which come too late.

use super::taking::{beside, by_itself};
use super::{Gate, GateState};
use crate::address::Address;
use crate::assistant::Assistants;
use crate::conversation::{Progress, waiting_until};
use crate::engine::Engine;
use crate::journal::{Entry, Failure, FailureKind, GateDecided, Record, Ruling, VERSION};
use crate::loading::Loaded;
use crate::port::{Environment, Model, Tools};
use crate::scope;
use crate::settle::head;
use crate::turn::{Turn, TurnError, TurnState};
use crate::watch;
use anyturn_state::{Actual, Error, ExpectedLength, Store, Write};

/// Why the latest turn does not go on by itself.
const EXPIRED: &str =
    "nobody decided in time what the turn waited for; asked for again, it goes on without that";

/// Why a turn does not go on any more.
pub(crate) const GONE_ON: &str =
    "nobody decided in time what the turn waited for, and the conversation went on without it";

impl Gate {
    /// Counts as expired, if it does at `now`.
    fn expire(&mut self, now: u64) {
        if self.state == GateState::Open && now > self.expires_at.0 {
            self.state = GateState::Expired;
        }
    }
}

impl Turn {
    /// The turn as it is at `now`. One that waits and of which all gates have expired is one that can be gone on with.
    pub(crate) fn at(mut self, now: u64) -> Turn {
        self.gates.iter_mut().for_each(|gate| gate.expire(now));
        let expired = self.gates.iter().any(|gate| gate.state == GateState::Expired);
        let open = self.gates.iter().any(|gate| gate.state == GateState::Open);
        if self.state == TurnState::Waiting && expired && !open {
            self.state = TurnState::Failed;
            self.error = Some(Failure::passing(FailureKind::Expired, EXPIRED));
        }
        self
    }
}

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// The store's clock, in milliseconds since the Unix epoch.
    pub(crate) async fn store_time(&self, scope: &str) -> Result<u64, Error> {
        // A moment that has passed for certain: the refusal tells the time.
        match self
            .store
            .commit(scope, vec![Write::NotAfter(0)], Vec::new())
            .await
        {
            Err(Error::Conflict {
                actual: Actual::Time(now),
                ..
            }) => Ok(now),
            Err(error) => Err(error),
            Ok(_) => Ok(self.environment.now()),
        }
    }

    /// Whether a turn waits for nothing but decisions that nobody can take any more.
    pub(crate) async fn is_due(&self, scope: &str, turn: &Progress) -> Result<bool, Error> {
        Ok(turn.is_waiting() && turn.is_due(self.store_time(scope).await?))
    }

    /// Writes down what time has decided in a conversation that nobody works on, and when to look at it again. Nothing
    /// runs: nobody asked, and a model that is told might only want the same once more. The latest turn may go on without
    /// the calls whenever somebody asks for it; one that others have followed is over.
    pub(crate) async fn close_expired(
        &self,
        address: &Address,
        assistants: &impl Assistants,
    ) -> Result<(), TurnError> {
        let time = self.store_time(&address.scope).await?;
        loop {
            let loaded = self.load(address).await?;
            // One at a time: so their gates fit into one commit, as they did when they were opened.
            let mut all_due = loaded.conversation.waiting().filter(|turn| turn.is_due(time));
            let (due, more) = (all_due.next(), all_due.next().is_some());
            let decisions: Vec<GateDecided> = due
                .iter()
                .flat_map(|turn| turn.open_gates())
                .map(|gated| by_itself(gated, Ruling::Expired))
                .collect();
            let mut writes = vec![Write::Append {
                journal: scope::TURNS.to_owned(),
                // Whoever has taken the turn up, or decided in it, has written to the journal.
                expected: ExpectedLength::Exactly(loaded.length),
                entries: match due {
                    Some(turn) => self.closing(&loaded, turn, &decisions)?,
                    None => Vec::new(),
                },
                ttl: None,
            }];
            if let Some(turn) = due {
                let ttl = assistants.load(head(&loaded)).await?.session.ttl;
                writes.extend(beside(turn, self.environment.now(), &decisions, Some(ttl))?);
            }
            let others = loaded.conversation.waiting();
            let others = others.filter(|other| due.is_none_or(|due| due.turn != other.turn));
            writes.push(waiting_until(others, None));
            match self.store.commit(&address.scope, writes, Vec::new()).await {
                Ok(_) => {}
                // It has gone on; whether anything is left to do there is seen at the next look.
                Err(Error::Conflict { .. }) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            if let Some(turn) = due {
                for gated in turn.open_gates() {
                    watch::gate_decided(&self.environment, turn, &gated.opened, Ruling::Expired);
                }
                self.unlist(turn.open_gates().map(|gated| &gated.opened)).await;
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// The entries that close a turn.
    fn closing(
        &self,
        loaded: &Loaded,
        turn: &Progress,
        decisions: &[GateDecided],
    ) -> Result<Vec<Vec<u8>>, TurnError> {
        let latest = loaded.conversation.current.as_ref();
        let error = if latest.is_some_and(|latest| latest.turn == turn.turn) {
            Failure::passing(FailureKind::Expired, EXPIRED)
        } else {
            Failure::lasting(FailureKind::Expired, GONE_ON)
        };
        let decided = |decided: &GateDecided| Record::GateDecided(Box::new(decided.clone()));
        let text = String::new();
        let mut entries = Vec::with_capacity(decisions.len() + 1);
        for what in decisions
            .iter()
            .map(decided)
            .chain([Record::TurnFailed { error, text }])
        {
            let (at, turn) = (self.environment.now(), turn.turn.clone());
            entries.push(
                Entry {
                    v: VERSION,
                    at,
                    turn,
                    what,
                }
                .encode()?,
            );
        }
        Ok(entries)
    }
}
