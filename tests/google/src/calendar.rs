//! Google Calendar (`calendar/v3`, described at developers.google.com/workspace/calendar/api): the primary calendars of
//! accounts, and free/busy.
//!
//! As at Google, a deleted event stays as one whose status is `cancelled`; an id that was used is never free again; every
//! change makes another etag; an event with guests lies in the calendar of each guest who has an account; and when a
//! calendar is busy, whoever it is not shared with learns nothing but `notFound`.

mod api;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::{FakeGoogle, Request};

/// All calendars.
#[derive(Debug, Default)]
pub struct Calendars {
    calendars: BTreeMap<String, Calendar>,
    changes: u64,
    /// How many events one page has at most, whatever is asked for.
    largest_page: Option<usize>,
    /// Who was sent mail, about which event, and why.
    sent: Vec<Mail>,
}

/// One account's calendar.
#[derive(Debug, Default)]
struct Calendar {
    events: BTreeMap<String, Value>,
    /// Who may see when it is busy.
    shared_with: BTreeSet<String>,
}

/// A mail that Google sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// To whom.
    pub to: String,
    /// About which event.
    pub event: String,
    /// `invitation`, `update` or `cancellation`.
    pub what: &'static str,
}

impl FakeGoogle {
    /// Puts an event, as the API would show it, into an account's calendar and those of its guests. What every event has
    /// and this one lacks is added. Returns its id.
    pub fn add_event(&self, email: &str, event: Value) -> String {
        self.lock().calendars.add(email, event)
    }

    /// Puts an event into a calendar that takes place at each of these beginnings, each as one time of it. Returns the
    /// ids of the times.
    pub fn add_series(&self, email: &str, event: &Value, starts: &[&str]) -> Vec<String> {
        let mut state = self.lock();
        let series = state.calendars.next_id();
        let times = starts.iter().map(|start| {
            let moment: Timestamp = start.parse().unwrap_or_else(|error| panic!("{start}: {error}"));
            let mut time = event.clone();
            let end = moment + 30.minutes();
            let stamp = moment.strftime("%Y%m%dT%H%M%SZ");
            time["id"] = json!(format!("{series}_{stamp}"));
            time["recurringEventId"] = json!(series);
            time["start"] = json!({"dateTime": start, "timeZone": "UTC"});
            time["end"] = json!({"dateTime": end.to_string(), "timeZone": "UTC"});
            state.calendars.add(email, time)
        });
        times.collect()
    }

    /// An event of an account's calendar as it is now.
    pub fn event(&self, email: &str, id: &str) -> Option<Value> {
        self.lock()
            .calendars
            .calendars
            .get(email)?
            .events
            .get(id)
            .cloned()
    }

    /// How many events an account has that were not cancelled.
    pub fn count_events(&self, email: &str) -> usize {
        let state = self.lock();
        let calendar = state.calendars.calendars.get(email);
        calendar.map_or(0, |calendar| {
            calendar
                .events
                .values()
                .filter(|event| !is_cancelled(event))
                .count()
        })
    }

    /// Changes an event behind everybody's back, as another client would.
    pub fn touch_event(&self, email: &str, id: &str, changes: &Value) {
        let mut state = self.lock();
        let etag = state.calendars.next_etag();
        if let Some(event) = state
            .calendars
            .calendars
            .get_mut(email)
            .and_then(|calendar| calendar.events.get_mut(id))
        {
            merge(event, changes);
            event["etag"] = json!(etag);
        }
    }

    /// Lets an account see when another one is busy.
    pub fn share_calendar(&self, email: &str, with: &str) {
        let mut state = self.lock();
        let calendar = state.calendars.calendars.entry(email.to_owned()).or_default();
        calendar.shared_with.insert(with.to_owned());
    }

    /// Makes pages of events smaller than clients ask for, as Google may.
    pub fn limit_event_pages(&self, events: usize) {
        self.lock().calendars.largest_page = Some(events);
    }

    /// The mails that Google has sent about events.
    pub fn event_mails(&self) -> Vec<Mail> {
        self.lock().calendars.sent.clone()
    }
}

impl Calendars {
    fn next_etag(&mut self) -> String {
        self.changes += 1;
        format!("\"{}\"", 3_600_000_000_000_000 + self.changes)
    }

    fn next_id(&mut self) -> String {
        self.changes += 1;
        format!("fake{:022}", self.changes)
    }

    fn add(&mut self, email: &str, mut event: Value) -> String {
        let id = match event["id"].as_str() {
            Some(id) => id.to_owned(),
            None => self.next_id(),
        };
        event["kind"] = json!("calendar#event");
        event["id"] = json!(id);
        event["etag"] = json!(self.next_etag());
        let defaults = json!({
            "status": "confirmed",
            "htmlLink": format!("https://www.google.com/calendar/event?eid={id}"),
            "iCalUID": format!("{id}@google.com"),
            "creator": {"email": email},
            "organizer": {"email": email},
            "sequence": 0,
            "eventType": "default",
        });
        for (key, value) in defaults.as_object().into_iter().flatten() {
            if event[key].is_null() {
                event[key] = value.clone();
            }
        }
        self.spread(email, &id, &event);
        id
    }

    /// Writes an event into the calendar of the account and of every guest, each with its own `self`.
    fn spread(&mut self, email: &str, id: &str, event: &Value) {
        let guests = attendees(event).filter_map(|guest| guest["email"].as_str());
        let owners: BTreeSet<String> = std::iter::once(email).chain(guests).map(str::to_owned).collect();
        for owner in owners {
            // Only accounts that somebody has set up have calendars.
            if owner != email && !self.calendars.contains_key(&owner) {
                continue;
            }
            let mut own = event.clone();
            for party in ["creator", "organizer"] {
                let is_self = own[party]["email"] == owner.as_str();
                if let Some(party) = own.get_mut(party) {
                    set_self(party, is_self);
                }
            }
            if let Some(attendees) = own.get_mut("attendees").and_then(Value::as_array_mut) {
                for attendee in attendees {
                    let is_self = attendee["email"] == owner.as_str();
                    set_self(attendee, is_self);
                }
            }
            self.calendars
                .entry(owner)
                .or_default()
                .events
                .insert(id.to_owned(), own);
        }
    }

    /// Sends mail to the guests of an event.
    fn tell(&mut self, request: &Request, organizer: &str, event: &Value, what: &'static str) {
        if request.parameter("sendUpdates") != Some("all") {
            return;
        }
        let guests = attendees(event).filter_map(|guest| guest["email"].as_str());
        let mails = guests.filter(|guest| *guest != organizer).map(|guest| Mail {
            to: guest.to_owned(),
            event: event["id"].as_str().unwrap_or_default().to_owned(),
            what,
        });
        self.sent.extend(mails);
    }
}

fn attendees(event: &Value) -> impl Iterator<Item = &Value> {
    event["attendees"].as_array().into_iter().flatten()
}

fn set_self(party: &mut Value, is_self: bool) {
    if let Some(party) = party.as_object_mut() {
        match is_self {
            true => drop(party.insert("self".to_owned(), json!(true))),
            false => drop(party.remove("self")),
        }
    }
}

fn is_cancelled(event: &Value) -> bool {
    event["status"] == "cancelled"
}

/// JSON merge patch (RFC 7396), which is what `patch` does: lists are replaced.
fn merge(target: &mut Value, changes: &Value) {
    let Some(changes) = changes.as_object() else {
        *target = changes.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in changes {
        if value.is_null() {
            if let Some(target) = target.as_object_mut() {
                target.remove(key);
            }
        } else {
            merge(&mut target[key], value);
        }
    }
}

/// The moments between which an event lies; whole days are those of UTC, which is the fake's time zone.
fn moments(event: &Value) -> Option<(Timestamp, Timestamp)> {
    Some((moment(&event["start"])?, moment(&event["end"])?))
}

fn moment(value: &Value) -> Option<Timestamp> {
    if let Some(text) = value["dateTime"].as_str() {
        return text.parse().ok();
    }
    let date: Date = value["date"].as_str()?.parse().ok()?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}
