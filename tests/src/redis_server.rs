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
    options: &'static [&'static str],
    process: Process,
}

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

    async fn with(options: &'static [&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a folder for Redis: {error}"));
        let port = free_port();
        let process = launch(port, &folder, options);
        let server = Self {
            port,
            folder,
            options,
            process,
        };
        server.answers().await;
        server
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
        self.process = launch(self.port, &self.folder, self.options);
        self.answers().await;
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

    fn try_command(&self, words: &[&str]) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        // The second command is only there to mark the end of the first one's reply.
        request.push_str("*2\r\n$4\r\nECHO\r\n$9\r\nend-of-it\r\n");
        stream.write_all(request.as_bytes())?;
        let mut reply = Vec::new();
        let mut chunk = [0; 65536];
        loop {
            let read = stream.read(&mut chunk)?;
            reply.extend(chunk.iter().take(read));
            if read == 0 || reply.ends_with(b"end-of-it\r\n") {
                let text = String::from_utf8_lossy(&reply).into_owned();
                return Ok(text.trim_end_matches("$9\r\nend-of-it\r\n").to_owned());
            }
        }
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
            if self
                .try_command(&["PING"])
                .is_ok_and(|reply| reply.starts_with("+PONG"))
            {
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

fn launch(port: u16, folder: &TempDir, options: &[&str]) -> Process {
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
