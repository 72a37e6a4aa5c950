//! Reads conversations: the snapshot and what the journal has after it, or all of the journal.

use crate::conversation::{Conversation, End, Progress, Snapshot};
use crate::journal::{Entry, ReadError, Record};
use crate::scope;
use anyturn_state::{Error, Found, JournalSlice, Position, Query, Store};

/// Entries read at once.
pub(crate) const PAGE: u32 = 128;

/// A conversation and how long its journal is.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub conversation: Conversation,
    pub length: u64,
    /// When it was going to expire before this turn, in milliseconds since the epoch, and its time to live;
    /// unknown when it has no snapshot.
    pub expires: Option<(u64, u64)>,
}

/// What [`load`] needs to be found.
pub(crate) fn queries() -> [Query; 2] {
    [
        Query::Document(scope::SNAPSHOT.to_owned()),
        journal(Position::Checkpoint, PAGE),
    ]
}

/// Makes a conversation of what [`queries`] found, and reads on if there is more.
pub(crate) async fn load(
    store: &impl Store,
    conversation_scope: &str,
    found: impl IntoIterator<Item = Found>,
) -> Result<Loaded, ReadError> {
    let mut snapshot: Option<Snapshot> = None;
    let mut slice = JournalSlice::default();
    for found in found {
        match found {
            Found::Document(document) => {
                snapshot = document.and_then(|document| Snapshot::decode(&document.value));
            }
            Found::Journal(found) => slice = found,
            Found::Counter(_) | Found::Index(_) | Found::Lease(_) => {}
        }
    }
    let mut loaded = Loaded::default();
    if let Some(snapshot) = snapshot {
        loaded.expires = Some((snapshot.updated_at.saturating_add(snapshot.ttl), snapshot.ttl));
        loaded.conversation = snapshot.into();
    } else if slice.first > 0 {
        // The snapshot expired before its journal, or another version wrote it: the journal has everything.
        slice = read(store, conversation_scope, Position::At(0), PAGE).await?;
    }
    loop {
        loaded.length = slice.length;
        let mut position = slice.first;
        for bytes in &slice.entries {
            loaded
                .conversation
                .apply(position, Entry::decode(bytes, position)?);
            position += 1;
        }
        if position >= slice.length || slice.entries.is_empty() {
            return Ok(loaded);
        }
        slice = read(store, conversation_scope, Position::At(position), PAGE).await?;
    }
}

/// A turn that ended, from where its first entry stands; `None` if the journal does not have it (any more), or
/// it is running again. One that has waited for decisions goes on after other turns.
pub(crate) async fn turn_at(
    store: &impl Store,
    conversation_scope: &str,
    first: u64,
    turn: &str,
) -> Result<Option<Progress>, ReadError> {
    let mut found: Option<Progress> = None;
    let mut position = first;
    loop {
        let slice = read(store, conversation_scope, Position::At(position), PAGE).await?;
        for bytes in &slice.entries {
            let Entry {
                at, turn: of, what, ..
            } = Entry::decode(bytes, position)?;
            let own = of == turn;
            match (found.as_mut(), what) {
                (None, Record::TurnStarted(started)) if own => {
                    found = Some(Progress::new(of, position, at, *started));
                }
                (None, _) => return Ok(None),
                (Some(_), Record::TurnRefused { .. }) if own => return Ok(None),
                (Some(progress), what) if own => progress.apply(at, what),
                (Some(progress), Record::TurnStarted(_) | Record::TurnResumed { .. })
                    if !progress.is_waiting() =>
                {
                    progress.end.get_or_insert(End::Abandoned);
                    return Ok(found);
                }
                (Some(_), _) => {}
            }
            position += 1;
        }
        if position >= slice.length || slice.entries.is_empty() {
            return Ok(found.filter(|progress| progress.end.is_some()));
        }
    }
}

/// Reads a part of the journal.
pub(crate) async fn read(
    store: &impl Store,
    conversation_scope: &str,
    start: Position,
    limit: u32,
) -> Result<JournalSlice, Error> {
    let found = store
        .read(conversation_scope, vec![journal(start, limit)])
        .await?;
    match found.into_iter().next() {
        Some(Found::Journal(slice)) => Ok(slice),
        _ => Err(Error::Corrupt(
            "the store answered a query for a journal with something else".to_owned(),
        )),
    }
}

/// The query for a part of the journal.
pub(crate) fn journal(start: Position, limit: u32) -> Query {
    Query::Journal {
        journal: scope::TURNS.to_owned(),
        start,
        limit,
    }
}
