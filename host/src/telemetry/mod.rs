//! What is told of the application to those who run it, beyond what the host sees for itself.
//!
//! The host watches every crossing: requests, calls between components, operations of the store, requests to
//! other servers. What they are for, a component says by `anyturn:telemetry`: its [`spans`] say which turn,
//! step, model or tool it was. From the same spans come the counts of [`agents`], always, and [`traces`], where
//! somebody collects them.

pub(crate) mod agents;
pub(crate) mod conventions;
pub(crate) mod export;
mod labels;
mod settings;
pub(crate) mod spans;
pub(crate) mod traces;
pub(crate) mod watch;
