//! What a running turn has to do with gates: its own, and those of turns before it that still wait.

use super::{Run, Stop};
use crate::assistant::Rule;
use crate::audit::{self, Audited};
use crate::catalog::Tool;
use crate::conversation::{Gated, Progress};
use crate::event::{EventKind, log};
use crate::gate::{GONE_ON, beside, by_itself};
use crate::journal::writer::{LARGEST_ENTRY, WriteError};
use crate::journal::{Failure, FailureKind, GateOpened, Record, Ruling};
use crate::port::{Effect, Environment};
use crate::turn::TurnError;
use crate::watch::{self, Span};
use anyturn_state::Store;

/// How many turns may wait for decisions in one conversation.
const MOST_WAITING: usize = 16;

/// How many gates of them one turn drops when it begins, so that all fits into one commit; those of one turn in
/// any case.
const CLOSED: usize = 32;

/// How large the arguments of those may be together, in bytes. Those of one turn are no larger, because all come from
/// one entry of the journal; each is written twice, for whoever asks again and for the audit.
const CLOSED_BYTES: usize = LARGEST_ENTRY;

impl<S: Store, E: Environment> Run<'_, S, E> {
    /// Ends turns before this one that wait for decisions nobody can take any more: the conversation goes on
    /// without them. If there are too many, also the oldest.
    pub(super) fn close_expired(&self) -> Result<(), TurnError> {
        // By the store's clock, as far as this instance knows it.
        let (now, time) = (self.environment.now(), self.writer.time());
        let ending: Vec<Progress> = {
            let conversation = self.conversation.borrow();
            let surplus = conversation.waiting.len().saturating_sub(MOST_WAITING);
            let due = |turn: &Progress| turn.open_gates().any(|gated| gated.is_due(time));
            let waiting = conversation.waiting.iter().enumerate();
            let ending = waiting.filter(|(place, turn)| *place < surplus || due(turn));
            let (mut gates, mut weight) = (0, 0);
            let fits = |turn: &Progress| {
                let first = gates == 0;
                gates += turn.open_gates().count();
                weight += turn.gates_weigh();
                first || gates <= CLOSED && weight <= CLOSED_BYTES
            };
            ending.map(|(_, turn)| turn.clone()).take_while(fits).collect()
        };
        for turn in &ending {
            let decide = |gated: &Gated| {
                let verdict = if gated.is_due(time) {
                    Ruling::Expired
                } else {
                    Ruling::Dropped
                };
                by_itself(gated, verdict)
            };
            let decisions: Vec<_> = turn.open_gates().map(decide).collect();
            for decided in &decisions {
                self.write_of(turn, Record::GateDecided(Box::new(decided.clone())))?;
                if let Some(gated) = turn.gate(&decided.gate) {
                    watch::gate_decided(self.environment, turn, &gated.opened, decided.verdict);
                }
            }
            for write in beside(turn, now, &decisions, self.writer.ttl())? {
                self.writer.also(write);
            }
            let error = Failure::lasting(FailureKind::Expired, GONE_ON);
            let text = String::new();
            self.write_of(turn, Record::TurnFailed { error, text })?;
        }
        Ok(())
    }

    fn write_of(&self, turn: &Progress, what: Record) -> Result<(), TurnError> {
        let entry = self.entry(turn.turn.clone(), what);
        self.write(entry).map_err(|error| self.turn_error(error))
    }

    /// Whether nobody can come back to the conversation.
    pub(crate) fn detached(&self) -> bool {
        let conversation = self.conversation.borrow();
        conversation.head.as_ref().is_some_and(|head| head.detached)
    }

    /// Who decides on a call of a tool that may have this effect, in this conversation.
    pub(crate) fn rule(&self, tool: &Tool, effect: Effect) -> Rule {
        let conversation = self.conversation.borrow();
        let standing = &conversation.standing;
        match tool.rule(effect) {
            Rule::Confirm { allow_always: true } if standing.allows(&tool.server, &tool.definition.name) => {
                Rule::Run
            }
            rule => rule,
        }
    }

    /// Records a gate of work that `span` stands for, and tells of it when that is durable.
    pub(crate) fn open_gate(&self, opened: GateOpened, span: &Span) -> Result<(), Stop> {
        let gate = opened.gate.clone();
        span.gate_opened(&opened);
        self.record(Record::GateOpened(Box::new(opened)))?;
        if let Some(gate) =
            self.progress(|progress| progress.gate(&gate).map(|gated| gated.report(&self.turn)))
        {
            self.emit(EventKind::GateOpened(Box::new(gate)));
        }
        Ok(())
    }

    /// Puts entries into the audit, in the commit that writes what was recorded last.
    pub(crate) fn audit(&self, entries: &[Audited]) -> Result<(), Stop> {
        let append = audit::append(entries).map_err(WriteError::from)?;
        self.writer.also(append);
        Ok(())
    }

    /// Keeps the conversation as long after its gates have expired as it is kept without any.
    pub(super) fn keep_for_gates(&self) {
        let conversation = self.conversation.borrow();
        let (now, own) = (self.environment.now(), self.assistant.session.ttl);
        let gates = conversation.waiting().flat_map(Progress::open_gates);
        let lives = gates.map(|gated| gated.keeps(now, own)).max();
        if let Some(lives) = lives
            && self.writer.ttl().is_some_and(|ttl| ttl < lives)
        {
            self.writer.set_ttl(Some(lives), log::TTL);
        }
    }
}
