//! One user's list, as one request sees it: everything that reads or changes tasks goes through here, whether
//! a model calls a tool or a program the REST API.
//!
//! A change costs two round trips to the store, whatever finds the task: one reads the task (or the shelf to
//! find it on) together with the outcome of an earlier try, the other commits the task, its place on the
//! shelves and the outcome at once. Who loses a race against another change starts over.

mod reference;
mod scan;
mod shelf;

use anyturn_state::{Error as StateError, Found, Query, Store};
use anyturn_tool_sdk::{FieldError, Once, OnceError};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::filter::Filter;
use crate::task::{Draft, Edit, Task};
use reference::Match;
pub use scan::{Cursor, Page};
use shelf::Shelf;

/// Open and done tasks that a user may have.
pub const MAX_TASKS: u32 = 10_000;
/// How long a deleted task can be restored.
const TRASH_DAYS: i64 = 30;
/// How many expired tasks one deletion removes for good.
const PURGED_AT_ONCE: u32 = 20;
/// How often a change starts over.
const TRIES: usize = 5;

/// Why something did not happen.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Trouble {
    /// There is no such task.
    #[error("There is no task with the id {0}.")]
    NoSuchId(String),
    /// No task, or more than one, is meant. The text says which ones come near.
    #[error("{0}")]
    Unclear(String),
    /// The task has another version than was asked for.
    #[error("The task was changed in the meantime: its version is {actual}.")]
    OtherVersion {
        /// The version it has.
        actual: u64,
    },
    /// Something in the request is wrong.
    #[error("{}", .0.iter().map(|error| format!("{} {}", error.field, error.message)).collect::<Vec<_>>().join(" "))]
    Invalid(Vec<FieldError>),
    /// There are too many tasks.
    #[error("There are {MAX_TASKS} tasks already, which is the limit. Delete some that are done.")]
    Full,
    /// The key stands for another call, or the call came too late.
    #[error(transparent)]
    Once(OnceError),
    /// Others kept changing the task.
    #[error("The task keeps being changed by somebody else. Try again.")]
    Contended,
    /// The store failed.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<OnceError> for Trouble {
    fn from(error: OnceError) -> Trouble {
        match error {
            OnceError::State(error) => Trouble::State(error),
            other @ (OnceError::KeyReused | OnceError::TooLate { .. }) => Trouble::Once(other),
        }
    }
}

/// Which task is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// The one with this id, in one of these versions (any, when there are none).
    Id(&'a str, &'a [u64]),
    /// The one that these words fit.
    Words(&'a str),
}

impl<'a> Target<'a> {
    /// An id, if it looks like one, else words.
    pub fn of(text: &'a str) -> Target<'a> {
        let text = text.trim();
        if is_id(text) {
            Target::Id(text, &[])
        } else {
            Target::Words(text)
        }
    }
}

/// Whether a text has the form of a task's id.
pub fn is_id(text: &str) -> bool {
    text.strip_prefix("task_").is_some_and(|rest| {
        rest.len() == 26
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

/// One user's list, for one request.
#[derive(Clone, Debug)]
pub struct Desk<'a, S> {
    /// The store.
    pub store: &'a S,
    /// The user's scope in it.
    pub scope: String,
    /// The request's idempotency key.
    pub once: Once,
    /// When the request came.
    pub now: Timestamp,
}

impl<S: Store> Desk<'_, S> {
    /// The tasks that fit a filter.
    pub async fn list(
        &self,
        filter: &Filter,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, Trouble> {
        scan::page(self.store, &self.scope, filter, cursor, limit).await
    }

    /// The task with this id.
    pub async fn get(&self, id: &str) -> Result<Task, Trouble> {
        let found = self
            .store
            .read(&self.scope, vec![Query::Document(shelf::document(id))])
            .await?;
        match document(found.first())? {
            Some(task) if task.deleted_at.is_none() => Ok(task),
            _ => Err(Trouble::NoSuchId(id.to_owned())),
        }
    }

    /// Adds a task. `outcome` is what is remembered under the idempotency key and returned, now or again.
    pub async fn add<T: Serialize + DeserializeOwned>(
        &self,
        id: String,
        draft: Draft,
        outcome: impl FnOnce(&Task) -> T,
    ) -> Result<T, Trouble> {
        let mut queries = vec![Query::Counter(shelf::COUNTER.to_owned())];
        queries.extend(self.once.query());
        let found = self.store.read(&self.scope, queries).await?;
        if let Some(outcome) = self.once.recorded(found.get(1))? {
            return Ok(outcome);
        }
        if let Some(Found::Counter(counter)) = found.first()
            && counter.value >= i64::from(MAX_TASKS)
        {
            return Err(Trouble::Full);
        }
        let task = Task::new(id, draft, self.now);
        let writes = shelf::create(&task, write_task(&task)?);
        Ok(self
            .once
            .apply(self.store, &self.scope, writes, outcome(&task))
            .await?)
    }

    /// Changes a task. `outcome` gets the task before and, if anything changed, after; what it returns is
    /// remembered under the idempotency key and returned, now or again.
    pub async fn change<T: Serialize + DeserializeOwned>(
        &self,
        target: &Target<'_>,
        edit: &Edit,
        outcome: impl Fn(&Task, Option<&Task>) -> T,
    ) -> Result<T, Trouble> {
        for _ in 0..TRIES {
            let mut queries = vec![first_query(target, edit)];
            queries.extend(self.once.query());
            let once_at = queries.len() - 1;
            if *edit == Edit::Delete {
                queries.push(self.expired_query());
            }
            let found = self.store.read(&self.scope, queries).await?;
            if self.once.query().is_some()
                && let Some(outcome) = self.once.recorded(found.get(once_at))?
            {
                return Ok(outcome);
            }
            let before = match target {
                Target::Id(id, versions) => expect(document(found.first())?, id, versions, edit)?,
                Target::Words(words) => self.resolve(words, edit, scan::tasks(found.first())?).await?,
            };
            let Some(after) = before.edited(edit, self.now) else {
                return Ok(outcome(&before, None));
            };
            let mut writes = shelf::replace(&before, &after, write_task(&after)?);
            if *edit == Edit::Delete {
                let expired = scan::tasks(found.last())?;
                writes.extend(expired.iter().flat_map(|task| shelf::purge(&task.id)));
            }
            let outcome = outcome(&before, Some(&after));
            match self.once.apply(self.store, &self.scope, writes, outcome).await {
                Err(OnceError::State(StateError::Conflict { .. })) => {}
                other => return Ok(other?),
            }
        }
        Err(Trouble::Contended)
    }

    fn expired_query(&self) -> Query {
        let limit = self.now.as_millisecond() - TRASH_DAYS * 24 * 60 * 60 * 1000;
        Shelf::Trash.query((shelf::EVERYTHING.0, limit), 0, PURGED_AT_ONCE)
    }

    /// The task that the words mean. Where one of the shelves of [`places`] has tasks that fit, the later
    /// ones are not looked at. `first` is the beginning of the first shelf.
    async fn resolve(&self, words: &str, edit: &Edit, first: Vec<Task>) -> Result<Task, Trouble> {
        let (places, elsewhere) = places(edit);
        let mut near = Vec::new();
        for (position, &shelf) in places.iter().enumerate() {
            let tasks = if position == 0 && first.len() < FIRST_BATCH {
                first.clone()
            } else {
                scan::all(self.store, &self.scope, shelf).await?
            };
            match reference::find(words, &tasks) {
                Match::One(task) => return Ok(*task),
                Match::Several(tasks) => {
                    return Err(Trouble::Unclear(format!(
                        "Several tasks fit “{}”:\n{}\nSay which one, by its id or by more of its title.",
                        excerpt(words),
                        reference::listed(&tasks)
                    )));
                }
                Match::None(tasks) => near.extend(tasks),
            }
        }
        let what = match edit {
            Edit::Complete => "open task",
            Edit::Reopen => "done task",
            Edit::Restore => "deleted task",
            Edit::Delete | Edit::Patch(_) => "task",
        };
        let mut text = format!("There is no {what} like “{}”.", excerpt(words));
        if let Some((shelf, state)) = elsewhere
            && let Match::One(task) =
                reference::find(words, &scan::all(self.store, &self.scope, shelf).await?)
        {
            text.push_str(&format!(" “{}” ({}) is {state}.", task.title, task.id));
        } else if !near.is_empty() {
            text.push_str(" These come near:\n");
            text.push_str(&reference::listed(&near));
        }
        Err(Trouble::Unclear(text))
    }
}

/// How many tasks the first query of a change by words reads: a list that fits is looked at in one round trip.
const FIRST_BATCH: usize = 500;

fn first_query(target: &Target<'_>, edit: &Edit) -> Query {
    match target {
        Target::Id(id, _) => Query::Document(shelf::document(id)),
        Target::Words(_) => {
            let shelf = places(edit).0.first().copied().unwrap_or(Shelf::Open);
            shelf.query(
                shelf::EVERYTHING,
                0,
                u32::try_from(FIRST_BATCH).unwrap_or(u32::MAX),
            )
        }
    }
}

/// Where an edit looks for the task that words mean, and where else it might be, which is worth telling.
fn places(edit: &Edit) -> (&'static [Shelf], Option<(Shelf, &'static str)>) {
    match edit {
        Edit::Complete => (&[Shelf::Open], Some((Shelf::Done, "done already"))),
        Edit::Reopen => (&[Shelf::Done], Some((Shelf::Open, "open already"))),
        Edit::Restore => (&[Shelf::Trash], Some((Shelf::Open, "not deleted"))),
        Edit::Delete | Edit::Patch(_) => (&[Shelf::Open, Shelf::Done], None),
    }
}

/// The task, if an edit may have it in this version.
fn expect(task: Option<Task>, id: &str, versions: &[u64], edit: &Edit) -> Result<Task, Trouble> {
    let may_be_deleted = matches!(edit, Edit::Restore);
    match task {
        Some(task) if task.deleted_at.is_none() || may_be_deleted => {
            if versions.is_empty() || versions.contains(&task.version) {
                Ok(task)
            } else {
                Err(Trouble::OtherVersion { actual: task.version })
            }
        }
        _ => Err(Trouble::NoSuchId(id.to_owned())),
    }
}

fn document(found: Option<&Found>) -> Result<Option<Task>, Trouble> {
    match found {
        Some(Found::Document(Some(document))) => read_task(&document.value).map(Some),
        _ => Ok(None),
    }
}

fn read_task(value: &[u8]) -> Result<Task, Trouble> {
    anyturn_json::from_slice(value)
        .map_err(|error| Trouble::State(StateError::Corrupt(format!("a task: {error}"))))
}

fn write_task(task: &Task) -> Result<Vec<u8>, Trouble> {
    let value = serde_json::to_vec(task)
        .map_err(|error| Trouble::State(StateError::Invalid(format!("a task: {error}"))))?;
    if value.len() > shelf::MAX_MEMBER {
        let message = "are too long together: a task has room for about 4,000 bytes.";
        return Err(Trouble::Invalid(vec![FieldError::new(
            "notes",
            format!("and title and tags {message}"),
        )]));
    }
    Ok(value)
}

fn excerpt(words: &str) -> String {
    words.trim().chars().take(100).collect()
}
