//! The Redis store against a real `redis-server`, which must be on the path.

mod conformance;
mod faults;
mod layout;
mod server;
mod throughput;
mod tls;
