//! Write a tool in a few lines, get an MCP server.
//!
//! A tool is a type: its fields are the arguments, its doc comments what a model reads about them, and its
//! [`Tool`] implementation says what a call does. A [`Toolbox`] is the set of tools that one component serves,
//! and [`serve`] answers its HTTP requests: `POST /mcp` speaks the Model Context Protocol (2026-07-28 and
//! 2025-11-25), and every other path belongs to the toolbox's plain HTTP API, if it has one.
//!
//! ```
//! use anyturn_tool_sdk::{Call, Effect, Example, Failure, Implementation, Reply, Tool, Toolbox, serve};
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//!
//! /// Rolls dice and tells what they show.
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct RollDice {
//!     /// How many dice; 1 to 10.
//!     #[schemars(range(min = 1, max = 10))]
//!     count: u32,
//! }
//!
//! impl Tool<Dice> for RollDice {
//!     const NAME: &'static str = "roll_dice";
//!     const TITLE: &'static str = "Roll dice";
//!     const EFFECT: Effect = Effect::READ;
//!     const EXAMPLES: &'static [Example] = &[Example("roll 2 dice", r#"{"count":2}"#)];
//!
//!     async fn call(self, dice: &Dice, _call: &Call<'_>) -> Result<Reply, Failure> {
//!         if !(1..=10).contains(&self.count) {
//!             return Err(Failure::rejected("count must be from 1 to 10"));
//!         }
//!         let eyes: Vec<u32> = (0..self.count).map(|_| dice.roll()).collect();
//!         Ok(Reply::new(format!("The dice show {eyes:?}.")).with_structured(&eyes))
//!     }
//! }
//!
//! struct Dice;
//!
//! impl Dice {
//!     fn roll(&self) -> u32 {
//!         4
//!     }
//! }
//!
//! impl Toolbox for Dice {
//!     const IDENTITY: Implementation = Implementation { name: "dice", title: Some("Dice"), version: "1.0.0" };
//!     type Tools = (RollDice,);
//! }
//!
//! #[spin_sdk::http_service]
//! async fn handle(request: spin_sdk::http::Request) -> anyturn_tool_sdk::Response {
//!     serve(&Dice, request).await
//! }
//! # fn main() {
//! # let request = http::Request::post("/mcp").header("content-type", "application/json")
//! #     .body(http_body_util::Full::new(bytes::Bytes::from_static(
//! #         br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"roll_dice","arguments":{"count":2}}}"#
//! #     ))).unwrap();
//! # let response = futures::executor::block_on(serve(&Dice, request));
//! # assert_eq!(response.status(), 200);
//! # }
//! ```
//!
//! # The list of tools
//!
//! Every turn of a conversation asks for it, from a fresh instance. By default it is generated from the types
//! on the spot. A component that is used much keeps it as a constant: `tools.json` beside its `Cargo.toml`,
//! returned by [`Toolbox::list`] and held current by a test that calls [`testing::check_list`].
//! Nothing of the generator is then linked into the component.
//!
//! # Changes that happen once
//!
//! A call that changes something carries an idempotency key. [`Once`] stores the outcome under it in the same
//! commit as the change, and gives it back when the call comes again:
//!
//! ```
//! use anyturn_state::{ExpectedVersion, Store, Write};
//! use anyturn_tool_sdk::{Call, Failure, Once, Reply};
//!
//! async fn note<S: Store>(store: &S, call: &Call<'_>, text: String) -> Result<Reply, Failure> {
//!     let scope = call.caller.scope()?;
//!     let write = Write::Put {
//!         document: "note".into(),
//!         expected: ExpectedVersion::Any,
//!         value: text.into_bytes(),
//!         ttl: None,
//!     };
//!     Ok(Once::of(call)?.apply(store, &scope, vec![write], Reply::new("Noted.")).await?)
//! }
//! # fn main() {}
//! ```
//!
//! # Turns that change hands
//!
//! A turn whose instance dies or stands still is taken over by another one, once its lease has run out. Two
//! things make that safe for a tool:
//!
//! - A call names the last moment of its turn's lease ([`Call::not_after`]). [`Once`] makes it a condition of the
//!   commit, so that a call which was held up on its way cannot take effect when somebody else has gone on with
//!   the turn: it fails as [`Failure::TooLate`], and nothing was done.
//! - Whoever takes over may ask what became of a call. A tool that can tell is [`Effect::verifiable`], and its
//!   toolbox implements [`Toolbox::check`]; with [`Once`] that is one line:
//!
//! ```
//! # use anyturn_state::Store;
//! # use anyturn_tool_sdk::{Call, Failure, Once, Reply};
//! async fn check<S: Store>(store: &S, call: &Call<'_>) -> Result<Option<Reply>, Failure> {
//!     Ok(Once::of(call)?.outcome(store, &call.caller.scope()?).await?)
//! }
//! # fn main() {}
//! ```
//!
//! A call that was not found, and whose last moment has passed, never takes effect any more.

mod body;
mod caller;
mod escape;
mod field;
mod once;
mod problem;
mod reply;
pub mod schema;
mod service;
mod set;
pub mod testing;
mod tool;

pub use anyturn_mcp::{Implementation, Inverse};
pub use caller::Caller;
pub use escape::escape;
pub use field::FieldError;
pub use once::{Applied, Once, OnceError};
pub use problem::{Problem, ProblemDocument};
pub use reply::{Failure, Reply};
pub use service::{ApiRequest, Response, Toolbox, serve};
pub use set::Tools;
pub use tool::{Call, Effect, Example, Risk, Tool};
