//! Quotas, failures and lost answers, on demand.

use http::{HeaderValue, header};

use crate::Answer;

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// 429: too many requests at once.
    RateLimited {
        /// Seconds, if Google says when to come back.
        retry_after: Option<u32>,
    },
    /// 403 `userRateLimitExceeded`: the user's quota per minute is used up.
    UserRateLimited,
    /// 403 `insufficientPermissions`: the access token is for other things.
    Forbidden,
    /// 503, and nothing was done.
    Unavailable,
    /// 500, and nothing was done.
    Internal,
    /// It is done, and the connection breaks before the answer.
    Lost,
}

impl Failure {
    /// What Google answers; none where the answer is lost.
    pub(crate) fn answer(self) -> Option<Answer> {
        match self {
            Failure::RateLimited { retry_after } => {
                let answer = Answer::error(429, "rateLimitExceeded", "Too many concurrent requests for user");
                Some(match retry_after {
                    None => answer,
                    Some(seconds) => answer.with(header::RETRY_AFTER, HeaderValue::from(seconds)),
                })
            }
            Failure::UserRateLimited => Some(Answer::error(
                403,
                "userRateLimitExceeded",
                "User Rate Limit Exceeded",
            )),
            Failure::Forbidden => Some(Answer::insufficient()),
            Failure::Unavailable => Some(Answer::error(
                503,
                "backendError",
                "The service is currently unavailable.",
            )),
            Failure::Internal => Some(Answer::error(500, "backendError", "Internal error encountered.")),
            Failure::Lost => None,
        }
    }
}

/// What is to fail.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(String, Failure, u32)>);

impl Faults {
    pub fn add(&mut self, path: &str, failure: Failure, times: u32) {
        self.0.push((path.to_owned(), failure, times));
    }

    /// How a request of this path fails, if it does; counts.
    pub fn take(&mut self, path: &str) -> Option<Failure> {
        let (_, failure, left) = self
            .0
            .iter_mut()
            .find(|(part, _, left)| *left > 0 && path.contains(part.as_str()))?;
        *left -= 1;
        Some(*failure)
    }
}
