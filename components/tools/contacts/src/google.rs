//! The contacts of whoever has connected a Google account: the address book, and others to whom the user has written.
//!
//! Google's search is quick but knows nothing of accents that are typed otherwise, and sees contacts as they were when it
//! was last warmed up, which Google asks for before searches ("Search the user's contacts"). So it is warmed up now and
//! then, and where it finds nobody in the address book, the address book itself is read and searched here.

use anyturn_google::people::{People, Person};
use anyturn_google::{Error, Network};
use anyturn_state::{Error as StateError, ExpectedVersion, Found, Query, Store, Write};
use anyturn_tool_sdk::{Call, Failure};

use crate::book::{Book, Trouble};
use crate::contact::Contact;

/// Says that Google's search was warmed up a short while ago.
const WARM: &str = "google/warm";
/// For how long, in milliseconds.
const STAYS_WARM: u64 = 10 * 60 * 1000;
/// How many contacts of the address book are read at most.
const MOST_READ: usize = 5000;
/// What the resource names of those begin with who are not in the address book.
const OTHERS: &str = "otherContacts/";

/// A user's Google contacts, for one call of a tool.
pub struct Google<'a, S, N> {
    /// The contacts.
    pub people: People<'a, N>,
    /// Where it is noted when the search was warmed up.
    pub store: &'a S,
    /// The user's scope in it.
    pub scope: String,
    /// The call.
    pub call: &'a Call<'a>,
}

impl<S: Store, N: Network> Book for Google<'_, S, N> {
    async fn search(&self, typed: &str) -> Result<Vec<Contact>, Trouble> {
        self.warm_up().await?;
        let refused = |error| self.trouble(error);
        let found = self.people.search(typed).await.map_err(refused)?;
        let mut contacts: Vec<Contact> = found.into_iter().map(contact).collect();
        if contacts.is_empty() {
            let book = self.people.connections(MOST_READ).await.map_err(refused)?;
            contacts = book.items.into_iter().map(contact).collect();
        }
        match self.people.search_others(typed).await {
            Ok(others) => contacts.extend(others.into_iter().map(contact)),
            // Others are a permission of their own, which not everybody gives.
            Err(error) if error.lacks_permission() => {}
            Err(error) => return Err(refused(error)),
        }
        Ok(contacts)
    }

    async fn contact(&self, id: &str) -> Result<Contact, Trouble> {
        let nobody = || Trouble::NoSuchContact(id.chars().take(100).collect());
        let found = if id.starts_with(OTHERS) {
            let others = self.people.others(MOST_READ).await;
            let others = others.map_err(|error| self.trouble(error))?.items;
            others.into_iter().find(|person| person.resource_name == id)
        } else if id.starts_with("people/") && !id.contains(char::is_whitespace) {
            let found = self.people.get(&[id]).await;
            found.map_err(|error| self.trouble(error))?.into_iter().next()
        } else {
            None
        };
        found.map(contact).ok_or_else(nobody)
    }
}

impl<S: Store, N: Network> Google<'_, S, N> {
    async fn warm_up(&self) -> Result<(), Trouble> {
        let found = self
            .store
            .read(&self.scope, vec![Query::Document(WARM.to_owned())])
            .await?;
        if let Some(Found::Document(Some(_))) = found.first() {
            return Ok(());
        }
        match self.people.warm_up().await {
            Ok(()) => {}
            Err(error) if error.lacks_permission() => {}
            Err(error) => return Err(self.trouble(error)),
        }
        let write = Write::Put {
            document: WARM.to_owned(),
            expected: ExpectedVersion::Any,
            value: Vec::new(),
            ttl: Some(STAYS_WARM),
        };
        match self.store.commit(&self.scope, vec![write], Vec::new()).await {
            Ok(_) | Err(StateError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn trouble(&self, error: Error) -> Trouble {
        Trouble::Refused(failure(error, self.call))
    }
}

/// A contact of ours.
fn contact(person: Person) -> Contact {
    let Person {
        resource_name,
        names,
        email_addresses,
        phone_numbers,
        organizations,
        biographies,
    } = person;
    let organization = organizations.into_iter().next().unwrap_or_default();
    Contact {
        saved: !resource_name.starts_with(OTHERS),
        id: resource_name,
        name: names.into_iter().next().unwrap_or_default().display_name,
        addresses: email_addresses.into_iter().map(|email| email.value).collect(),
        phones: phone_numbers.into_iter().map(|phone| phone.value).collect(),
        company: organization.name,
        title: organization.title,
        notes: biographies.into_iter().next().unwrap_or_default().value,
        times: None,
        last_contact: None,
    }
}

/// What an error of Google's means for the one who called.
pub fn failure(error: Error, call: &Call<'_>) -> Failure {
    match error {
        Error::Reconnect => Failure::rejected(
            "The connection to the user's Google account has ended. The user has to connect Google again; nothing else \
             helps.",
        ),
        Error::OutOfTime => Failure::TooLate {
            not_after: call.not_after.unwrap_or_default(),
            now: call.now,
        },
        ref lacking if lacking.lacks_permission() => Failure::rejected(
            "The connected Google account does not allow this. The user has to connect it again and allow access to the \
             contacts.",
        ),
        Error::Api(ref refused) if refused.status >= 500 => Failure::Broken(error.to_string()),
        Error::Api(_) | Error::Busy { .. } => Failure::rejected(error.to_string()),
        Error::Unreachable { .. } | Error::Unknown { .. } | Error::Malformed { .. } => {
            Failure::Broken(error.to_string())
        }
    }
}
