//! Where things lie in the store: scopes and names.
//!
//! Scopes and names are restricted to a small alphabet (`wit/state/state.wit`, "Limits"); ids of users and of
//! sessions come from outside and are not. They are escaped wherever they become part of one, so that no two ids
//! share a scope or a name and no id reaches into another user's.

use sha2::{Digest, Sha256};

/// The journal of a conversation.
pub const TURNS: &str = "turns";
/// The document that makes reading a long conversation as quick as reading a short one.
pub const SNAPSHOT: &str = "snapshot";
/// The lease of whoever runs a turn.
pub const TURN: &str = "turn";
/// The document that names the turn of a conversation that has begun and not ended, whether or not anybody runs
/// it: nothing else begins before it has ended.
pub const UNFINISHED: &str = "unfinished";
/// The document that says when somebody has to look at the turns that wait for decisions: the first moment at which
/// nobody can take any more of those that one of them waits for, in milliseconds since the Unix epoch. It may be there
/// although no turn waits any more.
pub const WAITING: &str = "waiting";
/// The journal of messages that wait for their turn; its checkpoint is at the next one. There is none when
/// nobody waits.
pub const QUEUE: &str = "queue";
/// The index of running turns, in a shard's scope.
pub const RUNNING: &str = "running";

/// The journal of who decided what in a conversation; it outlives the conversation.
pub const AUDIT: &str = "audit";
/// The index of gates that wait for a role, in the role's scope.
pub const APPROVALS: &str = "open";

/// How many scopes share what is kept of all users.
pub const SHARDS: u8 = 16;

/// The longest escaped id; longer ones are hashed.
const LONGEST: usize = 200;

/// The longest name that the store takes.
const LONGEST_NAME: usize = 256;

/// The scope of one conversation of a user. Another user's session of the same id is another scope.
pub fn conversation(user: &str, session: &str) -> String {
    format!("conversation/{}/{}", escape(user), escape(session))
}

/// The scope of what is kept of a user: the rate counter, the index of sessions, and the register of running
/// turns. Many users share one of [`SHARDS`], so that whoever looks for lost turns looks into a few scopes only.
pub fn shard(user: &str) -> String {
    let hash = Sha256::digest(user.as_bytes());
    numbered_shard(hash.first().map_or(0, |byte| byte % SHARDS))
}

/// One of the [`SHARDS`].
pub(crate) fn numbered_shard(number: u8) -> String {
    format!("shard/{number}")
}

/// The scope of the gates that wait for somebody with a role.
pub(crate) fn approvals(role: &str) -> String {
    format!("approvals/{}", escape(role))
}

/// The document of a gate that was decided, in the conversation's scope.
pub(crate) fn gate(gate: &str) -> String {
    format!("gate/{}", escape(gate))
}

/// The counter of a user's requests, in the scope [`shard`].
pub fn rate(user: &str) -> String {
    format!("rate/{}", escape(user))
}

/// The index of a user's sessions, in the scope [`shard`].
pub fn sessions(user: &str) -> String {
    format!("sessions/{}", escape(user))
}

/// A session's member in the index [`sessions`].
pub(crate) fn member(session: &str) -> String {
    escape(session)
}

/// A conversation's member in the index [`RUNNING`].
pub(crate) fn running_member(user: &str, session: &str) -> String {
    let member = format!("{}/{}", escape(user), escape(session));
    if member.len() > LONGEST_NAME {
        return format!("=h{}", hex(&Sha256::digest(member.as_bytes())));
    }
    member
}

/// The journal of a turn's events, in the conversation's scope.
pub(crate) fn events(turn: &str) -> String {
    format!("events/{}", escape(turn))
}

/// The journal in which a turn is told to stop, in the conversation's scope.
pub(crate) fn control(turn: &str) -> String {
    format!("control/{}", escape(turn))
}

/// The document of an idempotency key, in the conversation's scope.
pub(crate) fn idempotency(key: &str) -> String {
    format!("idempotency/{}", hex(&Sha256::digest(key.as_bytes())))
}

/// Keeps letters, digits and `. _ ~ : @ + -`, writes every other byte as `=XX`, and hashes what is too long.
/// Different ids give different results.
fn escape(id: &str) -> String {
    let mut escaped = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"._~:@+-".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('=');
            push_hex(&mut escaped, byte);
        }
    }
    if escaped.len() > LONGEST {
        // `=` is never followed by `h` above, so a hash is mistaken for no id.
        return format!("=h{}", hex(&Sha256::digest(id.as_bytes())));
    }
    if escaped.is_empty() {
        "=".to_owned()
    } else {
        escaped
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    bytes.iter().for_each(|byte| push_hex(&mut text, *byte));
    text
}

fn push_hex(text: &mut String, byte: u8) {
    for digit in [byte >> 4, byte & 15] {
        text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_ids_stay_readable() {
        assert_eq!(
            conversation("ada@example.com", "ses_0a"),
            "conversation/ada@example.com/ses_0a"
        );
        assert_eq!(sessions("ü/1"), "sessions/=c3=bc=2f1");
        assert_eq!(
            running_member("ada@example.com", "ses_0a"),
            "ada@example.com/ses_0a"
        );
    }

    #[test]
    fn a_slash_in_an_id_reaches_no_other_scope() {
        assert_ne!(conversation("a", "b/c"), conversation("a/b", "c"));
        assert_ne!(conversation("", "a"), conversation("a", ""));
    }

    proptest! {
        #[test]
        fn scopes_fit_the_store_and_differ(a in ".{0,300}", b in ".{0,300}") {
            let scope = conversation(&a, &b);
            prop_assert!(scope.len() <= 512);
            prop_assert!(scope.bytes().all(|c| c.is_ascii_alphanumeric() || b"._~:/@+=-".contains(&c)));
            prop_assert_eq!(a == b, escape(&a) == escape(&b));
            for name in [rate(&a), sessions(&a), running_member(&a, &b), events(&a), control(&a), gate(&a), approvals(&a)] {
                prop_assert!(name.len() <= LONGEST_NAME);
                prop_assert!(name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._~:/@+=-".contains(&c)));
            }
            prop_assert_eq!(a == b, running_member(&a, &b) == running_member(&b, &a));
        }
    }
}
