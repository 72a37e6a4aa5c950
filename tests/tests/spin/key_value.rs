//! Key-value stores.

use crate::{application, told};
use anyturn_tests::redis_server::RedisServer;

/// What every store answers, by whichever interface it is asked.
async fn answers(host: &anyturn_tests::host::Host) {
    for (call, answer) in [
        ("/new/key-value?default&get&a", "Ok(None)"),
        ("/new/key-value?default&set&a&1", "Ok(())"),
        ("/old/key-value?default&get&a", "Ok(Some([49]))"),
        ("/old/key-value?default&set&b&", "Ok(())"),
        ("/new/key-value?default&exists&b", "Ok(true)"),
        ("/new/key-value?default&keys", r#"Ok(["a", "b"])"#),
        ("/old/key-value?default&keys", r#"Ok(["a", "b"])"#),
        ("/old/key-value?shared&keys", "Ok([])"),
        ("/new/key-value?shared&keys", "Ok([])"),
        ("/old/keyvalue?default&keys", r#"Ok((["a", "b"], None))"#),
        ("/old/keyvalue?default&get&a", "Ok(Some([49]))"),
        ("/new/key-value?default&delete&a", "Ok(())"),
        ("/new/key-value?default&delete&a", "Ok(())"),
        ("/old/keyvalue?default&exists&a", "Ok(false)"),
        ("/old/keyvalue?default&set-many&x&1&y&2", "Ok(())"),
        (
            "/old/keyvalue?default&get-many&y&x&none",
            r#"Ok([("y", Some([50])), ("x", Some([49])), ("none", None)])"#,
        ),
        ("/old/keyvalue?default&delete-many&x&y&none", "Ok(())"),
        ("/old/keyvalue?default&keys", r#"Ok((["b"], None))"#),
        ("/old/keyvalue?default&increment&n&5", "Ok(5)"),
        ("/old/keyvalue?default&increment&n&-7", "Ok(-2)"),
        ("/old/keyvalue?default&swap&s&mine", "Ok(None) swapped"),
        (
            "/old/keyvalue?default&swap&s&mine&theirs",
            "Ok(Some([109, 105, 110, 101])) failed Ok(Some([116, 104, 101, 105, 114, 115])) true",
        ),
        ("/old/keyvalue?default&get&s", "Ok(Some([109, 105, 110, 101]))"),
    ] {
        assert_eq!(told(host, call).await, answer, "{call}");
    }
}

#[tokio::test]
async fn one_store_answers_by_every_interface_over_the_embedded_state() {
    answers(&application().start().await).await;
}

#[tokio::test]
async fn what_is_done_with_a_store_is_measured_apart_from_the_state() {
    let host = application().start().await;
    told(&host, "/new/key-value?default&set&a&1").await;
    told(&host, "/old/keyvalue?default&get&a").await;
    let metrics = host.get("/metrics").send().await.unwrap().text().await.unwrap();
    for operation in ["key-value-commit", "key-value-read"] {
        let counted = format!("anyturn_store_operation_duration_seconds_count{{operation=\"{operation}\"}}");
        assert!(metrics.contains(&counted), "{counted} is in:\n{metrics}");
        let failed = format!("anyturn_store_operation_errors_total{{operation=\"{operation}\"}} 0");
        assert!(metrics.contains(&failed), "{failed} is in:\n{metrics}");
    }
}

#[tokio::test]
async fn one_store_answers_by_every_interface_over_redis() {
    let redis = RedisServer::start().await;
    let url = redis.url();
    let host = application()
        .args(["--redis-url", &url, "--variable", &format!("redis={url}")])
        .start()
        .await;
    answers(&host).await;
}

#[tokio::test]
async fn a_store_that_the_manifest_does_not_list_is_denied() {
    let host = application().start().await;
    for (call, answer) in [
        ("/other/key-value?default&keys", "Error::AccessDenied"),
        ("/new/key-value?elsewhere&keys", "Error::AccessDenied"),
        ("/old/key-value?elsewhere&keys", "Error::AccessDenied"),
        ("/old/keyvalue?elsewhere&keys", "Error::AccessDenied"),
    ] {
        assert_eq!(told(&host, call).await, answer, "{call}");
    }
}

#[tokio::test]
async fn more_keys_than_a_page_are_listed_by_every_interface() {
    let host = application().start().await;
    assert_eq!(told(&host, "/new/key-value?default&fill&1001").await, "Ok(())");
    assert_eq!(told(&host, "/new/key-value?default&count").await, "Ok(1001)");
    assert_eq!(told(&host, "/old/keyvalue?default&pages").await, "2 1001");
}

#[tokio::test]
async fn what_a_store_holds_outlives_the_host() {
    let data = tempfile::tempdir().unwrap();
    let host = application().data(data.path()).start().await;
    told(&host, "/new/key-value?default&set&a&1").await;
    host.kill().await;
    let host = application().data(data.path()).start().await;
    assert_eq!(
        told(&host, "/old/key-value?default&get&a").await,
        "Ok(Some([49]))"
    );
}
