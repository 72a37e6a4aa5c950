//! The tools. An event is named by its id or by words of its title; days and times are ISO, or the words that people
//! use. Results are written for people, and for models that quote them; `structuredContent` has the same for programs.

mod cancel;
mod create;
mod free;
mod list;
mod read;
mod show;
mod update;

pub use cancel::{CancelEvent, RestoreEvent};
pub use create::CreateEvent;
pub use free::FindFreeTime;
pub use list::ListEvents;
pub use read::ReadEvent;
pub use update::UpdateEvent;

use anyturn_days as days;
use anyturn_tool_sdk::Failure;
use jiff::civil::Date;

use crate::moment::Clock;

/// A day that an argument names; none where it is left out or empty.
fn day(field: &str, text: Option<&str>, clock: &Clock) -> Result<Option<Date>, Failure> {
    given(text)
        .map(|text| days::parse(text, clock.today()).map_err(|message| wrong(field, &message)))
        .transpose()
}

/// A text that an argument has; models write an empty one for none.
fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn wrong(field: &str, message: &str) -> Failure {
    Failure::rejected(format!("{field}: {message}"))
}

fn minutes(field: &str, value: u32) -> Result<i64, Failure> {
    const LONGEST: u32 = 24 * 60;
    if (5..=LONGEST).contains(&value) {
        return Ok(i64::from(value));
    }
    Err(wrong(field, &format!("must be from 5 to {LONGEST} minutes.")))
}
