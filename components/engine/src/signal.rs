//! Something that one part of a running turn tells the others: a flag that can be waited for.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// A flag that can be waited for, within one instance.
#[derive(Default)]
pub(crate) struct Signal {
    given: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Signal {
    /// Sets the flag and wakes whoever waits for it.
    pub(crate) fn give(&self) {
        self.given.set(true);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// Takes the flag back.
    pub(crate) fn clear(&self) {
        self.given.set(false);
    }

    /// Whether the flag is set.
    pub(crate) fn is_given(&self) -> bool {
        self.given.get()
    }

    /// Waits until the flag is set.
    pub(crate) async fn wait(&self) {
        poll_fn(|context| {
            if self.given.get() {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }
}
