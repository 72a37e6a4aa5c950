//! The address book of users who have connected none: the people of the demo data and some more, in the document
//! `contacts` of the user's own scope of the store. It is seeded once, when it is used first.

use anyturn_people::cast::{self, DAD, ELENA, MARCUS, PRIYA, SARAH, SARAH_MILLER, TOM};
use anyturn_state::{Error as StateError, ExpectedVersion, Found, Query, Store, Write};
use jiff::ToSpan;
use jiff::civil::Date;

use crate::book::{Book, Trouble};
use crate::contact::Contact;

const CONTACTS: &str = "contacts";

/// A user's demo address book, for one request.
pub struct Demo<'a, S> {
    /// The store.
    pub store: &'a S,
    /// The user's scope in it.
    pub scope: String,
    /// The user's day.
    pub today: Date,
}

impl<S: Store> Book for Demo<'_, S> {
    async fn search(&self, _typed: &str) -> Result<Vec<Contact>, Trouble> {
        self.all().await
    }

    async fn contact(&self, id: &str) -> Result<Contact, Trouble> {
        let found = self.all().await?.into_iter().find(|contact| contact.id == id);
        found.ok_or_else(|| Trouble::NoSuchContact(id.chars().take(100).collect()))
    }
}

impl<S: Store> Demo<'_, S> {
    async fn all(&self) -> Result<Vec<Contact>, Trouble> {
        let query = Query::Document(CONTACTS.to_owned());
        let found = self.store.read(&self.scope, vec![query.clone()]).await?;
        if let Some(Found::Document(Some(document))) = found.first() {
            return read(&document.value);
        }
        let contacts = seed(self.today);
        let value = serde_json::to_vec(&contacts)
            .map_err(|error| StateError::Invalid(format!("the contacts: {error}")))?;
        let write = Write::Put {
            document: CONTACTS.to_owned(),
            expected: ExpectedVersion::Absent,
            value,
            ttl: None,
        };
        match self.store.commit(&self.scope, vec![write], Vec::new()).await {
            Ok(_) => Ok(contacts),
            // Somebody else has seeded it in the meantime.
            Err(StateError::Conflict { .. }) => {
                match self.store.read(&self.scope, vec![query]).await?.first() {
                    Some(Found::Document(Some(document))) => read(&document.value),
                    _ => Ok(contacts),
                }
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn read(value: &[u8]) -> Result<Vec<Contact>, Trouble> {
    anyturn_json::from_slice(value)
        .map_err(|error| Trouble::State(StateError::Corrupt(format!("the contacts: {error}"))))
}

/// Who is in a new demo address book. `ago` is how many days ago the user and they have last written or met.
fn seed(today: Date) -> Vec<Contact> {
    let known = |person: cast::Person, title: &str, company: &str, phone: &str, times: u32, ago: i32| {
        of(person.name, person.address, title, company, phone).seen(times, today.saturating_sub(ago.days()))
    };
    let mut contacts = vec![
        known(SARAH, "Product lead", "Northwind", "+1 555 0101", 41, 0),
        known(MARCUS, "Engineering", "Northwind", "+1 555 0102", 38, 0),
        known(PRIYA, "Design", "Northwind", "+1 555 0103", 27, 1),
        known(TOM, "Head of operations", "Lumen", "+1 555 0201", 9, 1),
        known(ELENA, "Project manager", "Lumen", "+1 555 0202", 6, 2),
        known(SARAH_MILLER, "Recruiter", "Brightpath", "+1 555 0301", 2, 3),
        known(DAD, "", "", "+1 555 0401", 14, 1).noting("Dad. Prefers a call to a message."),
        of("Grace Kim", "grace.kim@family.example", "", "", "+1 555 0402")
            .seen(8, today.saturating_sub(6.days()))
            .noting("Mum."),
        of(
            "José García",
            "jose.garcia@northwind.example",
            "Support",
            "Northwind",
            "+1 555 0104",
        )
        .seen(5, today.saturating_sub(4.days())),
        of(
            "Zoë Müller",
            "zoe.mueller@atelier.example",
            "Architect",
            "Atelier Müller",
            "+49 30 5550501",
        ),
        of(
            "Dr. Nadia Ahmed",
            "praxis@ahmed.example",
            "Dentist",
            "",
            "+1 555 0601",
        ),
        of(
            "Łukasz Nowak",
            "lukasz.nowak@lumen.example",
            "Finance",
            "Lumen",
            "+1 555 0203",
        ),
        of(
            "Hannah Berg",
            "hannah.berg@northwind.example",
            "People",
            "Northwind",
            "+1 555 0105",
        )
        .seen(3, today.saturating_sub(9.days())),
        of(
            "Oliver Stone",
            "oliver@stoneplumbing.example",
            "Plumber",
            "Stone Plumbing",
            "+1 555 0701",
        ),
    ];
    // Somebody who has written, but whom the user has not put into the address book.
    contacts.push(Contact {
        saved: false,
        ..of(
            "Ben Carter",
            "ben.carter@harborbank.example",
            "",
            "Harbor Bank",
            "",
        )
        .seen(1, today.saturating_sub(5.days()))
    });
    contacts
}

fn of(name: &str, address: &str, title: &str, company: &str, phone: &str) -> Contact {
    let local = address.split('@').next().unwrap_or_default();
    Contact {
        id: format!("demo-{}", local.replace('.', "-")),
        name: name.to_owned(),
        addresses: vec![address.to_owned()],
        phones: Some(phone.to_owned())
            .filter(|phone| !phone.is_empty())
            .into_iter()
            .collect(),
        company: company.to_owned(),
        title: title.to_owned(),
        saved: true,
        ..Contact::default()
    }
}

impl Contact {
    fn seen(mut self, times: u32, last: Date) -> Contact {
        self.times = Some(times);
        self.last_contact = Some(last);
        self
    }

    fn noting(mut self, notes: &str) -> Contact {
        self.notes = notes.to_owned();
        self
    }
}
