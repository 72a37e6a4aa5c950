//! A turn from outside: what is asked for, what is reported, and why one may not happen.
//!
//! A turn that was admitted always ends in a [`Turn`], finished or failed, and is in the journal. A
//! [`TurnError`] means that nothing became part of the conversation through this request, except where its
//! variant says otherwise.

use crate::assistant::{AssistantError, LoadError, OnBusy};
use crate::gate::Gate;
use crate::journal::{Failure, LaterVersion, ReadError};
use crate::port::{FinishReason, Message, ModelOptions, Part, Role, Usage};
use crate::time::Timestamp;
use crate::undo::{UndoOffer, UndoReport};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a caller wants.
#[derive(Clone, Debug)]
pub struct TurnRequest {
    /// The user's id; a conversation belongs to one user, and does not exist for any other.
    pub user: String,
    /// The user's roles, for tools.
    pub roles: Vec<String>,
    /// The assistant's name; `None` takes the one that the session was begun with, which is for
    /// [`SessionTarget::Existing`] only.
    pub assistant: Option<String>,
    /// Which conversation.
    pub session: SessionTarget,
    /// What the user says: text and images; at least one part.
    pub message: Vec<Part>,
    /// Repeating a request with the same key returns the first one's turn: it waits for it while it runs, and
    /// takes it over if its instance died. Keys belong to a conversation and live as long as it does.
    pub idempotency_key: Option<String>,
    /// The title of a new session; `None` shortens the message.
    pub title: Option<String>,
    /// The user's IANA time zone.
    pub timezone: Option<String>,
    /// Overrides the assistant's options where it is set.
    pub options: ModelOptions,
    /// What happens if another turn of the conversation is running; none takes the assistant's policy.
    pub on_busy: Option<OnBusy>,
}

impl TurnRequest {
    /// Whether the message is one that decides what waits for its user, if anything does.
    #[must_use]
    pub fn may_decide(&self) -> bool {
        crate::words::verdict(&self.message).is_some()
    }
}

/// Which conversation a turn belongs to.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionTarget {
    /// A new one, with an id of [`crate::Engine::new_session_id`].
    New {
        /// The new id.
        id: String,
    },
    /// One that exists; [`TurnError::UnknownSession`] if it does not.
    Existing {
        /// Its id.
        id: String,
    },
    /// One that is created if it does not exist, for clients that choose ids themselves.
    Either {
        /// Any text.
        id: String,
    },
    /// A new one that nobody can go on with: the request brings the whole conversation. It lives for a short
    /// time, so that a crash loses nothing, and must not be put into the index of sessions.
    Detached {
        /// An id of [`crate::Engine::new_session_id`].
        id: String,
        /// What was said before, without the new message.
        history: Vec<Message>,
    },
}

impl SessionTarget {
    /// The session's id.
    pub fn id(&self) -> &str {
        match self {
            SessionTarget::New { id }
            | SessionTarget::Existing { id }
            | SessionTarget::Either { id }
            | SessionTarget::Detached { id, .. } => id,
        }
    }
}

/// What came of a turn. Serializes to the JSON answer of the native API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The conversation's id.
    pub session: String,
    /// The turn's id.
    pub turn: String,
    /// The assistant's name.
    pub assistant: String,
    /// How it ended.
    pub state: TurnState,
    /// What the assistant said. In a failed turn: what it had said until then.
    pub message: Reply,
    /// The tools that were called, in their order.
    pub tool_calls: Vec<ToolCallReport>,
    /// The calls that wait for decisions, and those that did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// What came of it, if it was a turn that undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<UndoReport>,
    /// What all model calls of the turn took.
    pub usage: Usage,
    /// The model that answered last, as its provider names it; empty when none answered.
    pub model: String,
    /// How the model's last answer ended, for API dialects that tell; not serialized.
    #[serde(skip, default = "complete")]
    pub finish_reason: FinishReason,
    /// When the turn was admitted.
    pub created_at: Timestamp,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

fn complete() -> FinishReason {
    FinishReason::Stop
}

/// How far a turn is. What [`crate::Engine::turn`] and [`crate::Engine::attach`] return has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnState {
    /// It waits for those before it.
    Queued,
    /// It has begun and not ended. Its instance may have died; whoever attaches goes on with it.
    Running,
    /// The assistant answered.
    Finished,
    /// It did not, or not completely; [`Turn::error`] says why.
    Failed,
    /// Somebody stopped it. What it had said and done until then stands.
    Stopped,
    /// Calls of it wait for decisions ([`Turn::gates`]). When all are taken, it goes on; nobody runs it until
    /// then, and the conversation can go on without it.
    Waiting,
}

impl TurnState {
    /// Whether nothing more will happen in it, unless a failed turn is tried again or somebody decides what a
    /// turn waits for.
    pub fn has_ended(self) -> bool {
        match self {
            TurnState::Queued | TurnState::Running => false,
            TurnState::Finished | TurnState::Failed | TurnState::Stopped | TurnState::Waiting => true,
        }
    }
}

/// What the assistant said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Always [`Role::Assistant`].
    pub role: Role,
    /// Markdown. The texts of several answers of one turn are separated by an empty line.
    pub content: String,
    /// What of it was said since the last decision, if the turn has waited for one: the rest was told before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_decision: Option<String>,
    /// Whether it asks by itself for the decisions that the turn waits for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
}

/// A tool that was called in a turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolCallReport {
    /// The call's id.
    pub id: String,
    /// The tool's name, as the model knows it.
    pub tool: String,
    /// The server that offers it; empty when the model named a tool that there is not.
    pub server: String,
    /// What it was called with; text when the model wrote what is not JSON.
    pub arguments: Value,
    /// What it answered: the structured result if there is one, else text. Null while there is none.
    pub result: Value,
    /// Whether it failed.
    pub is_error: bool,
    /// How it can be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<UndoOffer>,
}

/// Why a request did not lead to a turn.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TurnError {
    /// No assistant has this name.
    #[error("there is no assistant named “{0}”")]
    UnknownAssistant(String),
    /// The assistant's file cannot be used.
    #[error(transparent)]
    Assistant(AssistantError),
    /// There is no such session: it never was, it expired, or it is another user's.
    #[error("there is no such session; it may have expired")]
    UnknownSession,
    /// A session with the id of [`SessionTarget::New`] or [`SessionTarget::Detached`] exists.
    #[error("a session with this id exists already")]
    SessionExists,
    /// The session was begun with another assistant.
    #[error("this session belongs to the assistant “{assistant}”")]
    OtherAssistant {
        /// The session's assistant.
        assistant: String,
    },
    /// Another turn of this conversation is running and the assistant's policy is to reject.
    #[error("another turn of this conversation is running")]
    Busy {
        /// The running turn; empty if unknown.
        turn: String,
        /// Milliseconds after which trying again makes sense.
        retry_after: u64,
    },
    /// The turn of this idempotency key is running and did not end within the time one waits for it.
    #[error("the turn of this idempotency key is still running")]
    StillRunning {
        /// The turn.
        turn: String,
        /// Milliseconds after which trying again makes sense.
        retry_after: u64,
    },
    /// The user has no such turn in this session, or it is too long ago.
    #[error("there is no such turn; it may be too long ago")]
    UnknownTurn,
    /// A later version of anyturn wrote this conversation, and this one cannot read it.
    #[error(transparent)]
    LaterVersion(LaterVersion),
    /// The idempotency key was used for a different request.
    #[error("this idempotency key was used for a different request")]
    KeyReused,
    /// The message, the history or another part of the request cannot be accepted.
    #[error("{0}")]
    InvalidMessage(String),
    /// The store failed. What the turn had done until then is recorded; the same idempotency key goes on
    /// with it.
    #[error(transparent)]
    Store(anyturn_state::Error),
    /// This instance lost the turn: another one took it over, or the session was deleted. It wrote nothing
    /// since; the same idempotency key leads to the turn.
    #[error("another instance has taken over this turn, or the session was deleted")]
    Fenced {
        /// The turn.
        turn: String,
    },
}

impl From<anyturn_state::Error> for TurnError {
    fn from(error: anyturn_state::Error) -> Self {
        TurnError::Store(error)
    }
}

impl From<ReadError> for TurnError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => TurnError::Store(error),
            ReadError::Later(later) => TurnError::LaterVersion(later),
        }
    }
}

impl From<LoadError> for TurnError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Unknown(name) => TurnError::UnknownAssistant(name),
            LoadError::Invalid(error) => TurnError::Assistant(error),
        }
    }
}
