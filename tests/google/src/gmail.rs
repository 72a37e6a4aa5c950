//! Gmail (`gmail/v1`, described at developers.google.com/workspace/gmail/api): profile, messages, labels, drafts.
//!
//! Messages are what was delivered, byte for byte; what the API shows of them is parsed from that. As at Google, a
//! search leaves trash and spam out unless it names them, `batchModify` says nothing of ids that do not exist, taking a
//! message out of the trash does not put it back into the inbox, and a draft that was sent is no draft any more.

mod api;
mod mime;
mod search;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use http::Method;

use crate::{Answer, FakeGoogle, Request};

/// The labels that every mailbox has.
const SYSTEM: [&str; 14] = [
    "INBOX",
    "SENT",
    "DRAFT",
    "TRASH",
    "SPAM",
    "UNREAD",
    "STARRED",
    "IMPORTANT",
    "CHAT",
    "CATEGORY_PERSONAL",
    "CATEGORY_SOCIAL",
    "CATEGORY_PROMOTIONS",
    "CATEGORY_UPDATES",
    "CATEGORY_FORUMS",
];

/// The mailboxes of all accounts.
pub(crate) type Gmail = BTreeMap<String, Mailbox>;

/// A mailbox.
#[derive(Clone, Debug, Default)]
pub struct Mailbox {
    messages: BTreeMap<String, Message>,
    /// The user's labels: id and name.
    labels: Vec<(String, String)>,
    /// Drafts and their messages.
    drafts: BTreeMap<String, String>,
    issued: u64,
}

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// Its thread's id.
    pub thread: String,
    /// The ids of its labels.
    pub labels: BTreeSet<String>,
    /// When it came, in milliseconds since the Unix epoch.
    pub date: i64,
    /// What came (RFC 5322).
    pub raw: Vec<u8>,
}

impl FakeGoogle {
    /// Looks at an account's mailbox, or changes it.
    pub fn gmail<T>(&self, email: &str, change: impl FnOnce(&mut Mailbox) -> T) -> T {
        change(self.lock().gmail.entry(email.to_owned()).or_default())
    }
}

impl Mailbox {
    /// Delivers a message with these labels: Gmail's own by id, others by name. A message that answers another one
    /// (`In-Reply-To`) joins its thread. Returns its id.
    pub fn deliver(&mut self, raw: &[u8], date: i64, labels: &[&str]) -> String {
        let labels = labels
            .iter()
            .map(|label| match SYSTEM.iter().find(|system| *system == label) {
                Some(system) => (*system).to_owned(),
                None => self.label(label),
            })
            .collect();
        self.put(raw.to_vec(), date, labels, None)
    }

    /// The id of the user's label of this name, which is made if there is none.
    pub fn label(&mut self, name: &str) -> String {
        if let Some((id, _)) = self.labels.iter().find(|(_, known)| known == name) {
            return id.clone();
        }
        let id = format!("Label_{}", self.labels.len() + 1);
        self.labels.push((id.clone(), name.to_owned()));
        id
    }

    /// A message.
    pub fn message(&self, id: &str) -> Option<&Message> {
        self.messages.get(id)
    }

    /// The messages with this label (by id).
    pub fn with_label(&self, label: &str) -> Vec<&Message> {
        self.messages
            .values()
            .filter(|message| message.labels.contains(label))
            .collect()
    }

    /// Removes a message for good, as another client may.
    pub fn vanish(&mut self, id: &str) {
        self.messages.remove(id);
    }

    /// How many drafts there are.
    pub fn drafts(&self) -> usize {
        self.drafts.len()
    }

    fn put(&mut self, raw: Vec<u8>, date: i64, labels: BTreeSet<String>, thread: Option<&str>) -> String {
        self.issued += 1;
        let id = format!("18f{:013x}", self.issued * 0x1_0001);
        let thread = thread
            .map(str::to_owned)
            .or_else(|| {
                let answered = mime::answered(&raw)?;
                let before = self
                    .messages
                    .values()
                    .find(|message| mime::message_id(&message.raw).as_deref() == Some(answered.as_str()))?;
                Some(before.thread.clone())
            })
            .unwrap_or_else(|| id.clone());
        let message = Message {
            id: id.clone(),
            thread,
            labels,
            date,
            raw,
        };
        self.messages.insert(id.clone(), message);
        id
    }

    fn label_names(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.labels.iter().map(|(id, name)| (id.as_str(), name.as_str()));
        SYSTEM.iter().map(|id| (*id, *id)).chain(own)
    }

    fn knows_label(&self, id: &str) -> bool {
        self.label_names().any(|(known, _)| known == id)
    }
}

/// Answers a request for an account's mailbox.
pub(crate) fn answer(mailbox: &mut Mailbox, account: &str, request: &Request) -> Answer {
    let upload = request.after("/upload/gmail/v1/users/");
    let is_upload = upload.is_some();
    let Some(path) = upload.or_else(|| request.after("/gmail/v1/users/")) else {
        return Answer::not_found();
    };
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let Some((user, rest)) = path.split_first() else {
        return Answer::not_found();
    };
    if *user != "me" && *user != account {
        return Answer::error(403, "forbidden", &format!("Delegation denied for {account}"));
    }
    api::answer(mailbox, account, request, (&request.method, rest), is_upload)
}

/// What a client sent as base64url (or base64), with or without padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    let plain: String = text
        .trim_end_matches('=')
        .chars()
        .map(|letter| match letter {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    let padding = "=".repeat((4 - plain.len() % 4) % 4);
    BASE64_STANDARD.decode(plain + &padding).ok()
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE.encode(bytes)
}

/// A request's method and the rest of its path.
type Target<'a> = (&'a Method, &'a [&'a str]);
