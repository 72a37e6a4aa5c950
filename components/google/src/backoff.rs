//! When to ask Google again, and after how long.
//!
//! Truncated exponential backoff with full jitter, as Google's APIs ask for ("Handle errors: exponential backoff"): a
//! random time up to a limit that doubles, so that callers who failed together do not come back together. `Retry-After`
//! (RFC 9110, section 10.2.3) is a lower bound. A wait that would not end before the deadline is not begun.

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::fmt::rfc2822;

const TRIES: u32 = 6;
const FIRST_LIMIT: Duration = Duration::from_millis(500);
const LONGEST_LIMIT: Duration = Duration::from_secs(32);
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The waits of one call.
#[derive(Debug)]
pub(crate) struct Backoff {
    tries: u32,
    /// When everything has to be done, by the network's clock.
    deadline: Duration,
}

impl Backoff {
    /// For a call that has until `deadline`.
    pub fn new(deadline: Duration) -> Backoff {
        Backoff { tries: 1, deadline }
    }

    /// How long to wait before the next try; none if there should be none.
    pub fn next(&mut self, now: Duration, retry_after: Option<Duration>, random: u64) -> Option<Duration> {
        if self.tries >= TRIES {
            return None;
        }
        let limit = FIRST_LIMIT
            .saturating_mul(1 << (self.tries - 1))
            .min(LONGEST_LIMIT);
        self.tries += 1;
        let milliseconds = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let jitter = Duration::from_millis(random.checked_rem(milliseconds.saturating_add(1)).unwrap_or(0));
        let wait = match retry_after {
            // Not all at the same moment here either.
            Some(least) => least.saturating_add(jitter / 4),
            None => jitter,
        };
        (wait < self.deadline.saturating_sub(now)).then_some(wait)
    }
}

/// What a server said about when to come back: in seconds, or as an HTTP date.
pub(crate) fn retry_after(headers: &HeaderMap, now: Duration) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = rfc2822::parse(value).ok()?.timestamp().as_second();
            Duration::from_secs(u64::try_from(date).ok()?).saturating_sub(now)
        }
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn waits_grow_with_full_jitter_and_end() {
        let mut shortest = Backoff::new(Duration::from_secs(600));
        let mut longest = Backoff::new(Duration::from_secs(600));
        for limit in [500, 1000, 2000, 4000, 8000] {
            assert_eq!(shortest.next(Duration::ZERO, None, 0), Some(Duration::ZERO));
            assert_eq!(
                longest.next(Duration::ZERO, None, limit),
                Some(Duration::from_millis(limit))
            );
        }
        assert_eq!(shortest.next(Duration::ZERO, None, 0), None);
    }

    #[test]
    fn a_wait_that_does_not_end_before_the_deadline_is_not_begun() {
        let mut backoff = Backoff::new(Duration::from_secs(10));
        let now = Duration::from_secs(4);
        assert_eq!(backoff.next(now, Some(Duration::from_secs(6)), 0), None);
        assert_eq!(
            backoff.next(now, Some(Duration::from_secs(5)), 0),
            Some(Duration::from_secs(5))
        );
    }

    #[test]
    fn a_retry_after_is_read_in_both_forms() {
        let read = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
            retry_after(&headers, Duration::from_secs(1_795_150_000))
        };
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("Fri, 20 Nov 2020 04:47:10 GMT"), Some(Duration::ZERO));
        assert_eq!(read("99999999999"), Some(LONGEST_RETRY_AFTER));
        for nonsense in ["-1", "soon", "1.5", ""] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
