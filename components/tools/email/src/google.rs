//! The mailbox of whoever has connected a Google account: Gmail.
//!
//! **What happens once.** Gmail takes no idempotency keys. So before anything is changed, what is about to be done is
//! recorded in the store under the call's key, on the condition that the call's time is not over; afterwards the reply is.
//!
//! - A change of labels or a move to the trash is recorded with the ids that it really changes. Repeated, it changes those
//!   again, which comes to the same, and its inverse still names exactly those.
//! - A letter is first kept as a draft, the draft is recorded, and then it is sent. Gmail uses a draft up when it sends it,
//!   so however often the call is repeated, the letter leaves once. When the draft is gone and nobody has recorded why,
//!   the letter is looked for in its conversation by its `Message-ID`, which comes from the key: found, it was sent; not
//!   found, somebody has deleted the draft, and the user is told to look instead of the letter being sent again.
//! - An instance that dies between making a draft and recording it leaves a draft behind, which the repeated call finds by
//!   its `Message-ID`. Gmail's search may not know it yet; then there are two drafts, of which one is sent.

mod payload;
mod query;

use std::fmt::Write as _;

use anyturn_google::gmail::{Format, Gmail, Label};
use anyturn_google::{Error, Network};
use anyturn_state::Store;
use anyturn_tool_sdk::{Applied, Call, Failure, Once, Reply};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::letter::Letter;
use crate::mail::{Address, Mail, label};
use crate::mailbox::{Change, Changed, Hits, MOST_FOUND, Mailbox, Touched, Written, no_such, no_such_label};
use crate::search::Search;

/// Bytes of attachments that are handed on together.
const MOST_ATTACHED: u64 = 5 << 20;
/// From so many e-mails on, their subjects are not asked for when they are changed.
const MANY: usize = 100;

/// A user's Gmail, for one call of a tool.
#[derive(Debug)]
pub struct Google<'a, S, N> {
    /// The mailbox.
    pub gmail: Gmail<'a, N>,
    /// Where it is recorded what happens.
    pub store: &'a S,
    /// The user's scope in it.
    pub scope: String,
    /// The call.
    pub call: &'a Call<'a>,
}

/// A draft that is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    draft: String,
    thread: String,
}

impl<S: Store, N: Network> Google<'_, S, N> {
    /// What the call came to before, if it did.
    async fn before(&self) -> Result<Option<Reply>, Failure> {
        Ok(Once::of(self.call)?.outcome(self.store, &self.scope).await?)
    }

    /// Records a step of the call before it is made, unless the call's time is over; the record of the time before
    /// holds. Without a key there is nothing to record it under.
    async fn record<T: Serialize + DeserializeOwned>(
        &self,
        step: &str,
        value: T,
    ) -> Result<Applied<T>, Failure> {
        let key = self.call.idempotency_key.map(|key| format!("{key}:{step}"));
        let call = Call {
            idempotency_key: key.as_deref(),
            ..self.call.clone()
        };
        let once = Once::of(&call)?;
        Ok(once.commit(self.store, &self.scope, Vec::new(), value).await?)
    }

    /// Records what the call came to, which is so however late it is.
    async fn settle(&self, reply: Reply) -> Result<Reply, Failure> {
        let once = Once::new(self.call.idempotency_key, self.call.fingerprint)?;
        Ok(once.apply(self.store, &self.scope, Vec::new(), reply).await?)
    }

    fn failure(&self, error: Error) -> Failure {
        match error {
            Error::Reconnect => reconnect(),
            Error::OutOfTime => Failure::TooLate {
                not_after: self.call.not_after.unwrap_or_default(),
                now: self.call.now,
            },
            ref lacking if lacking.lacks_permission() => Failure::rejected(
                "The connected Google account does not allow this. Please connect it again and allow access to the mail.",
            ),
            // What a server that fails has done before nobody knows.
            Error::Api(ref refused) if refused.status >= 500 => Failure::Broken(error.to_string()),
            Error::Api(_) | Error::Busy { .. } => Failure::rejected(error.to_string()),
            Error::Unreachable { .. } | Error::Unknown { .. } | Error::Malformed { .. } => {
                Failure::Broken(error.to_string())
            }
        }
    }

    async fn labels(&self) -> Result<Vec<Label>, Failure> {
        self.gmail.labels().await.map_err(|error| self.failure(error))
    }

    /// The user's labels, if any of these ids is one.
    async fn names(&self, ids: impl IntoIterator<Item = &String>) -> Result<Vec<Label>, Failure> {
        if ids.into_iter().any(|id| !label::is_system(id)) {
            self.labels().await
        } else {
            Ok(Vec::new())
        }
    }

    /// The id of a label of the user's, if there is one of this name; and the names of all.
    async fn label_id(&self, name: &str) -> Result<(Option<String>, Vec<String>), Failure> {
        let mut own = self.labels().await?;
        own.retain(|label| !label::is_system(&label.id));
        let found = own.iter().find(|label| label.name.eq_ignore_ascii_case(name));
        let id = found.map(|label| label.id.clone());
        Ok((id, own.into_iter().map(|label| label.name).collect()))
    }

    /// The id of a label of the user's that there has to be.
    async fn known_label(&self, name: &str) -> Result<String, Failure> {
        match self.label_id(name).await? {
            (Some(id), _) => Ok(id),
            (None, known) => Err(no_such_label(name, &known)),
        }
    }

    /// What a change would come to: which e-mails there are, and which would be different afterwards.
    async fn foresee(&self, ids: &[String], change: &Change) -> Result<Changed, Failure> {
        let format = if ids.len() > MANY {
            Format::Minimal
        } else {
            Format::Metadata
        };
        let found = self
            .gmail
            .get(ids, format)
            .await
            .map_err(|error| self.failure(error))?;
        let mut changed = Changed::default();
        for (id, result) in ids.iter().zip(found) {
            match result {
                Ok(message) => {
                    let has = |label: &str| message.label_ids.iter().any(|id| id == label);
                    if !change.matters(has) {
                        changed.already.push(id.clone());
                        continue;
                    }
                    let was_in_inbox = has(label::INBOX);
                    let summary = payload::summary(&message, |_| None);
                    changed.changed.push(Touched {
                        id: id.clone(),
                        subject: summary.subject,
                        from: summary.from.short().to_owned(),
                        was_in_inbox,
                    });
                }
                Err(error) if error.is_not_found() => changed.missing.push(id.clone()),
                Err(Error::Reconnect) => return Err(self.failure(Error::Reconnect)),
                Err(error) => changed.failed.push((id.clone(), error.to_string())),
            }
        }
        Ok(changed)
    }

    /// Makes a change of these e-mails; made twice, it comes to the same.
    async fn make(&self, change: &Change, changed: &mut Changed) -> Result<(), Error> {
        let ids: Vec<String> = changed.changed.iter().map(|touched| touched.id.clone()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let results = match change {
            Change::Trash => self.gmail.trash(&ids).await?,
            Change::Untrash { .. } => self.gmail.untrash(&ids).await?,
            _ => {
                let (add, remove) = change.labels();
                return self.gmail.modify(&ids, &add, &remove).await;
            }
        };
        for (id, result) in ids.iter().zip(results) {
            let Err(error) = result else { continue };
            changed.changed.retain(|touched| touched.id != *id);
            if error.is_not_found() {
                changed.missing.push(id.clone());
            } else {
                changed.failed.push((id.clone(), error.to_string()));
            }
        }
        if *change == (Change::Untrash { inbox: true }) {
            let back: Vec<String> = changed.changed.iter().map(|touched| touched.id.clone()).collect();
            if !back.is_empty() {
                self.gmail.modify(&back, &[label::INBOX], &[]).await?;
            }
        }
        Ok(())
    }

    /// The id by which a letter is found again: the same for every try of one call. Of a call without a key there is
    /// one try only.
    fn message_id(&self, owner: &Address) -> String {
        let mut name = Sha256::new();
        match self.call.idempotency_key {
            Some(key) => name.update(key),
            None => name.update(self.call.now.to_be_bytes()),
        }
        name.update(self.call.fingerprint.to_be_bytes());
        let mut id = String::with_capacity(96);
        for byte in name.finalize().iter().take(16) {
            // Writing to a String cannot fail.
            let _ = write!(id, "{byte:02x}");
        }
        let domain = owner.email.rsplit('@').next().unwrap_or_default();
        format!("anyturn.{id}@{domain}")
    }

    /// The letter as a draft of Gmail's: the one that this call has kept before, or a new one.
    async fn keep(&self, letter: &Letter, message_id: &str, owner: &Address) -> Result<Kept, Failure> {
        let failure = |error| self.failure(error);
        // The intent comes first. Who finds it there is not the first, who may have left a draft behind.
        let is_first = matches!(self.record("intent", true).await?, Applied::Now(..));
        if !is_first {
            let found = self.gmail.drafts(&format!("rfc822msgid:{message_id}"), 1).await;
            if let Some(draft) = found.map_err(failure)?.items.into_iter().next() {
                return Ok(Kept {
                    draft: draft.id,
                    thread: draft.message.thread_id,
                });
            }
        }
        let mut contents = Vec::with_capacity(letter.attachments.len());
        let total: u64 = letter
            .attachments
            .iter()
            .map(|enclosure| enclosure.source.size)
            .sum();
        if total > MOST_ATTACHED {
            return Err(Failure::rejected(format!(
                "The attachments have {total} bytes; up to {MOST_ATTACHED} are handed on."
            )));
        }
        for enclosure in &letter.attachments {
            let source = &enclosure.source;
            let attachment = self.gmail.attachment(&source.mail, &source.reference).await;
            contents.push(attachment.map_err(failure)?);
        }
        let date = i64::try_from(self.call.now / 1000).unwrap_or_default();
        let message = letter.to_mime(owner, message_id, date, contents);
        let draft = self.gmail.create_draft(&message, letter.thread.as_deref()).await;
        let draft = draft.map_err(failure)?;
        Ok(Kept {
            draft: draft.id,
            thread: draft.message.thread_id,
        })
    }

    /// The letter in its conversation, if it was sent.
    async fn sent(&self, thread: &str, message_id: &str) -> Result<Option<Written>, Failure> {
        let messages = match self.gmail.thread(thread).await {
            Ok(messages) => messages,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(self.failure(error)),
        };
        let found = messages.into_iter().find(|message| {
            let is_it = |name| {
                let payload = message.payload.as_ref();
                payload
                    .and_then(|payload| payload.header(name))
                    .is_some_and(|id| id.contains(message_id))
            };
            // Where Gmail gives a message another id, it keeps the one that it had.
            message.label_ids.iter().any(|label| label == label::SENT)
                && (is_it("Message-ID") || is_it("X-Google-Original-Message-ID"))
        });
        Ok(found.map(|message| Written {
            id: message.id,
            thread: message.thread_id,
        }))
    }
}

impl<S: Store, N: Network> Mailbox for Google<'_, S, N> {
    async fn owner(&self) -> Result<Address, Failure> {
        let email = self.gmail.address().await.map_err(|error| self.failure(error))?;
        Ok(Address {
            name: String::new(),
            email,
        })
    }

    async fn search(&self, search: &Search, shown: usize) -> Result<Hits, Failure> {
        let failure = |error| self.failure(error);
        let (query, mut labels) = query::query(search);
        if let Some(name) = &search.label {
            labels.push(self.known_label(name).await?);
        }
        let found = self
            .gmail
            .search(&query, &labels, MOST_FOUND)
            .await
            .map_err(failure)?;
        let ids: Vec<String> = found.items.into_iter().map(|message| message.id).collect();
        let first: Vec<String> = ids.iter().take(shown).cloned().collect();
        let mut messages = Vec::with_capacity(first.len());
        if !first.is_empty() {
            for result in self.gmail.get(&first, Format::Metadata).await.map_err(failure)? {
                match result {
                    Ok(message) => messages.push(message),
                    // It went in the meantime.
                    Err(error) if error.is_not_found() => {}
                    Err(error) => return Err(failure(error)),
                }
            }
        }
        let names = self
            .names(messages.iter().flat_map(|message| &message.label_ids))
            .await?;
        Ok(Hits {
            ids,
            is_complete: found.is_complete,
            shown: messages
                .iter()
                .map(|message| payload::summary(message, |id| name_of(&names, id)))
                .collect(),
        })
    }

    async fn read(&self, id: &str) -> Result<Mail, Failure> {
        let found = self.gmail.get(&[id.to_owned()], Format::Full).await;
        let found = found.map_err(|error| self.failure(error))?.into_iter().next();
        match found {
            Some(Ok(message)) => {
                let names = self.names(&message.label_ids).await?;
                Ok(payload::mail(&message, |id| name_of(&names, id)))
            }
            // An id that is none at all is 400 at Gmail.
            Some(Err(Error::Api(error))) if matches!(error.status, 400 | 404) => Err(no_such(id)),
            Some(Err(error)) => Err(self.failure(error)),
            None => Err(no_such(id)),
        }
    }

    async fn change(
        &self,
        ids: &[String],
        change: &Change,
        reply: &dyn Fn(&Changed) -> Reply,
    ) -> Result<Reply, Failure> {
        if let Some(reply) = self.before().await? {
            return Ok(reply);
        }
        let mut change = change.clone();
        let mut new_label = None;
        match &mut change {
            Change::Unlabel(name) => *name = self.known_label(name).await?,
            // A label that does not exist yet is one that no e-mail has.
            Change::Label(name) => match self.label_id(name).await?.0 {
                Some(id) => *name = id,
                None => new_label = Some(name.clone()),
            },
            _ => {}
        }
        let foreseen = self.foresee(ids, &change).await?;
        if foreseen.changed.is_empty()
            && let Some((_, reason)) = foreseen.failed.first()
        {
            return Err(Failure::rejected(reason.clone()));
        }
        let mut changed = self.record("plan", foreseen).await?.outcome();
        if let Some(name) = new_label {
            let made = self.gmail.create_label(&name).await;
            change = Change::Label(made.map_err(|error| self.failure(error))?.id);
        }
        self.make(&change, &mut changed)
            .await
            .map_err(|error| self.failure(error))?;
        self.settle(reply(&changed)).await
    }

    async fn draft(&self, letter: &Letter, reply: &dyn Fn(&Written) -> Reply) -> Result<Reply, Failure> {
        if let Some(reply) = self.before().await? {
            return Ok(reply);
        }
        let owner = self.owner().await?;
        let message_id = self.message_id(&owner);
        let kept = self.keep(letter, &message_id, &owner).await?;
        self.settle(reply(&Written {
            id: kept.draft,
            thread: kept.thread,
        }))
        .await
    }

    async fn discard(&self, draft: &str, reply: &dyn Fn(bool) -> Reply) -> Result<Reply, Failure> {
        if let Some(reply) = self.before().await? {
            return Ok(reply);
        }
        self.record("plan", true).await?;
        let was_there = match self.gmail.delete_draft(draft).await {
            Ok(()) => true,
            Err(error) if error.is_not_found() => false,
            Err(error) => return Err(self.failure(error)),
        };
        self.settle(reply(was_there)).await
    }

    async fn send(&self, letter: &Letter, reply: &dyn Fn(&Written) -> Reply) -> Result<Reply, Failure> {
        if let Some(reply) = self.before().await? {
            return Ok(reply);
        }
        let owner = self.owner().await?;
        let message_id = self.message_id(&owner);
        let key = self.call.idempotency_key.map(|key| format!("{key}:draft"));
        let earlier = Once::new(key.as_deref(), self.call.fingerprint)?
            .outcome::<_, Kept>(self.store, &self.scope)
            .await?;
        let kept = match earlier {
            Some(kept) => kept,
            None => {
                let own = self.keep(letter, &message_id, &owner).await?;
                let kept = self.record("draft", own.clone()).await?.outcome();
                if kept.draft != own.draft {
                    // Another instance was faster; this draft is one too many. If it stays, it is a draft.
                    let _ = self.gmail.delete_draft(&own.draft).await;
                }
                kept
            }
        };
        let written = match self.gmail.send_draft(&kept.draft).await {
            Ok(message) => Written {
                id: message.id,
                thread: message.thread_id,
            },
            Err(error) if error.is_not_found() => match self.sent(&kept.thread, &message_id).await? {
                Some(written) => written,
                None => {
                    return Err(Failure::rejected(
                        "The draft of this email is gone and it is not among the sent emails: somebody has deleted it. \
                         It was not sent again.",
                    ));
                }
            },
            Err(error) => return Err(self.failure(error)),
        };
        self.settle(reply(&written)).await
    }
}

/// What is said to whoever has to connect the account again.
pub fn reconnect() -> Failure {
    Failure::rejected(
        "Google does not let anyturn into this account any more. Please connect the Google account again; nothing was \
         done.",
    )
}

fn name_of(labels: &[Label], id: &str) -> Option<String> {
    let found = labels.iter().find(|label| label.id == id)?;
    Some(found.name.clone())
}
