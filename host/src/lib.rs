//! Runs spin.toml on wasmtime, in a container or on a laptop.
//!
//! `main` is the whole program; the binary only calls it. See `cli` for what it is asked to do.

mod admission;
mod chaining;
mod cli;
mod code;
mod compose;
mod drain;
mod engine;
mod files;
mod guest;
mod linker;
mod logging;
mod messages;
mod metrics;
mod outbound;
mod prepare;
mod probe;
mod readiness;
mod runtime;
mod server;
mod telemetry;
mod tick;
mod wasi;
mod websocket;
mod worker;

/// Runs the program with the process's arguments and environment.
pub fn main() -> std::process::ExitCode {
    cli::main()
}
