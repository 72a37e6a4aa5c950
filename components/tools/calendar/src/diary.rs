//! What the tools need of a calendar, whichever it is: the back ends promise the same.
//!
//! - Reading answers as of now. An event that recurs is each of its times.
//! - A change takes effect once for an idempotency key, however often it is asked for, and gets the same reply each
//!   time. The reply is made from what was done, by the caller, and is kept with the key.
//! - Whoever is not the organizer of an event cannot change or cancel it.

use anyturn_state::Error as StateError;
use anyturn_tool_sdk::{Failure, OnceError, Reply};

use crate::event::{Draft, Event, Patch, Person};
use crate::free::Stretch;

/// How many events one question may find; the first ones are told.
pub const MAX_FOUND: usize = 500;

/// Events between two moments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// By when they begin; at most [`MAX_FOUND`].
    pub events: Vec<Event>,
    /// Whether there are more.
    pub is_cut: bool,
}

/// When somebody is busy, as far as the user may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Busy {
    /// They are busy then.
    At(Vec<Stretch>),
    /// Their calendar is not shared with the user, or there is none.
    NotShared,
}

/// Makes the reply to a change from the event before and after.
pub type Told<'a> = &'a dyn Fn(&Event, &Event) -> Reply;

/// A calendar.
#[allow(async_fn_in_trait)]
pub trait Diary {
    /// The user, as other people's calendars know them.
    async fn owner(&self) -> Result<Person, Trouble>;

    /// The events that lie between two moments at least in part. `text` may narrow what is found down, where the
    /// calendar can search; what does not fit may still be among it.
    async fn events(&self, between: Stretch, text: Option<&str>) -> Result<Found, Trouble>;

    /// One event.
    async fn event(&self, id: &str) -> Result<Event, Trouble>;

    /// When the user is busy, and when each of these is.
    async fn busy(&self, between: Stretch, people: &[String]) -> Result<(Vec<Stretch>, Vec<Busy>), Trouble>;

    /// The event, as it was, that an earlier try of this very call was about to change. What names it may not fit any
    /// more, or fit another one, because of that try.
    async fn intended(&self) -> Result<Option<Event>, Trouble>;

    /// Makes an event, and tells those who are invited. `told` gets the event twice.
    async fn create(&self, draft: &Draft, told: Told<'_>) -> Result<Reply, Trouble>;

    /// Changes an event, and tells those who are invited. With an etag, it must be the event's.
    async fn change(
        &self,
        id: &str,
        etag: Option<&str>,
        patch: &Patch,
        told: Told<'_>,
    ) -> Result<Reply, Trouble>;

    /// Cancels an event, and tells those who are invited.
    async fn cancel(&self, id: &str, etag: Option<&str>, told: Told<'_>) -> Result<Reply, Trouble>;

    /// Brings a cancelled event back, and tells those who are invited.
    async fn restore(&self, id: &str, told: Told<'_>) -> Result<Reply, Trouble>;
}

/// Why something did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is no such event.
    #[error("There is no event with the id {0}; list_events tells the ids.")]
    NoSuchEvent(String),
    /// It was cancelled, and is not there any more.
    #[error("The event {0} was cancelled.")]
    Cancelled(String),
    /// It has another etag than was asked for.
    #[error(
        "The event was changed in the meantime. Read it again, and decide whether the change still makes sense."
    )]
    Changed,
    /// Somebody else made the event.
    #[error("{0} organizes this event, so only they can change or cancel it. Ask them.")]
    NotOrganizer(String),
    /// Something in the request is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The calendar is full.
    #[error("There are {0} events already, which is the limit of the demo calendar.")]
    Full(usize),
    /// The key stands for another call, or the call came too late.
    #[error(transparent)]
    Once(OnceError),
    /// The calendar's server refuses, or cannot be reached.
    #[error(transparent)]
    Refused(Failure),
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

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Failure {
        match trouble {
            Trouble::State(error) => error.into(),
            Trouble::Once(error) => error.into(),
            Trouble::Refused(failure) => failure,
            other => Failure::rejected(other.to_string()),
        }
    }
}

/// Whether an event lies between two moments at least in part. One without a length lies where it is.
pub fn overlaps((start, end): Stretch, (from, to): Stretch) -> bool {
    start < to && (end > from || (start == end && start >= from))
}
