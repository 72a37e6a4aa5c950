//! Moments as models write them and as people read them, in the user's time zone.

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan, Zoned};

use crate::event::{Span, Start};
use anyturn_days as days;

/// Where and when the user is.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The user's time zone.
    pub zone: TimeZone,
    /// When the request came.
    pub now: Timestamp,
}

impl Clock {
    /// In a time zone by its IANA name; in UTC where it is unknown or none.
    pub fn new(now: Timestamp, timezone: Option<&str>) -> Clock {
        let zone = timezone
            .and_then(|name| TimeZone::get(name).ok())
            .unwrap_or(TimeZone::UTC);
        Clock { zone, now }
    }

    /// The user's day.
    pub fn today(&self) -> Date {
        self.local(self.now).date()
    }

    /// A moment by the user's clock.
    pub fn local(&self, moment: Timestamp) -> Zoned {
        moment.to_zoned(self.zone.clone())
    }

    /// The moment at which the user's clock shows this. Where it shows it twice, because summer time ends, the first
    /// time; where it never does, because summer time begins, as much later as it is put forward.
    pub fn moment(&self, civil: DateTime) -> Timestamp {
        self.zone
            .to_zoned(civil)
            .map_or(Timestamp::MAX, |zoned| zoned.timestamp())
    }

    /// The zone's name, as results tell it.
    pub fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The beginning that a text names: a day (`2026-11-26`, "tomorrow") or a moment (`2026-11-26T15:00`, with an
    /// offset or without one, which is the user's clock).
    ///
    /// An offset that is the user's now, and is not at that time, because summer time begins or ends in between, is
    /// a slip: "15:00 on the first of April" means that clock.
    ///
    /// # Errors
    ///
    /// It names none that is understood; the message is for people and models.
    pub fn start(&self, field: &str, text: &str) -> Result<Start, String> {
        let text = text.trim();
        if let Ok(pieces) = Pieces::parse(text)
            && let Some(time) = pieces.time()
        {
            let civil = pieces.date().to_datetime(time);
            return Ok(Start::Moment(match pieces.to_numeric_offset() {
                Some(offset) => self.instant(civil, offset),
                None => self.moment(civil),
            }));
        }
        days::parse(text, self.today()).map(Start::Day).map_err(|_| {
            let text: String = text.chars().take(60).collect();
            format!("{field}: “{text}” is no date and time; write it as 2026-11-26T15:00, or as 2026-11-26 for a whole day.")
        })
    }

    fn instant(&self, civil: DateTime, offset: Offset) -> Timestamp {
        let exact = offset.to_timestamp(civil).unwrap_or(Timestamp::MAX);
        let is_here_now = offset == self.zone.to_offset(self.now);
        if is_here_now && offset != self.zone.to_offset(exact) {
            self.moment(civil)
        } else {
            exact
        }
    }

    /// A moment as results tell it: RFC 3339, by the user's clock.
    pub fn written(&self, moment: Timestamp) -> String {
        let zoned = self.local(moment);
        format!("{}", moment.display_with_offset(zoned.offset()))
    }

    /// When something is, for people: "tomorrow, Saturday, 21 November, 09:30–10:00".
    pub fn told(&self, span: &Span) -> String {
        let today = self.today();
        match *span {
            Span::Days { first, last } if first == last => days::describe(first, today),
            Span::Days { first, last } => {
                format!(
                    "{} to {}",
                    days::describe(first, today),
                    days::describe(last, today)
                )
            }
            Span::Times { start, .. } => {
                let day = days::describe(self.local(start).date(), today);
                format!("{day}, {}", self.hours(span))
            }
        }
    }

    /// The hours of something, for people: "09:30–10:00", "all day", "23:00–01:00 (Saturday, 21 November)".
    pub fn hours(&self, span: &Span) -> String {
        let Span::Times { start, end } = *span else {
            return "all day".to_owned();
        };
        let (start, end) = (self.local(start), self.local(end));
        let mut text = format!("{}–{}", hour(start.time()), hour(end.time()));
        let is_next_midnight =
            end.time() == Time::midnight() && start.date().saturating_add(1.day()) == end.date();
        if end.date() != start.date() && !is_next_midnight {
            text.extend([" (", &days::describe(end.date(), self.today()), ")"]);
        }
        text
    }
}

/// "09:30".
fn hour(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn berlin(now: &str) -> Clock {
        Clock::new(now.parse().unwrap(), Some("Europe/Berlin"))
    }

    fn at(text: &str) -> Start {
        Start::Moment(text.parse().unwrap())
    }

    #[test]
    fn a_beginning_is_read_by_the_users_clock() {
        let clock = berlin("2026-11-20T10:00:00Z");
        for (text, meant) in [
            ("2026-11-26T15:00", at("2026-11-26T14:00:00Z")),
            ("2026-11-26 15:00:00", at("2026-11-26T14:00:00Z")),
            ("2026-11-26T15:00:00+01:00", at("2026-11-26T14:00:00Z")),
            ("2026-11-26T15:00:00Z", at("2026-11-26T15:00:00Z")),
            ("2026-11-26T09:00:00-05:00", at("2026-11-26T14:00:00Z")),
            ("2026-11-26", Start::Day(date(2026, 11, 26))),
            ("tomorrow", Start::Day(date(2026, 11, 21))),
        ] {
            assert_eq!(clock.start("start", text), Ok(meant), "{text}");
        }
        let refused = clock.start("start", "soon").unwrap_err();
        assert_eq!(
            refused,
            "start: “soon” is no date and time; write it as 2026-11-26T15:00, or as 2026-11-26 for a whole day."
        );
    }

    #[test]
    fn a_time_beyond_a_change_of_the_clock_is_what_the_clock_will_show() {
        let clock = berlin("2026-03-20T10:00:00Z");
        // Written with the offset of today, in winter, about a day in summer.
        assert_eq!(
            clock.start("start", "2026-04-01T15:00:00+01:00"),
            Ok(at("2026-04-01T13:00:00Z"))
        );
        assert_eq!(
            clock.start("start", "2026-04-01T15:00:00+02:00"),
            Ok(at("2026-04-01T13:00:00Z"))
        );
        assert_eq!(
            clock.start("start", "2026-04-01T15:00:00Z"),
            Ok(at("2026-04-01T15:00:00Z"))
        );
        // 2:30 does not exist that night, and exists twice in October.
        assert_eq!(
            clock.start("start", "2026-03-29T02:30"),
            Ok(at("2026-03-29T01:30:00Z"))
        );
        assert_eq!(
            clock.start("start", "2026-10-25T02:30"),
            Ok(at("2026-10-25T00:30:00Z"))
        );
        assert_eq!(
            clock.start("start", "2026-10-25T02:30+01:00"),
            Ok(at("2026-10-25T01:30:00Z"))
        );
    }

    #[test]
    fn times_are_told_as_the_users_clock_shows_them() {
        let clock = berlin("2026-11-20T10:00:00Z");
        let told = |start: &str, end: &str| {
            clock.told(&Span::Times {
                start: start.parse().unwrap(),
                end: end.parse().unwrap(),
            })
        };
        assert_eq!(
            told("2026-11-21T08:30:00Z", "2026-11-21T08:45:00Z"),
            "tomorrow, Saturday, 21 November, 09:30–09:45"
        );
        assert_eq!(
            told("2026-11-26T22:00:00Z", "2026-11-27T00:30:00Z"),
            "Thursday, 26 November, 23:00–01:30 (Friday, 27 November)"
        );
        assert_eq!(
            told("2026-11-26T21:00:00Z", "2026-11-26T23:00:00Z"),
            "Thursday, 26 November, 22:00–00:00"
        );
        assert_eq!(
            clock.written("2026-07-01T10:00:00Z".parse().unwrap()),
            "2026-07-01T12:00:00+02:00"
        );
        let days = Span::Days {
            first: date(2026, 11, 21),
            last: date(2026, 11, 23),
        };
        assert_eq!(
            clock.told(&days),
            "tomorrow, Saturday, 21 November to Monday, 23 November"
        );
        assert_eq!(clock.hours(&days), "all day");
    }
}
