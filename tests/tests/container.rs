//! The image, run as a container engine would: read-only, as a user without rights, without a shell.

use anyturn_tests::container::{self, Container};
use anyturn_tests::redis_server::RedisServer;
use anyturn_tests::users::{SECRET, token};
use anyturn_tests::{dockerfile, json_of};
use serde_json::json;
use std::path::Path;

/// What an image may take on disk, uncompressed, with the host as it is built for tests: 66 MiB, of which the host is 39
/// and the compiled components 22. The one of images is built to be smaller (`profile.dist`).
const LARGEST: u64 = 66 << 20;

/// What a note may take that stands for a component's code.
const NOTE: u64 = 200;

/// Whether the tests below can run; if not, it says why, for everybody to see.
fn can_run() -> bool {
    match container::missing() {
        None => true,
        Some(reason) => {
            eprintln!("SKIPPED: {reason}");
            false
        }
    }
}

#[tokio::test]
async fn the_image_serves_turns_without_a_place_to_write_and_without_rights() {
    if !can_run() {
        return;
    }
    let redis = RedisServer::start().await;
    let mut container = Container::run(&[("REDIS_URL", &redis.url()), ("JWT_SECRET", SECRET)]);
    container.healthy().await;

    let (_, answer) = json_of(
        container
            .post(
                "/v1/assistants/tasks/turns",
                &json!({ "message": "add buy milk" }),
            )
            .bearer_auth(token("ada")),
    )
    .await;
    assert_eq!(answer["state"], "finished", "{answer}");

    for field in ["Uid", "Gid"] {
        assert_eq!(container.status(field), ["65532"; 4].join("\t"));
    }
    for field in ["CapEff", "CapPrm", "CapInh"] {
        assert_eq!(container.status(field).trim_start_matches('0'), "", "{field}");
    }
    assert_eq!(container.status("NSpid").split('\t').next_back(), Some("1"));

    let log = container.log();
    assert!(!log.contains("compil"), "the components come compiled: {log}");
    assert!(!log.contains("WARN"), "{log}");
    assert!(
        log.lines().all(|line| line.starts_with('{')),
        "logs are JSON: {log}"
    );
}

#[tokio::test]
async fn process_one_ends_well_when_it_is_told_to_stop() {
    if !can_run() {
        return;
    }
    let redis = RedisServer::start().await;
    let mut container = Container::run(&[("REDIS_URL", &redis.url()), ("JWT_SECRET", SECRET)]);
    container.healthy().await;
    container.stop();
    let status = container.end().await;
    assert!(status.success(), "{status}: {}", container.log());
    assert!(container.log().contains("stopping"), "{}", container.log());
    assert!(container.health().is_none_or(|health| !health.success()));
}

#[tokio::test]
async fn an_image_without_a_store_says_what_it_lacks() {
    if !can_run() {
        return;
    }
    let mut container = Container::run(&[("JWT_SECRET", SECRET)]);
    assert!(!container.end().await.success());
    let log = container.log();
    assert!(log.contains("/data/store") && log.contains("REDIS_URL"), "{log}");
}

#[test]
fn the_image_is_small_and_holds_no_more_than_it_needs() {
    if !can_run() {
        return;
    }
    let stage = dockerfile::read();
    assert_eq!(stage.from, "scratch");
    assert_eq!(
        stage.copies,
        ["--from=build /image/ /"],
        "the image is what `cargo xtask image` makes"
    );

    let image = container::image();
    let mut files = Vec::new();
    list(&image, &mut files);
    let size: u64 = files.iter().map(|(_, length)| length).sum();
    assert!(size < LARGEST, "{size} bytes in {files:?}");
    let holds = |name: &str| files.iter().any(|(path, _)| path.ends_with(name));
    for name in [
        "anyturn",
        "app/spin.toml",
        "usr/share/sbom/anyturn.cdx.json",
        "etc/passwd",
    ] {
        assert!(holds(name), "{name} is in {files:?}");
    }
    for name in ["sh", "bash", "busybox", "apt"] {
        assert!(!holds(&format!("bin/{name}")), "{name} is in {files:?}");
    }
    let compiled = files.iter().filter(|(path, _)| path.ends_with(".cwasm")).count();
    assert!(compiled >= 3, "components are compiled: {files:?}");
    let chat = files.iter().find(|(path, _)| path.ends_with("anyturn_chat.wasm"));
    assert!(
        chat.is_some_and(|(_, length)| *length < NOTE),
        "and not there twice: {files:?}"
    );
}

/// All files below a folder, relative to nothing, with their lengths.
fn list(folder: &Path, files: &mut Vec<(String, u64)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            list(&entry.path(), files);
        } else {
            files.push((
                entry.path().display().to_string(),
                entry.metadata().unwrap().len(),
            ));
        }
    }
}
