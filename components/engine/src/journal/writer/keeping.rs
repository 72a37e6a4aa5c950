//! What a turn's instance does as time passes, beside the work: it renews the lease, writes the events that are
//! waiting, and listens whether it is told to stop.
//!
//! A turn that is at its end before it has waited for anything pays nothing for it; another quick one, one timer.

use super::{BACKOFF, WriteError, Writer};
use crate::port::Environment;
use anyturn_state::{Error, Store};
use futures::future::{Either, select};
use std::pin::pin;

/// Milliseconds that an event waits for a write at most.
const EVENTS_WAIT: u64 = 100;

/// How old a turn is, in milliseconds, before its instance listens for a stop; until then writes tell.
const LISTEN_AFTER: u64 = 250;

/// The longest time that one `watch` may take, in milliseconds.
const LONGEST_WATCH: u64 = 30_000;

/// Milliseconds before listening is tried again when the store does not answer.
const LISTEN_AGAIN: u64 = 500;

impl<S: Store, E: Environment> Writer<'_, S, E> {
    /// Keeps the turn for as long as it is polled; ends only when the turn is lost.
    pub(crate) async fn keep(&self) -> WriteError {
        // The last write takes everything along, and nobody else writes until it has ended.
        if self.closing.get() {
            return std::future::pending().await;
        }
        self.environment.sleep(EVENTS_WAIT).await;
        match select(pin!(self.write_in_time()), pin!(self.listen())).await {
            Either::Left((lost, _)) => lost,
            Either::Right((never, _)) => match never {},
        }
    }

    /// Renews the lease when a third of it has passed, and writes events that have waited long enough.
    async fn write_in_time(&self) -> WriteError {
        loop {
            let left = self.lease.renew_in(self.environment.now());
            if left > 0 && !self.outbox.arrived.is_given() {
                let idle = pin!(self.environment.sleep(left));
                select(idle, pin!(self.outbox.arrived.wait())).await;
                if self.outbox.arrived.is_given() {
                    self.environment.sleep(EVENTS_WAIT.min(left)).await;
                }
                if !self.outbox.arrived.is_given() {
                    // Another write took the events along.
                    continue;
                }
            }
            match self.renew().await {
                Ok(()) => {}
                // The lease may still be ours; the next renewal or write tells.
                Err(WriteError::Store(Error::Unavailable(_))) if !self.lost.get() => {
                    self.environment.sleep(BACKOFF).await;
                }
                Err(error) => return error,
            }
        }
    }

    /// Waits for the turn to be told to stop, and passes it on.
    async fn listen(&self) -> std::convert::Infallible {
        self.environment.sleep(LISTEN_AFTER - EVENTS_WAIT).await;
        while !self.stop.is_given() {
            match self
                .store
                .watch(self.scope, &self.control, 0, 1, LONGEST_WATCH)
                .await
            {
                Ok(slice) if slice.length > 0 => self.stop.give(),
                Ok(_) => {}
                // Writes tell too, and so does the next try.
                Err(_) => self.environment.sleep(LISTEN_AGAIN).await,
            }
        }
        std::future::pending().await
    }
}
