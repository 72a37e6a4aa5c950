//! The index of a user's sessions, in the user's shard: members ordered by when they were last used.
//!
//! Its writes belong into the commit that the front makes on the shard anyway (the rate counter), so that they
//! cost no round trip. With them goes the entry in the register of running turns, by which a turn is found whose
//! instance died. They need nothing but ids: what else a list shows is in the conversation itself.

use crate::register;
use crate::scope;
use anyturn_state::{Member, Write};

/// Sessions that were not used for so long are not listed any more; also the longest time to live that an
/// assistant can give its sessions. 30 days, in milliseconds.
pub const LONGEST_TTL: u64 = 30 * 24 * 60 * 60 * 1000;

/// The writes for the scope [`scope::shard`] before a turn: they list the session as used `now` (milliseconds
/// since the epoch) and the conversation as one to be looked at should the turn's instance die.
///
/// `lease`: how long its instances have a turn, as [`crate::Settings::lease`]. `new`: the request may create the
/// session. If it is refused then, apply [`remove`].
pub fn touch(user: &str, session: &str, now: u64, lease: u64, new: bool) -> Vec<Write> {
    let mut writes = vec![
        Write::IndexPut {
            index: scope::sessions(user),
            member: scope::member(session),
            score: register::score(now),
            value: if scope::member(session) == session {
                Vec::new()
            } else {
                session.as_bytes().to_vec()
            },
            only_existing: !new,
        },
        register::enter(user, session, now, lease),
    ];
    if new {
        writes.push(Write::IndexTrim {
            index: scope::sessions(user),
            below: register::score(now.saturating_sub(LONGEST_TTL)),
        });
    }
    writes
}

/// The same for a turn of [`crate::SessionTarget::Detached`], which no list shows.
pub fn touch_detached(user: &str, session: &str, now: u64, lease: u64) -> Vec<Write> {
    vec![register::enter(user, session, now, lease)]
}

/// The write for the scope [`scope::shard`] that takes a session from the list.
pub fn remove(user: &str, session: &str) -> Write {
    Write::IndexRemove {
        index: scope::sessions(user),
        member: scope::member(session),
    }
}

/// The id of a session in the list.
pub(crate) fn session(member: &Member) -> String {
    match std::str::from_utf8(&member.value) {
        Ok(session) if !session.is_empty() => session.to_owned(),
        _ => member.member.clone(),
    }
}
