//! Component builds that come out the same on every machine: the same sources, the same Cargo.lock and the same
//! toolchain give the same bytes, whoever builds, wherever, and with whatever in cargo's home.
//!
//! What would differ is taken out where components are built: the folder of cargo's registry, which panic messages
//! name the sources of libraries by. (Sources of this repository are named relative to it anyway.) The proof is a second
//! build: of a copy of the sources in another folder, with another home for cargo, and without a compiler cache.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use crate::run::{Cargo, program, root, step, success};
use crate::sbom::digest;
use crate::{artifacts, manifest, no_arguments, toolchain};

/// What the registry's folder is called in components, wherever it is.
const REGISTRY: &str = "/cargo/registry";

/// The variable by which cargo takes flags of the compiler for components.
const FLAGS: &str = "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS";

/// A call of cargo that builds the component of a package.
pub fn building(package: &str) -> Cargo {
    with_home(package, &home())
}

fn with_home(package: &str, home: &Path) -> Cargo {
    let remapping = format!(
        "--remap-path-prefix={}={REGISTRY}",
        home.join("registry/src").display()
    );
    let mut flags = std::env::var(FLAGS).unwrap_or_default();
    // Where the flags were given from outside, as in the Dockerfile, they may have it already.
    if !flags.split_whitespace().any(|flag| flag == remapping) {
        flags = format!("{flags} {remapping}").trim().to_owned();
    }
    Cargo::new(artifacts::component(package)).env(FLAGS, &flags)
}

/// Where cargo keeps what it downloads.
fn home() -> PathBuf {
    let named = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    named.unwrap_or_else(|| {
        let home: OsString = std::env::var_os("HOME")
            .or_else(|| std::env::var_os("USERPROFILE"))
            .unwrap_or_default();
        PathBuf::from(home).join(".cargo")
    })
}

/// `cargo xtask reproducible`.
pub fn reproducible(arguments: &[String]) -> Result<()> {
    no_arguments("reproducible", arguments)?;
    toolchain::ensure()?;
    artifacts::components(&[])?;
    step("Building the components again, elsewhere");
    let place = std::env::temp_dir().join(format!("anyturn-reproducible-{}", std::process::id()));
    let outcome = again(&place);
    std::fs::remove_dir_all(&place).with_context(|| format!("{} cannot be removed", place.display()))?;
    outcome
}

fn again(place: &Path) -> Result<()> {
    let copy = place.join("a/copy/of/the/sources");
    let other_home = place.join("cargo");
    copy_sources(&copy)?;
    // The same downloads by another path: the compiler is told this one.
    std::fs::create_dir_all(&other_home)?;
    link(&home().join("registry"), &other_home.join("registry"))?;
    let manifest = manifest::read()?;
    for package in manifest.packages()? {
        with_home(&package, &other_home)
            .current_dir(&copy)
            .env("CARGO_HOME", &other_home.to_string_lossy())
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TARGET_DIR", &copy.join("target").to_string_lossy())
            .env_remove("RUSTC_WRAPPER")
            .env_remove("RUSTC_WORKSPACE_WRAPPER")
            .run()?;
    }
    let mut differing = Vec::new();
    for module in manifest.modules() {
        let (first, second) = (
            digest(&root().join(&module.path))?,
            digest(&copy.join(&module.path))?,
        );
        println!("{second}  {}", module.path.display());
        if first != second {
            differing.push(module.path.display().to_string());
        }
    }
    if !differing.is_empty() {
        bail!(
            "built again, these are not what was built before: {}; `cmp -l` shows where",
            differing.join(", ")
        );
    }
    eprintln!("the second build is the first, bit by bit");
    Ok(())
}

/// Copies what git knows, as it is now.
fn copy_sources(copy: &Path) -> Result<()> {
    let output = program("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .stdin(Stdio::null())
        .output()
        .context("git cannot be started")?;
    success(output.status).context("`git ls-files` failed")?;
    for name in String::from_utf8(output.stdout)?.split_terminator('\0') {
        let (from, to) = (root().join(name), copy.join(name));
        if from.is_file() {
            std::fs::create_dir_all(to.parent().unwrap_or(copy))?;
            std::fs::copy(&from, &to).with_context(|| format!("{name} cannot be copied"))?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> Result<()> {
    std::os::unix::fs::symlink(to, at).with_context(|| format!("{} cannot be linked", to.display()))
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> Result<()> {
    bail!("the second build needs links to folders, as Unix has them")
}
