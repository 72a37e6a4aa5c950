//! Changes events.

use anyturn_google::Network;
use anyturn_state::Store;
use anyturn_tool_sdk::{Call, Effect, Example, Failure, Reply, Risk, Tool};
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::create::{addresses, limited, title};
use super::show::{One, Shown, quoted};
use super::{day, given, minutes, wrong};
use crate::diary::Diary as _;
use crate::event::{Event, MAX_DESCRIPTION, MAX_LOCATION, Patch, Span, line, lines};
use crate::moment::Clock;
use crate::{Calendars, Meant, people};

/// Changes an event that the user organizes: its title, time, place, description or guests. What is left out stays.
/// Everybody who is invited is told of the change by mail. Of an event that recurs, only this one time changes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateEvent {
    /// Which event: its id, or words of its present title.
    event: String,
    /// Its present day, where several events have such a title.
    #[schemars(extend("format" = "date"))]
    day: Option<String>,
    /// The etag that it had when it was read: the change is refused if it was changed since.
    etag: Option<String>,
    /// The new title.
    title: Option<String>,
    /// When it begins now, by the user's clock; it keeps its length. A date alone makes it a whole day.
    #[schemars(extend("format" = "date-time"))]
    start: Option<String>,
    /// How long it lasts now.
    #[schemars(range(min = 5, max = 1440))]
    duration_minutes: Option<u32>,
    /// For an event of whole days, the last day.
    #[schemars(extend("format" = "date"))]
    last_day: Option<String>,
    /// The new place; empty to remove it.
    location: Option<String>,
    /// The new description; empty to remove it.
    description: Option<String>,
    /// The e-mail addresses of those who are invited, too.
    #[serde(default)]
    #[schemars(schema_with = "addresses")]
    add_attendees: Vec<String>,
    /// The e-mail addresses of those who are not invited any more.
    #[serde(default)]
    #[schemars(schema_with = "addresses")]
    remove_attendees: Vec<String>,
}

impl<S: Store, N: Network> Tool<Calendars<S, N>> for UpdateEvent {
    const NAME: &'static str = "update_event";
    const TITLE: &'static str = "Change an event and tell its guests";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().destructive().reversible();
    const OPEN_WORLD: bool = true;
    const RISK: Risk = Risk::Medium;
    const EXAMPLES: &'static [Example] = &[
        Example(
            "move the kick-off to Friday at 10am",
            r#"{"event":"the kick-off","start":"Friday at 10am"}"#,
        ),
        Example(
            "reschedule focus time to tomorrow at 14:00",
            r#"{"event":"focus time","start":"tomorrow at 14:00"}"#,
        ),
        Example(
            "rename focus time to deep work",
            r#"{"event":"focus time","title":"deep work"}"#,
        ),
        Example(
            "change the location of the kick-off to room 4",
            r#"{"event":"the kick-off","location":"room 4"}"#,
        ),
        Example(
            "make the kick-off 45 minutes long",
            r#"{"event":"the kick-off","duration_minutes":45}"#,
        ),
    ];

    async fn call(self, calendars: &Calendars<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let clock = calendars.clock(call);
        let diary = calendars.diary(call, &clock).await?;
        let on = day("day", self.day.as_deref(), &clock)?;
        let event = match calendars.meant(call, &diary, &self.event, on, &clock).await? {
            Meant::Event(event) => event,
            Meant::Done(reply) => return Ok(reply),
        };
        let patch = self.patch(&event, &clock)?;
        if patch == Patch::default() {
            return Err(Failure::rejected(
                "Say what is to change: the title, start, place, description or guests.",
            ));
        }
        let told = |before: &Event, after: &Event| {
            let structured = One {
                event: Shown::whole(after, &clock),
            };
            if before == after {
                let text = format!(
                    "{} is so already: {}.",
                    quoted(&after.title),
                    clock.told(&after.span)
                );
                return Reply::new(text).with_structured(&structured);
            }
            let reply = Reply::new(tell(before, after, &clock))
                .with_structured(&structured)
                .with_inverse(
                    Self::name(),
                    inverse(before, after, &clock),
                    format!("Make {} what it was", quoted(&before.title)),
                );
            if before.guest_count() + after.guest_count() == 0 {
                reply.undone_without_asking()
            } else {
                reply
            }
        };
        Ok(diary
            .change(&event.id, given(self.etag.as_deref()), &patch, &told)
            .await?)
    }
}

impl UpdateEvent {
    const fn name() -> &'static str {
        "update_event"
    }

    fn patch(&self, event: &Event, clock: &Clock) -> Result<Patch, Failure> {
        let invite = people::addressed("add_attendees", &self.add_attendees)?;
        let uninvite = people::addressed("remove_attendees", &self.remove_attendees)?;
        Ok(Patch {
            title: given(self.title.as_deref()).map(title).transpose()?,
            span: self.span(event, clock)?,
            location: self
                .location
                .as_deref()
                .map(|text| limited("location", text, MAX_LOCATION, line))
                .transpose()?,
            description: self
                .description
                .as_deref()
                .map(|text| limited("description", text, MAX_DESCRIPTION, lines))
                .transpose()?,
            invite,
            uninvite: uninvite.into_iter().map(|person| person.address).collect(),
        })
    }

    fn span(&self, event: &Event, clock: &Clock) -> Result<Option<Span>, Failure> {
        let start = given(self.start.as_deref())
            .map(|start| clock.start("start", start).map_err(Failure::Rejected))
            .transpose()?;
        let moved = start.map_or(event.span, |start| event.span.moved_to(start));
        let last_day = day("last_day", self.last_day.as_deref(), clock)?;
        let span = match (moved, self.duration_minutes, last_day) {
            (span, None, None) => span,
            (Span::Times { start, .. }, Some(length), None) => {
                let length = SignedDuration::from_mins(minutes("duration_minutes", length)?);
                Span::Times {
                    start,
                    end: start.checked_add(length).unwrap_or(start),
                }
            }
            (Span::Days { first, .. }, None, Some(last)) if last >= first => Span::Days { first, last },
            (Span::Days { .. }, None, Some(_)) => {
                return Err(wrong("last_day", "must not lie before the first day."));
            }
            (Span::Days { .. }, Some(_), _) => {
                return Err(wrong(
                    "duration_minutes",
                    "does not fit an event of whole days; use last_day, or give start a time.",
                ));
            }
            (Span::Times { .. }, _, Some(_)) => {
                return Err(wrong(
                    "last_day",
                    "fits events of whole days only; use start and duration_minutes.",
                ));
            }
        };
        Ok((span != event.span).then_some(span).or(start.map(|_| span)))
    }
}

/// "“Kick-off” is changed: it is on Friday …; its place is room 4. 3 guests are told."
fn tell(before: &Event, after: &Event, clock: &Clock) -> String {
    let mut changes = Vec::new();
    if before.title != after.title {
        changes.push(format!("it is called {}", quoted(&after.title)));
    }
    if before.span != after.span {
        changes.push(format!("it is {}", clock.told(&after.span)));
    }
    match (before.location == after.location, after.location.as_str()) {
        (true, _) => {}
        (false, "") => changes.push("its place is removed".to_owned()),
        (false, place) => changes.push(format!("its place is {place}")),
    }
    if before.description != after.description {
        let what = if after.description.is_empty() {
            "removed"
        } else {
            "changed"
        };
        changes.push(format!("its description is {what}"));
    }
    let difference = |these: &Event, those: &Event| {
        let missing = these.guests.iter().filter(|guest| {
            let same = |other: &&crate::event::Attendee| other.person.address == guest.person.address;
            !those.guests.iter().any(|other| same(&other))
        });
        missing
            .map(|guest| guest.person.called().to_owned())
            .collect::<Vec<_>>()
    };
    let (new, gone) = (difference(after, before), difference(before, after));
    if !new.is_empty() {
        changes.push(format!(
            "{} now invited: {}",
            if new.len() == 1 { "is" } else { "are" },
            new.join(", ")
        ));
    }
    if !gone.is_empty() {
        changes.push(format!("not invited any more: {}", gone.join(", ")));
    }
    let mut text = format!("Changed {}: {}.", quoted(&before.title), changes.join("; "));
    match before.guest_count().max(after.guest_count()) {
        0 => {}
        1 => text.push_str(" The guest was told."),
        count => text.push_str(&format!(" All {count} guests were told.")),
    }
    text
}

/// The arguments that make what was changed what it was, and nothing else.
fn inverse(before: &Event, after: &Event, clock: &Clock) -> Value {
    let mut arguments = Map::new();
    let mut set = |name: &str, value: Value| drop(arguments.insert(name.to_owned(), value));
    set("event", json!(after.id));
    if before.title != after.title {
        set("title", json!(before.title));
    }
    if before.span != after.span {
        match before.span {
            Span::Times { start, end } => {
                set("start", json!(clock.written(start)));
                let length = end.duration_since(start).as_mins();
                if (5..=24 * 60).contains(&length) {
                    set("duration_minutes", json!(length));
                }
            }
            Span::Days { first, last } => {
                set("start", json!(first));
                set("last_day", json!(last));
            }
        }
    }
    if before.location != after.location {
        set("location", json!(before.location));
    }
    if before.description != after.description {
        set("description", json!(before.description));
    }
    let missing = |these: &Event, those: &Event| {
        let addresses = |event: &Event| -> Vec<String> {
            event
                .guests
                .iter()
                .map(|guest| guest.person.address.clone())
                .collect()
        };
        let those = addresses(those);
        addresses(these)
            .into_iter()
            .filter(|address| !those.contains(address))
            .collect::<Vec<_>>()
    };
    let (uninvited, invited) = (missing(before, after), missing(after, before));
    if !uninvited.is_empty() {
        set("add_attendees", json!(uninvited));
    }
    if !invited.is_empty() {
        set("remove_attendees", json!(invited));
    }
    Value::Object(arguments)
}
