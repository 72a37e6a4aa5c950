//! What the People API's JSON says, as far as it is of use.

use serde::Deserialize;

use crate::Page;

/// A contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Person {
    /// `people/c…`, or `otherContacts/c…` of somebody who is not in the address book.
    pub resource_name: String,
    /// The primary one first.
    pub names: Vec<Name>,
    /// The primary one first.
    pub email_addresses: Vec<Email>,
    /// The primary one first.
    pub phone_numbers: Vec<Phone>,
    /// The primary one first.
    pub organizations: Vec<Organization>,
    /// What the user has noted.
    pub biographies: Vec<Note>,
}

/// A name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Name {
    /// All of it.
    pub display_name: String,
}

/// An address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Email {
    /// The address.
    pub value: String,
}

/// A number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Phone {
    /// As the user wrote it.
    pub value: String,
}

/// Where somebody works.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Organization {
    /// Its name.
    pub name: String,
    /// What they do there.
    pub title: String,
}

/// A note.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Note {
    /// The text.
    pub value: String,
}

#[derive(Deserialize)]
struct Found {
    person: Option<Person>,
}

#[derive(Deserialize)]
pub(super) struct SearchAnswer {
    #[serde(default)]
    results: Vec<Found>,
}

impl SearchAnswer {
    pub fn people(self) -> Vec<Person> {
        self.results
            .into_iter()
            .filter_map(|found| found.person)
            .collect()
    }
}

#[derive(Deserialize)]
pub(super) struct BatchAnswer {
    #[serde(default)]
    responses: Vec<Found>,
}

impl BatchAnswer {
    pub fn people(self) -> Vec<Person> {
        self.responses
            .into_iter()
            .filter_map(|found| found.person)
            .collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connections {
    #[serde(default)]
    connections: Vec<Person>,
    next_page_token: Option<String>,
}

impl Page for Connections {
    type Item = Person;

    fn split(self) -> (Vec<Person>, Option<String>) {
        (self.connections, self.next_page_token)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OtherContacts {
    #[serde(default)]
    other_contacts: Vec<Person>,
    next_page_token: Option<String>,
}

impl Page for OtherContacts {
    type Item = Person;

    fn split(self) -> (Vec<Person>, Option<String>) {
        (self.other_contacts, self.next_page_token)
    }
}
