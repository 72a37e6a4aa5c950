//! A running turn: its steps, its events and its end.
//!
//! [`Run::step`] is the one primitive that assistants are made of. It rests on two rules:
//! - a step whose outcome is in the journal is not run again; the recorded outcome is returned;
//! - before a step runs, everything that was recorded until then is durable, so nothing ever depends on an
//!   outcome that a crash can undo.
//!
//! So an outcome is written with whatever comes next, and a turn in which nothing comes next is written at
//! once at its end. Ids of steps are paths (`tool/2/0`), not counters, so that steps can run in parallel.

mod gates;

use crate::admission::put_key;
use crate::assistant::Assistant;
use crate::conversation::{Conversation, Progress, Window};
use crate::event::log::Told;
use crate::event::{EventKind, ToolStarted, TurnStarted};
use crate::journal::writer::{LARGEST_ENTRY, WriteError, Writer};
use crate::journal::{
    CallOutcome, Entry, Failure, FailureKind, Key, ModelCalled, Record, ToolFinished, VERSION,
};
use crate::port::{Caller, EffectClass, Environment, Message};
use crate::scope;
use crate::time::Timestamp;
use crate::turn::{ToolCallReport, Turn, TurnError, TurnState};
use anyturn_state::{Error, ExpectedVersion, Store, Write};
use std::cell::{Cell, RefCell};

/// A running turn.
pub(crate) struct Run<'a, S, E> {
    pub assistant: &'a Assistant,
    pub caller: Caller,
    environment: &'a E,
    writer: &'a Writer<'a, S, E>,
    window: Window,
    /// Has a current turn, which is this one.
    conversation: RefCell<Conversation>,
    turn: String,
    /// What was told of the turn before this instance took it over.
    log: Told,
    /// Whether the listeners know in words what the turn has undone.
    undone: Cell<bool>,
    /// Calls that may have been made: those intended before this instance had the turn, and its own.
    made: RefCell<Vec<String>>,
    /// Calls that this instance has told to begin.
    told: RefCell<Vec<String>>,
    /// Whether text was told, and whether an empty line belongs before the next.
    text: Cell<Text>,
}

#[derive(Clone, Copy, PartialEq)]
enum Text {
    Nothing,
    Answering,
    Answered,
}

/// Why a turn does not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It failed; this becomes part of the conversation.
    Failed {
        /// Why.
        error: Failure,
        /// What was said of the answer that broke off.
        text: String,
    },
    /// Somebody stopped it; this becomes part of the conversation.
    Stopped {
        /// What was said of the answer that broke off.
        text: String,
    },
    /// It goes on when its gates are decided.
    Waiting,
    /// It is not this instance's any more, or the store failed.
    Lost(WriteError),
}

impl From<Failure> for Stop {
    fn from(error: Failure) -> Self {
        Stop::Failed {
            error,
            text: String::new(),
        }
    }
}

impl From<WriteError> for Stop {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::TooLarge => {
                Failure::lasting(FailureKind::TooLarge, "an answer is larger than the store takes").into()
            }
            lost => Stop::Lost(lost),
        }
    }
}

/// What a step gives, as the journal records it.
pub(crate) trait Outcome: Clone {
    /// What is recorded of a step.
    fn recorded(progress: &Progress, step: &str) -> Option<Self>;
    /// The record of it.
    fn record(self) -> Record;
}

impl Outcome for ModelCalled {
    fn recorded(progress: &Progress, step: &str) -> Option<Self> {
        progress.model(step).cloned()
    }

    fn record(self) -> Record {
        Record::ModelCalled(self)
    }
}

impl Outcome for ToolFinished {
    fn recorded(progress: &Progress, step: &str) -> Option<Self> {
        progress.tool(step).cloned()
    }

    fn record(self) -> Record {
        Record::ToolFinished(self)
    }
}

impl<'a, S: Store, E: Environment> Run<'a, S, E> {
    /// The turn that was admitted. Turns that it supersedes are closed with its first write.
    pub(crate) fn new(
        environment: &'a E,
        writer: &'a Writer<'a, S, E>,
        assistant: &'a Assistant,
        caller: Caller,
        mut conversation: Conversation,
        taken_over: Option<Told>,
    ) -> Result<Self, TurnError> {
        let Some(turn) = conversation.current.as_ref().map(|current| current.turn.clone()) else {
            return Err(Error::Corrupt("an admitted turn is not in its journal".to_owned()).into());
        };
        let window = Window {
            turns: assistant.session.window_turns,
            bytes: assistant.session.window_bytes,
        };
        conversation.trim(window);
        let superseded = conversation.superseded.clone();
        let open = conversation.current.iter().flat_map(Progress::open_calls);
        let made = RefCell::new(open.map(|(_, intended)| intended.call).collect());
        let run = Run {
            assistant,
            caller,
            environment,
            writer,
            window,
            conversation: RefCell::new(conversation),
            turn,
            log: Told::default(),
            undone: Cell::default(),
            made,
            told: RefCell::default(),
            text: Cell::new(Text::Nothing),
        };
        for progress in superseded {
            if let Some(key) = &progress.started.key {
                writer.also(put_key(key, &progress.turn, Some(progress.first), writer.ttl())?);
            }
            let closed = run.entry(progress.turn, Record::TurnAbandoned {});
            run.write(closed).map_err(|error| run.turn_error(error))?;
        }
        run.close_expired()?;
        run.keep_for_gates();
        Ok(run.begin(taken_over))
    }

    /// Tells that the turn begins, or that it goes on and what stands of its answer.
    fn begin(mut self, taken_over: Option<Told>) -> Self {
        if taken_over.as_ref().is_none_or(|told| told.next == 0) {
            self.emit(EventKind::TurnStarted(TurnStarted {
                session: self.caller.session.clone(),
                turn: self.turn.clone(),
                assistant: self.assistant.name.clone(),
                created_at: Timestamp(self.progress(|progress| progress.at)),
            }));
        }
        if let Some(told) = taken_over {
            let text = self.progress(Progress::content);
            if !text.is_empty() {
                self.text.set(Text::Answered);
            }
            self.undone
                .set(self.progress(|progress| progress.undone().is_some()));
            self.emit(EventKind::TurnResumed { text });
            for gate in self.progress(Progress::gate_reports) {
                if gate.decided.is_some() && !told.decided.contains(&gate.id) {
                    self.emit(EventKind::GateDecided(Box::new(gate)));
                }
            }
            self.log = told;
        }
        self
    }

    /// The turn's id.
    pub(crate) fn turn(&self) -> &str {
        &self.turn
    }

    /// Looks at how far the turn has come.
    pub(crate) fn progress<T: Default>(&self, look: impl FnOnce(&Progress) -> T) -> T {
        // There is always a current turn; `new` has seen to it.
        self.conversation
            .borrow()
            .current
            .as_ref()
            .map(look)
            .unwrap_or_default()
    }

    /// What the model has seen before this turn.
    pub(crate) fn history(&self) -> Vec<Message> {
        self.conversation.borrow().history(self.window)
    }

    /// Runs `action`, unless its outcome is recorded. A failure is not an outcome: it ends the turn, and is
    /// run again if the turn is.
    pub(crate) async fn step<O: Outcome>(
        &self,
        id: &str,
        action: impl AsyncFnOnce() -> Result<O, Stop>,
    ) -> Result<O, Stop> {
        if let Some(outcome) = self.progress(|progress| O::recorded(progress, id)) {
            return Ok(outcome);
        }
        self.writer.flush().await?;
        self.go_on()?;
        let outcome = action().await?;
        self.record(outcome.clone().record())?;
        Ok(outcome)
    }

    /// Stops if the turn was told to.
    pub(crate) fn go_on(&self) -> Result<(), Stop> {
        if self.writer.stop.is_given() {
            return Err(Stop::Stopped { text: String::new() });
        }
        Ok(())
    }

    /// Waits until the turn is told to stop.
    pub(crate) async fn stopped(&self) {
        self.writer.stop.wait().await;
    }

    /// The last moment at which what is done for the turn now may take effect, by the store's clock.
    pub(crate) async fn deadline(&self) -> Result<u64, Stop> {
        Ok(self.writer.deadline().await?)
    }

    /// How long the lease lasts from its renewal on, in milliseconds.
    pub(crate) fn lease(&self) -> u64 {
        self.writer.lease()
    }

    /// Records something; it becomes durable before the next step runs.
    pub(crate) fn record(&self, what: Record) -> Result<(), Stop> {
        let entry = self.entry(self.turn.clone(), what);
        Ok(self.write(entry)?)
    }

    /// Makes everything durable that was recorded.
    pub(crate) async fn flush(&self) -> Result<(), Stop> {
        Ok(self.writer.flush().await?)
    }

    fn entry(&self, turn: String, what: Record) -> Entry {
        Entry {
            v: VERSION,
            at: self.environment.now(),
            turn,
            what,
        }
    }

    fn write(&self, entry: Entry) -> Result<(), WriteError> {
        self.writer.record(&entry)?;
        // The position matters to entries that begin a turn only, and those are admission's.
        self.conversation.borrow_mut().apply(u64::MAX, entry);
        Ok(())
    }

    // ---- telling --------------------------------------------------------------------------------------

    /// Tells the listeners.
    fn emit(&self, kind: EventKind) {
        self.writer.tell(kind);
    }

    /// Tells that a tool is about to run, unless that was told already.
    pub(crate) fn tell_started(&self, started: ToolStarted) {
        if !self.log.started.contains(&started.id) {
            self.told.borrow_mut().push(started.id.clone());
            self.emit(EventKind::ToolStarted(started));
        }
    }

    /// Tells what came of a call, unless that was told already.
    pub(crate) fn tell_finished(&self, report: ToolCallReport) {
        if !self.log.finished.contains(&report.id) {
            self.emit(EventKind::ToolFinished(report));
        }
    }

    /// Tells what came of undoing, if that is what the turn is for.
    pub(crate) fn tell_undone(&self) {
        if let Some(report) = self.progress(|progress| progress.undo_report()) {
            self.emit(EventKind::UndoFinished(report));
        }
    }

    /// Tells more of an answer.
    pub(crate) fn tell(&self, text: String) {
        if text.is_empty() {
            return;
        }
        let text = if self.text.get() == Text::Answered {
            format!("\n\n{text}")
        } else {
            text
        };
        self.text.set(Text::Answering);
        self.emit(EventKind::TextDelta { text });
    }

    /// Tells in words what the turn has undone and what not, once that is known; before the rest of its text.
    pub(crate) fn tell_what_was_undone(&self) {
        if self.undone.get() {
            return;
        }
        if let Some(undone) = self.progress(Progress::undone) {
            self.undone.set(true);
            self.tell(undone);
            self.told();
        }
    }

    /// The answer is complete; if another one follows, an empty line parts them.
    pub(crate) fn told(&self) {
        if self.text.get() == Text::Answering {
            self.text.set(Text::Answered);
        }
    }

    // ---- the end --------------------------------------------------------------------------------------

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

    /// The snapshot, the checkpoint and the record of the idempotency key.
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
        if let Some(key) = &current.started.key {
            writes.push(put_key(key, &self.turn, Some(current.first), self.writer.ttl())?);
        }
        Ok(writes)
    }

    fn turn_error(&self, error: WriteError) -> TurnError {
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
