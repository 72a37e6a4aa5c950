//! Ids of sessions, turns and calls: a prefix and 128 bits in 26 characters of lower-case Crockford base32.

use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Makes an id such as `turn_01h455vb4pex5vsknk084sn02q`.
pub(crate) fn new(prefix: &str, bits: u128) -> String {
    let mut id = String::with_capacity(prefix.len() + 27);
    id.push_str(prefix);
    id.push('_');
    for place in (0..26).rev() {
        let digit = usize::try_from((bits >> (place * 5)) & 31).unwrap_or_default();
        id.push(ALPHABET.get(digit).map_or('0', |letter| char::from(*letter)));
    }
    id
}

/// The id of the session that a request with this idempotency key creates: the same for every try of it, so
/// that a repeated request finds what the first one did.
pub(crate) fn session_for_key(user: &str, key: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"session\0");
    hash.update(u64::try_from(user.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(user.as_bytes());
    hash.update(key.as_bytes());
    let bits = hash
        .finalize()
        .iter()
        .take(16)
        .fold(0u128, |bits, byte| (bits << 8) | u128::from(*byte));
    new("ses", bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_26_characters_after_the_prefix() {
        assert_eq!(new("turn", 0), "turn_00000000000000000000000000");
        assert_eq!(new("ses", u128::MAX), "ses_7zzzzzzzzzzzzzzzzzzzzzzzzz");
        assert_eq!(new("call", 32), "call_00000000000000000000000010");
    }

    #[test]
    fn a_key_leads_to_one_session_of_one_user() {
        assert_eq!(session_for_key("ada", "k"), session_for_key("ada", "k"));
        assert_ne!(session_for_key("ada", "k"), session_for_key("bob", "k"));
        assert_ne!(session_for_key("a", "bk"), session_for_key("ab", "k"));
    }
}
