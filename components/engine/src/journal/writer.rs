//! Writes a journal as the holder of its turn's lease, and as nobody else.
//!
//! Entries are collected and written together, on the condition that the lease is held with this writer's
//! epoch and that the journal has the length this writer knows. When either does not hold, the writer has
//! lost the turn: it says [`WriteError::Fenced`] and never writes again. When the store does not answer, the
//! write is repeated: the condition on the length makes that harmless, and comparing what stands in the
//! journal tells a write that took effect unnoticed from one of somebody else.

use super::Entry;
use crate::port::Environment;
use crate::scope;
use anyturn_state::{Error, ExpectedLength, Found, Position, Query, Store, Write};
use futures::lock::Mutex;
use std::cell::{Cell, RefCell};

/// The largest entry; the store's limit for one.
pub(crate) const LARGEST_ENTRY: usize = 1 << 20;

/// How often a write that was not answered is repeated.
const REPEATS: u32 = 4;

/// Milliseconds before the first repetition; each further one waits twice as long.
const BACKOFF: u64 = 25;

/// Why something was not written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WriteError {
    /// The turn belongs to somebody else now, or the session was deleted.
    Fenced,
    /// The store failed.
    Store(Error),
    /// An entry is larger than the store takes.
    TooLarge,
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        WriteError::Store(error)
    }
}

/// The right to write a journal, and what is to be written.
pub(crate) struct Writer<'a, S, E> {
    store: &'a S,
    environment: &'a E,
    scope: &'a str,
    epoch: u64,
    lease: u64,
    /// The conversation's time to live.
    ttl: Cell<Option<u64>>,
    pending: RefCell<Pending>,
    /// The journal's length. Locked while a write is under way, so that there is one at a time.
    length: Mutex<u64>,
    /// When the lease was renewed last.
    renewed: Cell<u64>,
    lost: Cell<bool>,
}

#[derive(Default)]
struct Pending {
    entries: Vec<Vec<u8>>,
    writes: Vec<Write>,
}

impl<'a, S: Store, E: Environment> Writer<'a, S, E> {
    /// A writer that has just acquired the lease with `epoch`, when the journal had `length` entries.
    pub(crate) fn new(
        store: &'a S,
        environment: &'a E,
        scope: &'a str,
        epoch: u64,
        length: u64,
        lease: u64,
    ) -> Self {
        Writer {
            store,
            environment,
            scope,
            epoch,
            lease,
            ttl: Cell::new(None),
            pending: RefCell::default(),
            length: Mutex::new(length),
            renewed: Cell::new(environment.now()),
            lost: Cell::new(false),
        }
    }

    /// From the next write on the journal lives for `ttl` milliseconds more.
    pub(crate) fn set_ttl(&self, ttl: Option<u64>) {
        self.ttl.set(ttl);
    }

    /// The conversation's time to live, in milliseconds.
    pub(crate) fn ttl(&self) -> Option<u64> {
        self.ttl.get()
    }

    /// Puts an entry into the next write.
    pub(crate) fn record(&self, entry: &Entry) -> Result<(), WriteError> {
        let bytes = entry.encode()?;
        if bytes.len() > LARGEST_ENTRY {
            return Err(WriteError::TooLarge);
        }
        self.pending.borrow_mut().entries.push(bytes);
        Ok(())
    }

    /// Puts a change that is not an entry into the next write.
    pub(crate) fn also(&self, write: Write) {
        self.pending.borrow_mut().writes.push(write);
    }

    /// Writes what was recorded, if anything was. When this returns, it is durable.
    pub(crate) async fn flush(&self) -> Result<(), WriteError> {
        let length = self.length.lock().await;
        let empty = self.pending.borrow().entries.is_empty() && self.pending.borrow().writes.is_empty();
        if empty {
            return if self.lost.get() {
                Err(WriteError::Fenced)
            } else {
                Ok(())
            };
        }
        self.write(length, Vec::new(), true).await
    }

    /// Writes what was recorded and renews the lease and the journal's time to live.
    pub(crate) async fn renew(&self) -> Result<(), WriteError> {
        let length = self.length.lock().await;
        self.write(length, Vec::new(), true).await
    }

    /// Writes what was recorded and then `end`, together with the writes that `last` makes of the journal's
    /// length after it, and gives the lease up.
    pub(crate) async fn close(
        &self,
        end: &Entry,
        last: impl FnOnce(u64) -> Vec<Write>,
    ) -> Result<(), WriteError> {
        let length = self.length.lock().await;
        // Not before this is the only write under way: a renewal would write the end without what belongs to it.
        self.record(end)?;
        let after = *length + u64::try_from(self.pending.borrow().entries.len()).unwrap_or(u64::MAX);
        let mut writes = last(after);
        writes.push(Write::Release {
            lease: scope::TURN.to_owned(),
            epoch: self.epoch,
        });
        let result = self.write(length, writes, false).await;
        self.lost.set(true);
        result
    }

    /// Keeps the lease for as long as it is polled; ends only when the turn is lost.
    pub(crate) async fn keep(&self) -> WriteError {
        let third = (self.lease / 3).max(1);
        loop {
            let age = self.environment.now().saturating_sub(self.renewed.get());
            if age < third {
                self.environment.sleep(third - age).await;
                continue;
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

    async fn write(
        &self,
        mut length: futures::lock::MutexGuard<'_, u64>,
        last: Vec<Write>,
        keep: bool,
    ) -> Result<(), WriteError> {
        if self.lost.get() {
            return Err(WriteError::Fenced);
        }
        let Pending { entries, writes } = self.pending.take();
        let added = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        let lease = scope::TURN.to_owned();
        let mut all = Vec::with_capacity(2 + writes.len() + last.len());
        all.push(Write::Hold {
            lease,
            epoch: self.epoch,
            ttl: keep.then_some(self.lease),
        });
        all.push(Write::Append {
            journal: scope::TURNS.to_owned(),
            expected: ExpectedLength::Exactly(*length),
            entries: entries.clone(),
            ttl: self.ttl.get(),
        });
        all.extend(writes);
        all.extend(last);

        // Should this future be dropped half-way, nobody knows what took effect: then nothing more is written.
        self.lost.set(true);
        let began = self.environment.now();
        let result = self.commit(&all, &entries, *length).await;
        match &result {
            Ok(()) => {
                *length += added;
                self.renewed.set(began);
                self.lost.set(false);
            }
            // A renewal that wrote nothing can be tried again.
            Err(WriteError::Store(Error::Unavailable(_))) if all.len() == 2 && added == 0 => {
                self.lost
                    .set(self.environment.now() >= self.renewed.get().saturating_add(self.lease));
            }
            Err(_) => {}
        }
        result
    }

    /// Commits, again if need be, until it is known whether it took effect.
    async fn commit(&self, writes: &[Write], entries: &[Vec<u8>], length: u64) -> Result<(), WriteError> {
        let mut unanswered = 0;
        loop {
            match self.store.commit(self.scope, writes.to_vec(), Vec::new()).await {
                Ok(_) => return Ok(()),
                Err(Error::Conflict { .. }) if unanswered == 0 => return Err(WriteError::Fenced),
                Err(Error::Conflict { .. }) => match self.stands(entries, length).await {
                    Ok(true) => return Ok(()),
                    Ok(false) => return Err(WriteError::Fenced),
                    Err(error) if unanswered >= REPEATS => return Err(WriteError::Store(error)),
                    Err(_) => unanswered += 1,
                },
                Err(error @ Error::Unavailable(_)) => {
                    if unanswered >= REPEATS {
                        return Err(WriteError::Store(error));
                    }
                    self.environment.sleep(BACKOFF << unanswered).await;
                    unanswered += 1;
                }
                Err(error) => return Err(WriteError::Store(error)),
            }
        }
    }

    /// Whether these very entries stand in the journal from `length` on.
    async fn stands(&self, entries: &[Vec<u8>], length: u64) -> Result<bool, Error> {
        let query = Query::Journal {
            journal: scope::TURNS.to_owned(),
            start: Position::At(length),
            limit: u32::try_from(entries.len()).unwrap_or(u32::MAX),
        };
        let found = self.store.read(self.scope, vec![query]).await?;
        Ok(!entries.is_empty()
            && matches!(found.first(), Some(Found::Journal(slice)) if slice.entries == entries))
    }
}
