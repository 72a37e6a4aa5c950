//! What a component is shown, and how its answers travel.

use crate::{answer, assert_problem, hostile, one};
use anyturn_tests::host::Host;
use futures::StreamExt as _;
use reqwest::StatusCode;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn start() -> Host {
    hostile().start().await
}

#[tokio::test]
async fn the_most_specific_route_answers_and_is_told_to_the_component() {
    let host = start().await;
    let (_, headers) = one(&host, "a/headers?q=1").await;
    for line in [
        "spin-path-info: /a/headers".to_owned(),
        format!("spin-full-url: {}", host.url("/one/a/headers?q=1")),
        "spin-matched-route: /one/...".to_owned(),
        "spin-raw-component-route: /one/...".to_owned(),
        "spin-component-route: /one".to_owned(),
        "spin-base-path: /".to_owned(),
        "spin-client-addr: 127.0.0.1:".to_owned(),
    ] {
        assert!(headers.contains(&line), "{line:?} is in:\n{headers}");
    }
    let (_, headers) = answer(host.get("/two/seven/headers")).await;
    assert!(headers.contains("spin-path-match-id: seven"), "{headers}");
    // The exact route belongs to another component, which does not know what to do there.
    assert_eq!(one(&host, "exact").await.1, "cannot exact");
}

#[tokio::test]
async fn what_has_no_route_is_not_found_and_a_private_component_has_none() {
    let host = start().await;
    for path in ["/", "/ones", "/three/count", "/three", "/two"] {
        assert_problem(&answer(host.get(path)).await, StatusCode::NOT_FOUND, "not-found");
    }
}

#[tokio::test]
async fn no_memory_of_a_request_survives_it_unless_reuse_was_asked_for() {
    let host = start().await;
    for _ in 0..3 {
        assert_eq!(one(&host, "count").await.1, "1");
    }
    let host = hostile().arg("--reuse").arg("2").start().await;
    // An instance is offered again a moment after its answer has arrived, so not every request meets one.
    let mut counts = BTreeSet::new();
    while !counts.contains("2") {
        counts.insert(one(&host, "count").await.1);
    }
    for _ in 0..20 {
        counts.insert(one(&host, "count").await.1);
    }
    assert_eq!(
        counts,
        ["1", "2"].map(str::to_owned).into(),
        "an instance serves two requests, and no third"
    );
}

#[tokio::test]
async fn a_request_id_is_kept_if_it_is_sane_and_made_if_not() {
    let host = start().await;
    let sent = host
        .get("/one/headers")
        .header("x-request-id", "trace-7")
        .send()
        .await
        .unwrap();
    assert_eq!(sent.headers()["x-request-id"], "trace-7");
    assert!(sent.text().await.unwrap().contains("x-request-id: trace-7"));
    let sent = host
        .get("/one/headers")
        .header("x-request-id", "a b")
        .send()
        .await
        .unwrap();
    let made = sent.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_ne!(made, "a b");
    assert!(
        sent.text()
            .await
            .unwrap()
            .contains(&format!("x-request-id: {made}"))
    );
}

#[tokio::test]
async fn bodies_stream_both_ways_while_they_are_made() {
    let host = start().await;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    let body = reqwest::Body::wrap_stream(futures::stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|piece| (piece, receiver))
    }));
    sender.send(Ok(b"first".to_vec())).await.unwrap();
    let response = host.request("POST", "/one/echo").body(body).send().await.unwrap();
    let mut pieces = response.bytes_stream();
    assert_eq!(
        pieces.next().await.unwrap().unwrap(),
        "first",
        "answered while the request is still open"
    );
    sender.send(Ok(b"second".to_vec())).await.unwrap();
    assert_eq!(pieces.next().await.unwrap().unwrap(), "second");
    drop(sender);
    assert!(pieces.next().await.is_none());
}

#[tokio::test]
async fn a_large_body_comes_back_whole() {
    let host = start().await;
    let sent: Vec<u8> = (0..5_000_000_u32).map(|number| (number % 251) as u8).collect();
    let response = host
        .request("POST", "/one/echo")
        .body(sent.clone())
        .send()
        .await
        .unwrap();
    assert!(response.bytes().await.unwrap() == sent);
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_the_component() {
    let host = start().await;
    let response = host
        .get("/one/late")
        .header("x-number", "300")
        .send()
        .await
        .unwrap();
    let mut pieces = response.bytes_stream();
    assert_eq!(pieces.next().await.unwrap().unwrap(), "early");
    drop(pieces);
    while !host.log().contains("the late half is written") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn http_2_is_served_on_the_same_port() {
    let host = start().await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let response = client.get(host.url("/one/count")).send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    assert_eq!(response.text().await.unwrap(), "1");
}

#[tokio::test]
async fn head_has_no_body() {
    let host = start().await;
    let response = host.request("HEAD", "/one/count").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_request_that_is_no_http_is_refused_exactly() {
    let host = start().await;
    let long = format!(
        "GET /one/count HTTP/1.1\r\nhost: 127.0.0.1\r\nx-long: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    for (request, expected) in [
        ("GET /one/count HTTP/1.1\r\n\r\n", "HTTP/1.1 403 Forbidden"),
        (
            "GET http://127.0.0.1/one/count HTTP/1.1\r\nhost: localhost\r\n\r\n",
            "HTTP/1.1 400 Bad Request",
        ),
        ("nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (long.as_str(), "HTTP/1.1 431 Request Header Fields Too Large"),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", host.port())).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut start = vec![0; expected.len()];
        stream.read_exact(&mut start).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&start), expected);
    }
}
