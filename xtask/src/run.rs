//! Running programs: from the repository's root, with their output shown, and an error that says which one failed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};

/// The repository's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Tells what begins.
pub fn step(what: &str) {
    eprintln!("==> {what}");
}

/// A program that will run in the repository's root, without what cargo tells xtask about xtask: build scripts that
/// look at those variables (ring's does) would run anew whenever cargo is called by hand in between.
pub fn program(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_about_xtask) {
            command.env_remove(name);
        }
    }
    command
}

/// Whether cargo sets this variable for the program that `cargo run` runs.
fn is_about_xtask(name: &str) -> bool {
    const NAMES: [&str; 5] = [
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_CRATE_NAME",
        "CARGO_BIN_NAME",
        "CARGO_PRIMARY_PACKAGE",
    ];
    name.starts_with("CARGO_PKG_") || NAMES.contains(&name)
}

/// Whether a program of this name is on the `PATH`.
pub fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// An error unless the program ended well.
pub fn success(status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("it ended with {status}");
    }
    Ok(())
}

/// A call of the same cargo that runs this.
pub struct Cargo(Command);

impl Cargo {
    /// With these arguments. Everything lands in `target/`, whatever the environment says, because spin.toml names
    /// files there.
    pub fn new<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = program(cargo);
        command
            .args(arguments)
            .env("CARGO_TARGET_DIR", root().join("target"))
            .env_remove("CARGO_BUILD_TARGET")
            .stdin(Stdio::null());
        Self(command)
    }

    /// With more arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.0.args(arguments);
        self
    }

    /// With a variable in its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// Without a variable in its environment.
    pub fn env_remove(mut self, name: &str) -> Self {
        self.0.env_remove(name);
        self
    }

    /// In another folder than the repository's root.
    pub fn current_dir(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Runs it and waits.
    pub fn run(mut self) -> Result<()> {
        let shown = self.shown();
        let status = self
            .0
            .status()
            .with_context(|| format!("`{shown}` cannot be started"))?;
        success(status).with_context(|| format!("`{shown}` failed"))
    }

    /// Runs it and returns what it writes to its standard output.
    pub fn output(mut self) -> Result<String> {
        let shown = self.shown();
        let output = self
            .0
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("`{shown}` cannot be started"))?;
        success(output.status).with_context(|| format!("`{shown}` failed"))?;
        String::from_utf8(output.stdout).with_context(|| format!("`{shown}` writes no text"))
    }

    fn shown(&self) -> String {
        let arguments: Vec<_> = self.0.get_args().map(OsStr::to_string_lossy).collect();
        format!("cargo {}", arguments.join(" "))
    }
}

/// Becomes another program, so that signals and the exit code are its own.
pub fn replace(binary: &Path, subcommand: &str, arguments: &[String]) -> Result<()> {
    let mut command = program(binary);
    command.arg(subcommand).args(arguments);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        Err(command.exec()).with_context(|| format!("{} cannot be started", binary.display()))
    }
    #[cfg(not(unix))]
    {
        let status = command
            .status()
            .with_context(|| format!("{} cannot be started", binary.display()))?;
        std::process::exit(status.code().unwrap_or(1));
    }
}
