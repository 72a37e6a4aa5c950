//! Starting, being watched, and ending.

use crate::{answer, hostile, one};
use anyturn_tests::host::{Host, HostBuilder, binary};
use anyturn_tests::process::Signal;
use anyturn_tests::repository;
use futures::StreamExt as _;
use reqwest::StatusCode;
use std::path::Path;
use std::time::Duration;

#[tokio::test]
async fn a_damaged_cache_of_compiled_components_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("compiled");
    let start = || {
        hostile()
            .env("ANYTURN_CACHE_DIR", cache.display().to_string())
            .start()
    };
    let host = start().await;
    assert_eq!(one(&host, "count").await.1, "1");
    assert!(host.log().contains("compiled one"), "{}", host.log());
    drop(host);
    let host = start().await;
    assert!(
        !host.log().contains("compiled"),
        "found in the cache: {}",
        host.log()
    );
    drop(host);

    let entries = || {
        std::fs::read_dir(&cache)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
            .collect::<Vec<_>>()
    };
    for path in entries() {
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    let host = start().await;
    assert!(host.log().contains("damaged"), "{}", host.log());
    assert_eq!(one(&host, "count").await.1, "1");
    drop(host);
    for path in entries() {
        std::fs::write(path, b"short").unwrap();
    }
    assert_eq!(one(&start().await, "count").await.1, "1");
}

/// Puts an application of one component into a folder.
fn hello(manifest: &Path, wasm: &Path) {
    let text = std::fs::read_to_string(repository().join("tests/hello/spin.toml")).unwrap();
    let source = "../../target/wasm32-wasip2/component/anyturn_hello.wasm";
    assert!(text.contains(source));
    std::fs::write(manifest, text.replace(source, "hello.wasm")).unwrap();
    let built = anyturn_tests::host::target().join("wasm32-wasip2/component/anyturn_hello.wasm");
    std::fs::copy(built, wasm).unwrap();
}

#[tokio::test]
async fn an_application_whose_code_was_left_out_is_served_from_the_cache_and_from_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (manifest, wasm) = (folder.path().join("spin.toml"), folder.path().join("hello.wasm"));
    let (cache, other) = (folder.path().join("cache"), folder.path().join("other"));
    hello(&manifest, &wasm);
    let kept = folder.path().join("linked.wasm");
    std::fs::hard_link(&wasm, &kept).unwrap();
    let compile = |more: &[&str]| {
        let mut command = std::process::Command::new(binary());
        command.arg("compile").arg("--manifest").arg(&manifest).args(more);
        let output = command.env_remove("ANYTURN_CACHE_DIR").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), said)
    };

    let (done, said) = compile(&["--slim"]);
    assert!(!done && said.contains("--cache-dir"), "{said}");
    let before = std::fs::metadata(&wasm).unwrap().len();
    let (done, said) = compile(&["--slim", "--cache-dir", &cache.display().to_string()]);
    assert!(done, "{said}");
    assert!(std::fs::metadata(&wasm).unwrap().len() < 200);
    assert_eq!(
        std::fs::metadata(&kept).unwrap().len(),
        before,
        "a link to the file keeps the code"
    );

    let host = |cache: &Path| {
        HostBuilder::new()
            .manifest(&manifest)
            .env("ANYTURN_CACHE_DIR", cache.display().to_string())
    };
    let running = host(&cache).start().await;
    assert_eq!(running.get("/").send().await.unwrap().status(), StatusCode::OK);
    assert!(!running.log().contains("compil"), "{}", running.log());
    drop(running);
    let (done, said) = compile(&["--slim", "--cache-dir", &cache.display().to_string()]);
    assert!(done, "a second time changes nothing: {said}");

    let (status, log) = host(&other).refused().await;
    assert!(!status.success());
    assert!(log.contains("hello.wasm was left out of this image"), "{log}");
    std::fs::write(&wasm, "anyturn: the code was left out, its digest is sha256:0").unwrap();
    let (status, log) = host(&cache).refused().await;
    assert!(!status.success() && log.contains("damaged"), "{log}");
}

#[test]
fn the_code_of_a_component_stays_where_its_compiled_form_cannot_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (manifest, wasm) = (folder.path().join("spin.toml"), folder.path().join("hello.wasm"));
    hello(&manifest, &wasm);
    let compile = |cache: &Path, more: &[&str]| {
        let mut command = std::process::Command::new(binary());
        command.arg("compile").arg("--manifest").arg(&manifest);
        command.arg("--cache-dir").arg(cache).args(more).output().unwrap()
    };
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    assert!(compile(&first, &[]).status.success());
    // What has the place of an entry and cannot be replaced.
    for entry in std::fs::read_dir(&first).unwrap() {
        let entry = entry.unwrap();
        if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "cwasm")
        {
            std::fs::create_dir_all(second.join(entry.file_name()).join("full")).unwrap();
        }
    }
    let before = std::fs::read(&wasm).unwrap();
    let refused = compile(&second, &["--slim"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && said.contains("stay as they are"),
        "{said}"
    );
    assert_eq!(std::fs::read(&wasm).unwrap(), before);
}

#[tokio::test]
async fn what_is_under_way_may_finish_when_the_host_is_told_to_stop() {
    let mut host = hostile().start().await;
    let response = host
        .get("/one/late")
        .header("x-number", "700")
        .send()
        .await
        .unwrap();
    let mut pieces = response.bytes_stream();
    assert_eq!(pieces.next().await.unwrap().unwrap(), "early");
    host.signal(Signal::Term);
    refuses_connections(&host).await;
    assert_eq!(pieces.next().await.unwrap().unwrap(), "late");
    assert!(pieces.next().await.is_none(), "the answer has its proper end");
    assert!(host.end().await.success(), "{}", host.log());
}

#[tokio::test]
async fn a_component_whose_client_has_left_may_finish_too() {
    let mut host = hostile().start().await;
    let response = host
        .get("/one/late")
        .header("x-number", "700")
        .send()
        .await
        .unwrap();
    drop(response);
    host.signal(Signal::Term);
    assert!(host.end().await.success());
    assert!(host.log().contains("the late half is written"), "{}", host.log());
}

#[tokio::test]
async fn ending_takes_no_longer_than_the_limit() {
    let mut host = hostile().args(["--drain-timeout", "200ms"]).start().await;
    let request = host.get("/one/silent");
    let waiting = tokio::spawn(async move { request.send().await });
    live(&host).await;
    host.signal(Signal::Term);
    assert!(host.end().await.success());
    assert!(
        host.log().contains("not everything ended in time"),
        "{}",
        host.log()
    );
    assert!(waiting.await.unwrap().is_err());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut host = hostile().args(["--drain-timeout", "10m"]).start().await;
    let request = host.get("/one/silent");
    tokio::spawn(async move { request.send().await });
    live(&host).await;
    host.signal(Signal::Term);
    refuses_connections(&host).await;
    host.signal(Signal::Term);
    assert!(host.end().await.success());
    assert!(host.log().contains("stopped at once"), "{}", host.log());
}

#[tokio::test]
async fn a_host_that_is_told_to_stop_says_so_to_new_connections_and_serves_them_before_it_closes_its_port() {
    let mut host = hostile().args(["--drain-pause", "1500ms"]).start().await;
    host.signal(Signal::Term);
    let fresh = || anyturn_tests::client();
    loop {
        let response = fresh().get(host.url("/ready")).send().await.unwrap();
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            assert_eq!(
                response.text().await.unwrap(),
                r#"{"ready":false,"reason":"shutting down"}"#
            );
            break;
        }
    }
    let response = fresh().get(host.url("/one/count")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        response.headers()["connection"],
        "close",
        "a client that keeps connections is told to leave this one"
    );
    assert_eq!(
        fresh().get(host.url("/live")).send().await.unwrap().status(),
        StatusCode::OK
    );
    assert!(host.end().await.success(), "{}", host.log());
}

#[tokio::test]
async fn the_hosts_own_pages_tell_what_an_operator_needs() {
    let host = hostile().start().await;
    one(&host, "count").await;
    one(&host, "trap").await;
    let (status, ready) = answer(host.get("/ready")).await;
    assert_eq!((status, ready.as_str()), (StatusCode::OK, r#"{"ready":true}"#));
    assert_eq!(
        answer(host.request("POST", "/ready")).await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let response = host.get("/metrics").send().await.unwrap();
    assert!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    let metrics = response.text().await.unwrap();
    for series in [
        r#"anyturn_http_requests_total{component="one",status="200"} 1"#,
        r#"anyturn_http_requests_total{component="one",status="500"} 1"#,
        r#"anyturn_http_request_duration_seconds_count{component="one"} 2"#,
        r#"anyturn_component_failures_total{component="one",kind="trap"} 1"#,
        "anyturn_compiled_cache_hits ",
    ] {
        assert!(metrics.contains(series), "{series} is in:\n{metrics}");
    }
}

#[tokio::test]
async fn the_host_asks_another_one_how_it_is() {
    let host = Host::start().await;
    let address = format!("127.0.0.1:{}", host.port());
    let ask = |arguments: &[&str]| {
        std::process::Command::new(binary())
            .args(["health", "--listen", &address])
            .args(arguments)
            .output()
            .unwrap()
    };
    for (page, says) in [
        (None, "\"ready\":true"),
        (Some("live"), ""),
        (Some("health"), "\"store\""),
    ] {
        let output = ask(&page.into_iter().collect::<Vec<_>>());
        assert!(output.status.success(), "{page:?}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(says), "{page:?}: {text}");
    }
    host.kill().await;
    let output = ask(&[]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("gives no answer") && text.contains("ANYTURN_LISTEN"),
        "{text}"
    );
}

#[tokio::test]
async fn an_address_that_is_taken_is_said_so() {
    let host = hostile().start().await;
    let (status, said) = hostile().port(host.port()).refused().await;
    assert!(!status.success());
    assert!(
        said.contains(&host.port().to_string()) && said.contains("--listen"),
        "{said}"
    );
}

#[tokio::test]
async fn a_manifest_that_is_not_there_is_said_so() {
    let (status, said) = HostBuilder::new().manifest("/no/such/spin.toml").refused().await;
    assert!(!status.success());
    assert!(said.contains("/no/such/spin.toml"), "{said}");
}

/// Waits until an instance lives.
async fn live(host: &Host) {
    while !answer(host.get("/metrics"))
        .await
        .1
        .contains("anyturn_instances_live 1\n")
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until nobody is let in any more.
async fn refuses_connections(host: &Host) {
    while tokio::net::TcpStream::connect(("127.0.0.1", host.port()))
        .await
        .is_ok()
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
