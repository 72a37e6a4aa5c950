//! Between a turn and its listener: what is written before the answer begins, and how it ends.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;

use anyturn_engine::port::{Environment, Sink};
use anyturn_engine::{Event, Turn};
use futures::channel::oneshot;

use super::Writer;
use crate::http::{Problem, sse};

/// How an answer begins: with events, or not at all because there is nothing to tell (`false`), or with a refusal.
pub(super) type Begun = Result<bool, Problem>;

/// Tells whoever listens, if anybody does.
#[derive(Default)]
pub(super) struct Telling(RefCell<Option<Inner>>);

struct Inner {
    writer: Box<dyn Writer>,
    /// What was written before the answer began.
    held: String,
    begun: Option<oneshot::Sender<Begun>>,
    sender: sse::Sender,
}

impl Telling {
    /// Tells a stream what a writer makes of events, and `begun` how it begins.
    pub(super) fn new(writer: Box<dyn Writer>, begun: oneshot::Sender<Begun>, sender: sse::Sender) -> Self {
        Self(RefCell::new(Some(Inner {
            writer,
            held: String::new(),
            begun: Some(begun),
            sender,
        })))
    }

    /// Begins the answer, if it has not begun.
    pub(super) fn begin(&self) {
        if let Some(inner) = self.0.borrow_mut().as_mut() {
            inner.begin();
        }
    }

    /// Ends the answer; nothing is told after that.
    pub(super) fn conclude(&self, outcome: Result<Turn, Problem>) {
        if let Some(inner) = self.0.take() {
            inner.conclude(outcome);
        }
    }
}

impl Sink for Telling {
    fn emit(&self, event: Event) {
        let mut inner = self.0.borrow_mut();
        let Some(inner) = inner.as_mut() else { return };
        let begins = inner.begun.is_some() && inner.writer.begins(&event.kind);
        if let Some(text) = inner.writer.write(&event) {
            inner.send(text);
        }
        if begins {
            inner.begin();
        }
    }
}

impl Inner {
    fn send(&mut self, text: String) {
        if self.begun.is_some() {
            self.held.push_str(&text);
        } else if !text.is_empty() {
            // Whether anybody still listens is no matter.
            let _ = self.sender.unbounded_send(text);
        }
    }

    fn begin(&mut self) {
        if let Some(begun) = self.begun.take() {
            let held = std::mem::take(&mut self.held);
            self.send(held);
            let _ = begun.send(Ok(true));
        }
    }

    fn conclude(mut self, outcome: Result<Turn, Problem>) {
        let refused = match &outcome {
            Ok(turn) => self.writer.refuse(turn),
            Err(problem) => Some(problem.clone()),
        };
        if let Some(problem) = refused
            && let Some(begun) = self.begun.take()
        {
            let _ = begun.send(Err(problem));
            return;
        }
        let last = match &outcome {
            Ok(turn) => self.writer.end(turn),
            Err(problem) => self.writer.break_off(problem),
        };
        if self.held.is_empty()
            && last.is_empty()
            && let Some(begun) = self.begun.take()
        {
            let _ = begun.send(Ok(false));
            return;
        }
        self.send(last);
        self.begin();
    }
}

/// The keep-alive's clock.
pub(super) struct Ticking<E>(pub(super) E);

impl<E: Environment + Clone + 'static> sse::Clock for Ticking<E> {
    fn now(&self) -> u64 {
        self.0.now()
    }

    fn sleep(&self, milliseconds: u64) -> Pin<Box<dyn Future<Output = ()>>> {
        let environment = self.0.clone();
        Box::pin(async move { environment.sleep(milliseconds).await })
    }
}
