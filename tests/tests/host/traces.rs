//! Traces by OTLP: when there are any, what they say of requests and calls, and that nothing suffers from them.

use crate::{answer, assert_problem, counter, hostile, one, with_target};
use anyturn_tests::fake_collector::{FakeCollector, Mood, Span};
use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::process::{Signal, free_port};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::StatusCode;
use serde_json::{Value, json};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// A host that exports to a collector, at once.
fn traced(collector: &FakeCollector) -> HostBuilder {
    hostile().traced(&collector.endpoint())
}

/// Asks component `one` as a caller does that stands in a trace.
fn within_a_trace(host: &Host, what: &str, flags: &str) -> reqwest::RequestBuilder {
    host.get(&format!("/one/{what}"))
        .header("traceparent", format!("00-{TRACE}-{CALLER}-{flags}"))
        .header("tracestate", "vendor=1")
}

/// How many spans came to this end, by the host's own account.
async fn counted(host: &Host, outcome: &str) -> u64 {
    counter(host, "anyturn_trace_spans_total", outcome).await
}

#[tokio::test]
async fn a_request_goes_on_with_the_trace_of_its_caller_and_a_called_component_with_that() {
    let collector = FakeCollector::start().await;
    let host = traced(&collector)
        .env("OTEL_SERVICE_NAME", "shop")
        .env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-token=of%20mine")
        .start()
        .await;
    let fetch = within_a_trace(&host, "fetch?secret=1", "01")
        .header("x-target", "http://three.spin.internal/headers?secret=2")
        .header("x-request-id", "shop-1");
    let (status, seen) = answer(fetch).await;
    assert_eq!(status, StatusCode::OK, "{seen}");

    let server = collector.span("the request", |span| span.parent == CALLER).await;
    assert_eq!(server.trace, TRACE);
    assert_eq!(
        (server.name.as_str(), server.kind, server.failed),
        ("GET /one/...", SpanKind::Server, false)
    );
    let expected = json!({
        "anyturn.component": "one",
        "anyturn.request.id": "shop-1",
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/one/...",
        "server.address": "127.0.0.1",
        "server.port": host.port(),
        "url.path": "/one/fetch",
        "url.scheme": "http",
    });
    assert_eq!(json!(server.attributes), expected);
    let called = collector.span("the call", |span| span.name == "GET three").await;
    assert!(called.is_part_of(&server), "{called:?} of {server:?}");
    assert_eq!(called.kind, SpanKind::Server);
    assert_eq!(called.attribute("server.address"), "three.spin.internal");
    assert_eq!(called.attribute("url.path"), "/headers");
    // What the called component can pass on, should it call somebody who traces as well.
    let place = format!("traceparent: 00-{TRACE}-{}-01", called.id);
    assert!(
        seen.contains(&place) && seen.contains("tracestate: vendor=1"),
        "{seen}"
    );
    let resource = json!(server.resource);
    assert_eq!(resource["service.name"], "shop");
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(resource["deployment.environment.name"], "test");
    assert!(
        collector
            .headers()
            .iter()
            .all(|headers| headers["x-token"] == "of mine")
    );
    assert_eq!(collector.wrong(), Vec::<String>::new());
}

#[tokio::test]
async fn a_request_to_another_server_is_told_where_it_stands_and_its_address_is_not_told() {
    let collector = FakeCollector::start().await;
    let (host, other) = (traced(&collector).start().await, hostile().start().await);
    let target = other.url("/one/headers?key=secret");
    let seen = with_target(&host, "fetch", &target).await;
    let sent = collector
        .span("the request", |span| span.kind == SpanKind::Client)
        .await;
    let server = collector
        .span("its cause", |span| span.kind == SpanKind::Server)
        .await;
    assert!(sent.lies_within(&server), "{sent:?} in {server:?}");
    let place = format!("traceparent: 00-{}-{}-01", sent.trace, sent.id);
    assert!(seen.contains(&place), "{seen}");
    let expected = json!({
        "anyturn.component": "one",
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": other.port(),
        "url.scheme": "http",
    });
    assert_eq!((sent.name.as_str(), json!(sent.attributes)), ("GET", expected));

    with_target(&host, "fetch", &format!("http://127.0.0.1:{}", free_port())).await;
    let failed = collector
        .span("nobody", |span| span.kind == SpanKind::Client && span.failed)
        .await;
    assert_eq!(failed.attribute("error.type"), "no-answer");
}

#[tokio::test]
async fn a_crash_is_a_failed_span_that_the_log_names() {
    let collector = FakeCollector::start().await;
    let host = traced(&collector).args(["--log-format", "json"]).start().await;
    assert_problem(
        &one(&host, "trap").await,
        StatusCode::INTERNAL_SERVER_ERROR,
        "component-failed",
    );
    let span = collector
        .span("the crash", |span| span.name == "GET /one/...")
        .await;
    assert!(span.failed);
    assert_eq!(span.attribute("error.type"), "trap");
    assert_eq!(span.attribute("http.response.status_code"), 500);
    one(&host, "print").await;
    let printed = collector
        .span("what printed", |span| span.attribute("url.path") == "/one/print")
        .await;
    let log = host.log();
    for (target, span) in [("anyturn::worker", &span), ("guest", &printed)] {
        let named = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            line["target"] == target && line["trace_id"] == *span.trace && line["span_id"] == *span.id
        };
        assert!(log.lines().any(named), "{target} {span:?}: {log}");
    }
}

#[tokio::test]
async fn without_the_variables_nobody_is_told_anything_and_headers_are_left_alone() {
    let collector = FakeCollector::start().await;
    for host in [
        hostile(),
        traced(&collector).env("OTEL_SDK_DISABLED", "true"),
        traced(&collector)
            .env("OTEL_TRACES_EXPORTER", "none")
            .env("OTEL_METRICS_EXPORTER", "none"),
    ] {
        let mut host = host.args(["--log-format", "json"]).start().await;
        let seen = answer(within_a_trace(&host, "headers", "01")).await.1;
        let same = format!("traceparent: 00-{TRACE}-{CALLER}-01");
        assert!(
            seen.contains(&same) && seen.contains("tracestate: vendor=1"),
            "{seen}"
        );
        one(&host, "trap").await;
        assert!(!host.log().contains("trace_id"), "{}", host.log());
        host.signal(Signal::Term);
        assert!(host.end().await.success());
    }
    assert_eq!(collector.requests(), 0);
}

#[tokio::test]
async fn what_a_sampler_leaves_out_is_not_exported_and_those_who_are_called_know() {
    let collector = FakeCollector::start().await;
    let mut host = traced(&collector)
        .env("OTEL_TRACES_SAMPLER", "parentbased_always_off")
        .start()
        .await;
    let fetch = |flags| {
        within_a_trace(&host, "fetch", flags).header("x-target", "http://three.spin.internal/headers")
    };
    let place = |text: &str| {
        let at = text.find("traceparent: ").expect("a place");
        text[at + "traceparent: ".len()..][..55].to_owned()
    };
    let kept = place(&answer(fetch("01")).await.1);
    assert!(
        kept.starts_with(&format!("00-{TRACE}-")) && kept.ends_with("-01"),
        "{kept}"
    );
    let left_out = place(&answer(fetch("00")).await.1);
    assert!(
        left_out.starts_with(&format!("00-{TRACE}-")) && left_out.ends_with("-00"),
        "{left_out}"
    );
    let unasked = place(&with_target(&host, "fetch", "http://three.spin.internal/headers").await);
    assert!(unasked.ends_with("-00"), "{unasked}");
    host.signal(Signal::Term);
    assert!(host.end().await.success());
    let spans = collector.spans();
    assert_eq!(spans.len(), 2, "{spans:#?}");
    assert!(spans.iter().all(|span| span.trace == TRACE));
}

#[tokio::test]
async fn the_last_spans_are_exported_before_the_process_ends() {
    let collector = FakeCollector::start().await;
    let mut host = traced(&collector)
        .env("OTEL_BSP_SCHEDULE_DELAY", "3600000")
        .start()
        .await;
    one(&host, "count").await;
    assert_eq!(collector.requests(), 0);
    host.signal(Signal::Term);
    assert!(host.end().await.success());
    let names: Vec<_> = collector.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["GET /one/..."]);
}

#[tokio::test]
async fn a_collector_that_is_down_or_hangs_or_refuses_harms_nothing_and_losses_are_counted() {
    let hanging = FakeCollector::start().await;
    hanging.be(Mood::Hangs);
    let refusing = FakeCollector::start().await;
    refusing.be(Mood::Refuses);
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    for endpoint in [nowhere, hanging.endpoint(), refusing.endpoint()] {
        let mut host = hostile()
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            .env("OTEL_EXPORTER_OTLP_TIMEOUT", "300")
            .env("OTEL_BSP_SCHEDULE_DELAY", "20")
            .env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
            .env("OTEL_BSP_MAX_QUEUE_SIZE", "8")
            .start()
            .await;
        for _ in 0..200 {
            assert_eq!(one(&host, "count").await, (StatusCode::OK, "1".to_owned()));
        }
        while counted(&host, "failed").await == 0 {
            assert_eq!(one(&host, "count").await.0, StatusCode::OK);
        }
        assert_eq!(counted(&host, "exported").await, 0);
        let told = host.log().matches("spans cannot be exported").count();
        assert_eq!(told, 1, "{}", host.log());
        host.signal(Signal::Term);
        assert!(host.end().await.success());
    }
}

#[tokio::test]
async fn what_finds_no_room_is_dropped_and_exports_go_on_when_the_collector_is_there_again() {
    let collector = FakeCollector::start().await;
    collector.be(Mood::Hangs);
    let host = traced(&collector)
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "200")
        .env("OTEL_BSP_MAX_QUEUE_SIZE", "2")
        .start()
        .await;
    while counted(&host, "dropped").await == 0 || counted(&host, "failed").await == 0 {
        assert_eq!(one(&host, "count").await.0, StatusCode::OK);
    }
    collector.be(Mood::Takes);
    while counted(&host, "exported").await == 0 {
        one(&host, "count").await;
    }
    assert!(collector.spans().iter().all(|span: &Span| !span.failed));
    assert!(host.log().contains("spans are exported again"), "{}", host.log());
}

#[tokio::test]
async fn settings_that_cannot_be_followed_are_refused_at_the_start() {
    for (name, value, right) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "otlp"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4318", "http://"),
    ] {
        let (status, log) = hostile()
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
            .env(name, value)
            .refused()
            .await;
        assert!(!status.success(), "{name}");
        assert!(log.contains(name) && log.contains(right), "{log}");
    }
}
