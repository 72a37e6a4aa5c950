//! What a mailbox can do, so that the tools need not know whose it is: [`demo`](crate::demo) or
//! [`google`](crate::google).
//!
//! What changes something happens once per idempotency key. The reply is made by the caller from what changed, and is
//! what a repeated call gets. It is made through a pointer, so that there is the code of a change once and not for
//! every tool.

use anyturn_tool_sdk::{Failure, Reply};
use serde::{Deserialize, Serialize};

use crate::letter::Letter;
use crate::mail::{Address, Mail, Summary, label};
use crate::search::Search;

/// Ids that a search finds.
pub const MOST_FOUND: usize = 500;
/// Ids that a change takes.
pub const MOST_CHANGED: usize = 1000;

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// All of it, the latest first; [`MOST_FOUND`] at most.
    pub ids: Vec<String>,
    /// Whether there is nothing more.
    pub is_complete: bool,
    /// The first ones.
    pub shown: Vec<Summary>,
}

/// A change of e-mails that can be made twice and undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Out of the inbox.
    Archive,
    /// Back into the inbox.
    Unarchive,
    /// Read.
    Read,
    /// Not read.
    Unread,
    /// Gets a label of the user's, by name.
    Label(String),
    /// Loses it.
    Unlabel(String),
    /// Into the trash, out of the inbox.
    Trash,
    /// Out of the trash, and into the inbox if so wanted.
    Untrash {
        /// Whether it is in the inbox then.
        inbox: bool,
    },
}

impl Change {
    /// The labels that it adds and those that it takes away.
    pub fn labels(&self) -> (Vec<&str>, Vec<&str>) {
        match self {
            Change::Archive => (vec![], vec![label::INBOX]),
            Change::Unarchive => (vec![label::INBOX], vec![]),
            Change::Read => (vec![], vec![label::UNREAD]),
            Change::Unread => (vec![label::UNREAD], vec![]),
            Change::Label(name) => (vec![name], vec![]),
            Change::Unlabel(name) => (vec![], vec![name]),
            Change::Trash => (vec![label::TRASH], vec![label::INBOX]),
            Change::Untrash { inbox: true } => (vec![label::INBOX], vec![label::TRASH]),
            Change::Untrash { inbox: false } => (vec![], vec![label::TRASH]),
        }
    }

    /// Whether it would change an e-mail with these labels. Where it is an e-mail's place that changes, what is in the
    /// trash cannot be archived, and what is not cannot be taken out of it.
    pub fn matters<'a>(&self, has: impl Fn(&str) -> bool + 'a) -> bool {
        match self {
            Change::Archive | Change::Unarchive if has(label::TRASH) => false,
            Change::Trash => !has(label::TRASH),
            Change::Untrash { .. } => has(label::TRASH),
            _ => {
                let (add, remove) = self.labels();
                add.into_iter().any(|label| !has(label)) || remove.into_iter().any(has)
            }
        }
    }
}

/// An e-mail that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// Its id.
    pub id: String,
    /// What about it is, if that is known.
    pub subject: String,
    /// Who wrote it, if that is known.
    pub from: String,
    /// Whether it was in the inbox before.
    pub was_in_inbox: bool,
}

/// What came of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// These were changed.
    pub changed: Vec<Touched>,
    /// These were so before.
    pub already: Vec<String>,
    /// There is nothing of these ids (any more).
    pub missing: Vec<String>,
    /// These could not be changed now, and why.
    pub failed: Vec<(String, String)>,
}

/// A draft, or an e-mail that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its id: the draft's, or the e-mail's.
    pub id: String,
    /// The conversation that it belongs to.
    pub thread: String,
}

/// A user's mailbox, for one call of a tool.
#[allow(async_fn_in_trait)]
pub trait Mailbox {
    /// Whose it is.
    async fn owner(&self) -> Result<Address, Failure>;

    /// Finds e-mails, and shows the first so many.
    async fn search(&self, search: &Search, shown: usize) -> Result<Hits, Failure>;

    /// Reads an e-mail; nothing changes.
    async fn read(&self, id: &str) -> Result<Mail, Failure>;

    /// Changes e-mails.
    async fn change(
        &self,
        ids: &[String],
        change: &Change,
        reply: &dyn Fn(&Changed) -> Reply,
    ) -> Result<Reply, Failure>;

    /// Keeps a letter as a draft.
    async fn draft(&self, letter: &Letter, reply: &dyn Fn(&Written) -> Reply) -> Result<Reply, Failure>;

    /// Deletes a draft for good; `true` if there was one.
    async fn discard(&self, draft: &str, reply: &dyn Fn(bool) -> Reply) -> Result<Reply, Failure>;

    /// Sends a letter.
    async fn send(&self, letter: &Letter, reply: &dyn Fn(&Written) -> Reply) -> Result<Reply, Failure>;
}

/// What is said of an e-mail that is not there.
pub fn no_such(id: &str) -> Failure {
    let id: String = id.chars().take(60).collect();
    Failure::rejected(format!(
        "There is no email with the id {id} (any more). Search for it again."
    ))
}

/// What is said of a label that is not there.
pub fn no_such_label(name: &str, known: &[String]) -> Failure {
    let name: String = name.chars().take(60).collect();
    let known = match known {
        [] => "There are no labels yet.".to_owned(),
        known => format!("There are: {}.", known.join(", ")),
    };
    Failure::rejected(format!("There is no label “{name}”. {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_matters_only_where_something_becomes_different() {
        let inbox = |name: &str| name == label::INBOX;
        let trash = |name: &str| name == label::TRASH;
        let none = |_: &str| false;
        for (change, in_inbox, in_trash, archived) in [
            (Change::Archive, true, false, false),
            (Change::Unarchive, false, false, true),
            (Change::Trash, true, false, true),
            (Change::Untrash { inbox: true }, false, true, false),
            (Change::Untrash { inbox: false }, false, true, false),
            (Change::Read, false, false, false),
            (Change::Unread, true, true, true),
            (Change::Label("x".into()), true, true, true),
            (Change::Unlabel("x".into()), false, false, false),
        ] {
            let matters = (change.matters(inbox), change.matters(trash), change.matters(none));
            assert_eq!(matters, (in_inbox, in_trash, archived), "{change:?}");
        }
    }
}
