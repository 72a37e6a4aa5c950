//! The state port in Rust, and the one Redis schema behind it.
//!
//! - [`port`]: the types of `anyturn:state` and the traits [`Store`] and [`Queue`].
//! - [`limits`]: the sizes and alphabets that every store enforces.
//! - `memory` (a feature): the reference implementation, in memory, for tests.
//! - `conformance` (a feature): the port's promises as tests that run against any store.
//! - `schema` (a feature): the Redis schema, for the stores that speak to Redis.
//! - `component` (a feature): [`Store`] and [`Queue`] over the imports of a component.
//!
//! Users of state (the engine, tools) know [`port`] only.

#[cfg(feature = "component")]
pub mod component;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod limits;
#[cfg(feature = "memory")]
pub mod memory;
pub mod port;
#[cfg(feature = "schema")]
pub mod schema;

pub use port::*;
