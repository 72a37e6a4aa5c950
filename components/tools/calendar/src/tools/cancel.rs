//! Cancels events, and brings them back.

use anyturn_google::Network;
use anyturn_state::Store;
use anyturn_tool_sdk::{Call, Effect, Example, Failure, Reply, Risk, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::show::{One, Shown, quoted};
use super::{day, given};
use crate::diary::Diary as _;
use crate::event::Event;
use crate::{Calendars, Meant};

/// Cancels an event that the user organizes. Everybody who is invited is told so by mail; say that before, and whom it
/// concerns. Of an event that recurs, only this one time is cancelled.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelEvent {
    /// Which event: its id, or words of its title.
    event: String,
    /// Its day, where several events have such a title.
    #[schemars(extend("format" = "date"))]
    day: Option<String>,
    /// The etag that it had when it was read: it is not cancelled if it was changed since.
    etag: Option<String>,
}

/// Brings a cancelled event back into the calendar. Everybody who was invited is invited again by mail.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreEvent {
    /// The id of the event.
    event: String,
}

impl<S: Store, N: Network> Tool<Calendars<S, N>> for CancelEvent {
    const NAME: &'static str = "cancel_event";
    const TITLE: &'static str = "Cancel an event and tell its guests";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().destructive().reversible();
    const OPEN_WORLD: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example("cancel the kick-off", r#"{"event":"the kick-off"}"#),
        Example(
            "cancel my dentist appointment",
            r#"{"event":"dentist appointment"}"#,
        ),
        Example("remove focus time from my calendar", r#"{"event":"focus time"}"#),
        Example(
            "call off the lunch on Friday",
            r#"{"event":"the lunch","day":"Friday"}"#,
        ),
        Example("delete the event writing", r#"{"event":"writing"}"#),
    ];

    async fn call(self, calendars: &Calendars<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let clock = calendars.clock(call);
        let diary = calendars.diary(call, &clock).await?;
        let on = day("day", self.day.as_deref(), &clock)?;
        let event = match calendars.meant(call, &diary, &self.event, on, &clock).await? {
            Meant::Event(event) => event,
            Meant::Done(reply) => return Ok(reply),
        };
        let told = |_: &Event, event: &Event| {
            let title = quoted(&event.title);
            let text = format!(
                "Cancelled {title}, {}.{}",
                clock.told(&event.span),
                guests_were(event, "told")
            );
            let again = match event.guest_count() {
                0 => format!("Put {title} back into the calendar"),
                _ => format!("Put {title} back into the calendar, and invite its guests again"),
            };
            let reply = Reply::new(text)
                .with_structured(&One {
                    event: Shown::whole(event, &clock),
                })
                .with_inverse("restore_event", json!({ "event": event.id }), again);
            if event.guest_count() == 0 {
                reply.undone_without_asking()
            } else {
                reply
            }
        };
        Ok(diary
            .cancel(&event.id, given(self.etag.as_deref()), &told)
            .await?)
    }
}

impl<S: Store, N: Network> Tool<Calendars<S, N>> for RestoreEvent {
    const NAME: &'static str = "restore_event";
    const TITLE: &'static str = "Bring a cancelled event back and invite its guests again";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().destructive().reversible();
    const OPEN_WORLD: bool = true;
    const RISK: Risk = Risk::Medium;

    async fn call(self, calendars: &Calendars<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let clock = calendars.clock(call);
        let diary = calendars.diary(call, &clock).await?;
        let told = |before: &Event, after: &Event| {
            let title = quoted(&after.title);
            let structured = One {
                event: Shown::whole(after, &clock),
            };
            if before.etag == after.etag {
                return Reply::new(format!("{title} was not cancelled.")).with_structured(&structured);
            }
            let again = guests_were(after, "invited again");
            let text = format!(
                "{title} is in the calendar again, {}.{again}",
                clock.told(&after.span)
            );
            let reply = Reply::new(text).with_structured(&structured).with_inverse(
                "cancel_event",
                json!({ "event": after.id }),
                format!("Cancel {title} again"),
            );
            if after.guest_count() == 0 {
                reply.undone_without_asking()
            } else {
                reply
            }
        };
        Ok(diary.restore(self.event.trim(), &told).await?)
    }
}

/// " The guest was told." or " All 3 guests were told."
fn guests_were(event: &Event, what: &str) -> String {
    match event.guest_count() {
        0 => String::new(),
        1 => format!(" The guest was {what}."),
        count => format!(" All {count} guests were {what}."),
    }
}
