//! How much a user may use: requests in windows of a minute, counted in the store.
//!
//! The window is fixed: it begins with its first request and ends 60 s later, when the counter's time to live has
//! run out. A refused request counts too, so that whoever keeps asking keeps being refused until the window ends.

use std::num::NonZeroU32;

use anyturn_state::{Counter, Write};

/// Milliseconds in a window.
const WINDOW: u64 = 60_000;

/// How many requests a user may make in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit(NonZeroU32);

impl RateLimit {
    /// A limit of so many requests per minute.
    #[must_use]
    pub fn per_minute(limit: NonZeroU32) -> Self {
        Self(limit)
    }

    /// Counts one request on `counter`, which is the user's own. The write's result goes to [`RateLimit::judge`].
    #[must_use]
    pub fn write(&self, counter: String) -> Write {
        Write::Add {
            counter,
            delta: 1,
            ttl: Some(WINDOW),
        }
    }

    /// Judges a request by the counter as it is after counting it.
    #[must_use]
    pub fn judge(&self, counter: Counter) -> Verdict {
        let limit = self.0.get();
        let used = u64::try_from(counter.value).unwrap_or(0);
        let remaining = u64::from(limit).saturating_sub(used);
        Verdict {
            limit,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            reset: counter.remaining.unwrap_or(WINDOW).div_ceil(1000),
            allowed: used <= u64::from(limit),
        }
    }
}

/// How a request stands to the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Requests per window.
    pub limit: u32,
    /// Requests left in this window.
    pub remaining: u32,
    /// Seconds until the window ends.
    pub reset: u64,
    /// Whether this request may go on.
    pub allowed: bool,
}

impl Verdict {
    /// The headers that tell a client: those of draft-ietf-httpapi-ratelimit-headers-10, the older `X-RateLimit-*`
    /// that most clients still read (`Reset` in seconds from now), and `Retry-After` with a refusal.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let Self {
            limit,
            remaining,
            reset,
            allowed,
        } = *self;
        [
            (
                "ratelimit-policy",
                format!(r#""user";q={limit};w={}"#, WINDOW / 1000),
            ),
            ("ratelimit", format!(r#""user";r={remaining};t={reset}"#)),
            ("x-ratelimit-limit", limit.to_string()),
            ("x-ratelimit-remaining", remaining.to_string()),
            ("x-ratelimit-reset", reset.to_string()),
        ]
        .into_iter()
        .chain((!allowed).then(|| ("retry-after", reset.max(1).to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(n: u32) -> RateLimit {
        RateLimit::per_minute(NonZeroU32::new(n).unwrap())
    }

    #[test]
    fn the_last_request_of_the_limit_passes_and_the_next_does_not() {
        let last = limit(3).judge(Counter {
            value: 3,
            remaining: Some(1),
        });
        assert_eq!(
            last,
            Verdict {
                limit: 3,
                remaining: 0,
                reset: 1,
                allowed: true
            }
        );
        let next = limit(3).judge(Counter {
            value: 4,
            remaining: Some(1),
        });
        assert!(!next.allowed);
    }

    #[test]
    fn the_headers_are_those_of_the_draft_and_the_older_ones() {
        let headers: Vec<_> = limit(600)
            .judge(Counter {
                value: 1,
                remaining: Some(59_001),
            })
            .headers()
            .collect();
        assert_eq!(
            headers,
            [
                ("ratelimit-policy", "\"user\";q=600;w=60".to_owned()),
                ("ratelimit", "\"user\";r=599;t=60".to_owned()),
                ("x-ratelimit-limit", "600".to_owned()),
                ("x-ratelimit-remaining", "599".to_owned()),
                ("x-ratelimit-reset", "60".to_owned()),
            ]
        );
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let verdict = limit(1).judge(Counter {
            value: 2,
            remaining: Some(1_500),
        });
        assert_eq!(verdict.headers().last(), Some(("retry-after", "2".to_owned())));
        let ending = limit(1).judge(Counter {
            value: 2,
            remaining: Some(0),
        });
        assert_eq!(ending.headers().last(), Some(("retry-after", "1".to_owned())));
    }
}
