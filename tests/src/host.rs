//! The `anyturn` binary, as a user starts it.

use crate::process::{PATIENCE, Process, Signal, free_port};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How to start a host.
#[derive(Debug)]
pub struct HostBuilder {
    manifest: PathBuf,
    port: Option<u16>,
    data: Option<PathBuf>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// A running host; killed when dropped.
#[derive(Debug)]
pub struct Host {
    port: u16,
    process: Process,
    folder: TempDir,
    client: reqwest::Client,
}

impl HostBuilder {
    /// The application's own manifest, the embedded store in a fresh folder, the offline model.
    pub fn new() -> Self {
        Self {
            manifest: crate::repository().join("spin.toml"),
            port: None,
            data: None,
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// Another manifest.
    #[must_use]
    pub fn manifest(mut self, path: impl Into<PathBuf>) -> Self {
        self.manifest = path.into();
        self
    }

    /// A store in Redis.
    #[must_use]
    pub fn redis(self, url: &str) -> Self {
        self.env("REDIS_URL", url)
    }

    /// Tells a collector of its work, and of what has ended within milliseconds.
    #[must_use]
    pub fn traced(self, collector: &str) -> Self {
        self.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
            .env("OTEL_BSP_SCHEDULE_DELAY", "20")
    }

    /// A port chosen before.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The embedded store's folder, to be used by one host after another.
    #[must_use]
    pub fn data(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data = Some(folder.into());
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// A command-line argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Several command-line arguments.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Starts it, and returns when it says that it is ready.
    pub async fn start(self) -> Host {
        let mut host = self.launch();
        let deadline = Instant::now() + PATIENCE;
        let ready = host.url("/ready");
        loop {
            if let Ok(answer) = host.client.get(&ready).send().await
                && answer.status().is_success()
            {
                return host;
            }
            if let Some(status) = host.process.ended() {
                panic!("the host ended at its start with {status}:\n{}", host.log());
            }
            assert!(
                Instant::now() < deadline,
                "the host is ready within {PATIENCE:?}:\n{}",
                host.log()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Starts it where it is expected to refuse, and returns how it ended and what it said.
    pub async fn refused(self) -> (ExitStatus, String) {
        let mut host = self.launch();
        let status = host.process.end().await;
        (status, host.log())
    }

    fn launch(self) -> Host {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a folder for the host: {error}"));
        let port = self.port.unwrap_or_else(free_port);
        let log =
            File::create(folder.path().join("log")).unwrap_or_else(|error| panic!("a log file: {error}"));
        let errors = log
            .try_clone()
            .unwrap_or_else(|error| panic!("a log file: {error}"));
        let mut command = Command::new(binary());
        command
            .arg("up")
            .arg("--manifest")
            .arg(&self.manifest)
            .arg("--data-dir")
            .arg(self.data.clone().unwrap_or_else(|| folder.path().join("data")));
        if !self.arguments.iter().any(|argument| argument == "--listen") {
            command.arg("--listen").arg(format!("127.0.0.1:{port}"));
        }
        command.args(&self.arguments);
        // Nothing of the developer's own environment may change what a test sees.
        command.env_clear().env("ANYTURN_CACHE_DIR", cache());
        for name in ["PATH", "HOME", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .envs(self.environment)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{} can be started: {error}", binary().display()));
        Host {
            port,
            process: Process(child),
            folder,
            client: crate::client(),
        }
    }
}

impl Default for HostBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// A host with everything at its default.
    pub async fn start() -> Self {
        HostBuilder::new().start().await
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A client that keeps its connections.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Begins a GET request.
    pub fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(self.url(path))
    }

    /// Begins a POST request with a JSON body.
    pub fn post(&self, path: &str, body: &serde_json::Value) -> reqwest::RequestBuilder {
        self.client.post(self.url(path)).json(body)
    }

    /// Begins a request with any method.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().unwrap_or_else(|_| panic!("{method} is a method"));
        self.client.request(method, self.url(path))
    }

    /// Everything that it has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Kills it at once, as a power cut would.
    pub async fn kill(mut self) {
        self.process.signal(Signal::Kill);
        self.process.end().await;
    }

    /// Waits for it to end.
    pub async fn end(&mut self) -> ExitStatus {
        self.process.end().await
    }
}

/// The folder of what cargo builds: the one that the test's own executable is in.
pub fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_else(|error| panic!("this test's own path: {error}"));
    test.ancestors()
        .find(|folder| folder.join("release").is_dir() || folder.join("debug").is_dir())
        .map(Path::to_owned)
        .unwrap_or_else(|| crate::repository().join("target"))
}

/// The binary under test: what `ANYTURN_TEST_BINARY` names, or the one that is built next to the test's own executable in
/// the release profile.
pub fn binary() -> PathBuf {
    let binary = std::env::var_os("ANYTURN_TEST_BINARY")
        .map_or_else(|| target().join("release/anyturn"), PathBuf::from);
    assert!(
        binary.is_file(),
        "{} is not there: `cargo xtask build` makes it",
        binary.display()
    );
    binary
}

/// Whether something was made that a machine may lack for want of Node or Python; a machine for continuous integration may
/// not.
pub fn is_made(file: &Path) -> bool {
    let made = file.is_file();
    if !made {
        let why = format!("{} is not there; `cargo xtask test` makes it", file.display());
        assert!(std::env::var_os("CI").is_none(), "{why}");
        eprintln!("SKIPPED: {why}");
    }
    made
}

/// Compiled components are shared by all hosts of all tests: they depend on their content only.
fn cache() -> PathBuf {
    binary().with_file_name("anyturn-test-cache")
}
