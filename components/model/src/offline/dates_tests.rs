use jiff::civil::date;

use super::*;
use crate::offline::{calendar::time_of_day, words::cut};

/// A Friday.
const NOW: &str = "2026-11-20T09:30:00-05:00";

fn found(text: &str) -> Vec<Found> {
    let mut words = Vec::new();
    cut(text, &mut words);
    find(&words, &Now::parse(NOW).unwrap())
}

#[track_caller]
fn one(text: &str) -> When {
    let found = found(text);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found[0].when
}

#[test]
fn days_are_found_as_people_say_them() {
    for (text, expected) in [
        ("today", date(2026, 11, 20)),
        ("tonight", date(2026, 11, 20)),
        ("Tomorrow", date(2026, 11, 21)),
        ("yesterday", date(2026, 11, 19)),
        ("the day after tomorrow", date(2026, 11, 22)),
        ("monday", date(2026, 11, 23)),
        ("Friday", date(2026, 11, 27)),
        ("this Friday", date(2026, 11, 20)),
        ("next Friday", date(2026, 11, 27)),
        ("next Monday", date(2026, 11, 23)),
        ("last Tuesday", date(2026, 11, 10)),
        ("in 3 days", date(2026, 11, 23)),
        ("in a week", date(2026, 11, 27)),
        ("in two months", date(2027, 1, 20)),
        ("24 December", date(2026, 12, 24)),
        ("December 24", date(2026, 12, 24)),
        ("the 24th of Dec", date(2026, 12, 24)),
        ("Dec 24th, 2027", date(2027, 12, 24)),
        ("1 March", date(2027, 3, 1)),
        ("20 November", date(2026, 11, 20)),
        ("29 February", date(2028, 2, 29)),
        ("2026-12-24", date(2026, 12, 24)),
        ("12/24", date(2026, 12, 24)),
        ("24/12", date(2026, 12, 24)),
        ("1/2", date(2027, 1, 2)),
        ("12/24/2027", date(2027, 12, 24)),
        ("24.12.2026", date(2026, 12, 24)),
        ("on the 3rd", date(2026, 12, 3)),
        ("the 31st", date(2026, 12, 31)),
        ("end of the month", date(2026, 11, 30)),
        ("the end of next week", date(2026, 11, 29)),
    ] {
        assert_eq!(one(text), When::Day(expected), "{text}");
    }
}

#[test]
fn ranges_are_found_with_both_their_ends() {
    for (text, first, last) in [
        ("this week", date(2026, 11, 16), date(2026, 11, 22)),
        ("next week", date(2026, 11, 23), date(2026, 11, 29)),
        ("last month", date(2026, 10, 1), date(2026, 10, 31)),
        ("this year", date(2026, 1, 1), date(2026, 12, 31)),
        ("the weekend", date(2026, 11, 21), date(2026, 11, 22)),
        ("next weekend", date(2026, 11, 28), date(2026, 11, 29)),
    ] {
        assert_eq!(one(text), When::Range(first, last), "{text}");
    }
    assert_eq!(one("overdue"), When::Before(date(2026, 11, 20)));
}

#[test]
fn what_introduces_a_date_belongs_to_it_and_bounds_it() {
    for (text, bound, core) in [
        ("by Friday", Bound::Until, 1),
        ("due on Friday", Bound::On, 2),
        ("before next week", Bound::Before, 1),
        ("since Monday", Bound::From, 1),
        ("after tomorrow", Bound::After, 1),
    ] {
        let found = found(text);
        assert_eq!(
            (found[0].bound, found[0].start, found[0].core),
            (bound, 0, core),
            "{text}"
        );
    }
    let between = found("between Monday and Friday");
    assert_eq!((between[0].bound, between[1].bound), (Bound::From, Bound::Until));
}

#[test]
fn a_weekday_is_certain_only_where_something_says_so() {
    assert!(!found("the Friday party")[0].certain);
    assert!(found("party on Friday")[0].certain);
    assert!(found("party tomorrow")[0].certain);
    assert!(!found("reply to the 2nd message")[0].certain);
}

#[test]
fn what_only_looks_like_a_date_is_none() {
    for text in [
        "may I",
        "march on",
        "buy 12 eggs",
        "version 1.2",
        "99/99",
        "2026-13-45",
        "in the end",
        "in 5 minutes or so then",
        "second",
        "sun",
        "“tomorrow”",
        "1/2/3/4",
        "in 99999999999 days",
        "30 February",
    ] {
        let days: Vec<Found> = found(text)
            .into_iter()
            .filter(|found| !matches!(found.when, When::Moment(_)))
            .collect();
        assert!(days.is_empty(), "{text}: {days:?}");
    }
}

#[test]
fn times_of_day_are_read() {
    for (text, expected) in [
        ("5pm", "17:00:00"),
        ("5 PM", "17:00:00"),
        ("12am", "00:00:00"),
        ("12:15pm", "12:15:00"),
        ("17:30", "17:30:00"),
        ("at 9", "09:00:00"),
        ("noon", "12:00:00"),
    ] {
        let mut words = Vec::new();
        cut(text, &mut words);
        let time = time_of_day(&words).map(|(length, time)| (length, time.to_string()));
        assert_eq!(time, Some((words.len(), expected.to_owned())), "{text}");
    }
    for text in ["5", "25:00", "13pm", "pm", "at home", "0am", "2026"] {
        let mut words = Vec::new();
        cut(text, &mut words);
        assert_eq!(time_of_day(&words), None, "{text}");
    }
}

#[test]
fn the_local_time_is_read_with_its_offset() {
    for (text, offset) in [
        ("2026-11-20T09:30:00-05:00", "-05:00"),
        ("2026-11-20T09:30:00.123Z", "Z"),
        ("2026-11-20T09:30:00.123456+05:30", "+05:30"),
    ] {
        let now = Now::parse(text).unwrap();
        assert_eq!(
            (now.local.date(), now.offset.as_str()),
            (date(2026, 11, 20), offset)
        );
    }
    for text in [
        "",
        "2026-11-20",
        "2026-11-20T09:30:00",
        "2026-11-20T09:30:00 Berlin",
        "2026-11-20T09:30:00[Europe/Berlin]",
        "äääääääääääääääääää",
    ] {
        assert_eq!(Now::parse(text), None, "{text}");
    }
}

#[test]
fn a_time_has_the_offset_of_its_own_day() {
    let at = |now: &str, month, day, hour| {
        Now::parse(now)
            .unwrap()
            .offset_at(date(2027, month, day).at(hour, 30, 0, 0))
    };
    let berlin = "2026-11-20T09:30:00+01:00[Europe/Berlin]";
    assert_eq!(at(berlin, 1, 15, 9), "+01:00");
    assert_eq!(at(berlin, 3, 28, 1), "+01:00");
    // A time that the clock leaves out is told by the clock before, and one that it shows twice is the first.
    assert_eq!(at(berlin, 3, 28, 2), "+01:00");
    assert_eq!(at(berlin, 3, 28, 3), "+02:00");
    assert_eq!(at(berlin, 10, 31, 2), "+02:00");
    assert_eq!(at(berlin, 10, 31, 3), "+01:00");
    assert_eq!(
        at("2026-11-20T09:30:00-05:00[America/New_York]", 4, 1, 15),
        "-04:00"
    );
    // Where the zone is not known, there is one offset only.
    for unknown in [
        "2026-11-20T09:30:00+01:00",
        "2026-11-20T09:30:00+01:00[Mars/Olympus]",
    ] {
        assert_eq!(at(unknown, 7, 1, 9), "+01:00");
    }
}
