//! What a client of the native API relies on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers included"
)]

mod support;

use anyturn_engine::port::ModelErrorKind;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use support::{World, request, stream, with};

const NEW: &str = "/v1/assistants/chat/turns";
const HI: &str = r#"{"message": "hi"}"#;

/// A tool server with one tool, which remembers what it was told of its caller.
fn tool_server(world: &World) -> std::rc::Rc<std::cell::RefCell<Vec<http::Request<bytes::Bytes>>>> {
    let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let requests = seen.clone();
    world.on_send(move |request| {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        requests.borrow_mut().push(request);
        let result = match body["method"].as_str() {
            Some("tools/list") => json!({"resultType": "complete", "tools": [{
                "name": "add", "description": "Adds", "inputSchema": {"type": "object"},
                "annotations": {"idempotentHint": true, "destructiveHint": false}}]}),
            _ => json!({"resultType": "complete", "content": [{"type": "text", "text": "Added."}],
                "structuredContent": {"id": 1}}),
        };
        let answer = json!({"jsonrpc": "2.0", "id": body["id"], "result": result}).to_string();
        Ok(http::Response::builder()
            .header("content-type", "application/json")
            .body(Full::new(answer.into()))
            .unwrap())
    });
    seen
}

#[test]
fn a_turn_is_answered_with_what_was_said_and_what_it_took() {
    let world = World::new();
    world.model.say(&["Hello", " there."]);
    let reply = world.post(NEW, HI);
    assert_eq!(reply.status, 200, "{reply:?}");
    let mut turn = reply.json();
    let (session, id) = (turn["session"].take(), turn["turn"].take());
    assert!(session.as_str().unwrap().starts_with("ses_") && id.as_str().unwrap().starts_with("turn_"));
    assert_eq!(
        (reply.header("anyturn-session"), reply.header("anyturn-turn")),
        (session.as_str().unwrap(), id.as_str().unwrap())
    );
    assert_eq!(
        turn,
        json!({
            "session": null, "turn": null, "assistant": "chat", "state": "finished",
            "message": {"role": "assistant", "content": "Hello there."}, "tool_calls": [],
            "usage": {"input_tokens": 7, "cached_tokens": 2, "output_tokens": 3},
            "model": "script-1", "created_at": "2025-11-20T05:00:00.000Z",
        })
    );
}

#[test]
fn a_turn_without_tools_makes_three_round_trips_to_the_store() {
    let world = World::new();
    world.model.say(&["a"]);
    let session = world.post(NEW, HI).json()["session"].as_str().unwrap().to_owned();
    assert_eq!(world.store.round_trips(), 3, "of a new session");
    world.model.say(&["b"]);
    world.post(&format!("/v1/sessions/{session}/turns"), HI);
    assert_eq!(world.store.round_trips(), 6, "of a session that exists");
}

#[test]
fn a_session_goes_on_is_listed_read_and_forgotten() {
    let world = World::new();
    world.model.say(&["One."]);
    let session = world.post(NEW, r#"{"message": "first", "title": "Talk"}"#).json()["session"]
        .as_str()
        .unwrap()
        .to_owned();
    world.model.say(&["Two."]);
    let next = world.post(
        &format!("/v1/sessions/{session}/turns"),
        r#"{"message": "second"}"#,
    );
    assert_eq!(next.json()["message"]["content"], "Two.");
    let asked = world.model.asked.borrow().last().unwrap().messages.len();
    assert_eq!(asked, 4, "the prompt, the first turn and the second message");

    let list = world.get("/v1/sessions?limit=1").json();
    assert_eq!(
        (&list["data"][0]["id"], &list["data"][0]["title"]),
        (&session.as_str().into(), &"Talk".into())
    );
    let read = world.get(&format!("/v1/sessions/{session}")).json();
    assert_eq!(
        (&read["id"], &read["assistant"], &read["running"]),
        (&session.as_str().into(), &"chat".into(), &false.into())
    );
    let turns: Vec<_> = read["turns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|turn| {
            (
                turn["input"].as_str().unwrap(),
                turn["message"]["content"].as_str().unwrap(),
                turn["state"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        turns,
        [("first", "One.", "finished"), ("second", "Two.", "finished")]
    );

    assert_eq!(
        world
            .ask(request("DELETE", &format!("/v1/sessions/{session}"), ""))
            .status,
        204
    );
    assert_eq!(world.get(&format!("/v1/sessions/{session}")).status, 404);
    assert_eq!(world.get("/v1/sessions").json()["data"], json!([]));
}

#[test]
fn a_stream_tells_a_turn_as_it_happens_and_ends_with_the_whole() {
    let world = World::new();
    world.model.say(&["Hel", "lo."]);
    let reply = world.ask(stream(NEW, HI));
    assert_eq!(reply.status, 200);
    let events = reply.events();
    let names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["turn.started", "text.delta", "text.delta", "turn.finished"]
    );
    assert_eq!(events[1].1, r#"{"text":"Hel"}"#);
    let last: Value = serde_json::from_str(&events[3].1).unwrap();
    assert_eq!(
        (&last["state"], &last["message"]["content"]),
        (&"finished".into(), &"Hello.".into())
    );
    let turn = last["turn"].as_str().unwrap();
    let ids: Vec<_> = reply
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .collect();
    assert_eq!(
        ids,
        ["0.0", "1.1", "1.2", "1.3"].map(|place| format!("{turn}.{place}"))
    );
}

#[test]
fn the_first_event_goes_out_before_the_model_has_answered() {
    let world = World::new();
    world.model.say(&["later"]);
    world.model.gate.close();
    let response = world.begin(stream(NEW, HI));
    let mut body = response.into_body();
    let first = world.run(body.frame()).unwrap().unwrap().into_data().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("event: turn.started"));
    world.model.gate.open();
    let rest = world.run(body.collect()).unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&rest).contains("event: turn.finished"));
}

#[test]
fn a_client_that_goes_away_does_not_stop_the_turn() {
    let world = World::new();
    world.model.say(&["done"]);
    world.model.gate.close();
    drop(world.begin(stream(NEW, HI)));
    world.model.gate.open();
    world.settle();
    let session = world.get("/v1/sessions").json()["data"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let read = world.get(&format!("/v1/sessions/{session}")).json();
    assert_eq!(read["turns"][0]["message"]["content"], "done");
}

#[test]
fn what_goes_wrong_before_a_stream_begins_is_an_ordinary_answer() {
    let world = World::new();
    let reply = world.ask(stream("/v1/sessions/ses_1/turns", HI));
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (404, "unknown-session")
    );
}

#[test]
fn a_store_that_goes_away_during_a_stream_is_its_last_event() {
    let world = World::new();
    world.environment.patience.set(999);
    world.model.say(&["a"]);
    world.model.gate.close();
    let response = world.begin(stream(NEW, HI));
    world
        .store
        .on_operation(|_| Some(anyturn_state::memory::Fault::Before));
    world.model.gate.open();
    let text = world.run(response.into_body().collect()).unwrap().to_bytes();
    let text = String::from_utf8_lossy(&text);
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.contains("event: error\n"), "{text}");
    let problem: Value = serde_json::from_str(last.rsplit("data: ").next().unwrap()).unwrap();
    assert_eq!(
        (&problem["type"], &problem["status"]),
        (
            &"https://anyturn.dev/problems/store-unavailable".into(),
            &503.into()
        )
    );
}

#[test]
fn the_same_idempotency_key_is_the_same_turn_also_as_a_stream() {
    let world = World::new();
    world.model.say(&["once"]);
    let keyed = |body: &str, accept| {
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", "k-1"),
            ("accept", accept),
        ];
        world.ask(with("POST", NEW, body, &headers))
    };
    let first = keyed(HI, "application/json").json();
    let second = keyed(HI, "*/*").json();
    assert_eq!(first, second, "and the model was asked once only");
    let streamed = keyed(HI, "text/event-stream").events();
    let last: Value = serde_json::from_str(&streamed.last().unwrap().1).unwrap();
    assert_eq!(last, first);
    let other = keyed(r#"{"message": "something else"}"#, "*/*");
    assert_eq!(
        (other.status.as_u16(), other.problem().as_str()),
        (422, "idempotency-mismatch")
    );
}

#[test]
fn a_second_message_while_one_is_answered_is_refused_with_the_running_turn() {
    let world = World::new();
    world.model.say(&["a"]);
    let session = world.post(NEW, HI).json()["session"].as_str().unwrap().to_owned();
    world.model.say(&["b"]);
    world.model.gate.close();
    let path = format!("/v1/sessions/{session}/turns");
    let running = world.begin(stream(&path, HI));
    let refused = world.post(&path, HI);
    assert_eq!(
        (refused.status.as_u16(), refused.problem().as_str()),
        (409, "turn-running")
    );
    assert_eq!(
        refused.json()["turn"]
            .as_str()
            .map(|turn| turn.starts_with("turn_")),
        Some(true)
    );
    assert!(refused.header("retry-after").parse::<u32>().unwrap() >= 1);
    world.model.gate.open();
    world.run(running.into_body().collect()).unwrap();
}

#[test]
fn a_model_that_fails_is_a_failed_turn_with_a_status_that_says_why() {
    use ModelErrorKind as E;
    for (kind, status) in [
        (E::RateLimited, 429),
        (E::Timeout, 504),
        (E::Unavailable, 502),
        (E::Unauthorized, 502),
        (E::UnknownModel, 502),
        (E::Protocol, 502),
        (E::InvalidRequest, 502),
        (E::ContextTooLong, 422),
        (E::ContentRefused, 422),
    ] {
        let world = World::new();
        world.model.fail(kind, Some(2_500));
        let reply = world.post(NEW, HI);
        let turn = reply.json();
        assert_eq!(
            (reply.status.as_u16(), &turn["state"]),
            (status, &"failed".into()),
            "{kind:?} {turn}"
        );
        assert_eq!(turn["error"]["message"], "the provider said no");
        // Only where coming again helps.
        let retryable = turn["error"]["retryable"].as_bool().unwrap();
        assert_eq!(
            reply.header("retry-after"),
            if retryable { "3" } else { "" },
            "{kind:?}"
        );
        assert_eq!(turn["error"].get("retry_after").is_some(), retryable, "{kind:?}");
        let session = turn["session"].as_str().unwrap();
        let read = world.get(&format!("/v1/sessions/{session}")).json();
        assert_eq!(
            (&read["turns"][0]["input"], &read["turns"][0]["state"]),
            (&"hi".into(), &"failed".into())
        );
    }
}

#[test]
fn a_turn_that_is_given_up_asks_nobody_to_come_again() {
    let mut world = World::new();
    let headers = [("content-type", "application/json"), ("idempotency-key", "k")];
    // Its instances die one after the other, without having come any further.
    for _ in 0..6 {
        world.model.say(&["never"]);
        world.model.gate.close();
        let streaming = [headers[0], headers[1], ("accept", "text/event-stream")];
        drop(world.begin(with("POST", NEW, HI, &streaming)));
        world.settle();
        world = world.restarted();
        world.pass(60_000);
    }
    for _ in 0..2 {
        let reply = world.ask(with("POST", NEW, HI, &headers));
        let turn = reply.json();
        assert_eq!(
            (
                reply.status.as_u16(),
                &turn["error"]["kind"],
                &turn["error"]["retryable"]
            ),
            (500, &"interrupted".into(), &false.into()),
            "{turn}"
        );
        assert_eq!(reply.header("retry-after"), "");
        assert_eq!(turn["error"].get("retry_after"), None);
    }
}

#[test]
fn a_failure_that_the_session_went_on_after_asks_nobody_to_come_again() {
    let world = World::new();
    world.model.say(&["Hello."]);
    let session = world.post(NEW, HI).json()["session"].as_str().unwrap().to_owned();
    let path = format!("/v1/sessions/{session}/turns");
    let ask = |key: &str| {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        world.ask(with("POST", &path, HI, &headers))
    };
    world.model.fail(ModelErrorKind::RateLimited, Some(2_500));
    let limited = ask("k");
    assert_eq!(
        (limited.status.as_u16(), limited.header("retry-after")),
        (429, "3")
    );
    world.model.say(&["On we go."]);
    assert_eq!(ask("l").status, 200);
    let again = ask("k");
    assert_eq!((again.status.as_u16(), again.header("retry-after")), (502, ""));
    let error = &again.json()["error"];
    assert_eq!(
        (&error["kind"], &error["retryable"], error.get("retry_after")),
        (&"rate_limited".into(), &false.into(), None)
    );
}

#[test]
fn a_model_that_breaks_off_in_a_stream_is_told_in_the_stream() {
    let world = World::new();
    world.model.break_off("Half", ModelErrorKind::Protocol);
    let events = world.ask(stream(NEW, HI)).events();
    let (name, data) = events.last().unwrap();
    let turn: Value = serde_json::from_str(data).unwrap();
    assert_eq!(
        (name.as_str(), &turn["message"]["content"]),
        ("turn.failed", &"Half".into())
    );
    assert_eq!(turn["error"]["kind"], "protocol");
}

#[test]
fn tools_are_called_for_the_user_and_shown_in_the_turn() {
    let world = World::new();
    world.set("development_user", "");
    world.set("jwt_secret", "");
    let key = anyturn_identity::new_key([1; 32]);
    world.set("api_keys", &format!("{}:ana:editor,admin", key.sha256));
    let seen = tool_server(&world);
    world.model.call("add", r#"{"title": "milk"}"#);
    world.model.say(&["Added it."]);
    let headers = [
        ("content-type", "application/json"),
        ("x-api-key", key.key.as_str()),
        ("anyturn-user", "root"),
        ("anyturn-roles", "root"),
    ];
    let body = r#"{"message": "add milk", "timezone": "Europe/Berlin"}"#;
    let reply = world.ask(with("POST", "/v1/assistants/tasks/turns", body, &headers));
    let turn = reply.json();
    assert_eq!(turn["tool_calls"][0]["tool"], "add", "{turn}");
    assert_eq!(turn["tool_calls"][0]["result"], json!({"id": 1}));
    assert_eq!(turn["message"]["content"], "Added it.");
    for request in seen.borrow().iter() {
        assert_eq!(request.uri(), "http://tasks.spin.internal/mcp");
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("anyturn-user"), "ana");
        assert_eq!(header("anyturn-roles"), "editor,admin");
        assert_eq!(header("anyturn-session"), turn["session"].as_str().unwrap());
        assert_eq!(header("anyturn-timezone"), "Europe/Berlin");
        assert!(!request.headers().contains_key("x-api-key"));
    }
    let calls = seen.borrow();
    let call: Value = serde_json::from_slice(calls.last().unwrap().body()).unwrap();
    assert!(
        call["params"]["_meta"]["anyturn.dev/idempotency-key"].is_string(),
        "{call}"
    );
}

#[test]
fn a_server_elsewhere_is_told_who_is_asking_only_if_its_entry_says_so() {
    for (entry, told) in [("", false), ("forward_user = true", true)] {
        let world = World::new();
        world.put(
            "/assistants/far.toml",
            &format!("prompt = \"x\"\n[[tools]]\nurl = \"https://mcp.example/mcp\"\n{entry}\n"),
        );
        let seen = tool_server(&world);
        world.model.say(&["ok"]);
        assert_eq!(world.post("/v1/assistants/far/turns", HI).status, 200);
        let request = &seen.borrow()[0];
        assert_eq!(request.uri(), "https://mcp.example/mcp");
        for name in ["anyturn-user", "anyturn-session"] {
            assert_eq!(request.headers().contains_key(name), told, "{name}");
        }
    }
}

#[test]
fn assistants_are_listed_for_people() {
    let list = World::new().get("/v1/assistants").json();
    assert_eq!(
        list,
        json!({"data": [
            {"name": "chat", "title": "Chat", "description": "", "suggestions": []},
            {"name": "tasks", "title": "Tasks", "description": "", "greeting": "Hi!", "suggestions": ["a"]},
        ]})
    );
}

#[test]
fn health_tells_the_store_and_the_model() {
    let reply = World::new().get("/health");
    assert_eq!(reply.status, 200);
    let health = reply.json();
    assert_eq!(health["store"], json!({"status": "ok"}));
    assert_eq!(
        health["model"],
        json!({"status": "ok", "provider": "offline", "model": "offline", "remote": false})
    );
}
