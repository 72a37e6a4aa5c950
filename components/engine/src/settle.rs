//! Finishing what was left: turns whose instance died, and messages that wait.
//!
//! Whoever meets such a conversation does it: a listener, a repeated request, the next message, the sweep. Of
//! several who try at once, one gets the lease; the others see that somebody is at work.

use crate::address::Address;
use crate::admission::{Admitted, acquire, lease_of, unfinished};
use crate::assistant::{Assistant, Assistants};
use crate::engine::Engine;
use crate::event::log::{self, Told};
use crate::event::outbox::Nobody;
use crate::id;
use crate::journal::writer::{self, Grant};
use crate::journal::{Entry, ReadError, Record, VERSION};
use crate::loading::{self, Loaded, PAGE};
use crate::port::{Environment, Model, Tools};
use crate::queue::Waiting;
use crate::scope;
use crate::turn::TurnError;
use crate::working::Work;
use anyturn_state::{
    Actual, Error, ExpectedLength, ExpectedVersion, Found, JournalSlice, LeaseState, Position,
};
use anyturn_state::{Query, Store, Write};
use std::cell::Cell;
use std::pin::pin;

/// What a conversation is doing, as of one moment.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Who works on it.
    pub lease: LeaseState,
    /// The turn that has begun and not ended, and the version of the document that says so.
    pub unfinished: Option<(String, u64)>,
    /// The messages that wait, from the journal's checkpoint on.
    pub queue: JournalSlice,
    /// The length of the conversation's journal.
    pub length: u64,
    /// When somebody has to look at turns that wait for decisions; none if none does.
    pub waits_until: Option<u64>,
    /// A part of a turn's events, if they were asked for.
    pub events: JournalSlice,
}

impl State {
    /// Whether this turn has begun and not ended.
    pub(crate) fn is_unfinished(&self, turn: &str) -> bool {
        self.unfinished
            .as_ref()
            .is_some_and(|(unfinished, _)| unfinished == turn)
    }

    /// Whether somebody works on the conversation.
    pub(crate) fn is_busy(&self) -> bool {
        !self.lease.holder.is_empty()
    }

    /// Whether nobody has to do anything but decide.
    pub(crate) fn is_settled(&self) -> bool {
        !self.is_busy() && self.unfinished.is_none() && self.queue.entries.is_empty()
    }
}

/// The right to go on with a turn, and its assistant.
pub(crate) struct Ready {
    pub admitted: Admitted,
    pub assistant: Assistant,
}

/// What came of trying to go on with a turn.
pub(crate) enum Resumption {
    /// It can be gone on with here.
    Ready(Box<Ready>),
    /// Somebody else was quicker, or it is not known who has it; looking again tells.
    Elsewhere,
    /// It comes too late, by the store's clock.
    Late,
    /// There is no such turn to go on with.
    Gone,
}

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// What a conversation is doing; with `events`, also what the log of a turn has from a position on.
    pub(crate) async fn state(
        &self,
        address: &Address,
        events: Option<(&str, u64)>,
    ) -> Result<State, TurnError> {
        let mut queries = vec![
            Query::Lease(scope::TURN.to_owned()),
            Query::Document(scope::UNFINISHED.to_owned()),
            Query::Journal {
                journal: scope::QUEUE.to_owned(),
                start: Position::Checkpoint,
                limit: PAGE,
            },
            loading::journal(Position::At(0), 0),
            Query::Document(scope::WAITING.to_owned()),
        ];
        queries.extend(events.map(|(turn, from)| logged(turn, from)));
        let mut found = self.store.read(&address.scope, queries).await?.into_iter();
        let mut state = State::default();
        if let Some(Found::Lease(lease)) = found.next() {
            state.lease = lease;
        }
        if let Some(Found::Document(Some(document))) = found.next() {
            let turn = String::from_utf8_lossy(&document.value).into_owned();
            state.unfinished = Some((turn, document.version));
        }
        if let Some(Found::Journal(queue)) = found.next() {
            state.queue = queue;
        }
        if let Some(Found::Journal(turns)) = found.next() {
            state.length = turns.length;
        }
        if let Some(Found::Document(Some(document))) = found.next() {
            // What cannot be read is looked at at once.
            let until = String::from_utf8_lossy(&document.value).parse();
            state.waits_until = Some(until.unwrap_or_default());
        }
        if let Some(Found::Journal(events)) = found.next() {
            state.events = events;
        }
        Ok(state)
    }

    /// Does the first thing that is left to do in a conversation, to its end, if nobody is at it.
    pub(crate) async fn settle(
        &self,
        address: &Address,
        assistants: &impl Assistants,
    ) -> Result<(), TurnError> {
        let state = self.state(address, None).await?;
        if state.is_busy() {
            return Ok(());
        }
        let resumption = if let Some((turn, version)) = &state.unfinished {
            let resumption = self.resume(address, turn, assistants).await?;
            if matches!(resumption, Resumption::Gone) {
                // The conversation has expired, or was deleted, and this was left of it.
                let left = Write::Delete {
                    document: scope::UNFINISHED.to_owned(),
                    expected: ExpectedVersion::Exactly(*version),
                };
                self.forget(address, state.length, left).await?;
            }
            resumption
        } else {
            self.call_next(address, &state, assistants).await?
        };
        let Resumption::Ready(ready) = resumption else {
            return Ok(());
        };
        let Ready { admitted, assistant } = *ready;
        let work = Work {
            address,
            admitted,
            assistant: &assistant,
            urgent: false,
            sink: &Nobody,
            heard: &Cell::default(),
        };
        match self.run(work, pin!(std::future::ready(None))).await {
            Ok(_) | Err(TurnError::Fenced { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes over a turn that nobody works on: one that has not ended, failed in a way that may be mended, or waits
    /// for nothing but decisions that nobody can take any more.
    pub(crate) async fn resume(
        &self,
        address: &Address,
        turn: &str,
        assistants: &impl Assistants,
    ) -> Result<Resumption, TurnError> {
        let loaded = self.load(address).await?;
        let waiting = loaded.conversation.waiting().find(|waiting| waiting.turn == turn);
        if let Some(waiting) = waiting
            && self.is_due(&address.scope, waiting).await?
        {
            return self.expire(address, &loaded, waiting, assistants).await;
        }
        let Some(current) = loaded.conversation.current.as_ref() else {
            return Ok(Resumption::Gone);
        };
        if current.turn != turn || !current.can_go_on() {
            return Ok(Resumption::Gone);
        }
        let assistant = assistants.load(head(&loaded)).await?;
        let nonce = id::new("run", self.environment.random());
        let entry = Entry {
            v: VERSION,
            at: self.environment.now(),
            turn: turn.to_owned(),
            what: Record::TurnResumed {
                holder: format!("{turn}/{nonce}"),
            },
        };
        let mut writes = vec![acquire(turn, &nonce, self.settings)];
        writes.extend(current.end.is_some().then(|| unfinished(turn)));
        writes.push(Write::Append {
            journal: scope::TURNS.to_owned(),
            expected: ExpectedLength::Exactly(loaded.length),
            entries: vec![entry.encode()?],
            ttl: self.ttl(&loaded, &assistant),
        });
        self.admit(address, turn, &nonce, writes, true, assistant).await
    }

    /// Begins the turn of the message that has waited longest, if nothing else is to be done.
    pub(crate) async fn call_next(
        &self,
        address: &Address,
        state: &State,
        assistants: &impl Assistants,
    ) -> Result<Resumption, TurnError> {
        let Some(bytes) = state.queue.entries.first() else {
            return Ok(Resumption::Gone);
        };
        if state.length == 0 {
            self.forget(address, 0, Write::DeleteJournal(scope::QUEUE.to_owned()))
                .await?;
            return Ok(Resumption::Gone);
        }
        let waiting = Waiting::decode(bytes)?;
        let loaded = self.load(address).await?;
        let assistant = assistants.load(head(&loaded)).await?;
        let nonce = id::new("run", self.environment.random());
        let started = Entry {
            v: VERSION,
            at: self.environment.now(),
            turn: waiting.turn.clone(),
            what: Record::TurnStarted(Box::new(waiting.started)),
        };
        let next = state.queue.first.saturating_add(1);
        let mut writes = vec![
            acquire(&waiting.turn, &nonce, self.settings),
            unfinished(&waiting.turn),
        ];
        if next >= state.queue.length {
            // The last one: a queue that is there is one in which somebody waits.
            writes.push(Write::Append {
                journal: scope::QUEUE.to_owned(),
                expected: ExpectedLength::Exactly(state.queue.length),
                entries: Vec::new(),
                ttl: None,
            });
            writes.push(Write::DeleteJournal(scope::QUEUE.to_owned()));
        } else {
            writes.push(Write::SetCheckpoint {
                journal: scope::QUEUE.to_owned(),
                position: next,
            });
        }
        writes.push(Write::Append {
            journal: scope::TURNS.to_owned(),
            // Whoever had called it before would have written to the journal.
            expected: ExpectedLength::Exactly(state.length),
            entries: vec![started.encode()?],
            ttl: self.ttl(&loaded, &assistant),
        });
        self.admit(address, &waiting.turn, &nonce, writes, false, assistant)
            .await
    }

    /// Makes a commit that acquires the lease for a turn, and reads what there is to know of it.
    pub(crate) async fn admit(
        &self,
        address: &Address,
        turn: &str,
        nonce: &str,
        writes: Vec<Write>,
        resumes: bool,
        assistant: Assistant,
    ) -> Result<Resumption, TurnError> {
        let queries = || {
            let [snapshot, journal] = loading::queries();
            let lease = Query::Lease(scope::TURN.to_owned());
            vec![
                writer::told(&scope::control(turn)),
                logged(turn, 0),
                lease,
                snapshot,
                journal,
            ]
        };
        let (grant, mut found) = match self.store.commit(&address.scope, writes, queries()).await {
            Ok(committed) => (Grant::of(&committed), committed.found),
            Err(Error::Conflict {
                actual: Actual::Time(_),
                ..
            }) => return Ok(Resumption::Late),
            Err(Error::Conflict { .. }) => return Ok(Resumption::Elsewhere),
            Err(Error::Unavailable(_)) => {
                let found = self.store.read(&address.scope, queries()).await?;
                let lease = lease_of(&found);
                if lease.holder != format!("{turn}/{nonce}") {
                    return Ok(Resumption::Elsewhere);
                }
                let grant = Grant {
                    epoch: lease.epoch,
                    until: 0,
                };
                (grant, found)
            }
            Err(error) => return Err(error.into()),
        };
        let rest = found.split_off(found.len().min(2));
        let mut found = found.into_iter();
        let stopped = matches!(found.next(), Some(Found::Journal(control)) if control.length > 0);
        let told = match found.next() {
            Some(Found::Journal(events)) if resumes => Some(self.survey(address, turn, events).await?),
            _ => None,
        };
        let loaded = loading::load(&self.store, &address.scope, rest).await?;
        Ok(Resumption::Ready(Box::new(Ready {
            admitted: Admitted {
                grant,
                loaded,
                told,
                stopped,
            },
            assistant,
        })))
    }

    /// What was told of a turn; `events` is the beginning of its log.
    async fn survey(&self, address: &Address, turn: &str, events: JournalSlice) -> Result<Told, TurnError> {
        let mut told = Told::default();
        let mut slice = events;
        loop {
            for bytes in &slice.entries {
                told.extend(&log::decode(turn, bytes)?);
            }
            let next = slice.first.saturating_add(count(&slice));
            if next >= slice.length || slice.entries.is_empty() {
                return Ok(told);
            }
            slice = self.log(address, turn, next).await?;
        }
    }

    /// A part of a turn's log.
    pub(crate) async fn log(
        &self,
        address: &Address,
        turn: &str,
        from: u64,
    ) -> Result<JournalSlice, ReadError> {
        let found = self.store.read(&address.scope, vec![logged(turn, from)]).await?;
        match found.into_iter().next() {
            Some(Found::Journal(slice)) => Ok(slice),
            _ => Ok(JournalSlice::default()),
        }
    }

    /// The conversation as it is now.
    pub(crate) async fn load(&self, address: &Address) -> Result<Loaded, TurnError> {
        let found = self.store.read(&address.scope, loading::queries().into()).await?;
        Ok(loading::load(&self.store, &address.scope, found).await?)
    }

    /// The assistant of a conversation.
    pub(crate) async fn assistant(
        &self,
        address: &Address,
        assistants: &impl Assistants,
    ) -> Result<Assistant, TurnError> {
        let loaded = self.load(address).await?;
        if loaded.conversation.head.is_none() {
            return Err(TurnError::UnknownSession);
        }
        Ok(assistants.load(head(&loaded)).await?)
    }

    fn ttl(&self, loaded: &Loaded, assistant: &Assistant) -> Option<u64> {
        let detached = loaded
            .conversation
            .head
            .as_ref()
            .is_some_and(|head| head.detached);
        Some(if detached {
            self.settings.detached_ttl
        } else {
            assistant.session.ttl
        })
    }

    /// Removes what was left of a conversation whose journal has this length, unless it has gone on by now.
    async fn forget(&self, address: &Address, length: u64, write: Write) -> Result<(), TurnError> {
        let unchanged = Write::Append {
            journal: scope::TURNS.to_owned(),
            expected: ExpectedLength::Exactly(length),
            entries: Vec::new(),
            ttl: None,
        };
        match self
            .store
            .commit(&address.scope, vec![unchanged, write], Vec::new())
            .await
        {
            Ok(_) | Err(Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The query for a part of a turn's log.
fn logged(turn: &str, from: u64) -> Query {
    Query::Journal {
        journal: scope::events(turn),
        start: Position::At(from),
        limit: PAGE,
    }
}

/// How many entries a slice has.
pub(crate) fn count(slice: &JournalSlice) -> u64 {
    u64::try_from(slice.entries.len()).unwrap_or(u64::MAX)
}

/// The name of a conversation's assistant.
pub(crate) fn head(loaded: &Loaded) -> &str {
    loaded
        .conversation
        .head
        .as_ref()
        .map_or("", |head| &head.assistant)
}
