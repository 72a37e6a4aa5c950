//! What somebody sees who starts anyturn for the first time: no Redis, no key. What the API promises is in `tests/e2e`.

use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::json_of;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Says something in a conversation and returns the whole answer.
async fn say(host: &Host, session: &str, message: &str) -> Value {
    let (status, answer) = json_of(host.post(
        &format!("/v1/sessions/{session}/turns"),
        &json!({ "message": message }),
    ))
    .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["state"], "finished", "{answer}");
    answer
}

async fn begin(host: &Host, message: &str) -> (String, Value) {
    let (status, answer) =
        json_of(host.post("/v1/assistants/tasks/turns", &json!({ "message": message }))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["state"], "finished", "{answer}");
    (answer["session"].as_str().unwrap().to_owned(), answer)
}

fn content(answer: &Value) -> &str {
    answer["message"]["content"].as_str().unwrap()
}

#[tokio::test]
async fn what_the_embedded_store_holds_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let host = HostBuilder::new().data(folder.path()).start().await;
    let (session, _) = begin(&host, "add buy milk").await;
    host.kill().await;

    let host = HostBuilder::new().data(folder.path()).start().await;
    let answer = say(&host, &session, "what is on my list?").await;
    assert!(content(&answer).contains("buy milk"), "{answer}");
}

#[tokio::test]
async fn a_second_host_on_the_same_data_is_told_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = HostBuilder::new().data(folder.path()).start().await;
    let (status, said) = HostBuilder::new().data(folder.path()).refused().await;
    assert!(!status.success());
    assert!(said.contains(&folder.path().display().to_string()), "{said}");
    assert!(
        said.contains(&first.pid().to_string()) || said.contains("another"),
        "{said}"
    );
}

#[tokio::test]
async fn the_host_tells_how_it_is_without_asking_a_component() {
    let host = Host::start().await;
    let (status, health) = json_of(host.get("/health")).await;
    assert_eq!(status, StatusCode::OK, "{health}");
    assert!(
        health.to_string().contains("embedded") && health.to_string().contains("offline"),
        "{health}"
    );
    let metrics = host.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("# TYPE anyturn_"), "{metrics}");
}

#[tokio::test]
async fn the_start_says_where_everything_is_and_how_to_change_it() {
    let host = Host::start().await;
    let log = host.log();
    for needed in [
        host.url("/").as_str(),
        "/docs",
        "/health",
        "embedded",
        "offline",
        "REDIS_URL",
        "OPENAI_API_KEY",
    ] {
        assert!(log.contains(needed), "{needed} is in:\n{log}");
    }
}
