//! Reads one event.

use anyturn_google::Network;
use anyturn_state::Store;
use anyturn_tool_sdk::{Call, Effect, Example, Failure, Reply, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

use super::day;
use super::show::{One, Shown, told};
use crate::{Calendars, reference};

/// Reads one event with its description, its guests and where one joins by video.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadEvent {
    /// Which event: its id, or words of its title.
    event: String,
    /// Its day, where several events have such a title.
    #[schemars(extend("format" = "date"))]
    day: Option<String>,
}

impl<S: Store, N: Network> Tool<Calendars<S, N>> for ReadEvent {
    const NAME: &'static str = "read_event";
    const TITLE: &'static str = "Read an event";
    const EFFECT: Effect = Effect::READ;
    const EXAMPLES: &'static [Example] = &[
        Example("tell me more about the kick-off", r#"{"event":"the kick-off"}"#),
        Example(
            "who is coming to the design review?",
            r#"{"event":"the design review"}"#,
        ),
        Example("show the details of the offsite", r#"{"event":"the offsite"}"#),
        Example("when is the dentist?", r#"{"event":"the dentist"}"#),
        Example(
            "what is the release night about?",
            r#"{"event":"the release night"}"#,
        ),
    ];

    async fn call(self, calendars: &Calendars<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let clock = calendars.clock(call);
        let diary = calendars.diary(call, &clock).await?;
        let day = day("day", self.day.as_deref(), &clock)?;
        let event = reference::find(&diary, &self.event, day, &clock).await?;
        let mut text = format!("{}: {}.", clock.told(&event.span), told(&event));
        if let Some(organizer) = event.organizer.as_ref().filter(|_| !event.own) {
            text.push_str(&format!("\nOrganized by {}.", organizer.called()));
        }
        if let Some(video) = &event.video {
            text.push_str(&format!("\nVideo: {video}"));
        }
        if !event.description.is_empty() {
            text.push_str(&format!(
                "\nDescription, as its author wrote it:\n{}",
                event.description
            ));
        }
        Ok(Reply::new(text).with_structured(&One {
            event: Shown::whole(&event, &clock),
        }))
    }
}
