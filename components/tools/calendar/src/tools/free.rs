//! Finds times at which everybody is free.

use std::fmt::Write as _;

use anyturn_google::Network;
use anyturn_state::Store;
use anyturn_tool_sdk::{Call, Effect, Example, Failure, Reply, Tool};
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::show::joined;
use super::{given, minutes, wrong};
use crate::diary::{Busy, Diary as _};
use crate::event::{Person, Span};
use crate::free::{Stretch, slots};
use crate::moment::Clock;
use crate::{Calendars, people, window};

/// Minutes unless the call says otherwise.
const LENGTH: u32 = 30;
/// How many slots are proposed unless the call says otherwise.
const PROPOSED: u32 = 5;
/// How many slots one call may propose.
const MAX_PROPOSED: u32 = 20;

/// Finds times at which the user, and everybody else who is named, is free, and proposes them as numbered slots in the
/// user's time zone. It looks at working hours unless others are named, and changes nothing: to use a slot, call
/// create_event with its start and the addresses from the answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindFreeTime {
    /// How long, in minutes; 30 unless the user says otherwise.
    #[schemars(range(min = 5, max = 1440))]
    duration_minutes: Option<u32>,
    /// When, in words: a day or several, and a part of the day or hours, such as "Thursday afternoon", "next week
    /// after 15:00", "2026-11-26 between 9:00 and 11:00". Left out, it is the coming working days.
    window: Option<String>,
    /// Who else has to be free: their e-mail addresses; names of people who are in the user's meetings will do.
    #[serde(default)]
    attendees: Vec<String>,
    /// How many slots to propose; 5 unless the user says otherwise.
    #[schemars(range(min = 1, max = 20))]
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Slot {
    number: usize,
    start: String,
    end: String,
}

#[derive(Serialize)]
struct Proposed<'a> {
    duration_minutes: i64,
    timezone: &'a str,
    attendees: &'a [Person],
    /// Whether they are busy is not known.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    not_shared: &'a [&'a str],
    slots: Vec<Slot>,
}

impl<S: Store, N: Network> Tool<Calendars<S, N>> for FindFreeTime {
    const NAME: &'static str = "find_free_time";
    const TITLE: &'static str = "Find free time";
    const EFFECT: Effect = Effect::READ;
    const EXAMPLES: &'static [Example] = &[
        Example(
            "schedule 30 minutes with Sarah on Thursday afternoon",
            r#"{"duration_minutes":30,"attendees":["Sarah"],"window":"Thursday afternoon"}"#,
        ),
        Example(
            "find 45 minutes with Marcus and Priya next week",
            r#"{"duration_minutes":45,"attendees":["Marcus","Priya"],"window":"next week"}"#,
        ),
        Example("when am I free tomorrow?", r#"{"window":"tomorrow"}"#),
        Example(
            "when are Priya and I free on Monday?",
            r#"{"attendees":["Priya"],"window":"Monday"}"#,
        ),
        Example(
            "find a slot of 60 minutes on Friday morning",
            r#"{"duration_minutes":60,"window":"Friday morning"}"#,
        ),
        Example(
            "when could I meet Tom this week?",
            r#"{"attendees":["Tom"],"window":"this week"}"#,
        ),
        Example("find a free slot for 30 minutes", r#"{"duration_minutes":30}"#),
    ];

    async fn call(self, calendars: &Calendars<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let clock = calendars.clock(call);
        let diary = calendars.diary(call, &clock).await?;
        let length = minutes("duration_minutes", self.duration_minutes.unwrap_or(LENGTH))?;
        let limit = self.limit.unwrap_or(PROPOSED);
        if !(1..=MAX_PROPOSED).contains(&limit) {
            return Err(wrong("limit", &format!("must be from 1 to {MAX_PROPOSED}.")));
        }
        let window = window::parse(self.window.as_deref().unwrap_or_default(), &clock)
            .map_err(|message| wrong("window", &message))?;
        let attendees = people::resolve(&diary, &self.attendees, &clock).await?;
        let addresses: Vec<String> = attendees.iter().map(|person| person.address.clone()).collect();
        let between = span_of(&window.stretches, clock.now);
        let (mut busy, theirs) = diary.busy(between, &addresses).await?;
        let mut not_shared = Vec::new();
        for (address, theirs) in addresses.iter().zip(theirs) {
            match theirs {
                Busy::At(stretches) => busy.extend(stretches),
                Busy::NotShared => not_shared.push(address.as_str()),
            }
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let slots = slots(&window, &busy, SignedDuration::from_mins(length), limit, &clock);
        let mut text = self.tell(&slots, length, &attendees, &clock);
        if !not_shared.is_empty() {
            let people = attendees
                .iter()
                .filter(|person| not_shared.contains(&person.address.as_str()));
            let names: Vec<String> = people.map(|person| person.called().to_owned()).collect();
            let calendars = if names.len() == 1 {
                "The calendar"
            } else {
                "The calendars"
            };
            let are = if names.len() == 1 { "is" } else { "are" };
            let _ = write!(
                text,
                "\n{calendars} of {} {are} not shared with you, so whether they have time is not known.",
                joined(&names)
            );
        }
        Ok(Reply::new(text).with_structured(&Proposed {
            duration_minutes: length,
            timezone: clock.zone_name(),
            attendees: &attendees,
            not_shared: &not_shared,
            slots: numbered(&slots, &clock),
        }))
    }
}

/// From the beginning of the first stretch to the end of the last.
fn span_of(stretches: &[Stretch], now: jiff::Timestamp) -> Stretch {
    let first = stretches.first().map_or(now, |(from, _)| *from);
    (first, stretches.iter().map(|(_, to)| *to).max().unwrap_or(first))
}

fn numbered(slots: &[Stretch], clock: &Clock) -> Vec<Slot> {
    let numbered = slots.iter().zip(1..);
    numbered
        .map(|((start, end), number)| Slot {
            number,
            start: clock.written(*start),
            end: clock.written(*end),
        })
        .collect()
}

impl FindFreeTime {
    fn tell(&self, slots: &[Stretch], length: i64, attendees: &[Person], clock: &Clock) -> String {
        let names: Vec<String> = attendees
            .iter()
            .map(|person| person.called().to_owned())
            .collect();
        let who = match names.as_slice() {
            [] => String::new(),
            names => format!(" for you and {}", joined(names)),
        };
        let when = match given(self.window.as_deref()) {
            None => String::new(),
            Some(window) => {
                let window: String = window
                    .chars()
                    .filter(|letter| !letter.is_control())
                    .take(80)
                    .collect();
                format!(" ({window})")
            }
        };
        if slots.is_empty() {
            return format!(
                "There are no {length} minutes free{who}{when}. Try another time, or a shorter one."
            );
        }
        let mut text = format!("{length} minutes are free{who}{when}:");
        for ((start, end), number) in slots.iter().zip(1..) {
            let span = Span::Times {
                start: *start,
                end: *end,
            };
            let _ = write!(text, "\n{number}. {}", clock.told(&span));
        }
        text
    }
}
