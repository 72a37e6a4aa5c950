//! HTTP front of the system: routes, API dialects, event streams. Holds no rules of its own.
//!
//! A request goes through [`handle::handle`]: its route is found ([`route`]), its caller identified and counted
//! ([`exchange`]), and then it is a turn, a decision or a look at sessions in one of three dialects ([`native`],
//! [`openai`], [`app`]), a request to a tool's own API ([`proxy`]), or the description of all that ([`docs`]). The engine decides
//! what a turn is; here it is only read, run ([`turns`]) and written down. What was left behind by instances that died is
//! gone on with by whoever asks for it, and by [`tick`].
//!
//! Everything is written against [`platform::Platform`], so the whole way from a request to its answer runs natively
//! in tests. The component (`component`, for WASI only) is that trait over WASI and Spin.

pub mod app;
pub mod assistants;
pub mod clock;
#[cfg(target_arch = "wasm32")]
mod component;
pub mod docs;
pub mod exchange;
pub mod handle;
pub mod health;
pub mod http;
pub mod message;
pub mod native;
pub mod openai;
#[cfg(not(target_arch = "wasm32"))]
pub mod openapi;
pub mod platform;
pub mod proxy;
pub mod route;
pub mod tick;
pub mod timezone;
pub mod tools;
pub mod turns;
