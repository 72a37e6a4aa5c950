//! Bad input gets an answer that says what is wrong and what would be right. Each test shows the exact answer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers included"
)]

mod support;

use anyturn_state::memory::Fault;
use support::{World, request, with};

const NEW: &str = "/v1/assistants/chat/turns";

#[test]
fn an_unknown_route_is_named() {
    let reply = World::new().get("/v1/nothing");
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (404, "not-found")
    );
    assert_eq!(
        reply.json()["detail"],
        "There is nothing at `/v1/nothing`; /docs describes what there is."
    );
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let reply = World::new().ask(request("PUT", "/v1/sessions", ""));
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (405, "method-not-allowed")
    );
    assert_eq!(reply.header("allow"), "GET, HEAD");
    let reply = World::new().ask(request("GET", NEW, ""));
    assert_eq!(reply.header("allow"), "POST");
}

#[test]
fn every_answer_carries_the_request_id_and_lets_nothing_be_guessed_kept_or_framed() {
    let world = World::new();
    let reply = world.ask(with("GET", "/nothing", "", &[("x-request-id", "abc-1")]));
    assert_eq!(reply.json()["request_id"], "abc-1");
    for (name, value) in [
        ("x-request-id", "abc-1"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        (
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        assert_eq!(reply.header(name), value);
    }
    let made = world.ask(with("GET", "/nothing", "", &[("x-request-id", "a b")]));
    assert_eq!(
        made.header("x-request-id").len(),
        32,
        "one that cannot be one is replaced"
    );
}

#[test]
fn json_that_is_none_is_told_with_line_and_column() {
    let reply = World::new().post(NEW, "{\"message\":\n oops}");
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (400, "malformed-json")
    );
    let json = reply.json();
    assert_eq!(json["detail"], "Expected value at line 2, column 2.");
    assert_eq!((&json["line"], &json["column"]), (&2.into(), &2.into()));
}

#[test]
fn a_value_that_is_wrong_is_told_with_its_place() {
    let world = World::new();
    for (body, kind, pointer) in [
        ("{}", "invalid-request", ""),
        (r#"{"message": 7}"#, "invalid-request", "/message"),
        (r#"{"message": "hi", "mesage": 1}"#, "invalid-request", "/mesage"),
        (r#"{"message": ""}"#, "invalid-message", "/message"),
        (
            r#"{"message": [{"type": "image", "url": "ftp://x"}]}"#,
            "invalid-message",
            "/message/0/url",
        ),
        (
            r#"{"message": "hi", "timezone": "Moon"}"#,
            "invalid-request",
            "/timezone",
        ),
        (
            r#"{"message": "hi", "options": {"temperature": 9}}"#,
            "invalid-request",
            "/options/temperature",
        ),
    ] {
        let reply = world.post(NEW, body);
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (422, kind),
            "{body}"
        );
        assert_eq!(reply.json()["pointer"], pointer, "{body}");
    }
    assert_eq!(
        world.get("/v1/sessions").json(),
        serde_json::json!({"data": []}),
        "nothing is left of them"
    );
}

#[test]
fn a_body_that_is_not_json_by_its_type_is_refused() {
    for headers in [&[("content-type", "text/plain")][..], &[]] {
        let reply = World::new().ask(with("POST", NEW, r#"{"message": "hi"}"#, headers));
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (415, "unsupported-media-type")
        );
        assert_eq!(reply.header("accept"), "application/json");
    }
}

#[test]
fn a_body_over_one_mebibyte_is_refused() {
    let body = format!(r#"{{"message": "{}"}}"#, "x".repeat(1024 * 1024));
    let reply = World::new().post(NEW, &body);
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (413, "body-too-large")
    );
    assert_eq!(reply.json()["limit_bytes"], 1_048_576);
}

#[test]
fn a_message_over_the_assistants_limit_is_refused_and_leaves_no_session() {
    let world = World::new();
    let reply = world.post(NEW, &format!(r#"{{"message": "{}"}}"#, "x".repeat(101)));
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (422, "invalid-message")
    );
    assert_eq!(reply.json()["pointer"], "/message");
    assert_eq!(world.get("/v1/sessions").json()["data"], serde_json::json!([]));
}

#[test]
fn an_unknown_assistant_is_named() {
    for name in ["nobody", "..%2fchat", "Chat", &"x".repeat(200)] {
        let reply = World::new().post(&format!("/v1/assistants/{name}/turns"), r#"{"message": "hi"}"#);
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (404, "unknown-assistant"),
            "{name}"
        );
    }
}

#[test]
fn an_assistant_with_an_unknown_key_is_told_with_file_line_and_key() {
    let world = World::new();
    world.put("/assistants/broken.toml", "prompt = \"x\"\ntemprature = 1\n");
    let reply = world.post("/v1/assistants/broken/turns", r#"{"message": "hi"}"#);
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (500, "invalid-assistant")
    );
    let json = reply.json();
    assert_eq!(json["file"], "assistants/broken.toml");
    assert_eq!(
        (&json["findings"][0]["line"], &json["findings"][0]["key"]),
        (&2.into(), &"temprature".into())
    );
    let list = world.get("/v1/assistants").json();
    assert_eq!(
        list["data"].as_array().unwrap().len(),
        2,
        "the others are still there"
    );
    assert_eq!(list["invalid"][0]["name"], "broken");
    world.put("/assistants/lost.toml", "prompt_file = \"lost.md\"\n");
    let lost = world
        .post("/v1/assistants/lost/turns", r#"{"message": "hi"}"#)
        .json();
    assert_eq!(
        lost["detail"],
        "assistants/lost.toml:1: `prompt_file`: the file `lost.md` is not there, beside the assistant's"
    );
}

#[test]
fn an_unknown_session_is_unknown_whatever_is_wanted_of_it() {
    let world = World::new();
    for (method, path, body) in [
        ("GET", "/v1/sessions/ses_1", ""),
        ("DELETE", "/v1/sessions/ses_1", ""),
        ("POST", "/v1/sessions/ses_1/turns", r#"{"message": "hi"}"#),
        (
            "POST",
            &format!("/v1/sessions/{}/turns", "s".repeat(256)),
            r#"{"message": "hi"}"#,
        ),
        ("GET", "/v1/sessions/%F0%9F", ""),
    ] {
        let reply = world.ask(request(method, path, body));
        assert_eq!(reply.status, 404, "{method} {path}");
        let kind = if path.contains('%') {
            "not-found"
        } else {
            "unknown-session"
        };
        assert_eq!(reply.problem(), kind, "{method} {path}");
    }
}

#[test]
fn a_parameter_that_is_no_number_is_named() {
    let reply = World::new().get("/v1/sessions?limit=many");
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (422, "invalid-request")
    );
    assert_eq!(reply.json()["parameter"], "limit");
}

#[test]
fn an_idempotency_key_that_cannot_be_one_is_refused() {
    let long = "k".repeat(256);
    for key in ["", long.as_str()] {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let reply = World::new().ask(with("POST", NEW, r#"{"message": "hi"}"#, &headers));
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (400, "invalid-header")
        );
        assert_eq!(reply.json()["header"], "idempotency-key");
    }
}

#[test]
fn a_store_that_is_down_is_told_with_what_is_safe_and_when_to_come_back() {
    let world = World::new();
    world.store.on_operation(|_| Some(Fault::Before));
    for (method, path, body) in [
        ("POST", NEW, r#"{"message": "hi"}"#),
        ("POST", "/v1/sessions/ses_1/turns", r#"{"message": "hi"}"#),
        ("GET", "/v1/sessions", ""),
        ("GET", "/v1/sessions/ses_1", ""),
        ("DELETE", "/v1/sessions/ses_1", ""),
    ] {
        let reply = world.ask(request(method, path, body));
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (503, "store-unavailable"),
            "{method} {path}"
        );
        assert_eq!(reply.header("retry-after"), "2");
        assert!(
            reply.json()["detail"]
                .as_str()
                .unwrap()
                .contains("Turns that were stored are safe")
        );
    }
    let health = world.get("/health");
    assert_eq!(health.status, 503);
    assert_eq!(
        (&health.json()["status"], &health.json()["store"]["status"]),
        (&"degraded".into(), &"unavailable".into())
    );
}

#[test]
fn a_variable_that_is_wrong_is_named_and_its_value_is_not() {
    let world = World::new();
    world.set("development_user", "");
    world.set("jwt_secret", "hunter2");
    let reply = world.get("/v1/sessions");
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (500, "misconfigured")
    );
    assert_eq!(reply.json()["variable"], "jwt_secret");
    assert!(!reply.body.contains("hunter2"));
}
