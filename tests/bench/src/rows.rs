//! What is measured, row by row.

pub mod app;
mod process;
mod requests;
pub mod sockets;
pub mod start;
pub mod steps;
pub mod streams;
pub mod trivial;
pub mod turns;

use anyturn_tests::cluster::Cluster;
use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::redis_server::RedisServer;
use std::time::Duration;

/// How long the load runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(500);
/// Nobody is to be limited here.
const UNLIMITED: (&str, &str) = ("RATE_LIMIT_PER_MINUTE", "1000000000");

async fn on_redis(redis: &RedisServer) -> Host {
    HostBuilder::new()
        .redis(&redis.url())
        .env(UNLIMITED.0, UNLIMITED.1)
        .start()
        .await
}

/// A model and tools that do what a message says, in this process, and what a host needs to reach them.
async fn with_tools() -> Cluster {
    let mut cluster = Cluster::start().await;
    // A log that is synchronized for each commit would be what is measured.
    cluster.redis = RedisServer::start_without_log().await;
    cluster.provider.forget_requests();
    cluster
}
