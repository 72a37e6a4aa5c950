//! End to end, through the real binary: the fixtures.
//!
//! - [`browser`]: a real Chromium.
//! - [`fake_provider`]: OpenAI's API with a script, for what real providers only do sometimes.
//! - [`host`]: the `anyturn` binary on a free port, with its log at hand.
//! - [`redis_server`]: a real redis-server on a free port.
//! - [`sse`]: server-sent events as a client reads them.
//! - [`users`]: tokens for signed-in users.
//!
//! A fixture that is dropped takes its process and its files with it. Waiting is always for something that
//! can be asked for (a port that answers, a process that ends), and has an end.

pub mod browser;
pub mod fake_provider;
pub mod host;
pub mod process;
pub mod redis_server;
pub mod sse;
pub mod users;

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
