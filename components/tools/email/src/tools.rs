//! The tools. E-mails are named by the ids that a search finds; nothing is found by guessing. Results are written for
//! people, and for models that quote them; what others wrote in an e-mail is marked as theirs.

mod change;
mod read;
mod search;
mod trash;
mod write;

pub use change::{
    ArchiveEmails, LabelEmails, MarkEmailsRead, MarkEmailsUnread, UnarchiveEmails, UnlabelEmails,
};
pub use read::ReadEmail;
pub use search::SearchEmails;
pub use trash::{TrashEmails, UntrashEmails};
pub use write::{DiscardDraft, DraftEmail, ForwardEmail, ReplyToEmail, SendEmail};

use anyturn_tool_sdk::{Call, Failure, Reply};
use serde_json::json;

use crate::mailbox::{Changed, MOST_CHANGED, Touched};
use crate::tell::{self, Eyes};
use crate::{timestamp, zone};

/// More than this many things in one call are asked about: one can be put right by the next word.
const CONFIRM_ABOVE: Option<u32> = Some(1);

fn eyes(call: &Call<'_>) -> Eyes {
    Eyes::new(timestamp(call.now), zone(call))
}

/// The ids of a call, each once.
fn checked(ids: &[String]) -> Result<Vec<String>, Failure> {
    let mut all: Vec<String> = Vec::with_capacity(ids.len());
    for id in ids {
        let id = id.trim();
        if id.is_empty() || id.len() > 100 || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::rejected(
                "ids: an id is what a search shows as one; search for the emails first.",
            ));
        }
        if !all.iter().any(|known| known == id) {
            all.push(id.to_owned());
        }
    }
    if all.is_empty() || all.len() > MOST_CHANGED {
        return Err(Failure::rejected(format!(
            "ids: name 1 to {MOST_CHANGED} emails by their ids."
        )));
    }
    Ok(all)
}

/// What came of a change: "Archived 23 emails.", what was so before, what was not there, what could not be changed.
fn told(changed: &Changed, done: &str, was_so: &str) -> Reply {
    let Changed {
        changed: touched,
        already,
        missing,
        failed,
    } = changed;
    let mut text = String::new();
    if touched.is_empty() && failed.is_empty() && missing.is_empty() {
        let these = if already.len() == 1 {
            "That email was"
        } else {
            "Those emails were"
        };
        text = format!("{these} {was_so} already. Nothing changed.");
    } else {
        if touched.is_empty() {
            text.push_str("Nothing changed.");
        } else {
            text.push_str(&format!("{done} {}.", tell::touched(touched)));
        }
        if !already.is_empty() {
            text.push_str(&format!(" {} {was_so} already.", count_of(already.len())));
        }
        if !missing.is_empty() {
            text.push_str(&format!(" {} not there any more.", count_of(missing.len())));
        }
        if let Some((_, reason)) = failed.first() {
            let those = tell::emails(failed.len());
            text.push_str(&format!(" {those} could not be changed: {reason}"));
        }
        text.push_str(&tell::some(touched));
    }
    Reply::new(text).with_structured(&json!({
        "count": touched.len(),
        "ids": ids_of(touched, |_| true),
        "already": already,
        "missing": missing,
        "failed": failed.iter().map(|(id, _)| id).collect::<Vec<_>>(),
    }))
}

fn count_of(count: usize) -> String {
    match count {
        1 => "1 was".to_owned(),
        count => format!("{count} were"),
    }
}

/// The ids of those that are wanted.
fn ids_of(touched: &[Touched], is_wanted: impl Fn(&Touched) -> bool) -> Vec<&str> {
    let wanted = touched.iter().filter(|touched| is_wanted(touched));
    wanted.map(|touched| touched.id.as_str()).collect()
}
