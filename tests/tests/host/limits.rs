//! Components that take too much: each is stopped, its client is told exactly, and nobody else notices.

use crate::{answer, assert_problem, hostile, one};
use anyturn_tests::host::Host;
use reqwest::StatusCode;
use std::time::Duration;

#[tokio::test]
async fn a_component_that_computes_for_ever_is_stopped_at_its_cpu_limit() {
    let host = hostile().arg("--cpu-limit").arg("200ms").start().await;
    assert_problem(
        &one(&host, "spin").await,
        StatusCode::SERVICE_UNAVAILABLE,
        "cpu-limit",
    );
    assert!(
        metrics(&host)
            .await
            .contains(r#"anyturn_component_failures_total{component="one",kind="cpu"} 1"#)
    );
}

#[tokio::test]
async fn components_that_compute_for_ever_cannot_hold_the_cores() {
    let host = hostile().arg("--cpu-limit").arg("20s").start().await;
    let spinning: Vec<_> = (0..8)
        .map(|_| {
            let request = host.get("/one/spin");
            tokio::spawn(async move { request.send().await })
        })
        .collect();
    live(&host, 8).await;
    for _ in 0..20 {
        assert_eq!(one(&host, "count").await, (StatusCode::OK, "1".to_owned()));
    }
    assert!(
        spinning.iter().all(|request| !request.is_finished()),
        "they are computing all the while"
    );
}

#[tokio::test]
async fn waiting_is_no_computing() {
    let host = hostile().arg("--cpu-limit").arg("100ms").start().await;
    let response = host
        .get("/one/late")
        .header("x-number", "1000")
        .send()
        .await
        .unwrap();
    assert_eq!(response.text().await.unwrap(), "earlylate");
}

#[tokio::test]
async fn a_component_that_takes_memory_for_ever_is_stopped_at_its_limit() {
    let host = hostile().arg("--memory-limit").arg("32").start().await;
    assert_problem(
        &one(&host, "hoard").await,
        StatusCode::SERVICE_UNAVAILABLE,
        "memory-limit",
    );
    assert_eq!(one(&host, "count").await.1, "1");
}

#[tokio::test]
async fn a_component_that_never_answers_is_stopped_at_its_time_limit() {
    let host = hostile().arg("--time-limit").arg("300ms").start().await;
    assert_problem(
        &one(&host, "silent").await,
        StatusCode::GATEWAY_TIMEOUT,
        "time-limit",
    );
    live(&host, 0).await;
}

#[tokio::test]
async fn an_answer_without_an_end_is_broken_off_at_the_time_limit() {
    let host = hostile().arg("--time-limit").arg("300ms").start().await;
    let response = host.get("/one/endless").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(
        response.bytes().await.is_err(),
        "the client sees that the answer is not whole"
    );
    live(&host, 0).await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_not_made() {
    let host = hostile().start().await;
    let before = resident(&host);
    let response = host.get("/one/endless").send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let more = resident(&host).saturating_sub(before);
    assert!(more < 32 << 20, "{more} bytes were made that nobody wants");
    drop(response);
    live(&host, 0).await;
}

#[tokio::test]
async fn the_request_that_is_one_too_many_is_told_when_to_come_back() {
    let host = hostile()
        .args(["--max-requests", "2", "--max-waiting", "0", "--time-limit", "30s"])
        .start()
        .await;
    let held: Vec<_> = (0..2)
        .map(|_| {
            let request = host.get("/one/silent");
            tokio::spawn(async move { request.send().await })
        })
        .collect();
    live(&host, 2).await;
    let response = host.get("/one/count").send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "1");
    let refused = (response.status(), response.text().await.unwrap());
    assert_problem(&refused, StatusCode::SERVICE_UNAVAILABLE, "overloaded");
    assert!(
        metrics(&host)
            .await
            .contains(r#"anyturn_http_requests_refused_total{reason="queue-full"} 1"#)
    );
    for page in ["/live", "/ready", "/health"] {
        assert_eq!(
            host.get(page).send().await.unwrap().status(),
            StatusCode::OK,
            "the host itself answers on at {page}"
        );
    }
    held.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn requests_wait_for_a_place_and_are_refused_when_their_time_is_over() {
    let host = hostile()
        .args(["--max-requests", "2", "--max-waiting", "8", "--max-wait", "300ms"])
        .start()
        .await;
    let early: Vec<_> = (0..2)
        .map(|_| {
            let request = host.get("/one/late").header("x-number", "50");
            tokio::spawn(async move { request.send().await?.text().await })
        })
        .collect();
    live(&host, 2).await;
    assert_eq!(one(&host, "count").await, (StatusCode::OK, "1".to_owned()));
    for answer in early {
        assert_eq!(answer.await.unwrap().unwrap(), "earlylate");
    }
    let silent: Vec<_> = (0..2)
        .map(|_| {
            let request = host.get("/one/silent");
            tokio::spawn(async move { request.send().await })
        })
        .collect();
    live(&host, 2).await;
    let refused = one(&host, "count").await;
    assert_problem(&refused, StatusCode::SERVICE_UNAVAILABLE, "overloaded");
    let metrics = metrics(&host).await;
    for line in [
        r#"anyturn_http_requests_refused_total{reason="waited-too-long"} 1"#,
        "anyturn_http_request_wait_seconds_count 1",
        "anyturn_requests_running 2",
        "anyturn_requests_limit 2",
        "anyturn_requests_waiting 0",
    ] {
        assert!(metrics.contains(line), "{line} is in:\n{metrics}");
    }
    silent.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn probes_are_answered_when_there_are_as_many_connections_as_may_be() {
    // One is the fixture's own, which it keeps.
    let host = hostile().args(["--max-connections", "2"]).start().await;
    let fresh = |path: &str| anyturn_tests::client().get(host.url(path));
    let request = fresh("/one/silent");
    let held = tokio::spawn(async move { request.send().await });
    live(&host, 1).await;
    for page in ["/live", "/ready", "/health"] {
        let response = fresh(page).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{page}");
        assert_eq!(response.headers()["connection"], "close", "{page}");
    }
    let refused = answer(fresh("/one/count")).await;
    assert_problem(&refused, StatusCode::SERVICE_UNAVAILABLE, "overloaded");
    assert!(
        metrics(&host)
            .await
            .contains(r#"anyturn_http_requests_refused_total{reason="connections"} 1"#)
    );
    held.abort();
    // The place is free as soon as the host has noticed that the client is gone.
    while answer(fresh("/one/count")).await.0 != StatusCode::OK {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until so many instances live.
async fn live(host: &Host, instances: usize) {
    let expected = format!("anyturn_instances_live {instances}\n");
    while !metrics(host).await.contains(&expected) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn metrics(host: &Host) -> String {
    host.get("/metrics").send().await.unwrap().text().await.unwrap()
}

/// Bytes of memory that the host holds.
fn resident(host: &Host) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
