//! One turn, as far as it has come: what its steps gave, how the model sees it, and how it is reported.

use super::Gated;
use super::agents::{asks, is_master, spoken, tool_step};
use super::standing::inverse_call;
use crate::journal::{CallOutcome, Failure, FailureKind, ModelCalled, Record, ToolFinished};
use crate::journal::{ToUndo, ToolIntended, TurnStarted};
use crate::port::{EffectClass, FinishReason, Role, ToolCall, Usage};
use crate::time::Timestamp;
use crate::turn::{Reply, ToolCallReport, Turn, TurnState};
use crate::undo::{UndoItem, UndoReport};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A turn, as far as it has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The turn's id.
    pub turn: String,
    /// Where its first entry stands in the journal.
    pub first: u64,
    /// When it was admitted.
    pub at: u64,
    /// When something last happened in it.
    pub updated_at: u64,
    /// How it began.
    pub started: TurnStarted,
    /// How it ended; none while it runs.
    pub end: Option<End>,
    /// How often it was taken over since a step was last recorded.
    pub resumed: u32,
    /// Why it was taken up again, while it is worked on; for those who watch. A snapshot holds no turn that is.
    #[serde(skip)]
    pub taken_up: Option<TakenUp>,
    /// How long its content was when it was taken up after a decision, in bytes; for those who have heard so much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heard: Option<usize>,
    pub(super) models: Vec<ModelCalled>,
    intended: Vec<ToolIntended>,
    finished: Vec<ToolFinished>,
    /// The calls that wait, or waited, for decisions.
    pub(super) gates: Vec<Gated>,
    /// Whether its entries go on after those of other turns, because it has waited meanwhile.
    pub moved: bool,
}

/// Why a turn is taken up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakenUp {
    /// Its instance has died.
    LeftBehind,
    /// What it has waited for is decided.
    Decided,
    /// It had failed, and is tried again.
    Failed,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum End {
    /// The assistant answered.
    Finished,
    /// It did not.
    Failed {
        /// Why.
        error: Failure,
        /// What had been said of the answer that broke off.
        text: String,
    },
    /// Somebody stopped it.
    Stopped {
        /// What had been said of the answer that broke off.
        text: String,
    },
    /// Its instance died and the conversation went on.
    Abandoned,
    /// It goes on when its gates are decided.
    Waiting,
}

impl Progress {
    pub(crate) fn new(turn: String, first: u64, at: u64, started: TurnStarted) -> Self {
        Progress {
            turn,
            first,
            at,
            updated_at: at,
            started,
            end: None,
            resumed: 0,
            taken_up: None,
            heard: None,
            models: Vec::new(),
            intended: Vec::new(),
            finished: Vec::new(),
            gates: Vec::new(),
            moved: false,
        }
    }

    /// Takes a record of this turn in. A step that was recorded once keeps its first outcome.
    pub(crate) fn apply(&mut self, at: u64, record: Record) {
        if !matches!(record, Record::TurnAbandoned {}) {
            self.updated_at = at;
        }
        self.resumed = match record {
            Record::TurnResumed { .. } => self.resumed.saturating_add(1),
            _ => 0,
        };
        match record {
            Record::ModelCalled(model) if self.model(&model.step).is_none() => self.models.push(model),
            Record::ToolIntended(intended) if self.intended(&intended.call).is_none() => {
                self.intended.push(intended);
            }
            Record::ToolFinished(finished) if self.finished(&finished.call).is_none() => {
                self.finished.push(finished);
            }
            Record::TurnResumed { .. } => {
                if self.end == Some(End::Waiting) {
                    self.heard = Some(self.content().len());
                }
                self.taken_up = Some(match self.end.take() {
                    Some(End::Waiting) => TakenUp::Decided,
                    Some(_) => TakenUp::Failed,
                    None => TakenUp::LeftBehind,
                });
            }
            record @ (Record::GateOpened(_) | Record::GateDecided(_)) => self.apply_gate(at, record),
            Record::TurnWaiting {} => {
                self.end = Some(End::Waiting);
                self.taken_up = None;
            }
            Record::TurnFinished {} => self.end = Some(End::Finished),
            Record::TurnFailed { error, text } => self.end = Some(End::Failed { error, text }),
            Record::TurnStopped { text } => self.end = Some(End::Stopped { text }),
            Record::ModelCalled(_)
            | Record::ToolIntended(_)
            | Record::ToolFinished(_)
            | Record::TurnStarted(_)
            | Record::TurnAbandoned {}
            | Record::Forked(_)
            | Record::PastCopied {}
            | Record::TurnRefused { .. } => {}
        }
    }

    /// The recorded outcome of a step in which the model was called.
    pub(crate) fn model(&self, step: &str) -> Option<&ModelCalled> {
        self.models.iter().find(|model| model.step == step)
    }

    /// The recorded outcome of a step in which a tool was called.
    pub(crate) fn tool(&self, step: &str) -> Option<&ToolFinished> {
        self.finished.iter().find(|finished| finished.step == step)
    }

    /// What is recorded of the intention to make a call.
    pub(crate) fn intended(&self, call: &str) -> Option<&ToolIntended> {
        self.intended.iter().find(|intended| intended.call == call)
    }

    pub(super) fn finished(&self, call: &str) -> Option<&ToolFinished> {
        self.finished.iter().find(|finished| finished.call == call)
    }

    /// The conversation has gone on after this turn: a failure of it is past mending.
    pub(crate) fn settle(&mut self) {
        if let Some(End::Failed { error, .. }) = &mut self.end {
            (error.retryable, error.retry_after) = (false, None);
        }
    }

    /// Whether the turn may go on: it has not ended, or failed in a way that trying again may mend.
    pub(crate) fn can_go_on(&self) -> bool {
        match &self.end {
            None => true,
            Some(End::Failed { error, .. }) => error.retryable,
            Some(End::Finished | End::Stopped { .. } | End::Abandoned | End::Waiting) => false,
        }
    }

    /// What the assistant said; the texts of several answers with an empty line between them.
    pub(crate) fn content(&self) -> String {
        let mut content = self.undone().unwrap_or_default();
        let broken_off = match &self.end {
            Some(End::Failed { text, .. } | End::Stopped { text }) => text.as_str(),
            None | Some(End::Finished | End::Abandoned | End::Waiting) => "",
        };
        let texts = self
            .models
            .iter()
            .map(|model| spoken(&model.step, &model.text, true))
            .chain([broken_off]);
        for text in texts.filter(|text| !text.is_empty()) {
            if !content.is_empty() {
                content.push_str("\n\n");
            }
            content.push_str(text);
        }
        content
    }

    /// What of [`TurnStarted::undo`] was undone and what was not, for people and for the model; none before it
    /// is known of all.
    pub(crate) fn undone(&self) -> Option<String> {
        if self.started.undo_only {
            return Some(self.undo_report()?.text());
        }
        let (mut done, mut not) = (Vec::new(), Vec::new());
        for (number, undo) in self.started.undo.iter().enumerate() {
            let mut whole = !undo.inverses.is_empty();
            for inverse in (0u32..).take(undo.inverses.len()) {
                if undo.settled.contains(&inverse) {
                    continue;
                }
                let outcome = &self.tool(&undo_step(number, inverse))?.outcome;
                whole &= matches!(outcome, CallOutcome::Answered(outcome) if !outcome.is_error);
            }
            if whole { &mut done } else { &mut not }.push(undo.title.as_str());
        }
        let sentence = |words: &str, titles: &[&str]| format!("{words}: {}.", titles.join("; "));
        match (&done[..], &not[..]) {
            ([], []) => None,
            (done, []) => Some(sentence("Undone", done)),
            ([], not) => Some(sentence("Could not be undone", not)),
            (done, not) => Some(format!(
                "{} {}",
                sentence("Undone", done),
                sentence("Could not be undone", not)
            )),
        }
    }

    /// What came of what the turn was to undo, if that was all it was to do; none before it is known of all.
    pub(crate) fn undo_report(&self) -> Option<UndoReport> {
        let undo = self.started.undo.first().filter(|_| self.started.undo_only)?;
        let mut items = Vec::with_capacity(undo.inverses.len());
        for (number, inverse) in (0u32..).zip(&undo.inverses) {
            let earlier = undo.settled.contains(&number);
            let (undone, text) = if undo.unknown.contains(&number) {
                (false, UNDONE_OR_NOT.to_owned())
            } else if earlier {
                (true, "It had been undone before.".to_owned())
            } else {
                match &self.tool(&undo_step(0, number))?.outcome {
                    CallOutcome::Answered(outcome) => (!outcome.is_error, outcome.content.clone()),
                    CallOutcome::NotRun(reason) | CallOutcome::Unknown(reason) => (false, reason.clone()),
                }
            };
            items.push(UndoItem {
                title: inverse.title.clone(),
                undone,
                earlier,
                text,
            });
        }
        Some(UndoReport {
            call: undo.call.clone(),
            title: undo.title.clone(),
            items,
        })
    }

    /// The calls that another turn would have to undo so that this one has changed nothing, the last first.
    pub(crate) fn to_undo(&self) -> Vec<ToUndo> {
        let undo = |intended: &ToolIntended| {
            let outcome = self.finished(&intended.call).map(|finished| &finished.outcome);
            let inverses = match outcome {
                Some(CallOutcome::NotRun(_)) => return None,
                Some(CallOutcome::Answered(outcome)) if outcome.is_error => return None,
                Some(CallOutcome::Answered(outcome)) => outcome.inverses.clone(),
                Some(CallOutcome::Unknown(_)) | None => Vec::new(),
            };
            Some(ToUndo {
                call: intended.call.clone(),
                server: intended.server.clone(),
                title: intended.title.clone(),
                inverses,
                settled: Vec::new(),
                unknown: Vec::new(),
            })
        };
        let changes = self
            .intended
            .iter()
            .filter(|intended| intended.class != EffectClass::Read);
        changes.rev().filter_map(undo).collect()
    }

    /// Calls that were intended and have no outcome, each with its step.
    pub(crate) fn open_calls(&self) -> Vec<(String, ToolIntended)> {
        let made = self.models.iter().flat_map(|model| {
            let place = |(place, call): (u32, &ToolCall)| (tool_step(&model.step, place), call.id.clone());
            (0u32..).zip(&model.calls).map(place)
        });
        let undone = self.started.undo.iter().enumerate().flat_map(|(place, undo)| {
            let inverses = (0u32..).take(undo.inverses.len());
            inverses.map(move |number| (undo_step(place, number), inverse_call(&undo.call, number)))
        });
        made.chain(undone)
            .filter(|(_, call)| self.finished(call).is_none())
            .filter_map(|(step, call)| Some((step, self.intended(&call)?.clone())))
            .collect()
    }

    /// What is reported of a call.
    pub(crate) fn report(&self, call: &ToolCall) -> ToolCallReport {
        let intended = self.intended(&call.id);
        let finished_call = self.finished(&call.id);
        let finished = finished_call.map(|finished| &finished.outcome);
        let (result, is_error) = match finished {
            Some(CallOutcome::Answered(outcome)) => {
                let text = || Value::String(outcome.content.clone());
                (outcome.structured.clone().unwrap_or_else(text), outcome.is_error)
            }
            Some(CallOutcome::NotRun(reason) | CallOutcome::Unknown(reason)) => {
                (Value::String(reason.clone()), true)
            }
            None => (Value::Null, self.end.is_some() && !self.is_waiting()),
        };
        let as_written = || {
            anyturn_json::from_slice(call.arguments.as_bytes())
                .unwrap_or_else(|_| Value::String(call.arguments.clone()))
        };
        ToolCallReport {
            id: call.id.clone(),
            tool: call.name.clone(),
            server: match (intended, self.gate_of(&call.id)) {
                (Some(intended), _) => intended.server.clone(),
                (None, Some(gated)) => gated.opened.server.clone(),
                (None, None) => String::new(),
            },
            arguments: match (intended, self.gate_of(&call.id)) {
                (Some(intended), _) => intended.arguments.clone(),
                (None, Some(gated)) => gated.arguments().clone(),
                (None, None) => as_written(),
            },
            result,
            is_error,
            undo: finished_call.and_then(ToolFinished::offer),
        }
    }

    /// All calls, in their order.
    pub(crate) fn calls(&self) -> Vec<ToolCallReport> {
        let callers = || self.models.iter().filter(|model| !is_master(&model.step));
        let asked = || callers().flat_map(|model| &model.calls);
        let mut reports: Vec<ToolCallReport> = asked().map(|call| self.report(call)).collect();
        // What no model has asked for, or an earlier part of the turn that is not at hand.
        for intended in &self.intended {
            if !asked().any(|call| call.id == intended.call) {
                reports.push(self.report(&ToolCall {
                    id: intended.call.clone(),
                    name: intended.tool.clone(),
                    arguments: intended.arguments.to_string(),
                }));
            }
        }
        reports
    }

    /// Why the turn has no complete answer.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match &self.end {
            None | Some(End::Finished | End::Stopped { .. } | End::Waiting) => None,
            Some(End::Failed { error, .. }) => Some(error.clone()),
            Some(End::Abandoned) => Some(Failure::lasting(
                FailureKind::Interrupted,
                "the turn was interrupted, and the conversation went on without it",
            )),
        }
    }

    /// How far the turn is.
    fn state(&self) -> TurnState {
        match &self.end {
            None => TurnState::Running,
            Some(End::Finished) => TurnState::Finished,
            Some(End::Failed { .. } | End::Abandoned) => TurnState::Failed,
            Some(End::Stopped { .. }) => TurnState::Stopped,
            Some(End::Waiting) => TurnState::Waiting,
        }
    }

    /// The report of the turn as far as it has come.
    pub(crate) fn turn(&self, session: &str, assistant: &str) -> Turn {
        let last = self.models.last();
        let usage = self.models.iter().fold(Usage::default(), |sum, model| Usage {
            input_tokens: sum.input_tokens.saturating_add(model.usage.input_tokens),
            cached_tokens: sum.cached_tokens.saturating_add(model.usage.cached_tokens),
            output_tokens: sum.output_tokens.saturating_add(model.usage.output_tokens),
        });
        let content = self.content();
        let since_decision = self.heard.and_then(|heard| content.get(heard..));
        let since_decision = since_decision.map(|text| text.trim_start().to_owned());
        let asked = self.models.last().map(|model| asks(&model.step));
        Turn {
            session: session.to_owned(),
            turn: self.turn.clone(),
            assistant: assistant.to_owned(),
            state: self.state(),
            message: Reply {
                role: Role::Assistant,
                since_decision,
                asks: self.end == Some(End::Waiting) && asked == Some(true),
                content,
            },
            tool_calls: self.calls(),
            gates: self.gate_reports(),
            undo: self.undo_report(),
            usage,
            model: last.map(|model| model.model.clone()).unwrap_or_default(),
            finish_reason: last.map_or(FinishReason::Stop, |model| model.reason),
            created_at: Timestamp(self.at),
            error: self.failure(),
        }
    }
}

/// What is said of an inverse that may have been called before.
const UNDONE_OR_NOT: &str = "It is unknown whether this was undone before, so it was not tried again.";

/// The step in which an inverse of the call at a place of [`TurnStarted::undo`] is called.
pub(crate) fn undo_step(call: usize, inverse: u32) -> String {
    format!("undo/{call}/{inverse}")
}
