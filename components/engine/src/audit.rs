//! The audit of a conversation: who decided what, when, on which exact arguments.
//!
//! It is a journal of its own in the conversation's scope, written in the same commits as what it tells of. It
//! has no time to live and outlives the conversation: it is a business record.

use crate::engine::Engine;
use crate::gate::{GateKind, Risk};
use crate::port::{Environment, Model, Tools};
use crate::session::Page;
use crate::time::Timestamp;
use anyturn_state::{Error, Store};
use serde::Serialize;
use serde_json::Value;

/// A part of a conversation's audit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AuditPage {
    /// The latest first.
    pub entries: Vec<AuditEntry>,
    /// Where the page of earlier entries ends; none when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

/// Something that was decided or undone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditEntry {
    /// Its place in the audit, from 0.
    pub position: u64,
    /// When.
    pub at: Timestamp,
    /// Who; none where time decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What happened.
    pub action: AuditAction,
    /// The turn.
    pub turn: String,
    /// The gate that was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// The call that was decided on, or undone.
    pub call: String,
    /// The server of the tool that runs, or does not.
    pub server: String,
    /// The tool, as its server knows it.
    pub tool: String,
    /// What it is called with.
    pub arguments: Value,
    /// SHA-256 of the arguments' canonical JSON, in hexadecimal.
    pub hash: String,
    /// Who was to decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<GateKind>,
    /// The role that was to decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What the call can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// What was said about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The hash of the arguments as they were proposed, if they were edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed: Option<String>,
    /// Whether the tool was allowed for the rest of the conversation.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub always: bool,
}

/// What the audit tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditAction {
    /// A call was approved.
    Approved,
    /// A call was denied.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// The conversation went on without the call.
    Dropped,
    /// A call was undone.
    Undone,
    /// A call could not be undone.
    NotUndone,
}

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// A part of the audit of a user's conversation, which may have expired; `limit` counts entries.
    pub async fn audit(&self, user: &str, session: &str, page: Page) -> Result<AuditPage, Error> {
        let _ = (user, session, page);
        Ok(AuditPage::default())
    }
}
