//! The end of a turn: what is written with it, so that all of it is there or none.

use super::{Run, Stop};
use crate::admission::put_key;
use crate::conversation::{Conversation, Progress, waiting_until};
use crate::event::EventKind;
use crate::journal::writer::{LARGEST_ENTRY, WriteError, Writer};
use crate::journal::{CallOutcome, Entry, Key, Record, ToolFinished, VERSION};
use crate::port::{EffectClass, Environment};
use crate::scope;
use crate::turn::{Turn, TurnError, TurnState};
use anyturn_state::{Error, ExpectedVersion, Store, Write};

impl<S: Store, E: Environment> Run<'_, S, E> {
    /// This call is made from here on.
    pub(crate) fn making(&self, call: &str) {
        self.made.borrow_mut().push(call.to_owned());
    }

    /// Records what is known of calls that have no outcome, when the turn ends before they have one.
    fn settle_calls(&self) -> Result<(), WriteError> {
        for (step, intended) in self.progress(Progress::open_calls) {
            let made = self.made.borrow().contains(&intended.call);
            let outcome = if made && intended.class != EffectClass::Read {
                CallOutcome::Unknown(
                    "The turn was stopped; it is unknown whether this call took effect.".to_owned(),
                )
            } else {
                CallOutcome::NotRun("The turn was stopped before this call was made.".to_owned())
            };
            let finished = Record::ToolFinished(ToolFinished {
                step,
                call: intended.call.clone(),
                undo_until: None,
                outcome,
            });
            self.write(self.entry(self.turn.clone(), finished))?;
            let report =
                self.progress(|progress| progress.calls().into_iter().find(|call| call.id == intended.call));
            let told =
                self.told.borrow().contains(&intended.call) || self.log.started.contains(&intended.call);
            if let Some(report) = report.filter(|_| told) {
                self.tell_finished(report);
            }
        }
        Ok(())
    }

    /// Ends the turn, durably, and reports it.
    pub(crate) async fn close(&self, outcome: Result<(), Stop>) -> Result<Turn, TurnError> {
        let end = match outcome {
            Ok(()) => Record::TurnFinished {},
            Err(Stop::Failed { error, text }) => Record::TurnFailed { error, text },
            Err(Stop::Stopped { text }) => Record::TurnStopped { text },
            Err(Stop::Waiting) => Record::TurnWaiting {},
            Err(Stop::Lost(error)) => return Err(self.turn_error(error)),
        };
        let over = match &end {
            Record::TurnStopped { .. } => true,
            Record::TurnFailed { error, .. } => !error.retryable,
            _ => false,
        };
        if over {
            self.settle_calls().map_err(|error| self.turn_error(error))?;
            self.tell_what_was_undone();
        }
        let end = self.entry(self.turn.clone(), end);
        self.conversation.borrow_mut().apply(u64::MAX, end.clone());
        self.keep_for_gates();
        let last = self.last_writes()?;
        let turn = {
            let conversation = self.conversation.borrow();
            let Some(current) = &conversation.current else {
                return Err(Error::Corrupt("a turn that ended is not in its journal".to_owned()).into());
            };
            current.turn(&self.caller.session, &self.assistant.name)
        };
        self.writer
            .close(&end, Some(ending(&turn)), |length| {
                last.into_iter().map(|write| at_end(write, length)).collect()
            })
            .await
            .map_err(|error| self.turn_error(error))?;
        Ok(turn)
    }

    /// The snapshot, the checkpoint, when to look at what waits, and the record of the idempotency key.
    fn last_writes(&self) -> Result<Vec<Write>, TurnError> {
        let conversation = self.conversation.borrow();
        let Some(current) = &conversation.current else {
            return Ok(Vec::new());
        };
        let mut writes = Vec::with_capacity(4);
        writes.push(finished());
        let detached = conversation.head.as_ref().is_some_and(|head| head.detached);
        // A turn that may be tried again, or waits, stays outside of the snapshot, so that it can be gone on with.
        // If it is in the present one as one that waits, that one has to do.
        let whole = !current.can_go_on() && !current.is_waiting();
        if !detached && (whole || current.first > 0 && !current.moved) {
            let ttl = self.writer.ttl().unwrap_or(self.assistant.session.ttl);
            if let Some(snapshot) = conversation.snapshot(self.window, ttl, whole) {
                let (document, value) = (scope::SNAPSHOT.to_owned(), snapshot.encode());
                // Turns that wait can be large; without them in it, the journal is read from further back.
                if value.len() <= LARGEST_ENTRY {
                    writes.push(Write::Put {
                        document,
                        expected: ExpectedVersion::Any,
                        value,
                        ttl: Some(ttl),
                    });
                    let position = if whole { END } else { current.first };
                    writes.push(Write::SetCheckpoint {
                        journal: scope::TURNS.to_owned(),
                        position,
                    });
                }
            }
        }
        if current.has_gates() {
            writes.push(waiting_until(conversation.waiting(), self.writer.ttl()));
        }
        if let Some(key) = &current.started.key {
            writes.push(put_key(key, &self.turn, Some(current.first), self.writer.ttl())?);
        }
        Ok(writes)
    }

    pub(super) fn turn_error(&self, error: WriteError) -> TurnError {
        turn_error(&self.turn, error)
    }
}

fn turn_error(turn: &str, error: WriteError) -> TurnError {
    match error {
        WriteError::Fenced => TurnError::Fenced {
            turn: turn.to_owned(),
        },
        WriteError::Store(error) => TurnError::Store(error),
        WriteError::TooLarge => TurnError::InvalidMessage("the message is too large".to_owned()),
    }
}

/// Ends a turn that should not have been admitted, so that it is no part of the conversation, and gives the
/// reason back.
pub(crate) async fn refuse<S: Store, E: Environment>(
    environment: &E,
    writer: &Writer<'_, S, E>,
    conversation: &Conversation,
    reason: TurnError,
) -> TurnError {
    let Some(current) = &conversation.current else {
        return reason;
    };
    let turn = current.turn.clone();
    let what = Record::TurnRefused {
        reason: reason.to_string(),
    };
    let end = Entry {
        v: VERSION,
        at: environment.now(),
        turn: turn.clone(),
        what,
    };
    let forget = |key: &Key| Write::Delete {
        document: key.document.clone(),
        expected: ExpectedVersion::Any,
    };
    let mut writes = vec![finished()];
    writes.extend(current.started.key.as_ref().map(forget));
    match writer.close(&end, None, |_| writes).await {
        Ok(()) => reason,
        Err(error) => turn_error(&turn, error),
    }
}

/// The event that tells a turn's end.
pub(crate) fn ending(turn: &Turn) -> EventKind {
    let turn = Box::new(turn.clone());
    match turn.state {
        TurnState::Finished => EventKind::TurnFinished(turn),
        TurnState::Stopped => EventKind::TurnStopped(turn),
        TurnState::Waiting => EventKind::TurnWaiting(turn),
        TurnState::Failed | TurnState::Queued | TurnState::Running => EventKind::TurnFailed(turn),
    }
}

/// From now on the conversation has no turn that has not ended.
fn finished() -> Write {
    Write::Delete {
        document: scope::UNFINISHED.to_owned(),
        expected: ExpectedVersion::Any,
    }
}

/// Stands for the journal's length after the last write.
const END: u64 = u64::MAX;

fn at_end(write: Write, length: u64) -> Write {
    match write {
        Write::SetCheckpoint {
            journal,
            position: END,
        } => Write::SetCheckpoint {
            journal,
            position: length,
        },
        other => other,
    }
}
