//! A "yes" or a "no" as the next message decides what the assistant has just asked its user.
//!
//! Only the user of the conversation can be meant by it, and only the turn right before: after another message,
//! a "yes" answers that one's turn, and the gates that still wait are decided one by one.

use super::taking::{Taken, Taking};
use super::{GateKind, Verdict};
use crate::address::Address;
use crate::admission::put_key;
use crate::assistant::Assistants;
use crate::attach::Listener;
use crate::engine::{Engine, key};
use crate::journal::{GateDecided, Ruling};
use crate::port::{Environment, Model, Sink, Tools};
use crate::settle::head;
use crate::turn::{SessionTarget, Turn, TurnError, TurnRequest};
use crate::words;
use anyturn_state::Store;

/// How often it is tried to take the decision.
const TRIES: u32 = 4;

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// Takes a message as the decision that it is; `None` if it is a message like any other.
    pub(crate) async fn answer(
        &self,
        address: &Address,
        request: &TurnRequest,
        assistants: &impl Assistants,
        sink: &impl Sink,
    ) -> Result<Option<Turn>, TurnError> {
        let known = matches!(
            request.session,
            SessionTarget::Existing { .. } | SessionTarget::Either { .. }
        );
        let Some(verdict) = words::verdict(&request.message).filter(|_| known) else {
            return Ok(None);
        };
        let key = key(request);
        // The turn and one of its gates, once a decision may have been taken.
        let mut tried: Option<(String, String)> = None;
        for _ in 0..TRIES {
            let seen = self.see(address, None, key.as_ref()).await?;
            let conversation = &seen.loaded.conversation;
            if let Some((turn, gate)) = &tried
                && let Some(gated) = conversation.turn(turn).and_then(|turn| turn.gate(gate))
                && !gated.is_open()
            {
                let followed = self.follow(address, turn, Listener::default(), assistants, sink);
                return Ok(Some(followed.await?));
            }
            let current = conversation
                .current
                .as_ref()
                .filter(|current| current.is_waiting());
            let Some(turn) = current.filter(|_| seen.is_idle() && !seen.key_taken) else {
                return Ok(None);
            };
            if request
                .assistant
                .as_deref()
                .is_some_and(|name| name != head(&seen.loaded))
            {
                return Ok(None);
            }
            let now = self.store_time(&address.scope).await?;
            let asked: Vec<_> = turn
                .open_gates()
                .filter(|gated| gated.opened.kind == GateKind::Confirm && !gated.is_due(now))
                .collect();
            let (Some(first), Some(expires)) = (
                asked.first(),
                asked.iter().map(|gated| gated.opened.expires).min(),
            ) else {
                return Ok(None);
            };
            tried = Some((turn.turn.clone(), first.opened.gate.clone()));
            let decided = |gated: &&crate::conversation::Gated| GateDecided {
                gate: gated.opened.gate.clone(),
                verdict: match verdict {
                    Verdict::Approve => Ruling::Approved,
                    Verdict::Deny => Ruling::Denied,
                },
                by: Some(request.user.clone()),
                arguments: None,
                hash: gated.opened.hash.clone(),
                always: false,
                comment: None,
            };
            let also = match &key {
                Some(key) => vec![put_key(key, &turn.turn, Some(turn.first), None)?],
                None => Vec::new(),
            };
            let taking = Taking {
                turn,
                decisions: asked.iter().map(decided).collect(),
                also,
                not_after: Some(expires),
            };
            match self.take(address, &seen.loaded, taking, assistants).await? {
                Taken::GoesOn(ready) => {
                    return Ok(Some(self.finish(address, *ready, assistants, sink).await?));
                }
                Taken::Waits(after) => return Ok(Some(after.turn(&address.session, head(&seen.loaded)))),
                Taken::Late => return Ok(None),
                Taken::Elsewhere => {}
            }
        }
        Ok(None)
    }
}
