//! Searches as people type them into Gmail (support.google.com/mail/answer/7190): words and operators that all have to
//! fit, `-` for those that must not, `{…}` for those of which one has to fit, `(…)` for those that belong together.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

use super::{Mailbox, Message, mime};
use crate::Request;

#[derive(Debug)]
enum Term {
    All(Vec<Term>),
    Any(Vec<Term>),
    Not(Box<Term>),
    /// An operator, or none for words anywhere, and what it is given.
    Word(String, String),
}

/// The ids of what fits a request's `q`, `labelIds` and `includeSpamTrash`, the latest first.
pub(super) fn find(mailbox: &Mailbox, request: &Request) -> Vec<String> {
    let query = request.parameter("q").unwrap_or_default();
    let term = all(&mut query.chars().peekable(), "", None);
    let labels: Vec<&str> = request.parameters("labelIds").collect();
    let everywhere = request.parameter("includeSpamTrash") == Some("true")
        || ["in:trash", "in:spam", "in:anywhere", "label:trash"]
            .iter()
            .any(|place| query.contains(place));
    let mut found: Vec<&Message> = mailbox
        .messages
        .values()
        .filter(|message| labels.iter().all(|label| message.labels.contains(*label)))
        .filter(|message| everywhere || !(has(message, "TRASH") || has(message, "SPAM")))
        .filter(|message| fits(mailbox, message, &term))
        .collect();
    found.sort_by_key(|message| (std::cmp::Reverse(message.date), message.id.clone()));
    found.into_iter().map(|message| message.id.clone()).collect()
}

fn has(message: &Message, label: &str) -> bool {
    message.labels.contains(label)
}

/// Terms up to a closing bracket; words within `from:(…)` belong to its operator.
fn all(rest: &mut Peekable<Chars<'_>>, operator: &str, end: Option<char>) -> Term {
    let mut terms = Vec::new();
    while let Some(&next) = rest.peek() {
        if Some(next) == end {
            rest.next();
            break;
        }
        if next.is_whitespace() {
            rest.next();
            continue;
        }
        terms.push(one(rest, operator));
    }
    if end == Some('}') {
        Term::Any(terms)
    } else {
        Term::All(terms)
    }
}

fn one(rest: &mut Peekable<Chars<'_>>, operator: &str) -> Term {
    match rest.peek() {
        Some('-') => {
            rest.next();
            Term::Not(Box::new(one(rest, operator)))
        }
        Some('(') => {
            rest.next();
            all(rest, operator, Some(')'))
        }
        Some('{') => {
            rest.next();
            all(rest, operator, Some('}'))
        }
        Some('"') => {
            rest.next();
            let mut phrase = String::new();
            for letter in rest.by_ref().take_while(|letter| *letter != '"') {
                phrase.push(letter);
            }
            Term::Word(operator.to_owned(), phrase)
        }
        _ => {
            let mut word = String::new();
            while let Some(&letter) = rest.peek() {
                if letter.is_whitespace() || matches!(letter, ')' | '}' | '(' | '"') {
                    break;
                }
                rest.next();
                if letter == ':' && operator.is_empty() {
                    return one(rest, &word.to_lowercase());
                }
                word.push(letter);
            }
            if word.is_empty() {
                // A bracket that closes nothing.
                rest.next();
            }
            Term::Word(operator.to_owned(), word)
        }
    }
}

fn fits(mailbox: &Mailbox, message: &Message, term: &Term) -> bool {
    match term {
        Term::All(terms) => terms.iter().all(|term| fits(mailbox, message, term)),
        Term::Any(terms) => terms.iter().any(|term| fits(mailbox, message, term)),
        Term::Not(term) => !fits(mailbox, message, term),
        Term::Word(operator, value) => word(mailbox, message, operator, value),
    }
}

fn word(mailbox: &Mailbox, message: &Message, operator: &str, value: &str) -> bool {
    let header = |name: &str| mime::header(&message.raw, name).unwrap_or_default();
    let raw = &message.raw;
    match (operator, value) {
        ("", value) => {
            let everything = ["Subject", "From", "To", "Cc"].map(header).join("\n") + "\n" + &mime::text(raw);
            holds(&everything, value)
        }
        ("from", value) => holds(&header("From"), value),
        ("to", value) => holds(&["To", "Cc", "Bcc"].map(header).join("\n"), value),
        ("subject", value) => holds(&header("Subject"), value),
        ("after", value) => seconds(value).is_some_and(|start| message.date / 1000 > start),
        ("before", value) => seconds(value).is_some_and(|end| message.date / 1000 < end),
        ("is", "unread") => has(message, "UNREAD"),
        ("is", "read") => !has(message, "UNREAD"),
        ("is", "starred") => has(message, "STARRED"),
        ("has", "attachment") => mime::has_attachment(raw),
        ("category", "primary") => !message
            .labels
            .iter()
            .any(|label| label.starts_with("CATEGORY_") && label != "CATEGORY_PERSONAL"),
        ("category", value) => has(message, &format!("CATEGORY_{}", value.to_uppercase())),
        ("in", "anywhere") => true,
        ("in", "draft" | "drafts") => has(message, "DRAFT"),
        ("in" | "label", value) => mailbox.label_names().any(|(id, name)| {
            let name = name.to_lowercase().replace([' ', '/'], "-");
            has(message, id) && name == value.to_lowercase()
        }),
        ("rfc822msgid", value) => {
            let wanted = value.trim_matches(['<', '>']);
            mime::message_id(raw).as_deref() == Some(wanted)
        }
        // Gmail finds nothing for an operator that it does not know.
        _ => false,
    }
}

/// A day or a number of seconds since the Unix epoch; days are not used by anyturn.
fn seconds(value: &str) -> Option<i64> {
    value.parse().ok()
}

/// Whether all words of the value stand in the text, as whole words.
fn holds(text: &str, value: &str) -> bool {
    let words = |text: &str| -> BTreeSet<String> {
        text.split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    words(value).is_subset(&words(text))
}
