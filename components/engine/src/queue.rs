//! Messages that wait for their turn: the journal `queue` of a conversation.
//!
//! A message is put there while others are answered. The request that brought it waits too, and begins its turn
//! when those before it have ended; should its instance die, whoever comes next does ([`crate::settle`]). The
//! turn has its id from the beginning, so that it can be attached to while it waits.

use crate::address::Address;
use crate::admission::{Application, UNENDED_TTL, put_key};
use crate::assistant::{Assistant, Assistants};
use crate::engine::{Engine, check_session};
use crate::id;
use crate::journal::writer::LARGEST_ENTRY;
use crate::journal::{ReadError, TurnStarted, VERSION, unreadable};
use crate::port::{Environment, Model, Tools};
use crate::scope;
use crate::settle::State;
use crate::turn::{TurnError, TurnRequest};
use anyturn_state::{Error, ExpectedLength, Store, Write};
use serde::{Deserialize, Serialize};

/// How many messages may wait in one conversation.
const MOST: usize = 32;

/// How often a message is put there when the store does not answer.
const TRIES: u32 = 3;

/// A message that waits.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Waiting {
    v: u32,
    /// When it came, in milliseconds since the Unix epoch.
    pub at: u64,
    /// Its turn.
    pub turn: String,
    /// How the turn will begin.
    pub started: TurnStarted,
}

impl Waiting {
    /// Reads an entry of the queue.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Waiting, ReadError> {
        match anyturn_json::from_slice::<Waiting>(bytes) {
            Ok(waiting) if waiting.v <= VERSION => Ok(waiting),
            Ok(_) => Err(unreadable("a message that waits", bytes, None)),
            Err(problem) => Err(unreadable("a message that waits", bytes, Some(problem))),
        }
    }
}

impl State {
    /// Where a turn stands among those that wait, counted from 0, and how it will begin.
    pub(crate) fn waiting(&self, turn: &str) -> Result<Option<(usize, Waiting)>, ReadError> {
        for (place, bytes) in self.queue.entries.iter().enumerate() {
            let waiting = Waiting::decode(bytes)?;
            if waiting.turn == turn {
                return Ok(Some((place, waiting)));
            }
        }
        Ok(None)
    }
}

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// Puts a message where it waits for its turn, and returns the turn's id.
    pub(crate) async fn enqueue(
        &self,
        address: &Address,
        application: &Application<'_, S, E>,
        request: &TurnRequest,
        assistant: Option<&Assistant>,
        assistants: &impl Assistants,
    ) -> Result<String, TurnError> {
        let turn = id::new("turn", self.environment.random());
        let waiting = Waiting {
            v: VERSION,
            at: self.environment.now(),
            turn: turn.clone(),
            started: application.started.clone(),
        };
        let entry = serde_json::to_vec(&waiting).map_err(|error| Error::Invalid(error.to_string()))?;
        if entry.len() > LARGEST_ENTRY {
            return Err(TurnError::InvalidMessage("the message is too large".to_owned()));
        }
        // Nobody should wait in order to be refused.
        let loaded = self.load(address).await?;
        if loaded.conversation.head.is_none() {
            return Err(TurnError::UnknownSession);
        }
        check_session(loaded.conversation.head.as_ref(), assistant, request, assistants).await?;
        let mut tries = 0;
        loop {
            tries += 1;
            let state = self.state(address, None).await?;
            if state.waiting(&turn)?.is_some() || state.is_unfinished(&turn) {
                // A try that went unanswered.
                return Ok(turn);
            }
            if state.queue.entries.len() >= MOST {
                return Err(TurnError::Busy {
                    turn: state.unfinished.map(|(turn, _)| turn).unwrap_or_default(),
                    retry_after: 1000,
                });
            }
            let mut writes = Vec::with_capacity(3);
            if let Some(key) = &application.started.key {
                writes.push(put_key(key, &turn, None, None)?);
            }
            writes.push(Write::Append {
                journal: scope::TURNS.to_owned(),
                expected: ExpectedLength::AtLeast(1),
                entries: Vec::new(),
                ttl: None,
            });
            writes.push(Write::Append {
                journal: scope::QUEUE.to_owned(),
                expected: ExpectedLength::Any,
                entries: vec![entry.clone()],
                ttl: Some(UNENDED_TTL),
            });
            match self.store.commit(&address.scope, writes, Vec::new()).await {
                Ok(_) => return Ok(turn),
                Err(Error::Conflict { write: 0, .. }) if application.started.key.is_some() => {
                    if let Some(turn) = application.key_turn().await? {
                        return Ok(turn);
                    }
                }
                Err(Error::Conflict { .. }) => return Err(TurnError::UnknownSession),
                Err(Error::Unavailable(_)) if tries < TRIES => {}
                Err(error) => return Err(error.into()),
            }
            if tries >= TRIES {
                return Err(
                    Error::Unavailable("the message could not be put into its queue".to_owned()).into(),
                );
            }
        }
    }
}
