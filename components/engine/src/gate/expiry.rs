//! Gates that have expired, as whoever reads sees them before anybody has written it down: by the store's clock,
//! which is also the one that refuses decisions which come too late.

use super::{Gate, GateState};
use crate::conversation::Progress;
use crate::engine::Engine;
use crate::journal::{Failure, FailureKind};
use crate::port::{Environment, Model, Tools};
use crate::turn::{Turn, TurnState};
use anyturn_state::{Actual, Error, Store, Write};

/// Why a turn does not go on by itself.
const EXPIRED: &str =
    "nobody decided in time what the turn waited for; asked for again, it goes on without that";

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
}
