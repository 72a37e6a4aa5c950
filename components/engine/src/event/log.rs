//! How a turn's events are kept, so that a listener on any instance hears them.
//!
//! The journal `events/<turn>` holds batches: what one write of the turn's instance took along. A batch names the
//! epoch and the number of its first event; texts that follow each other stand together, each still with a
//! number of its own. It is JSON, so that an operator can read it:
//! `{"v":1,"epoch":3,"n":1,"events":[{"text":["Hel","lo"]},{"tool.started":{…}}]}`.
//!
//! What is too large for an entry is left out of it: the turn's journal has it, and so has its report.

use super::{AgentProgress, Event, EventId, EventKind, ToolStarted, TurnStarted};
use crate::gate::Gate;
use crate::journal::writer::LARGEST_ENTRY;
use crate::journal::{ReadError, VERSION, unreadable};
use crate::port::FinishReason;
use crate::turn::{ToolCallReport, Turn};
use crate::undo::UndoReport;
use anyturn_state::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// How long the events of a turn are kept after the last one, in milliseconds.
pub(crate) const TTL: u64 = 10 * 60 * 1000;

/// Events that follow each other, of one epoch.
#[derive(Serialize, Deserialize)]
struct Batch<'e> {
    v: u32,
    epoch: u64,
    /// The number of the first event.
    n: u64,
    events: Vec<Kept<'e>>,
}

/// The report of a turn that ended, and how the model's last answer ended, which the report does not serialize;
/// neither where it would be too large.
type Report<'e> = Option<(Cow<'e, Turn>, FinishReason)>;

/// What is kept of an event, or of several texts.
#[derive(Serialize, Deserialize)]
enum Kept<'e> {
    #[serde(rename = "turn.started")]
    Started(Cow<'e, TurnStarted>),
    #[serde(rename = "turn.resumed")]
    Resumed(Cow<'e, str>),
    #[serde(rename = "text")]
    Texts(Vec<Cow<'e, str>>),
    #[serde(rename = "tool.started")]
    ToolStarted(Cow<'e, ToolStarted>),
    #[serde(rename = "tool.finished")]
    ToolFinished(Cow<'e, ToolCallReport>),
    #[serde(rename = "agent.progress")]
    Progress(Cow<'e, AgentProgress>),
    #[serde(rename = "turn.finished")]
    Finished(Report<'e>),
    #[serde(rename = "turn.failed")]
    Failed(Report<'e>),
    #[serde(rename = "turn.stopped")]
    Stopped(Report<'e>),
    #[serde(rename = "turn.waiting")]
    Waiting(Report<'e>),
    #[serde(rename = "gate.opened")]
    GateOpened(Cow<'e, Gate>),
    #[serde(rename = "gate.decided")]
    GateDecided(Cow<'e, Gate>),
    #[serde(rename = "undo.finished")]
    UndoFinished(Cow<'e, UndoReport>),
}

/// One event of the log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    /// An event.
    Event(Event),
    /// The turn's end, the report of which is in the turn's journal only.
    End(EventId),
}

impl Entry {
    /// What identifies it.
    pub(crate) fn id(&self) -> &EventId {
        match self {
            Entry::Event(event) => &event.id,
            Entry::End(id) => id,
        }
    }

    /// Whether it ends the turn.
    pub(crate) fn ends(&self) -> bool {
        match self {
            Entry::Event(event) => event.kind.end().is_some(),
            Entry::End(_) => true,
        }
    }
}

/// What was told of a turn before it was taken over.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Told {
    /// The number of the next event.
    pub next: u64,
    /// Calls of tools that were told to have begun.
    pub started: Vec<String>,
    /// Calls of tools of which the outcome was told.
    pub finished: Vec<String>,
    /// Gates of which the decision was told.
    pub decided: Vec<String>,
}

impl Told {
    /// Takes a part of the log in.
    pub(crate) fn extend(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.next = self.next.max(entry.id().n.saturating_add(1));
            if let Entry::Event(event) = entry {
                match &event.kind {
                    EventKind::ToolStarted(started) => self.started.push(started.id.clone()),
                    EventKind::ToolFinished(report) => self.finished.push(report.id.clone()),
                    EventKind::GateDecided(gate) => self.decided.push(gate.id.clone()),
                    _ => {}
                }
            }
        }
    }
}

/// The entries for events that follow each other; they are of one turn and one epoch, but for `turn.started`.
pub(crate) fn encode(epoch: u64, events: &[Event]) -> Result<Vec<Vec<u8>>, Error> {
    let mut entries = Vec::with_capacity(1);
    divide(epoch, events, &mut entries)?;
    Ok(entries)
}

/// Encodes events as one entry, or, where that is too large, each half of them.
fn divide(epoch: u64, events: &[Event], entries: &mut Vec<Vec<u8>>) -> Result<(), Error> {
    let Some(first) = events.first() else {
        return Ok(());
    };
    let mut batch = Batch {
        v: VERSION,
        epoch,
        n: first.id.n,
        events: keep(events),
    };
    let mut entry = written(&batch)?;
    if entry.len() > LARGEST_ENTRY && events.len() > 1 {
        let (one, other) = events.split_at(events.len() / 2);
        divide(epoch, one, entries)?;
        return divide(epoch, other, entries);
    }
    if entry.len() > LARGEST_ENTRY {
        batch.events.iter_mut().for_each(Kept::reduce);
        entry = written(&batch)?;
    }
    entries.push(entry);
    Ok(())
}

fn written(batch: &Batch<'_>) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(batch).map_err(|error| Error::Invalid(error.to_string()))
}

/// Puts texts that follow each other together.
fn keep(events: &[Event]) -> Vec<Kept<'_>> {
    let mut kept: Vec<Kept<'_>> = Vec::with_capacity(events.len().min(16));
    for event in events {
        if let (EventKind::TextDelta { text }, Some(Kept::Texts(texts))) = (&event.kind, kept.last_mut()) {
            texts.push(text.into());
            continue;
        }
        kept.push(match &event.kind {
            EventKind::TurnStarted(started) => Kept::Started(Cow::Borrowed(started)),
            EventKind::TurnResumed { text } => Kept::Resumed(text.into()),
            EventKind::TextDelta { text } => Kept::Texts(vec![text.into()]),
            EventKind::ToolStarted(started) => Kept::ToolStarted(Cow::Borrowed(started)),
            EventKind::ToolFinished(report) => Kept::ToolFinished(Cow::Borrowed(report)),
            EventKind::AgentProgress(progress) => Kept::Progress(Cow::Borrowed(progress)),
            EventKind::TurnFinished(turn) => Kept::Finished(report(turn)),
            EventKind::TurnFailed(turn) => Kept::Failed(report(turn)),
            EventKind::TurnStopped(turn) => Kept::Stopped(report(turn)),
            EventKind::TurnWaiting(turn) => Kept::Waiting(report(turn)),
            EventKind::GateOpened(gate) => Kept::GateOpened(Cow::Borrowed(gate)),
            EventKind::GateDecided(gate) => Kept::GateDecided(Cow::Borrowed(gate)),
            EventKind::UndoFinished(undone) => Kept::UndoFinished(Cow::Borrowed(undone)),
        });
    }
    kept
}

fn report(turn: &Turn) -> Report<'_> {
    Some((Cow::Borrowed(turn), turn.finish_reason))
}

impl Kept<'_> {
    /// Leaves out what can be large.
    fn reduce(&mut self) {
        match self {
            Kept::Finished(report) | Kept::Failed(report) | Kept::Stopped(report) | Kept::Waiting(report) => {
                *report = None;
            }
            Kept::Resumed(text) => *text = Cow::Borrowed(""),
            Kept::Texts(texts) => texts.fill(Cow::Borrowed("")),
            Kept::ToolStarted(started) => started.to_mut().arguments = Value::Null,
            Kept::ToolFinished(report) => {
                let report = report.to_mut();
                (report.arguments, report.result) = (Value::Null, Value::Null);
            }
            // None of these comes near the limit.
            Kept::Started(_)
            | Kept::Progress(_)
            | Kept::GateOpened(_)
            | Kept::GateDecided(_)
            | Kept::UndoFinished(_) => {}
        }
    }
}

/// Reads an entry of the log of `turn`, into events in their order.
pub(crate) fn decode(turn: &str, bytes: &[u8]) -> Result<Vec<Entry>, ReadError> {
    let batch = match anyturn_json::from_slice::<Batch<'_>>(bytes) {
        Ok(batch) if batch.v <= VERSION => batch,
        Ok(_) => return Err(unreadable("the log of a turn's events", bytes, None)),
        Err(problem) => return Err(unreadable("the log of a turn's events", bytes, Some(problem))),
    };
    let mut told = Vec::new();
    let mut n = batch.n;
    let mut id = || {
        let id = EventId {
            turn: turn.to_owned(),
            // How a turn began is the same whoever tells it.
            epoch: if n == 0 { 0 } else { batch.epoch },
            n,
        };
        n += 1;
        id
    };
    for kept in batch.events {
        let kind = match kept {
            Kept::Texts(texts) => {
                let event = |text: Cow<'_, str>| {
                    Entry::Event(Event {
                        id: id(),
                        kind: EventKind::TextDelta {
                            text: text.into_owned(),
                        },
                    })
                };
                told.extend(texts.into_iter().map(event));
                continue;
            }
            Kept::Started(started) => EventKind::TurnStarted(started.into_owned()),
            Kept::Resumed(text) => EventKind::TurnResumed {
                text: text.into_owned(),
            },
            Kept::ToolStarted(started) => EventKind::ToolStarted(started.into_owned()),
            Kept::ToolFinished(report) => EventKind::ToolFinished(report.into_owned()),
            Kept::Progress(progress) => EventKind::AgentProgress(progress.into_owned()),
            Kept::Finished(Some(report)) => EventKind::TurnFinished(reported(report)),
            Kept::Failed(Some(report)) => EventKind::TurnFailed(reported(report)),
            Kept::Stopped(Some(report)) => EventKind::TurnStopped(reported(report)),
            Kept::Waiting(Some(report)) => EventKind::TurnWaiting(reported(report)),
            Kept::GateOpened(gate) => EventKind::GateOpened(Box::new(gate.into_owned())),
            Kept::GateDecided(gate) => EventKind::GateDecided(Box::new(gate.into_owned())),
            Kept::UndoFinished(undone) => EventKind::UndoFinished(undone.into_owned()),
            Kept::Finished(None) | Kept::Failed(None) | Kept::Stopped(None) | Kept::Waiting(None) => {
                told.push(Entry::End(id()));
                continue;
            }
        };
        told.push(Entry::Event(Event { id: id(), kind }));
    }
    Ok(told)
}

fn reported((turn, finish_reason): (Cow<'_, Turn>, FinishReason)) -> Box<Turn> {
    Box::new(Turn {
        finish_reason,
        ..turn.into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Stage, StageStatus};

    #[test]
    fn how_far_agents_were_is_retold_as_it_was_told() {
        let progress = |n, agent: Option<&str>, status| Event {
            id: EventId {
                turn: "turn_1".into(),
                epoch: 3,
                n,
            },
            kind: EventKind::AgentProgress(AgentProgress {
                stage: Stage::Working,
                agent: agent.map(str::to_owned),
                status,
            }),
        };
        let told = [
            progress(4, Some("email"), StageStatus::Started),
            progress(5, None, StageStatus::Waiting),
        ];
        assert_eq!(
            serde_json::to_string(&told[1].kind).unwrap(),
            r#"{"stage":"working","agent":null,"status":"waiting"}"#
        );
        let entries = encode(3, &told).unwrap();
        assert_eq!(
            decode("turn_1", &entries[0]).unwrap(),
            told.map(Entry::Event).to_vec()
        );
    }
}
