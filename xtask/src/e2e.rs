//! `cargo xtask e2e`: what the public API promises, checked against any deployment.
//!
//! The promises and the program that checks them are the package `anyturn-e2e`; here everything is built that the
//! deployment needs which is to be checked.

use anyhow::{Context as _, Result};

use crate::artifacts::{self, Profile};
use crate::run::{Cargo, on_path, program, step, success};
use crate::{machine, toolchain};

/// `cargo xtask e2e [--url … | --spin] …`.
pub fn e2e(arguments: &[String]) -> Result<()> {
    let asks_for = |option: &str| {
        arguments
            .iter()
            .any(|argument| argument == option || argument.starts_with(&format!("{option}=")))
    };
    let starts_nothing = ["--url", "--list", "--help", "-h"].into_iter().any(asks_for);
    if asks_for("--spin") && !starts_nothing && !on_path("spin") {
        // Said without building anything.
        println!("skipped: there is no `spin` on the PATH (https://spinframework.dev/install)");
        return Ok(());
    }
    if !starts_nothing {
        toolchain::ensure()?;
        machine::require(&machine::FOR_E2E)?;
        machine::clients()?;
        artifacts::components(&[])?;
        if !asks_for("--spin") {
            artifacts::host(Profile::Release)?;
        }
    }
    step("Building the client");
    // In the profile of the tests, whose fixtures it is made of.
    Cargo::new(["build", "-p", "anyturn-e2e"]).run()?;
    program(artifacts::test_binary("anyturn-e2e"))
        .args(arguments)
        .status()
        .context("anyturn-e2e cannot be started")
        .and_then(success)
}
