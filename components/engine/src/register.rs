//! The register of running turns, in the shards: which conversations to look at, and when.
//!
//! A request enters its conversation before its turn is admitted, in a commit that is made anyway. Nothing is
//! removed when a turn ends: whoever looks for lost turns ([`crate::Engine::sweep`]) looks when the entry is due,
//! drops it if nothing is unfinished there, and comes back later if somebody is at work.

use crate::scope;
use anyturn_state::{Member, Write};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Milliseconds after which an entered conversation is looked at, at the earliest: until its turn is admitted the
/// entry must not be dropped as one of a conversation in which nothing is left to do.
const EARLIEST: u64 = 3_500;

/// And at the latest: whatever the lease, what waits in a conversation should not wait for long.
const LATEST: u64 = 6_000;

/// Milliseconds for which a lease that is not renewed is over when its conversation is looked at, so that a turn
/// which lives is rarely looked at in vain.
const AFTER_LEASE: u64 = 1_000;

/// Milliseconds by which the clocks of instances may differ.
const SKEW: u64 = 2_000;

/// How many scores there are in a millisecond.
const SPREAD: u64 = 1000;

/// Whose conversation it is, where the member's name does not say so itself.
#[derive(Serialize, Deserialize)]
struct Named<'a> {
    user: Cow<'a, str>,
    session: Cow<'a, str>,
}

/// A time as a score.
pub(crate) fn score(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds).unwrap_or(i64::MAX)
}

/// When a member is due, as a score: in microseconds, of which the last three digits come from the member's name,
/// so that few have the same score and a part of the register can be cut off by score.
pub(crate) fn due(member: &str, milliseconds: u64) -> i64 {
    let spread = member
        .bytes()
        .fold(0u64, |hash, byte| (hash * 31 + u64::from(byte)) % SPREAD);
    score(milliseconds.saturating_mul(SPREAD).saturating_add(spread))
}

/// The score of what is due latest at a moment.
pub(crate) fn due_by(milliseconds: u64) -> i64 {
    score(milliseconds.saturating_mul(SPREAD).saturating_add(SPREAD - 1))
}

/// Milliseconds after which a conversation is looked at whose turns have leases of `lease` milliseconds: within four
/// seconds of the lease's end, or while the lease is held, which tells when to come again.
fn look_after(lease: u64) -> u64 {
    lease.saturating_add(AFTER_LEASE).clamp(EARLIEST, LATEST)
}

/// For how many milliseconds an entry is certainly in the register: less than the time after which it is looked at.
pub(crate) fn certain(lease: u64) -> u64 {
    look_after(lease) - SKEW
}

/// The write that enters a conversation `now`, whose turns have leases of `lease` milliseconds.
pub(crate) fn enter(user: &str, session: &str, now: u64, lease: u64) -> Write {
    let member = scope::running_member(user, session);
    let plain = member.split_once('/') == Some((user, session));
    let named = || Named {
        user: user.into(),
        session: session.into(),
    };
    Write::IndexPut {
        index: scope::RUNNING.to_owned(),
        score: due(&member, now.saturating_add(look_after(lease))),
        member,
        value: if plain {
            Vec::new()
        } else {
            // Two texts always become JSON; if they did not, the entry would be dropped as unreadable.
            serde_json::to_vec(&named()).unwrap_or_default()
        },
        only_existing: false,
    }
}

/// The user and the session of an entry; `None` if it is none of ours.
pub(crate) fn conversation(member: &Member) -> Option<(String, String)> {
    if member.value.is_empty() {
        let (user, session) = member.member.split_once('/')?;
        return Some((user.to_owned(), session.to_owned()));
    }
    let Named { user, session } = anyturn_json::from_slice(&member.value).ok()?;
    Some((user.into_owned(), session.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_entry_names_its_conversation(user in ".{0,250}", session in ".{0,250}") {
            let Write::IndexPut { member, score, value, .. } = enter(&user, &session, 7, 5_000) else { panic!() };
            prop_assert!(value.len() <= 4096);
            prop_assert_eq!(conversation(&Member { member, score, value }), Some((user, session)));
        }
    }
}
