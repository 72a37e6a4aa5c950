//! The app's dialect: what its client sends, and every shape and status that it gets.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers included"
)]

#[path = "app/accounts.rs"]
mod accounts;
mod support;

use std::cell::RefCell;
use std::rc::Rc;

use anyturn_engine::port::ModelErrorKind;
use anyturn_identity::new_key;
use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Value, json};
use support::{NOW, Reply, World, request, stream, with};

const PROCESS: &str = "/api/chat/process";
const HI: &str =
    r#"{"message": "hi", "user_preferences": {"timezone": "Europe/Berlin", "theme": "dark"}, "app": 7}"#;
/// The tool `archive` is asked about above two things, `delete` always.
const INBOX: &str =
    "prompt = \"It is {{time}} in {{timezone}}.\"\n[session]\nttl = \"5m\"\n[[tools]]\nserver = \"mail\"\n";

fn world() -> World {
    let world = World::new();
    world.set("app_assistant", "inbox");
    world.put("/assistants/inbox.toml", INBOX);
    mail(&world);
    world
}

/// A mail server; returns the calls that were made.
fn mail(world: &World) -> Rc<RefCell<Vec<Value>>> {
    let calls = Rc::new(RefCell::new(Vec::new()));
    let made = calls.clone();
    world.on_send(move |request| {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let result = if body["method"] == "tools/list" {
            json!({"resultType": "complete", "tools": [
                {"name": "archive", "inputSchema": {"type": "object"},
                    "annotations": {"idempotentHint": true, "destructiveHint": false},
                    "_meta": {"anyturn.dev/risk": "low", "anyturn.dev/counted": "ids", "anyturn.dev/confirm-above": 2}},
                {"name": "delete", "inputSchema": {"type": "object"},
                    "annotations": {"idempotentHint": true, "destructiveHint": true}},
            ]})
        } else {
            made.borrow_mut().push(body["params"]["arguments"].clone());
            json!({"resultType": "complete", "content": [{"type": "text", "text": "Done."}]})
        };
        let answer = json!({"jsonrpc": "2.0", "id": body["id"], "result": result}).to_string();
        Ok(http::Response::builder()
            .header("content-type", "application/json")
            .body(Full::new(answer.into()))
            .unwrap())
    });
    calls
}

fn say(world: &World, session: &str, message: &str) -> Value {
    let body = json!({"message": message, "session_id": session}).to_string();
    let reply = world.post(PROCESS, &body);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

fn begin(world: &World) -> String {
    world.model.say(&["Hello."]);
    world.post(PROCESS, HI).json()["session_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Status and error of a refusal.
fn refused(reply: &Reply) -> (u16, String) {
    let json = reply.json();
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(json["success"], false);
    assert!(!json["message"].as_str().unwrap().is_empty(), "{json}");
    (reply.status.as_u16(), json["error"].as_str().unwrap().to_owned())
}

#[test]
fn a_message_without_a_session_begins_one_and_the_next_goes_on_with_it() {
    let world = world();
    world.model.say(&["Hel", "lo."]);
    let reply = world.post(PROCESS, HI);
    let answer = reply.json();
    let session = answer["session_id"].as_str().unwrap();
    assert_eq!(
        answer,
        json!({"success": true, "message": "Hello.", "session_id": session, "requires_confirmation": false,
            "metadata": {"processing_time": 0.0, "tools_used": []}})
    );
    assert_eq!(reply.header("anyturn-session"), session);
    let told = format!("{:?}", world.model.asked.borrow()[0]);
    assert!(told.contains("Europe/Berlin"), "{told}");
    world.model.say(&["Again."]);
    assert_eq!(say(&world, session, "more")["session_id"], session);
    // An app that has no session says so in several ways.
    for none in [
        r#"{"message": "hi", "session_id": null}"#,
        r#"{"message": "hi", "session_id": ""}"#,
    ] {
        world.model.say(&["New."]);
        assert_ne!(world.post(PROCESS, none).json()["session_id"], session);
    }
}

#[test]
fn what_is_risky_is_asked_about_with_its_count_and_a_yes_does_exactly_that() {
    let world = world();
    let calls = mail(&world);
    world.model.call("archive", r#"{"ids": ["a", "b", "c"]}"#);
    let asked = world.post(PROCESS, HI).json();
    let session = asked["session_id"].as_str().unwrap();
    assert_eq!(asked["requires_confirmation"], true);
    assert_eq!(
        asked["confirmation_context"],
        json!({"action": "archive", "count": 3, "risk_level": "low"})
    );
    assert!(asked["message"].as_str().unwrap().contains("“yes”"), "{asked}");
    assert_eq!(asked["metadata"]["tools_used"], json!([]));
    assert_eq!(calls.borrow().len(), 0);
    // Anything else is a new message, and the question stays.
    world.model.say(&["Nothing."]);
    let other = say(&world, session, "what else?");
    assert_eq!(
        (&other["message"], &other["requires_confirmation"]),
        (&json!("Nothing."), &json!(false))
    );
    let read = world.get(&format!("/api/chat/session/{session}")).json();
    assert_eq!(read["confirmation_context"], asked["confirmation_context"]);
    // What is asked last is what a yes answers.
    world.model.call("delete", r#"{"ids": ["d"]}"#);
    let asked = say(&world, session, "delete d");
    assert_eq!(
        asked["confirmation_context"],
        json!({"action": "delete", "count": 1, "risk_level": "high"})
    );
    world.model.say(&["Deleted."]);
    let done = say(&world, session, "yes");
    assert_eq!(
        (
            &done["message"],
            &done["requires_confirmation"],
            &done["metadata"]["tools_used"]
        ),
        (&json!("Deleted."), &json!(false), &json!(["delete"]))
    );
    assert_eq!(*calls.borrow(), [json!({"ids": ["d"]})]);
}

#[test]
fn a_session_is_read_with_what_was_said_and_when_it_expires() {
    let world = world();
    let session = begin(&world);
    world.pass(60_000);
    world.model.say(&["Second."]);
    say(&world, &session, "more");
    let read = world.get(&format!("/api/chat/session/{session}")).json();
    let said: Vec<_> = read["conversationHistory"]
        .as_array()
        .unwrap()
        .iter()
        .map(|said| (said["role"].as_str().unwrap(), said["content"].as_str().unwrap()))
        .collect();
    assert_eq!(
        said,
        [
            ("user", "hi"),
            ("assistant", "Hello."),
            ("user", "more"),
            ("assistant", "Second.")
        ]
    );
    assert_eq!(
        (
            &read["session_id"],
            &read["user_id"],
            &read["created_at"],
            &read["expires_at"]
        ),
        (
            &json!(session),
            &json!("local"),
            &json!("2025-11-20T05:00:00.000Z"),
            &json!("2025-11-20T05:06:00.000Z")
        )
    );
    assert_eq!(
        world.get(&format!("/api/session/{session}")).json(),
        json!({"session_id": session, "created_at": read["created_at"], "expires_at": read["expires_at"],
            "message_count": 4})
    );
}

#[test]
fn history_shows_ten_turns_and_the_count_all_messages() {
    let world = world();
    let session = begin(&world);
    for n in 1..60 {
        world.model.say(&["ok"]);
        say(&world, &session, &format!("message {n}"));
    }
    let read = world.get(&format!("/api/chat/session/{session}")).json();
    let history = read["conversationHistory"].as_array().unwrap();
    assert_eq!(
        (history.len(), &history[0]["content"]),
        (20, &json!("message 50"))
    );
    assert_eq!(
        world.get(&format!("/api/session/{session}")).json()["message_count"],
        120
    );
}

#[test]
fn while_the_first_turn_runs_a_session_has_an_end_already() {
    let world = world();
    world.model.gate.close();
    world.model.say(&["Hello."]);
    let begun = world.begin(stream(PROCESS, HI));
    let session = begun.headers()["anyturn-session"].to_str().unwrap().to_owned();
    let read = world.get(&format!("/api/session/{session}")).json();
    assert_eq!(
        (&read["expires_at"], &read["message_count"]),
        (&json!("2025-11-20T05:05:00.000Z"), &json!(1))
    );
}

#[test]
fn a_session_that_is_forgotten_or_expired_or_of_somebody_else_is_not_found() {
    let world = world();
    for area in ["/api/chat/session", "/api/session"] {
        let path = format!("{area}/{}", begin(&world));
        let gone = world.ask(request("DELETE", &path, ""));
        assert_eq!(
            (gone.status.as_u16(), &gone.json()["success"]),
            (200, &json!(true))
        );
        for method in ["GET", "DELETE"] {
            let again = world.ask(request(method, &path, ""));
            assert_eq!(
                refused(&again),
                (404, "unknown-session".to_owned()),
                "{method} {path}"
            );
        }
        let expired = format!("{area}/{}", begin(&world));
        world.pass(5 * 60 * 1000 + 1);
        assert_eq!(world.get(&expired).status, 404, "{expired}");
    }
    let body = json!({"message": "hi", "session_id": "ses_0"}).to_string();
    assert_eq!(
        refused(&world.post(PROCESS, &body)),
        (404, "unknown-session".to_owned())
    );
    let long = json!({"message": "hi", "session_id": "s".repeat(300)}).to_string();
    assert_eq!(
        refused(&world.post(PROCESS, &long)),
        (404, "unknown-session".to_owned())
    );
}

#[test]
fn the_user_is_the_tokens_and_nobody_sees_anothers_session() {
    let world = world();
    world.set("development_user", "");
    let (ana, bob) = (new_key([1; 32]), new_key([2; 32]));
    world.set("api_keys", &format!("{}:ana;{}:bob", ana.sha256, bob.sha256));
    let by = |key: &str, method: &str, path: &str, body: &str| {
        let bearer = format!("Bearer {key}");
        world.ask(with(
            method,
            path,
            body,
            &[("content-type", "application/json"), ("authorization", &bearer)],
        ))
    };
    world.model.say(&["ok"]);
    let body = r#"{"message": "hi", "user_id": "bob"}"#;
    let session = by(&ana.key, "POST", PROCESS, body).json()["session_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/chat/session/{session}");
    assert_eq!(by(&ana.key, "GET", &path, "").json()["user_id"], "ana");
    let next = json!({"message": "hi", "session_id": session}).to_string();
    for (method, path, body) in [
        ("GET", path.clone(), ""),
        ("DELETE", path.clone(), ""),
        ("GET", format!("{path}/events"), ""),
        ("GET", format!("/api/session/{session}"), ""),
        ("POST", PROCESS.to_owned(), next.as_str()),
    ] {
        assert_eq!(by(&bob.key, method, &path, body).status, 404, "{method} {path}");
        let nobody = world.ask(request(method, &path, body));
        assert_eq!(
            refused(&nobody),
            (401, "unauthorized".to_owned()),
            "{method} {path}"
        );
    }
    assert_eq!(
        by(&bob.key, "GET", "/api/chat/caller", "").json(),
        json!({"user_id": "bob"})
    );
}

#[test]
fn what_is_wrong_is_told_in_the_apps_words() {
    let world = world();
    let large = format!(r#"{{"message": "{}"}}"#, "x".repeat(1 << 20));
    for (body, status, error) in [
        ("{", 400, "malformed-json"),
        ("{}", 422, "invalid-request"),
        (r#"{"message": 7}"#, 422, "invalid-request"),
        (r#"{"message": " "}"#, 422, "invalid-message"),
        (
            r#"{"message": "a", "user_preferences": {"timezone": "Mars"}}"#,
            422,
            "invalid-request",
        ),
        (large.as_str(), 413, "body-too-large"),
    ] {
        assert_eq!(refused(&world.post(PROCESS, body)), (status, error.to_owned()));
    }
    let plain = world.ask(with("POST", PROCESS, HI, &[("content-type", "text/plain")]));
    assert_eq!(refused(&plain), (415, "unsupported-media-type".to_owned()));
    assert_eq!(
        refused(&world.get(PROCESS)),
        (405, "method-not-allowed".to_owned())
    );
    assert_eq!(
        refused(&world.get("/api/chat/else")),
        (404, "not-found".to_owned())
    );
    let evil = [
        ("content-type", "application/json"),
        ("origin", "https://evil.example"),
    ];
    let page = world.ask(with("POST", PROCESS, HI, &evil));
    assert_eq!(refused(&page), (403, "origin-not-allowed".to_owned()));
    world.model.fail(ModelErrorKind::Unavailable, None);
    assert_eq!(
        refused(&world.post(PROCESS, HI)),
        (502, "model-failed".to_owned())
    );
    world.set("app_assistant", "nobody");
    assert_eq!(
        refused(&world.post(PROCESS, HI)),
        (404, "unknown-assistant".to_owned())
    );
}

#[test]
fn a_listed_page_may_ask_and_is_told_so_beforehand() {
    let world = world();
    world.set("cors_origins", "https://app.example");
    let ask = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "DELETE"),
    ];
    let preflight = world.ask(with("OPTIONS", "/api/chat/session/s", "", &ask));
    assert_eq!(preflight.status, 204);
    assert_eq!(
        preflight.header("access-control-allow-origin"),
        "https://app.example"
    );
    assert!(
        preflight
            .header("access-control-allow-methods")
            .contains("DELETE")
    );
}

#[test]
fn the_same_key_does_not_say_it_twice() {
    let world = world();
    world.model.say(&["Once."]);
    let keyed = [("content-type", "application/json"), ("idempotency-key", "k1")];
    let first = world.ask(with("POST", PROCESS, HI, &keyed)).json();
    let again = world.ask(with("POST", PROCESS, HI, &keyed)).json();
    assert_eq!(
        (&first["session_id"], &first["message"]),
        (&again["session_id"], &again["message"])
    );
    assert_eq!(world.model.asked.borrow().len(), 1);
}

#[test]
fn a_stream_ends_with_the_response_and_can_be_heard_again_from_any_event() {
    let world = world();
    world.model.say(&["Hello."]);
    let reply = world.ask(stream(PROCESS, HI));
    let events = reply.events();
    let (name, data) = events.last().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!((name.as_str(), &data["message"]), ("response", &json!("Hello.")));
    assert_eq!(data["session_id"], reply.header("anyturn-session"));
    let id = reply
        .body
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("id: "))
        .unwrap();
    let (turn, _) = id.split_once('.').unwrap();
    let path = format!("/api/chat/session/{}/events", reply.header("anyturn-session"));
    let after = |id: &str| world.ask(with("GET", &path, "", &[("last-event-id", id)]));
    assert_eq!(after(&format!("{turn}.0.0")).events(), events);
    // Everything was heard, or nothing runs.
    assert_eq!(after(id).status, 204);
    assert_eq!(world.get(&path).status, 204);
    assert_eq!(refused(&after("seven")), (400, "invalid-header".to_owned()));
    assert_eq!(refused(&after("turn_0.1.1")), (404, "unknown-turn".to_owned()));
}

#[test]
fn a_turn_that_runs_is_heard_by_whoever_comes_back_to_its_session() {
    let world = world();
    world.model.gate.close();
    world.model.say(&["Hello."]);
    let begun = world.begin(stream(PROCESS, HI));
    let session = begun.headers()["anyturn-session"].to_str().unwrap().to_owned();
    world.environment.patience.set(1_000);
    let heard = world.begin(request("GET", &format!("/api/chat/session/{session}/events"), ""));
    assert_eq!(heard.status(), 200);
    world.model.gate.open();
    let body = world
        .run(http_body_util::BodyExt::collect(heard.into_body()))
        .unwrap()
        .to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(
        text.contains("event: response") && text.contains("Hello."),
        "{text}"
    );
}

#[test]
fn a_turn_that_fails_in_a_stream_is_an_error_event() {
    let world = world();
    world.model.break_off("Hel", ModelErrorKind::Timeout);
    let events = world.ask(stream(PROCESS, HI)).events();
    let (name, data) = events.last().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(
        (name.as_str(), &data["error"]),
        ("error", &json!("model-timeout"))
    );
}
