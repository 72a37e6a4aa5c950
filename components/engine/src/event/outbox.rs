//! Events on their way from a running turn to its log and to the listener who is there.
//!
//! Text is told at once. Everything else is told when it is durable, because what a listener has heard of a tool
//! or of the end must not be undone by a crash; text can be, by [`EventKind::TurnResumed`]. The order of telling
//! is the order of the numbers in any case, so text that follows an event which waits does wait too.

use super::{Event, EventId, EventKind, Place};
use crate::port::Sink;
use crate::signal::Signal;
use std::cell::{Cell, RefCell};

/// A listener who is not there.
pub(crate) struct Nobody;

impl Sink for Nobody {
    fn emit(&self, _: Event) {}
}

/// The events of one epoch of a turn.
pub(crate) struct Outbox<'a> {
    turn: String,
    epoch: u64,
    sink: &'a dyn Sink,
    /// What the listener has heard elsewhere already.
    heard: Option<Place>,
    /// The number of the next event.
    next: Cell<u64>,
    /// The number of the first event that was not told.
    told: Cell<u64>,
    /// What is not in a write yet.
    pending: RefCell<Vec<Event>>,
    /// Whether anything is pending.
    pub arrived: Signal,
}

impl<'a> Outbox<'a> {
    /// The events of `turn` from number `next` on. The listener has heard those up to `heard`.
    pub(crate) fn new(turn: String, epoch: u64, next: u64, sink: &'a dyn Sink, heard: Option<Place>) -> Self {
        Outbox {
            turn,
            epoch,
            sink,
            heard,
            next: Cell::new(next),
            told: Cell::new(next),
            pending: RefCell::default(),
            arrived: Signal::default(),
        }
    }

    /// Takes an event. `live`: this instance has the turn, as far as it knows.
    pub(crate) fn put(&self, kind: EventKind, live: bool) {
        let n = self.next.get();
        self.next.set(n + 1);
        let event = Event {
            id: EventId {
                turn: self.turn.clone(),
                // How a turn began is the same whoever tells it.
                epoch: if n == 0 { 0 } else { self.epoch },
                n,
            },
            kind,
        };
        if live && self.told.get() == n && passing(&event.kind) {
            self.tell(&event);
        }
        self.pending.borrow_mut().push(event);
        self.arrived.give();
    }

    /// What is to be written.
    pub(crate) fn take(&self) -> Vec<Event> {
        self.arrived.clear();
        self.pending.take()
    }

    /// Gives back what was not written after all.
    pub(crate) fn put_back(&self, mut events: Vec<Event>) {
        let later = self.pending.take();
        events.extend(later);
        if !events.is_empty() {
            self.arrived.give();
        }
        self.pending.replace(events);
    }

    /// These were written: whatever waited for that is told.
    pub(crate) fn written(&self, events: &[Event]) {
        for event in events.iter().filter(|event| event.id.n >= self.told.get()) {
            self.tell(event);
        }
        for event in self.pending.borrow().iter() {
            if event.id.n == self.told.get() && passing(&event.kind) {
                self.tell(event);
            }
        }
    }

    /// Where the last event stands that the listener has heard.
    pub(crate) fn heard(&self) -> Option<Place> {
        match self.told.get().checked_sub(1) {
            None => self.heard,
            Some(0) => self.heard.max(Some((0, 0))),
            Some(last) => self.heard.max(Some((self.epoch, last))),
        }
    }

    fn tell(&self, event: &Event) {
        self.told.set(event.id.n + 1);
        if self.heard.is_none_or(|heard| event.id.place() > heard) {
            self.sink.emit(event.clone());
        }
    }
}

/// Whether an event may be told before it is durable: the beginning is durable by itself, text can be taken back, and
/// how far somebody is promises nothing.
fn passing(kind: &EventKind) -> bool {
    match kind {
        EventKind::TurnStarted(_)
        | EventKind::TurnResumed { .. }
        | EventKind::TextDelta { .. }
        | EventKind::AgentProgress(_) => true,
        EventKind::ToolStarted(_)
        | EventKind::ToolFinished(_)
        | EventKind::GateOpened(_)
        | EventKind::GateDecided(_)
        | EventKind::UndoFinished(_)
        | EventKind::TurnWaiting(_)
        | EventKind::TurnFinished(_)
        | EventKind::TurnFailed(_)
        | EventKind::TurnStopped(_) => false,
    }
}
