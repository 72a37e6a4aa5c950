//! What a call of a tool comes to.

use anyturn_mcp::{CallResult, Inverse, ResultMeta, RpcError};
use anyturn_state::Error as StateError;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// What a tool did or found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// For people, and for models: "Added “buy milk”, due Saturday, 21 November."
    pub text: String,
    /// The same for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structured: Option<Box<RawValue>>,
    /// The call that undoes this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inverse: Option<Inverse>,
    /// The calls that undo this one, in their order, where it did several things.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inverses: Vec<Inverse>,
}

impl Reply {
    /// A reply of one text.
    pub fn new(text: impl Into<String>) -> Reply {
        Reply {
            text: text.into(),
            structured: None,
            inverse: None,
            inverses: Vec::new(),
        }
    }

    /// Adds the same for programs. A value that has no JSON form is left out.
    #[must_use]
    pub fn with_structured(self, value: &impl Serialize) -> Reply {
        Reply {
            structured: serde_json::value::to_raw_value(value).ok(),
            ..self
        }
    }

    /// Adds the call that undoes this one; `title` says to people what it does.
    #[must_use]
    pub fn with_inverse(self, tool: &str, arguments: Value, title: impl Into<String>) -> Reply {
        Reply {
            inverse: Some(Inverse {
                tool: tool.to_owned(),
                arguments,
                title: title.into(),
                destructive: None,
            }),
            ..self
        }
    }

    /// Adds one of the calls that undo this one, which did several things: each can be undone or not.
    #[must_use]
    pub fn with_one_inverse(mut self, tool: &str, arguments: Value, title: impl Into<String>) -> Reply {
        self.inverses.push(Inverse {
            tool: tool.to_owned(),
            arguments,
            title: title.into(),
            destructive: None,
        });
        self
    }

    /// Says of the inverses named so far that each takes back what this call did and nothing else: whoever wants it
    /// undone need not be asked once more, although the same tool may destroy other things in other calls. "Delete
    /// the task that was just added", not "delete all tasks of today".
    #[must_use]
    pub fn undone_without_asking(mut self) -> Reply {
        for inverse in self.inverse.iter_mut().chain(&mut self.inverses) {
            inverse.destructive = Some(false);
        }
        self
    }
}

impl From<Reply> for CallResult {
    fn from(
        Reply {
            text,
            structured,
            inverse,
            inverses,
        }: Reply,
    ) -> CallResult {
        CallResult {
            structured,
            meta: ResultMeta {
                inverse,
                inverses,
                check: None,
            },
            ..CallResult::from_text(text)
        }
    }
}

/// Why a tool did nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The call cannot be carried out as it stands. The text tells a model (and a person) what to change.
    #[error("{0}")]
    Rejected(String),
    /// The tool needs to know whose data it works on.
    #[error(
        "This tool works on one user's data, and nobody said whose. Call it through anyturn, send the header \
         anyturn-user, or set the environment variable DEFAULT_USER of the server."
    )]
    NobodyCalls,
    /// The call came after the moment up to which it might take effect, so the turn that it belongs to may have
    /// been taken over. Nothing was done.
    #[error(
        "The call came too late: its turn held on only until {not_after} (milliseconds since the Unix epoch), it is \
         {now}, and by now another instance may have taken the turn over. Nothing was done."
    )]
    TooLate {
        /// The moment that the call named.
        not_after: u64,
        /// The store's clock.
        now: u64,
    },
    /// The server failed. Whether the call took effect is unknown; with an idempotency key it can be
    /// repeated.
    #[error("{0}")]
    Broken(String),
}

impl Failure {
    /// [`Failure::Rejected`].
    pub fn rejected(text: impl Into<String>) -> Failure {
        Failure::Rejected(text.into())
    }
}

/// As the protocol tells it: what a model can act on is a result, everything else an error.
impl From<Failure> for Result<CallResult, RpcError> {
    fn from(failure: Failure) -> Result<CallResult, RpcError> {
        let message = failure.to_string();
        match failure {
            Failure::Rejected(_) | Failure::NobodyCalls => Ok(CallResult::from_error(message)),
            Failure::TooLate { not_after, now } => Err(RpcError {
                code: RpcError::TOO_LATE,
                message,
                data: Some(json!({ "notAfter": not_after, "now": now })),
            }),
            Failure::Broken(_) => Err(RpcError::internal(message)),
        }
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Failure {
        match error {
            StateError::Conflict { .. } => {
                Failure::rejected("Somebody else changed the same thing at the same time. Try again.")
            }
            StateError::Invalid(_) | StateError::Unavailable(_) | StateError::Corrupt(_) => {
                Failure::Broken(error.to_string())
            }
        }
    }
}
