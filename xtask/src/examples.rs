//! The examples in other languages, each built by its own language's tools. The application does without them.

use std::process::Stdio;

use anyhow::{Context as _, Result};

use crate::run::{on_path, program, root, step, success};

/// The components in JavaScript.
const JAVASCRIPT: [&str; 1] = ["units"];

/// Builds them; where npm is missing, that is said, and no error.
pub fn build() -> Result<()> {
    if !on_path("npm") {
        eprintln!("==> SKIPPED the examples in JavaScript: there is no npm on the PATH (https://nodejs.org)");
        return Ok(());
    }
    JAVASCRIPT.iter().try_for_each(|name| {
        step(&format!("Building the example {name}"));
        npm(name, &["ci", "--loglevel=error"])?;
        npm(name, &["run", "--silent", "build"])
    })
}

/// Runs their own tests.
pub fn test() -> Result<()> {
    if !on_path("npm") {
        return Ok(());
    }
    JAVASCRIPT.iter().try_for_each(|name| {
        step(&format!("Testing the example {name}"));
        npm(name, &["run", "--silent", "test"])
    })
}

fn npm(example: &str, arguments: &[&str]) -> Result<()> {
    let folder = root().join("components/examples").join(example);
    let what = || format!("npm {} in {}", arguments.join(" "), folder.display());
    let status = program("npm")
        .args(arguments)
        .current_dir(&folder)
        .stdin(Stdio::null())
        .status();
    success(status.with_context(what)?).with_context(what)
}
