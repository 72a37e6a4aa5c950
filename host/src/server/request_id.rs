//! The name of a request in logs, problems and answers.
//!
//! A client's own (`x-request-id`) is taken if it is sane, so that a trace through several systems has one
//! name; else one is made: a random start per process and a counter, 20 hexadecimal digits.

use http::HeaderValue;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The longest name that is taken from a client.
const LONGEST: usize = 128;

static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Whether a client's name for its request can be taken: letters, digits and `-._~:/+=@`, up to 128.
pub(crate) fn is_sane(name: &HeaderValue) -> bool {
    let name = name.as_bytes();
    (1..=LONGEST).contains(&name.len())
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/+=@".contains(byte))
}

/// A new name.
pub(crate) fn new() -> HeaderValue {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{:012x}{number:08x}", *PROCESS >> 16);
    HeaderValue::from_maybe_shared(bytes::Bytes::from(name)).unwrap_or(HeaderValue::from_static("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sane_names_are_taken() {
        assert!(is_sane(&HeaderValue::from_static(
            "0af7651916cd43dd8448eb211c80319c"
        )));
        assert!(!is_sane(&HeaderValue::from_static("")));
        assert!(!is_sane(&HeaderValue::from_static("a b")));
        assert!(!is_sane(&HeaderValue::from_bytes(&[b'a'; 129]).unwrap()));
        assert_ne!(new(), new());
        assert!(is_sane(&new()));
    }
}
