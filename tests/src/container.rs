//! The image as a container engine would run it, by the kernel's means and without an engine: the files that the
//! Dockerfile's last stage consists of as root file system, every one of them read-only, `/proc` and three devices
//! beside them, the user, the variables and the command that the Dockerfile names, as process 1 of its own.
//!
//! It needs Linux, root (for mounting), and the folder that `cargo xtask image` makes.

use crate::dockerfile::{self, Stage};
use crate::process::{PATIENCE, Process, free_port};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Mounts what is in `$2` read-only at `$1`, and becomes the rest: variables and a command.
const START: &str = r#"
set -eu
root=$1 image=$2
shift 2
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
for entry in "$image"/*; do
    name=${entry##*/}
    if [ -d "$entry" ]; then mkdir "$root/$name"; else touch "$root/$name"; fi
    mount --bind "$entry" "$root/$name"
    mount -o remount,ro,bind "$root/$name"
done
mkdir "$root/proc" "$root/dev"
mount -t proc proc "$root/proc"
for device in null zero urandom; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,ro "$root"
exec env -i "$@"
"#;

/// A running container; killed when dropped.
#[derive(Debug)]
pub struct Container {
    stage: Stage,
    environment: BTreeMap<String, String>,
    port: u16,
    folder: TempDir,
    process: Process,
    client: reqwest::Client,
}

/// Why containers cannot be run here; `None` where they can.
pub fn missing() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("containers are a thing of Linux".to_owned());
    }
    let id = Command::new("id").arg("-u").output();
    if !id.is_ok_and(|output| output.stdout.trim_ascii() == b"0") {
        return Some("mounting needs root".to_owned());
    }
    let probe = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "true"])
        .stderr(Stdio::null())
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        return Some("the kernel gives no namespaces".to_owned());
    }
    None
}

/// Where chroot is: it is not among the programs of users everywhere.
fn chroot() -> &'static str {
    let places = ["/usr/sbin/chroot", "/usr/bin/chroot", "/sbin/chroot"];
    places
        .into_iter()
        .find(|place| std::path::Path::new(place).is_file())
        .unwrap_or_else(|| panic!("chroot is in one of {places:?}"))
}

/// The image's files.
pub fn image() -> PathBuf {
    let folder = crate::host::target().join("image");
    assert!(
        folder.join("anyturn").is_file(),
        "{} is not there: `cargo xtask image` makes it",
        folder.display()
    );
    folder
}

impl Container {
    /// Runs the image with more variables than it has of its own, on a port of this machine.
    pub fn run(more: &[(&str, &str)]) -> Self {
        let stage = dockerfile::read();
        let port = free_port();
        let folder =
            tempfile::tempdir().unwrap_or_else(|error| panic!("a folder for the container: {error}"));
        let mut environment = stage.environment.clone();
        environment.insert("ANYTURN_LISTEN".to_owned(), format!("0.0.0.0:{port}"));
        environment.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        std::fs::create_dir(folder.path().join("root"))
            .unwrap_or_else(|error| panic!("a root for the container: {error}"));
        let log =
            File::create(folder.path().join("log")).unwrap_or_else(|error| panic!("a log file: {error}"));
        let errors = log
            .try_clone()
            .unwrap_or_else(|error| panic!("a log file: {error}"));
        let child = Command::new("unshare")
            .args([
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "sh",
                "-c",
                START,
                "sh",
            ])
            .arg(folder.path().join("root"))
            .arg(image())
            .args(environment.iter().map(|(name, value)| format!("{name}={value}")))
            .arg(chroot())
            .args(["--groups=", &format!("--userspec={}", stage.user)])
            .arg(folder.path().join("root"))
            .args(&stage.command)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("unshare can be started: {error}"));
        Self {
            stage,
            environment,
            port,
            folder,
            process: Process(child),
            client: crate::client(),
        }
    }

    /// Returns when its health check says that it is well.
    pub async fn healthy(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.health().is_none_or(|status| !status.success()) {
            if let Some(status) = self.process.ended() {
                panic!("the container ended at its start with {status}:\n{}", self.log());
            }
            assert!(
                Instant::now() < deadline,
                "the container is healthy in time:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Runs the health check in the container, as an engine does; `None` while there is nothing to run it in.
    pub fn health(&self) -> Option<ExitStatus> {
        let pid = self.first_process()?;
        let (user, group) = self.stage.user.split_once(':')?;
        Command::new("nsenter")
            .args(["--target", &pid.to_string(), "--mount", "--pid", "--root"])
            .args(["--setuid", user, "--setgid", group])
            .args(&self.stage.health)
            .env_clear()
            .envs(&self.environment)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .ok()
    }

    /// The container's process 1, by its number outside.
    pub fn first_process(&self) -> Option<u32> {
        let outer = self.process.0.id();
        let children = std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    /// What `/proc` says about the container's process 1, by field.
    pub fn status(&self, field: &str) -> String {
        let pid = self
            .first_process()
            .unwrap_or_else(|| panic!("the container runs:\n{}", self.log()));
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
            .unwrap_or_else(|error| panic!("the status of {pid}: {error}"));
        status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
            .unwrap_or_else(|| panic!("{field} is in {status}"))
            .trim()
            .to_owned()
    }

    /// Asks it to stop, as an engine does: by a signal to process 1.
    pub fn stop(&self) {
        assert_eq!(self.stage.stop_signal, "SIGTERM");
        let pid = self
            .first_process()
            .unwrap_or_else(|| panic!("the container runs"));
        let status = Command::new("kill").args(["-TERM", &pid.to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()));
    }

    /// Waits for it to end.
    pub async fn end(&mut self) -> ExitStatus {
        self.process.end().await
    }

    /// Begins a POST request with a JSON body.
    pub fn post(&self, path: &str, body: &serde_json::Value) -> reqwest::RequestBuilder {
        self.client
            .post(format!("http://127.0.0.1:{}{path}", self.port))
            .json(body)
    }

    /// Everything that it has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Container {
    /// `--kill-child` does not reach process 1: changing its user has cleared the signal that it was to get.
    fn drop(&mut self) {
        if let Some(pid) = self.first_process() {
            drop(Command::new("kill").args(["-KILL", &pid.to_string()]).status());
        }
    }
}
