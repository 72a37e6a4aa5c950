//! The host by itself: what it shows a component, what it keeps from it, what it survives, and how it ends.
//!
//! Driven with a component that misbehaves on request (`tests/hostile`) and with one that observes its own
//! state (`tests/state-probe`).

mod failures;
mod lifecycle;
mod limits;
mod outbound;
mod permissions;
mod push;
mod serving;
mod traces;

use anyturn_tests::host::{Host, HostBuilder};
use reqwest::StatusCode;
use serde_json::Value;

/// A host with the misbehaving components.
fn hostile() -> HostBuilder {
    HostBuilder::new().manifest(anyturn_tests::repository().join("tests/tests/host/application/spin.toml"))
}

/// What component `one` answers when it is told to do `what`.
async fn one(host: &Host, what: &str) -> (StatusCode, String) {
    answer(host.get(&format!("/one/{what}"))).await
}

/// What component `one` answers when it is told to do `what` with `target`.
async fn with_target(host: &Host, what: &str, target: &str) -> String {
    let (status, text) = answer(host.get(&format!("/one/{what}")).header("x-target", target)).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    text
}

/// What a counter by outcome says.
async fn counter(host: &Host, name: &str, outcome: &str) -> u64 {
    let metrics = answer(host.get("/metrics")).await.1;
    let series = format!("{name}{{outcome=\"{outcome}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&series));
    line.unwrap_or_else(|| panic!("{series} is in:\n{metrics}"))
        .parse()
        .unwrap()
}

async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, String) {
    let response = request.send().await.expect("the host answers");
    let status = response.status();
    (status, response.text().await.expect("the whole answer arrives"))
}

/// Checks that an answer is a problem of the kind `slug`, which names its request and says nothing of the
/// inside.
fn assert_problem((status, body): &(StatusCode, String), expected: StatusCode, slug: &str) {
    assert_eq!(*status, expected, "{body}");
    let problem: Value = serde_json::from_str(body).expect("a problem is JSON");
    assert_eq!(problem["type"], format!("https://anyturn.dev/problems/{slug}"));
    assert_eq!(problem["status"], expected.as_u16());
    assert!(
        problem["request_id"].as_str().is_some_and(|id| !id.is_empty()),
        "{body}"
    );
    for inside in ["wasm", "trap", "a secret", "/home", "/root"] {
        assert!(!body.contains(inside), "{inside:?} is told to a client: {body}");
    }
}
