//! `cargo xtask deny`: licences, sources, bans and advisories of everything that is depended on, by cargo-deny.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::no_arguments;
use crate::run::{Cargo, program, root, step, success};

/// What is installed where no cargo-deny is. It is pinned, because a newer one may find more.
const PACKAGE: &str = "cargo-deny@0.20.2";

/// Runs it. Its database of advisories is on the web; where that is out of reach, everything else is checked.
pub fn deny(arguments: &[String]) -> Result<()> {
    no_arguments("deny", arguments)?;
    let binary = binary()?;
    let run = |arguments: &[&str]| {
        let mut command = program(&binary);
        command.args(arguments).stdin(Stdio::null());
        finish(command)
    };
    step("Checking licences, sources and bans");
    if let Err(error) = run(&["check", "licenses", "sources", "bans"]) {
        bail!("{error:#}; deny.toml says what is allowed");
    }
    step("Checking advisories");
    if let Err(error) = run(&["fetch", "db"]) {
        eprintln!("SKIPPED: advisories, because their database is out of reach: {error:#}");
        return Ok(());
    }
    run(&["check", "--disable-fetch", "advisories"])
}

fn finish(mut command: Command) -> Result<()> {
    let status = command.status().context("cargo-deny cannot be started")?;
    success(status).context("cargo-deny failed")
}

/// cargo-deny: the one on the `PATH`, or one that is compiled into `target/tools` once, which takes two minutes of
/// computing time.
fn binary() -> Result<PathBuf> {
    let folder = root().join("target/tools");
    let own = folder
        .join("bin")
        .join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    for candidate in [PathBuf::from("cargo-deny"), own.clone()] {
        let there = program(&candidate)
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        if there.is_ok_and(|status| status.success()) {
            return Ok(candidate);
        }
    }
    step("Installing cargo-deny");
    Cargo::new(["install", "--quiet", "--locked", PACKAGE, "--root"])
        .args([&folder])
        .run()?;
    Ok(own)
}
