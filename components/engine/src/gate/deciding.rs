//! Deciding gates one by one.

use super::taking::{Taken, Taking, by_itself};
use super::{
    DecideError, DecideOutcome, DecideRequest, Decider, Decision, Gate, GateKind, LARGEST, Verdict, canonical,
};
use crate::address::Address;
use crate::admission::holding;
use crate::assistant::Assistants;
use crate::attach::Listener;
use crate::catalog::Catalog;
use crate::conversation::{Gated, Progress};
use crate::engine::Engine;
use crate::event::outbox::Nobody;
use crate::journal::{GateDecided, GateOpened, Ruling};
use crate::loading::Loaded;
use crate::port::{Caller, Environment, Model, Sink, Tools};
use crate::scope;
use crate::settle::head;
use crate::turn::{Turn, TurnError, TurnState};
use anyturn_state::{LeaseState, Store};
use serde_json::Value;

/// The longest time that one `watch` may take, in milliseconds.
const LONGEST_WATCH: u64 = 30_000;

/// The longest comment, in characters.
const LONGEST_COMMENT: usize = 2_000;

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
        check(&request.decision)?;
        let address = Address::new(&request.owner, &request.session);
        let sink: &dyn Sink = if request.is_own() { sink } else { &Nobody };
        let deadline = self.environment.now().saturating_add(self.settings.attach);
        let mut late = false;
        loop {
            let seen = self.see(&address, Some(&request.gate), None).await?;
            let waiting = seen.loaded.conversation.turn_of_gate(&request.gate).cloned();
            let gated = waiting.as_ref().and_then(|turn| turn.gate(&request.gate));
            let (turn, gated) = match (&waiting, gated, &seen.kept) {
                (Some(turn), Some(gated), _) => ((turn.turn.clone(), turn.first), gated.clone()),
                (_, _, Some(kept)) => (
                    (kept.turn.to_string(), kept.first),
                    kept.gated.clone().into_owned(),
                ),
                _ => return Err(DecideError::UnknownGate),
            };
            may_decide(&request, &gated.opened)?;
            if !gated.is_open() {
                let gate = gated.report(&turn.0);
                if !agrees(&request.decision, &gated) {
                    return Err(DecideError::AlreadyDecided { gate: Box::new(gate) });
                }
                let waiting = waiting.filter(Progress::is_waiting);
                return match waiting {
                    Some(waiting) => self.still_waits(&request, &seen.loaded, &waiting, gate).await,
                    None => {
                        self.goes_on(&request, &address, turn, gate, assistants, sink)
                            .await
                    }
                };
            }
            let Some(waiting) = waiting.filter(|turn| seen.is_idle() && turn.is_waiting()) else {
                self.wait_for_others(&address, &seen.lease, seen.loaded.length, deadline, assistants)
                    .await?;
                continue;
            };
            late |= gated.is_due(self.store_time(&address.scope).await?);
            let decided = if late {
                by_itself(&gated, Ruling::Expired)
            } else {
                self.ruling(&request, &seen.loaded, &waiting, &gated, assistants)
                    .await?
            };
            let taking = Taking {
                turn: &waiting,
                not_after: (!late).then_some(gated.opened.expires),
                decisions: vec![decided.clone()],
                also: Vec::new(),
            };
            let gate =
                |turn: &str| decided_gate(&gated, decided.clone(), self.environment.now()).report(turn);
            match self.take(&address, &seen.loaded, taking, assistants).await? {
                Taken::Late => late = true,
                Taken::Elsewhere => {}
                Taken::Waits(after) => {
                    let gate = gate(&after.turn);
                    return self.still_waits(&request, &seen.loaded, &after, gate).await;
                }
                Taken::GoesOn(ready) => {
                    let gate = gate(&waiting.turn);
                    let turn = self.finish(&address, *ready, assistants, sink).await;
                    return outcome(&request, gate, turn);
                }
            }
        }
    }

    /// The decision as it is recorded, if it can be accepted.
    async fn ruling(
        &self,
        request: &DecideRequest,
        loaded: &Loaded,
        turn: &Progress,
        gated: &Gated,
        assistants: &impl Assistants,
    ) -> Result<GateDecided, DecideError> {
        let opened = &gated.opened;
        let decision = &request.decision;
        if decision.always && !opened.allow_always {
            return Err(DecideError::InvalidDecision(format!(
                "“{}” cannot be allowed for the rest of the conversation",
                opened.title
            )));
        }
        let edited = decision
            .arguments
            .as_ref()
            .map(|arguments| (arguments, canonical::hash(arguments)));
        let edited = edited.filter(|(_, hash)| *hash != opened.hash);
        if let Some((arguments, _)) = &edited {
            self.check_edited(request, loaded, turn, opened, arguments, assistants)
                .await?;
        }
        let (arguments, hash) = match edited {
            Some((arguments, hash)) => (Some(arguments.clone()), hash),
            None => (None, opened.hash.clone()),
        };
        Ok(GateDecided {
            gate: opened.gate.clone(),
            verdict: match decision.verdict {
                Verdict::Approve => Ruling::Approved,
                Verdict::Deny => Ruling::Denied,
            },
            by: Some(request.decider.user.clone()),
            arguments,
            hash,
            always: decision.always,
            comment: decision.comment.clone(),
        })
    }

    /// Checks edited arguments as the model's own are checked.
    async fn check_edited(
        &self,
        request: &DecideRequest,
        loaded: &Loaded,
        turn: &Progress,
        opened: &GateOpened,
        arguments: &Value,
        assistants: &impl Assistants,
    ) -> Result<(), DecideError> {
        let assistant = assistants.load(head(loaded)).await.map_err(TurnError::from)?;
        let caller = Caller {
            user: request.owner.clone(),
            roles: turn.started.roles.clone(),
            session: request.session.clone(),
            timezone: turn.started.timezone.clone(),
        };
        let catalog = Catalog::list(&assistant, &self.tools, &caller)
            .await
            .map_err(|failure| DecideError::Unchecked(failure.message))?;
        let Some(tool) = catalog.at(&opened.server, &opened.tool) else {
            return Err(DecideError::InvalidDecision(
                "the assistant does not have this tool any more".to_owned(),
            ));
        };
        let problems = tool.check(arguments);
        if problems.is_empty() {
            return Ok(());
        }
        Err(DecideError::InvalidDecision(format!(
            "the edited arguments are wrong: {}",
            problems.join("; ")
        )))
    }

    /// Waits for whoever works on the conversation, or does what is left to do there.
    async fn wait_for_others(
        &self,
        address: &Address,
        lease: &LeaseState,
        length: u64,
        deadline: u64,
        assistants: &impl Assistants,
    ) -> Result<(), TurnError> {
        let left = deadline.saturating_sub(self.environment.now());
        if left == 0 {
            return Err(TurnError::Busy {
                turn: holding(lease).to_owned(),
                retry_after: 1000,
            });
        }
        if lease.holder.is_empty() {
            return self.settle(address, assistants).await;
        }
        let time = lease.remaining.clamp(1, LONGEST_WATCH).min(left);
        self.store
            .watch(&address.scope, scope::TURNS, length, 1, time)
            .await?;
        Ok(())
    }

    /// The answer when the turn waits for other gates.
    async fn still_waits(
        &self,
        request: &DecideRequest,
        loaded: &Loaded,
        turn: &Progress,
        gate: Gate,
    ) -> Result<DecideOutcome, DecideError> {
        self.list_gates(&request.owner, &request.session, turn).await?;
        let report = turn.turn(&request.session, head(loaded));
        Ok(DecideOutcome {
            gate,
            waiting: true,
            turn: request.is_own().then_some(report),
        })
    }

    /// The answer when everything was decided before.
    async fn goes_on(
        &self,
        request: &DecideRequest,
        address: &Address,
        (turn, first): (String, u64),
        gate: Gate,
        assistants: &impl Assistants,
        sink: &dyn Sink,
    ) -> Result<DecideOutcome, DecideError> {
        let listener = Listener::repeating(Some(first), self.settings.attach, self.environment.now());
        let turn = self.follow(address, &turn, listener, assistants, sink).await;
        outcome(request, gate, turn)
    }
}

impl DecideRequest {
    fn is_own(&self) -> bool {
        self.decider.user == self.owner
    }
}

/// Whose conversation it is not hears nothing of it but that the decision is taken.
fn outcome(
    request: &DecideRequest,
    gate: Gate,
    turn: Result<Turn, TurnError>,
) -> Result<DecideOutcome, DecideError> {
    if !request.is_own() {
        let waiting = turn.is_ok_and(|turn| turn.state == TurnState::Waiting);
        return Ok(DecideOutcome {
            gate,
            waiting,
            turn: None,
        });
    }
    let turn = turn?;
    Ok(DecideOutcome {
        gate,
        waiting: turn.state == TurnState::Waiting,
        turn: Some(turn),
    })
}

/// Checks what needs no look at the gate.
fn check(decision: &Decision) -> Result<(), DecideError> {
    let invalid = |problem: &str| Err(DecideError::InvalidDecision(problem.to_owned()));
    if decision.verdict == Verdict::Deny && (decision.arguments.is_some() || decision.always) {
        return invalid("what is denied has no arguments to edit, and is not to be allowed always");
    }
    let comment = decision.comment.as_deref().unwrap_or_default();
    if comment.chars().count() > LONGEST_COMMENT {
        return invalid("a comment has at most 2000 characters");
    }
    let arguments = decision
        .arguments
        .as_ref()
        .map(Value::to_string)
        .unwrap_or_default();
    if arguments.len() > LARGEST {
        return invalid("edited arguments have at most 64 KiB");
    }
    Ok(())
}

/// Whether this person decides on this gate.
fn may_decide(request: &DecideRequest, opened: &GateOpened) -> Result<(), DecideError> {
    let Decider { user: _, roles } = &request.decider;
    match (opened.kind, &opened.role) {
        (GateKind::Confirm, _) if request.is_own() => Ok(()),
        (GateKind::Confirm, _) | (GateKind::Approve, None) => Err(DecideError::UnknownGate),
        (GateKind::Approve, Some(role)) if request.is_own() => {
            Err(DecideError::OwnRequest { role: role.clone() })
        }
        (GateKind::Approve, Some(role)) if roles.contains(role) => Ok(()),
        (GateKind::Approve, Some(role)) => Err(DecideError::OtherRole { role: role.clone() }),
    }
}

/// Whether a gate was decided in this way, or in none that anybody chose.
fn agrees(decision: &Decision, gated: &Gated) -> bool {
    let Some((_, decided)) = &gated.decided else {
        return false;
    };
    match (decided.verdict, decision.verdict) {
        (Ruling::Approved, Verdict::Approve) => {
            let hash = decision.arguments.as_ref().map(canonical::hash);
            decided.always == decision.always
                && decided.hash == hash.unwrap_or_else(|| gated.opened.hash.clone())
        }
        (Ruling::Denied, Verdict::Deny) | (Ruling::Expired | Ruling::Dropped, _) => true,
        (Ruling::Approved, Verdict::Deny) | (Ruling::Denied, Verdict::Approve) => false,
    }
}

fn decided_gate(gated: &Gated, decided: GateDecided, at: u64) -> Gated {
    Gated {
        decided: Some((at, decided)),
        ..gated.clone()
    }
}
