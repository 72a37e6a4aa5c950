//! Real Redis processes for tests.
//!
//! - [`redis_server`]: one `redis-server` on a free port.
//! - [`redis_sentinel`]: a primary, its replicas, and the sentinels that replace it when it dies.
//! - [`redis_cluster`]: a cluster of three primaries with a replica each.
//! - [`process`]: child processes that end when the test does.
//!
//! A fixture that is dropped takes its processes and files with it. Waiting is always for something that can be asked
//! for, and has an end. Sentinels and clusters are patient until a test says that something is about to die
//! (`watch_closely`): a busy machine must not look like a dead server.

pub mod process;
pub mod redis_cluster;
pub mod redis_sentinel;
pub mod redis_server;

use std::time::{Duration, Instant};

use process::PATIENCE;

/// Waits until something is the case.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
