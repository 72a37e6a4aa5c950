//! Makes events: for the user alone, which is undone without a trace, or with people who are invited.

use anyturn_google::Network;
use anyturn_state::Store;
use anyturn_tool_sdk::{Call, Effect, Example, Failure, Reply, Tool};
use jiff::{SignedDuration, Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::show::{One, Shown, joined, quoted};
use super::{given, minutes, wrong};
use crate::diary::Diary as _;
use crate::event::{
    Draft, Event, MAX_ATTENDEES, MAX_DESCRIPTION, MAX_LOCATION, MAX_TITLE, Span, Start, line, lines,
};
use crate::moment::Clock;
use crate::{Calendars, people};

/// Minutes unless the call says otherwise.
const LENGTH: u32 = 60;

/// Makes an event in the user's calendar. Without attendees it is the user's alone, and nobody is told. Each attendee
/// gets an invitation by mail at once: find a time at which they are free first, and ask whom the user means if that is
/// not clear.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateEvent {
    /// What it is called, in the user's words, without the time.
    title: String,
    /// When it begins, by the user's clock; a date alone means a whole day.
    #[schemars(extend("format" = "date-time"))]
    start: String,
    /// When it ends; of whole days, the last day.
    #[schemars(extend("format" = "date-time"))]
    end: Option<String>,
    /// How long it lasts, instead of the end; 60 unless the user says otherwise.
    #[schemars(range(min = 5, max = 1440))]
    duration_minutes: Option<u32>,
    /// The e-mail addresses of those who are invited; an empty list for an event of the user's alone.
    #[serde(default)]
    #[schemars(schema_with = "addresses")]
    attendees: Vec<String>,
    /// Where it is.
    location: Option<String>,
    /// What it is about; an invitation says it.
    description: Option<String>,
    /// Whether to add a link by which one joins by video.
    #[serde(default)]
    video_link: bool,
}

/// A list of addresses: told as such, so that they are recognized wherever they stand.
pub(super) fn addresses(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "items": { "type": "string", "format": "email" },
        "maxItems": MAX_ATTENDEES
    })
}

impl<S: Store, N: Network> Tool<Calendars<S, N>> for CreateEvent {
    const NAME: &'static str = "create_event";
    const TITLE: &'static str = "Create an event and invite its attendees";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().reversible();
    const OPEN_WORLD: bool = true;
    // What is in the user's own calendar alone can be removed without a trace; an invitation cannot be called back.
    const COUNTED: Option<&'static str> = Some("attendees");
    const CONFIRM_ABOVE: Option<u32> = Some(0);
    const EXAMPLES: &'static [Example] = &[
        Example(
            "put dentist in my calendar on Friday at 9am",
            r#"{"title":"dentist","start":"Friday at 9am","attendees":[]}"#,
        ),
        Example(
            "add lunch with Dad to my calendar on Sunday at 12:30",
            r#"{"title":"lunch with Dad","start":"Sunday at 12:30","attendees":[]}"#,
        ),
        Example(
            "create an event called focus time tomorrow at 14:00",
            r#"{"title":"focus time","start":"tomorrow at 14:00","attendees":[]}"#,
        ),
        Example(
            "block 90 minutes for writing on Monday at 9am",
            r#"{"duration_minutes":90,"title":"writing","start":"Monday at 9am","attendees":[]}"#,
        ),
        Example(
            "invite priya.nair@northwind.example to lunch on Friday at 12:00",
            r#"{"attendees":["priya.nair@northwind.example"],"title":"lunch","start":"Friday at 12:00"}"#,
        ),
        Example(
            "schedule a meeting called contract with tom.okafor@lumen.example tomorrow at 3pm",
            r#"{"title":"contract","attendees":["tom.okafor@lumen.example"],"start":"tomorrow at 3pm"}"#,
        ),
        Example(
            "book 45 minutes with marcus.webb@northwind.example on Monday at 10:00 about the release",
            r#"{"duration_minutes":45,"attendees":["marcus.webb@northwind.example"],"start":"Monday at 10:00","title":"the release"}"#,
        ),
    ];

    async fn call(self, calendars: &Calendars<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let clock = calendars.clock(call);
        let diary = calendars.diary(call, &clock).await?;
        let mut guests = people::addressed("attendees", &self.attendees)?;
        if !guests.is_empty() {
            let owner = diary.owner().await?;
            guests.retain(|guest| guest.address != owner.address);
        }
        let draft = Draft {
            guests,
            ..self.draft(&clock)?
        };
        let told = |_: &Event, event: &Event| tell(event, &clock);
        Ok(diary.create(&draft, &told).await?)
    }
}

/// What was made, and how it is undone: without a question where nobody else has heard of it.
fn tell(event: &Event, clock: &Clock) -> Reply {
    let title = quoted(&event.title);
    let structured = One {
        event: Shown::whole(event, clock),
    };
    let inverse = json!({ "event": event.id });
    let when = clock.told(&event.span);
    let invited: Vec<String> = event
        .guests
        .iter()
        .map(|guest| guest.person.called().to_owned())
        .collect();
    let (reply, undo) = match invited.len() {
        0 => (
            format!("{title} is in your calendar: {when}."),
            format!("Remove {title} again"),
        ),
        count => {
            let were = if count == 1 { "was" } else { "were" };
            (
                format!(
                    "{title} is scheduled: {when}. {} {were} invited.",
                    joined(&invited)
                ),
                format!("Cancel {title}, and tell those who were invited"),
            )
        }
    };
    let reply = Reply::new(reply)
        .with_structured(&structured)
        .with_inverse("cancel_event", inverse, undo);
    if invited.is_empty() {
        reply.undone_without_asking()
    } else {
        reply
    }
}

impl CreateEvent {
    /// The event, to which nobody is invited so far.
    fn draft(&self, clock: &Clock) -> Result<Draft, Failure> {
        let span = self.span(clock)?;
        if span.moments(&clock.zone).1 <= clock.now {
            return Err(wrong(
                "start",
                &format!(
                    "{} is over. The user's clock shows {}.",
                    clock.told(&span),
                    clock.written(clock.now)
                ),
            ));
        }
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Ok(Draft {
            title: title(&self.title)?,
            span,
            location: limited("location", &text(&self.location), MAX_LOCATION, line)?,
            description: limited("description", &text(&self.description), MAX_DESCRIPTION, lines)?,
            video: self.video_link,
            guests: Vec::new(),
        })
    }

    fn span(&self, clock: &Clock) -> Result<Span, Failure> {
        let read = |field: &str, text: &str| clock.start(field, text).map_err(Failure::Rejected);
        let start = read("start", &self.start)?;
        let end = given(self.end.as_deref())
            .map(|end| read("end", end))
            .transpose()?;
        let backwards = || wrong("end", "must be later than start.");
        match (start, end, self.duration_minutes) {
            (Start::Day(first), None, None) => Ok(Span::Days { first, last: first }),
            (Start::Day(first), Some(Start::Day(last)), _) if last >= first => Ok(Span::Days { first, last }),
            (Start::Day(_), Some(Start::Day(_)), _) => Err(backwards()),
            (Start::Day(_), _, _) => Err(wrong(
                "start",
                "names a day without a time; say when on that day it begins.",
            )),
            // "Until Wednesday", written as the last second of it.
            (Start::Moment(start), Some(Start::Day(last)), _) => {
                let end = clock.moment(last.saturating_add(1.day()).at(0, 0, 0, 0));
                (end > start)
                    .then_some(Span::Times { start, end })
                    .ok_or_else(backwards)
            }
            (Start::Moment(start), Some(Start::Moment(end)), _) => (end > start)
                .then_some(Span::Times { start, end })
                .ok_or_else(backwards),
            (Start::Moment(start), None, duration) => {
                let length = minutes("duration_minutes", duration.unwrap_or(LENGTH))?;
                let end = start
                    .checked_add(SignedDuration::from_mins(length))
                    .unwrap_or(Timestamp::MAX);
                Ok(Span::Times { start, end })
            }
        }
    }
}

/// A title, which is one line and not empty.
pub(super) fn title(text: &str) -> Result<String, Failure> {
    let title = limited("title", text, MAX_TITLE, line)?;
    if title.is_empty() {
        return Err(wrong("title", "must not be empty."));
    }
    Ok(title)
}

/// A text that is put into an event: refused where it is too long, not cut.
pub(super) fn limited(
    field: &str,
    text: &str,
    limit: usize,
    clean: fn(&str, usize) -> String,
) -> Result<String, Failure> {
    let text = clean(text, usize::MAX);
    if text.chars().count() > limit {
        return Err(wrong(field, &format!("must have at most {limit} characters.")));
    }
    Ok(text)
}
