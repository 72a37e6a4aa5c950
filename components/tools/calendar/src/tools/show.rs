//! How events are told.

use serde::Serialize;

use crate::event::{Answer, Attendee, Event, Person, Span};
use crate::moment::Clock;

/// How many guests a line names.
const NAMED: usize = 6;

/// An event for programs.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    id: &'a str,
    title: &'a str,
    /// RFC 3339 by the user's clock; of an event of whole days, the first day.
    start: String,
    /// The same; of an event of whole days, the last day, which belongs to it.
    end: String,
    all_day: bool,
    timezone: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    location: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    video_link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organizer: Option<&'a Person>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    guests: &'a [Attendee],
    guest_count: usize,
    /// Whether the user organizes it, and so may change it.
    own: bool,
    answer: Answer,
    busy: bool,
    recurring: bool,
    etag: &'a str,
}

/// A result about one event, for programs.
#[derive(Debug, Serialize)]
pub(super) struct One<'a> {
    pub event: Shown<'a>,
}

impl<'a> Shown<'a> {
    /// An event in a list: without its description, which only one that is read needs.
    pub fn brief(event: &'a Event, clock: &'a Clock) -> Shown<'a> {
        let (start, end) = match event.span {
            Span::Days { first, last } => (first.to_string(), last.to_string()),
            Span::Times { start, end } => (clock.written(start), clock.written(end)),
        };
        Shown {
            id: &event.id,
            title: &event.title,
            start,
            end,
            all_day: event.span.is_all_day(),
            timezone: clock.zone_name(),
            location: &event.location,
            description: None,
            video_link: event.video.as_deref(),
            organizer: event.organizer.as_ref(),
            guests: &event.guests,
            guest_count: event.guest_count(),
            own: event.own,
            answer: event.answer,
            busy: event.busy,
            recurring: event.recurring,
            etag: &event.etag,
        }
    }

    /// All of an event.
    pub fn whole(event: &'a Event, clock: &'a Clock) -> Shown<'a> {
        Shown {
            description: Some(event.description.as_str()).filter(|text| !text.is_empty()),
            ..Shown::brief(event, clock)
        }
    }
}

/// A title as it is shown. Its own quotation marks do not end the quotation.
pub(super) fn quoted(title: &str) -> String {
    format!("“{}”", title.replace(['“', '”'], "\""))
}

/// "“Stand-up”, with Marcus Webb and Priya Nair, at Studio", without its hours.
pub(super) fn told(event: &Event) -> String {
    let mut text = quoted(&event.title);
    match event.answer {
        Answer::Declined => text.push_str(" (you declined)"),
        Answer::Invited if !event.own => text.push_str(" (not answered yet)"),
        Answer::Tentative => text.push_str(" (you said perhaps)"),
        Answer::Accepted | Answer::Invited => {}
    }
    if event.guest_count() > 0 {
        text.extend([", with ", &guests(event)]);
    }
    if !event.location.is_empty() {
        text.extend([", at ", &event.location.replace(['“', '”'], "\"")]);
    }
    text
}

/// "Tom Okafor, Elena Rossi (not answered yet) and 3 more".
pub(super) fn guests(event: &Event) -> String {
    let mut names: Vec<String> = event
        .guests
        .iter()
        .take(NAMED)
        .map(|guest| {
            let state = match guest.answer {
                Answer::Accepted => "",
                Answer::Invited => " (not answered yet)",
                Answer::Tentative => " (perhaps)",
                Answer::Declined => " (declined)",
            };
            format!("{}{state}", guest.person.called())
        })
        .collect();
    let more = event.guest_count() - names.len();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    joined(&names)
}

/// "a, b and c".
pub(super) fn joined(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
