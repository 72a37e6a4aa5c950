//! The audit of a conversation: who decided what, when, on which exact arguments.
//!
//! It is a journal of its own in the conversation's scope, written in the same commits as what it tells of. It
//! has no time to live and outlives the conversation: it is a business record. An entry is JSON with the version
//! of its schema, as in the conversation's journal.

use crate::conversation::Gated;
use crate::engine::Engine;
use crate::gate::{GateKind, Risk, canonical};
use crate::journal::{GateDecided, Ruling, VERSION, unreadable};
use crate::port::{Environment, Model, Tools};
use crate::scope;
use crate::session::Page;
use crate::time::Timestamp;
use anyturn_state::{Error, ExpectedLength, Found, JournalSlice, Position, Query, Store, Write};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Entries on a page if none are asked for, and at most.
const PAGE: u32 = 100;

/// A part of a conversation's audit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AuditPage {
    /// The latest first.
    pub entries: Vec<AuditEntry>,
    /// Where the page of earlier entries ends; none when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

/// An entry of the audit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditEntry {
    /// Its place in the audit, from 0.
    pub position: u64,
    /// What it tells.
    #[serde(flatten)]
    pub what: Audited,
}

/// Something that was decided or undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audited {
    /// When.
    pub at: Timestamp,
    /// Who; none where time decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What happened.
    pub action: AuditAction,
    /// The turn.
    pub turn: String,
    /// The gate that was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// The call that was decided on, or that was to be undone.
    pub call: String,
    /// The server of the tool.
    pub server: String,
    /// The tool that runs or does not, as its server knows it.
    pub tool: String,
    /// What it is called with.
    pub arguments: Value,
    /// SHA-256 of the arguments' canonical JSON, in hexadecimal.
    pub hash: String,
    /// Who was to decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<GateKind>,
    /// The role that was to decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What the call can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// What was said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The hash of the arguments as they were proposed, if they were edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<String>,
    /// Whether the tool was allowed for the rest of the conversation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub always: bool,
}

/// What the audit tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// A call could not be undone, or it is not known whether it was.
    NotUndone,
}

/// An entry as it is stored.
#[derive(Serialize)]
struct Stored<'a> {
    v: u32,
    #[serde(flatten)]
    what: &'a Audited,
}

/// The version of an entry's schema, which is read before the rest.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

impl Audited {
    /// A decision on a gate of `turn`.
    pub(crate) fn decision(turn: &str, at: u64, gated: &Gated, decided: &GateDecided) -> Audited {
        let opened = &gated.opened;
        Audited {
            at: Timestamp(at),
            by: decided.by.clone(),
            action: match decided.verdict {
                Ruling::Approved => AuditAction::Approved,
                Ruling::Denied => AuditAction::Denied,
                Ruling::Expired => AuditAction::Expired,
                Ruling::Dropped => AuditAction::Dropped,
            },
            turn: turn.to_owned(),
            gate: Some(opened.gate.clone()),
            call: opened.call.clone(),
            server: opened.server.clone(),
            tool: opened.tool.clone(),
            arguments: decided.arguments.as_ref().unwrap_or(&opened.arguments).clone(),
            hash: decided.hash.clone(),
            kind: Some(opened.kind),
            role: opened.role.clone(),
            risk: Some(opened.risk),
            comment: decided.comment.clone(),
            proposed: decided.arguments.is_some().then(|| opened.hash.clone()),
            always: decided.always,
        }
    }

    /// An inverse call that was made in `turn`, or not, to undo `call`.
    pub(crate) fn undoing(
        turn: &str,
        at: u64,
        by: &str,
        undone: bool,
        call: &str,
        made: Made<'_>,
    ) -> Audited {
        let Made {
            server,
            tool,
            arguments,
        } = made;
        Audited {
            at: Timestamp(at),
            by: Some(by.to_owned()),
            action: if undone {
                AuditAction::Undone
            } else {
                AuditAction::NotUndone
            },
            turn: turn.to_owned(),
            gate: None,
            call: call.to_owned(),
            server: server.to_owned(),
            tool: tool.to_owned(),
            arguments: arguments.clone(),
            hash: canonical::hash(arguments),
            kind: None,
            role: None,
            risk: None,
            comment: None,
            proposed: None,
            always: false,
        }
    }

    fn encode(&self) -> Result<Vec<u8>, Error> {
        let stored = Stored {
            v: VERSION,
            what: self,
        };
        serde_json::to_vec(&stored).map_err(|error| Error::Invalid(error.to_string()))
    }
}

/// What was called to undo something.
pub(crate) struct Made<'a> {
    pub server: &'a str,
    pub tool: &'a str,
    pub arguments: &'a Value,
}

/// The write that puts entries into the audit of the conversation in whose commit it is.
pub(crate) fn append(entries: &[Audited]) -> Result<Write, Error> {
    Ok(Write::Append {
        journal: scope::AUDIT.to_owned(),
        expected: ExpectedLength::Any,
        entries: entries.iter().map(Audited::encode).collect::<Result<_, _>>()?,
        ttl: None,
    })
}

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// A part of the audit of a user's conversation, which may have expired; `limit` counts entries.
    pub async fn audit(&self, user: &str, session: &str, page: Page) -> Result<AuditPage, Error> {
        let limit = if page.limit == 0 {
            PAGE
        } else {
            page.limit.min(PAGE)
        };
        let start = match page.before {
            Some(before) => Position::At(before.saturating_sub(u64::from(limit))),
            None => Position::Last(limit),
        };
        let query = Query::Journal {
            journal: scope::AUDIT.to_owned(),
            start,
            limit,
        };
        let scope = scope::conversation(user, session);
        let slice = match self.store.read(&scope, vec![query]).await?.into_iter().next() {
            Some(Found::Journal(slice)) => slice,
            _ => JournalSlice::default(),
        };
        let end = page.before.unwrap_or(u64::MAX);
        let mut entries = Vec::with_capacity(slice.entries.len());
        for (position, bytes) in (slice.first..end).zip(&slice.entries) {
            let unreadable = |problem| unreadable(&format!("audit entry {position}"), bytes, problem);
            let Version { v } =
                anyturn_json::from_slice(bytes).map_err(|problem| unreadable(Some(problem)))?;
            if v > VERSION {
                return Err(unreadable(None).into());
            }
            let what = anyturn_json::from_slice(bytes).map_err(|problem| unreadable(Some(problem)))?;
            entries.push(AuditEntry { position, what });
        }
        entries.reverse();
        Ok(AuditPage {
            before: Some(slice.first).filter(|first| *first > 0 && !entries.is_empty()),
            entries,
        })
    }
}
