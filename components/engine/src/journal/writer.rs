//! Writes a journal as the holder of its turn's lease, and as nobody else.
//!
//! Entries are collected and written together, on the condition that the lease is held with this writer's
//! epoch and that the journal has the length this writer knows. When either does not hold, the writer has
//! lost the turn: it says [`WriteError::Fenced`] and never writes again. When the store does not answer, the
//! write is repeated: the condition on the length makes that harmless, and comparing what stands in the
//! journal tells a write that took effect unnoticed from one of somebody else.
//!
//! Every write takes the turn's events along ([`Outbox`]) and asks whether the turn was told to stop. As a rule it is
//! one commit; what is too large for one is divided (`parts`). What happens between the writes, as time passes, is in
//! `keeping`, and how long the turn is this instance's in `lease`.

mod keeping;
mod lease;
mod parts;

pub(crate) use lease::{Lease, Longer};
use parts::Part;

use super::Entry;
use crate::event::outbox::Outbox;
use crate::event::{EventKind, log};
use crate::port::Environment;
use crate::scope;
use crate::signal::Signal;
use anyturn_state::{Committed, Error, ExpectedLength, Found, Position, Query, Store, Write, Written};
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

/// A turn's lease as this instance has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The fencing epoch.
    pub epoch: u64,
    /// The last moment at which it is held unless it is renewed, by the store's clock; 0 if it is not known.
    pub until: u64,
}

impl Grant {
    /// The lease that a commit granted.
    pub(crate) fn of(committed: &Committed) -> Grant {
        let grant = committed.written.iter().find_map(|written| match written {
            Written::Granted { epoch, until } => Some(Grant {
                epoch: *epoch,
                until: *until,
            }),
            _ => None,
        });
        // A store that grants without saying so breaks its contract; 0 is no epoch, so nothing can be written
        // with it.
        grant.unwrap_or(Grant { epoch: 0, until: 0 })
    }
}

/// Where a turn is written, and for how long it is this instance's.
pub(crate) struct Held<'a> {
    /// The conversation's scope.
    pub scope: &'a str,
    /// The turn.
    pub turn: String,
    /// Its lease.
    pub grant: Grant,
    /// The length of the conversation's journal when the lease was granted.
    pub length: u64,
    /// For how long the lease is renewed, in milliseconds.
    pub lease: u64,
}

/// The right to write a journal, and what is to be written.
pub(crate) struct Writer<'a, S, E> {
    store: &'a S,
    environment: &'a E,
    scope: &'a str,
    epoch: u64,
    lease: Lease,
    /// The journal of the turn's events, and what is on its way there.
    events: String,
    pub outbox: Outbox<'a>,
    /// The journal in which the turn is told to stop, and whether it was.
    control: String,
    pub stop: Signal,
    /// The conversation's time to live.
    ttl: Cell<Option<u64>>,
    /// The events' time to live.
    events_ttl: Cell<u64>,
    pending: RefCell<Pending>,
    /// The journal's length. Locked while a write is under way, so that there is one at a time.
    length: Mutex<u64>,
    lost: Cell<bool>,
    /// Whether the last write has begun: from then on there is nothing to be kept.
    closing: Cell<bool>,
}

#[derive(Default)]
struct Pending {
    entries: Vec<Vec<u8>>,
    writes: Vec<Write>,
}

impl<'a, S: Store, E: Environment> Writer<'a, S, E> {
    /// A writer for a lease that has just been acquired.
    pub(crate) fn new(store: &'a S, environment: &'a E, held: Held<'a>, outbox: Outbox<'a>) -> Self {
        let Held {
            scope,
            turn,
            grant,
            length,
            lease,
        } = held;
        Writer {
            store,
            environment,
            scope,
            epoch: grant.epoch,
            lease: Lease::new(lease, environment.now(), grant.until),
            events: scope::events(&turn),
            outbox,
            control: scope::control(&turn),
            stop: Signal::default(),
            ttl: Cell::new(None),
            events_ttl: Cell::new(log::TTL),
            pending: RefCell::default(),
            length: Mutex::new(length),
            lost: Cell::new(false),
            closing: Cell::new(false),
        }
    }

    /// From the next write on the journal lives for `ttl` milliseconds more, and the log of events for `events`.
    pub(crate) fn set_ttl(&self, ttl: Option<u64>, events: u64) {
        self.ttl.set(ttl);
        self.events_ttl.set(events);
    }

    /// The conversation's time to live, in milliseconds.
    pub(crate) fn ttl(&self) -> Option<u64> {
        self.ttl.get()
    }

    /// The last moment at which the lease is held, by the store's clock: what a tool does for the turn may take
    /// effect up to then. Renews the lease if that would leave little time, or is not known.
    pub(crate) async fn deadline(&self) -> Result<u64, WriteError> {
        if self.lease.is_short(self.environment.now()) {
            self.renew().await?;
        }
        Ok(self.lease.until())
    }

    /// The store's clock when the lease was granted or renewed last; this instance's where it is not known.
    pub(crate) fn time(&self) -> u64 {
        match self.lease.until() {
            0 => self.environment.now(),
            // That is the last moment, and the one after it is when the lease is over.
            until => until.saturating_add(1).saturating_sub(self.lease.granted()),
        }
    }

    /// How long the lease is held, and for how long it is asked for.
    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
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

    /// Puts an event into the next write, and tells the listener when it may hear it.
    pub(crate) fn tell(&self, kind: EventKind) {
        let live = !self.lost.get() && self.lease.is_held(self.environment.now());
        self.outbox.put(kind, live);
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

    /// Writes what was recorded and then `end`, which is told as `event`, together with the writes that `last`
    /// makes of the journal's length after it, and gives the lease up.
    pub(crate) async fn close(
        &self,
        end: &Entry,
        event: Option<EventKind>,
        last: impl FnOnce(u64) -> Vec<Write>,
    ) -> Result<(), WriteError> {
        let length = self.length.lock().await;
        self.closing.set(true);
        // Not before this is the only write under way: a renewal would write the end without what belongs to it.
        self.record(end)?;
        if let Some(event) = event {
            self.outbox.put(event, false);
        }
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

    async fn write(
        &self,
        mut length: futures::lock::MutexGuard<'_, u64>,
        last: Vec<Write>,
        keep: bool,
    ) -> Result<(), WriteError> {
        if self.lost.get() {
            return Err(WriteError::Fenced);
        }
        // Should this future be dropped half-way, nobody knows what took effect: then nothing more is written.
        self.lost.set(true);
        let Pending { entries, writes } = self.pending.take();
        let events = self.outbox.take();
        let batches = log::encode(self.epoch, &events)?;
        // Events alone can be written twice without harm: whoever reads them goes by their ids.
        let harmless = keep && entries.is_empty() && writes.is_empty();
        for part in parts::divide(entries, batches, writes, last) {
            match self.write_part(part, &mut length, keep).await {
                Ok(()) => {}
                Err(error) => {
                    if let (WriteError::Store(Error::Unavailable(_)), true) = (&error, harmless) {
                        self.outbox.put_back(events);
                        self.lost.set(!self.lease.is_held(self.environment.now()));
                    }
                    return Err(error);
                }
            }
        }
        self.lost.set(false);
        self.outbox.written(&events);
        Ok(())
    }

    /// Commits a part of what is to be written.
    async fn write_part(&self, part: Part, length: &mut u64, keep: bool) -> Result<(), WriteError> {
        let Part {
            entries,
            batches,
            writes,
            last,
        } = part;
        let added = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        let asked = self.lease.asked();
        let mut all = Vec::with_capacity(3 + writes.len());
        all.push(Write::Hold {
            lease: scope::TURN.to_owned(),
            epoch: self.epoch,
            ttl: (keep || !last).then_some(asked),
        });
        all.push(Write::Append {
            journal: scope::TURNS.to_owned(),
            expected: ExpectedLength::Exactly(*length),
            entries: entries.clone(),
            ttl: self.ttl.get(),
        });
        if !batches.is_empty() {
            all.push(Write::Append {
                journal: self.events.clone(),
                expected: ExpectedLength::Any,
                entries: batches,
                ttl: Some(self.events_ttl.get()),
            });
        }
        all.extend(writes);

        let began = self.environment.now();
        let committed = self.commit(&all, &entries, *length).await?;
        *length += added;
        self.lease.renewed(asked, began, Grant::of(&committed).until);
        if told_to_stop(&committed.found) {
            self.stop.give();
        }
        Ok(())
    }

    /// Commits, again if need be, until it is known whether it took effect.
    async fn commit(
        &self,
        writes: &[Write],
        entries: &[Vec<u8>],
        length: u64,
    ) -> Result<Committed, WriteError> {
        let mut unanswered = 0;
        loop {
            let queries = vec![told(&self.control)];
            match self.store.commit(self.scope, writes.to_vec(), queries).await {
                Ok(committed) => return Ok(committed),
                Err(Error::Conflict { .. }) if unanswered == 0 => return Err(WriteError::Fenced),
                Err(Error::Conflict { .. }) => match self.stands(entries, length).await {
                    // When the lease ends is not known then; what needs to know renews it.
                    Ok(true) => return Ok(Committed::default()),
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

/// The query that tells whether a turn was told to stop.
pub(crate) fn told(control: &str) -> Query {
    Query::Journal {
        journal: control.to_owned(),
        start: Position::At(0),
        limit: 1,
    }
}

/// Whether the turn was told to stop, by the first journal that was found.
fn told_to_stop(found: &[Found]) -> bool {
    matches!(found.first(), Some(Found::Journal(control)) if control.length > 0)
}
