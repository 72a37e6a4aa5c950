//! An event, the same whichever calendar it is from, and what may be put into one.
//!
//! Titles, descriptions and names come from other people: anybody can send an invitation. They are data. Here they
//! lose what could pass for the end of a line, or turn the direction of what follows, and are cut to a length, so that
//! no event fills a model's context.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

/// Characters of a title.
pub const MAX_TITLE: usize = 200;
/// Characters of a location.
pub const MAX_LOCATION: usize = 200;
/// Characters of a description.
pub const MAX_DESCRIPTION: usize = 2000;
/// People who can be invited, and who are shown.
pub const MAX_ATTENDEES: usize = 50;
/// Characters of a person's name.
const MAX_NAME: usize = 80;

/// When an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Span {
    /// Whole days, wherever one is.
    Days {
        /// The first day.
        first: Date,
        /// The last day, which belongs to it.
        last: Date,
    },
    /// From a moment to another one.
    Times {
        /// When it begins.
        start: Timestamp,
        /// When it is over.
        end: Timestamp,
    },
}

impl Span {
    /// The moments between which it lies for somebody in this time zone; the second does not belong to it.
    pub fn moments(&self, zone: &TimeZone) -> (Timestamp, Timestamp) {
        match *self {
            Span::Times { start, end } => (start, end),
            Span::Days { first, last } => (
                midnight(first, zone),
                midnight(last.saturating_add(1.day()), zone),
            ),
        }
    }

    /// Whether it takes whole days.
    pub fn is_all_day(&self) -> bool {
        matches!(self, Span::Days { .. })
    }

    /// The same length, from another beginning on.
    #[must_use]
    pub fn moved_to(&self, start: Start) -> Span {
        match (start, *self) {
            (Start::Day(day), Span::Days { first, last }) => {
                let days = first.until(last).unwrap_or_default();
                Span::Days {
                    first: day,
                    last: day.saturating_add(days),
                }
            }
            (Start::Day(day), Span::Times { .. }) => Span::Days {
                first: day,
                last: day,
            },
            (Start::Moment(moment), Span::Times { start, end }) => Span::Times {
                start: moment,
                end: moment
                    .saturating_add(end.duration_since(start))
                    .unwrap_or(Timestamp::MAX),
            },
            (Start::Moment(moment), Span::Days { .. }) => Span::Times {
                start: moment,
                end: moment.saturating_add(1.hour()).unwrap_or(Timestamp::MAX),
            },
        }
    }
}

/// When something begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A whole day.
    Day(Date),
    /// A moment.
    Moment(Timestamp),
}

/// The first moment of a day, which is not midnight everywhere.
pub fn midnight(day: Date, zone: &TimeZone) -> Timestamp {
    zone.to_zoned(day.at(0, 0, 0, 0))
        .and_then(|zoned| zoned.start_of_day())
        .map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// What somebody has answered to an invitation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Nothing so far.
    #[default]
    Invited,
    /// They come.
    Accepted,
    /// Perhaps they come.
    Tentative,
    /// They do not come.
    Declined,
}

/// Somebody with an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name; empty where it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The e-mail address, as `anyturn_people::address` writes it.
    pub address: String,
}

impl Person {
    /// The name, or the address of somebody without one.
    pub fn called(&self) -> &str {
        if self.name.is_empty() {
            &self.address
        } else {
            &self.name
        }
    }
}

/// Somebody who is invited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee {
    /// Who.
    #[serde(flatten)]
    pub person: Person,
    /// What they have answered.
    pub answer: Answer,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Unique in the calendar; of an event that recurs, each time has its own.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// When it is.
    pub span: Span,
    /// Where it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub location: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where one joins by video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<String>,
    /// Who made it; none where it is the user's own and nobody is invited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizer: Option<Person>,
    /// Who is invited besides the user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guests: Vec<Attendee>,
    /// How many more are invited than are told in `guests`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_guests: usize,
    /// Whether the user made it, and so may change and cancel it.
    pub own: bool,
    /// What the user has answered.
    pub answer: Answer,
    /// Whether it takes the user's time.
    pub busy: bool,
    /// Whether it is one time of an event that recurs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recurring: bool,
    /// Names this state of it: another one after every change.
    pub etag: String,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Event {
    /// Whether it keeps the user from doing something else then.
    pub fn blocks(&self) -> bool {
        self.busy && self.answer != Answer::Declined
    }

    /// How many people are invited besides the user.
    pub fn guest_count(&self) -> usize {
        self.guests.len() + self.more_guests
    }
}

/// What a new event is made of. Texts are trimmed and within their lengths: see `text`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// What it is called.
    pub title: String,
    /// When it is.
    pub span: Span,
    /// Where it is.
    pub location: String,
    /// What it is about.
    pub description: String,
    /// Whether one can join by video.
    pub video: bool,
    /// Whose calendars it is put into, besides the user's.
    pub guests: Vec<Person>,
}

/// A change of an event; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// What it is called.
    pub title: Option<String>,
    /// When it is.
    pub span: Option<Span>,
    /// Where it is; empty for nowhere.
    pub location: Option<String>,
    /// What it is about; empty for nothing.
    pub description: Option<String>,
    /// These are invited, too.
    pub invite: Vec<Person>,
    /// These addresses are not invited any more.
    pub uninvite: Vec<String>,
}

impl Patch {
    /// Whether it changes nothing of this event.
    pub fn is_done(&self, event: &Event) -> bool {
        let invited = |address: &str| event.guests.iter().any(|guest| guest.person.address == address);
        self.title.as_ref().is_none_or(|title| *title == event.title)
            && self.span.is_none_or(|span| span == event.span)
            && self
                .location
                .as_ref()
                .is_none_or(|location| *location == event.location)
            && self
                .description
                .as_ref()
                .is_none_or(|description| *description == event.description)
            && self.invite.iter().all(|person| invited(&person.address))
            && !self.uninvite.iter().any(|address| invited(address))
    }

    /// The guests after it, of whom those who were there keep their answer unless the time changes.
    pub fn guests(&self, event: &Event) -> Vec<Attendee> {
        let moves = self.span.is_some_and(|span| span != event.span);
        let mut guests: Vec<Attendee> = event
            .guests
            .iter()
            .filter(|guest| !self.uninvite.contains(&guest.person.address))
            .cloned()
            .map(|mut guest| {
                if moves {
                    guest.answer = Answer::Invited;
                }
                guest
            })
            .collect();
        for person in &self.invite {
            if guests.iter().all(|guest| guest.person.address != person.address) {
                guests.push(Attendee {
                    person: person.clone(),
                    answer: Answer::Invited,
                });
            }
        }
        guests
    }
}

/// A text on one line, cut to a length.
pub fn line(text: &str, limit: usize) -> String {
    let spaced: String = text
        .chars()
        .filter(|letter| !turns(*letter))
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    cut(&spaced.split_whitespace().collect::<Vec<_>>().join(" "), limit)
}

/// A text of several lines, cut to a length; control characters besides ends of lines are dropped.
pub fn lines(text: &str, limit: usize) -> String {
    let kept: String = text
        .replace("\r\n", "\n")
        .chars()
        .filter(|letter| !turns(*letter) && (!letter.is_control() || matches!(letter, '\n' | '\t')))
        .collect();
    cut(kept.trim(), limit)
}

/// The name of a person, on one line.
pub fn name(text: &str) -> String {
    line(text, MAX_NAME)
}

/// Whether it overrides the direction of the text after it, so that a text reads as another one.
fn turns(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_day_begins_where_the_user_is_and_has_the_hours_it_has_there() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let hours = |day| {
            let span = Span::Days {
                first: day,
                last: day,
            };
            let (start, end) = span.moments(&zone);
            end.duration_since(start).as_hours()
        };
        assert_eq!(hours(date(2026, 3, 29)), 23, "summer time begins");
        assert_eq!(hours(date(2026, 10, 25)), 25, "summer time ends");
        assert_eq!(hours(date(2026, 11, 20)), 24);
        // There is no midnight: clocks go from 23:59 to 1:00.
        let beirut = TimeZone::get("Asia/Beirut").unwrap();
        let start = midnight(date(2026, 3, 29), &beirut).to_zoned(beirut);
        assert_eq!((start.hour(), start.date()), (1, date(2026, 3, 29)));
    }

    #[test]
    fn an_event_that_is_moved_keeps_its_length() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let meeting = Span::Times {
            start: at("2026-11-20T10:00:00Z"),
            end: at("2026-11-20T11:30:00Z"),
        };
        let moved = meeting.moved_to(Start::Moment(at("2026-11-21T23:00:00Z")));
        assert_eq!(
            moved,
            Span::Times {
                start: at("2026-11-21T23:00:00Z"),
                end: at("2026-11-22T00:30:00Z")
            }
        );
        let trip = Span::Days {
            first: date(2026, 11, 30),
            last: date(2026, 12, 2),
        };
        assert_eq!(
            trip.moved_to(Start::Day(date(2026, 12, 30))),
            Span::Days {
                first: date(2026, 12, 30),
                last: date(2027, 1, 1)
            }
        );
    }

    #[test]
    fn texts_of_others_are_cut_and_stay_on_their_line() {
        assert_eq!(line(" Lunch\r\n\u{0}with  Ann\u{202e} ", 200), "Lunch with Ann");
        assert_eq!(line("abcdef", 6), "abcdef");
        assert_eq!(line("abcdefg", 6), "abcde…");
        assert_eq!(line("ü".repeat(9).as_str(), 3), "üü…");
        assert_eq!(lines("a\r\nb\u{1b}[31m\n", 200), "a\nb[31m");
    }
}
