//! Components that fail: the client is told that they did, the log why.

use crate::{assert_problem, hostile, one};
use reqwest::StatusCode;
use std::time::Duration;

#[tokio::test]
async fn a_crash_is_a_problem_for_the_client_and_an_explanation_in_the_log() {
    let host = hostile().start().await;
    let response = host
        .get("/one/trap")
        .header("x-request-id", "crash-1")
        .send()
        .await
        .unwrap();
    let answered = (response.status(), response.text().await.unwrap());
    assert_problem(&answered, StatusCode::INTERNAL_SERVER_ERROR, "component-failed");
    assert!(answered.1.contains("crash-1"));
    let log = host.log();
    assert!(log.contains("crash-1") && log.contains("unreachable"), "{log}");
    assert_eq!(one(&host, "count").await.1, "1", "others are served");
}

#[tokio::test]
async fn an_error_instead_of_a_response_is_a_problem_too() {
    let host = hostile().start().await;
    assert_problem(
        &one(&host, "error").await,
        StatusCode::INTERNAL_SERVER_ERROR,
        "component-failed",
    );
    assert!(host.log().contains("a secret of the inside"));
}

#[tokio::test]
async fn a_crash_in_the_middle_of_an_answer_is_no_end_of_the_answer() {
    let host = hostile().start().await;
    let response = host.get("/one/half").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(
        response.bytes().await.is_err(),
        "half an answer must not look like a whole one"
    );
}

#[tokio::test]
async fn a_crash_of_a_reused_instance_fails_one_request_only() {
    let host = hostile().arg("--reuse").arg("1000").start().await;
    while one(&host, "count").await.1 != "3" {}
    assert_problem(
        &one(&host, "trap").await,
        StatusCode::INTERNAL_SERVER_ERROR,
        "component-failed",
    );
    while one(&host, "count").await.1 != "3" {}
}

#[tokio::test]
async fn what_a_component_prints_is_in_the_log_with_its_name() {
    let host = hostile().args(["--log-format", "json"]).start().await;
    assert_eq!(one(&host, "print").await.1, "1");
    // What has no line's end is a line when the instance ends, which is after its answer.
    while !host.log().contains("to standard error") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let log = host.log();
    for (line, stream) in [("to standard output", "stdout"), ("to standard error", "stderr")] {
        let event = log
            .lines()
            .find(|event| event.contains(line))
            .expect("the line is logged");
        let event: serde_json::Value = serde_json::from_str(event).expect("a log event is JSON");
        assert_eq!(event["component"], "one");
        assert_eq!(event["stream"], stream);
        assert_eq!(event["message"], line);
        assert!(event["request_id"].is_string(), "{event}");
    }
}

#[tokio::test]
async fn what_a_reused_instance_prints_is_logged_for_the_request_that_it_serves() {
    let host = hostile()
        .args(["--log-format", "json", "--reuse", "1000"])
        .start()
        .await;
    // Until an instance has served three of them.
    let mut ids = Vec::new();
    let mut served = String::new();
    while served != "3" {
        let id = format!("print-{}", ids.len());
        let request = host.get("/one/print").header("x-request-id", &id);
        served = request.send().await.unwrap().text().await.unwrap();
        ids.push(id);
    }
    let printed = |stream: &str| {
        let log = host.log();
        let events = log
            .lines()
            .map(|event| serde_json::from_str::<serde_json::Value>(event).unwrap());
        let own = events.filter(|event| event["stream"] == stream);
        own.map(|event| event["request_id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    while printed("stdout").len() < ids.len() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut whole = printed("stdout");
    whole.sort();
    let mut wanted = ids.clone();
    wanted.sort();
    assert_eq!(whole, wanted);
    // A line without an end is its request's, too; those of instances that wait for another one may be missing.
    let cut = printed("stderr");
    assert!(cut.len() >= 2, "{cut:?}");
    for (at, id) in cut.iter().enumerate() {
        assert!(ids.contains(id) && !cut[..at].contains(id), "{cut:?}");
    }
}
