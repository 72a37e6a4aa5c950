//! Searches the demo mailbox as Gmail would search it: whole words, wherever they stand in a field.

use std::collections::BTreeSet;

use crate::mail::{Address, Mail, label};
use crate::search::{Category, Place, Search, words};

/// Whether an e-mail fits a search in every respect.
pub fn fits(mail: &Mail, search: &Search) -> bool {
    let Search {
        from,
        to,
        subject,
        text,
        start,
        end,
        unread,
        attachment,
        category,
        label: own,
        place,
    } = search;
    let summary = &mail.summary;
    let has = |label: &str| summary.has(label);
    let date = summary.date;
    // Gmail counts in seconds.
    start.is_none_or(|start| date.as_second() >= start.as_second())
        && end.is_none_or(|end| date.as_second() < end.as_second())
        && unread.is_none_or(|unread| unread == has(label::UNREAD))
        && attachment.is_none_or(|attached| attached != mail.attachments.is_empty())
        && is_in(*place, has)
        && own.as_ref().is_none_or(|name| {
            let is_it = |label: &String| label.eq_ignore_ascii_case(name);
            summary.labels.iter().any(is_it)
        })
        && category.is_none_or(|category| is_of(mail, category))
        && holds(&[summary.from.to_string()], from)
        && holds(&in_words(summary.to.iter().chain(&mail.cc)), to)
        && holds(&[&summary.subject], subject)
        && (text.is_empty() || holds(&everything(mail), text))
}

fn is_in(place: Place, has: impl Fn(&str) -> bool) -> bool {
    let thrown_away = has(label::TRASH) || has(label::SPAM);
    match place {
        Place::Received => !thrown_away && !has(label::SENT) && !has(label::DRAFT),
        Place::Inbox => !thrown_away && has(label::INBOX),
        Place::Sent => !thrown_away && has(label::SENT),
        Place::Drafts => !thrown_away && has(label::DRAFT),
        Place::Trash => has(label::TRASH),
        Place::Spam => has(label::SPAM),
        Place::Anywhere => !thrown_away,
    }
}

fn is_of(mail: &Mail, category: Category) -> bool {
    let has = |label: &str| mail.summary.has(label);
    match category {
        Category::Promotions => has(label::PROMOTIONS),
        Category::Social => has(label::SOCIAL),
        Category::Updates => has(label::UPDATES),
        Category::Forums => has(label::FORUMS),
        Category::Newsletters => {
            (has(label::PROMOTIONS) || has(label::UPDATES) || has(label::FORUMS))
                && holds(&everything(mail), &["unsubscribe".to_owned()])
        }
        Category::Primary => ![label::PROMOTIONS, label::SOCIAL, label::UPDATES, label::FORUMS]
            .into_iter()
            .any(has),
    }
}

fn everything(mail: &Mail) -> Vec<String> {
    let summary = &mail.summary;
    let mut all = in_words(std::iter::once(&summary.from).chain(&summary.to).chain(&mail.cc));
    all.push(summary.subject.clone());
    all.push(mail.body.clone());
    all
}

fn in_words<'a>(addresses: impl Iterator<Item = &'a Address>) -> Vec<String> {
    addresses.map(ToString::to_string).collect()
}

/// Whether the texts hold all these words.
fn holds(texts: &[impl AsRef<str>], wanted: &[String]) -> bool {
    if wanted.is_empty() {
        return true;
    }
    let there: BTreeSet<String> = texts.iter().flat_map(|text| all_words(text.as_ref())).collect();
    wanted.iter().all(|word| there.contains(word))
}

/// All words of a text, cut as [`words`] cuts what is searched for.
fn all_words(text: &str) -> impl Iterator<Item = String> {
    text.split(char::is_whitespace).flat_map(words)
}

/// The user's labels.
pub fn own_labels(mails: &[Mail]) -> Vec<String> {
    let all: BTreeSet<&String> = mails.iter().flat_map(|mail| &mail.summary.labels).collect();
    let own = all.into_iter().filter(|name| !label::is_system(name));
    own.cloned().collect()
}
