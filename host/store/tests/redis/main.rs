//! The Redis store against a real `redis-server`, which must be on the path.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "panicking is how a test fails"
)]

mod cluster;
mod commands;
mod conformance;
mod failover;
mod faults;
mod layout;
mod sentinel;
mod server;
mod throughput;
mod tls;
