//! The time, read once for what happens at one moment.
//!
//! A turn asks for the time some twenty times, for each of its records and events, and each answer is a call of the
//! host. Between two of its waits, though, only microseconds pass. So the first one who asks while work goes on reads the
//! clock, and whoever asks before the work waits again is told the same. What has waited reads it anew.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;

/// The time as the work on one request knows it. Clones are handles to the same one.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    moment: Rc<Cell<Moment>>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Moment {
    /// No work that this clock is for goes on: time passes.
    #[default]
    None,
    /// Work goes on, and nobody has asked for the time.
    Unread,
    /// Work has gone on since about then.
    Read(u64),
}

impl Clock {
    /// The time: what somebody was told since the work has last waited, or else what `read` says.
    pub fn now(&self, read: impl FnOnce() -> u64) -> u64 {
        match self.moment.get() {
            Moment::None => read(),
            Moment::Unread => {
                let now = read();
                self.moment.set(Moment::Read(now));
                now
            }
            Moment::Read(now) => now,
        }
    }

    /// Time may have passed although the work has not waited: somebody was asked who holds it up until they answer.
    pub fn pass(&self) {
        if let Moment::Read(_) = self.moment.get() {
            self.moment.set(Moment::Unread);
        }
    }

    /// Does work for which the time stands still until it waits.
    pub async fn around<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|context| {
            self.moment.set(Moment::Unread);
            let poll = work.as_mut().poll(context);
            self.moment.set(Moment::None);
            poll
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use futures::channel::oneshot;

    /// A clock that goes on by one with each look at it.
    fn ticking() -> (Clock, impl Fn(&Clock) -> u64) {
        let looks = Cell::new(0);
        let now = move |clock: &Clock| {
            clock.now(|| {
                looks.set(looks.get() + 1);
                looks.get()
            })
        };
        (Clock::default(), now)
    }

    #[test]
    fn what_happens_without_a_wait_happens_at_one_time() {
        let (clock, now) = ticking();
        let times = clock.around(async { [now(&clock), now(&clock.clone()), now(&clock)] });
        assert_eq!(times.now_or_never(), Some([1, 1, 1]));
    }

    #[test]
    fn what_has_waited_reads_the_time_anew() {
        let (clock, now) = ticking();
        let (answer, answered) = oneshot::channel();
        let mut work = pin!(clock.around(async {
            let before = [now(&clock), now(&clock)];
            let _ = answered.await;
            (before, [now(&clock), now(&clock)])
        }));
        assert_eq!(work.as_mut().now_or_never(), None);
        // Somebody else's time goes on meanwhile.
        assert_eq!([now(&clock), now(&clock)], [2, 3]);
        answer.send(()).unwrap();
        assert_eq!(work.now_or_never(), Some(([1, 1], [4, 4])));
        assert_eq!([now(&clock), now(&clock)], [5, 6]);
    }

    #[test]
    fn what_was_held_up_reads_the_time_anew() {
        let (clock, now) = ticking();
        let times = clock.around(async {
            clock.pass();
            let before = now(&clock);
            clock.pass();
            [before, now(&clock), now(&clock)]
        });
        assert_eq!(times.now_or_never(), Some([1, 2, 2]));
        clock.pass();
        assert_eq!([now(&clock), now(&clock)], [3, 4]);
    }
}
