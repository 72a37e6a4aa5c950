//! Admission: one commit decides whether a turn begins, and makes it durable if it does.
//!
//! The commit claims the idempotency key, acquires the lease and appends `turn-started`; the condition that
//! fails tells what is the case instead:
//! - the key is taken: the request is a repetition. It gets the recorded turn, or waits for the running one,
//!   or, when nobody runs it any more, goes on with it;
//! - the lease is held: another turn runs, and the policy decides ([`OnBusy`]);
//! - the journal's length is not as required: the session does not exist, or exists already.

use crate::assistant::OnBusy;
use crate::conversation::{Conversation, End, Progress};
use crate::engine::Settings;
use crate::id;
use crate::journal::writer::LARGEST_ENTRY;
use crate::journal::{Entry, Key, ReadError, Record, TurnStarted, VERSION, unreadable};
use crate::loading::{self, Loaded};
use crate::port::Environment;
use crate::scope;
use crate::turn::TurnError;
use anyturn_state::{Actual, Committed, Document, Error, ExpectedLength, ExpectedVersion, Found, LeaseState};
use anyturn_state::{Query, Store, Write, Written};
use serde::{Deserialize, Serialize};

/// How often an admission is tried when the store does not answer, or when what stood in its way is gone.
const TRIES: u32 = 3;

/// The longest time that one `watch` may take, in milliseconds.
const LONGEST_WATCH: u64 = 30_000;

/// How long the record of a key is kept when the conversation's time to live is not known yet, in
/// milliseconds: until the turn ends, with a lot to spare.
const UNKNOWN_TTL: u64 = 24 * 60 * 60 * 1000;

/// What is known of a turn before it is admitted.
pub(crate) struct Application<'a, S, E> {
    pub store: &'a S,
    pub environment: &'a E,
    pub settings: Settings,
    pub scope: &'a str,
    /// Unique to this application: what its leases' holders end with.
    pub nonce: String,
    pub started: TurnStarted,
    /// What the request requires of the session.
    pub expected: ExpectedLength,
    /// The conversation's time to live; none leaves it as it is.
    pub ttl: Option<u64>,
    /// What happens if another turn is running.
    pub on_busy: OnBusy,
}

/// What came of an application.
#[derive(Debug)]
pub(crate) enum Decision {
    /// The turn is this instance's to run: a new one, or one to go on with. It is the conversation's
    /// current turn.
    Run(Box<Admitted>),
    /// It has run already.
    Recorded {
        /// The turn.
        progress: Box<Progress>,
        /// The conversation's assistant.
        assistant: String,
    },
}

/// The right to run a turn.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// The epoch of the lease.
    pub epoch: u64,
    /// The conversation, with the turn as its current one.
    pub loaded: Loaded,
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
        serde_json::from_slice(bytes)
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
        ttl: Some(ttl.unwrap_or(UNKNOWN_TTL)),
    })
}

impl<S: Store, E: Environment> Application<'_, S, E> {
    /// Applies until there is a decision.
    pub(crate) async fn decide(&self) -> Result<Decision, TurnError> {
        let mut tries = 0;
        loop {
            tries += 1;
            // An id of its own for each try: one that went unanswered may have been admitted and, if this
            // instance was slow, superseded since.
            let turn = id::new("turn", self.environment.random());
            let started = Record::TurnStarted(Box::new(self.started.clone()));
            let started = Entry {
                v: VERSION,
                at: self.environment.now(),
                turn,
                what: started,
            };
            let entry = started.encode()?;
            if entry.len() > LARGEST_ENTRY {
                return Err(TurnError::InvalidMessage("the message is too large".to_owned()));
            }
            let mut writes = Vec::with_capacity(3);
            if let Some(key) = &self.started.key {
                writes.push(put_key(key, &started.turn, None, self.ttl)?);
            }
            writes.push(self.acquire(&started.turn));
            writes.push(Write::Append {
                journal: scope::TURNS.to_owned(),
                expected: self.expected,
                entries: vec![entry],
                ttl: self.ttl,
            });
            let fresh = self.expected == ExpectedLength::Exactly(0);
            let queries = if fresh {
                Vec::new()
            } else {
                loading::queries().into()
            };
            let refused = match self.store.commit(self.scope, writes, queries).await {
                Ok(committed) if fresh => return Ok(first(&committed, started)),
                Ok(committed) => return self.admitted(committed).await,
                Err(error) => error,
            };
            match refused {
                Error::Conflict {
                    actual: Actual::Version(_),
                    ..
                } => {
                    if let Some(decision) = self.attach().await? {
                        return Ok(decision);
                    }
                    // The key's record has expired between the two; try for it again.
                }
                Error::Conflict {
                    actual: Actual::Lease(lease),
                    ..
                } => {
                    if self.is_own(&lease)
                        && let Some(admitted) = self.adopt().await?
                    {
                        return Ok(admitted);
                    }
                    match self.on_busy {
                        _ => return Err(busy(&lease)),
                    }
                }
                Error::Conflict {
                    actual: Actual::Length(0),
                    ..
                } => return Err(TurnError::UnknownSession),
                Error::Conflict {
                    actual: Actual::Length(_),
                    ..
                } => return Err(TurnError::SessionExists),
                Error::Unavailable(reason) => {
                    if let Some(admitted) = self.adopt().await? {
                        return Ok(admitted);
                    }
                    if tries >= TRIES {
                        return Err(TurnError::Store(Error::Unavailable(reason)));
                    }
                }
                other => return Err(TurnError::Store(other)),
            }
            if tries >= TRIES {
                return Err(TurnError::StillRunning {
                    turn: String::new(),
                    retry_after: 1000,
                });
            }
        }
    }

    fn acquire(&self, turn: &str) -> Write {
        Write::Acquire {
            lease: scope::TURN.to_owned(),
            holder: self.holder(turn),
            ttl: self.settings.lease,
        }
    }

    fn holder(&self, turn: &str) -> String {
        format!("{turn}/{}", self.nonce)
    }

    /// Whether a lease is held through this application.
    fn is_own(&self, lease: &LeaseState) -> bool {
        lease
            .holder
            .rsplit_once('/')
            .is_some_and(|(_, nonce)| nonce == self.nonce)
    }

    async fn admitted(&self, committed: Committed) -> Result<Decision, TurnError> {
        let epoch = epoch(&committed);
        let loaded = loading::load(self.store, self.scope, committed.found).await?;
        Ok(Decision::Run(Box::new(Admitted { epoch, loaded })))
    }

    /// The admission that took effect although its answer got lost, if it did.
    async fn adopt(&self) -> Result<Option<Decision>, TurnError> {
        let [snapshot, journal] = loading::queries();
        let lease = Query::Lease(scope::TURN.to_owned());
        let found = match self.store.read(self.scope, vec![lease, snapshot, journal]).await {
            Ok(found) => found,
            Err(Error::Unavailable(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let lease = lease_of(&found);
        if !self.is_own(&lease) {
            return Ok(None);
        }
        let loaded = loading::load(self.store, self.scope, found).await?;
        Ok(Some(Decision::Run(Box::new(Admitted {
            epoch: lease.epoch,
            loaded,
        }))))
    }

    /// Finds the turn of the idempotency key; `None` if the key is free again.
    async fn attach(&self) -> Result<Option<Decision>, TurnError> {
        let Some(key) = &self.started.key else {
            return Ok(None);
        };
        let deadline = self.environment.now().saturating_add(self.settings.attach);
        loop {
            let [snapshot, journal] = loading::queries();
            let document = Query::Document(key.document.clone());
            let lease = Query::Lease(scope::TURN.to_owned());
            let mut found = self
                .store
                .read(self.scope, vec![document, lease, snapshot, journal])
                .await?
                .into_iter();
            let Some(Found::Document(Some(Document { value, .. }))) = found.next() else {
                return Ok(None);
            };
            let document = KeyDocument::decode(&value)?;
            if document.request != key.request {
                return Err(TurnError::KeyReused);
            }
            let found: Vec<Found> = found.collect();
            let lease = lease_of(&found);
            let loaded = loading::load(self.store, self.scope, found).await?;
            if self.is_own(&lease) {
                return Ok(Some(Decision::Run(Box::new(Admitted {
                    epoch: lease.epoch,
                    loaded,
                }))));
            }
            let length = loaded.length;
            if length == 0 {
                return Err(TurnError::UnknownSession);
            }
            match self.find(&document, &loaded.conversation).await? {
                None => return Err(TurnError::UnknownSession),
                Some(progress) if progress.can_go_on() && lease.holder.is_empty() => {
                    if let Some(decision) = self.take_over(&document.turn, loaded).await? {
                        return Ok(Some(decision));
                    }
                }
                Some(progress) if progress.end.is_some() => {
                    let head = loaded.conversation.head;
                    let assistant = head.map(|head| head.assistant).unwrap_or_default();
                    return Ok(Some(Decision::Recorded {
                        progress: Box::new(progress),
                        assistant,
                    }));
                }
                Some(_) => {}
            }
            let now = self.environment.now();
            if now >= deadline {
                return Err(TurnError::StillRunning {
                    turn: document.turn,
                    retry_after: 1000,
                });
            }
            // Wakes up when the turn writes something, and when its lease has run out without a renewal.
            let timeout = (deadline - now).min(lease.remaining.max(1)).min(LONGEST_WATCH);
            self.store
                .watch(self.scope, scope::TURNS, length, 1, timeout)
                .await?;
        }
    }

    /// The turn of a key; `None` if it is gone with the session that it belonged to.
    async fn find(
        &self,
        document: &KeyDocument,
        conversation: &Conversation,
    ) -> Result<Option<Progress>, TurnError> {
        // A turn that has not ended, or may be tried again, is after the checkpoint; any other has ended, and
        // then its record says where it is.
        let near = conversation.current.iter().chain(&conversation.superseded);
        if let Some(progress) = near.into_iter().find(|turn| turn.turn == document.turn) {
            return Ok(Some(progress.clone()));
        }
        let Some(first) = document.first else {
            return Ok(None);
        };
        let mut found = loading::turn_at(self.store, self.scope, first, &document.turn).await?;
        if let Some(End::Failed { error, .. }) = found.as_mut().and_then(|turn| turn.end.as_mut()) {
            // The conversation has gone on; trying this one again now would change its past.
            error.retryable = false;
        }
        Ok(found)
    }

    /// Takes over a turn that nobody runs; `None` if somebody else was quicker.
    async fn take_over(&self, turn: &str, mut loaded: Loaded) -> Result<Option<Decision>, TurnError> {
        let entry = Entry {
            v: VERSION,
            at: self.environment.now(),
            turn: turn.to_owned(),
            what: Record::TurnResumed {
                holder: self.holder(turn),
            },
        };
        let append = Write::Append {
            journal: scope::TURNS.to_owned(),
            expected: ExpectedLength::Exactly(loaded.length),
            entries: vec![entry.encode()?],
            ttl: self.ttl,
        };
        match self
            .store
            .commit(self.scope, vec![self.acquire(turn), append], Vec::new())
            .await
        {
            Ok(committed) => {
                loaded.conversation.apply(loaded.length, entry);
                loaded.length += 1;
                let epoch = epoch(&committed);
                Ok(Some(Decision::Run(Box::new(Admitted { epoch, loaded }))))
            }
            // What took its place, or that it took effect unnoticed, shows when the caller looks again.
            Err(Error::Conflict { .. } | Error::Unavailable(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn busy(lease: &LeaseState) -> TurnError {
    // A holder is `<turn>/<random>`; any other is none of ours.
    let turn = lease
        .holder
        .split_once('/')
        .map(|(turn, _)| turn.to_owned())
        .unwrap_or_default();
    TurnError::Busy {
        turn,
        retry_after: lease.remaining.clamp(1, 1000),
    }
}

/// The first turn of a conversation needs nothing read.
fn first(committed: &Committed, started: Entry) -> Decision {
    let mut loaded = Loaded {
        length: 1,
        ..Loaded::default()
    };
    loaded.conversation.apply(0, started);
    Decision::Run(Box::new(Admitted {
        epoch: epoch(committed),
        loaded,
    }))
}

fn epoch(committed: &Committed) -> u64 {
    let epoch = committed.written.iter().find_map(|written| match written {
        Written::Granted { epoch, .. } => Some(*epoch),
        _ => None,
    });
    // A store that acquires without telling the epoch breaks its contract; 0 is no epoch, so nothing can be
    // written with it.
    epoch.unwrap_or_default()
}

fn lease_of(found: &[Found]) -> LeaseState {
    let lease = found.iter().find_map(|found| match found {
        Found::Lease(lease) => Some(lease.clone()),
        _ => None,
    });
    lease.unwrap_or_default()
}
