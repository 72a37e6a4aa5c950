//! A `redis-server` of a test's own, on a socket in a temporary directory; killed when dropped.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyturn_store::{AnyStore, NamespacedStore, RedisOptions, RedisStore};
use tempfile::TempDir;

pub struct Server {
    directory: TempDir,
    process: Child,
    arguments: Vec<String>,
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts with further command line arguments.
    pub async fn start_with(arguments: &[&str]) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let arguments: Vec<String> = arguments.iter().map(|argument| argument.to_string()).collect();
        let process = spawn(&directory, &arguments);
        let server = Self {
            directory,
            process,
            arguments,
        };
        server.answers().await;
        server
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub async fn store(&self) -> AnyStore {
        self.store_with(RedisOptions::default()).await
    }

    pub async fn store_with(&self, options: RedisOptions) -> AnyStore {
        AnyStore::Redis(
            RedisStore::connect(&self.url(), options)
                .await
                .expect("a connection"),
        )
    }

    /// A namespace of a new store.
    pub async fn namespace(&self) -> NamespacedStore {
        self.store().await.namespace("test").expect("a namespace")
    }

    /// A connection that belongs to the test.
    pub async fn spy(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url()).expect("an address");
        client
            .get_multiplexed_async_connection()
            .await
            .expect("a connection")
    }

    /// Kills the process and waits until it is gone.
    pub fn kill(&mut self) {
        self.process.kill().expect("to kill the server");
        self.process.wait().expect("the server's end");
        let _ = std::fs::remove_file(self.socket());
    }

    /// Starts it again, empty, at the same address.
    pub async fn restart(&mut self) {
        self.process = spawn(&self.directory, &self.arguments);
        self.answers().await;
    }

    /// Stops the process without ending it: connections stay open and nothing is answered.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status().expect("kill");
        assert!(status.success());
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    async fn answers(&self) {
        for _ in 0..2_000 {
            if tokio::net::UnixStream::connect(self.socket()).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("redis-server did not begin to listen");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(directory: &TempDir, arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args([
            "--port",
            "0",
            "--unixsocket",
            "redis.sock",
            "--save",
            "",
            "--appendonly",
            "no",
        ])
        .args(arguments)
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server on the path")
}

/// Part of a name that no other test of this process uses.
pub fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}
