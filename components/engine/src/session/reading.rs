//! Reads sessions for the people they belong to.

use super::{Origin, Page, Session, SessionHead, SessionMessage};
use crate::conversation::{Conversation, Progress, Snapshot};
use crate::engine::Engine;
use crate::journal::{Entry, Record};
use crate::loading::{self, PAGE};
use crate::port::{Environment, Model, Part, Role, Tools};
use crate::time::Timestamp;
use crate::{scope, session_index};
use anyturn_state::{Error, ExpectedLength, ExpectedVersion, Found, JournalSlice, LeaseState, Member};
use anyturn_state::{Position, Query, Store, Write};
use futures::future::join_all;

/// Turns on a page if none are asked for, and at most.
const TURNS: usize = 50;

/// Sessions in a list at most.
const SESSIONS: u32 = 100;

/// Entries of a journal of which the turns' events are deleted with it: as many as one commit can.
const LATEST: u32 = 100;

/// How many pages of the index are gone through for one page of living sessions.
const TRIES: u32 = 5;

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// A session of a user with a page of its messages; `None` if there is none (any more), or it is another
    /// user's. One round trip, unless single turns of it are very long; one more while something in it waits for a
    /// decision, to know what time it is for that.
    pub async fn session(&self, user: &str, session: &str, page: Page) -> Result<Option<Session>, Error> {
        let scope = scope::conversation(user, session);
        let start = match page.before {
            Some(before) => Position::At(before.saturating_sub(u64::from(PAGE))),
            None => Position::Last(PAGE),
        };
        let queries = vec![
            Query::Document(scope::SNAPSHOT.to_owned()),
            Query::Lease(scope::TURN.to_owned()),
            loading::journal(Position::At(0), 1),
            loading::journal(start, PAGE),
            loading::journal(Position::Checkpoint, PAGE),
        ];
        let mut found = self.store.read(&scope, queries).await?.into_iter();
        let stored = found.next();
        let snapshot = match &stored {
            Some(Found::Document(Some(document))) => Snapshot::decode(&document.value),
            _ => None,
        };
        let lease = match found.next() {
            Some(Found::Lease(lease)) => lease,
            _ => LeaseState::default(),
        };
        let first = journal(found.next());
        let mut slice = journal(found.next());
        let latest = stored.into_iter().chain(found);
        let Some(mut head) = self.head(session, &first, &snapshot)? else {
            return Ok(None);
        };
        let end = page.before.unwrap_or(slice.length).min(slice.length);

        // A page begins with a turn: what is before the first one on it belongs to the page before.
        let mut entries = decode(&slice)?;
        let begins = |entries: &[(u64, Entry)]| {
            entries
                .iter()
                .any(|(_, entry)| matches!(entry.what, Record::TurnStarted(_)))
        };
        while slice.first > 0 && !begins(&entries) {
            let earlier = slice.first.saturating_sub(u64::from(PAGE));
            slice = loading::read(&self.store, &scope, Position::At(earlier), PAGE).await?;
            let before = entries.first().map_or(end, |(position, _)| *position);
            let mut more = decode(&slice)?;
            more.retain(|(position, _)| *position < before);
            more.append(&mut entries);
            entries = more;
        }
        entries.retain(|(position, _)| *position < end);
        if page.before.is_none()
            && let Some((_, last)) = entries.last()
        {
            head.updated_at = Timestamp(last.at);
        }

        let mut turns = Conversation::turns(entries);
        let limit = if page.limit == 0 {
            TURNS
        } else {
            (page.limit as usize).min(TURNS)
        };
        let surplus = turns.len().saturating_sub(limit);
        turns.drain(..surplus);
        let conversation = loading::load(&self.store, &scope, latest).await?.conversation;
        // A fork's first entry is none of a turn's.
        let origin = conversation.head.as_ref().and_then(|head| head.origin.clone());
        let begins = u64::from(origin.is_some());
        let before = turns
            .first()
            .map(|turn| turn.first)
            .filter(|first| *first > begins);
        let running = !lease.holder.is_empty();
        let waits = turns.iter().any(Progress::is_waiting) || conversation.waiting().next().is_some();
        let time = if waits {
            self.store_time(&scope).await?
        } else {
            self.environment.now()
        };
        Ok(Some(Session {
            running,
            expires_at: snapshot.map(|snapshot| Timestamp(snapshot.updated_at.saturating_add(snapshot.ttl))),
            messages: turns.iter().flat_map(|turn| messages(turn, time)).collect(),
            before,
            head,
            state: super::agents::State::of(&conversation, time),
            gates: conversation.open_gates(time),
            origin: origin.map(|(session, turn)| Origin { session, turn }),
        }))
    }

    /// What does not change in a session: from its snapshot, else from its first entry.
    fn head(
        &self,
        session: &str,
        first: &JournalSlice,
        snapshot: &Option<Snapshot>,
    ) -> Result<Option<SessionHead>, Error> {
        let from = |head: &crate::conversation::Head, updated_at| SessionHead {
            session: session.to_owned(),
            assistant: head.assistant.clone(),
            title: head.title.clone(),
            created_at: Timestamp(head.created_at),
            updated_at: Timestamp(updated_at),
        };
        let Some(bytes) = first.entries.first() else {
            return Ok(None);
        };
        if let Some(snapshot) = snapshot {
            return Ok(Some(from(&snapshot.head, snapshot.updated_at)));
        }
        let mut conversation = Conversation::default();
        conversation.apply(0, Entry::decode(bytes, 0)?);
        let head = conversation.head.as_ref().filter(|head| !head.detached);
        Ok(head.map(|head| from(head, conversation.updated_at)))
    }

    /// A user's sessions, the latest first, and the offset of the next page; none after the last.
    ///
    /// Sessions that have expired are taken from the index when they are met.
    pub async fn sessions(
        &self,
        user: &str,
        offset: u32,
        limit: u32,
    ) -> Result<(Vec<SessionHead>, Option<u32>), Error> {
        let limit = if limit == 0 { SESSIONS } else { limit.min(SESSIONS) };
        let (scope, index) = (scope::shard(user), scope::sessions(user));
        let mut heads = Vec::new();
        let mut offset = offset;
        for _ in 0..TRIES {
            let wanted = limit.saturating_sub(u32::try_from(heads.len()).unwrap_or(u32::MAX));
            let query = Query::Index {
                index: index.clone(),
                min: 0,
                max: i64::try_from(anyturn_state::limits::MAX_INTEGER).unwrap_or(i64::MAX),
                descending: true,
                offset,
                limit: wanted,
            };
            let members = match self.store.read(&scope, vec![query]).await?.into_iter().next() {
                Some(Found::Index(members)) => members,
                _ => Vec::new(),
            };
            let more = members.len() >= wanted as usize;
            let found = join_all(members.iter().map(|member| self.listed(user, member))).await;
            let mut expired = Vec::new();
            for (member, head) in members.into_iter().zip(found) {
                match head? {
                    Some(head) => {
                        heads.push(head);
                        offset = offset.saturating_add(1);
                    }
                    None => expired.push(Write::IndexRemove {
                        index: index.clone(),
                        member: member.member,
                    }),
                }
            }
            let removed = !expired.is_empty();
            if removed {
                self.store.commit(&scope, expired, Vec::new()).await?;
            }
            if !more {
                return Ok((heads, None));
            }
            if !removed {
                break;
            }
        }
        Ok((heads, Some(offset)))
    }

    async fn listed(&self, user: &str, member: &Member) -> Result<Option<SessionHead>, Error> {
        let session = session_index::session(member);
        let scope = scope::conversation(user, &session);
        let first = loading::read(&self.store, &scope, Position::At(0), 1).await?;
        let head = self.head(&session, &first, &None)?;
        let used = Timestamp(u64::try_from(member.score).unwrap_or_default());
        Ok(head.map(|head| SessionHead {
            updated_at: used,
            ..head
        }))
    }

    /// Forgets a session, also in the user's list; a turn that runs in it can write nothing more. `false` if
    /// there is none.
    pub async fn delete_session(&self, user: &str, session: &str) -> Result<bool, Error> {
        let scope = scope::conversation(user, session);
        let mut writes = vec![
            Write::Append {
                journal: scope::TURNS.to_owned(),
                expected: ExpectedLength::AtLeast(1),
                entries: Vec::new(),
                ttl: None,
            },
            Write::DeleteJournal(scope::TURNS.to_owned()),
            Write::Delete {
                document: scope::SNAPSHOT.to_owned(),
                expected: ExpectedVersion::Any,
            },
            Write::Delete {
                document: scope::UNFINISHED.to_owned(),
                expected: ExpectedVersion::Any,
            },
            Write::Delete {
                document: scope::WAITING.to_owned(),
                expected: ExpectedVersion::Any,
            },
            Write::DeleteJournal(scope::QUEUE.to_owned()),
        ];
        // What was told of the latest turns is kept apart; of earlier ones it has expired.
        let latest = loading::read(&self.store, &scope, Position::Last(LATEST), LATEST).await?;
        let mut turns: Vec<String> = decode(&latest)?
            .into_iter()
            .map(|(_, entry)| entry.turn)
            .collect();
        turns.dedup();
        let events = |turn: &String| Write::DeleteJournal(scope::events(turn));
        writes.extend(turns.iter().map(events));
        let existed = match self.store.commit(&scope, writes, Vec::new()).await {
            Ok(_) => true,
            Err(Error::Conflict { .. }) => false,
            Err(error) => return Err(error),
        };
        self.store
            .commit(
                &scope::shard(user),
                vec![session_index::remove(user, session)],
                Vec::new(),
            )
            .await?;
        Ok(existed)
    }
}

fn journal(found: Option<Found>) -> JournalSlice {
    match found {
        Some(Found::Journal(slice)) => slice,
        _ => JournalSlice::default(),
    }
}

fn decode(slice: &JournalSlice) -> Result<Vec<(u64, Entry)>, Error> {
    let positioned = (slice.first..).zip(&slice.entries);
    positioned
        .map(|(position, bytes)| Ok((position, Entry::decode(bytes, position)?)))
        .collect()
}

/// A turn as people see it at `now`: what they said, and what was answered as far as it was.
fn messages(turn: &Progress, now: u64) -> Vec<SessionMessage> {
    // Whose it is, the session says.
    let report = turn.turn("", "").at(now);
    let mut content = String::new();
    let mut images = Vec::new();
    for part in &turn.started.message {
        match part {
            Part::Text { text } => {
                if !content.is_empty() {
                    content.push('\n');
                }
                content.push_str(text);
            }
            Part::Image { url, .. } => images.push(url.clone()),
            Part::ToolCall(_) | Part::ToolResult(_) => {}
        }
    }
    let said = SessionMessage {
        turn: turn.turn.clone(),
        role: Role::User,
        content,
        asks: false,
        images,
        tool_calls: Vec::new(),
        state: report.state,
        gates: Vec::new(),
        undo: None,
        error: None,
        created_at: Timestamp(turn.at),
    };
    let answer = SessionMessage {
        turn: turn.turn.clone(),
        role: Role::Assistant,
        content: report.message.content,
        asks: report.message.asks,
        images: Vec::new(),
        tool_calls: report.tool_calls,
        state: report.state,
        gates: report.gates,
        undo: report.undo,
        error: report.error,
        created_at: Timestamp(turn.updated_at),
    };
    // Its beginning is on an earlier page.
    if turn.started.message.is_empty() {
        return vec![answer];
    }
    let answered = turn.end.is_some() || !answer.content.is_empty() || !answer.tool_calls.is_empty();
    if answered { vec![said, answer] } else { vec![said] }
}
