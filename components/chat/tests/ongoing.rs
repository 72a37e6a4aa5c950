//! What a client can do with a turn that was begun: look, listen, stop, and go on elsewhere.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers included"
)]

mod support;

use http_body_util::BodyExt;
use serde_json::{Value, json};
use support::{Reply, World, request, stream, with};

const NEW: &str = "/v1/assistants/chat/turns";
const HI: &str = r#"{"message": "hi"}"#;

/// A session with one turn that said "Hello.", and the turn's address.
fn finished(world: &World) -> (String, String) {
    world.model.say(&["Hel", "lo."]);
    let turn = world.post(NEW, HI).json();
    let (session, turn) = (turn["session"].as_str().unwrap(), turn["turn"].as_str().unwrap());
    (session.to_owned(), format!("/v1/sessions/{session}/turns/{turn}"))
}

/// A turn that waits for its model, as a stream, and the turn's address.
fn running(world: &World) -> (anyturn_chat::http::Response, String) {
    world.model.say(&["late"]);
    world.model.gate.close();
    let mut response = world.begin(stream(NEW, HI));
    let first = world
        .run(response.body_mut().frame())
        .unwrap()
        .unwrap()
        .into_data()
        .unwrap();
    let first = String::from_utf8(first.to_vec()).unwrap();
    let data: Value = serde_json::from_str(
        first
            .lines()
            .find_map(|line| line.strip_prefix("data: "))
            .unwrap(),
    )
    .unwrap();
    let (session, turn) = (data["session"].as_str().unwrap(), data["turn"].as_str().unwrap());
    (response, format!("/v1/sessions/{session}/turns/{turn}"))
}

fn ids(reply: &Reply) -> Vec<&str> {
    reply
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .collect()
}

fn listen(world: &World, turn: &str, last: &str) -> Reply {
    world.ask(with(
        "GET",
        &format!("{turn}/events"),
        "",
        &[("last-event-id", last)],
    ))
}

#[test]
fn a_turn_is_reported_as_it_was_answered() {
    let world = World::new();
    world.model.say(&["Hello."]);
    let answered = world.post(NEW, HI);
    let (session, turn) = (
        answered.header("anyturn-session"),
        answered.header("anyturn-turn"),
    );
    let reported = world.get(&format!("/v1/sessions/{session}/turns/{turn}"));
    assert_eq!(
        (reported.status.as_u16(), reported.json()),
        (200, answered.json())
    );
    assert_eq!(reported.header("anyturn-turn"), turn);
}

#[test]
fn a_running_turn_is_reported_as_far_as_it_is() {
    let world = World::new();
    let (response, turn) = running(&world);
    let report = world.get(&turn).json();
    assert_eq!(
        (&report["state"], &report["message"]["content"]),
        (&"running".into(), &"".into())
    );
    world.model.gate.open();
    world.run(response.into_body().collect()).unwrap();
    assert_eq!(world.get(&turn).json()["state"], "finished");
}

#[test]
fn a_listener_goes_on_after_the_event_it_heard_last_whichever_that_is() {
    let world = World::new();
    let (_, turn) = finished(&world);
    let all = world.get(&format!("{turn}/events"));
    let names: Vec<_> = all.events().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["turn.started", "text.delta", "text.delta", "turn.finished"]
    );
    let all = ids(&all).into_iter().map(ToOwned::to_owned).collect::<Vec<_>>();
    for (heard, last) in all.iter().enumerate().take(all.len() - 1) {
        assert_eq!(
            ids(&listen(&world, &turn, last)),
            all[heard + 1..],
            "by the header"
        );
        let by_parameter = world.get(&format!("{turn}/events?after={last}"));
        assert_eq!(ids(&by_parameter), all[heard + 1..], "by the parameter");
    }
    // A browser that reconnects keeps the address and sends the header.
    let both = with(
        "GET",
        &format!("{turn}/events?after={}", all[0]),
        "",
        &[("last-event-id", &all[2])],
    );
    assert_eq!(ids(&world.ask(both)), all[3..]);
}

#[test]
fn a_listener_that_has_heard_the_end_is_told_that_there_is_nothing_more() {
    let world = World::new();
    let (_, turn) = finished(&world);
    let all = world.get(&format!("{turn}/events"));
    let reply = listen(&world, &turn, ids(&all).last().unwrap());
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (204, ""));
}

#[test]
fn listeners_of_a_running_turn_hear_the_same_and_the_last_one_to_come_hears_all() {
    let world = World::new();
    let (response, turn) = running(&world);
    world.environment.patience.set(1_000);
    let early = world.begin(request("GET", &format!("{turn}/events"), ""));
    world.model.gate.open();
    let told = |body: anyturn_chat::http::Body| {
        let bytes = world.run(body.collect()).unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    let own = told(response.into_body());
    let early = told(early.into_body());
    let late = world.get(&format!("{turn}/events")).body;
    assert_eq!(early, late);
    assert!(early.ends_with(&own), "the first event was taken before: {own}");
    assert!(early.contains(r#"data: {"text":"late"}"#), "{early}");
}

#[test]
fn a_stream_begins_even_if_nothing_happens_for_long() {
    let world = World::new();
    let (response, turn) = running(&world);
    world.environment.patience.set(1_000);
    let last = format!("{}.9.9", turn.rsplit('/').next().unwrap());
    let quiet = world.begin(with(
        "GET",
        &format!("{turn}/events"),
        "",
        &[("last-event-id", &last)],
    ));
    assert_eq!(quiet.status(), 200);
    world.environment.patience.set(50);
    world.model.gate.open();
    world.run(response.into_body().collect()).unwrap();
}

#[test]
fn the_same_key_goes_on_after_the_event_that_was_heard_last() {
    let world = World::new();
    world.model.say(&["Hel", "lo."]);
    let keyed = |last: &str| {
        let headers = [
            ("content-type", "application/json"),
            ("accept", "text/event-stream"),
            ("idempotency-key", "k-1"),
            ("last-event-id", last),
        ];
        world.ask(with("POST", NEW, HI, &headers))
    };
    let first = keyed("");
    let all = ids(&first);
    assert_eq!(ids(&keyed(all[1])), all[2..]);
    assert_eq!(
        ids(&keyed("turn_other.1.1")),
        all,
        "an event of another turn says nothing about this one"
    );
}

#[test]
fn an_id_that_is_none_is_told() {
    let world = World::new();
    let (_, turn) = finished(&world);
    let id = turn.rsplit('/').next().unwrap().to_owned();
    for (last, detail) in [
        (
            "7",
            "The last event's id is `7`; an event's id looks like turn_01h455vb4pex5vsknk084sn02q.1.7."
                .to_owned(),
        ),
        (
            "turn_x.1.1",
            "The last event's id is `turn_x.1.1`, which is an event of another turn.".to_owned(),
        ),
    ] {
        let reply = listen(&world, &turn, last);
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (400, "invalid-header")
        );
        let json = reply.json();
        assert_eq!(
            (&json["detail"], &json["header"]),
            (&detail.into(), &"last-event-id".into())
        );
    }
    for (after, detail) in [
        (
            format!("{id}.1"),
            format!(
                "The parameter `after` is `{id}.1`; an event's id looks like turn_01h455vb4pex5vsknk084sn02q.1.7."
            ),
        ),
        (
            "turn_x.1.1".to_owned(),
            "The parameter `after` is `turn_x.1.1`; that is an event of another turn.".to_owned(),
        ),
    ] {
        let reply = world.get(&format!("{turn}/events?after={after}"));
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (422, "invalid-request")
        );
        let json = reply.json();
        assert_eq!(
            (&json["detail"], &json["parameter"]),
            (&detail.into(), &"after".into())
        );
    }
    let headers = [
        ("content-type", "application/json"),
        ("accept", "text/event-stream"),
        ("last-event-id", "7"),
    ];
    let reply = world.ask(with("POST", NEW, HI, &headers));
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (400, "invalid-header")
    );
}

#[test]
fn an_unknown_turn_is_unknown_whatever_is_wanted_of_it() {
    let world = World::new();
    let (session, _) = finished(&world);
    let long = "t".repeat(256);
    for turn in ["turn_1", &long] {
        for (method, rest) in [("GET", ""), ("GET", "/events"), ("POST", "/stop")] {
            let path = format!("/v1/sessions/{session}/turns/{turn}{rest}");
            let reply = world.ask(request(method, &path, ""));
            assert_eq!(
                (reply.status.as_u16(), reply.problem().as_str()),
                (404, "unknown-turn"),
                "{method} {path}"
            );
            assert_eq!(
                reply.json()["detail"],
                "There is no such turn; it may be too long ago."
            );
        }
    }
}

#[test]
fn a_stopped_turn_says_so_and_stays_stopped() {
    let world = World::new();
    // Turns listen for it when they are older than a moment.
    world.environment.patience.set(999);
    let (response, turn) = running(&world);
    let asked = world.ask(with("POST", &format!("{turn}/stop"), "", &[]));
    let (session, id) = {
        let mut parts = turn.split('/').skip(3);
        (parts.next().unwrap().to_owned(), parts.nth(1).unwrap().to_owned())
    };
    assert_eq!(
        (asked.status.as_u16(), asked.json()),
        (202, json!({"session": session, "turn": id, "state": "stopping"}))
    );
    let told = world.run(response.into_body().collect()).unwrap().to_bytes();
    let told = String::from_utf8(told.to_vec()).unwrap();
    assert!(told.contains("event: turn.stopped\n"), "{told}");
    assert_eq!(world.get(&turn).json()["state"], "stopped");
    let again = world.post(&format!("{turn}/stop"), "");
    assert_eq!(
        (again.status.as_u16(), &again.json()["state"]),
        (200, &"stopped".into())
    );
    let read = world.get(&format!("/v1/sessions/{session}")).json();
    assert_eq!(read["turns"][0]["state"], "stopped");
}

#[test]
fn a_finished_turn_cannot_be_stopped() {
    let world = World::new();
    let (_, turn) = finished(&world);
    let reply = world.post(&format!("{turn}/stop"), "");
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (409, "turn-finished")
    );
    let json = reply.json();
    assert_eq!(
        (&json["state"], &json["detail"]),
        (
            &"finished".into(),
            &"The turn has finished before, and stays as it finished; what it did can be undone.".into()
        )
    );
    assert_eq!(world.get(&turn).json()["state"], "finished");
}

#[test]
fn a_message_can_wait_for_the_one_before_it() {
    let world = World::new();
    let (session, _) = finished(&world);
    let path = format!("/v1/sessions/{session}/turns");
    world.model.say(&["one"]);
    world.model.gate.close();
    let first = world.begin(stream(&path, r#"{"message": "first"}"#));
    world.model.say(&["two"]);
    world.environment.patience.set(1_000);
    let second = world.begin(stream(&path, r#"{"message": "second", "on_busy": "enqueue"}"#));
    assert_eq!(
        second.status(),
        200,
        "it waits, and is told so by a stream that begins"
    );
    world.environment.patience.set(50);
    world.model.gate.open();
    let text = |response: anyturn_chat::http::Response| {
        let bytes = world.run(response.into_body().collect()).unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    assert!(text(first).contains(r#"{"text":"one"}"#));
    let second = text(second);
    assert!(
        second.contains(r#"{"text":"two"}"#) && second.contains("event: turn.finished"),
        "{second}"
    );
    let read = world.get(&format!("/v1/sessions/{session}")).json();
    let said: Vec<_> = read["turns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|turn| &turn["input"])
        .collect();
    assert_eq!(said, ["hi", "first", "second"]);
}

#[test]
fn a_lease_that_cannot_be_one_is_told_by_its_variable() {
    let world = World::new();
    for lease in ["soon", "0", "600001", "-1"] {
        world.set("turn_lease_ms", lease);
        let reply = world.post(NEW, HI);
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (500, "misconfigured")
        );
        let json = reply.json();
        let detail = format!(
            "The variable `turn_lease_ms` is `{lease}`; it must be a whole number from 500 to 600000."
        );
        assert_eq!(
            (&json["variable"], &json["detail"]),
            (&"turn_lease_ms".into(), &detail.into())
        );
    }
    world.set("turn_lease_ms", "2000");
    world.model.say(&["ok"]);
    assert_eq!(world.post(NEW, HI).status, 200);
}

#[test]
fn the_clock_of_whoever_runs_the_server_is_let_in_by_its_secret_only() {
    let world = World::new();
    let tick = |authorization: &str| {
        world.ask(with(
            "POST",
            "/internal/tick",
            "",
            &[("authorization", authorization)],
        ))
    };
    let closed = tick("Bearer ");
    assert_eq!(
        (closed.status.as_u16(), closed.problem().as_str()),
        (404, "not-found")
    );
    world.set("internal_secret", "s3cret");
    for wrong in ["", "Bearer", "Bearer ", "Bearer s3cre", "Basic s3cret", "s3cret"] {
        let reply = tick(wrong);
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (401, "unauthorized"),
            "{wrong}"
        );
        assert_eq!(reply.header("www-authenticate"), r#"Bearer realm="anyturn""#);
        assert!(!reply.body.contains("s3cret"));
    }
    let reply = tick("bearer s3cret");
    let none = json!({"looked": 0, "settled": 0, "running": 0, "waiting": 0, "taken_over": 0, "failed": 0});
    assert_eq!((reply.status.as_u16(), reply.json()), (200, none));
}

#[test]
fn a_tick_goes_on_with_a_turn_that_was_left_behind() {
    let world = World::new();
    world.set("internal_secret", "s3cret");
    let (response, turn) = running(&world);
    // The instance dies: nobody polls its task any more.
    let world = world.restarted();
    drop(response);
    world.pass(60_000);
    world.model.say(&["after all"]);
    let tick = with(
        "POST",
        "/internal/tick",
        "",
        &[("authorization", "Bearer s3cret")],
    );
    let met = world.ask(tick).json();
    assert_eq!(
        (&met["looked"], &met["taken_over"]),
        (&1.into(), &1.into()),
        "{met}"
    );
    let report = world.get(&turn).json();
    assert_eq!(
        (&report["state"], &report["message"]["content"]),
        (&"finished".into(), &"after all".into())
    );
    let told = world.get(&format!("{turn}/events")).events();
    let names: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["turn.started", "turn.resumed", "text.delta", "turn.finished"]
    );
}
