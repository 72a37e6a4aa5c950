//! What one listener has heard of a turn.

use crate::event::log::{self, Entry};
use crate::event::{Event, EventId, EventKind, Place, ToolStarted, TurnStarted};
use crate::gate::GateState;
use crate::journal::ReadError;
use crate::port::Sink;
use crate::run::ending;
use crate::settle::count;
use crate::turn::Turn;
use anyturn_state::JournalSlice;

/// What one listener has heard of a turn.
pub(super) struct Hearing<'a> {
    turn: &'a str,
    sink: &'a dyn Sink,
    /// The last event that was heard.
    pub heard: Option<Place>,
    /// How much of the log was read.
    pub position: u64,
    /// An event that may be the last one. It is told when it is known to be: a turn that failed may have been
    /// tried again.
    pub end: Option<Entry>,
}

impl<'a> Hearing<'a> {
    pub(super) fn new(turn: &'a str, sink: &'a dyn Sink, heard: Option<Place>) -> Self {
        Hearing {
            turn,
            sink,
            heard,
            position: 0,
            end: None,
        }
    }

    /// The turn.
    pub(super) fn turn(&self) -> &'a str {
        self.turn
    }

    /// Takes a part of the log in, and tells what is new in it. Whether there is more to read at once.
    pub(super) fn take(&mut self, slice: &JournalSlice) -> Result<bool, ReadError> {
        if slice.length < self.position {
            // The log expired, and there is a new one.
            self.position = 0;
            return Ok(slice.length > 0);
        }
        for bytes in &slice.entries {
            for entry in log::decode(self.turn, bytes)? {
                if entry.ends() {
                    self.end = Some(entry);
                    continue;
                }
                self.end = None;
                if let Entry::Event(event) = entry {
                    self.tell(event);
                }
            }
        }
        self.position = slice.first.saturating_add(count(slice));
        Ok(self.position < slice.length)
    }

    /// Tells the end of the turn as `turn` reports it.
    pub(super) fn conclude(&mut self, turn: &Turn) {
        let id = match &self.end {
            Some(end) => end.id().clone(),
            None => self.next(),
        };
        self.tell(Event {
            id,
            kind: ending(turn),
        });
    }

    /// Tells the end of a turn that waited when it was last told of: the conversation went on without it, and the
    /// turn that did so wrote that into the journal, but not into this one's log. So what is told has ids that follow
    /// from the log's last one, the same for every listener.
    pub(super) fn overtaken(&mut self, turn: &Turn) {
        let Some((epoch, last)) = self.end.as_ref().map(|end| end.id().place()) else {
            return;
        };
        let decided = turn.gates.iter().filter(|gate| gate.state != GateState::Open);
        let by_time =
            decided.filter(|gate| gate.decided.as_ref().is_some_and(|decided| decided.by.is_none()));
        let gates = by_time.map(|gate| EventKind::GateDecided(Box::new(gate.clone())));
        for (n, kind) in (last.saturating_add(1)..).zip(gates.chain([ending(turn)])) {
            let id = EventId {
                turn: self.turn.to_owned(),
                epoch: epoch.saturating_add(1),
                n,
            };
            self.tell(Event { id, kind });
        }
    }

    /// Tells a turn of which there is no log any more. Who has heard of it before is told what its text is by
    /// now; anybody else hears all of it.
    pub(super) fn retell(&mut self, turn: &Turn) {
        let text = turn.message.content.clone();
        if self.heard.is_some() {
            self.tell_next(EventKind::TurnResumed { text });
            return self.conclude(turn);
        }
        self.tell_next(EventKind::TurnStarted(TurnStarted {
            session: turn.session.clone(),
            turn: turn.turn.clone(),
            assistant: turn.assistant.clone(),
            created_at: turn.created_at,
        }));
        for call in &turn.tool_calls {
            self.tell_next(EventKind::ToolStarted(ToolStarted {
                id: call.id.clone(),
                tool: call.tool.clone(),
                title: call.tool.clone(),
                server: call.server.clone(),
                arguments: call.arguments.clone(),
            }));
            self.tell_next(EventKind::ToolFinished(call.clone()));
        }
        if !text.is_empty() {
            self.tell_next(EventKind::TextDelta { text });
        }
        self.conclude(turn);
    }

    fn tell_next(&mut self, kind: EventKind) {
        let id = self.next();
        self.tell(Event { id, kind });
    }

    /// An id after all that were heard. What is retold is of no epoch; after what was heard live, of a later one.
    fn next(&self) -> EventId {
        let (epoch, n) = match self.heard {
            None => (0, 0),
            Some((0, n)) => (0, n.saturating_add(1)),
            Some((epoch, n)) => (epoch.saturating_add(1), n.saturating_add(1)),
        };
        EventId {
            turn: self.turn.to_owned(),
            epoch,
            n,
        }
    }

    fn tell(&mut self, event: Event) {
        if self.heard.is_none_or(|heard| event.id.place() > heard) {
            self.heard = Some(event.id.place());
            self.sink.emit(event);
        }
    }
}
