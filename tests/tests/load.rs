//! `anyturn load` and `anyturn capacity`, against a real server.

use anyturn_tests::host::{Host, HostBuilder, binary};
use anyturn_tests::users;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the program, without anything of the developer's own environment.
async fn anyturn(arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(arguments).env_clear();
    let running = tokio::task::spawn_blocking(move || command.output());
    running.await.unwrap().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

#[tokio::test]
async fn a_load_of_turns_is_reported_and_its_cost_becomes_a_capacity() {
    let host = Host::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("load.json");
    let (url, path) = (host.url(""), file.to_str().unwrap());
    let flags = ["--clients", "3", "--turns", "40", "--turns-per-session", "4"];
    let arguments: Vec<_> = ["load", "--url", &url, "--report", path]
        .into_iter()
        .chain(flags)
        .collect();
    let ran = anyturn(&arguments).await;
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    assert!(text(&ran.stdout).contains("40 turns in"), "{}", text(&ran.stdout));
    let report = json(&file);
    assert_eq!(report["turns"], 40, "{report}");
    assert_eq!(report["errors"], serde_json::json!({}), "{report}");
    for time in [&report["turn_ms"], &report["first_event_ms"]] {
        let (p50, max) = (time["p50"].as_f64().unwrap(), time["max"].as_f64().unwrap());
        assert!(0.0 < p50 && p50 <= max, "{report}");
    }
    assert!(report["output_tokens"].as_u64().unwrap() > 0, "{report}");
    assert!(
        report["server"]["cpu_ms_per_turn"].as_f64().unwrap() > 0.0,
        "{report}"
    );

    let ran = anyturn(&["capacity", "--report", path, "--turns-per-month", "3e7", "--json"]).await;
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    let capacity: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(capacity["turn"]["cpu_ms"], report["server"]["cpu_ms_per_turn"]);
    let plans = capacity["plans"].as_array().unwrap();
    assert!(plans.len() >= 8, "{capacity}");
    for plan in plans.iter().filter(|plan| !plan["instances"].is_null()) {
        let instances: Vec<f64> = serde_json::from_value(plan["instances"].clone()).unwrap();
        assert!(instances[0] >= 1.0 && instances[1] >= instances[0], "{plan}");
        assert!(plan["month"].as_f64().unwrap() > 0.0, "{plan}");
    }
}

#[tokio::test]
async fn who_is_not_let_in_is_told_apart_from_a_server_that_fails() {
    let host = HostBuilder::new().env("JWT_SECRET", users::SECRET).start().await;
    let url = host.url("");
    let ran = anyturn(&["load", "--url", &url, "--clients", "1", "--turns", "2"]).await;
    assert!(!ran.status.success());
    assert!(
        text(&ran.stdout).contains("401 unauthorized"),
        "{}",
        text(&ran.stdout)
    );
    let token = users::token("alice");
    let arguments = [
        "load",
        "--url",
        &url,
        "--clients",
        "1",
        "--turns",
        "2",
        "--json",
        "--key",
        &token,
    ];
    let ran = anyturn(&arguments).await;
    assert!(ran.status.success(), "{}", text(&ran.stdout));
    drop(host);
    let ran = anyturn(&["load", "--url", &url, "--clients", "1", "--turns", "1"]).await;
    assert!(
        text(&ran.stdout).contains("no connection"),
        "{}",
        text(&ran.stdout)
    );
}

#[tokio::test]
async fn a_load_ends_when_its_time_is_over() {
    let host = Host::start().await;
    let flags = [
        "--duration",
        "500ms",
        "--turns",
        "1000000",
        "--rate",
        "20",
        "--clients",
        "2",
    ];
    let url = host.url("");
    let arguments: Vec<_> = ["load", "--url", &url].into_iter().chain(flags).collect();
    let ran = anyturn(&arguments).await;
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    assert!(
        text(&ran.stdout).contains("10 turns in"),
        "20 a second for half a second: {}",
        text(&ran.stdout)
    );
}
