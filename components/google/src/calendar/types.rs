//! What Google Calendar's JSON says, as far as it is of use.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use crate::Page;

/// Whether an event takes place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It does.
    #[default]
    Confirmed,
    /// Perhaps.
    Tentative,
    /// It was cancelled, which is how Google keeps deleted events.
    Cancelled,
    /// Something that this version does not know.
    #[serde(other)]
    Other,
}

/// An event.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Event {
    /// Its id; each time of an event that recurs has its own.
    pub id: String,
    /// Names this state of it.
    pub etag: String,
    /// Whether it takes place.
    pub status: Status,
    /// The title.
    pub summary: String,
    /// May hold HTML.
    pub description: String,
    /// Where it is.
    pub location: String,
    /// When it begins.
    pub start: Moment,
    /// When it is over; of whole days, the day after.
    pub end: Moment,
    /// Who made it.
    pub organizer: Option<Party>,
    /// Who is invited, the account itself included, as Google wrote them: whoever changes one has to send all of them.
    pub attendees: Vec<Value>,
    /// Whether more are invited than `attendees` has.
    pub attendees_omitted: bool,
    /// `transparent` if it does not take the account's time.
    pub transparency: String,
    /// Of one time of an event that recurs, the event.
    pub recurring_event_id: Option<String>,
    /// Where one joins by Google Meet.
    pub hangout_link: Option<String>,
    /// Where one joins by something else.
    pub conference_data: Option<Conference>,
    /// `default`, `focusTime`, `outOfOffice`, `workingLocation`, …
    pub event_type: String,
}

/// A beginning or an end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Moment {
    /// Of whole days: `2026-11-20`.
    pub date: Option<String>,
    /// RFC 3339.
    pub date_time: Option<String>,
}

/// Somebody with a calendar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Party {
    /// The address.
    pub email: String,
    /// The name, where Google knows one.
    pub display_name: String,
    /// Whether it is the account itself.
    #[serde(rename = "self")]
    pub is_self: bool,
}

/// Somebody, or a room, that is invited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attendee {
    /// Who.
    #[serde(flatten)]
    pub party: Party,
    /// `needsAction`, `declined`, `tentative` or `accepted`.
    pub response_status: String,
    /// Whether it is a room or a thing.
    pub resource: bool,
}

/// How one joins from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Conference {
    /// The ways.
    pub entry_points: Vec<Entry>,
}

/// A way to join.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Entry {
    /// `video`, `phone`, `sip` or `more`.
    pub entry_point_type: String,
    /// The address.
    pub uri: String,
}

impl Event {
    /// The attendees, read. What is none is left out.
    pub fn read_attendees(&self) -> Vec<Attendee> {
        let read = self.attendees.iter().map(Attendee::deserialize);
        read.filter_map(Result::ok).collect()
    }

    /// The address by which one joins by video.
    pub fn video(&self) -> Option<&str> {
        let entries = self
            .conference_data
            .iter()
            .flat_map(|conference| &conference.entry_points);
        let mut videos = entries.filter(|entry| entry.entry_point_type == "video");
        self.hangout_link
            .as_deref()
            .or_else(|| videos.next().map(|entry| entry.uri.as_str()))
    }
}

/// From a moment to another one, in RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Period {
    /// The first moment.
    pub start: String,
    /// The first moment after it.
    pub end: String,
}

/// When a calendar is busy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FreeBusy {
    /// Busy then.
    pub busy: Vec<Period>,
    /// Why that is not known, such as `notFound` for a calendar that is not shared with the account.
    pub errors: Vec<Reason>,
}

/// Why something is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Reason {
    /// Such as `notFound`.
    pub reason: String,
}

#[derive(Deserialize)]
pub(super) struct FreeBusyAnswer {
    #[serde(default)]
    pub calendars: HashMap<String, FreeBusy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventPage {
    #[serde(default)]
    items: Vec<Event>,
    next_page_token: Option<String>,
}

impl Page for EventPage {
    type Item = Event;

    fn split(self) -> (Vec<Event>, Option<String>) {
        (self.items, self.next_page_token)
    }
}
