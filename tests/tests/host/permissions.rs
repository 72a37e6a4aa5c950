//! What a component may see and reach: what its manifest says, and nothing beside it.

use crate::{answer, assert_problem, hostile, one, with_target};
use anyturn_tests::host::HostBuilder;
use anyturn_tests::redis_server::RedisServer;
use reqwest::StatusCode;
use serde_json::json;

#[tokio::test]
async fn files_are_those_of_the_manifest_and_can_only_be_read() {
    let host = hostile().start().await;
    let (_, seen) = one(&host, "files").await;
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[0], r#"Ok("hello from a file\n")"#);
    assert_eq!(
        &lines[1..],
        ["Err(PermissionDenied)"; 3],
        "leaving, overwriting and creating"
    );
    let (_, elsewhere) = answer(host.get("/two/x/files")).await;
    assert!(
        !elsewhere.contains("hello"),
        "another component has no files: {elsewhere}"
    );
}

#[tokio::test]
async fn the_environment_is_the_manifests_not_the_hosts() {
    let host = hostile().env("HOST_SECRET", "1234").start().await;
    assert_eq!(one(&host, "environment").await.1, "SEASON=autumn");
    assert_eq!(answer(host.get("/two/x/environment")).await.1, "");
}

#[tokio::test]
async fn variables_are_the_components_own() {
    let host = hostile().args(["--variable", "colour=green"]).start().await;
    assert_eq!(
        with_target(&host, "variables", "shade").await,
        r#"Ok("dark green")"#
    );
    let unknown = with_target(&host, "variables", "colour").await;
    assert!(unknown.starts_with("Err(Error::Undefined"), "{unknown}");
}

#[tokio::test]
async fn components_call_each_other_where_the_manifest_allows_it() {
    let host = hostile().start().await;
    assert_eq!(
        with_target(&host, "fetch", "http://three.spin.internal/count").await,
        "200 1"
    );
    assert_eq!(
        with_target(&host, "fetch", "http://self.alt/two/7/address").await,
        "200 Some(Scheme::Http) self.alt /two/7/address"
    );
    for target in [
        "http://two.spin.internal/count",
        "http://four.spin.internal/",
        "https://example.com/",
    ] {
        assert_eq!(
            with_target(&host, "fetch", target).await,
            "ErrorCode::HttpRequestDenied",
            "{target}"
        );
    }
    let headers = with_target(&host, "fetch", "http://three.spin.internal/a/headers").await;
    for line in [
        "spin-path-info: /a/headers",
        "spin-matched-route: /...",
        "spin-client-addr: 0.0.0.0:0",
        "x-request-id: ",
    ] {
        assert!(headers.contains(line), "{line:?} is in:\n{headers}");
    }
}

#[tokio::test]
async fn a_chain_of_calls_that_bites_its_tail_ends() {
    let host = hostile().start().await;
    let said = with_target(&host, "again", "http://one.spin.internal/again").await;
    assert_eq!(said, "9 calls, then ErrorCode::LoopDetected");
}

#[tokio::test]
async fn a_crash_of_a_called_component_is_an_error_for_its_caller() {
    let host = hostile().start().await;
    let said = with_target(&host, "fetch", "http://three.spin.internal/trap").await;
    assert!(
        said.starts_with("ErrorCode::InternalError") && !said.contains("unreachable"),
        "{said}"
    );
    let said = with_target(&host, "fetch", "http://three.spin.internal/half").await;
    assert!(
        said.starts_with("200 half then ErrorCode::"),
        "half an answer is seen to be one: {said}"
    );
}

#[tokio::test]
async fn in_development_only_this_machine_is_let_in() {
    let host = hostile().start().await;
    let rebound = host.get("/one/count").header("host", "evil.example");
    assert_problem(&answer(rebound).await, StatusCode::FORBIDDEN, "foreign-host");
    let forms = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
    ];
    for (name, value) in forms {
        let cross = host.request("POST", "/one/count").header(name, value);
        assert_problem(&answer(cross).await, StatusCode::FORBIDDEN, "cross-site");
    }
    let own = host
        .request("POST", "/one/count")
        .header("origin", format!("http://127.0.0.1:{}", host.port()));
    assert_eq!(answer(own).await.0, StatusCode::OK);
}

/// A dependency that inherits nothing: it is there, and cannot reach what its parent can.
#[tokio::test]
async fn a_dependency_reaches_what_it_inherits_and_nothing_else() {
    let redis = RedisServer::start_without_log().await;
    let folder = tempfile::tempdir().unwrap();
    let read = json!({ "Read": { "scope": "s", "queries": [{ "Counter": "c" }] } });
    let manifest =
        std::fs::read_to_string(anyturn_tests::repository().join("tests/state-probe/spin.toml")).unwrap();
    let built = anyturn_tests::repository().join("target");
    let manifest = manifest.replace("../../target", &built.display().to_string());
    let cases = [
        (r#"["allowed_outbound_hosts", "variables"]"#, true),
        (r#"["allowed_outbound_hosts"]"#, false),
        (r#"["variables"]"#, false),
        ("[]", false),
    ];
    for (number, (inherited, reaches)) in cases.into_iter().enumerate() {
        let changed = manifest.replace(r#"["allowed_outbound_hosts", "variables"]"#, inherited);
        let path = folder.path().join(format!("{number}.toml"));
        std::fs::write(&path, changed).unwrap();
        let host = HostBuilder::new()
            .manifest(&path)
            .args(["--state", "component"])
            .redis(&redis.url())
            .env("SPIN_VARIABLE_REDIS_ORIGIN", redis.url())
            .start()
            .await;
        let (status, answered) = answer(host.post("/one", &read)).await;
        assert_eq!(status, StatusCode::OK, "{answered}");
        assert_eq!(
            answered.contains("Ok"),
            reaches,
            "inheriting {inherited}: {answered}"
        );
    }
}
