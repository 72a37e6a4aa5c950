//! End to end, through the real binary: the fixtures.
//!
//! - [`application`]: a copy of spin.toml and the assistants that a test may change.
//! - [`balancer`]: a load balancer that goes by `/ready`.
//! - [`browser`]: a real Chromium.
//! - [`cluster`]: several hosts on one Redis, with a model and tools that a test is in charge of.
//! - [`container`]: the image, run as a container engine would.
//! - [`dockerfile`]: what the Dockerfile says about running the image.
//! - [`effect_server`]: tools of every effect class, whose effects are counted outside of anyturn.
//! - [`fake_collector`]: an OpenTelemetry collector, for what hosts tell of their work.
//! - [`fake_provider`]: OpenAI's API with a script, for what real providers only do sometimes.
//! - [`google_account`]: somebody who has connected a Google account, at the fake of Google.
//! - [`hold`]: places at which something is stopped until the test lets it go on.
//! - [`host`]: the `anyturn` binary on a free port, with its log at hand.
//! - [`journal`]: a conversation's journal as it stands in Redis, and what every journal must hold.
//! - [`mod@line`]: what lies between a host and another server, and can be cut.
//! - [`plan`]: turns that say themselves which tools are called in them.
//! - [`redis_server`], [`redis_sentinel`], [`redis_cluster`]: real redis-servers on free ports.
//! - [`screen`]: what a client shows of a turn that is streamed to it.
//! - [`mod@spin`]: the application under Spin.
//! - [`sse`]: server-sent events as a client reads them.
//! - [`users`]: tokens for signed-in users.
//!
//! A fixture that is dropped takes its process and its files with it. Waiting is always for something that
//! can be asked for (a port that answers, a process that ends), and has an end.

pub mod application;
pub mod balancer;
pub mod browser;
pub mod cluster;
pub mod container;
pub mod dockerfile;
pub mod effect_server;
pub mod fake_collector;
pub mod fake_provider;
pub mod google_account;
pub mod hold;
pub mod host;
mod http1;
pub mod journal;
pub mod line;
pub mod plan;
pub mod screen;
pub mod spin;
pub mod sse;
pub mod users;

pub use anyturn_test_servers::{process, redis_cluster, redis_sentinel, redis_server};

use std::path::{Path, PathBuf};

/// The repository's root folder.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// An HTTP client that keeps connections and follows no redirects.
pub fn client() -> reqwest::Client {
    // TLS is compiled in, and wants a provider chosen even where every address is plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap_or_else(|error| panic!("no HTTP client: {error}"))
}

/// Sends a request and returns the status and the body, which must be JSON.
pub async fn json_of(request: reqwest::RequestBuilder) -> (reqwest::StatusCode, serde_json::Value) {
    let response = request
        .send()
        .await
        .unwrap_or_else(|error| panic!("an answer: {error}"));
    let status = response.status();
    let text = response.text().await.unwrap();
    (
        status,
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{status} {text:?} is JSON: {error}")),
    )
}
