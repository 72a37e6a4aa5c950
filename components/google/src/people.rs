//! Google's contacts (`people/v1`): the address book, and others to whom the user has written.
//!
//! Searches run over a copy of the contacts at Google that an empty search brings up to date; Google asks for one some
//! seconds before ([`People::warm_up`]). They match the beginnings of words, and return at most 30.

mod types;

use crate::{Client, Error, Listed, Network, Request};
use types::{BatchAnswer, Connections, OtherContacts, SearchAnswer};
pub use types::{Email, Name, Note, Organization, Person, Phone};

/// What is read of a contact.
const FIELDS: &str = "names,emailAddresses,phoneNumbers,organizations,biographies";
/// What is read of somebody who is not in the address book: Google has no more.
const OTHER_FIELDS: &str = "names,emailAddresses,phoneNumbers";
/// The most that a search returns.
const MOST_FOUND: &str = "30";
/// The largest page of a list.
const LARGEST_PAGE: &str = "1000";

/// A user's contacts.
#[derive(Debug)]
pub struct People<'a, N> {
    client: Client<'a, N>,
    /// Without a slash at its end.
    url: String,
}

impl<N> People<'_, N> {
    /// Google's address of it.
    pub const URL: &'static str = "https://people.googleapis.com";
}

impl<'a, N: Network> People<'a, N> {
    /// The contacts behind a client, at this address without a slash at its end.
    pub fn new(client: Client<'a, N>, url: impl Into<String>) -> People<'a, N> {
        People {
            client,
            url: url.into(),
        }
    }

    fn path(&self, rest: &str) -> String {
        format!("{}/v1/{rest}", self.url)
    }

    /// Has Google bring up to date what is searched.
    pub async fn warm_up(&self) -> Result<(), Error> {
        self.search("").await?;
        self.search_others("").await.map(drop)
    }

    /// Contacts that a search finds by name, address, number or organization.
    pub async fn search(&self, query: &str) -> Result<Vec<Person>, Error> {
        let request = Request::get(self.path("people:searchContacts"))
            .query("query", query)
            .query("readMask", FIELDS)
            .query("pageSize", MOST_FOUND);
        let answer: SearchAnswer = self.client.json(&request).await?;
        Ok(answer.people())
    }

    /// People to whom the user has written, and who are not in the address book.
    pub async fn search_others(&self, query: &str) -> Result<Vec<Person>, Error> {
        let request = Request::get(self.path("otherContacts:search"))
            .query("query", query)
            .query("readMask", OTHER_FIELDS)
            .query("pageSize", MOST_FOUND);
        let answer: SearchAnswer = self.client.json(&request).await?;
        Ok(answer.people())
    }

    /// The address book, at most so many contacts of it, those that were changed last first.
    pub async fn connections(&self, most: usize) -> Result<Listed<Person>, Error> {
        let request = Request::get(self.path("people/me/connections"))
            .query("personFields", FIELDS)
            .query("sortOrder", "LAST_MODIFIED_DESCENDING")
            .query("pageSize", LARGEST_PAGE);
        self.client.pages::<Connections>(&request, most).await
    }

    /// People to whom the user has written, at most so many.
    pub async fn others(&self, most: usize) -> Result<Listed<Person>, Error> {
        let request = Request::get(self.path("otherContacts"))
            .query("readMask", OTHER_FIELDS)
            .query("pageSize", LARGEST_PAGE);
        self.client.pages::<OtherContacts>(&request, most).await
    }

    /// Contacts by their resource names; those that do not exist are left out.
    pub async fn get(&self, resource_names: &[&str]) -> Result<Vec<Person>, Error> {
        let mut request = Request::get(self.path("people:batchGet")).query("personFields", FIELDS);
        for name in resource_names {
            request = request.query("resourceNames", name);
        }
        let answer: BatchAnswer = self.client.json(&request).await?;
        Ok(answer.people())
    }
}
