//! Exports `anyturn:model`: language models over HTTP, and one that needs no network.
//!
//! - [`settings`] turns the application's variables into a provider, or says which variable is wrong;
//! - [`openai`] speaks the Chat Completions dialect, which most providers serve; another dialect is a
//!   sibling module with a `begin` of the same shape and a variant of [`Answer`];
//! - [`offline`] plans tool calls from the examples that tools declare;
//! - [`port`] is all that they need from outside: HTTP, a clock, randomness. The component implements it
//!   with WASI, tests implement it natively;
//! - `component` is the glue: variables in, a stream out.
//!
//! Everything but the glue compiles natively and is tested there.

pub mod bindings;
#[cfg(target_arch = "wasm32")]
mod component;
mod failure;
pub mod offline;
pub mod openai;
pub mod port;
pub mod presets;
mod retry;
pub mod settings;
mod sse;

pub use bindings::exports::anyturn::model::chat as api;

use api::{Description, Error, Event, Request};
use port::Platform;
use settings::Provider;

/// An answer as it arrives. Dropping it gives up what it still waits for.
pub enum Answer<P: Platform> {
    /// All of it is there.
    Complete(std::vec::IntoIter<Event>),
    /// A provider's, over OpenAI's dialect.
    OpenAi(Box<openai::Answer<P>>),
}

impl<P: Platform> Answer<P> {
    /// The next event; nothing comes after [`Event::Finished`] or [`Event::Failed`].
    pub async fn next(&mut self) -> Option<Event> {
        match self {
            Self::Complete(events) => events.next(),
            Self::OpenAi(answer) => answer.next().await,
        }
    }

    /// Everything that can be had without waiting, so that it crosses to the caller at once.
    pub fn take_ready(&mut self) -> Vec<Event> {
        match self {
            Self::Complete(events) => events.collect(),
            Self::OpenAi(answer) => std::iter::from_fn(|| answer.ready()).collect(),
        }
    }
}

/// Asks the configured model; see `anyturn:model/chat.complete`.
pub async fn complete<P: Platform>(
    platform: P,
    provider: &Provider,
    request: Request,
) -> Result<Answer<P>, Error> {
    match provider {
        Provider::Offline => Ok(Answer::Complete(offline::answer(&request, &platform).into_iter())),
        Provider::OpenAi(connection) => {
            let answer = openai::begin(platform, connection, &request).await?;
            Ok(Answer::OpenAi(Box::new(answer)))
        }
    }
}

/// Tells what is configured; see `anyturn:model/chat.describe`.
pub fn describe(provider: &Provider) -> Description {
    match provider {
        Provider::Offline => Description {
            provider: "offline".into(),
            model: offline::MODEL.into(),
            remote: false,
        },
        Provider::OpenAi(connection) => Description {
            provider: connection.preset.name.into(),
            model: connection.model.clone(),
            remote: true,
        },
    }
}
