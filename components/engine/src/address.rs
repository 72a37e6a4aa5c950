//! Which conversation is meant.

use crate::scope;

/// A conversation: whose, which, and where it lies in the store.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// The user's id.
    pub user: String,
    /// The session's id.
    pub session: String,
    /// The conversation's scope.
    pub scope: String,
}

impl Address {
    pub(crate) fn new(user: &str, session: &str) -> Address {
        Address {
            user: user.to_owned(),
            session: session.to_owned(),
            scope: scope::conversation(user, session),
        }
    }
}
