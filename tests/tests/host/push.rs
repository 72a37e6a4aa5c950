//! Metrics by OTLP: when they are sent, what they say, and that nothing suffers from them.

use crate::{answer, counter, hostile, one};
use anyturn_tests::fake_collector::metrics::{Reading, Series};
use anyturn_tests::fake_collector::{FakeCollector, Mood};
use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::process::{Signal, free_port};
use reqwest::StatusCode;
use serde_json::json;
use std::collections::BTreeSet;

/// A host that exports to a collector, when it is stopped.
fn exporting(collector: &FakeCollector) -> HostBuilder {
    hostile()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("OTEL_METRIC_EXPORT_INTERVAL", "3600000")
}

async fn stopped(mut host: Host) -> String {
    host.signal(Signal::Term);
    assert!(host.end().await.success(), "{}", host.log());
    host.log()
}

/// What there is under a name, with some attributes, in an export that has it once.
fn of<'a>(export: &'a [Series], name: &str, attributes: &[(&str, &str)]) -> &'a Series {
    let mut found = export.iter().filter(|series| series.is(name, attributes));
    let one = found
        .next()
        .unwrap_or_else(|| panic!("{name} {attributes:?} is in {export:#?}"));
    assert!(found.next().is_none(), "{name} {attributes:?} is there once");
    one
}

/// How many exports came to this end, by the host's own account.
async fn counted(host: &Host, outcome: &str) -> u64 {
    counter(host, "anyturn_metric_exports_total", outcome).await
}

#[tokio::test]
async fn what_can_be_scraped_is_exported_with_the_same_names_and_as_what_it_is() {
    let collector = FakeCollector::start().await;
    let host = exporting(&collector)
        .env("OTEL_SERVICE_NAME", "shop")
        .env("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "x-token=of%20mine")
        .env("OTEL_TRACES_EXPORTER", "none")
        .start()
        .await;
    for _ in 0..3 {
        one(&host, "count").await;
    }
    one(&host, "trap").await;
    let scraped = answer(host.get("/metrics")).await.1;
    assert_eq!(collector.requests(), 0);
    stopped(host).await;

    assert_eq!(collector.wrong(), Vec::<String>::new());
    let exports = collector.metrics();
    let [export] = &exports[..] else {
        panic!("one export: {exports:#?}")
    };
    // A scrape calls what a counter and a histogram say by several names.
    let names: BTreeSet<_> = export.iter().map(|series| series.name.as_str()).collect();
    let typed = scraped
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let expected: BTreeSet<_> = typed
        .map(|(name, kind)| match kind {
            "counter" => format!("{name}_total"),
            _ => name.to_owned(),
        })
        .collect();
    assert_eq!(names, expected.iter().map(String::as_str).collect());

    let served = |status| {
        of(
            export,
            "anyturn_http_requests_total",
            &[("component", "one"), ("status", status)],
        )
    };
    assert_eq!(served("200").reading, Reading::Count(json!(3)));
    assert_eq!(served("500").reading, Reading::Count(json!(1)));
    let trap = [("component", "one"), ("kind", "trap")];
    let trap = of(export, "anyturn_component_failures_total", &trap);
    assert_eq!(trap.reading, Reading::Count(json!(1)));
    // The process has begun to end.
    assert_eq!(of(export, "anyturn_ready", &[]).reading, Reading::Gauge(json!(0)));
    assert_eq!(
        of(export, "anyturn_requests_limit", &[]).reading,
        Reading::Gauge(json!(2000))
    );
    let took = of(
        export,
        "anyturn_http_request_duration_seconds",
        &[("component", "one")],
    );
    assert_eq!(took.unit, "s");
    let Reading::Histogram { bounds, counts, sum } = &took.reading else {
        panic!("a histogram: {took:?}")
    };
    assert_eq!(counts.iter().sum::<u64>(), 4);
    assert!(bounds.contains(&0.25) && *sum > 0.0, "{took:?}");
    let times: BTreeSet<_> = export.iter().map(|series| series.time.1).collect();
    assert_eq!(times.len(), 1, "all were read at one time");
    assert_eq!(took.resource["service.name"], "shop");
    let headers = collector.headers();
    assert!(headers.iter().all(|headers| headers["x-token"] == "of mine"));
}

#[tokio::test]
async fn counters_grow_from_export_to_export_and_say_since_when_they_count() {
    let collector = FakeCollector::start().await;
    let host = hostile()
        .env(
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            format!("{}/v1/metrics", collector.endpoint()),
        )
        .env("OTEL_METRIC_EXPORT_INTERVAL", "20")
        .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        .start()
        .await;
    let answered = [("component", "one"), ("status", "200")];
    let served = |export: &Vec<Series>| of(export, "anyturn_http_requests_total", &answered).clone();
    for so_far in 1..=3 {
        one(&host, "count").await;
        let has = |collector: &FakeCollector| {
            let last = collector.metrics().last().map(served);
            last.is_some_and(|served| served.reading == Reading::Count(json!(so_far)))
        };
        collector.until("what was counted is exported", has).await;
    }
    stopped(host).await;
    let exports: Vec<_> = collector.metrics().iter().map(served).collect();
    let began: BTreeSet<_> = exports.iter().map(|served| served.time.0).collect();
    assert_eq!(began.len(), 1, "{exports:#?}");
    assert!(exports.is_sorted_by_key(|served| served.time.1), "{exports:#?}");
    assert_eq!(collector.wrong(), Vec::<String>::new());
    assert!(collector.spans().is_empty(), "nobody asked for traces");
    let compressed = |headers: &http::HeaderMap| headers["content-encoding"] == "gzip";
    assert!(collector.headers().iter().all(compressed));
}

#[tokio::test]
async fn metrics_and_traces_are_told_by_the_same_resource_and_every_process_is_another() {
    let collector = FakeCollector::start().await;
    let mut instances = BTreeSet::new();
    for number in 1..=2 {
        let host = exporting(&collector)
            .env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
            .start()
            .await;
        one(&host, "count").await;
        stopped(host).await;
        let (exports, spans) = (collector.metrics(), collector.spans());
        assert_eq!((exports.len(), spans.len()), (number, number));
        let resource = &spans[number - 1].resource;
        assert!(
            exports[number - 1]
                .iter()
                .all(|series| series.resource == *resource)
        );
        assert_eq!(resource["service.name"], "anyturn");
        assert_eq!(resource["deployment.environment.name"], "test");
        instances.insert(resource["service.instance.id"].as_str().unwrap().to_owned());
    }
    assert_eq!(instances.len(), 2);
}

#[tokio::test]
async fn metrics_are_not_sent_to_whom_only_traces_go_nor_where_they_are_scraped() {
    for (name, value) in [
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "prometheus"),
        ("OTEL_SDK_DISABLED", "true"),
    ] {
        let collector = FakeCollector::start().await;
        let host = exporting(&collector)
            .env("OTEL_METRIC_EXPORT_INTERVAL", "1")
            .env(name, value)
            .start()
            .await;
        one(&host, "count").await;
        assert_eq!(
            counted(&host, "exported").await + counted(&host, "failed").await,
            0
        );
        stopped(host).await;
        assert!(collector.metrics().is_empty(), "{name}={value}");
    }
}

#[tokio::test]
async fn a_collector_that_is_down_or_hangs_or_refuses_harms_nothing_and_failures_are_counted() {
    let hanging = FakeCollector::start().await;
    hanging.be(Mood::Hangs);
    let refusing = FakeCollector::start().await;
    refusing.be(Mood::Refuses);
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    for endpoint in [nowhere, hanging.endpoint(), refusing.endpoint()] {
        let host = hostile()
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            .env("OTEL_TRACES_EXPORTER", "none")
            .env("OTEL_METRIC_EXPORT_INTERVAL", "20")
            .env("OTEL_METRIC_EXPORT_TIMEOUT", "100")
            .start()
            .await;
        for _ in 0..200 {
            assert_eq!(one(&host, "count").await, (StatusCode::OK, "1".to_owned()));
        }
        while counted(&host, "failed").await < 2 {
            assert_eq!(one(&host, "count").await.0, StatusCode::OK);
        }
        assert_eq!(counted(&host, "exported").await, 0);
        let log = stopped(host).await;
        assert_eq!(log.matches("metrics cannot be exported").count(), 1, "{log}");
    }
}

#[tokio::test]
async fn a_collector_that_hangs_does_not_keep_a_host_that_is_stopped() {
    let collector = FakeCollector::start().await;
    collector.be(Mood::Hangs);
    let host = exporting(&collector)
        .args(["--drain-timeout", "1s"])
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000")
        .env("OTEL_METRIC_EXPORT_TIMEOUT", "3600000")
        .start()
        .await;
    one(&host, "count").await;
    let log = stopped(host).await;
    assert!(log.contains("the collector did not answer within"), "{log}");
}

#[tokio::test]
async fn exports_are_repeated_for_a_collector_that_is_busy_and_go_on_when_it_is_there_again() {
    let collector = FakeCollector::start().await;
    collector.be(Mood::IsBusy);
    let host = hostile()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("OTEL_TRACES_EXPORTER", "none")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "20")
        .start()
        .await;
    collector
        .until("an export is sent again", |collector| collector.requests() >= 2)
        .await;
    assert_eq!(counted(&host, "failed").await, 0, "it is still the first one");
    collector.be(Mood::Refuses);
    while counted(&host, "failed").await == 0 {
        one(&host, "count").await;
    }
    collector.be(Mood::Takes);
    collector
        .until("an export is taken", |collector| !collector.metrics().is_empty())
        .await;
    let log = stopped(host).await;
    assert!(log.contains("metrics are exported again"), "{log}");
}

#[tokio::test]
async fn settings_that_cannot_be_followed_are_refused_at_the_start() {
    for (name, value, right) in [
        ("OTEL_METRICS_EXPORTER", "console", "prometheus"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1m", "whole number"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc", "http/protobuf"),
        (
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            "delta",
            "cumulative",
        ),
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
