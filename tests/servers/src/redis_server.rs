//! A real redis-server.

use crate::process::{PATIENCE, Process, Signal, free_port};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A redis-server with its data in a folder of its own.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    folder: TempDir,
    options: Vec<String>,
    process: Process,
}

/// The user that replicas sign on to their primary as; see [`RedisServer::hold_back_replicas`].
const REPLICATION: [&str; 11] = [
    "--masteruser",
    "replicator",
    "--masterauth",
    "replication",
    "--user",
    "replicator",
    "on",
    ">replication",
    "+psync",
    "+replconf",
    "+ping",
];

impl RedisServer {
    /// Starts one on a free port, and returns when it answers. What it has acknowledged is on disk.
    pub async fn start() -> Self {
        Self::with(&["--appendonly", "yes", "--appendfsync", "always"]).await
    }

    /// Starts one that puts what it has acknowledged on disk within a second, as Redis does by default once it
    /// keeps a log.
    pub async fn start_every_second() -> Self {
        Self::with(&["--appendonly", "yes", "--appendfsync", "everysec"]).await
    }

    /// Starts one that keeps everything in memory, for measuring what is not the disk.
    pub async fn start_without_log() -> Self {
        Self::with(&["--appendonly", "no"]).await
    }

    /// Starts one in memory, with further options.
    pub async fn start_with(options: &[&str]) -> Self {
        Self::with(&[&["--appendonly", "no"], options].concat()).await
    }

    /// Starts one that can be a replica, or have replicas, with further options.
    pub(crate) async fn start_replicated(options: &[&str]) -> Self {
        Self::with(&[&REPLICATION, options].concat()).await
    }

    async fn with(options: &[&str]) -> Self {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a folder for Redis: {error}"));
        let port = free_port();
        let process = launch(port, &folder, &options);
        let server = Self {
            port,
            folder,
            options,
            process,
        };
        server.answers().await;
        server
    }

    /// Everything that was ever written to it, as it stands in its log; for servers of [`RedisServer::start`].
    pub fn written(&self) -> String {
        let folder = self.folder.path().join("appendonlydir");
        let entries = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("the log of Redis in {}: {error}", folder.display()));
        let files = entries
            .flatten()
            .map(|entry| std::fs::read(entry.path()).unwrap_or_default());
        String::from_utf8_lossy(&files.collect::<Vec<_>>().concat()).into_owned()
    }

    /// Its address, as `REDIS_URL` takes it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it as a power cut would; the data on disk stays.
    pub async fn kill(&mut self) {
        self.process.signal(Signal::Kill);
        self.process.end().await;
    }

    /// Starts it again on its data and its port.
    pub async fn restart(&mut self) {
        self.process = launch(self.port, &self.folder, &self.options);
        self.answers().await;
    }

    /// Whether it answers now.
    pub fn answers_now(&self) -> bool {
        self.try_command(&["PING"])
            .is_ok_and(|reply| reply.starts_with("+PONG"))
    }

    /// Sends a signal, such as `Stop` for a server that hangs.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Runs a command and returns the raw reply (RESP).
    pub fn command(&self, words: &[&str]) -> String {
        self.try_command(words)
            .unwrap_or_else(|error| panic!("redis answers {words:?}: {error}"))
    }

    /// Runs a command that answers a string, and returns the string.
    pub fn text(&self, words: &[&str]) -> String {
        let reply = self.command(words);
        let (_, text) = reply
            .split_once("\r\n")
            .filter(|_| reply.starts_with('$'))
            .unwrap_or_else(|| panic!("{words:?} is answered with a string: {reply:?}"));
        text.trim_end().to_owned()
    }

    /// Runs a command that is answered with OK.
    pub fn execute(&self, words: &[&str]) {
        let reply = self.command(words);
        assert!(reply.starts_with("+OK"), "{words:?}: {reply}");
    }

    /// A field of what it says about itself.
    pub fn info(&self, section: &str, field: &str) -> Option<String> {
        self.text(&["INFO", section])
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
            .map(|value| value.trim().to_owned())
    }

    /// Waits until its replicas, of which there are so many, have everything that it has now.
    pub async fn replicated(&self, replicas: usize) {
        let number = |text: &str| text.parse::<u64>().ok();
        let written = self.info("replication", "master_repl_offset");
        let written = written.as_deref().and_then(number).unwrap_or(0);
        crate::until("the replicas have everything", || {
            let others = self.text(&["INFO", "replication"]);
            let up_to_date = others
                .lines()
                .filter(|line| line.starts_with("slave") && line.contains("state=online"))
                .filter_map(|line| line.split_once("offset=")?.1.split(',').next().and_then(number))
                .filter(|offset| *offset >= written);
            up_to_date.count() == replicas
        })
        .await;
    }

    /// Cuts its replicas off: they keep what they have, and get nothing more.
    pub fn hold_back_replicas(&self) {
        self.execute(&["ACL", "SETUSER", "replicator", "off"]);
        self.command(&["CLIENT", "KILL", "TYPE", "replica"]);
        assert_eq!(
            self.info("replication", "connected_slaves").as_deref(),
            Some("0"),
            "its replicas are cut off"
        );
    }

    fn try_command(&self, words: &[&str]) -> std::io::Result<String> {
        // The second command is only there to mark the end of the first one's reply.
        ask_all(self.port, &[words, &["ECHO", "end-of-it"]], "$9\r\nend-of-it\r\n")
    }

    /// How many commands it has processed, without those of this fixture's own making.
    pub fn calls(&self, command: &str) -> u64 {
        let stats = self.command(&["INFO", "commandstats"]);
        stats
            .lines()
            .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")))
            .and_then(|rest| rest.split(',').next())
            .and_then(|calls| calls.parse().ok())
            .unwrap_or(0)
    }

    async fn answers(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.answers_now() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "redis-server answers on port {} within {PATIENCE:?}",
                self.port
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn launch(port: u16, folder: &TempDir, options: &[String]) -> Process {
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--loglevel", "warning"])
        .args(options)
        .arg("--dir")
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("redis-server can be started (`cargo xtask test` installs it): {error}")
        });
    Process(child)
}

/// Sends a command to a sentinel, which does not know ECHO, and returns the raw reply.
pub(crate) fn ask(port: u16, words: &[&str]) -> std::io::Result<String> {
    ask_all(port, &[words, &["PING"]], "+PONG\r\n")
}

/// Sends commands, and returns the raw replies up to the last one, which is known.
fn ask_all(port: u16, commands: &[&[&str]], last: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut request = String::new();
    for words in commands {
        request.push_str(&format!("*{}\r\n", words.len()));
        for word in *words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
    }
    stream.write_all(request.as_bytes())?;
    let mut reply = Vec::new();
    let mut chunk = [0; 65536];
    loop {
        let read = stream.read(&mut chunk)?;
        reply.extend(chunk.iter().take(read));
        if read == 0 || reply.ends_with(last.as_bytes()) {
            let text = String::from_utf8_lossy(&reply).into_owned();
            return Ok(text.strip_suffix(last).unwrap_or(&text).to_owned());
        }
    }
}
