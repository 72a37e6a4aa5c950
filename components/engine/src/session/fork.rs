//! Forks: a new conversation that begins with what was said in another one up to some turn.
//!
//! Editing a message is a fork before its turn, and then a turn in the fork. What the fork's model sees is
//! copied; what lies further back stays in the origin, which the fork names. Gates, permissions, things to undo
//! and the audit stay with the origin.

use super::SessionHead;
use crate::conversation::{Conversation, Head, Snapshot};
use crate::engine::Engine;
use crate::journal::{Entry, Forked, Record, VERSION};
use crate::loading::{self, PAGE};
use crate::port::{Environment, Model, Tools};
use crate::scope;
use crate::time::Timestamp;
use crate::turn::TurnError;
use anyturn_state::{Error, ExpectedLength, Found, JournalSlice, Position, Query, Store, Write};
use std::collections::VecDeque;

/// How often the fork is written when the store does not answer.
const TRIES: u32 = 3;

/// A wish for a fork.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkRequest {
    /// Whose conversation it is.
    pub user: String,
    /// The conversation.
    pub session: String,
    /// The last turn of the fork's past.
    pub turn: String,
    /// Whether the past ends before that turn instead.
    pub before: bool,
    /// The fork's id, of [`crate::Engine::new_session_id`]. The same request again finds the same fork.
    pub fork: String,
}

/// Why there is no fork.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ForkError {
    /// There is no such session.
    #[error("there is no such session; it may have expired")]
    UnknownSession,
    /// There is no such turn in it.
    #[error("there is no such turn in this session")]
    UnknownTurn,
    /// The turn has not ended.
    #[error("this turn has not ended")]
    NotEnded,
    /// A session with the fork's id exists, and is another one.
    #[error("a session with this id exists already")]
    SessionExists,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<ForkError> for TurnError {
    fn from(error: ForkError) -> Self {
        match error {
            ForkError::UnknownSession => TurnError::UnknownSession,
            ForkError::SessionExists => TurnError::SessionExists,
            ForkError::Store(error) => TurnError::Store(error),
            other => TurnError::InvalidMessage(other.to_string()),
        }
    }
}

/// Entries that one commit of a fork takes over at most, and their bytes: what the store takes at once, with room
/// for what surrounds them.
const MOST_ENTRIES: usize = 1000;
const MOST_BYTES: usize = 3 << 20;

/// How long a fork lives before its first turn if its origin does not tell, in milliseconds.
const TTL: u64 = 15 * 60 * 1000;

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// Begins a conversation with the past of another one. It belongs into the user's list of sessions
    /// ([`crate::session_index::touch`]), and [`Engine::turn`] goes on with it.
    pub async fn fork(&self, request: ForkRequest) -> Result<SessionHead, ForkError> {
        let origin = scope::conversation(&request.user, &request.session);
        let (head, ttl, length) = self.origin(&origin).await?;
        let begins = self.find_turn(&origin, &request.turn, length).await?;
        let end = if request.before {
            begins
        } else {
            self.end_of(&origin, &request.turn, begins).await?
        };
        let past = self.past(&origin, end).await?;
        let now = self.environment.now();
        let entry = |what| {
            Entry {
                v: VERSION,
                at: now,
                turn: request.turn.clone(),
                what,
            }
            .encode()
        };
        let mut entries = Vec::with_capacity(past.len() + 2);
        entries.push(entry(Record::Forked(Forked {
            session: request.session.clone(),
            at: request.turn.clone(),
            before: request.before,
            assistant: head.assistant.clone(),
            title: head.title.clone(),
        }))?);
        entries.extend(past);
        entries.push(entry(Record::PastCopied {})?);
        let fork = scope::conversation(&request.user, &request.fork);
        let begin = Write::Append {
            journal: scope::TURNS.to_owned(),
            expected: ExpectedLength::Exactly(0),
            entries,
            ttl: Some(ttl),
        };
        let mut tries = 0;
        loop {
            tries += 1;
            match self.store.commit(&fork, vec![begin.clone()], Vec::new()).await {
                Ok(_) => {
                    return Ok(SessionHead {
                        session: request.fork,
                        assistant: head.assistant,
                        title: head.title,
                        created_at: Timestamp(now),
                        updated_at: Timestamp(now),
                    });
                }
                Err(Error::Conflict { .. }) => return self.same_fork(&fork, &request).await,
                Err(Error::Unavailable(_)) if tries < TRIES => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What the origin is, its time to live, and the length of its journal.
    async fn origin(&self, origin: &str) -> Result<(Head, u64, u64), ForkError> {
        let queries = vec![
            Query::Document(scope::SNAPSHOT.to_owned()),
            loading::journal(Position::At(0), 1),
        ];
        let mut snapshot = None;
        let mut first = JournalSlice::default();
        for found in self.store.read(origin, queries).await? {
            match found {
                Found::Document(document) => {
                    snapshot = document.and_then(|document| Snapshot::decode(&document.value));
                }
                Found::Journal(slice) => first = slice,
                Found::Counter(_) | Found::Index(_) | Found::Lease(_) => {}
            }
        }
        let ttl = snapshot.as_ref().map_or(TTL, |snapshot| snapshot.ttl);
        let mut conversation = Conversation::default();
        if let Some(bytes) = first.entries.first() {
            conversation.apply(0, Entry::decode(bytes, 0).map_err(Error::from)?);
        }
        let head = snapshot.map(|snapshot| snapshot.head).or(conversation.head);
        match head.filter(|head| first.length > 0 && !head.detached) {
            Some(head) => Ok((head, ttl, first.length)),
            None => Err(ForkError::UnknownSession),
        }
    }

    /// Where a turn begins.
    async fn find_turn(&self, origin: &str, turn: &str, length: u64) -> Result<u64, ForkError> {
        let mut end = length;
        while end > 0 {
            let start = end.saturating_sub(u64::from(PAGE));
            for (position, _, entry) in self.entries(origin, start, end).await?.into_iter().rev() {
                if entry.turn == turn && matches!(entry.what, Record::TurnStarted(_)) {
                    return Ok(position);
                }
            }
            end = start;
        }
        Err(ForkError::UnknownTurn)
    }

    /// Where the entries of a turn end that begins at `begins`, and that has ended.
    async fn end_of(&self, origin: &str, turn: &str, begins: u64) -> Result<u64, ForkError> {
        let mut ended = None;
        let mut start = begins;
        loop {
            let page = self.entries(origin, start, start + u64::from(PAGE)).await?;
            let read = page.len() as u64;
            for (position, _, entry) in page {
                match (entry.turn == turn, &entry.what) {
                    (true, Record::TurnRefused { .. }) => return Err(ForkError::UnknownTurn),
                    (true, Record::TurnResumed { .. } | Record::TurnWaiting {}) => ended = None,
                    (true, what) if what.ends() => ended = Some(position + 1),
                    (false, Record::TurnStarted(_)) if ended.is_some() => {
                        return Ok(ended.unwrap_or(position));
                    }
                    _ => {}
                }
            }
            start += read;
            if read < u64::from(PAGE) {
                return ended.ok_or(ForkError::NotEnded);
            }
        }
    }

    /// The latest turns before `end`, as many as a fork can take over.
    async fn past(&self, origin: &str, end: u64) -> Result<Vec<Vec<u8>>, ForkError> {
        let mut past: VecDeque<(bool, Vec<u8>)> = VecDeque::new();
        let mut bytes = 0;
        let mut end = end;
        'all: while end > 0 {
            let start = end.saturating_sub(u64::from(PAGE));
            for (_, raw, entry) in self.entries(origin, start, end).await?.into_iter().rev() {
                let belongs = !matches!(entry.what, Record::Forked(_) | Record::PastCopied {});
                if !belongs {
                    continue;
                }
                bytes += raw.len();
                if past.len() == MOST_ENTRIES || bytes > MOST_BYTES {
                    break 'all;
                }
                past.push_front((matches!(entry.what, Record::TurnStarted(_)), raw));
            }
            end = start;
        }
        // It begins with a turn.
        let begins = past.iter().position(|(begins, _)| *begins).unwrap_or(past.len());
        Ok(past.into_iter().skip(begins).map(|(_, raw)| raw).collect())
    }

    /// The entries from `start` up to `end`, with where and as what they stand.
    async fn entries(
        &self,
        origin: &str,
        start: u64,
        end: u64,
    ) -> Result<Vec<(u64, Vec<u8>, Entry)>, ForkError> {
        let limit = u32::try_from(end.saturating_sub(start)).unwrap_or(PAGE).min(PAGE);
        let slice = loading::read(&self.store, origin, Position::At(start), limit).await?;
        let mut entries = Vec::with_capacity(slice.entries.len());
        for (position, raw) in (slice.first..).zip(slice.entries) {
            let entry = Entry::decode(&raw, position).map_err(Error::from)?;
            entries.push((position, raw, entry));
        }
        Ok(entries)
    }

    /// The fork that the same request has made before.
    async fn same_fork(&self, fork: &str, request: &ForkRequest) -> Result<SessionHead, ForkError> {
        let slice = loading::read(&self.store, fork, Position::At(0), 1).await?;
        let Some(bytes) = slice.entries.first() else {
            return Err(ForkError::SessionExists);
        };
        let entry = Entry::decode(bytes, 0).map_err(Error::from)?;
        match entry.what {
            Record::Forked(forked)
                if forked.session == request.session
                    && forked.at == request.turn
                    && forked.before == request.before =>
            {
                Ok(SessionHead {
                    session: request.fork.clone(),
                    assistant: forked.assistant,
                    title: forked.title,
                    created_at: Timestamp(entry.at),
                    updated_at: Timestamp(entry.at),
                })
            }
            _ => Err(ForkError::SessionExists),
        }
    }
}
