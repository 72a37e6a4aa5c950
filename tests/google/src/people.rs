//! Google's contacts (`people/v1`, described at developers.google.com/people): the address books of accounts, and others
//! to whom they have written.
//!
//! As at Google, a search sees the contacts as they were when an empty search last brought its copy up to date, matches
//! the beginnings of words as they are written, accents included, and returns 30 results at most.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Answer, FakeGoogle, Request};

/// The most that a search returns.
const MOST_FOUND: usize = 30;
/// The largest page of a list.
const LARGEST_PAGE: usize = 1000;
/// The most contacts of one `batchGet`.
const MOST_GOT: usize = 200;

/// All address books.
#[derive(Debug, Default)]
pub struct People {
    books: BTreeMap<String, Book>,
    largest_page: Option<usize>,
}

/// One account's contacts.
#[derive(Debug, Default)]
struct Book {
    contacts: Shelf,
    others: Shelf,
}

/// Contacts, and the copy that searches run over.
#[derive(Debug, Default)]
struct Shelf {
    people: Vec<Value>,
    searched: Vec<Value>,
}

impl FakeGoogle {
    /// Puts somebody into an account's address book, as the API would show them without `resourceName`. Returns the
    /// resource name.
    pub fn add_contact(&self, email: &str, person: Value) -> String {
        let mut state = self.lock();
        let book = state.people.books.entry(email.to_owned()).or_default();
        put(&mut book.contacts, "people", person)
    }

    /// Lets an account have written to somebody who is not in its address book. Returns the resource name.
    pub fn add_other_contact(&self, email: &str, person: Value) -> String {
        let mut state = self.lock();
        let book = state.people.books.entry(email.to_owned()).or_default();
        put(&mut book.others, "otherContacts", person)
    }

    /// Makes pages of contacts smaller than clients ask for, as Google may.
    pub fn limit_contact_pages(&self, contacts: usize) {
        self.lock().people.largest_page = Some(contacts);
    }
}

fn put(shelf: &mut Shelf, kind: &str, mut person: Value) -> String {
    let name = format!("{kind}/c{}", 1_000_000_000 + shelf.people.len());
    person["resourceName"] = json!(name);
    person["etag"] = json!("%EgUBAgMuNxoEAQIFBw==");
    shelf.people.push(person);
    name
}

impl People {
    /// Answers a request, if it is for this API.
    pub(crate) fn answer(&mut self, request: &Request) -> Option<Answer> {
        let path = request.path.strip_prefix("/v1/")?;
        let is_known = path.starts_with("people") || path.starts_with("otherContacts");
        if request.method != http::Method::GET || !is_known {
            return None;
        }
        let account = request.account.clone()?;
        let page = self.largest_page;
        let book = self.books.entry(account).or_default();
        let mask = match path {
            "people/me/connections" | "people:batchGet" => "personFields",
            _ => "readMask",
        };
        let Some(mask) = request.parameter(mask) else {
            return Some(Answer::invalid(&format!(
                "{mask} mask is required. Please specify one or more valid paths."
            )));
        };
        let fields: Vec<&str> = mask.split(',').collect();
        Some(match path {
            "people:searchContacts" => book.contacts.search(request, &fields),
            "otherContacts:search" => book.others.search(request, &fields),
            "people/me/connections" => book.contacts.list(request, &fields, page, "connections"),
            "otherContacts" => book.others.list(request, &fields, page, "otherContacts"),
            "people:batchGet" => book.contacts.get(request, &fields),
            _ => Answer::not_found(),
        })
    }
}

impl Shelf {
    fn search(&mut self, request: &Request, fields: &[&str]) -> Answer {
        let Some(query) = request.parameter("query") else {
            return Answer::invalid("query is required.");
        };
        let size = request.parameter("pageSize").and_then(|size| size.parse().ok());
        let size: usize = size.filter(|size| *size > 0).unwrap_or(10).min(MOST_FOUND);
        if query.is_empty() {
            self.searched.clone_from(&self.people);
            return Answer::json(&json!({}));
        }
        let found = self.searched.iter().filter(|person| matches(person, query));
        let results: Vec<Value> = found
            .take(size)
            .map(|person| json!({ "person": masked(person, fields) }))
            .collect();
        Answer::json(&if results.is_empty() {
            json!({})
        } else {
            json!({ "results": results })
        })
    }

    fn list(&self, request: &Request, fields: &[&str], page: Option<usize>, key: &str) -> Answer {
        let asked = request
            .parameter("pageSize")
            .and_then(|size| size.parse().ok())
            .unwrap_or(100);
        if asked > LARGEST_PAGE {
            return Answer::invalid("pageSize must be at most 1000.");
        }
        let size = page.unwrap_or(LARGEST_PAGE).min(asked).max(1);
        let first: usize = match request.parameter("pageToken") {
            None => 0,
            Some(token) => match token.parse() {
                Ok(first) => first,
                Err(_) => return Answer::invalid("Invalid page token."),
            },
        };
        let people: Vec<Value> = self
            .people
            .iter()
            .skip(first)
            .take(size)
            .map(|person| masked(person, fields))
            .collect();
        let mut body = json!({ key: people, "totalItems": self.people.len() });
        if first + size < self.people.len() {
            body["nextPageToken"] = json!((first + size).to_string());
        }
        Answer::json(&body)
    }

    fn get(&self, request: &Request, fields: &[&str]) -> Answer {
        let names: Vec<&str> = request.parameters("resourceNames").collect();
        if names.is_empty() || names.len() > MOST_GOT {
            return Answer::invalid("resourceNames: 1 to 200 are required.");
        }
        let responses = names.iter().map(|name| {
            match self.people.iter().find(|person| person["resourceName"] == *name) {
                Some(person) => json!({
                    "httpStatusCode": 200, "requestedResourceName": name, "person": masked(person, fields),
                }),
                None => json!({
                    "httpStatusCode": 404, "requestedResourceName": name,
                    "status": {"code": 5, "message": "Requested entity was not found."},
                }),
            }
        });
        Answer::json(&json!({ "responses": responses.collect::<Vec<_>>() }))
    }
}

/// Whether the query is the beginning of a word of a field, and goes on as the field does.
fn matches(person: &Value, query: &str) -> bool {
    let query = query.to_lowercase();
    let mut texts = Vec::new();
    for (list, keys) in [
        ("names", &["displayName"][..]),
        ("emailAddresses", &["value"]),
        ("phoneNumbers", &["value"]),
        ("organizations", &["name", "title"]),
    ] {
        for entry in person[list].as_array().into_iter().flatten() {
            texts.extend(
                keys.iter()
                    .filter_map(|key| entry[*key].as_str())
                    .map(str::to_lowercase),
            );
        }
    }
    texts.iter().any(|text| {
        let mut beginnings = text
            .char_indices()
            .filter(|(at, _)| *at == 0 || !text[..*at].ends_with(char::is_alphanumeric));
        beginnings.any(|(at, _)| text[at..].starts_with(&query))
    })
}

/// What the mask lets through.
fn masked(person: &Value, fields: &[&str]) -> Value {
    let mut shown = json!({});
    for (key, value) in person.as_object().into_iter().flatten() {
        if ["resourceName", "etag"].contains(&key.as_str()) || fields.contains(&key.as_str()) {
            shown[key] = value.clone();
        }
    }
    shown
}
