//! Finds the event that somebody means: by its id, or by words of its title, and its day where several have them.
//!
//! Nothing is guessed: where several events fit, the error lists them. Of an event that recurs, the next time is
//! meant.

use anyturn_people::name;
use jiff::ToSpan;
use jiff::civil::Date;

use crate::diary::{Diary, Trouble};
use crate::event::{Event, midnight};
use crate::moment::Clock;

/// How far back and ahead an event is looked for by words, in days.
const BACK: i32 = 1;
const AHEAD: i32 = 60;
/// How many events an error lists.
const LISTED: usize = 8;
/// Words that say nothing about which event is meant.
const FILLERS: [&str; 16] = [
    "a",
    "an",
    "the",
    "my",
    "our",
    "that",
    "this",
    "one",
    "event",
    "meeting",
    "appointment",
    "calendar",
    "next",
    "from",
    "with",
    "call",
];

/// Whether a title's words are the ones that are meant.
type Way<'a> = dyn Fn(&[String]) -> bool + 'a;

/// The event that is meant.
///
/// # Errors
///
/// There is none, or there are several; the message lists them with their ids.
pub async fn find(
    diary: &impl Diary,
    words: &str,
    day: Option<Date>,
    clock: &Clock,
) -> Result<Event, Trouble> {
    let words = words.trim();
    if is_id(words) {
        match diary.event(words).await {
            // It may be a title that looks like an id.
            Err(Trouble::NoSuchEvent(_)) => {}
            other => return other,
        }
    }
    let today = clock.today();
    let (first, last) = match day {
        Some(day) => (day, day),
        None => (
            today.saturating_sub(BACK.days()),
            today.saturating_add(AHEAD.days()),
        ),
    };
    let between = (
        midnight(first, &clock.zone),
        midnight(last.saturating_add(1.day()), &clock.zone),
    );
    let events = diary.events(between, None).await?.events;
    let mut fitting = fitting(words, &events);
    fitting.sort_by_key(|event| {
        let (start, end) = event.span.moments(&clock.zone);
        (end <= clock.now, start)
    });
    // The later times of an event that recurs stand for its next one.
    let mut different: Vec<&Event> = Vec::new();
    for event in fitting {
        let is_later = different
            .iter()
            .any(|other| event.recurring && other.recurring && other.title == event.title);
        if !is_later {
            different.push(event);
        }
    }
    match different.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(Trouble::Invalid(format!(
            "There is no event like “{}” {}; list_events tells the events and their ids.",
            excerpt(words),
            match day {
                Some(day) => format!("on {day}"),
                None => format!("from yesterday to {last}"),
            }
        ))),
        several => Err(Trouble::Invalid(format!(
            "Several events fit “{}”:\n{}\nSay which one, by its id or its day.",
            excerpt(words),
            listed(several, clock)
        ))),
    }
}

/// Whether a text could be an id: Google's are of these characters, and a title of one word mostly is shorter.
fn is_id(text: &str) -> bool {
    text.len() >= 5
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// The events whose title fits best: it is the words, or it has them all, or it has the beginnings of them all.
fn fitting<'a>(words: &str, events: &'a [Event]) -> Vec<&'a Event> {
    let wanted = significant(name::words(words));
    if wanted.is_empty() {
        return Vec::new();
    }
    let ways: [&Way<'_>; 3] = [
        &|title| significant(title.to_vec()) == wanted,
        &|title| wanted.iter().all(|word| title.contains(word)),
        &|title| {
            wanted
                .iter()
                .all(|word| title.iter().any(|own| own.starts_with(word.as_str())))
        },
    ];
    let titled: Vec<(&Event, Vec<String>)> = events
        .iter()
        .map(|event| (event, name::words(&event.title)))
        .collect();
    ways.into_iter()
        .map(|way| {
            let fitting = titled.iter().filter(|(_, title)| way(title));
            fitting.map(|(event, _)| *event).collect::<Vec<_>>()
        })
        .find(|fitting| !fitting.is_empty())
        .unwrap_or_default()
}

/// Without the fillers, unless there is nothing else.
fn significant(words: Vec<String>) -> Vec<String> {
    let kept: Vec<String> = words
        .iter()
        .filter(|word| !FILLERS.contains(&word.as_str()))
        .cloned()
        .collect();
    if kept.is_empty() { words } else { kept }
}

fn listed(events: &[&Event], clock: &Clock) -> String {
    let mut lines: Vec<String> = events
        .iter()
        .take(LISTED)
        .map(|event| format!("- “{}”, {} ({})", event.title, clock.told(&event.span), event.id))
        .collect();
    if events.len() > LISTED {
        lines.push(format!("- and {} more", events.len() - LISTED));
    }
    lines.join("\n")
}

fn excerpt(words: &str) -> String {
    words.chars().take(100).collect()
}
