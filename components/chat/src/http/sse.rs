//! Server-sent events (WHATWG HTML, section 9.2), written as they happen.
//!
//! A turn puts its events into a channel and never waits for the listener; a listener that is gone closes the
//! channel, which the turn need not care about. Whatever is ready goes out in one piece. After 15 s of silence a
//! comment is sent, so that proxies in between do not take the connection for dead.

use std::fmt::Write;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::StreamExt;
use futures::channel::mpsc;

/// Silence after which a comment is sent, in milliseconds.
pub const KEEP_ALIVE: u64 = 15_000;

/// A clock for the keep-alive: the time, and a wait.
pub trait Clock {
    /// Milliseconds since the Unix epoch.
    fn now(&self) -> u64;
    /// Waits so many milliseconds.
    fn sleep(&self, milliseconds: u64) -> Pin<Box<dyn Future<Output = ()>>>;
}

/// Where a turn's events go in: each a complete piece of the stream, as [`event`] or [`data`] writes it.
pub type Sender = mpsc::UnboundedSender<String>;

/// The events on their way out.
pub struct EventStream {
    events: mpsc::UnboundedReceiver<String>,
    clock: Box<dyn Clock>,
    last: u64,
    alarm: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

/// A stream, and where its events go in. It ends when the last sender is dropped.
pub fn stream(clock: Box<dyn Clock>) -> (Sender, EventStream) {
    let (sender, events) = mpsc::unbounded();
    (
        sender,
        EventStream {
            events,
            clock,
            last: 0,
            alarm: None,
        },
    )
}

impl EventStream {
    /// The next piece of the stream; `None` at its end.
    pub fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut ready = match self.events.poll_next_unpin(cx) {
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(event)) => event,
            Poll::Pending => return self.poll_silence(cx).map(Some),
        };
        // What else is ready goes along. The end, if it is next, is seen at the next poll.
        while let Ok(event) = self.events.try_recv() {
            ready.push_str(&event);
        }
        self.last = self.clock.now();
        Poll::Ready(Some(ready.into()))
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        loop {
            let alarm = match &mut self.alarm {
                Some(alarm) => alarm,
                None => {
                    let now = self.clock.now();
                    if self.last == 0 {
                        self.last = now;
                    }
                    // The alarm is not moved with every event; when it goes off, the rest is waited for.
                    let silent = now.saturating_sub(self.last);
                    if silent >= KEEP_ALIVE {
                        self.last = now;
                        return Poll::Ready(Bytes::from_static(b": keep-alive\n\n"));
                    }
                    self.alarm.insert(self.clock.sleep(KEEP_ALIVE - silent))
                }
            };
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.alarm = None;
        }
    }
}

/// An event with an id and a name. `data` is JSON on one line.
#[must_use]
pub fn event(id: &str, name: &str, data: &str) -> String {
    let mut text = String::with_capacity(id.len() + name.len() + data.len() + 24);
    // Writing to a string cannot fail.
    let _ = write!(text, "id: {id}\nevent: {name}\ndata: {data}\n\n");
    text
}

/// An event of data alone.
#[must_use]
pub fn data(data: &str) -> String {
    let mut text = String::with_capacity(data.len() + 8);
    text.push_str("data: ");
    text.push_str(data);
    text.push_str("\n\n");
    text
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;
    use std::task::Waker;

    use super::*;

    /// Time that moves when the test says so.
    #[derive(Clone, Default)]
    struct Manual {
        now: Rc<Cell<u64>>,
        slept: Rc<RefCell<Vec<u64>>>,
    }

    impl Clock for Manual {
        fn now(&self) -> u64 {
            self.now.get()
        }
        fn sleep(&self, milliseconds: u64) -> Pin<Box<dyn Future<Output = ()>>> {
            self.slept.borrow_mut().push(milliseconds);
            let (clock, until) = (self.now.clone(), self.now.get() + milliseconds);
            Box::pin(std::future::poll_fn(move |_| {
                if clock.get() >= until {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }))
        }
    }

    fn poll(stream: &mut EventStream) -> Poll<Option<Bytes>> {
        stream.poll_bytes(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_is_ready_goes_out_in_one_piece_and_then_the_stream_ends() {
        let (sender, mut stream) = stream(Box::new(Manual::default()));
        sender
            .unbounded_send(event("t.1", "text.delta", r#"{"text":"a"}"#))
            .unwrap();
        sender.unbounded_send(data("[DONE]")).unwrap();
        drop(sender);
        let expected = "id: t.1\nevent: text.delta\ndata: {\"text\":\"a\"}\n\ndata: [DONE]\n\n";
        assert_eq!(
            poll(&mut stream),
            Poll::Ready(Some(Bytes::from_static(expected.as_bytes())))
        );
        assert_eq!(poll(&mut stream), Poll::Ready(None));
    }

    #[test]
    fn silence_is_broken_every_fifteen_seconds_counted_from_the_last_event() {
        let clock = Manual::default();
        clock.now.set(1_000);
        let (sender, mut stream) = stream(Box::new(clock.clone()));
        assert!(poll(&mut stream).is_pending());
        clock.now.set(11_000);
        sender.unbounded_send(data("1")).unwrap();
        assert!(poll(&mut stream).is_ready());
        clock.now.set(16_000);
        assert!(poll(&mut stream).is_pending());
        clock.now.set(26_000);
        let comment = Poll::Ready(Some(Bytes::from_static(b": keep-alive\n\n")));
        assert_eq!(poll(&mut stream), comment);
        assert!(poll(&mut stream).is_pending());
        clock.now.set(41_000);
        assert_eq!(poll(&mut stream), comment);
        assert_eq!(*clock.slept.borrow(), [15_000, 10_000, 15_000]);
    }

    #[test]
    fn a_listener_that_is_gone_is_no_error_for_the_turn() {
        let (sender, stream) = stream(Box::new(Manual::default()));
        drop(stream);
        assert!(sender.unbounded_send(data("1")).is_err());
    }
}
