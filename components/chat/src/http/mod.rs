//! HTTP as this component speaks it, whatever is spoken over it: bodies, problems, reading, cross-origin rules.
//!
//! Nothing here knows assistants or turns, and nothing here knows whether it runs in a component or in a test.

pub mod body;
pub mod cors;
mod pointer;
pub mod problem;
pub mod read;
pub mod respond;
pub mod sse;

pub use body::{Body, BoxError};
pub use problem::{Kind, Problem};

/// A response on its way out.
pub type Response = http::Response<Body>;
