//! Ids of new events.
//!
//! An id is made from the user and the idempotency key of the call, so that a call which comes twice makes the same
//! event twice, which is once. It is of the letters that Google Calendar allows for the ids that clients choose:
//! `a` to `v` and the digits, as in base32hex (RFC 4648, section 7).

use anyturn_tool_sdk::{Call, Failure};
use sha2::{Digest as _, Sha256};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
/// Tells ids that were made here; there is room for 145 bits after it.
const PREFIX: &str = "evt";
const LETTERS: usize = 29;

/// The id of the event that a call makes; without an idempotency key, another one each time.
///
/// # Errors
///
/// The machine has no randomness.
pub fn of_new_event(call: &Call<'_>) -> Result<String, Failure> {
    let user = call.caller.user()?;
    let Some(key) = call.idempotency_key else {
        let mut bytes = [0; LETTERS];
        getrandom::fill(&mut bytes).map_err(|error| Failure::Broken(format!("no randomness: {error}")))?;
        return Ok(written(&bytes));
    };
    // The length keeps a user and a key apart from another pair that reads the same.
    let hash = Sha256::new()
        .chain_update(user.len().to_be_bytes())
        .chain_update(user)
        .chain_update(key)
        .finalize();
    Ok(written(&hash))
}

fn written(bytes: &[u8]) -> String {
    let letters = bytes
        .iter()
        .take(LETTERS)
        .filter_map(|byte| ALPHABET.get(usize::from(byte & 31)))
        .map(|letter| char::from(*letter));
    PREFIX.chars().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyturn_tool_sdk::Caller;

    fn id(user: &str, key: Option<&str>) -> String {
        let caller = Caller {
            user: Some(user.to_owned()),
            ..Caller::default()
        };
        let call = Call {
            caller: &caller,
            idempotency_key: key,
            fingerprint: 1,
            not_after: None,
            now: 0,
        };
        of_new_event(&call).unwrap()
    }

    #[test]
    fn the_same_call_makes_the_same_event() {
        assert_eq!(id("ann", Some("turn_1/tool/0")), id("ann", Some("turn_1/tool/0")));
        assert_ne!(id("ann", Some("turn_1/tool/0")), id("ann", Some("turn_1/tool/1")));
        assert_ne!(id("ann", Some("key")), id("bob", Some("key")));
        assert_ne!(id("ann", Some("key")), id("annk", Some("ey")));
        assert_ne!(id("ann", None), id("ann", None));
    }

    #[test]
    fn ids_are_of_the_letters_that_google_allows() {
        for key in ["", "a", "turn_7116n4qa4ec6j1z4z1dag2pq6a/tool/0/0"] {
            let id = id("ann", Some(key));
            assert!((5..=1024).contains(&id.len()), "{id}");
            assert!(
                id.bytes().all(|byte| matches!(byte, b'a'..=b'v' | b'0'..=b'9')),
                "{id}"
            );
        }
    }
}
