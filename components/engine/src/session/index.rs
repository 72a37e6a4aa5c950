//! The index of a user's sessions, in the user's scope: members ordered by when they were last used.
//!
//! Its writes belong into the commit that the front makes on the user's scope anyway (the rate counter), so
//! that they cost no round trip. They need nothing but the session's id: what else a list shows is in the
//! conversation itself.

use crate::scope;
use anyturn_state::{Member, Write};

/// Sessions that were not used for so long are not listed any more; also the longest time to live that an
/// assistant can give its sessions. 30 days, in milliseconds.
pub const LONGEST_TTL: u64 = 30 * 24 * 60 * 60 * 1000;

/// The writes for the scope [`scope::user`] that list a session as used `now` (milliseconds since the epoch).
///
/// `new`: the request may create the session. If it is refused then, apply [`remove`].
pub fn touch(session: &str, now: u64, new: bool) -> Vec<Write> {
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let put = Write::IndexPut {
        index: scope::SESSIONS.to_owned(),
        member: scope::member(session),
        score: now,
        value: if scope::member(session) == session {
            Vec::new()
        } else {
            session.as_bytes().to_vec()
        },
        only_existing: !new,
    };
    if !new {
        return vec![put];
    }
    let below = now.saturating_sub(i64::try_from(LONGEST_TTL).unwrap_or(i64::MAX));
    vec![
        put,
        Write::IndexTrim {
            index: scope::SESSIONS.to_owned(),
            below,
        },
    ]
}

/// The write for the scope [`scope::user`] that takes a session from the list.
pub fn remove(session: &str) -> Write {
    Write::IndexRemove {
        index: scope::SESSIONS.to_owned(),
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
