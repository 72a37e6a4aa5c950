//! The host as one that runs what was made for Spin: its interfaces of WASI 0.3 and 0.2, middleware, static responses and
//! Redis triggers.
//!
//! `new` is a component of WASI 0.3 and `old` one of 0.2; both call what they are told to and answer the result as text
//! (`tests/spin-guest`, `tests/spin-guest-p2`). The answers are those that Spin 4.1 gives to the same calls.

// A fixture that is broken fails the test, and so it should.
#![allow(clippy::unwrap_used)]

mod key_value;
mod redis;
mod triggers;
mod wasi_http;

use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::redis_server::RedisServer;

/// The host with the components for Spin, before it is started.
fn application() -> HostBuilder {
    HostBuilder::new().manifest(anyturn_tests::repository().join("tests/tests/spin/application/spin.toml"))
}

/// The same, with a Redis that its components may reach.
async fn with_redis() -> (Host, RedisServer) {
    with_redis_as(|host| host).await
}

/// The same, with what `more` asks for.
async fn with_redis_as(more: impl FnOnce(HostBuilder) -> HostBuilder) -> (Host, RedisServer) {
    let redis = RedisServer::start().await;
    let host = application().args(["--variable", &format!("redis={}", redis.url())]);
    (more(host).start().await, redis)
}

/// What a component answers to a call.
async fn told(host: &Host, call: &str) -> String {
    let response = host.get(call).send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    assert!(status.is_success(), "{call}: {status} {text}\n{}", host.log());
    text
}

#[tokio::test]
async fn variables_are_the_components_own_by_all_their_names() {
    let host = application().start().await;
    for (call, answer) in [
        ("/new/variables?shade", r#"Ok("dark blue")"#),
        ("/old/variables?shade", r#"Ok("pale blue")"#),
        (
            "/new/variables?colour",
            r#"Err(Error::Undefined("no variable for \"new\".\"colour\""))"#,
        ),
        (
            "/old/variables?colour",
            r#"Err(Error::Undefined("no variable for \"old\".\"colour\""))"#,
        ),
        (
            "/old/variables?SHADE",
            r#"Err(Error::InvalidName("\"SHADE\": invalid character 'S'. Variable names may contain only lower-case letters, numbers, and underscores."))"#,
        ),
        (
            "/new/variables?a__b",
            r#"Err(Error::InvalidName("\"a__b\": must not contain multiple consecutive underscores"))"#,
        ),
        ("/old/config?shade", r#"Ok(Some("pale blue"))"#),
        ("/old/config?colour", "Ok(None)"),
        ("/old/config?SHADE", "Ok(None)"),
        ("/old/config?all", r#"Ok([("shade", "pale blue")])"#),
    ] {
        assert_eq!(told(&host, call).await, answer, "{call}");
    }
}
