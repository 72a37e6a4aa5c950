//! The application under Spin, as `spin up` serves it.
//!
//! Spin is not installed by anything here: where there is no `spin` on the `PATH`, [`version`] says so.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{Process, free_port};

/// Spin compiles all components before it serves, which takes a debug build of it minutes.
const COMPILING: Duration = Duration::from_secs(600);

/// A running `spin up`; it and the trigger that it starts are killed when it is dropped.
#[derive(Debug)]
pub struct Spin {
    port: u16,
    folder: TempDir,
    process: Process,
}

/// What `spin --version` says; nothing where there is no Spin.
pub fn version() -> Option<String> {
    let output = Command::new("spin").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

impl Spin {
    /// Serves a manifest with these variables, and returns when `/health` answers.
    pub async fn start(manifest: &Path, variables: &[(String, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a folder for Spin: {error}"));
        let port = free_port();
        let log =
            File::create(folder.path().join("log")).unwrap_or_else(|error| panic!("a log file: {error}"));
        let errors = log
            .try_clone()
            .unwrap_or_else(|error| panic!("a log file: {error}"));
        let mut command = Command::new("spin");
        command
            .args(["up", "--from"])
            .arg(manifest)
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .arg("--state-dir")
            .arg(folder.path().join("state"))
            .envs(
                variables
                    .iter()
                    .map(|(name, value)| (format!("SPIN_VARIABLE_{}", name.to_uppercase()), value)),
            )
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // `spin up` starts the trigger as a process of its own: both are ended through their group.
            .process_group(0);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("spin can be started: {error}"));
        let mut spin = Self {
            port,
            folder,
            process: Process(child),
        };
        let deadline = Instant::now() + COMPILING;
        let health = spin.url("/health");
        let client = crate::client();
        while !client
            .get(&health)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            if let Some(status) = spin.process.ended() {
                panic!("Spin ended at its start with {status}:\n{}", spin.log());
            }
            assert!(
                Instant::now() < deadline,
                "Spin serves within {COMPILING:?}:\n{}",
                spin.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        spin
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Everything that it has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Spin {
    fn drop(&mut self) {
        let group = format!("-{}", self.process.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
    }
}
