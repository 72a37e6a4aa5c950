//! A model that needs no network.

use crate::{
    api::{Event, Finish, FinishReason, Request, Usage},
    port::Platform,
};

/// The model's name.
pub const MODEL: &str = "offline";

/// Answers at once.
pub fn answer(_request: &Request, _platform: &impl Platform) -> Vec<Event> {
    vec![
        Event::Text("I am the offline model.".into()),
        Event::Finished(Finish {
            reason: FinishReason::Stop,
            usage: Usage {
                input_tokens: 0,
                cached_tokens: 0,
                output_tokens: 0,
            },
            model: MODEL.into(),
        }),
    ]
}
