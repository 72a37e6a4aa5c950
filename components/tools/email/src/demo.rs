//! The mailbox of whoever has connected no Google account: believable mail of three weeks, to try everything with.
//!
//! What lies in it at first is part of the component ([`corpus`]), dated back from the moment on which somebody uses it
//! for the first time. The store holds that moment and what has changed since, in one document of the user's scope. So a
//! change is one commit, together with the outcome under its idempotency key, and happens once. Nothing is delivered to
//! anybody: what is sent lies among what was sent. After 30 days without a change everything begins anew.

pub mod corpus;
mod find;
mod newsletters;
mod row;

use std::collections::{BTreeMap, BTreeSet};

use anyturn_state::{Error as StateError, ExpectedVersion, Found, Query, Store, Write};
use anyturn_tool_sdk::{Failure, Once, OnceError, Reply};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

use crate::letter::Letter;
use crate::mail::{Address, Attachment, Mail, Summary, label};
use crate::mailbox::{Change, Changed, Hits, MOST_FOUND, Mailbox, Touched, Written, no_such, no_such_label};
use crate::search::Search;

/// The document that holds it.
const DOCUMENT: &str = "demo";
/// How long it is kept without a change, in milliseconds: 30 days.
const KEPT: u64 = 30 * 24 * 60 * 60 * 1000;
/// How often a change starts over.
const TRIES: usize = 5;
/// Bytes of what the user wrote that are kept: a document has room for 1 MiB. What was sent first goes first.
const MOST_WRITTEN: usize = 600_000;

/// A user's demo mailbox, for one call of a tool.
#[derive(Clone, Debug)]
pub struct Demo<'a, S> {
    /// The store.
    pub store: &'a S,
    /// The user's scope in it.
    pub scope: String,
    /// The call's idempotency key.
    pub once: Once,
    /// When the call came.
    pub now: Timestamp,
    /// The user's time zone.
    pub zone: TimeZone,
}

/// What has become of it since it began.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// When the user came for the first time, in milliseconds since the Unix epoch.
    begun: i64,
    /// Their time zone then.
    zone: String,
    /// The labels of e-mails whose labels have changed.
    #[serde(default)]
    labels: BTreeMap<String, BTreeSet<String>>,
    /// What the user has written, in its order.
    #[serde(default)]
    written: Vec<Own>,
    /// How many ids were given away.
    #[serde(default)]
    issued: u64,
    /// Drafts of the beginning that are gone.
    #[serde(default)]
    gone: BTreeSet<String>,
}

/// What the user wrote.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Own {
    id: String,
    thread: String,
    to: Vec<Address>,
    #[serde(default)]
    cc: Vec<Address>,
    subject: String,
    /// In milliseconds since the Unix epoch.
    date: i64,
    labels: BTreeSet<String>,
    references: Vec<String>,
    body: String,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

/// All that lies in it at the moment, the latest first, and what to build on.
struct Opened {
    state: State,
    /// Of the document; none if there is none yet.
    version: Option<u64>,
    mails: Vec<Mail>,
}

impl<S: Store> Demo<'_, S> {
    fn owner_address() -> Address {
        row::who(row::ALEX)
    }

    /// What lies in it; what the call came to before, if it did.
    async fn open(&self) -> Result<(Opened, Option<Reply>), Failure> {
        let mut queries = vec![Query::Document(DOCUMENT.to_owned())];
        queries.extend(self.once.query());
        let found = self.store.read(&self.scope, queries).await?;
        let before = match self.once.query() {
            None => None,
            Some(_) => self.once.recorded(found.get(1))?,
        };
        let (state, version) = match found.first() {
            Some(Found::Document(Some(document))) => {
                let state = anyturn_json::from_slice(&document.value)
                    .map_err(|error| StateError::Corrupt(format!("a demo mailbox: {error}")))?;
                (state, Some(document.version))
            }
            _ => {
                let state = State {
                    begun: self.now.as_millisecond(),
                    zone: self.zone.iana_name().unwrap_or("UTC").to_owned(),
                    ..State::default()
                };
                (state, None)
            }
        };
        let mails = state.mails();
        let opened = Opened {
            state,
            version,
            mails,
        };
        Ok((opened, before))
    }

    /// What lies in it, for reading: from the first look on it stays what it was.
    async fn look(&self) -> Result<Vec<Mail>, Failure> {
        let (opened, _) = self.open().await?;
        if opened.version.is_some() {
            return Ok(opened.mails);
        }
        match self
            .store
            .commit(&self.scope, vec![opened.put()?], Vec::new())
            .await
        {
            Ok(_) => Ok(opened.mails),
            // Somebody else was first.
            Err(StateError::Conflict { .. }) => Ok(self.open().await?.0.mails),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes it, once.
    async fn update(&self, change: &dyn Fn(&mut Opened) -> Result<Reply, Failure>) -> Result<Reply, Failure> {
        for _ in 0..TRIES {
            let (mut opened, before) = self.open().await?;
            if let Some(reply) = before {
                return Ok(reply);
            }
            let reply = change(&mut opened)?;
            let writes = vec![opened.put()?];
            match self.once.apply(self.store, &self.scope, writes, reply).await {
                Err(OnceError::State(StateError::Conflict { .. })) => {}
                other => return Ok(other?),
            }
        }
        Err(Failure::rejected(
            "The mailbox keeps being changed by somebody else. Try again.",
        ))
    }
}

impl Opened {
    fn put(&self) -> Result<Write, Failure> {
        let value = serde_json::to_vec(&self.state)
            .map_err(|error| StateError::Invalid(format!("a demo mailbox: {error}")))?;
        Ok(Write::Put {
            document: DOCUMENT.to_owned(),
            expected: match self.version {
                None => ExpectedVersion::Absent,
                Some(version) => ExpectedVersion::Exactly(version),
            },
            value,
            ttl: Some(KEPT),
        })
    }

    fn find(&self, id: &str) -> Option<&Mail> {
        self.mails.iter().find(|mail| mail.summary.id == id)
    }
}

impl State {
    fn mails(&self) -> Vec<Mail> {
        let zone = TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC);
        let begun = Timestamp::from_millisecond(self.begun).unwrap_or_default();
        let begun = Zoned::new(begun, zone);
        let mut mails: Vec<Mail> = self.written.iter().rev().map(Own::mail).collect();
        mails.extend(
            corpus::mails(&begun)
                .into_iter()
                .filter(|mail| !self.gone.contains(&mail.summary.id)),
        );
        for mail in &mut mails {
            if let Some(labels) = self.labels.get(&mail.summary.id) {
                mail.summary.labels = labels.clone();
            }
        }
        mails
    }

    /// Keeps what the user has written; what was sent long ago makes room.
    fn write(&mut self, letter: &Letter, label: &str, now: Timestamp) -> Written {
        self.issued += 1;
        let id = format!("demo-own-{}", self.issued);
        let thread = letter.thread.clone().unwrap_or_else(|| id.clone());
        self.written.push(Own {
            id: id.clone(),
            thread: thread.clone(),
            to: letter.to.clone(),
            cc: letter.cc.iter().chain(&letter.bcc).cloned().collect(),
            subject: letter.subject.clone(),
            date: now.as_millisecond(),
            labels: [label.to_owned()].into(),
            references: letter.references.clone(),
            body: letter.body.clone(),
            attachments: letter
                .attachments
                .iter()
                .map(|enclosure| Attachment {
                    name: enclosure.name.clone(),
                    media_type: enclosure.media_type.clone(),
                    size: enclosure.source.size,
                    reference: String::new(),
                })
                .collect(),
        });
        let mut bytes: usize = self.written.iter().map(|own| own.body.len() + 1000).sum();
        while bytes > MOST_WRITTEN && self.written.len() > 1 {
            let oldest = self.written.remove(0);
            bytes -= oldest.body.len() + 1000;
        }
        Written { id, thread }
    }
}

impl Own {
    fn mail(&self) -> Mail {
        Mail {
            summary: Summary {
                id: self.id.clone(),
                thread: self.thread.clone(),
                from: row::who(row::ALEX),
                to: self.to.clone(),
                subject: self.subject.clone(),
                date: Timestamp::from_millisecond(self.date).unwrap_or_default(),
                snippet: row::snippet(&self.body),
                labels: self.labels.clone(),
            },
            cc: self.cc.clone(),
            reply_to: Vec::new(),
            message_id: format!("{}@demo.northwind.example", self.id),
            references: self.references.clone(),
            body: self.body.clone(),
            is_cut: false,
            attachments: self.attachments.clone(),
        }
    }
}

impl<S: Store> Mailbox for Demo<'_, S> {
    async fn owner(&self) -> Result<Address, Failure> {
        Ok(Self::owner_address())
    }

    async fn search(&self, search: &Search, shown: usize) -> Result<Hits, Failure> {
        let mails = self.look().await?;
        if let Some(name) = &search.label {
            let known = find::own_labels(&mails);
            if !known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                return Err(no_such_label(name, &known));
            }
        }
        let found: Vec<&Mail> = mails.iter().filter(|mail| find::fits(mail, search)).collect();
        Ok(Hits {
            ids: found
                .iter()
                .take(MOST_FOUND)
                .map(|mail| mail.summary.id.clone())
                .collect(),
            is_complete: found.len() <= MOST_FOUND,
            shown: found
                .iter()
                .take(shown)
                .map(|mail| mail.summary.clone())
                .collect(),
        })
    }

    async fn read(&self, id: &str) -> Result<Mail, Failure> {
        let mails = self.look().await?;
        let found = mails.into_iter().find(|mail| mail.summary.id == id);
        found.ok_or_else(|| no_such(id))
    }

    async fn change(
        &self,
        ids: &[String],
        change: &Change,
        reply: &dyn Fn(&Changed) -> Reply,
    ) -> Result<Reply, Failure> {
        self.update(&|opened| {
            let mut changed = Changed::default();
            for id in ids {
                let Some(mail) = opened.find(id) else {
                    changed.missing.push(id.clone());
                    continue;
                };
                let summary = &mail.summary;
                if !change.matters(|label| summary.has(label)) {
                    changed.already.push(id.clone());
                    continue;
                }
                changed.changed.push(Touched {
                    id: id.clone(),
                    subject: summary.subject.clone(),
                    from: summary.from.short().to_owned(),
                    was_in_inbox: summary.has(label::INBOX),
                });
                let mut labels = summary.labels.clone();
                let (add, remove) = change.labels();
                labels.extend(add.into_iter().map(str::to_owned));
                labels.retain(|label| !remove.contains(&label.as_str()));
                opened.state.labels.insert(id.clone(), labels);
            }
            Ok(reply(&changed))
        })
        .await
    }

    async fn draft(&self, letter: &Letter, reply: &dyn Fn(&Written) -> Reply) -> Result<Reply, Failure> {
        self.update(&|opened| Ok(reply(&opened.state.write(letter, label::DRAFT, self.now))))
            .await
    }

    async fn discard(&self, draft: &str, reply: &dyn Fn(bool) -> Reply) -> Result<Reply, Failure> {
        self.update(&|opened| {
            let is_draft = opened
                .find(draft)
                .is_some_and(|mail| mail.summary.has(label::DRAFT));
            if is_draft {
                opened.state.written.retain(|own| own.id != draft);
                if !draft.starts_with("demo-own-") {
                    opened.state.gone.insert(draft.to_owned());
                }
            }
            Ok(reply(is_draft))
        })
        .await
    }

    async fn send(&self, letter: &Letter, reply: &dyn Fn(&Written) -> Reply) -> Result<Reply, Failure> {
        self.update(&|opened| Ok(reply(&opened.state.write(letter, label::SENT, self.now))))
            .await
    }
}
