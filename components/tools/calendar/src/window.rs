//! When somebody would like to meet: "Thursday afternoon", "next week after 3pm", "tomorrow between 9 and 11".
//!
//! A window is read as days and as hours of each day. Where no hours are said, they are the working hours, Monday to
//! Friday; weekends and evenings are meant only when they are named.

use anyturn_days as days;
use jiff::civil::{Date, DateTime, Time};
use jiff::{Timestamp, ToSpan};

use crate::moment::Clock;

/// When people work.
pub const WORK: (Time, Time) = (Time::constant(9, 0, 0, 0), Time::constant(18, 0, 0, 0));
/// How many working days are looked at where no day is said.
const DAYS_AHEAD: usize = 5;
/// The longest window, in days: one request to a calendar service answers for about this long.
const MAX_DAYS: i32 = 62;

/// Stretches of time in which something may lie, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// From a moment to another one.
    pub stretches: Vec<(Timestamp, Timestamp)>,
    /// Whether it has more than one day.
    pub several_days: bool,
}

/// The window that a text names, without what is over. An empty text means the coming working days.
///
/// # Errors
///
/// It names none that is understood, or one that is over; the message is for people and models.
pub fn parse(text: &str, clock: &Clock) -> Result<Window, String> {
    let today = clock.today();
    let lowered = text.to_lowercase().replace([',', '.', '?', '!'], " ");
    let mut words: Vec<&str> = lowered.split_whitespace().collect();
    let hours = take_hours(&mut words);
    words.retain(|word| !FILLERS.contains(word));
    if words == ["this"] {
        words = vec!["today"];
    }
    let wanted = words.join(" ");
    let (dates, by_name) = if wanted.is_empty() {
        (coming(today), false)
    } else {
        dates(&wanted, today).map_err(|()| unclear(text))?
    };
    let (from, to) = hours.unwrap_or(WORK);
    let stretches: Vec<_> = dates
        .iter()
        .filter(|date| by_name || is_working_day(**date))
        .filter_map(|date| {
            // What ends before it begins goes on after midnight.
            let end = if to > from {
                *date
            } else {
                date.saturating_add(1.day())
            };
            let start = clock.moment(date.to_datetime(from)).max(clock.now);
            let end = clock.moment(DateTime::from_parts(end, to));
            (start < end).then_some((start, end))
        })
        .collect();
    if stretches.is_empty() {
        return Err(format!(
            "“{}” is over, or has no working hours; name a later time.",
            excerpt(text)
        ));
    }
    Ok(Window {
        several_days: stretches.len() > 1,
        stretches,
    })
}

/// Words that say nothing about when.
const FILLERS: [&str; 14] = [
    "sometime", "anytime", "some", "any", "time", "at", "in", "the", "on", "for", "during", "maybe", "hours",
    "of",
];

fn unclear(text: &str) -> String {
    format!(
        "“{}” is no time that is understood here; write it as a day and hours, such as “2026-11-26 afternoon”, \
         “tomorrow between 9:00 and 11:00” or “next week”.",
        excerpt(text)
    )
}

fn excerpt(text: &str) -> String {
    text.trim().chars().take(80).collect()
}

/// The days of a text, and whether they are named one by one, so that a weekend is meant where one is.
fn dates(text: &str, today: Date) -> Result<(Vec<Date>, bool), ()> {
    let mut all = Vec::new();
    let mut by_name = true;
    for part in text.split(" or ") {
        let (first, last) = match days::parse_range(part, today) {
            Ok(range) => range,
            // "monday and tuesday" is no range, but "monday" alone is one.
            Err(_) => {
                for one in part.split(" and ") {
                    all.push(days::parse(one, today).map_err(drop)?);
                }
                continue;
            }
        };
        let length = first.until(last).map_or(i32::MAX, |span| span.get_days());
        if length >= MAX_DAYS {
            return Err(());
        }
        by_name &= length == 0 || part.contains("weekend");
        all.extend((0..=length).map(|ahead| first.saturating_add(ahead.days())));
    }
    all.sort_unstable();
    all.dedup();
    Ok((all, by_name))
}

fn coming(today: Date) -> Vec<Date> {
    (0..)
        .map(|ahead: i32| today.saturating_add(ahead.days()))
        .filter(|date| is_working_day(*date))
        .take(DAYS_AHEAD + 1)
        .collect()
}

fn is_working_day(date: Date) -> bool {
    date.weekday().to_monday_zero_offset() < 5
}

/// Takes the words that say hours away.
fn take_hours(words: &mut Vec<&str>) -> Option<(Time, Time)> {
    for at in 0..words.len() {
        let Some(rest) = words.get(at..) else { break };
        if let Some((length, hours)) = hours(rest) {
            words.drain(at..at + length);
            // A part of the day beside it says which half of it is meant at most.
            words.retain(|word| part_of_day(word).is_none());
            return Some(hours);
        }
    }
    let at = words.iter().position(|word| part_of_day(word).is_some())?;
    let (mut from, mut to) = part_of_day(words.get(at)?)?;
    let middle = plus_hours(from, (to.hour() - from.hour()) / 2);
    if words.contains(&"early") {
        to = middle;
    } else if words.contains(&"late") {
        from = middle;
    }
    if words.remove(at) == "tonight" {
        words.push("today");
    }
    words.retain(|word| !matches!(*word, "early" | "late"));
    Some((from, to))
}

/// The hours of a part of the day.
fn part_of_day(word: &str) -> Option<(Time, Time)> {
    let (from, to) = match word {
        "morning" | "mornings" => (WORK.0.hour(), 12),
        "noon" | "midday" | "lunch" | "lunchtime" => (12, 14),
        "afternoon" | "afternoons" => (12, WORK.1.hour()),
        "evening" | "evenings" | "tonight" => (18, 21),
        _ => return None,
    };
    Some((Time::new(from, 0, 0, 0).ok()?, Time::new(to, 0, 0, 0).ok()?))
}

/// Hours at the beginning of some words, and how many words that takes.
fn hours(words: &[&str]) -> Option<(usize, (Time, Time))> {
    let (first, rest) = words.split_first()?;
    match *first {
        "after" | "from" | "since" | "between" => {
            let (one, from) = time(rest)?;
            let rest = rest.get(one..)?;
            let joint = ["and", "to", "until", "till", "-", "–"];
            if let Some((_, rest)) = rest.split_first().filter(|(word, _)| joint.contains(word))
                && let Some((two, to)) = time(rest)
            {
                return Some((2 + one + two, (same_half(from, to, words), to)));
            }
            (*first != "between").then_some((
                1 + one,
                (
                    from,
                    if from < WORK.1 {
                        WORK.1
                    } else {
                        plus_hours(from, 3)
                    },
                ),
            ))
        }
        "before" | "until" | "till" | "by" => {
            let (one, to) = time(rest)?;
            Some((
                1 + one,
                (if to > WORK.0 { WORK.0 } else { minus_hours(to, 3) }, to),
            ))
        }
        // "14:00-16:00"
        range => {
            let (from, to) = range.split_once(['-', '–'])?;
            let (from, to) = (time(&[from])?.1, time(&[to])?.1);
            Some((1, (same_half(from, to, words), to)))
        }
    }
}

/// "Between 2 and 4pm" means 14:00.
fn same_half(from: Time, to: Time, words: &[&str]) -> Time {
    let said_pm = words.iter().take(6).filter(|word| word.ends_with("pm")).count() == 1;
    let later = plus_hours(from, 12);
    if said_pm
        && from.hour() < 12
        && to.hour() >= 12
        && later < to
        && !words.iter().any(|word| word.ends_with("am"))
    {
        later
    } else {
        from
    }
}

fn plus_hours(time: Time, hours: i8) -> Time {
    time.saturating_add(hours.hours())
}

fn minus_hours(time: Time, hours: i8) -> Time {
    time.saturating_sub(hours.hours())
}

/// A time of day at the beginning of some words: "3pm", "3 pm", "15:00", "15", "noon". Small numbers alone are
/// hours of the afternoon, as people who say "after 3" mean them.
fn time(words: &[&str]) -> Option<(usize, Time)> {
    let (first, rest) = words.split_first()?;
    match *first {
        "noon" | "midday" => return Some((1, Time::constant(12, 0, 0, 0))),
        "midnight" => return Some((1, Time::midnight())),
        _ => {}
    }
    let digits = first.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let (half, length) = match (first.get(digits.len()..)?, rest.first()) {
        ("", Some(&half @ ("am" | "pm"))) => (half, 2),
        (half, _) => (half, 1),
    };
    let (hour, minute) = digits.split_once(':').unwrap_or((digits, "0"));
    let (hour, minute): (i8, i8) = (hour.parse().ok()?, minute.parse().ok()?);
    let hour = match half {
        "am" if (1..=12).contains(&hour) => hour % 12,
        "pm" if (1..=12).contains(&hour) => hour % 12 + 12,
        "h" => hour,
        "" if digits.contains(':') || hour >= 8 => hour,
        "" => hour + 12,
        _ => return None,
    };
    Time::new(hour, minute, 0, 0).ok().map(|time| (length, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Friday, 20 November 2026, 11:00 in Berlin.
    fn clock() -> Clock {
        Clock::new("2026-11-20T10:00:00Z".parse().unwrap(), Some("Europe/Berlin"))
    }

    fn read(text: &str) -> Vec<String> {
        let clock = clock();
        let window = parse(text, &clock).unwrap_or_else(|error| panic!("{text}: {error}"));
        window
            .stretches
            .iter()
            .map(|(from, to)| {
                let (from, to) = (clock.local(*from), clock.local(*to));
                format!("{} {}", from.strftime("%d %H:%M"), to.strftime("%d %H:%M"))
            })
            .collect()
    }

    #[test]
    fn windows_are_understood_as_people_say_them() {
        for (text, stretches) in [
            ("Thursday afternoon", &["26 12:00 26 18:00"][..]),
            ("on Thursday in the afternoon", &["26 12:00 26 18:00"]),
            ("tomorrow between 9 and 11", &["21 09:00 21 11:00"]),
            ("Monday between 2 and 4pm", &["23 14:00 23 16:00"]),
            ("Monday 14:00-16:00", &["23 14:00 23 16:00"]),
            ("Monday from 10 to noon", &["23 10:00 23 12:00"]),
            ("Monday after 3", &["23 15:00 23 18:00"]),
            ("Monday before 10am", &["23 09:00 23 10:00"]),
            ("Monday before 8:00", &["23 05:00 23 08:00"]),
            ("monday evening", &["23 18:00 23 21:00"]),
            ("monday late afternoon", &["23 15:00 23 18:00"]),
            ("early monday morning", &["23 09:00 23 10:00"]),
            ("this afternoon", &["20 12:00 20 18:00"]),
            ("tonight", &["20 18:00 20 21:00"]),
            ("today", &["20 11:00 20 18:00"]),
            ("saturday", &["21 09:00 21 18:00"]),
            ("monday between 22:00 and 2:00", &["23 22:00 24 02:00"]),
            (
                "monday or wednesday morning",
                &["23 09:00 23 12:00", "25 09:00 25 12:00"],
            ),
            ("monday and tuesday", &["23 09:00 23 18:00", "24 09:00 24 18:00"]),
            ("2026-12-01", &["01 09:00 01 18:00"]),
            (
                "next week after 4pm",
                &[
                    "23 16:00 23 18:00",
                    "24 16:00 24 18:00",
                    "25 16:00 25 18:00",
                    "26 16:00 26 18:00",
                    "27 16:00 27 18:00",
                ],
            ),
            ("this weekend", &["21 09:00 21 18:00", "22 09:00 22 18:00"]),
        ] {
            assert_eq!(read(text), stretches, "{text}");
        }
    }

    #[test]
    fn without_a_day_it_is_the_coming_working_days() {
        let days = read("");
        assert_eq!(days.len(), 6);
        assert_eq!(
            days.first().map(String::as_str),
            Some("20 11:00 20 18:00"),
            "not what is over"
        );
        assert_eq!(
            days.get(1).map(String::as_str),
            Some("23 09:00 23 18:00"),
            "no weekend"
        );
        assert_eq!(read("any afternoon").len(), 6);
    }

    #[test]
    fn what_is_over_or_no_time_is_refused() {
        let clock = clock();
        assert_eq!(
            parse("this morning before 10am", &clock).unwrap_err(),
            "“this morning before 10am” is over, or has no working hours; name a later time."
        );
        for text in ["soonish", "thursday at dawn", "the next 90 days"] {
            let refused = parse(text, &clock).unwrap_err();
            assert!(
                refused.contains("is no time that is understood here"),
                "{text}: {refused}"
            );
        }
    }

    #[test]
    fn a_window_across_the_end_of_summer_time_is_an_hour_longer() {
        let clock = Clock::new("2026-10-20T10:00:00Z".parse().unwrap(), Some("Europe/Berlin"));
        let window = parse("2026-10-24 from 22:00 to 6:00", &clock).unwrap();
        let (from, to) = window.stretches[0];
        assert_eq!(to.duration_since(from).as_hours(), 9);
    }
}
