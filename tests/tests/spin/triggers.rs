//! What calls components: middleware before them, Redis channels, and routes that need none.

use crate::{application, told, with_redis, with_redis_as};
use anyturn_tests::fake_collector::FakeCollector;
use anyturn_tests::host::Host;
use anyturn_tests::process::PATIENCE;
use anyturn_tests::redis_server::RedisServer;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_static_response_is_sent_as_the_manifest_has_it() {
    let host = application().start().await;
    for method in ["GET", "POST"] {
        let response = host.request(method, "/moved").send().await.unwrap();
        assert_eq!(response.status(), 307);
        assert_eq!(response.headers()["location"], "/new/variables?shade");
        assert_eq!(response.text().await.unwrap(), "over there");
    }
}

/// What the middleware that a request passed through says of itself, and the answer.
async fn passed(request: reqwest::RequestBuilder) -> (u16, Vec<String>, String) {
    let response = request.send().await.unwrap();
    let marks = response.headers().get_all("x-passed").iter();
    let marks = marks.map(|mark| mark.to_str().unwrap().to_owned()).collect();
    (response.status().as_u16(), marks, response.text().await.unwrap())
}

#[tokio::test]
async fn a_request_passes_through_middleware_and_the_innermost_is_first_to_see_the_answer() {
    let host = application().start().await;
    let (status, marks, text) = passed(host.get("/guarded/variables?shade")).await;
    assert_eq!(status, 200, "{text}");
    // The outer one inherits the component's variables, the inner one does not.
    assert_eq!(marks, ["unmarked", "blue"]);
    assert_eq!(
        text, r#"Ok("dark blue")"#,
        "the component itself has all that is its own"
    );
}

#[tokio::test]
async fn middleware_can_answer_in_the_components_place() {
    let host = application().start().await;
    let answer = passed(host.get("/guarded/variables?shade").header("x-stop", "1")).await;
    assert_eq!(answer, (403, vec!["blue".to_owned()], "stopped".to_owned()));
}

#[tokio::test]
async fn a_route_of_the_same_component_without_middleware_has_none() {
    let host = application().start().await;
    let (status, marks, _) = passed(host.get("/new/variables?shade").header("x-stop", "1")).await;
    assert_eq!((status, marks.len()), (200, 0));
    // Both are the same component, and share what it keeps.
    told(&host, "/new/key-value?default&set&a&1").await;
    assert_eq!(
        told(&host, "/guarded/key-value?default&get&a").await,
        "Ok(Some([49]))"
    );
}

/// Publishes once somebody is subscribed.
async fn publish(redis: &RedisServer, channel: &str, message: &str) {
    let deadline = Instant::now() + PATIENCE;
    while redis.command(&["PUBLISH", channel, message]).trim() != ":1" {
        assert!(Instant::now() < deadline, "somebody subscribes to {channel}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a key of the store `default` has a value.
async fn until(host: &Host, key: &str, value: &str) {
    let value = format!("Ok(Some({:?}))", value.as_bytes());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = told(host, &format!("/new/key-value?default&get&{key}")).await;
        if seen == value {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{key} is {value}, not {seen}\n{}",
            host.log()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn messages_of_a_channel_are_handled_in_order_by_both_versions() {
    for channel in ["new-blue", "old"] {
        let (host, redis) = with_redis().await;
        publish(&redis, channel, "<").await;
        let mut all = "<".to_owned();
        for number in 0..50 {
            let message = format!(" {number}");
            assert_eq!(redis.command(&["PUBLISH", channel, &message]).trim(), ":1");
            all.push_str(&message);
        }
        until(&host, "messages", &all).await;
    }
}

#[tokio::test]
async fn a_message_that_fails_is_told_and_the_next_one_is_handled() {
    let (host, redis) = with_redis().await;
    publish(&redis, "new-blue", "fail").await;
    publish(&redis, "new-blue", "after").await;
    until(&host, "messages", "after").await;
    assert!(host.log().contains("as it was told"), "{}", host.log());
    let metrics = host.get("/metrics").send().await.unwrap().text().await.unwrap();
    for outcome in ["ok", "error"] {
        let handled = format!("anyturn_messages_total{{component=\"new\",outcome=\"{outcome}\"}} 1");
        assert!(metrics.contains(&handled), "{handled} is in:\n{metrics}");
    }
}

#[tokio::test]
async fn a_lost_connection_is_made_again() {
    let (host, mut redis) = with_redis().await;
    publish(&redis, "new-blue", "before ").await;
    until(&host, "messages", "before ").await;
    redis.kill().await;
    redis.restart().await;
    publish(&redis, "new-blue", "after").await;
    until(&host, "messages", "before after").await;
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_keeps_nothing_else_from_being_served() {
    let port = anyturn_tests::process::free_port();
    let host = application()
        .args(["--variable", &format!("redis=redis://127.0.0.1:{port}")])
        .start()
        .await;
    assert_eq!(told(&host, "/new/variables?shade").await, r#"Ok("dark blue")"#);
    let deadline = Instant::now() + PATIENCE;
    while !host.log().contains("messages cannot be received") {
        assert!(Instant::now() < deadline, "{}", host.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_message_is_one_trace_with_what_its_component_asks_of_another() {
    let collector = FakeCollector::start().await;
    let (host, redis) = with_redis_as(|host| host.traced(&collector.endpoint())).await;
    for (component, channel) in [("new", "new-blue"), ("old", "old")] {
        publish(&redis, channel, "get http://other.spin.internal/variables?shade").await;
        let name = format!("process {channel}");
        let message = collector.span("the message", |span| span.name == name).await;
        assert_eq!(
            (message.kind, message.parent.as_str(), message.failed),
            (SpanKind::Consumer, "", false)
        );
        let expected = json!({
            "anyturn.component": component, "messaging.system": "redis", "messaging.operation.name": "process",
            "messaging.operation.type": "process", "messaging.destination.name": channel,
        });
        assert_eq!(json!(message.attributes), expected);
        let called = collector.span("the call", |span| span.is_part_of(&message)).await;
        assert_eq!(
            (called.name.as_str(), called.kind),
            ("GET other", SpanKind::Server)
        );
        assert_eq!(called.attribute("url.path"), "/variables");
    }
    publish(&redis, "new-blue", "fail").await;
    let failed = collector
        .span("the failure", |span| {
            span.name == "process new-blue" && span.failed
        })
        .await;
    assert_eq!(failed.attribute("error.type"), "error");
    drop(host);
    let body = collector.bodies().concat();
    assert!(
        !body.windows(5).any(|window| window == b"shade"),
        "a message is exported"
    );
}
