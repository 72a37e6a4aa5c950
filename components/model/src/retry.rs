//! When to try again, and after how long.
//!
//! Exponential backoff with full jitter: a random time up to a limit that doubles, so that callers who
//! failed together do not come back together. A provider's `Retry-After` (RFC 9110, section 10.2.3) is a
//! lower bound. All tries share one budget; a wait that does not fit into it is not begun, because the
//! caller can use the time better.

use std::time::Duration;

use jiff::fmt::rfc2822;

use crate::port::Reply;

const TRIES: u32 = 4;
const FIRST_LIMIT: Duration = Duration::from_millis(500);
const LONGEST_LIMIT: Duration = Duration::from_secs(8);

/// The waits of one call.
#[derive(Debug)]
pub struct Backoff {
    tries: u32,
    /// When everything has to be done, on the platform's monotonic clock.
    deadline: Duration,
}

impl Backoff {
    /// For a call that may take until `deadline`.
    pub fn new(deadline: Duration) -> Self {
        Self { tries: 1, deadline }
    }

    /// How much of the budget is left.
    pub fn left(&self, now: Duration) -> Duration {
        self.deadline.saturating_sub(now)
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
        (wait < self.left(now)).then_some(wait)
    }
}

/// What a provider said about when to come back: `retry-after-ms` (Azure, OpenAI), or `retry-after` in
/// seconds or as an HTTP date.
pub fn retry_after<B>(reply: &Reply<B>, unix_time: Duration) -> Option<Duration> {
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    let milliseconds = reply
        .header("retry-after-ms")
        .and_then(|value| value.trim().parse::<f64>().ok());
    let wait = match milliseconds {
        Some(milliseconds) => Duration::try_from_secs_f64(milliseconds / 1000.0).ok()?,
        None => {
            let value = reply.header("retry-after")?.trim();
            match value.parse::<f64>() {
                // Fractions are not in the standard, but some providers send them.
                Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
                Err(_) => {
                    let date = rfc2822::parse(value).ok()?.timestamp().as_second();
                    Duration::from_secs(u64::try_from(date).ok()?).saturating_sub(unix_time)
                }
            }
        }
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(name: &str, value: &str) -> Reply<()> {
        Reply {
            status: 429,
            headers: vec![(name.into(), value.into())],
            body: (),
        }
    }

    #[test]
    fn a_retry_after_is_read_in_each_of_its_forms() {
        let now = Duration::from_secs(1_795_150_000);
        let read = |name, value| retry_after(&reply(name, value), now);
        assert_eq!(read("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(read("retry-after", " 1.5 "), Some(Duration::from_millis(1500)));
        assert_eq!(read("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        let date = "Fri, 20 Nov 2026 04:47:10 GMT";
        let at = rfc2822::parse(date).unwrap().timestamp().as_second();
        assert_eq!(
            read("retry-after", date),
            Some(Duration::from_secs(u64::try_from(at).unwrap() - now.as_secs()))
        );
        assert_eq!(
            read("retry-after", "Fri, 20 Nov 2020 04:47:10 GMT"),
            Some(Duration::ZERO)
        );
        for nonsense in ["-1", "soon", "NaN", ""] {
            assert_eq!(read("retry-after", nonsense), None, "{nonsense}");
        }
        assert_eq!(read("retry-after", "1e300"), None);
        assert_eq!(read("retry-after", "99999999"), Some(Duration::from_secs(86_400)));
    }

    #[test]
    fn waits_grow_with_full_jitter_and_end() {
        let mut shortest = Backoff::new(Duration::from_secs(60));
        let mut longest = Backoff::new(Duration::from_secs(60));
        for limit in [500, 1000, 2000] {
            assert_eq!(shortest.next(Duration::ZERO, None, 0), Some(Duration::ZERO));
            assert_eq!(
                longest.next(Duration::ZERO, None, limit),
                Some(Duration::from_millis(limit))
            );
        }
        assert_eq!(shortest.next(Duration::ZERO, None, 0), None);
    }

    #[test]
    fn a_wait_that_does_not_fit_into_the_budget_is_not_begun() {
        let mut backoff = Backoff::new(Duration::from_secs(10));
        let now = Duration::from_secs(4);
        assert_eq!(backoff.next(now, Some(Duration::from_secs(6)), 0), None);
        assert_eq!(
            backoff.next(now, Some(Duration::from_secs(5)), 0),
            Some(Duration::from_secs(5))
        );
    }
}
