//! Dates and times of day by the calendar and the clock: weekdays, "24 December", `12/24`, "5pm".

use jiff::{
    ToSpan,
    civil::{Date, Time, Weekday},
};

use super::{
    dates::When,
    numbers,
    words::{Gap, Word},
};

/// A weekday by its name.
pub fn weekday(word: &Word<'_>) -> Option<Weekday> {
    const NAMES: [(&[&str], Weekday); 7] = [
        (&["monday", "mon", "mondays"], Weekday::Monday),
        (&["tuesday", "tue", "tues"], Weekday::Tuesday),
        (&["wednesday", "wed"], Weekday::Wednesday),
        (&["thursday", "thu", "thur", "thurs"], Weekday::Thursday),
        (&["friday", "fri"], Weekday::Friday),
        // "sat" and "sun" are words of their own.
        (&["saturday"], Weekday::Saturday),
        (&["sunday"], Weekday::Sunday),
    ];
    NAMES
        .iter()
        .find(|(names, _)| word.is_any(names))
        .map(|(_, weekday)| *weekday)
}

fn month(word: &Word<'_>) -> Option<i8> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let text = word.text;
    let known = |name: &&str| {
        name.eq_ignore_ascii_case(text) || (text.len() >= 3 && starts_with(name, text) && text.len() <= 4)
    };
    NAMES
        .iter()
        .position(known)
        .and_then(|at| i8::try_from(at + 1).ok())
}

fn starts_with(name: &str, text: &str) -> bool {
    name.get(..text.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(text))
}

/// "24 December 2026", "December 24th", "24th of Dec", "2026-12-24", "12/24", "24.12."
pub fn calendar(words: &[Word<'_>], today: Date) -> Option<(usize, When, bool)> {
    let (first, rest) = words.split_first()?;
    if let Some(date) = numeric(first.text, today) {
        return Some((1, When::Day(date), true));
    }
    let second = rest.first().filter(|word| word.gap == Gap::None);
    if let Some(month) = month(first) {
        // "may" and "march" are words too: a day has to follow, and that is certain.
        let day = ordinal(second?.text)?.0;
        let (year, taken) = year(rest.get(1..).unwrap_or_default());
        return dated(year, month, day, today).map(|date| (2 + taken, When::Day(date), true));
    }
    let (day, _) = ordinal(first.text)?;
    let of = usize::from(second?.is("of"));
    let named = rest.get(of).filter(|word| word.gap == Gap::None);
    if let Some(month) = named.and_then(month) {
        let (year, taken) = year(rest.get(of + 1..).unwrap_or_default());
        return dated(year, month, day, today).map(|date| (2 + of + taken, When::Day(date), true));
    }
    None
}

/// "the 24th": the next day of a month with this number.
pub fn day_of_month(words: &[Word<'_>], today: Date) -> Option<Date> {
    let (day, is_ordinal) = ordinal(words.first()?.text)?;
    is_ordinal.then_some(())?;
    (0..12)
        .filter_map(|ahead| {
            let month = today
                .first_of_month()
                .checked_add(i64::from(ahead).months())
                .ok()?;
            Date::new(month.year(), month.month(), day).ok()
        })
        .find(|date| *date >= today)
}

/// A year, possibly after a comma, and how many words that takes.
fn year(words: &[Word<'_>]) -> (Option<i16>, usize) {
    let year = words
        .first()
        .filter(|word| word.gap != Gap::Sentence && word.text.len() == 4)
        .and_then(|word| word.text.parse().ok())
        .filter(|year| (1900..=2200).contains(year));
    (year, usize::from(year.is_some()))
}

/// "24", "24th": the number, and whether it is an ordinal.
fn ordinal(text: &str) -> Option<(i8, bool)> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let ending = text.get(digits.len()..)?;
    let is_ordinal = ["st", "nd", "rd", "th"]
        .iter()
        .any(|own| own.eq_ignore_ascii_case(ending));
    let day = digits.parse().ok().filter(|day| (1..=31).contains(day))?;
    (ending.is_empty() || is_ordinal).then_some((day, is_ordinal))
}

/// A date with or without a year; without one, the next such day.
fn dated(year: Option<i16>, month: i8, day: i8, today: Date) -> Option<Date> {
    match year {
        Some(year) => Date::new(year, month, day).ok(),
        // 29 February may be years away.
        None => (0..=8)
            .filter_map(|ahead| Date::new(today.year() + ahead, month, day).ok())
            .find(|date| *date >= today),
    }
}

fn numeric(text: &str, today: Date) -> Option<Date> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let separator = text.chars().find(|c| !c.is_ascii_digit())?;
    let mut parts = text.split(separator);
    let (a, b, c) = (
        parts.next()?,
        parts.next()?,
        parts.next().filter(|c| !c.is_empty()),
    );
    if parts.next().is_some() {
        return None;
    }
    let number = |text: &str| text.parse::<i8>().ok();
    let full_year = |text: &str| match text.len() {
        4 => text.parse().ok(),
        2 => text.parse::<i16>().ok().map(|year| 2000 + year),
        _ => None,
    };
    let optional_year = match c {
        Some(c) => Some(full_year(c)?),
        None => None,
    };
    match separator {
        '-' if a.len() == 4 => Date::new(a.parse().ok()?, number(b)?, number(c?)?).ok(),
        '/' if a.len() == 4 => Date::new(a.parse().ok()?, number(b)?, number(c?)?).ok(),
        '/' => {
            let (a, b) = (number(a)?, number(b)?);
            dated(optional_year, a, b, today).or_else(|| dated(optional_year, b, a, today))
        }
        // Without a year it looks like a decimal.
        '.' => dated(Some(optional_year?), number(b)?, number(a)?, today),
        _ => None,
    }
}

/// A time of day at the beginning of `words`: "5pm", "5 pm", "17:30", "at 9", "noon".
pub fn time_of_day(words: &[Word<'_>]) -> Option<(usize, Time)> {
    let (first, rest) = words.split_first()?;
    if first.is("at") {
        let (length, time) = match time_of_day(rest) {
            Some(found) => found,
            None => (
                1,
                Time::new(i8::try_from(numbers::integer(rest.first()?)?).ok()?, 0, 0, 0).ok()?,
            ),
        };
        return Some((1 + length, time));
    }
    if first.is("noon") {
        return Some((1, Time::constant(12, 0, 0, 0)));
    }
    if first.is("midnight") {
        return Some((1, Time::midnight()));
    }
    let digits = first.text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (half, length) = match first.text.get(digits.len()..)? {
        "" => match rest.first() {
            Some(half) if half.is_any(&["am", "pm"]) => (half.text, 2),
            _ => ("", 1),
        },
        half => (half, 1),
    };
    let (hour, minute) = digits.split_once(':').unwrap_or((digits, ""));
    let hour: i8 = hour.parse().ok()?;
    let (hour, minute) = match (half.to_ascii_lowercase().as_str(), minute) {
        ("am", minute) if (1..=12).contains(&hour) => (hour % 12, minute),
        ("pm", minute) if (1..=12).contains(&hour) => (hour % 12 + 12, minute),
        ("", minute) if !minute.is_empty() => (hour, minute),
        _ => return None,
    };
    let minute = if minute.is_empty() {
        0
    } else {
        minute.parse().ok()?
    };
    Time::new(hour, minute, 0, 0).ok().map(|time| (length, time))
}
