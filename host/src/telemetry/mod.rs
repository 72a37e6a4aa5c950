//! What is told of the application to those who run it, beyond what the host sees for itself.
//!
//! The host watches every crossing: requests, calls between components, operations of the store, requests to
//! other servers. What they are for, a component says by `anyturn:telemetry`: its [`spans`] say which turn,
//! step, model or tool it was. The counts of [`agents`] come from them.

pub(crate) mod agents;
mod labels;
pub(crate) mod spans;
