//! The tools. Both only read.

use std::fmt::Write as _;

use anyturn_days as days;
use anyturn_google::Network;
use anyturn_state::Store;
use anyturn_tool_sdk::{Call, Effect, Example, Failure, Reply, Tool};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Contacts;
use crate::book::{Book as _, Trouble};
use crate::contact::{Contact, ranked};

/// How many contacts are shown unless the call says otherwise.
const SHOWN: u32 = 10;
/// How many contacts one call may show.
const MAX_SHOWN: u32 = 50;
/// The longest search, in characters.
const MAX_QUERY: usize = 100;

/// Finds people in the user's contacts by name, address or company; the beginnings of words are enough. Where several
/// fit, who is most likely meant comes first: say who it is, or ask.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchContacts {
    /// Name, address or company, or the beginnings of their words.
    query: String,
    /// How many to show; 10 unless the user says otherwise.
    #[schemars(range(min = 1, max = 50))]
    limit: Option<u32>,
}

/// Reads everything that the user's contacts have about one person.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadContact {
    /// Who: the id of a contact, an address, or a name that only one person has.
    contact: String,
}

#[derive(Serialize)]
struct Listed<'a> {
    contacts: &'a [Contact],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
}

#[derive(Serialize)]
struct One<'a> {
    contact: &'a Contact,
}

impl<S: Store, N: Network> Tool<Contacts<S, N>> for SearchContacts {
    const NAME: &'static str = "search_contacts";
    const TITLE: &'static str = "Search contacts";
    const EFFECT: Effect = Effect::READ;
    const EXAMPLES: &'static [Example] = &[
        Example("find Sarah in my contacts", r#"{"query":"Sarah"}"#),
        Example("what is the email address of Marcus?", r#"{"query":"Marcus"}"#),
        Example("what is Marcus's email address?", r#"{"query":"Marcus's"}"#),
        Example("who works at Lumen?", r#"{"query":"Lumen"}"#),
        Example("look up Priya Nair", r#"{"query":"Priya Nair"}"#),
        Example("search my contacts for García", r#"{"query":"García"}"#),
        Example("who is Tom Okafor?", r#"{"query":"Tom Okafor"}"#),
        Example("do I have a contact called Elena?", r#"{"query":"Elena"}"#),
    ];

    async fn call(self, contacts: &Contacts<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let typed = typed("query", &self.query)?;
        let limit = self.limit.unwrap_or(SHOWN);
        if !(1..=MAX_SHOWN).contains(&limit) {
            return Err(Failure::rejected(format!(
                "limit: must be from 1 to {MAX_SHOWN}."
            )));
        }
        let today = contacts.today(call);
        let mut found = contacts.find(call, typed).await?;
        let more = found.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let mut text = match (found.len(), more) {
            (0, _) => format!("No contact fits “{}”.", quoted(typed)),
            (count, true) => format!("The first {count} contacts that fit “{}”:", quoted(typed)),
            (1, false) => format!("1 contact fits “{}”:", quoted(typed)),
            (count, false) => format!("{count} contacts fit “{}”, the most likely first:", quoted(typed)),
        };
        for contact in &found {
            let _ = write!(text, "\n- {}", brief(contact, today));
        }
        Ok(Reply::new(text).with_structured(&Listed {
            contacts: &found,
            more,
        }))
    }
}

impl<S: Store, N: Network> Tool<Contacts<S, N>> for ReadContact {
    const NAME: &'static str = "read_contact";
    const TITLE: &'static str = "Read a contact";
    const EFFECT: Effect = Effect::READ;
    const EXAMPLES: &'static [Example] = &[
        Example("show the contact of Marcus", r#"{"contact":"Marcus"}"#),
        Example(
            "what is the phone number of Dr. Ahmed?",
            r#"{"contact":"Dr. Ahmed"}"#,
        ),
        Example(
            "tell me everything about Priya Nair",
            r#"{"contact":"Priya Nair"}"#,
        ),
        Example("open the contact Tom Okafor", r#"{"contact":"Tom Okafor"}"#),
    ];

    async fn call(self, contacts: &Contacts<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let typed = typed("contact", &self.contact)?;
        let today = contacts.today(call);
        let contact = match contacts.book(call).await?.contact(typed).await {
            Ok(contact) => contact.bounded(),
            // It may be a name.
            Err(Trouble::NoSuchContact(_)) => one(typed, contacts.find(call, typed).await?, today)?,
            Err(other) => return Err(other.into()),
        };
        Ok(Reply::new(whole(&contact, today)).with_structured(&One { contact: &contact }))
    }
}

impl<S: Store, N: Network> Contacts<S, N> {
    /// The contacts that what was typed fits, the most likely first.
    async fn find(&self, call: &Call<'_>, typed: &str) -> Result<Vec<Contact>, Failure> {
        let found = self.book(call).await?.search(typed).await?;
        Ok(ranked(typed, found.into_iter().map(Contact::bounded)))
    }
}

/// What was typed, without what people put around a name.
fn typed<'a>(field: &str, text: &'a str) -> Result<&'a str, Failure> {
    let text = text.trim().trim_matches(['"', '“', '”', '?', '.', '!']).trim();
    let text = text
        .strip_suffix("'s")
        .or_else(|| text.strip_suffix("’s"))
        .unwrap_or(text);
    let text = ["the ", "my ", "a "]
        .iter()
        .find_map(|article| text.strip_prefix(article))
        .unwrap_or(text);
    if !text.chars().any(char::is_alphanumeric) {
        return Err(Failure::rejected(format!(
            "{field}: name somebody, by name, address or company."
        )));
    }
    if text.chars().count() > MAX_QUERY {
        return Err(Failure::rejected(format!(
            "{field}: must have at most {MAX_QUERY} characters."
        )));
    }
    Ok(text)
}

/// The one whose name was typed.
fn one(typed: &str, found: Vec<Contact>, today: Date) -> Result<Contact, Failure> {
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Failure::rejected(format!("No contact fits “{}”.", quoted(typed)))),
        several => {
            let listed: Vec<String> = several
                .iter()
                .take(8)
                .map(|contact| format!("- {} ({})", brief(contact, today), contact.id))
                .collect();
            Err(Failure::rejected(format!(
                "Several contacts fit “{}”, the most likely first; say which one, by its id:\n{}",
                quoted(typed),
                listed.join("\n")
            )))
        }
    }
}

/// A text within quotation marks does not end them.
fn quoted(text: &str) -> String {
    text.replace(['“', '”'], "\"")
}

/// "Sarah Chen, Product lead at Northwind, sarah.chen@northwind.example".
fn brief(contact: &Contact, today: Date) -> String {
    let mut parts = vec![contact.called().to_owned()];
    parts.extend(role(contact));
    parts.extend(
        contact
            .addresses
            .first()
            .filter(|address| contact.called() != *address)
            .cloned(),
    );
    if let Some(last) = contact.last_contact {
        parts.push(format!("last contact {}", days::describe(last, today)));
    }
    parts.join(", ")
}

/// "Product lead at Northwind".
fn role(contact: &Contact) -> Option<String> {
    match (contact.title.as_str(), contact.company.as_str()) {
        ("", "") => None,
        (title, "") => Some(title.to_owned()),
        ("", company) => Some(company.to_owned()),
        (title, company) => Some(format!("{title} at {company}")),
    }
}

fn whole(contact: &Contact, today: Date) -> String {
    let mut text = contact.called().to_owned();
    if let Some(role) = role(contact) {
        text.extend([", ", &role]);
    }
    for (what, values) in [("E-mail", &contact.addresses), ("Phone", &contact.phones)] {
        if !values.is_empty() {
            let _ = write!(text, "\n{what}: {}", values.join(", "));
        }
    }
    if let Some(last) = contact.last_contact {
        let _ = write!(text, "\nLast contact: {}", days::describe(last, today));
    }
    if !contact.notes.is_empty() {
        let _ = write!(text, "\nNotes: {}", contact.notes);
    }
    if !contact.saved {
        text.push_str("\nNot in the address book: the user has only been in contact with them.");
    }
    text
}
