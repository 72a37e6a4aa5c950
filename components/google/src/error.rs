//! Why a request to Google came to nothing.

use std::time::Duration;

use serde::Deserialize;

use crate::NetworkError;

/// Characters of Google's message that are passed on.
const LONGEST_MESSAGE: usize = 300;

/// Why a request to Google came to nothing. Texts are for people and models, and hold no credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The user has taken anyturn's access back, or Google has.
    #[error(
        "Google does not let anyturn into this account any more. The account has to be connected again; nothing else helps."
    )]
    Reconnect,
    /// Google said no.
    #[error(transparent)]
    Api(ApiError),
    /// Google's quota is used up, or it is too busy, for longer than the call may wait. Nothing was done.
    #[error("Google takes no more requests for this account at the moment. Try again in a minute.")]
    Busy {
        /// When to come back, if Google said so.
        retry_after: Option<Duration>,
    },
    /// The call's time was over before Google was asked. Nothing was done.
    #[error("The call's time was over before Google could be asked.")]
    OutOfTime,
    /// Google or the component `accounts` was not reached, so nothing was done.
    #[error("{server} cannot be reached at the moment: {reason}")]
    Unreachable {
        /// Who.
        server: &'static str,
        /// Why.
        reason: String,
    },
    /// There is no answer to something that may have taken effect.
    #[error("{server} was asked, and what came of it is not known: {reason}")]
    Unknown {
        /// Who.
        server: &'static str,
        /// Why.
        reason: String,
    },
    /// The answer is not what the API's description says, or larger than what is read.
    #[error("The answer of {server} is of no use: {reason}")]
    Malformed {
        /// Who.
        server: &'static str,
        /// Why.
        reason: String,
    },
}

/// An error of Google's, as its APIs describe it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Google refused ({status} {reason}): {message}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The first reason, such as `notFound`, or the status's name, such as `NOT_FOUND`; may be empty.
    pub reason: String,
    /// For developers; at most 300 characters.
    pub message: String,
}

#[derive(Deserialize)]
struct Body {
    error: Details,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    message: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    errors: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    reason: String,
}

/// What an unsuccessful answer means for whoever asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The access token has expired.
    Expired,
    /// A quota per user or second, or the server, is exhausted; nothing was done. Later it may work.
    Busy,
    /// The server failed; whether it has done something is not known.
    Failed,
    /// It will not work.
    Final,
}

impl ApiError {
    /// The error that an unsuccessful answer holds. What is no JSON of Google's has no reason.
    pub(crate) fn read(status: u16, body: &[u8]) -> ApiError {
        let text = std::str::from_utf8(body).unwrap_or_default();
        let (reason, message) = match anyturn_json::from_str::<Body>(text) {
            Ok(Body { error }) => {
                let reason = error.errors.into_iter().next().map(|first| first.reason);
                let reason = reason.filter(|reason| !reason.is_empty());
                (reason.unwrap_or(error.status), error.message)
            }
            Err(_) => (String::new(), String::new()),
        };
        let message = if message.is_empty() {
            "it did not say why".to_owned()
        } else {
            message.chars().take(LONGEST_MESSAGE).collect()
        };
        ApiError {
            status,
            reason,
            message,
        }
    }

    pub(crate) fn refusal(&self) -> Refusal {
        match (self.status, self.reason.as_str()) {
            (401, _) => Refusal::Expired,
            (429, _)
            | (403, "rateLimitExceeded" | "userRateLimitExceeded" | "quotaExceeded" | "RESOURCE_EXHAUSTED") => {
                Refusal::Busy
            }
            (500..=599, _) => Refusal::Failed,
            _ => Refusal::Final,
        }
    }
}

impl Error {
    /// No answer from `server`.
    pub(crate) fn from_network(server: &'static str, error: NetworkError) -> Error {
        let reason = error.to_string();
        match error {
            NetworkError::NotSent(reason) => Error::Unreachable { server, reason },
            NetworkError::Lost(reason) => Error::Unknown { server, reason },
            NetworkError::TooLarge(_) => Error::Malformed { server, reason },
        }
    }

    /// Whether Google says that what was asked for does not exist (any more).
    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::Api(error) if matches!(error.status, 404 | 410))
    }

    /// Whether Google says that it was changed in the meantime (RFC 9110, section 15.5.13).
    pub fn is_precondition_failed(&self) -> bool {
        matches!(self, Error::Api(error) if error.status == 412)
    }

    /// Whether the account's owner has not allowed this kind of access. Not whether a quota of the day is used up, or
    /// the API is not switched on in Google's console: that is the operator's matter.
    pub fn lacks_permission(&self) -> bool {
        const OPERATORS: [&str; 4] = [
            "accessNotConfigured",
            "dailyLimitExceeded",
            "dailyLimitExceededUnreg",
            "SERVICE_DISABLED",
        ];
        matches!(self, Error::Api(error) if error.status == 403 && !OPERATORS.contains(&error.reason.as_str()))
    }

    /// Whether the same request may work later.
    pub fn may_work_later(&self) -> bool {
        matches!(
            self,
            Error::Busy { .. } | Error::OutOfTime | Error::Unreachable { .. } | Error::Unknown { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn googles_error_bodies_are_read_in_both_forms() {
        let body = br#"{"error":{"code":403,"message":"Too fast.","errors":[{"domain":"usageLimits","reason":"userRateLimitExceeded","message":"Too fast."}],"status":"PERMISSION_DENIED"}}"#;
        let error = ApiError::read(403, body);
        assert_eq!(
            (error.reason.as_str(), error.message.as_str()),
            ("userRateLimitExceeded", "Too fast.")
        );
        assert_eq!(error.refusal(), Refusal::Busy);
        let body =
            br#"{"error":{"code":404,"message":"Requested entity was not found.","status":"NOT_FOUND"}}"#;
        let error = ApiError::read(404, body);
        assert_eq!(error.reason, "NOT_FOUND");
        assert!(Error::Api(error).is_not_found());
    }

    #[test]
    fn what_is_no_json_of_googles_still_says_its_status() {
        for body in [&b"<html>"[..], b"", b"{}", b"\xff"] {
            let error = ApiError::read(502, body);
            assert_eq!(error.to_string(), "Google refused (502 ): it did not say why");
            assert_eq!(error.refusal(), Refusal::Failed);
        }
    }

    #[test]
    fn a_missing_permission_is_no_quota() {
        let body =
            br#"{"error":{"code":403,"message":"no","errors":[{"reason":"insufficientPermissions"}]}}"#;
        let error = ApiError::read(403, body);
        assert_eq!(error.refusal(), Refusal::Final);
        assert!(Error::Api(error).lacks_permission());
        let body = br#"{"error":{"code":403,"message":"no","errors":[{"reason":"accessNotConfigured"}]}}"#;
        assert!(!Error::Api(ApiError::read(403, body)).lacks_permission());
    }

    #[test]
    fn long_messages_are_cut() {
        let body = format!(r#"{{"error":{{"message":"{}"}}}}"#, "é".repeat(1000));
        assert_eq!(
            ApiError::read(400, body.as_bytes()).message.chars().count(),
            LONGEST_MESSAGE
        );
    }
}
