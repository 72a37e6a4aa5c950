//! The engine's entry points.

use crate::assistant::Assistants;
use crate::id;
use crate::port::{Environment, Model, Sink, Tools};
use crate::session::{Page, Session, SessionHead};
use crate::turn::{Turn, TurnError, TurnRequest};
use anyturn_state::{Error, Store};

/// Runs turns and shows sessions. Keeps nothing: any number of engines, in any number of processes, may work
/// on the same store.
pub struct Engine<S, M, T, E> {
    store: S,
    model: M,
    tools: T,
    environment: E,
    settings: Settings,
}

/// Times, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long an instance has a turn without renewing its lease; it renews when a third has passed. A turn
    /// whose instance died can be taken over after so long.
    pub lease: u64,
    /// How long a request waits for the running turn of its idempotency key.
    pub attach: u64,
    /// How long a conversation of [`crate::SessionTarget::Detached`] is kept.
    pub detached_ttl: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            lease: 9_000,
            attach: 60_000,
            detached_ttl: 120_000,
        }
    }
}

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// An engine over these ports.
    pub fn new(store: S, model: M, tools: T, environment: E, settings: Settings) -> Self {
        Engine {
            store,
            model,
            tools,
            environment,
            settings,
        }
    }

    /// The id for a new session; the same for every try of a request with an idempotency key.
    pub fn new_session_id(&self, user: &str, idempotency_key: Option<&str>) -> String {
        match idempotency_key {
            Some(key) => id::session_for_key(user, key),
            None => id::new("ses", self.environment.random()),
        }
    }

    /// Runs a turn to its end and tells the sink what happens meanwhile.
    ///
    /// Round trips to the store: 2 without tools (admission, end), 4 with one call of a tool.
    pub async fn turn(
        &self,
        assistants: &impl Assistants,
        request: TurnRequest,
        sink: &impl Sink,
    ) -> Result<Turn, TurnError> {
        let _ = (
            assistants,
            request,
            sink,
            &self.store,
            &self.model,
            &self.tools,
            self.settings,
        );
        Err(TurnError::UnknownSession)
    }

    /// A session of a user with a page of its messages; `None` if there is none (any more), or it is another
    /// user's. One round trip.
    pub async fn session(&self, user: &str, session: &str, page: Page) -> Result<Option<Session>, Error> {
        let _ = (user, session, page);
        Ok(None)
    }

    /// A user's sessions, the latest first, and where the next page begins (none after the last).
    pub async fn sessions(
        &self,
        user: &str,
        offset: u32,
        limit: u32,
    ) -> Result<(Vec<SessionHead>, Option<u32>), Error> {
        let _ = (user, offset, limit);
        Ok((Vec::new(), None))
    }

    /// Forgets a session; a turn that runs in it ends without effect on the store. `false` if there is none.
    pub async fn delete_session(&self, user: &str, session: &str) -> Result<bool, Error> {
        let _ = (user, session);
        Ok(false)
    }
}
