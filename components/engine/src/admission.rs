//! Admission: one commit decides whether a turn begins, and makes it durable if it does.
//!
//! The commit claims the idempotency key, acquires the lease, requires that nothing waits and nothing is
//! unfinished, and appends `turn-started`; the condition that fails tells what is the case instead:
//! - the key is taken: the request is a repetition, and leads to the turn of the first one;
//! - the lease is held: another turn runs, and a policy decides ([`crate::OnBusy`]);
//! - messages wait, or a turn was left unfinished by an instance that died: those come first;
//! - the journal's length is not as required: the session does not exist, or exists already.

use crate::address::Address;
use crate::conversation::Conversation;
use crate::engine::Settings;
use crate::event::log::Told;
use crate::id;
use crate::journal::writer::{Grant, Held, LARGEST_ENTRY};
use crate::journal::{Entry, Key, ReadError, Record, TurnStarted, VERSION, unreadable};
use crate::loading::{self, Loaded};
use crate::port::Environment;
use crate::register;
use crate::scope;
use crate::turn::TurnError;
use anyturn_state::{Actual, Committed, Document, Error, ExpectedLength, ExpectedVersion, Found, LeaseState};
use anyturn_state::{Position, Query, Store, Write};
use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};

/// How often an admission is tried when the store does not answer, or when what stood in its way is gone.
const TRIES: u32 = 3;

/// How long what belongs to a turn that has not ended is kept, in milliseconds: until it ends, with a lot to
/// spare.
pub(crate) const UNENDED_TTL: u64 = 24 * 60 * 60 * 1000;

/// What is known of a turn before it is admitted.
pub(crate) struct Application<'a, S, E> {
    pub store: &'a S,
    pub environment: &'a E,
    pub settings: Settings,
    pub scope: &'a str,
    /// Whose conversation it is, and which: what the register has to know.
    pub address: &'a Address,
    /// Up to when the conversation is certainly in the register: a turn that begins later could be lost.
    pub entered: Cell<u64>,
    /// Unique to this application: what its leases' holders end with.
    pub nonce: String,
    pub started: TurnStarted,
    /// What the request requires of the session.
    pub expected: ExpectedLength,
    /// The conversation's time to live; none leaves it as it is.
    pub ttl: Option<u64>,
    /// Turns of tries that went unanswered: they may have been admitted.
    pub unanswered: RefCell<Vec<String>>,
}

/// What came of an application.
#[derive(Debug)]
pub(crate) enum Decision {
    /// The turn is this instance's to run. It is the conversation's current turn.
    Run(Box<Admitted>),
    /// The request has led to a turn before.
    Known {
        /// The turn.
        turn: String,
        /// Where its first entry stands, if it has ended.
        first: Option<u64>,
    },
    /// Another turn is running.
    Busy(LeaseState),
    /// Nobody is at work, but something has to be finished before anything else begins.
    Unsettled,
}

/// The right to run a turn.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// The turn's lease.
    pub grant: Grant,
    /// The conversation, with the turn as its current one.
    pub loaded: Loaded,
    /// What was told of it before it was taken over; none if it begins.
    pub told: Option<Told>,
    /// Whether it was told to stop.
    pub stopped: bool,
}

/// What a condition of the admission's commit is about.
enum Condition {
    Time,
    Key,
    Lease,
    Queue,
    Unfinished,
    Session,
}

/// What is stored under an idempotency key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeyDocument {
    v: u32,
    /// The turn that the key led to.
    turn: String,
    /// A hash of the request.
    request: String,
    /// Where the turn's first entry stands; known when the turn has ended once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<u64>,
}

impl KeyDocument {
    fn decode(bytes: &[u8]) -> Result<KeyDocument, ReadError> {
        anyturn_json::from_slice(bytes)
            .map_err(|problem| unreadable("the record of an idempotency key", bytes, Some(problem)))
    }
}

/// The write that records what a key led to. `first`: where the turn's first entry stands, once it has ended.
pub(crate) fn put_key(key: &Key, turn: &str, first: Option<u64>, ttl: Option<u64>) -> Result<Write, Error> {
    let document = KeyDocument {
        v: VERSION,
        turn: turn.to_owned(),
        request: key.request.clone(),
        first,
    };
    Ok(Write::Put {
        document: key.document.clone(),
        expected: if first.is_some() {
            ExpectedVersion::Any
        } else {
            ExpectedVersion::Absent
        },
        value: serde_json::to_vec(&document).map_err(|error| Error::Invalid(error.to_string()))?,
        ttl: Some(ttl.unwrap_or(UNENDED_TTL)),
    })
}

impl<S: Store, E: Environment> Application<'_, S, E> {
    /// Applies until there is a decision.
    pub(crate) async fn decide(&self) -> Result<Decision, TurnError> {
        let mut tries = 0;
        loop {
            tries += 1;
            if !self.unanswered.borrow().is_empty()
                && let Some(decision) = self.look_back().await?
            {
                return Ok(decision);
            }
            // An id of its own for each try: one that went unanswered may have been admitted and, if this
            // instance was slow, superseded since.
            let started = Entry {
                v: VERSION,
                at: self.environment.now(),
                turn: id::new("turn", self.environment.random()),
                what: Record::TurnStarted(Box::new(self.started.clone())),
            };
            let fresh = self.expected == ExpectedLength::Exactly(0);
            let (conditions, writes) = self.writes(&started, fresh)?;
            let queries = if fresh {
                Vec::new()
            } else {
                loading::queries().into()
            };
            let (write, actual) = match self.store.commit(self.scope, writes, queries).await {
                Ok(committed) if fresh => return Ok(first(&committed, started)),
                Ok(committed) => return self.admitted(committed).await,
                Err(Error::Conflict { write, actual }) => (write, actual),
                Err(error @ Error::Unavailable(_)) => {
                    self.unanswered.borrow_mut().push(started.turn);
                    if tries >= TRIES {
                        return match self.look_back().await? {
                            Some(decision) => Ok(decision),
                            None => Err(error.into()),
                        };
                    }
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let condition = conditions.get(usize::try_from(write).unwrap_or(usize::MAX));
            match (condition, actual) {
                (Some(Condition::Time), Actual::Time(now)) => {
                    // The conversation may have been dropped from the register by now: there was nothing to see.
                    self.enter(now).await?;
                    if tries >= TRIES {
                        return Err(TurnError::StillRunning {
                            turn: String::new(),
                            retry_after: 1000,
                        });
                    }
                }
                (Some(Condition::Key), _) => {
                    if let Some(known) = self.known().await? {
                        return Ok(known);
                    }
                    // The key's record has expired between the two; try for it again.
                    if tries >= TRIES {
                        return Err(TurnError::StillRunning {
                            turn: String::new(),
                            retry_after: 1000,
                        });
                    }
                }
                (Some(Condition::Lease), Actual::Lease(lease)) => return Ok(Decision::Busy(lease)),
                (Some(Condition::Queue | Condition::Unfinished), _) if fresh => {
                    return Err(TurnError::SessionExists);
                }
                (Some(Condition::Queue | Condition::Unfinished), _) => return Ok(Decision::Unsettled),
                (Some(Condition::Session), Actual::Length(0)) => return Err(TurnError::UnknownSession),
                (Some(Condition::Session), Actual::Length(_)) => return Err(TurnError::SessionExists),
                (_, actual) => return Err(Error::Conflict { write, actual }.into()),
            }
        }
    }

    /// Enters the conversation into the register once more; `now` by the store's clock.
    async fn enter(&self, now: u64) -> Result<(), TurnError> {
        let Address { user, session, .. } = self.address;
        let lease = self.settings.lease;
        let enter = register::enter(user, session, now.max(self.environment.now()), lease);
        self.store
            .commit(&scope::shard(user), vec![enter], Vec::new())
            .await?;
        self.entered.set(now.saturating_add(register::certain(lease)));
        Ok(())
    }

    /// The writes of one try, and what each one's condition is about.
    fn writes(&self, started: &Entry, fresh: bool) -> Result<(Vec<Condition>, Vec<Write>), TurnError> {
        let entry = started.encode()?;
        if entry.len() > LARGEST_ENTRY {
            return Err(TurnError::InvalidMessage("the message is too large".to_owned()));
        }
        let mut conditions = Vec::with_capacity(6);
        let mut writes = Vec::with_capacity(6);
        conditions.push(Condition::Time);
        writes.push(Write::NotAfter(self.entered.get()));
        if let Some(key) = &self.started.key {
            conditions.push(Condition::Key);
            writes.push(put_key(key, &started.turn, None, None)?);
        }
        conditions.push(Condition::Lease);
        writes.push(acquire(&started.turn, &self.nonce, self.settings));
        if !fresh {
            conditions.push(Condition::Queue);
            writes.push(Write::Append {
                journal: scope::QUEUE.to_owned(),
                expected: ExpectedLength::Exactly(0),
                entries: Vec::new(),
                ttl: None,
            });
        }
        conditions.push(Condition::Unfinished);
        writes.push(unfinished(&started.turn));
        conditions.push(Condition::Session);
        writes.push(Write::Append {
            journal: scope::TURNS.to_owned(),
            expected: self.expected,
            entries: vec![entry],
            ttl: self.ttl,
        });
        Ok((conditions, writes))
    }

    /// Whether a lease is held through this application.
    fn is_own(&self, lease: &LeaseState) -> bool {
        lease
            .holder
            .rsplit_once('/')
            .is_some_and(|(_, nonce)| nonce == self.nonce)
    }

    async fn admitted(&self, committed: Committed) -> Result<Decision, TurnError> {
        let grant = Grant::of(&committed);
        let loaded = loading::load(self.store, self.scope, committed.found).await?;
        Ok(Decision::Run(Box::new(Admitted::beginning(grant, loaded))))
    }

    /// What came of tries that went unanswered; `None` if nothing did.
    async fn look_back(&self) -> Result<Option<Decision>, TurnError> {
        let unanswered = self.unanswered.borrow().clone();
        let [snapshot, journal] = loading::queries();
        let mut queries = vec![Query::Lease(scope::TURN.to_owned()), snapshot, journal];
        queries.extend(unanswered.iter().map(|turn| Query::Journal {
            journal: scope::events(turn),
            start: Position::At(0),
            limit: 0,
        }));
        let mut found = self.store.read(self.scope, queries).await?;
        let events = found.split_off(found.len().min(3));
        let lease = lease_of(&found);
        let loaded = loading::load(self.store, self.scope, found).await?;
        if self.is_own(&lease) {
            let grant = Grant {
                epoch: lease.epoch,
                until: 0,
            };
            return Ok(Some(Decision::Run(Box::new(Admitted::beginning(grant, loaded)))));
        }
        let told = |found: &Found| matches!(found, Found::Journal(events) if events.length > 0);
        let Conversation {
            current, superseded, ..
        } = &loaded.conversation;
        let begun = |turn: &String| current.iter().chain(superseded).any(|known| known.turn == *turn);
        let mut tries = unanswered.iter().zip(&events);
        let known = tries.find(|(turn, events)| told(events) || begun(turn));
        Ok(known.map(|(turn, _)| Decision::Known {
            turn: turn.clone(),
            first: None,
        }))
    }

    /// The turn of the idempotency key; `None` if the key is free again.
    async fn known(&self) -> Result<Option<Decision>, TurnError> {
        let Some(key) = &self.started.key else {
            return Ok(None);
        };
        let query = Query::Document(key.document.clone());
        let found = self.store.read(self.scope, vec![query]).await?;
        let Some(Found::Document(Some(Document { value, .. }))) = found.into_iter().next() else {
            return Ok(None);
        };
        let KeyDocument {
            v: _,
            turn,
            request,
            first,
        } = KeyDocument::decode(&value)?;
        if request != key.request {
            return Err(TurnError::KeyReused);
        }
        Ok(Some(Decision::Known { turn, first }))
    }
}

impl<S: Store, E: Environment> Application<'_, S, E> {
    /// The turn of the idempotency key, if there is one.
    pub(crate) async fn key_turn(&self) -> Result<Option<String>, TurnError> {
        Ok(self.known().await?.and_then(|known| match known {
            Decision::Known { turn, .. } => Some(turn),
            Decision::Run(_) | Decision::Busy(_) | Decision::Unsettled => None,
        }))
    }
}

impl Admitted {
    /// The turn.
    pub(crate) fn turn(&self) -> &str {
        // There is always a current turn: the commit that admits puts it there.
        self.loaded
            .conversation
            .current
            .as_ref()
            .map_or("", |current| &current.turn)
    }

    /// What a writer needs to know of it.
    pub(crate) fn held<'a>(&self, address: &'a Address, settings: Settings) -> Held<'a> {
        Held {
            scope: &address.scope,
            turn: self.turn().to_owned(),
            grant: self.grant,
            length: self.loaded.length,
            lease: settings.lease,
        }
    }

    /// A turn that begins.
    pub(crate) fn beginning(grant: Grant, loaded: Loaded) -> Admitted {
        Admitted {
            grant,
            loaded,
            told: None,
            stopped: false,
        }
    }
}

/// The write that acquires the lease for a turn. A holder is `<turn>/<random>`.
pub(crate) fn acquire(turn: &str, nonce: &str, settings: Settings) -> Write {
    Write::Acquire {
        lease: scope::TURN.to_owned(),
        holder: format!("{turn}/{nonce}"),
        ttl: settings.lease,
    }
}

/// The write that says that a turn has begun, on the condition that no other one has not ended.
pub(crate) fn unfinished(turn: &str) -> Write {
    Write::Put {
        document: scope::UNFINISHED.to_owned(),
        expected: ExpectedVersion::Absent,
        value: turn.as_bytes().to_vec(),
        ttl: Some(UNENDED_TTL),
    }
}

/// The turn that holds a lease; empty if nobody does.
pub(crate) fn holding(lease: &LeaseState) -> &str {
    lease.holder.split_once('/').map_or("", |(turn, _)| turn)
}

/// The first turn of a conversation needs nothing read.
fn first(committed: &Committed, started: Entry) -> Decision {
    let mut loaded = Loaded {
        length: 1,
        ..Loaded::default()
    };
    loaded.conversation.apply(0, started);
    Decision::Run(Box::new(Admitted::beginning(Grant::of(committed), loaded)))
}

/// The first lease that was found.
pub(crate) fn lease_of(found: &[Found]) -> LeaseState {
    let lease = found.iter().find_map(|found| match found {
        Found::Lease(lease) => Some(lease.clone()),
        _ => None,
    });
    lease.unwrap_or_default()
}
