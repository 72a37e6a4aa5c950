//! What the program can be asked to do.

mod capacity;
mod check;
mod compile;
mod configuration;
mod greeting;
mod health;
pub(crate) mod key;
mod load;
mod up;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Where the application is served unless somebody says otherwise: on this machine only.
const LISTEN: &str = "127.0.0.1:3000";

#[derive(Parser)]
#[command(
    name = "anyturn",
    version,
    about = "Serves the application that a spin.toml describes."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the application.
    Up(Box<up::Arguments>),
    /// Says everything that is wrong with the application and its configuration.
    Check(check::Arguments),
    /// Compiles the application's components, so that the first start is quick.
    Compile(compile::Arguments),
    /// Asks a running host how it is; ends with status 1 unless it is well.
    Health(health::Arguments),
    /// Makes keys for the API.
    #[command(subcommand)]
    Key(key::Command),
    /// Sends turns to a running server, and reports how it did.
    Load(Box<load::Arguments>),
    /// Says how many instances a load needs, and what platforms ask for them.
    Capacity(capacity::Arguments),
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Up(arguments) => up::run(*arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Compile(arguments) => compile::run(&arguments),
        Command::Health(arguments) => health::run(&arguments),
        Command::Key(command) => key::run(command),
        Command::Load(arguments) => load::run(*arguments),
        Command::Capacity(arguments) => capacity::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A length of time, such as `500ms`, `30s` or `10m`.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    parsed
        .and_then(|duration| std::time::Duration::try_from(duration).ok())
        .ok_or_else(|| "write a length of time such as 500ms, 30s or 10m".to_owned())
}
