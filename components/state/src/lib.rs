//! The state port in Rust, and the one Redis schema behind it.
//!
//! - [`port`]: the types of `anyturn:state` and the traits [`Store`] and [`Queue`].
//!
//! Users of state (the engine, tools) know [`port`] only.

pub mod port;

pub use port::*;
