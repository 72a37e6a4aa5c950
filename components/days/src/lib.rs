//! Days, as people say and read them.
//!
//! Models are told to write ISO dates and mostly do. Where they pass a person's words on, the common ones are
//! understood here, in the person's own time zone.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use std::fmt::Write as _;

const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The day it is for somebody in this time zone; in UTC where the zone is unknown or none.
pub fn today(now: Timestamp, timezone: Option<&str>) -> Date {
    let zone = timezone
        .and_then(|name| TimeZone::get(name).ok())
        .unwrap_or(TimeZone::UTC);
    now.to_zoned(zone).date()
}

/// The day that a text names.
///
/// # Errors
///
/// It names none that is understood; the message is for people and models.
pub fn parse(text: &str, today: Date) -> Result<Date, String> {
    let words = text.trim().to_lowercase();
    let words = words
        .trim_start_matches("on ")
        .trim_start_matches("by ")
        .trim_start_matches("until ")
        .trim();
    iso(words)
        .or_else(|| relative(words, today))
        .or_else(|| weekday(words, today))
        .or_else(|| spelled(words, today))
        .ok_or_else(|| {
            format!(
                "“{}” is no day that is understood here; write it as YYYY-MM-DD.",
                excerpt(text)
            )
        })
}

/// The days that a text names, the first and the last of them: a single day, "this week", "next week", "the
/// weekend", "the next 5 days", "Monday to Wednesday".
///
/// # Errors
///
/// It names none that are understood; the message is for people and models.
pub fn parse_range(text: &str, today: Date) -> Result<(Date, Date), String> {
    let lowered = text.trim().to_lowercase();
    let words = lowered
        .trim_start_matches("on ")
        .trim_start_matches("during ")
        .trim_start_matches("over ")
        .trim_start_matches("the ");
    if let Some(range) = several(words, today) {
        return Ok(range);
    }
    for between in [" to ", " until ", " through ", " and ", " - ", " – "] {
        if let Some((first, last)) = words
            .trim_start_matches("from ")
            .trim_start_matches("between ")
            .split_once(between)
            && let (Ok(first), Ok(last)) = (parse(first, today), parse(last, today))
        {
            return match first <= last {
                true => Ok((first, last)),
                false => Err(format!("“{}” ends before it begins.", excerpt(text))),
            };
        }
    }
    parse(text, today).map(|day| (day, day))
}

/// Words for several days. What is over of this week or month is not meant.
fn several(words: &str, today: Date) -> Option<(Date, Date)> {
    match words {
        "this week" | "rest of the week" | "week" => return Some((today, week(today, 0).1)),
        "next week" => return Some(week(today, 1)),
        "this weekend" | "weekend" => {
            let (monday, sunday) = week(today, 0);
            return Some((plus(monday, 5.days()).max(today), sunday));
        }
        "next weekend" => {
            let (monday, sunday) = week(today, 1);
            return Some((plus(monday, 5.days()), sunday));
        }
        "this month" | "month" => return Some((today, today.last_of_month())),
        "next month" => {
            let first = plus(today.first_of_month(), 1.month());
            return Some((first, first.last_of_month()));
        }
        _ => {}
    }
    let (count, unit) = words
        .strip_prefix("next ")
        .or_else(|| words.strip_prefix("coming "))?
        .split_once(' ')?;
    let count: i32 = match count {
        "couple" | "two" => 2,
        "few" | "three" => 3,
        digits => digits.parse().ok().filter(|count| (1..=366).contains(count))?,
    };
    let last = match unit.trim_start_matches("of ").trim_end_matches('s') {
        "day" => plus(today, (count - 1).days()),
        "week" => plus(today, (7 * count - 1).days()),
        _ => return None,
    };
    Some((today, last))
}

/// A day for people: "tomorrow, Saturday, 21 November". The year is told when it is another one.
pub fn describe(day: Date, today: Date) -> String {
    let mut text = String::new();
    match days_between(today, day) {
        -1 => text.push_str("yesterday, "),
        0 => text.push_str("today, "),
        1 => text.push_str("tomorrow, "),
        _ => {}
    }
    let weekday = WEEKDAYS.get(usize::from(day.weekday().to_monday_zero_offset().unsigned_abs()));
    let weekday = weekday.copied().unwrap_or_default();
    let (first, rest) = weekday.split_at(weekday.len().min(1));
    let month = MONTHS
        .get(usize::from(day.month().unsigned_abs()).wrapping_sub(1))
        .copied()
        .unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = write!(text, "{}{rest}, {} {month}", first.to_uppercase(), day.day());
    if day.year() != today.year() {
        let _ = write!(text, " {}", day.year());
    }
    text
}

/// The first and the last day of the week (Monday to Sunday) that lies so many weeks ahead.
pub fn week(today: Date, ahead: i64) -> (Date, Date) {
    let since_monday = i64::from(today.weekday().to_monday_zero_offset());
    let monday = plus(today, (7 * ahead - since_monday).days());
    (monday, plus(monday, 6.days()))
}

/// So many days, weeks or months later; the last day there is where the calendar ends.
pub fn plus(day: Date, span: Span) -> Date {
    day.saturating_add(span)
}

fn days_between(from: Date, to: Date) -> i32 {
    from.until(to).map_or(i32::MAX, |span| span.get_days())
}

/// `2026-11-21`, also as the beginning of a date-time.
fn iso(words: &str) -> Option<Date> {
    let (date, rest) = words.split_at_checked(10)?;
    let is_whole = rest.is_empty() || rest.starts_with(['t', ' ']);
    let is_plain = date.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    (is_whole && is_plain).then(|| date.parse().ok())?
}

fn relative(words: &str, today: Date) -> Option<Date> {
    match words {
        "today" | "tonight" | "now" | "this evening" => return Some(today),
        "tomorrow" | "tomorrow morning" | "tomorrow evening" => return Some(plus(today, 1.day())),
        "the day after tomorrow" | "day after tomorrow" => return Some(plus(today, 2.days())),
        "yesterday" => return Some(plus(today, (-1).days())),
        "next week" => return Some(week(today, 1).0),
        "this week" | "end of the week" | "end of week" | "the end of the week" => {
            return Some(week(today, 0).1);
        }
        "this weekend" | "the weekend" | "weekend" => return Some(plus(week(today, 0).0, 5.days())),
        "next month" => return Some(plus(today.first_of_month(), 1.month())),
        "end of the month" | "end of month" | "the end of the month" | "this month" => {
            return Some(today.last_of_month());
        }
        _ => {}
    }
    let (count, unit) = words.strip_prefix("in ")?.split_once(' ')?;
    let count: i32 = match count {
        "a" | "an" | "one" => 1,
        "two" | "a couple of" => 2,
        "three" => 3,
        digits => digits.parse().ok().filter(|count| (0..=36_500).contains(count))?,
    };
    match unit.trim_end_matches('s') {
        "day" => Some(plus(today, count.days())),
        "week" => Some(plus(today, count.weeks())),
        "month" => Some(plus(today, count.months())),
        "year" => Some(plus(today, count.years())),
        _ => None,
    }
}

/// "friday" is the coming one, never today; "next friday" is the one in next week.
fn weekday(words: &str, today: Date) -> Option<Date> {
    let (is_next, name) = match words.strip_prefix("next ") {
        Some(name) => (true, name),
        None => (false, words.strip_prefix("this ").unwrap_or(words)),
    };
    let number = WEEKDAYS
        .iter()
        .position(|known| known == &name || (name.len() == 3 && known.starts_with(name)))?;
    let offset = i8::try_from(number).ok()?;
    if is_next {
        return Some(plus(week(today, 1).0, i64::from(offset).days()));
    }
    let wanted = Weekday::from_monday_zero_offset(offset).ok()?;
    today.nth_weekday(1, wanted).ok()
}

/// "21 November", "nov 21st", "21. November 2027"; without a year, the coming one.
fn spelled(words: &str, today: Date) -> Option<Date> {
    let mut day = None;
    let mut month = None;
    let mut year = None;
    for word in words
        .split([' ', ',', '.'])
        .filter(|word| !word.is_empty() && *word != "of" && *word != "the")
    {
        let digits = word.trim_end_matches(['s', 't', 'n', 'd', 'r', 'h']);
        if let Ok(number) = digits.parse::<i16>() {
            let place = if number > 31 { &mut year } else { &mut day };
            if place.replace(number).is_some() {
                return None;
            }
        } else {
            let number = MONTHS.iter().position(|known| {
                let known = known.to_lowercase();
                known == word || (word.len() >= 3 && known.starts_with(word))
            })?;
            if month.replace(number + 1).is_some() {
                return None;
            }
        }
    }
    let (day, month) = (i8::try_from(day?).ok()?, i8::try_from(month?).ok()?);
    match year {
        Some(year) => Date::new(year, month, day).ok(),
        None => {
            let coming = |year| Date::new(year, month, day).ok().filter(|date| *date >= today);
            coming(today.year()).or_else(|| coming(today.year().checked_add(1)?))
        }
    }
}

fn excerpt(text: &str) -> String {
    text.trim().chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    /// A Friday.
    const TODAY: Date = date(2026, 11, 20);

    #[test]
    fn days_are_understood_as_people_say_them() {
        for (text, day) in [
            ("2026-11-21", date(2026, 11, 21)),
            ("2026-11-21T10:00:00Z", date(2026, 11, 21)),
            (" Today ", TODAY),
            ("tomorrow", date(2026, 11, 21)),
            ("by the day after tomorrow", date(2026, 11, 22)),
            ("yesterday", date(2026, 11, 19)),
            ("on Monday", date(2026, 11, 23)),
            ("friday", date(2026, 11, 27)),
            ("this sunday", date(2026, 11, 22)),
            ("next Monday", date(2026, 11, 23)),
            ("next sunday", date(2026, 11, 29)),
            ("next week", date(2026, 11, 23)),
            ("this week", date(2026, 11, 22)),
            ("next month", date(2026, 12, 1)),
            ("end of the month", date(2026, 11, 30)),
            ("in 3 days", date(2026, 11, 23)),
            ("in a week", date(2026, 11, 27)),
            ("in two months", date(2027, 1, 20)),
            ("21 November", date(2026, 11, 21)),
            ("Nov 19th", date(2027, 11, 19)),
            ("the 3rd of March 2028", date(2028, 3, 3)),
            ("December 24, 2026", date(2026, 12, 24)),
        ] {
            assert_eq!(parse(text, TODAY), Ok(day), "{text}");
        }
    }

    #[test]
    fn several_days_are_understood_as_people_say_them() {
        for (text, first, last) in [
            ("tomorrow", date(2026, 11, 21), date(2026, 11, 21)),
            ("this week", TODAY, date(2026, 11, 22)),
            ("next week", date(2026, 11, 23), date(2026, 11, 29)),
            ("on the weekend", date(2026, 11, 21), date(2026, 11, 22)),
            ("next weekend", date(2026, 11, 28), date(2026, 11, 29)),
            ("next month", date(2026, 12, 1), date(2026, 12, 31)),
            ("the next 5 days", TODAY, date(2026, 11, 24)),
            ("the next couple of weeks", TODAY, date(2026, 12, 3)),
            ("Monday to Wednesday", date(2026, 11, 23), date(2026, 11, 25)),
            (
                "between 2026-12-01 and 2026-12-03",
                date(2026, 12, 1),
                date(2026, 12, 3),
            ),
        ] {
            assert_eq!(parse_range(text, TODAY), Ok((first, last)), "{text}");
        }
        let backwards = parse_range("2026-12-03 to 2026-12-01", TODAY).unwrap_err();
        assert!(backwards.contains("ends before it begins"), "{backwards}");
        assert!(parse_range("some time", TODAY).is_err());
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "soon",
            "2026-13-01",
            "2026-02-30",
            "31 february",
            "in many days",
            "12",
            "may june",
            "99999",
        ] {
            let message = parse(text, TODAY).unwrap_err();
            assert!(message.contains("write it as YYYY-MM-DD"), "{text}: {message}");
        }
    }

    #[test]
    fn days_are_told_as_people_read_them() {
        assert_eq!(describe(TODAY, TODAY), "today, Friday, 20 November");
        assert_eq!(
            describe(date(2026, 11, 21), TODAY),
            "tomorrow, Saturday, 21 November"
        );
        assert_eq!(
            describe(date(2026, 11, 19), TODAY),
            "yesterday, Thursday, 19 November"
        );
        assert_eq!(describe(date(2027, 1, 1), TODAY), "Friday, 1 January 2027");
    }

    #[test]
    fn a_day_begins_where_the_person_is() {
        let late: Timestamp = "2026-11-20T23:30:00Z".parse().unwrap();
        assert_eq!(today(late, None), TODAY);
        assert_eq!(today(late, Some("Europe/Berlin")), date(2026, 11, 21));
        assert_eq!(today(late, Some("America/New_York")), TODAY);
        assert_eq!(today(late, Some("Nowhere/Land")), TODAY);
    }
}
