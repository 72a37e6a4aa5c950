//! A to-do list: an MCP server, and a REST API beside it.
//!
//! Everybody has a list of their own. It lives in the store that `anyturn:state` provides, in the scope
//! `user/<user>`; the component keeps nothing.
//!
//! - `POST /mcp`: the tools, for models ([`tools`]).
//! - `/tasks…`: the same list as a REST API ([`rest`]), described at `GET /openapi.json` ([`openapi`]).
//!
//! Who calls stands in the header `anyturn-user`. For a caller without it, such as an MCP client that talks to this
//! server alone, the environment variable `DEFAULT_USER` names the user; without both, requests are refused.

pub mod desk;
pub mod filter;
pub mod openapi;
pub mod rest;
pub mod task;
pub mod tools;

use std::borrow::Cow;

pub use anyturn_days as day;
use anyturn_state::Store;
use anyturn_tool_sdk::{ApiRequest, Call, Failure, Implementation, Once, Reply, Response, Toolbox};
use jiff::Timestamp;

use desk::{Desk, Trouble};

/// The to-do lists of all users in one store.
#[derive(Clone, Debug)]
pub struct Tasks<S> {
    store: S,
    clock: Option<fn() -> u64>,
}

impl<S: Store> Tasks<S> {
    /// The lists in this store.
    pub fn new(store: S) -> Tasks<S> {
        Tasks { store, clock: None }
    }

    /// Takes the time, in milliseconds since the Unix epoch, from elsewhere.
    #[must_use]
    pub fn with_clock(self, clock: fn() -> u64) -> Tasks<S> {
        Tasks {
            clock: Some(clock),
            ..self
        }
    }

    /// The caller's list.
    fn desk(&self, call: &Call<'_>) -> Result<Desk<'_, S>, Failure> {
        Ok(Desk {
            store: &self.store,
            scope: call.caller.scope()?,
            once: Once::of(call)?,
            now: timestamp(call.now),
        })
    }
}

impl<S: Store> Toolbox for Tasks<S> {
    const IDENTITY: Implementation = Implementation {
        name: "anyturn-tasks",
        title: Some("Tasks"),
        version: env!("CARGO_PKG_VERSION"),
    };
    const INSTRUCTIONS: Option<&'static str> = Some(
        "A to-do list. Write dates as YYYY-MM-DD. Name a task by words of its title, as the user does, or by its \
         id; when several fit, the error lists them: ask the user which one is meant.",
    );
    type Tools = (
        tools::AddTask,
        tools::ListTasks,
        tools::CompleteTask,
        tools::ReopenTask,
        tools::EditTask,
        tools::PrioritizeTask,
        tools::SetDueDate,
        tools::DeleteTask,
        tools::RestoreTask,
    );

    fn list() -> Cow<'static, str> {
        Cow::Borrowed(include_str!("../tools.json"))
    }

    fn now(&self) -> u64 {
        match self.clock {
            Some(clock) => clock(),
            None => u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default(),
        }
    }

    async fn check(&self, _tool: &str, call: &Call<'_>) -> Result<Option<Reply>, Failure> {
        Ok(Once::of(call)?
            .outcome(&self.store, &call.caller.scope()?)
            .await?)
    }

    async fn api(&self, request: ApiRequest) -> Response {
        rest::answer(self, request).await
    }
}

/// A time to the millisecond.
fn timestamp(milliseconds: u64) -> Timestamp {
    i64::try_from(milliseconds)
        .ok()
        .and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok())
        .unwrap_or(Timestamp::MAX)
}

/// A new task's id.
fn new_id() -> Result<String, Failure> {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::Broken(format!("no randomness: {error}")))?;
    let mut random = u128::from_le_bytes(bytes);
    let mut id = String::with_capacity(31);
    id.push_str("task_");
    for _ in 0..26 {
        let place = usize::try_from(random & 31).unwrap_or_default();
        id.push(ALPHABET.get(place).copied().map_or('0', char::from));
        random >>= 5;
    }
    Ok(id)
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Failure {
        match trouble {
            Trouble::State(error) => error.into(),
            Trouble::Once(error) => error.into(),
            other => Failure::rejected(other.to_string()),
        }
    }
}

#[cfg(target_family = "wasm")]
mod component {
    use super::Tasks;
    use anyturn_state::component::Imported;
    use anyturn_tool_sdk::{Response, serve};

    #[spin_sdk::http_service]
    async fn handle(request: spin_sdk::http::Request) -> Response {
        serve(&Tasks::new(Imported), request).await
    }
}
