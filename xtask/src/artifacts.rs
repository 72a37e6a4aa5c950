//! What is built: the components of spin.toml and the host.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::run::{Cargo, root, step};
use crate::toolchain::COMPONENT_TARGET;

/// Components that only tests and the benchmark run.
pub const TEST_COMPONENTS: [&str; 3] = ["anyturn-hello", "anyturn-hostile", "anyturn-state-probe"];

/// Builds the components of spin.toml, and `more`.
pub fn components(more: &[&str]) -> Result<()> {
    let packages = packages()?;
    step("Building the components");
    packages
        .iter()
        .map(String::as_str)
        .chain(more.iter().copied())
        .try_for_each(|package| Cargo::new(component(package)).run())
}

/// The arguments by which cargo builds a component as small as it gets: what its package uses and nothing else, so
/// that no package brings features of libraries to another; only the component, since nothing is optimized across
/// crates where a library for Rust comes out too (tests want one); and addresses in as few bytes as they take.
fn component(package: &str) -> [&str; 11] {
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
    ]
}

/// Builds the host, and tells where it is. The first time that takes minutes: it holds a compiler.
pub fn host() -> Result<PathBuf> {
    step("Building the host");
    Cargo::new(["build", "--release", "-p", "anyturn"]).run()?;
    Ok(binary("anyturn"))
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

/// The packages of the application's components.
pub fn packages() -> Result<BTreeSet<String>> {
    let path = root().join("spin.toml");
    let manifest =
        std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let packages = packages_in(&manifest);
    if packages.is_empty() {
        bail!(
            "{} has no `cargo … -p <package>` in any component's build command",
            path.display()
        );
    }
    Ok(packages)
}

/// The packages that the build commands of a manifest name, each once: spin.toml stays the only list.
fn packages_in(manifest: &str) -> BTreeSet<String> {
    let mut packages = BTreeSet::new();
    for line in manifest
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
    {
        let Some((_, command)) = line.split_once("cargo ") else {
            continue;
        };
        let mut words = command.split([' ', '"', '\'', ',', ']']);
        while let Some(word) = words.next() {
            if matches!(word, "-p" | "--package") {
                packages.extend(words.next().map(str::to_owned));
            }
        }
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_come_from_the_build_commands() {
        let manifest = r#"
            [component.a.build]
            command = "cargo build --target t -p one"
            [component.b.build]
            command = ["cargo build -p two -p three", "cargo build --package one"]
            # cargo build -p ignored
            watch = ["-p"]
        "#;
        let expected = ["one", "three", "two"].map(str::to_owned);
        assert_eq!(packages_in(manifest), expected.into());
    }

    /// `spin build` must build what `cargo xtask build` builds.
    #[test]
    fn the_application_says_how_it_is_built() {
        let manifest = std::fs::read_to_string(root().join("spin.toml")).unwrap();
        for package in packages().unwrap() {
            let command = format!("\"cargo {}\"", component(&package).join(" "));
            assert!(
                manifest.contains(&command),
                "{command} is no build command of spin.toml"
            );
        }
    }

    /// A component whose file nobody builds would be found out only when the application starts.
    #[test]
    fn every_component_file_of_the_application_is_built() {
        let manifest = std::fs::read_to_string(root().join("spin.toml")).unwrap();
        let packages = packages().unwrap();
        let mut files = 0;
        for text in manifest.split('"').filter(|text| text.ends_with(".wasm")) {
            let name = text
                .strip_prefix(&format!("target/{COMPONENT_TARGET}/component/"))
                .unwrap();
            let package = name.trim_end_matches(".wasm").replace('_', "-");
            assert!(packages.contains(&package), "{text} is built by no build command");
            files += 1;
        }
        assert!(files >= packages.len(), "found {files} files of {packages:?}");
    }
}
