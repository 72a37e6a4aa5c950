//! A primary with two replicas, and three sentinels that replace it when it dies.

use std::process::{Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::process::{Process, free_port};
use crate::redis_server::RedisServer;
use crate::until;

/// What the sentinels call the primary.
pub const PRIMARY: &str = "anyturn";
/// How many servers there are.
const SERVERS: usize = 3;

/// The servers and their sentinels.
#[derive(Debug)]
pub struct RedisSentinel {
    servers: Vec<RedisServer>,
    sentinels: Vec<Sentinel>,
}

#[derive(Debug)]
struct Sentinel {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl RedisSentinel {
    /// Starts all, and returns when each knows the others and the replicas have their copy.
    pub async fn start() -> Self {
        let mut servers = vec![RedisServer::start_replicated(&["--repl-diskless-sync-delay", "0"]).await];
        let port = servers[0].port().to_string();
        for _ in 1..SERVERS {
            let replica = [
                "--replicaof",
                "127.0.0.1",
                &port,
                "--repl-diskless-sync-delay",
                "0",
            ];
            servers.push(RedisServer::start_replicated(&replica).await);
        }
        servers[0].replicated(SERVERS - 1).await;
        let sentinels = (0..3).map(|_| Sentinel::start(servers[0].port())).collect();
        let all = Self { servers, sentinels };
        for sentinel in &all.sentinels {
            // They hear of each other through the primary, and each must see both replicas.
            until("the sentinels know each other", || {
                let known = sentinel.ask(&["SENTINEL", "MASTER", PRIMARY]);
                let field = |name: &str, value: &str| known.contains(&format!("{name}\r\n$1\r\n{value}\r\n"));
                field("num-slaves", "2") && field("num-other-sentinels", "2")
            })
            .await;
        }
        all
    }

    /// The address of the primary, as `REDIS_URL` takes it.
    pub fn url(&self) -> String {
        let sentinels: Vec<String> = self
            .sentinels
            .iter()
            .map(|sentinel| format!("127.0.0.1:{}", sentinel.port))
            .collect();
        format!("redis-sentinel://{}/{PRIMARY}", sentinels.join(","))
    }

    /// The server that the sentinels say is the primary.
    pub fn primary(&self) -> &RedisServer {
        &self.servers[self.at()]
    }

    fn at(&self) -> usize {
        let told = self.sentinels[0].ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", PRIMARY]);
        let is_it = |server: &RedisServer| told.contains(&format!("\r\n{}\r\n", server.port()));
        let at = self.servers.iter().position(is_it);
        at.unwrap_or_else(|| panic!("one of the servers is the primary: {told:?}"))
    }

    /// From now on a server that is silent for a second is taken for dead.
    pub fn watch_closely(&self) {
        for sentinel in &self.sentinels {
            let reply = sentinel.ask(&["SENTINEL", "SET", PRIMARY, "down-after-milliseconds", "1000"]);
            assert!(reply.starts_with("+OK"), "{reply}");
        }
    }

    /// Kills the primary as a power cut would, and waits until another server has taken its place. Returns when it
    /// died.
    pub async fn kill_primary(&mut self) -> Instant {
        let old = self.at();
        self.servers[old].kill().await;
        let died = Instant::now();
        self.watch_closely();
        until("another server is the primary", || {
            let at = self.at();
            at != old && self.servers[at].info("replication", "role").as_deref() == Some("master")
        })
        .await;
        died
    }

    /// Has the sentinels put another server in the primary's place while it lives, and waits until it knows.
    pub async fn demote_primary(&self) {
        let old = self.at();
        let reply = self.sentinels[0].ask(&["SENTINEL", "FAILOVER", PRIMARY]);
        assert!(reply.starts_with("+OK"), "{reply}");
        until("another server is the primary", || {
            self.at() != old && self.primary().info("replication", "role").as_deref() == Some("master")
        })
        .await;
        // What the sentinels do, too, after eight seconds.
        let new = self.primary().port().to_string();
        self.servers[old].execute(&["REPLICAOF", "127.0.0.1", &new]);
    }
}

impl Sentinel {
    fn start(primary: u16) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a folder for a sentinel: {error}"));
        let port = free_port();
        // A sentinel writes what it learns into its configuration.
        let configuration = folder.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {PRIMARY} 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds {PRIMARY} 60000\nsentinel failover-timeout {PRIMARY} 10000\n\
             sentinel parallel-syncs {PRIMARY} 2\n",
            folder.path().display()
        );
        std::fs::write(&configuration, text)
            .unwrap_or_else(|error| panic!("a configuration for a sentinel: {error}"));
        let child = Command::new("redis-server")
            .arg(&configuration)
            .arg("--sentinel")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("redis-server can be started as a sentinel: {error}"));
        Self {
            port,
            _process: Process(child),
            _folder: folder,
        }
    }

    /// Runs a command; empty while it does not answer.
    fn ask(&self, words: &[&str]) -> String {
        crate::redis_server::ask(self.port, words).unwrap_or_default()
    }
}
