//! What the tools need of an address book, whichever it is.

use anyturn_state::Error as StateError;
use anyturn_tool_sdk::Failure;

use crate::contact::Contact;

/// An address book.
#[allow(async_fn_in_trait)]
pub trait Book {
    /// The contacts that what was typed might mean, in any order; others may be among them. Accents and case do not
    /// matter, and the beginnings of words are enough.
    async fn search(&self, typed: &str) -> Result<Vec<Contact>, Trouble>;

    /// One contact, with everything that is known of them.
    async fn contact(&self, id: &str) -> Result<Contact, Trouble>;
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is no such contact.
    #[error("There is no contact with the id {0}; search_contacts tells the ids.")]
    NoSuchContact(String),
    /// The address book's server refuses, or cannot be reached.
    #[error(transparent)]
    Refused(Failure),
    /// The store failed.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Failure {
        match trouble {
            Trouble::State(error) => error.into(),
            Trouble::Refused(failure) => failure,
            other @ Trouble::NoSuchContact(_) => Failure::rejected(other.to_string()),
        }
    }
}
