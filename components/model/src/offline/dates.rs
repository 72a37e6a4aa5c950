//! Dates as people say them, relative to the user's local time.
//!
//! - A bare weekday is the next one after today; "this Friday" is the one of the present week, which begins
//!   on Monday (and today, if it is Friday); "next Friday" is the one of next week.
//! - A day and month without a year are the next such day, today included.
//! - `12/24` is read the American way, unless only the other way makes a date;
//!   `24.12.2026` is the European way.
//! - "next week" is Monday to Sunday, "the weekend" Saturday and Sunday, "overdue" everything before today.

use jiff::{
    ToSpan,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, TimeZone},
};

use super::{
    calendar::{calendar, day_of_month, weekday},
    numbers,
    words::{Gap, Kind, Word},
};

/// When it is for the user.
#[derive(Clone, Debug, PartialEq)]
pub struct Now {
    /// Local date and time.
    pub local: DateTime,
    /// The offset as RFC 3339 writes it: `Z`, `+01:00`.
    pub offset: String,
    /// The time zone, if it is known: at other times its offset may be another one.
    pub zone: Option<TimeZone>,
}

impl Now {
    /// Reads an RFC 3339 time with its offset, and its zone if that is named (RFC 9557).
    pub fn parse(text: &str) -> Option<Self> {
        let (text, zone) = match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
            Some((time, name)) => (time, anyturn_zones::find(name)),
            None => (text, None),
        };
        // The library's own parser knows all of ISO 8601, and is as large as all the rest of this.
        let [date, time] = [text.get(..10)?, text.get(11..19)?];
        let mut date = date.split('-');
        let mut time = time.split(':');
        let local = DateTime::new(
            date.next()?.parse().ok()?,
            date.next()?.parse().ok()?,
            date.next()?.parse().ok()?,
            time.next()?.parse().ok()?,
            time.next()?.parse().ok()?,
            time.next()?.parse().ok()?,
            0,
        )
        .ok()?;
        let offset = text
            .get(19..)?
            .trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
        let fits = matches!(offset.as_bytes(), [b'Z' | b'z'] | [b'+' | b'-', _, _, b':', _, _]);
        fits.then(|| Self {
            local,
            offset: offset.to_ascii_uppercase(),
            zone,
        })
    }

    /// The offset at another time by the user's clock. Of a time that the clock shows twice, the first one's; of one that
    /// it leaves out, the one from before.
    pub fn offset_at(&self, local: DateTime) -> String {
        let Some(zone) = &self.zone else {
            return self.offset.clone();
        };
        let (AmbiguousOffset::Unambiguous { offset }
        | AmbiguousOffset::Gap { before: offset, .. }
        | AmbiguousOffset::Fold { before: offset, .. }) = zone.to_ambiguous_timestamp(local).offset();
        anyturn_zones::written(offset)
    }

    fn today(&self) -> Date {
        self.local.date()
    }
}

/// A date found in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Index of the first word, "by" of "by Friday".
    pub start: usize,
    /// Index of the first word of the date itself.
    pub core: usize,
    /// Index after the last word.
    pub end: usize,
    /// What it means.
    pub when: When,
    /// How the day bounds a time, if a word said so.
    pub bound: Bound,
    /// Whether it is a date wherever it stands. A weekday is not ("the Friday meeting").
    pub certain: bool,
}

/// What is meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// A day.
    Day(Date),
    /// A moment.
    Moment(DateTime),
    /// From a day to a day, both included.
    Range(Date, Date),
    /// Any day before this one.
    Before(Date),
}

/// How a day bounds a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// On the day.
    On,
    /// Until the day, included: "by", "until", "to".
    Until,
    /// Before the day.
    Before,
    /// From the day on: "from", "since".
    From,
    /// After the day.
    After,
}

/// Finds every date of a text, in order.
pub fn find(words: &[Word<'_>], now: &Now) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = words.get(at..).filter(|rest| !rest.is_empty()) {
        match expression(rest, now) {
            Some((length, when, certain)) => {
                let least = found.last().map_or(0, |last: &Found| last.end);
                let (start, bound, introduced) = introduced(words, at, least);
                found.push(Found {
                    start,
                    core: at,
                    end: at + length,
                    when,
                    bound,
                    certain: certain || introduced,
                });
                at += length;
            }
            None => at += 1,
        }
    }
    found
}

/// The words before a date that belong to it: "due by Friday", and whether they make it certainly one. Not
/// before `least`.
fn introduced(words: &[Word<'_>], at: usize, least: usize) -> (usize, Bound, bool) {
    let mut start = at;
    let mut bound = Bound::On;
    let mut certain = false;
    while start > least {
        let Some([word, next]) = words.get(start - 1..=start) else {
            break;
        };
        if next.gap != Gap::None {
            break;
        }
        match word {
            word if word.is_any(&["by", "until", "till"]) => bound = Bound::Until,
            word if word.is("before") => bound = Bound::Before,
            word if word.is("after") => bound = Bound::After,
            // "between Monday and Friday"
            word if word.is("and") && start - 1 == least && least > 0 => {
                return (start - 1, Bound::Until, true);
            }
            word if word.is_any(&["from", "since", "starting", "between"]) => bound = Bound::From,
            word if word.is("to") => bound = Bound::Until,
            word if word.is_any(&["on", "due"]) => {}
            word if word.is_any(&["for", "at", "the"]) => {
                start -= 1;
                continue;
            }
            _ => break,
        }
        certain |= !word.is("to");
        start -= 1;
    }
    (start, bound, certain)
}

/// A date at the beginning of `words`: how many words it takes, what it means, and whether it is certain.
fn expression(words: &[Word<'_>], now: &Now) -> Option<(usize, When, bool)> {
    let today = now.today();
    let (first, rest) = words.split_first()?;
    if first.kind != Kind::Plain {
        return None;
    }
    let day = |days: i64| today.checked_add(days.days()).ok().map(When::Day);
    let second = rest.first().filter(|word| word.gap == Gap::None);
    let certain = |length, when: Option<When>| when.map(|when| (length, when, true));

    if first.is_any(&["today", "tonight"]) {
        return certain(1, day(0));
    }
    if first.is("tomorrow") {
        return certain(1, day(1));
    }
    if first.is("yesterday") {
        return certain(1, day(-1));
    }
    if first.is("overdue") {
        return Some((1, When::Before(today), true));
    }
    if first.is("day") && starts(rest, &["after", "tomorrow"]) {
        return certain(3, day(2));
    }
    if first.is("weekend") {
        return Some((1, weekend(today, 0)?, true));
    }
    if first.is("end")
        && let Some(taken) = end_of(rest)
        && let Some((length, when)) = rest.get(taken..).and_then(|unit| period(unit, today))
        && let When::Range(_, last) = when
    {
        return Some((1 + taken + length, When::Day(last), true));
    }
    if first.is_any(&["this", "next", "last", "coming"]) {
        let when = relative(first, second?, today)?;
        return Some((2, when, true));
    }
    if first.is("in") {
        return within(rest, now).map(|(length, when)| (1 + length, when, true));
    }
    if let Some(weekday) = weekday(first) {
        let ahead = i64::from(today.weekday().until(weekday));
        return day(if ahead == 0 { 7 } else { ahead }).map(|when| (1, when, false));
    }
    if first.is("the") {
        return match expression(rest, now) {
            Some((length, when, certain)) => Some((1 + length, when, certain)),
            None => day_of_month(rest, today).map(|date| (2, When::Day(date), false)),
        };
    }
    calendar(words, today)
}

fn starts(words: &[Word<'_>], texts: &[&str]) -> bool {
    words.len() >= texts.len()
        && words
            .iter()
            .zip(texts)
            .all(|(word, text)| word.gap == Gap::None && word.is(text))
}

/// "of the", "of".
fn end_of(words: &[Word<'_>]) -> Option<usize> {
    match words {
        words if starts(words, &["of", "the"]) => Some(2),
        words if starts(words, &["of"]) => Some(1),
        _ => None,
    }
}

/// "week", "month", "year", "this week", "next month".
fn period(words: &[Word<'_>], today: Date) -> Option<(usize, When)> {
    let (first, rest) = words.split_first()?;
    if first.is_any(&["this", "next"]) {
        return relative(first, rest.first()?, today).map(|when| (2, when));
    }
    unit_range(first, today, 0).map(|when| (1, when))
}

/// "next Friday", "this week", "last month".
fn relative(which: &Word<'_>, what: &Word<'_>, today: Date) -> Option<When> {
    let ahead = match which {
        which if which.is("next") => 1,
        which if which.is("last") => -1,
        _ => 0,
    };
    if what.is("weekend") {
        return weekend(today, ahead);
    }
    if let Some(weekday) = weekday(what) {
        // The coming one is the next there is; the others belong to a week.
        if which.is("coming") {
            let days = i64::from(today.weekday().until(weekday));
            return today
                .checked_add(if days == 0 { 7 } else { days }.days())
                .ok()
                .map(When::Day);
        }
        let days = i64::from(weekday.to_monday_zero_offset()) + ahead * 7;
        return monday(today)?.checked_add(days.days()).ok().map(When::Day);
    }
    unit_range(what, today, ahead)
}

fn monday(date: Date) -> Option<Date> {
    date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days())
        .ok()
}

fn weekend(today: Date, ahead: i64) -> Option<When> {
    let saturday = monday(today)?.checked_add((5 + ahead * 7).days()).ok()?;
    Some(When::Range(saturday, saturday.tomorrow().ok()?))
}

fn unit_range(unit: &Word<'_>, today: Date, ahead: i64) -> Option<When> {
    if unit.is("week") {
        let first = monday(today)?.checked_add((ahead * 7).days()).ok()?;
        return Some(When::Range(first, first.checked_add(6.days()).ok()?));
    }
    if unit.is("month") {
        let first = today.first_of_month().checked_add(ahead.months()).ok()?;
        return Some(When::Range(first, first.last_of_month()));
    }
    if unit.is("year") {
        let first = today.first_of_year().checked_add(ahead.years()).ok()?;
        return Some(When::Range(first, first.last_of_year()));
    }
    None
}

/// After "in": "3 days", "a week", "two hours", "half an hour".
fn within(words: &[Word<'_>], now: &Now) -> Option<(usize, When)> {
    let (count, unit) = words.split_first()?;
    let unit = unit.first().filter(|unit| unit.gap == Gap::None)?;
    let count = match count {
        count if count.is_any(&["a", "an"]) => 1,
        count => numbers::integer(count).filter(|count| (0..=10_000).contains(count))?,
    };
    let today = now.today();
    let day = match unit {
        unit if unit.is_any(&["day", "days"]) => today.checked_add(count.days()),
        unit if unit.is_any(&["week", "weeks"]) => today.checked_add(count.weeks()),
        unit if unit.is_any(&["month", "months"]) => today.checked_add(count.months()),
        unit if unit.is_any(&["year", "years"]) => today.checked_add(count.years()),
        unit => {
            let moment = match unit {
                unit if unit.is_any(&["hour", "hours"]) => now.local.checked_add(count.hours()),
                unit if unit.is_any(&["minute", "minutes", "min", "mins"]) => {
                    now.local.checked_add(count.minutes())
                }
                _ => return None,
            };
            return moment.ok().map(|moment| (2, When::Moment(moment)));
        }
    };
    day.ok().map(|day| (2, When::Day(day)))
}

#[cfg(test)]
#[path = "dates_tests.rs"]
mod tests;
