//! Child processes that end when the test does, and ports for them.

use std::net::TcpListener;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// How long a process may take to start or to end before the test says that it did not.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A child process; killed when dropped.
#[derive(Debug)]
pub struct Process(pub Child);

/// A signal, by its POSIX name.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Signal {
    Term,
    Kill,
    Stop,
    Continue,
}

impl Process {
    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Term => "-TERM",
            Signal::Kill => "-KILL",
            Signal::Stop => "-STOP",
            Signal::Continue => "-CONT",
        };
        let status = std::process::Command::new("kill")
            .arg(name)
            .arg(self.0.id().to_string())
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "kill {name} {} works",
            self.0.id()
        );
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0
            .try_wait()
            .unwrap_or_else(|error| panic!("the process can be asked: {error}"))
    }

    /// Waits for it to end.
    pub async fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(Instant::now() < deadline, "the process ends within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody listened on a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap_or_else(|error| panic!("a port on loopback: {error}"))
        .port()
}
