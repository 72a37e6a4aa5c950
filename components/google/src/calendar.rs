//! Google Calendar (`calendar/v3`): events, and when people are busy.
//!
//! The calendar is always `primary`, the account's own. Events that recur are read one time at a time
//! (`singleEvents`), each with an id of its own.
//!
//! **Once.** A new event has an id that the caller chooses ("Create events: Event ID"), so that making it again finds it
//! made ([`Calendar::insert`] returns it). Changes and deletions name the etag of what they change, so that the second one
//! is refused ([`Error::is_precondition_failed`]) or finds the event gone.

mod types;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::{Client, Error, Listed, Network, Request};
pub use types::{Attendee, Conference, Entry, Event, FreeBusy, Moment, Party, Period, Reason, Status};
use types::{EventPage, FreeBusyAnswer};

/// The largest page of `events.list` that is asked for.
const LARGEST_PAGE: usize = 250;
/// Calendars of one `freeBusy.query`.
const ASKED_AT_ONCE: usize = 50;

/// What may stand in a path as it is (RFC 3986, section 2.3).
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A user's calendar.
#[derive(Debug)]
pub struct Calendar<'a, N> {
    client: Client<'a, N>,
    /// Without a slash at its end.
    url: String,
}

impl<N> Calendar<'_, N> {
    /// Google's address of it.
    pub const URL: &'static str = "https://www.googleapis.com";
}

impl<'a, N: Network> Calendar<'a, N> {
    /// The calendar behind a client, at this address without a slash at its end.
    pub fn new(client: Client<'a, N>, url: impl Into<String>) -> Calendar<'a, N> {
        Calendar {
            client,
            url: url.into(),
        }
    }

    fn path(&self, rest: &str) -> String {
        format!("{}/calendar/v3/{rest}", self.url)
    }

    fn event(&self, id: &str) -> String {
        self.path(&format!(
            "calendars/primary/events/{}",
            utf8_percent_encode(id, PATH)
        ))
    }

    /// The account's e-mail address, by which other calendars know it. Google's own answer to that (`calendars.get`) takes
    /// access to calendars, where access to events does for everything else.
    pub fn address(&self) -> &str {
        self.client.address()
    }

    /// The events that lie between two moments (RFC 3339) at least in part, by when they begin; at most so many. With a
    /// text, those that Google finds for it.
    pub async fn events(
        &self,
        (from, to): (&str, &str),
        text: Option<&str>,
        most: usize,
    ) -> Result<Listed<Event>, Error> {
        let mut request = Request::get(self.path("calendars/primary/events"))
            .query("timeMin", from)
            .query("timeMax", to)
            .query("singleEvents", "true")
            .query("orderBy", "startTime")
            .query("maxResults", most.clamp(1, LARGEST_PAGE).to_string());
        if let Some(text) = text {
            request = request.query("q", text);
        }
        self.client.pages::<EventPage>(&request, most).await
    }

    /// An event; one that was cancelled is still found for some time.
    pub async fn get(&self, id: &str) -> Result<Event, Error> {
        self.client.json(&Request::get(self.event(id))).await
    }

    /// Makes an event with the id that `event` has, and tells those who are invited. If there is one of this id, that
    /// one is returned as it is now.
    pub async fn insert(&self, id: &str, event: &Value) -> Result<Event, Error> {
        let request = Request::post(self.path("calendars/primary/events"))
            .query("sendUpdates", "all")
            .query("conferenceDataVersion", "1")
            .json(event)
            .repeatable();
        match self.client.json(&request).await {
            Err(Error::Api(error)) if error.status == 409 => self.get(id).await,
            other => other,
        }
    }

    /// Changes the parts of an event that `changes` has, if it still has this etag, and tells those who are invited.
    pub async fn patch(&self, id: &str, etag: &str, changes: &Value) -> Result<Event, Error> {
        let request = Request::patch(self.event(id))
            .query("sendUpdates", "all")
            .if_match(etag)
            .json(changes);
        self.client.json(&request).await
    }

    /// Deletes an event if it still has this etag, and tells those who are invited.
    pub async fn delete(&self, id: &str, etag: &str) -> Result<(), Error> {
        let request = Request::delete(self.event(id))
            .query("sendUpdates", "all")
            .if_match(etag);
        self.client.send(&request).await.map(drop)
    }

    /// When each of these calendars is busy between two moments (RFC 3339), in their order. `primary` is the account's
    /// own.
    pub async fn free_busy(
        &self,
        (from, to): (&str, &str),
        calendars: &[String],
    ) -> Result<Vec<FreeBusy>, Error> {
        let mut all = Vec::with_capacity(calendars.len());
        for chunk in calendars.chunks(ASKED_AT_ONCE) {
            let items: Vec<Value> = chunk.iter().map(|id| json!({ "id": id })).collect();
            // It only reads, although it is a POST.
            let request = Request::post(self.path("freeBusy"))
                .json(&json!({ "timeMin": from, "timeMax": to, "items": items }))
                .repeatable();
            let mut answer: FreeBusyAnswer = self.client.json(&request).await?;
            all.extend(
                chunk
                    .iter()
                    .map(|id| answer.calendars.remove(id).unwrap_or_default()),
            );
        }
        Ok(all)
    }
}
