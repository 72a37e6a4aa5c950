//! What the dashboard and the alerts ask for is there when a host is asked.

use anyturn_tests::fake_provider::{Answer, FakeProvider};
use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::{json_of, repository};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A host that has had one of everything that is only counted once there is some.
async fn used() -> (Host, FakeProvider) {
    let provider = FakeProvider::start().await.unwrap();
    provider.script([
        Answer::tool_call("add_task", r#"{"title": "buy milk"}"#),
        Answer::text("Done."),
        Answer::error(400, "invalid_request_error", "bad", "no"),
    ]);
    let host = HostBuilder::new()
        .env("OPENAI_BASE_URL", provider.base_url())
        .env("OPENAI_API_KEY", "sk-of-nobody")
        .start()
        .await;
    let turn = |message: &str| host.post("/v1/assistants/tasks/turns", &json!({ "message": message }));
    let (status, added) = json_of(turn("add buy milk")).await;
    assert_eq!(status, 200, "{added}");
    assert_eq!(added["tool_calls"].as_array().map(Vec::len), Some(1), "{added}");
    let (_, failed) = json_of(turn("and again")).await;
    assert_ne!(failed["state"], "finished", "{failed}");
    (host, provider)
}

async fn metrics(host: &Host) -> String {
    host.get("/metrics").send().await.unwrap().text().await.unwrap()
}

/// The names of metrics in a text: words that begin as ours do.
fn named(text: &str) -> BTreeSet<String> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| word.starts_with("anyturn_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// The names that a scrape has samples of.
fn scraped(metrics: &str) -> BTreeSet<String> {
    metrics
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .map(str::to_owned)
        .collect()
}

/// The labels that an expression chooses or groups by, except those that a scrape or a histogram adds.
fn labels(expression: &str) -> BTreeSet<String> {
    let grouped = expression
        .split("by (")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let chosen = expression
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next());
    grouped
        .chain(chosen)
        .flat_map(|list| list.split(','))
        .filter_map(|label| label.trim().split(['=', '!']).next())
        .filter(|label| !["instance", "le"].contains(label))
        .map(str::to_owned)
        .collect()
}

/// What the dashboard and the alerts ask for.
fn asked() -> Vec<String> {
    let folder = repository().join("deploy/grafana");
    let dashboard = std::fs::read_to_string(folder.join("anyturn.json")).unwrap();
    let expressions = expressions(&serde_json::from_str(&dashboard).unwrap());
    assert!(expressions.len() > 30, "the dashboard has panels");
    let alerts = std::fs::read_to_string(folder.join("alerts.yml")).unwrap();
    let rules = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr: "));
    let rules: Vec<_> = rules.map(str::to_owned).collect();
    assert!(rules.len() >= 10, "there are alerts");
    [expressions, rules].concat()
}

fn expressions(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap();
    panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten()
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn every_metric_that_the_dashboard_and_the_alerts_ask_for_exists() {
    let (host, _provider) = used().await;
    let there = scraped(&metrics(&host).await);
    let asked: BTreeSet<_> = asked().iter().flat_map(|expression| named(expression)).collect();
    let missing: Vec<_> = asked.difference(&there).collect();
    assert!(
        missing.is_empty(),
        "{missing:?} are not in a scrape that has {there:#?}"
    );
}

#[tokio::test]
async fn every_label_that_they_choose_or_group_by_exists() {
    let (host, _provider) = used().await;
    let metrics = metrics(&host).await;
    let mut looked_at = 0;
    for expression in asked() {
        for label in labels(&expression) {
            for name in named(&expression) {
                let mut samples = metrics
                    .lines()
                    .filter(|line| line.starts_with(&format!("{name}{{")));
                let has = |line: &str| {
                    [format!("{{{label}=\""), format!(",{label}=\"")]
                        .iter()
                        .any(|of| line.contains(of))
                };
                assert!(
                    samples.any(has),
                    "{name} has no {label}, as {expression} wants it:\n{metrics}"
                );
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 30, "the expressions have labels");
}

#[tokio::test]
async fn what_assistants_models_and_tools_do_is_counted_once() {
    let (host, _provider) = used().await;
    let metrics = metrics(&host).await;
    for line in [
        r#"anyturn_turns_total{assistant="tasks",state="finished"} 1"#,
        r#"anyturn_turns_total{assistant="tasks",state="failed"} 1"#,
        r#"anyturn_turn_errors_total{assistant="tasks",error="invalid-request"} 1"#,
        r#"anyturn_turn_duration_seconds_count{assistant="tasks"} 2"#,
        r#"anyturn_turns_running 0"#,
        r#"anyturn_sessions_active 2"#,
        r#"anyturn_tool_calls_total{tool="add_task",outcome="ok"} 1"#,
        r#"anyturn_component_calls_total{component="tasks",status="200"}"#,
    ] {
        assert!(metrics.contains(line), "{line} is in:\n{metrics}");
    }
    let ok = metrics
        .lines()
        .find(|line| line.starts_with("anyturn_model_calls_total") && line.contains(r#"outcome="ok""#));
    assert!(ok.is_some_and(|line| line.ends_with(" 2")), "{metrics}");
    for kind in ["input", "output"] {
        let tokens = metrics.lines().find(|line| {
            line.starts_with("anyturn_model_tokens_total") && line.contains(&format!(r#"type="{kind}""#))
        });
        let count = tokens.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        assert!(count.is_some_and(|count| count > 0), "{kind}: {metrics}");
    }
}
