//! A running turn: its steps, its events and its end.
//!
//! [`Run::step`] is the one primitive that assistants are made of. It rests on two rules:
//! - a step whose outcome is in the journal is not run again; the recorded outcome is returned;
//! - before a step runs, everything that was recorded until then is durable, so nothing ever depends on an
//!   outcome that a crash can undo.
//!
//! So an outcome is written with whatever comes next, and a turn in which nothing comes next is written at
//! once at its end. Ids of steps are paths (`tool/2/0`), not counters, so that steps can run in parallel.

use crate::admission::{Admitted, put_key};
use crate::assistant::Assistant;
use crate::conversation::{Conversation, Progress, Window};
use crate::event::{Event, EventKind};
use crate::journal::writer::{WriteError, Writer};
use crate::journal::{Entry, Failure, FailureKind, Key, ModelCalled, Record, ToolFinished, VERSION};
use crate::port::{Caller, Environment, Message, Sink};
use crate::scope;
use crate::time::Timestamp;
use crate::turn::{Turn, TurnError};
use anyturn_state::{Error, ExpectedVersion, Store, Write};
use std::cell::{Cell, RefCell};

/// A running turn.
pub(crate) struct Run<'a, S, E, K> {
    pub assistant: &'a Assistant,
    pub caller: Caller,
    environment: &'a E,
    writer: &'a Writer<'a, S, E>,
    sink: &'a K,
    window: Window,
    /// Has a current turn, which is this one.
    conversation: RefCell<Conversation>,
    turn: String,
    /// Events so far.
    events: Cell<u64>,
    /// Whether text was told, and whether an empty line belongs before the next.
    told: Cell<Told>,
}

#[derive(Clone, Copy, PartialEq)]
enum Told {
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

impl<'a, S: Store, E: Environment, K: Sink> Run<'a, S, E, K> {
    /// The turn that was admitted. Turns that it supersedes are closed with its first write.
    pub(crate) fn new(
        environment: &'a E,
        writer: &'a Writer<'a, S, E>,
        sink: &'a K,
        assistant: &'a Assistant,
        caller: Caller,
        admitted: Admitted,
    ) -> Result<Self, TurnError> {
        let mut conversation = admitted.loaded.conversation;
        let Some(turn) = conversation.current.as_ref().map(|current| current.turn.clone()) else {
            return Err(Error::Corrupt("an admitted turn is not in its journal".to_owned()).into());
        };
        let window = Window {
            turns: assistant.session.window_turns,
            bytes: assistant.session.window_bytes,
        };
        conversation.trim(window);
        let superseded = conversation.superseded.clone();
        let run = Run {
            assistant,
            caller,
            environment,
            writer,
            sink,
            window,
            conversation: RefCell::new(conversation),
            turn,
            events: Cell::new(0),
            told: Cell::new(Told::Nothing),
        };
        for progress in superseded {
            if let Some(key) = &progress.started.key {
                writer.also(put_key(key, &progress.turn, Some(progress.first), writer.ttl())?);
            }
            let closed = run.entry(progress.turn, Record::TurnAbandoned {});
            run.write(closed).map_err(|error| run.turn_error(error))?;
        }
        run.emit(EventKind::TurnStarted(crate::event::TurnStarted {
            session: run.caller.session.clone(),
            turn: run.turn.clone(),
            assistant: assistant.name.clone(),
            created_at: Timestamp(run.progress(|progress| progress.at)),
        }));
        Ok(run)
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
        let outcome = action().await?;
        self.record(outcome.clone().record())?;
        Ok(outcome)
    }

    /// Records something; it becomes durable before the next step runs.
    pub(crate) fn record(&self, what: Record) -> Result<(), Stop> {
        let entry = self.entry(self.turn.clone(), what);
        Ok(self.write(entry)?)
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

    /// Tells the listener.
    pub(crate) fn emit(&self, kind: EventKind) {
        let n = self.events.get();
        self.events.set(n + 1);
        self.sink.emit(Event {
            id: crate::event::EventId {
                turn: self.turn.clone(),
                epoch: 0,
                n,
            },
            kind,
        });
    }

    /// Tells the listener more of an answer.
    pub(crate) fn tell(&self, text: String) {
        if text.is_empty() {
            return;
        }
        let text = if self.told.get() == Told::Answered {
            format!("\n\n{text}")
        } else {
            text
        };
        self.told.set(Told::Answering);
        self.emit(EventKind::TextDelta { text });
    }

    /// The answer is complete; if another one follows, an empty line parts them.
    pub(crate) fn told(&self) {
        if self.told.get() == Told::Answering {
            self.told.set(Told::Answered);
        }
    }

    // ---- the end --------------------------------------------------------------------------------------

    /// Ends the turn, durably, and reports it.
    pub(crate) async fn close(&self, outcome: Result<(), Stop>) -> Result<Turn, TurnError> {
        let end = match outcome {
            Ok(()) => Record::TurnFinished {},
            Err(Stop::Failed { error, text }) => Record::TurnFailed { error, text },
            Err(Stop::Lost(error)) => return Err(self.turn_error(error)),
        };
        let end = self.entry(self.turn.clone(), end);
        self.conversation.borrow_mut().apply(u64::MAX, end.clone());
        let last = self.last_writes()?;
        self.writer
            .close(&end, |length| {
                last.into_iter().map(|write| at_end(write, length)).collect()
            })
            .await
            .map_err(|error| self.turn_error(error))?;
        let turn = {
            let conversation = self.conversation.borrow();
            let Some(current) = &conversation.current else {
                return Err(Error::Corrupt("a turn that ended is not in its journal".to_owned()).into());
            };
            current.turn(&self.caller.session, &self.assistant.name)
        };
        self.emit(match turn.error {
            None => EventKind::TurnFinished(Box::new(turn.clone())),
            Some(_) => EventKind::TurnFailed(Box::new(turn.clone())),
        });
        Ok(turn)
    }

    /// The snapshot, the checkpoint and the record of the idempotency key.
    fn last_writes(&self) -> Result<Vec<Write>, TurnError> {
        let conversation = self.conversation.borrow();
        let Some(current) = &conversation.current else {
            return Ok(Vec::new());
        };
        let mut writes = Vec::with_capacity(3);
        let detached = conversation.head.as_ref().is_some_and(|head| head.detached);
        // A turn that may be tried again stays outside of the snapshot, so that it can be gone on with.
        let whole = !current.can_go_on();
        if !detached && (whole || current.first > 0) {
            let ttl = self.writer.ttl().unwrap_or(self.assistant.session.ttl);
            if let Some(snapshot) = conversation.snapshot(self.window, ttl, whole) {
                let (document, value) = (scope::SNAPSHOT.to_owned(), snapshot.encode());
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
    let writes = current.started.key.as_ref().map(forget).into_iter().collect();
    match writer.close(&end, |_| writes).await {
        Ok(()) => reason,
        Err(error) => turn_error(&turn, error),
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
