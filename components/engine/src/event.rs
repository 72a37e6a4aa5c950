//! What a listener hears of a turn, while it runs and for ten minutes after its end.
//!
//! An event has an id, `<turn>.<epoch>.<n>` ([`EventId`]). `n` counts the events of the whole turn; the epoch is
//! that of the instance which told it (its lease's). Ids of one turn are ordered by epoch and then by `n`, and
//! every listener, on whatever instance and however late, hears events in this order: none is left out after
//! the first one it hears, and none comes twice. So a listener that was cut off goes on after the last id it
//! has, anywhere.
//!
//! When another instance takes a turn over, it first tells [`EventKind::TurnResumed`]: the text that stands by
//! then, which takes the place of all text before it, because what the dead instance had said last may be lost.
//! The texts since then (or since the beginning), put together, are the content of the finished turn's message.

pub(crate) mod log;
pub(crate) mod outbox;

use crate::gate::Gate;
use crate::time::Timestamp;
use crate::turn::{ToolCallReport, Turn};
use crate::undo::UndoReport;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// What identifies an event: `<turn>.<epoch>.<n>`, ordered within a turn as events are told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// The turn's id.
    pub turn: String,
    /// The epoch of the lease of the instance that told it; 0 for `turn.started`, which no instance has of its
    /// own.
    pub epoch: u64,
    /// Counts the turn's events from 0; goes on after a take-over.
    pub n: u64,
}

impl EventId {
    /// Where the event stands among those of its turn.
    pub(crate) fn place(&self) -> Place {
        (self.epoch, self.n)
    }
}

/// Where an event stands among those of its turn: epoch and `n`.
pub(crate) type Place = (u64, u64);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.turn, self.epoch, self.n)
    }
}

/// Why a text is no [`EventId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event's id looks like turn_01h455vb4pex5vsknk084sn02q.1.7")]
pub struct NoEventId;

impl FromStr for EventId {
    type Err = NoEventId;

    fn from_str(text: &str) -> Result<Self, NoEventId> {
        let mut parts = text.rsplitn(3, '.');
        let n = parts.next().and_then(number).ok_or(NoEventId)?;
        let epoch = parts.next().and_then(number).ok_or(NoEventId)?;
        let turn = parts.next().filter(|turn| !turn.is_empty()).ok_or(NoEventId)?;
        Ok(EventId {
            turn: turn.to_owned(),
            epoch,
            n,
        })
    }
}

/// Digits and nothing else, so that every id has one spelling.
fn number(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let spelled = plain && (text == "0" || !text.starts_with('0'));
    spelled.then(|| text.parse().ok()).flatten()
}

/// Something that happened in a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What identifies it.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
}

/// What happened. Serializes to an event's data alone; [`EventKind::name`] is the event's name.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum EventKind {
    /// The turn was admitted. The first event.
    TurnStarted(TurnStarted),
    /// Another instance has taken the turn over, or a failed turn is tried again.
    TurnResumed {
        /// What stands of the answer by now: it takes the place of all text before.
        text: String,
    },
    /// More of the assistant's text.
    TextDelta {
        /// The text.
        text: String,
    },
    /// A tool is about to run.
    ToolStarted(ToolStarted),
    /// A tool has answered, or will not.
    ToolFinished(ToolCallReport),
    /// An assistant of several agents has got further. Told at once; a turn that is taken over may tell it again.
    AgentProgress(AgentProgress),
    /// A call waits for a decision.
    GateOpened(Box<Gate>),
    /// A decision was taken, or nobody took it in time.
    GateDecided(Box<Gate>),
    /// What was to be undone is, or not.
    UndoFinished(UndoReport),
    /// The turn is finished. The last event.
    TurnFinished(Box<Turn>),
    /// The turn failed. The last event.
    TurnFailed(Box<Turn>),
    /// The turn was stopped. The last event.
    TurnStopped(Box<Turn>),
    /// The turn waits for decisions. The last event until they are taken; then the same turn's go on.
    TurnWaiting(Box<Turn>),
}

/// A turn was admitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnStarted {
    /// The conversation's id.
    pub session: String,
    /// The turn's id.
    pub turn: String,
    /// The assistant's name.
    pub assistant: String,
    /// When it was admitted.
    pub created_at: Timestamp,
}

/// A tool is about to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolStarted {
    /// The call's id.
    pub id: String,
    /// The tool's name, as the model knows it.
    pub tool: String,
    /// The tool's name for people.
    pub title: String,
    /// The server that offers it.
    pub server: String,
    /// What it is called with.
    pub arguments: Value,
}

/// How far an assistant of several agents is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentProgress {
    /// What is being done.
    pub stage: Stage,
    /// The sub-agent that does it; none for the assistant itself.
    pub agent: Option<String>,
    /// Whether it is done.
    pub status: StageStatus,
}

/// What an assistant of several agents is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It makes commands for its sub-agents of a message.
    Understanding,
    /// A sub-agent carries a command out.
    Working,
    /// A sub-agent decides, by what its tools have answered, what to do next.
    Reassessing,
    /// It takes in what the sub-agents have answered, and writes the reply.
    Updating,
}

/// How far a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageStatus {
    /// It has begun.
    Started,
    /// It is done.
    Finished,
    /// It goes on when somebody has decided.
    Waiting,
    /// It could not be done.
    Failed,
}

impl EventKind {
    /// The name of the event in event streams, such as `turn.started`.
    pub fn name(&self) -> &'static str {
        match self {
            EventKind::TurnStarted(_) => "turn.started",
            EventKind::TurnResumed { .. } => "turn.resumed",
            EventKind::TextDelta { .. } => "text.delta",
            EventKind::ToolStarted(_) => "tool.started",
            EventKind::ToolFinished(_) => "tool.finished",
            EventKind::AgentProgress(_) => "agent.progress",
            EventKind::GateOpened(_) => "gate.opened",
            EventKind::GateDecided(_) => "gate.decided",
            EventKind::UndoFinished(_) => "undo.finished",
            EventKind::TurnFinished(_) => "turn.finished",
            EventKind::TurnFailed(_) => "turn.failed",
            EventKind::TurnStopped(_) => "turn.stopped",
            EventKind::TurnWaiting(_) => "turn.waiting",
        }
    }

    /// The report of the turn, in the event that ends it.
    pub fn end(&self) -> Option<&Turn> {
        match self {
            EventKind::TurnFinished(turn)
            | EventKind::TurnFailed(turn)
            | EventKind::TurnStopped(turn)
            | EventKind::TurnWaiting(turn) => Some(turn),
            EventKind::TurnStarted(_)
            | EventKind::TurnResumed { .. }
            | EventKind::TextDelta { .. }
            | EventKind::ToolStarted(_)
            | EventKind::ToolFinished(_)
            | EventKind::AgentProgress(_)
            | EventKind::GateOpened(_)
            | EventKind::GateDecided(_)
            | EventKind::UndoFinished(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_as_it_was_written_and_nothing_else_does() {
        let id = EventId {
            turn: "turn_0a".into(),
            epoch: 3,
            n: 17,
        };
        assert_eq!(id.to_string(), "turn_0a.3.17");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in [
            "",
            "7",
            "turn_0a",
            "turn_0a.3",
            ".1.2",
            "t.1.",
            "t.+1.2",
            "t.01.2",
            "t.1.x",
            "t.1.99999999999999999999",
        ] {
            assert_eq!(wrong.parse::<EventId>(), Err(NoEventId), "{wrong}");
        }
    }

    #[test]
    fn a_later_epoch_comes_after_everything_that_an_earlier_one_told() {
        let id = |epoch, n| EventId {
            turn: "t".into(),
            epoch,
            n,
        };
        assert!(id(1, 9) < id(2, 5) && id(2, 5) < id(2, 6) && id(0, 0) < id(1, 1));
    }
}
