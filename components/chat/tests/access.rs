//! Who gets in, how often, from which pages, and how far.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers included"
)]

mod support;

use anyturn_identity::new_key;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use serde_json::json;
use support::{World, request, with};

const NEW: &str = "/v1/assistants/chat/turns";
const HI: &str = r#"{"message": "hi"}"#;

/// A world with the users ana and bob, and their keys.
fn two_users() -> (World, String, String) {
    let world = World::new();
    let (ana, bob) = (new_key([1; 32]), new_key([2; 32]));
    world.set("development_user", "");
    world.set("api_keys", &format!("{}:ana;{}:bob", ana.sha256, bob.sha256));
    (world, ana.key, bob.key)
}

fn by(key: &str, method: &str, path: &str, body: &str) -> http::Request<Full<Bytes>> {
    with(
        method,
        path,
        body,
        &[
            ("content-type", "application/json"),
            ("authorization", &format!("Bearer {key}")),
        ],
    )
}

#[test]
fn whoever_cannot_be_identified_gets_401_everywhere_but_at_the_documentation() {
    let (world, _, _) = two_users();
    for (method, path) in [
        ("GET", "/v1/assistants"),
        ("GET", "/v1/sessions"),
        ("GET", "/v1/sessions/s"),
        ("DELETE", "/v1/sessions/s"),
        ("POST", NEW),
        ("POST", "/v1/sessions/s/turns"),
        ("GET", "/v1/sessions/s/turns/t"),
        ("GET", "/v1/sessions/s/turns/t/events"),
        ("POST", "/v1/sessions/s/turns/t/stop"),
        ("POST", "/v1/sessions/s/gates/g"),
        ("GET", "/v1/sessions/s/audit"),
        ("POST", "/v1/sessions/s/undo"),
        ("POST", "/v1/sessions/s/fork"),
        ("GET", "/v1/approvals"),
        ("POST", "/v1/approvals/a"),
        ("GET", "/api/tasks"),
    ] {
        let reply = world.ask(request(method, path, ""));
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (401, "unauthorized"),
            "{method} {path}"
        );
        assert_eq!(reply.header("www-authenticate"), r#"Bearer realm="anyturn""#);
    }
    for path in ["/v1/models", "/v1/chat/completions"] {
        let method = if path.ends_with("models") { "GET" } else { "POST" };
        let reply = world.ask(request(method, path, ""));
        assert_eq!(reply.status, 401);
        assert_eq!(reply.json()["error"]["code"], "invalid_api_key");
    }
    for path in ["/docs", "/openapi.json", "/health"] {
        assert_eq!(world.get(path).status, 200, "{path}");
    }
}

#[test]
fn without_any_configuration_the_answer_says_what_to_set() {
    let world = World::new();
    world.set("development_user", "");
    let reply = world.get("/v1/sessions");
    assert_eq!(reply.status, 401);
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("`jwt_secret`") && detail.contains("`api_keys`"),
        "{detail}"
    );
}

#[test]
fn nobody_sees_anothers_session() {
    let (world, ana, bob) = two_users();
    world.model.say(&["ok"]);
    let session = world.ask(by(&ana, "POST", NEW, HI)).json()["session"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/sessions/{session}");
    assert_eq!(world.ask(by(&ana, "GET", &path, "")).status, 200);
    for (method, path, body) in [
        ("GET", path.clone(), ""),
        ("DELETE", path.clone(), ""),
        ("POST", format!("{path}/turns"), HI),
    ] {
        let reply = world.ask(by(&bob, method, &path, body));
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (404, "unknown-session"),
            "{method}"
        );
    }
    assert_eq!(
        world.ask(by(&bob, "GET", "/v1/sessions", "")).json()["data"],
        json!([])
    );
    assert_eq!(
        world.ask(by(&ana, "GET", &path, "")).status,
        200,
        "and it is still there"
    );
}

#[test]
fn over_the_limit_a_user_is_told_when_to_come_back_and_others_go_on() {
    let (world, ana, bob) = two_users();
    world.set("rate_limit_per_minute", "2");
    for left in ["1", "0"] {
        world.model.say(&["ok"]);
        let reply = world.ask(by(&ana, "POST", NEW, HI));
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("x-ratelimit-remaining"), left);
        assert_eq!(reply.header("ratelimit-policy"), r#""user";q=2;w=60"#);
        assert_eq!(reply.header("ratelimit"), format!(r#""user";r={left};t=60"#));
    }
    let refused = world.ask(by(&ana, "POST", NEW, HI));
    assert_eq!(
        (refused.status.as_u16(), refused.problem().as_str()),
        (429, "rate-limited")
    );
    assert_eq!(
        (
            refused.header("retry-after"),
            refused.header("x-ratelimit-remaining")
        ),
        ("60", "0")
    );
    world.model.say(&["ok"]);
    assert_eq!(world.ask(by(&bob, "POST", NEW, HI)).status, 200);
    world.store.clock().advance(60_001);
    let list = world.ask(by(&ana, "GET", "/v1/sessions", "")).json();
    assert_eq!(
        list["data"].as_array().unwrap().len(),
        2,
        "the refused turn left no session: {list}"
    );
}

#[test]
fn a_page_of_another_origin_gets_nothing_unless_it_is_on_the_list() {
    let world = World::new();
    world.set("cors_origins", "https://app.example");
    let from = |origin: &str, method: &str| {
        let headers = [
            ("origin", origin),
            ("content-type", "application/json"),
            ("access-control-request-method", "POST"),
        ];
        let headers = if method == "OPTIONS" {
            &headers[..]
        } else {
            &headers[..2]
        };
        world.ask(with(method, "/v1/sessions", "", headers))
    };
    for method in ["GET", "OPTIONS"] {
        let refused = from("https://evil.example", method);
        assert_eq!(
            (refused.status.as_u16(), refused.problem().as_str()),
            (403, "origin-not-allowed"),
            "{method}"
        );
        assert_eq!(refused.header("access-control-allow-origin"), "");
    }
    let preflight = from("https://app.example", "OPTIONS");
    assert_eq!(preflight.status, 204);
    assert_eq!(
        preflight.header("access-control-allow-origin"),
        "https://app.example"
    );
    assert!(
        preflight
            .header("access-control-allow-headers")
            .contains("idempotency-key")
    );
    let allowed = from("https://app.example", "GET");
    assert_eq!((allowed.status.as_u16(), allowed.header("vary")), (200, "origin"));
    assert!(
        allowed
            .header("access-control-expose-headers")
            .contains("anyturn-session")
    );
    assert_eq!(from("http://localhost:3000", "GET").status, 200, "our own page");
}

#[test]
fn the_development_user_is_for_this_machine_only() {
    let world = World::new();
    let mut rebound = request("GET", "/v1/sessions", "");
    rebound
        .headers_mut()
        .insert("host", "evil.example".parse().unwrap());
    let reply = world.ask(rebound);
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (403, "origin-not-allowed")
    );
}

#[test]
fn a_tools_own_api_gets_the_request_with_our_word_on_who_is_asking() {
    let (world, ana, _) = two_users();
    world.set("tool_servers", "notes, tasks");
    world.on_send(|request| {
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let seen = json!({
            "uri": request.uri().to_string(), "method": request.method().as_str(),
            "body": String::from_utf8_lossy(request.body()),
            "user": header("anyturn-user"), "roles": header("anyturn-roles"), "session": header("anyturn-session"),
            "authorization": header("authorization"), "cookie": header("cookie"),
            "timezone": header("anyturn-timezone"), "key": header("idempotency-key"),
        });
        Ok(http::Response::builder()
            .status(201)
            .header("content-type", "application/json")
            .header("location", "/tasks/1")
            .header("set-cookie", "a=b")
            .header("anyturn-user", "ana")
            .body(Full::new(Bytes::from(seen.to_string())))
            .unwrap())
    });
    let authorization = format!("Bearer {ana}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
        ("cookie", "c=1"),
        ("anyturn-user", "bob"),
        ("anyturn-roles", "admin"),
        ("anyturn-session", "s"),
        ("anyturn-timezone", "Asia/Tokyo"),
        ("idempotency-key", "k"),
    ];
    let reply = world.ask(with("POST", "/api/tasks/7?x=1", r#"{"a":1}"#, &headers));
    assert_eq!(reply.status, 201);
    assert_eq!(
        reply.json(),
        json!({
            "uri": "http://tasks.spin.internal/tasks/7?x=1", "method": "POST", "body": r#"{"a":1}"#,
            "user": "ana", "roles": null, "session": null, "authorization": null, "cookie": null,
            "timezone": "Asia/Tokyo", "key": "k",
        })
    );
    assert_eq!(
        (
            reply.header("location"),
            reply.header("set-cookie"),
            reply.header("anyturn-user")
        ),
        ("/tasks/1", "", "")
    );
    assert_eq!(reply.header("x-ratelimit-limit"), "600");
}

#[test]
fn only_tools_of_this_application_can_be_reached() {
    let world = World::new();
    for (servers, path) in [
        ("", "/api/secrets/x"),
        ("notes", "/api/tasks"),
        ("a.b", "/api/a.b/x"),
        ("", "/api/169.254.169.254"),
    ] {
        world.set("tool_servers", servers);
        let reply = world.get(path);
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (404, "unknown-tool"),
            "{path}"
        );
    }
    world.set("tool_servers", "");
    world.on_send(|_| Ok(http::Response::new(Full::new(Bytes::from("[]")))));
    assert_eq!(world.get("/api/tasks").status, 200, "an assistant uses it");
    world.on_send(|_| {
        Err(anyturn_chat::platform::SendError::NotSent(
            "connection refused".into(),
        ))
    });
    let down = world.get("/api/tasks");
    assert_eq!(
        (down.status.as_u16(), down.problem().as_str()),
        (502, "tool-unavailable")
    );
}

#[test]
fn a_tools_answer_is_passed_on_up_to_8_mib_and_never_in_part() {
    const MOST: usize = 8 << 20;
    let world = World::new();
    let answer = |size: usize, told: bool| {
        world.on_send(move |_| {
            let mut answer = http::Response::builder();
            if told {
                answer = answer.header("content-length", size);
            }
            Ok(answer.body(Full::new(vec![b'x'; size].into())).unwrap())
        });
    };
    let read = || {
        let (parts, body) = world.begin(request("GET", "/api/tasks", "")).into_parts();
        (parts, world.run(body.collect()).map(|body| body.to_bytes().len()))
    };
    for told in [true, false] {
        answer(MOST, told);
        let (parts, body) = read();
        assert_eq!((parts.status.as_u16(), body.unwrap()), (200, MOST), "{told}");
    }
    // What says that it is larger is refused before anything of it is passed on.
    answer(MOST + 1, true);
    let refused = world.get("/api/tasks");
    assert_eq!(
        (refused.status.as_u16(), refused.problem().as_str()),
        (502, "tool-answer-too-large")
    );
    assert_eq!(refused.json()["limit_bytes"], MOST);
    assert!(refused.json()["detail"].as_str().unwrap().contains("8 MiB"));
    // What turns out to be breaks off, so that nobody takes it for complete.
    answer(MOST + 1, false);
    let (parts, body) = read();
    assert_eq!(parts.status, 200);
    let broken = body.unwrap_err().to_string();
    assert!(
        broken.contains("larger than the 8 MiB that are passed on"),
        "{broken}"
    );
    // A length without a body says nothing about what is passed on.
    world.on_send(|_| {
        let answer = http::Response::builder().header("content-length", MOST + 1);
        Ok(answer.body(Full::default()).unwrap())
    });
    assert_eq!(world.begin(request("HEAD", "/api/tasks", "")).status(), 200);
}
