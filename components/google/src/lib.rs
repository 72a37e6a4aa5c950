//! Google's REST APIs, for the tools that work on a user's Google account.
//!
//! What every one of those APIs needs is here once:
//!
//! - [`Network`]: HTTP, a clock and randomness, over WASI 0.3 in components and over Tokio in tests.
//! - [`Client`]: a user's access to Google. It gets the access token from the component `accounts`, shows it to nobody
//!   ([`Secret`]), has it renewed when Google says 401, waits and tries again when Google is busy or a quota is used up
//!   (truncated exponential backoff with jitter, never past the call's deadline), and reads Google's error bodies into
//!   [`Error`].
//! - [`Request`]: a request as the APIs want it; [`Client::pages`] follows `nextPageToken`.
//! - [`gmail`]: the mailbox.
//! - [`calendar`]: events, and when people are busy; [`people`]: contacts.
//! - [`batch`]: many small requests in one, with a result for each; only the parts that failed are tried again.
//!
//! What the APIs mean is left to the modules named after them and to the tools.

mod accounts;
mod backoff;
pub mod batch;
pub mod calendar;
mod client;
mod error;
pub mod gmail;
pub mod network;
mod pages;
pub mod people;
mod request;
mod secret;

pub use accounts::Accounts;
pub use client::Client;
pub use error::{ApiError, Error};
pub use network::{Network, NetworkError, Outgoing};
pub use pages::{Listed, Page};
pub use request::Request;
pub use secret::Secret;
