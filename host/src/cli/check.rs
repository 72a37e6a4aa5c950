//! `anyturn check`: everything that is wrong, with its place, its reason and what would be right.

use super::configuration;
use anyhow::{Result, bail};
use std::net::SocketAddr;

/// What `check` can be told.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    application: configuration::Arguments,

    /// The address that would be listened at: whether strangers can connect decides what is allowed.
    #[arg(long, env = "ANYTURN_LISTEN", default_value = super::LISTEN, value_name = "ADDRESS")]
    listen: SocketAddr,
}

/// Checks the manifest, the configuration, the files, and the assistants among them.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let manifest = arguments.application.manifest.display();
    let findings = match arguments.application.check(arguments.listen.ip()) {
        Ok((_, warnings)) => warnings,
        Err(findings) => findings,
    };
    if !findings.is_empty() {
        eprintln!("{findings}");
    }
    match findings.errors() {
        0 => println!("{manifest} can be served"),
        1 => bail!("{manifest} cannot be served: 1 error"),
        errors => bail!("{manifest} cannot be served: {errors} errors"),
    }
    Ok(())
}
