//! Tests and lints.
//!
//! The host and everything below it is compiled in the release profile only, because wasmtime takes long to compile and
//! the end-to-end tests need that binary anyway; all else is tested in the dev profile, which compiles quickly.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::artifacts::{self, OTHER_COMPONENTS, TEST_COMPONENTS};
use crate::run::{Cargo, step};
use crate::toolchain::{self, COMPONENT_TARGET};
use crate::{examples, image, machine, manifest, no_arguments};

/// The packages that hold wasmtime: the host, and the stand-in for other hosts.
const HOSTS: [&str; 4] = ["-p", "anyturn", "-p", "anyturn-plain-host"];
/// Everything else.
const REST: [&str; 5] = [
    "--workspace",
    "--exclude",
    "anyturn",
    "--exclude",
    "anyturn-plain-host",
];

/// `cargo xtask test [filter] [-- …]`.
pub fn test(arguments: &[String]) -> Result<()> {
    let start = Instant::now();
    toolchain::ensure()?;
    machine::require(&machine::FOR_TESTS)?;
    machine::clients()?;
    artifacts::components(&[TEST_COMPONENTS.as_slice(), &OTHER_COMPONENTS].concat())?;
    step("Building the host, and the stand-in for other hosts");
    // At once: so they share one wasmtime.
    Cargo::new(["build", "--release"]).args(HOSTS).run()?;
    examples::build()?;
    examples::test()?;
    if cfg!(target_os = "linux") {
        image::assemble(&image::default_folder(), &artifacts::binary("anyturn"))?;
    }
    step("Testing the host");
    Cargo::new(["test", "--release", "--no-fail-fast"])
        .args(HOSTS)
        .args(arguments)
        .run()?;
    step("Testing everything else, end to end");
    Cargo::new(["test", "--no-fail-fast"])
        .args(REST)
        .args(arguments)
        .run()?;
    eprintln!("==> All tests passed, in {}", shown(start.elapsed()));
    Ok(())
}

/// `cargo xtask lint`.
pub fn lint(arguments: &[String]) -> Result<()> {
    no_arguments("lint", arguments)?;
    let start = Instant::now();
    toolchain::ensure()?;
    toolchain::ensure_lints()?;
    step("Checking the formatting");
    Cargo::new(["fmt", "--all", "--check"]).run()?;
    step("Checking the lints");
    let strict = ["--", "-D", "warnings"];
    Cargo::new(["clippy", "--all-targets"])
        .args(REST)
        .args(strict)
        .run()?;
    Cargo::new(["clippy", "--all-targets", "--release"])
        .args(HOSTS)
        .args(strict)
        .run()?;
    step("Checking the lints of what only components compile");
    let packages = manifest::read()?.packages()?;
    Cargo::new(["clippy", "--profile", "component", "--target", COMPONENT_TARGET])
        .args(
            packages
                .iter()
                .map(String::as_str)
                .chain(TEST_COMPONENTS)
                .chain(OTHER_COMPONENTS)
                .flat_map(|name| ["-p", name]),
        )
        .args(strict)
        .run()?;
    step("Checking the documentation");
    let doc = |arguments: &[&str]| {
        Cargo::new(["doc", "--no-deps"])
            .args(arguments)
            .env("RUSTDOCFLAGS", "-D warnings")
    };
    doc(&REST).run()?;
    doc(&["--release"]).args(HOSTS).run()?;
    eprintln!("==> No complaints, in {}", shown(start.elapsed()));
    Ok(())
}

fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_minutes_and_seconds() {
        assert_eq!(shown(Duration::from_millis(59_900)), "59 s");
        assert_eq!(shown(Duration::from_secs(61)), "1 min 1 s");
    }
}
