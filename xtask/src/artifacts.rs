//! What is built: the components of spin.toml and the host.

use std::path::PathBuf;

use anyhow::Result;

use crate::run::{Cargo, root, step};
use crate::toolchain::COMPONENT_TARGET;
use crate::{manifest, reproducible};

/// Components that only tests and the benchmark run.
pub const TEST_COMPONENTS: [&str; 6] = [
    "anyturn-hello",
    "anyturn-hostile",
    "anyturn-middleware",
    "anyturn-spin-guest",
    "anyturn-spin-guest-p2",
    "anyturn-state-probe",
];

/// Components that the application does without: what Spin provides for hosts that are not Spin, and examples.
pub const OTHER_COMPONENTS: [&str; 3] = [
    "anyturn-redis-adapter",
    "anyturn-variables-adapter",
    "anyturn-ask-example",
];

/// Builds the components of spin.toml, and `more`.
pub fn components(more: &[&str]) -> Result<()> {
    let packages = manifest::read()?.packages()?;
    step("Building the components");
    packages
        .iter()
        .map(String::as_str)
        .chain(more.iter().copied())
        .try_for_each(|package| reproducible::building(package).run())
}

/// The arguments by which cargo builds a component as small as it gets: what its package uses and nothing else, so
/// that no package brings features of libraries to another; only the component, since nothing is optimized across
/// crates where a library for Rust comes out too (tests want one); addresses in as few bytes as they take; and functions
/// that are copied into their callers only where that hardly adds to these, which the optimizer's own idea of `s` is
/// far from.
pub fn component(package: &str) -> [&str; 12] {
    [
        "rustc",
        "--profile",
        "component",
        "--target",
        COMPONENT_TARGET,
        "--crate-type",
        "cdylib",
        "-p",
        package,
        "--",
        "-Clink-arg=--compress-relocations",
        "-Cllvm-args=-inline-threshold=10",
    ]
}

/// How the host is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// For whoever works on it.
    Release,
    /// For whoever runs it: smaller and quicker, and the build takes minutes longer.
    Dist,
}

/// Builds the host, and tells where it is. The first time that takes minutes: it holds a compiler.
pub fn host(profile: Profile) -> Result<PathBuf> {
    step("Building the host");
    let name = match profile {
        Profile::Release => "release",
        Profile::Dist => "dist",
    };
    Cargo::new(["build", "--profile", name, "-p", "anyturn"]).run()?;
    Ok(program_in(&format!("target/{name}"), "anyturn"))
}

/// Where a program of the release profile is.
pub fn binary(name: &str) -> PathBuf {
    program_in("target/release", name)
}

/// Where a program of the dev profile is.
pub fn test_binary(name: &str) -> PathBuf {
    program_in("target/debug", name)
}

fn program_in(folder: &str, name: &str) -> PathBuf {
    root()
        .join(folder)
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `spin build` must build what `cargo xtask build` builds.
    #[test]
    fn the_application_says_how_it_is_built() {
        let manifest = std::fs::read_to_string(root().join("spin.toml")).unwrap();
        for package in manifest::read().unwrap().packages().unwrap() {
            let command = format!("\"cargo {}\"", component(&package).join(" "));
            assert!(
                manifest.contains(&command),
                "{command} is no build command of spin.toml"
            );
        }
    }
}
