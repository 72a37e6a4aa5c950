//! Lists events.

use std::fmt::Write as _;

use anyturn_days as days;
use anyturn_google::Network;
use anyturn_people::name;
use anyturn_state::Store;
use anyturn_tool_sdk::{Call, Effect, Example, Failure, Reply, Tool};
use jiff::ToSpan;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::show::{Shown, quoted, told};
use super::{day, given, wrong};
use crate::Calendars;
use crate::diary::Diary as _;
use crate::event::{Event, Span, midnight};
use crate::moment::Clock;

/// How many events are shown unless the call says otherwise.
const SHOWN: u32 = 25;
/// How many events one call may show.
const MAX_SHOWN: u32 = 100;
/// How many days are looked at where none is said; more where something is searched for.
const DAYS: i32 = 7;
const DAYS_SEARCHED: i32 = 90;
/// The longest time that one call may ask about, in days.
const MAX_DAYS: i32 = 366;

/// Lists the events of the user's calendar that fit in every respect given, in the user's time zone: by default those
/// of the coming week. Tells who is invited to each, and what they have answered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListEvents {
    /// The one day that is meant; for several days use from and to.
    #[schemars(extend("format" = "date"))]
    day: Option<String>,
    /// The first day.
    #[schemars(extend("format" = "date"))]
    from: Option<String>,
    /// The last day.
    #[schemars(extend("format" = "date"))]
    to: Option<String>,
    /// Words that stand in their title, location or description.
    text: Option<String>,
    /// Name or address of somebody who is invited.
    attendee: Option<String>,
    /// How many to show; 25 unless the user says otherwise.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Listed<'a> {
    from: Date,
    to: Date,
    timezone: &'a str,
    events: Vec<Shown<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
}

impl<S: Store, N: Network> Tool<Calendars<S, N>> for ListEvents {
    const NAME: &'static str = "list_events";
    const TITLE: &'static str = "List events";
    const EFFECT: Effect = Effect::READ;
    const EXAMPLES: &'static [Example] = &[
        Example("what's on tomorrow?", r#"{"day":"tomorrow"}"#),
        Example("what's on tomorrow and who is coming?", r#"{"day":"tomorrow"}"#),
        Example("show my calendar", "{}"),
        Example(
            "what meetings do I have this week?",
            r#"{"from":"2026-11-16","to":"2026-11-22"}"#,
        ),
        Example("what is on my calendar today?", r#"{"day":"today"}"#),
        Example("am I busy on 2026-12-01?", r#"{"day":"2026-12-01"}"#),
        Example("list my meetings with Marcus", r#"{"attendee":"Marcus"}"#),
        Example("find events about the budget", r#"{"text":"the budget"}"#),
    ];

    async fn call(self, calendars: &Calendars<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let clock = calendars.clock(call);
        let diary = calendars.diary(call, &clock).await?;
        let limit = self.limit.unwrap_or(SHOWN);
        if !(1..=MAX_SHOWN).contains(&limit) {
            return Err(wrong("limit", &format!("must be from 1 to {MAX_SHOWN}.")));
        }
        let (first, last) = self.days(&clock)?;
        let between = (
            midnight(first, &clock.zone),
            midnight(last.saturating_add(1.day()), &clock.zone),
        );
        let text = given(self.text.as_deref());
        let found = diary.events(between, text).await?;
        let wanted = Wanted::new(text, given(self.attendee.as_deref()));
        let mut events: Vec<&Event> = found.events.iter().filter(|event| wanted.fits(event)).collect();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = found.is_cut || events.len() > limit;
        events.truncate(limit);
        let text = self.tell(&events, (first, last), more, &clock);
        Ok(Reply::new(text).with_structured(&Listed {
            from: first,
            to: last,
            timezone: clock.zone_name(),
            events: events.iter().map(|event| Shown::brief(event, &clock)).collect(),
            more,
        }))
    }
}

impl ListEvents {
    fn days(&self, clock: &Clock) -> Result<(Date, Date), Failure> {
        let today = clock.today();
        if let Some(text) = given(self.day.as_deref()) {
            return days::parse_range(text, today).map_err(|message| wrong("day", &message));
        }
        let from = day("from", self.from.as_deref(), clock)?;
        let to = day("to", self.to.as_deref(), clock)?;
        let usual = if self.text.is_some() || self.attendee.is_some() {
            DAYS_SEARCHED
        } else {
            DAYS
        };
        let first = from.unwrap_or_else(|| to.map_or(today, |to| to.min(today)));
        let last = to.unwrap_or_else(|| first.saturating_add((usual - 1).days()));
        let length = first.until(last).map_or(i32::MAX, |span| span.get_days());
        if length < 0 {
            return Err(wrong("to", "must not lie before from."));
        }
        if length > MAX_DAYS {
            return Err(wrong(
                "to",
                &format!("must lie at most {MAX_DAYS} days after from."),
            ));
        }
        Ok((first, last))
    }

    fn tell(&self, events: &[&Event], (first, last): (Date, Date), more: bool, clock: &Clock) -> String {
        let today = clock.today();
        let when = if first == last {
            days::describe(first, today)
        } else {
            format!(
                "from {} to {}",
                days::describe(first, today),
                days::describe(last, today)
            )
        };
        let mut which = String::new();
        if let Some(attendee) = given(self.attendee.as_deref()) {
            which.extend([" with ", attendee]);
        }
        if let Some(text) = given(self.text.as_deref()) {
            which.extend([" about ", &quoted(text)]);
        }
        let mut text = match (events.len(), more) {
            (0, _) => return format!("There are no events{which} {when}."),
            (count, true) => format!("The first {count} events{which} {when}:"),
            (1, false) => format!("1 event{which} {when}:"),
            (count, false) => format!("{count} events{which} {when}:"),
        };
        let mut day_told = None;
        for event in events {
            if first != last {
                let day = first_day(event, clock).max(first);
                if day_told != Some(day) {
                    day_told = Some(day);
                    let _ = write!(text, "\n{}:", days::describe(day, today));
                }
            }
            let _ = write!(text, "\n- {} {}", clock.hours(&event.span), told(event));
        }
        if more {
            text.push_str("\nThere are more; ask about fewer days to see them.");
        }
        text
    }
}

fn first_day(event: &Event, clock: &Clock) -> Date {
    match event.span {
        Span::Days { first, .. } => first,
        Span::Times { start, .. } => clock.local(start).date(),
    }
}

/// What an event has to have.
struct Wanted<'a> {
    words: Vec<String>,
    attendee: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn new(text: Option<&str>, attendee: Option<&'a str>) -> Wanted<'a> {
        let mut words = name::words(text.unwrap_or_default());
        words.retain(|word| !matches!(word.as_str(), "the" | "a" | "an" | "my"));
        Wanted { words, attendee }
    }

    fn fits(&self, event: &Event) -> bool {
        let own = name::words(&format!(
            "{} {} {}",
            event.title, event.location, event.description
        ));
        let has_words = self
            .words
            .iter()
            .all(|word| own.iter().any(|own| own.starts_with(word.as_str())));
        let people = event
            .guests
            .iter()
            .map(|guest| &guest.person)
            .chain(&event.organizer);
        let has_attendee = self.attendee.is_none_or(|attendee| {
            people
                .clone()
                .any(|person| name::fit(attendee, &person.name, &[&person.address], &[]).is_some())
        });
        has_words && has_attendee
    }
}
