//! The Rust toolchain: what `rust-toolchain.toml` asks for has to be there, the components' target above all.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use crate::run::{program, root, step, success};

/// What components are compiled for.
pub const COMPONENT_TARGET: &str = "wasm32-wasip2";

/// Installs what is missing.
pub fn ensure() -> Result<()> {
    if is_there()? {
        return Ok(());
    }
    let manual = format!("install the target yourself: rustup target add {COMPONENT_TARGET}");
    step(&format!("Installing the Rust target {COMPONENT_TARGET}"));
    let status = program("rustup")
        .args(["target", "add", COMPONENT_TARGET])
        .stdin(Stdio::null())
        .status();
    match status {
        Err(_) => bail!(
            "the Rust target {COMPONENT_TARGET} is missing, and rustup is not there to install it; \
             get it from https://rustup.rs, or add the target to your Rust installation"
        ),
        Ok(status) => success(status).context(manual.clone())?,
    }
    if !is_there()? {
        bail!("rustup has installed {COMPONENT_TARGET} for another toolchain than the one in use; {manual}");
    }
    Ok(())
}

/// Installs what `cargo xtask lint` needs.
pub fn ensure_lints() -> Result<()> {
    let there = |tool: &str| {
        program("cargo")
            .args([tool, "--version"])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let missing: Vec<&str> = [("fmt", "rustfmt"), ("clippy", "clippy")]
        .into_iter()
        .filter_map(|(tool, component)| (!there(tool)).then_some(component))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    step(&format!("Installing {}", missing.join(" and ")));
    let by_hand = format!("install it yourself: rustup component add {}", missing.join(" "));
    let status = program("rustup")
        .args(["component", "add"])
        .args(&missing)
        .stdin(Stdio::null())
        .status();
    success(status.with_context(|| format!("rustup cannot be started; {by_hand}"))?).context(by_hand)
}

/// Whether the compiler in use has the target: its standard library lies below the sysroot.
fn is_there() -> Result<bool> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = program(rustc)
        .args(["--print", "sysroot"])
        .output()
        .context("rustc cannot be started")?;
    success(output.status).context(
        "the toolchain that rust-toolchain.toml asks for is not installed; install it: rustup toolchain install",
    )?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    Ok(root()
        .join(sysroot)
        .join("lib/rustlib")
        .join(COMPONENT_TARGET)
        .join("lib")
        .is_dir())
}
