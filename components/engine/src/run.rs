//! A running turn: its steps, its events and its end.
//!
//! [`Run::step`] is the one primitive that assistants are made of. It rests on two rules:
//! - a step whose outcome is in the journal is not run again; the recorded outcome is returned;
//! - before a step runs, everything that was recorded until then is durable, so nothing ever depends on an
//!   outcome that a crash can undo.
//!
//! So an outcome is written with whatever comes next, and a turn in which nothing comes next is written at
//! once at its end. Ids of steps are paths (`tool/2/0`), not counters, so that steps can run in parallel.

mod ending;
mod gates;

pub(crate) use ending::{ending, refuse};

use crate::admission::put_key;
use crate::assistant::Assistant;
use crate::conversation::{Conversation, Domains, Progress, Window};
use crate::event::log::Told;
use crate::event::{AgentProgress, EventKind, Stage, StageStatus, ToolStarted, TurnStarted};
use crate::journal::writer::{Lease, WriteError, Writer};
use crate::journal::{Entry, Failure, FailureKind, ModelCalled, Record, ToolFinished, VERSION};
use crate::port::{Caller, Environment, Message};
use crate::time::Timestamp;
use crate::turn::{ToolCallReport, TurnError};
use crate::watch::Span;
use anyturn_state::{Error, Store};
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
    /// The work on the turn, for those who watch it.
    pub span: Span,
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
        span: Span,
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
            span,
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
        if self.is_stopped() {
            return Err(Stop::Stopped { text: String::new() });
        }
        Ok(())
    }

    /// Whether the turn was told to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.writer.stop.is_given()
    }

    /// Waits until the turn is told to stop.
    pub(crate) async fn stopped(&self) {
        self.writer.stop.wait().await;
    }

    /// The last moment at which what is done for the turn now may take effect, by the store's clock.
    pub(crate) async fn deadline(&self) -> Result<u64, Stop> {
        Ok(self.writer.deadline().await?)
    }

    /// How long the turn is this instance's.
    pub(crate) fn lease(&self) -> &Lease {
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

    /// Tells how far an assistant of several agents is.
    pub(crate) fn tell_progress(&self, stage: Stage, agent: Option<&str>, status: StageStatus) {
        self.emit(EventKind::AgentProgress(AgentProgress {
            stage,
            agent: agent.map(str::to_owned),
            status,
        }));
    }

    /// Looks at what the assistant's agents know.
    pub(crate) fn domains<T>(&self, look: impl FnOnce(&Domains) -> T) -> T {
        look(&self.conversation.borrow().standing.domains)
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
}
