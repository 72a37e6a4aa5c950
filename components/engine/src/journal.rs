//! The journal of a conversation: what happened, in order, for good.
//!
//! An entry is JSON, so that an operator can read it in the store:
//! `{"v":1,"at":1795150662000,"turn":"turn_…","what":{"turn-finished":{}}}`.
//!
//! Every entry names the version of its schema. Within a version, fields may be added but not change their
//! meaning; readers ignore fields they do not know. What a reader cannot read is an error that says whether a
//! later version wrote it; it is never skipped, because a conversation with a hole is a different one.

mod gate;
pub(crate) mod writer;

pub(crate) use gate::{GateDecided, GateOpened, Ruling};

use crate::port::{EffectClass, FinishReason, Message, ModelError, ModelErrorKind, ModelOptions, Part};
use crate::port::{Inverse, ToolCall, ToolOutcome, Usage};
use crate::time::Timestamp;
use crate::undo::UndoOffer;
use crate::watch::Traceparent;
use anyturn_state::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the schema that this code writes, and the latest that it reads.
pub(crate) const VERSION: u32 = 1;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The version of the schema.
    pub v: u32,
    /// Milliseconds since the Unix epoch.
    pub at: u64,
    /// The turn that it belongs to.
    pub turn: String,
    /// What happened.
    pub what: Record,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Record {
    /// A turn was admitted.
    TurnStarted(Box<TurnStarted>),
    /// Another instance goes on with the turn, or the same message is tried again after a failure.
    TurnResumed {
        /// The holder of the lease from here on.
        holder: String,
    },
    /// A step: the model answered.
    ModelCalled(ModelCalled),
    /// A tool is about to be called. Without a [`Record::ToolFinished`] it may or may not have run.
    ToolIntended(ToolIntended),
    /// A step: a tool answered, or it is known that it will not.
    ToolFinished(ToolFinished),
    /// A risky call does not run; it waits for a decision.
    GateOpened(Box<GateOpened>),
    /// A decision was taken, or nobody took it in time.
    GateDecided(Box<GateDecided>),
    /// Nobody goes on with the turn until all of its gates are decided; a [`Record::TurnResumed`] follows then,
    /// after whatever other turns have come between.
    TurnWaiting {},
    /// The assistant answered.
    TurnFinished {},
    /// It did not.
    TurnFailed {
        /// Why.
        error: Failure,
        /// What had been said of the answer that broke off.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// Somebody stopped it.
    TurnStopped {
        /// What had been said of the answer that broke off.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// The turn was left as it was when the conversation went on. A later [`Record::TurnStarted`] implies it;
    /// this makes it explicit.
    TurnAbandoned {},
    /// The conversation was begun with the past of another one, copies of which follow. Belongs to no turn.
    Forked(Forked),
    /// The copies end here. Gates, permissions and things to undo stay with the other conversation. Belongs to no
    /// turn.
    PastCopied {},
    /// After its admission the turn turned out to break a rule: it is no part of the conversation.
    TurnRefused {
        /// Which rule.
        reason: String,
    },
}

/// Where a conversation comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Forked {
    /// The other conversation.
    pub session: String,
    /// The turn at which it was forked.
    pub at: String,
    /// Whether the past ends before that turn.
    #[serde(default, skip_serializing_if = "is_default")]
    pub before: bool,
    /// The assistant's name.
    pub assistant: String,
    /// The title.
    pub title: String,
}

/// How a turn began: everything that another instance needs to go on with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TurnStarted {
    /// The assistant that was asked for; none takes the conversation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant: Option<String>,
    /// A new conversation's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the user said.
    pub message: Vec<Part>,
    /// What was said before, where the request brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<Message>>,
    /// The user's roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The user's IANA time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// What the request overrides of the assistant's options.
    #[serde(default, skip_serializing_if = "is_default")]
    pub options: ModelOptions,
    /// The idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// What is to be undone before anything else: calls of turns that were stopped for this one, the last first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<ToUndo>,
    /// Whether that is all there is to do; no model is asked then.
    #[serde(default, skip_serializing_if = "is_default")]
    pub undo_only: bool,
    /// Where the request stood in a trace that began it, so that the trace of whoever goes on with it can say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Traceparent>,
}

/// A call that is to be undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ToUndo {
    /// The call's id.
    pub call: String,
    /// The server.
    pub server: String,
    /// What was called, for people.
    pub title: String,
    /// The calls that undo it, in this order; none if the tool named none, or it is not known whether the call
    /// took effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inverses: Vec<Inverse>,
    /// Those of them, by number, that are not called: they were before, or may have been.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<u32>,
    /// Those of the latter that may have been.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<u32>,
}

/// An idempotency key as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Key {
    /// The name of its document.
    pub document: String,
    /// A hash of the request.
    pub request: String,
}

/// The model's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelCalled {
    /// The step's id.
    pub step: String,
    /// What it said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// What it wants called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ToolCall>,
    /// How the answer ended.
    pub reason: FinishReason,
    /// What it took.
    pub usage: Usage,
    /// The model, as its provider names it.
    pub model: String,
}

/// A call that is about to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ToolIntended {
    /// The call's id.
    pub call: String,
    /// The server.
    pub server: String,
    /// The tool's name at the server.
    pub tool: String,
    /// Its name for people.
    pub title: String,
    /// The validated arguments.
    pub arguments: Value,
    /// What repeating it would mean.
    pub class: EffectClass,
    /// The gate through which it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ToolFinished {
    /// The step's id.
    pub step: String,
    /// The call's id.
    pub call: String,
    /// What came of it.
    pub outcome: CallOutcome,
    /// Until when it can be undone, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_until: Option<u64>,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CallOutcome {
    /// The tool answered.
    Answered(ToolOutcome),
    /// It was certainly not run; this is why, for the model.
    NotRun(String),
    /// It may have run, and must not be repeated; this is what is known, for the model.
    Unknown(String),
}

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
    /// The instances that ran the turn died, and nobody can go on with it.
    Interrupted,
    /// Nobody decided in time what the turn waited for, and the conversation went on without it.
    Expired,
}

impl ToolFinished {
    /// How the call can be undone.
    pub(crate) fn offer(&self) -> Option<UndoOffer> {
        let (CallOutcome::Answered(outcome), Some(until)) = (&self.outcome, self.undo_until) else {
            return None;
        };
        let titles = outcome.inverses.iter().map(|inverse| inverse.title.clone());
        Some(UndoOffer {
            titles: titles.collect(),
            until: Timestamp(until),
        })
    }
}

impl Record {
    /// Whether the turn has ended with it, if nobody takes it up again.
    pub(crate) fn ends(&self) -> bool {
        match self {
            Record::TurnFinished {}
            | Record::TurnFailed { .. }
            | Record::TurnStopped { .. }
            | Record::TurnAbandoned {} => true,
            Record::TurnStarted(_)
            | Record::TurnResumed { .. }
            | Record::ModelCalled(_)
            | Record::ToolIntended(_)
            | Record::ToolFinished(_)
            | Record::GateOpened(_)
            | Record::GateDecided(_)
            | Record::TurnWaiting {}
            | Record::Forked(_)
            | Record::PastCopied {}
            | Record::TurnRefused { .. } => false,
        }
    }
}

impl Failure {
    /// A failure that trying again does not mend.
    pub(crate) fn lasting(kind: FailureKind, message: impl Into<String>) -> Self {
        Failure {
            kind,
            message: message.into(),
            retryable: false,
            retry_after: None,
        }
    }

    /// A failure that trying again may mend.
    pub(crate) fn passing(kind: FailureKind, message: impl Into<String>) -> Self {
        Failure {
            kind,
            message: message.into(),
            retryable: true,
            retry_after: None,
        }
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        // Wrong configuration is mended by people, and then the turn can go on; a refused request is not.
        let (kind, retryable) = match error.kind {
            ModelErrorKind::InvalidRequest => (FailureKind::InvalidRequest, false),
            ModelErrorKind::Unauthorized => (FailureKind::Unauthorized, true),
            ModelErrorKind::UnknownModel => (FailureKind::UnknownModel, true),
            ModelErrorKind::RateLimited => (FailureKind::RateLimited, true),
            ModelErrorKind::ContextTooLong => (FailureKind::ContextTooLong, false),
            ModelErrorKind::ContentRefused => (FailureKind::ContentRefused, false),
            ModelErrorKind::Unavailable => (FailureKind::Unavailable, true),
            ModelErrorKind::Timeout => (FailureKind::Timeout, true),
            ModelErrorKind::Protocol => (FailureKind::Protocol, true),
        };
        Failure {
            kind,
            message: error.message,
            retryable,
            retry_after: error.retry_after.filter(|_| retryable),
        }
    }
}

impl Entry {
    /// The entry as it is stored.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Error> {
        // Nothing in an entry can fail to become JSON; if that changes, the caller's turn fails, not the process.
        serde_json::to_vec(self).map_err(|error| Error::Invalid(error.to_string()))
    }

    /// Reads an entry; `position` is where it stands, for the error.
    pub(crate) fn decode(bytes: &[u8], position: u64) -> Result<Entry, ReadError> {
        let problem = match anyturn_json::from_slice::<Entry>(bytes) {
            Ok(entry) if entry.v <= VERSION => return Ok(entry),
            Ok(_) => None,
            Err(error) => Some(error),
        };
        Err(unreadable(&format!("journal entry {position}"), bytes, problem))
    }
}

/// What a later version of anyturn wrote, and this one cannot read: nothing is done with it, so that nothing is
/// lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} was written by a later version of anyturn (schema {schema}; this one reads up to {VERSION}): update this instance"
)]
pub struct LaterVersion {
    /// What it is, for people.
    pub what: String,
    /// The schema that it needs.
    pub schema: u32,
}

/// Why something stored could not be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum ReadError {
    /// The store failed, or what it holds is damaged.
    #[error(transparent)]
    Store(#[from] Error),
    /// A later version wrote it.
    #[error(transparent)]
    Later(#[from] LaterVersion),
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => error,
            ReadError::Later(later) => Error::Corrupt(later.to_string()),
        }
    }
}

/// Why something stored cannot be read.
pub(crate) fn unreadable(what: &str, bytes: &[u8], problem: Option<serde_json::Error>) -> ReadError {
    #[derive(Deserialize)]
    struct Header {
        v: u32,
    }
    match (anyturn_json::from_slice::<Header>(bytes), problem) {
        (Ok(Header { v }), _) if v > VERSION => ReadError::Later(LaterVersion {
            what: what.to_owned(),
            schema: v,
        }),
        (_, Some(problem)) => Error::Corrupt(format!("{what} is damaged: {problem}")).into(),
        (_, None) => Error::Corrupt(format!("{what} is damaged")).into(),
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_as_it_was_written() {
        let entry = Entry {
            v: VERSION,
            at: 7,
            turn: "turn_1".into(),
            what: Record::ToolFinished(ToolFinished {
                step: "tool/0/0".into(),
                call: "call_1".into(),
                outcome: CallOutcome::Answered(ToolOutcome {
                    content: "ok".into(),
                    ..Default::default()
                }),
                undo_until: None,
            }),
        };
        let bytes = entry.encode().unwrap();
        assert_eq!(
            String::from_utf8(bytes.clone()).unwrap(),
            r#"{"v":1,"at":7,"turn":"turn_1","what":{"tool-finished":{"step":"tool/0/0","call":"call_1","outcome":{"answered":{"content":"ok"}}}}}"#
        );
        assert_eq!(Entry::decode(&bytes, 0).unwrap(), entry);
    }

    #[test]
    fn an_entry_of_a_later_version_is_named_as_such() {
        for later in [
            r#"{"v":2,"at":7,"turn":"turn_1","what":{"turn-danced":{"hash":"…"}}}"#,
            r#"{"v":2,"at":7,"turn":"turn_1","what":{"turn-finished":{}}}"#,
        ] {
            let Err(ReadError::Later(refused)) = Entry::decode(later.as_bytes(), 41) else {
                panic!("{later}")
            };
            let reason = refused.to_string();
            assert!(
                reason.contains("journal entry 41") && reason.contains("schema 2"),
                "{reason}"
            );
        }
    }

    #[test]
    fn an_unknown_field_of_the_same_version_is_ignored_and_an_unknown_record_is_not() {
        let added = r#"{"v":1,"at":7,"turn":"t","what":{"turn-finished":{"new":1}},"more":true}"#;
        assert!(Entry::decode(added.as_bytes(), 0).is_ok());
        let unknown = r#"{"v":1,"at":7,"turn":"t","what":{"turn-danced":{}}}"#;
        let Err(ReadError::Store(Error::Corrupt(reason))) = Entry::decode(unknown.as_bytes(), 3) else {
            panic!()
        };
        assert!(reason.starts_with("journal entry 3 is damaged"), "{reason}");
    }
}
