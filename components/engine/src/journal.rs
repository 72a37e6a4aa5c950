//! The journal of a conversation: what happened, in order, for good.

use serde::{Deserialize, Serialize};

/// Why a turn failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What a program can act on.
    pub kind: FailureKind,
    /// For people; holds no credentials.
    pub message: String,
    /// Whether the same idempotency key goes on with the turn where it failed.
    pub retryable: bool,
    /// Milliseconds after which trying again makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// Why a turn failed: the model's reasons (`anyturn:model/chat.error-kind`) and the engine's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum FailureKind {
    InvalidRequest,
    Unauthorized,
    UnknownModel,
    RateLimited,
    ContextTooLong,
    ContentRefused,
    Unavailable,
    Timeout,
    Protocol,
    /// A tool server could not say which tools it has.
    ToolsUnavailable,
    /// The model did not answer within the assistant's limit of steps.
    StepLimit,
    /// Something was larger than the store takes.
    TooLarge,
    /// The instance that ran the turn died, and another message came before anybody went on with it.
    Interrupted,
}
