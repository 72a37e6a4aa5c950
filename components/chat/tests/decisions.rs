//! What people decide: whether risky calls run, what is undone, and where a conversation branches off.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers included"
)]

#[path = "decisions/openai.rs"]
mod openai;
mod support;

use std::cell::RefCell;
use std::rc::Rc;

use anyturn_identity::new_key;
use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Value, json};
use support::{World, request, stream, with};

const NEW: &str = "/v1/assistants/lists/turns";
const ASK: &str = r#"{"message": "delete milk, please"}"#;
/// The call `delete` is confirmed by the user because it destroys, `share` is approved by a manager.
const LISTS: &str = "prompt = \"Keep a list.\"\n[[tools]]\nserver = \"tasks\"\nallow_always = [\"delete\"]\n\
    approve = [{ tool = \"share\", role = \"manager\" }]\n";

/// A server with the tools `delete`, `restore` and `share`; returns the calls that were made.
fn tools(world: &World) -> Rc<RefCell<Vec<(String, Value)>>> {
    world.put("/assistants/lists.toml", LISTS);
    let calls = Rc::new(RefCell::new(Vec::new()));
    let made = calls.clone();
    world.on_send(move |request| {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let tool = |name: &str, destructive: bool| {
            json!({"name": name, "inputSchema": {"type": "object", "properties": {"task": {"type": "string"}}},
                "annotations": {"idempotentHint": true, "destructiveHint": destructive}})
        };
        let params = &body["params"];
        let result = if body["method"] == "tools/list" {
            json!({"resultType": "complete",
                "tools": [tool("delete", true), tool("restore", false), tool("share", false)]})
        } else {
            made.borrow_mut()
                .push((params["name"].as_str().unwrap().to_owned(), params["arguments"].clone()));
            let mut result = json!({"resultType": "complete",
                "content": [{"type": "text", "text": format!("{}: done.", params["name"].as_str().unwrap())}]});
            if params["name"] == "delete" {
                result["_meta"] = json!({"anyturn.dev/inverse":
                    {"tool": "restore", "arguments": params["arguments"], "title": "Restore “milk”"}});
            }
            result
        };
        let answer = json!({"jsonrpc": "2.0", "id": body["id"], "result": result}).to_string();
        Ok(http::Response::builder()
            .header("content-type", "application/json")
            .body(Full::new(answer.into()))
            .unwrap())
    });
    calls
}

/// A turn that waits for the user's yes; its session and its gate.
fn waiting(world: &World) -> (String, Value) {
    world.model.call("delete", r#"{"task": "milk"}"#);
    let reply = world.post(NEW, ASK);
    let turn = reply.json();
    assert_eq!(
        (reply.status.as_u16(), &turn["state"]),
        (200, &"waiting".into()),
        "{turn}"
    );
    (
        turn["session"].as_str().unwrap().to_owned(),
        turn["gates"][0].clone(),
    )
}

fn gate_path(session: &str, gate: &Value) -> String {
    format!("/v1/sessions/{session}/gates/{}", gate["gate"].as_str().unwrap())
}

#[test]
fn a_risky_call_waits_and_runs_once_when_its_user_says_so() {
    let world = World::new();
    let calls = tools(&world);
    let (session, gate) = waiting(&world);
    assert_eq!(
        (&gate["kind"], &gate["risk"], &gate["state"], &gate["arguments"]),
        (
            &"confirm".into(),
            &"destroys".into(),
            &"open".into(),
            &json!({"task": "milk"})
        )
    );
    assert_eq!(calls.borrow().len(), 0);
    let read = world.get(&format!("/v1/sessions/{session}")).json();
    assert_eq!(
        (&read["turns"][0]["state"], &read["gates"][0]["gate"]),
        (&"waiting".into(), &gate["gate"])
    );

    world.model.say(&["Deleted."]);
    let path = gate_path(&session, &gate);
    let decided = world.post(&path, r#"{"decision": "approve", "comment": "go"}"#);
    assert_eq!(decided.status, 200, "{decided:?}");
    let decided = decided.json();
    assert_eq!(
        (
            &decided["gate"]["state"],
            &decided["waiting"],
            &decided["turn"]["state"]
        ),
        (&"approved".into(), &false.into(), &"finished".into()),
        "{decided}"
    );
    assert_eq!(decided["turn"]["message"]["content"], "Deleted.");
    assert_eq!(*calls.borrow(), [("delete".to_owned(), json!({"task": "milk"}))]);

    let again = world.post(&path, r#"{"decision": "approve", "comment": "go"}"#);
    assert_eq!((again.status.as_u16(), again.json()), (200, decided));
    let other = world.post(&path, r#"{"decision": "deny"}"#);
    assert_eq!(
        (other.status.as_u16(), other.problem().as_str()),
        (409, "gate-decided")
    );
    let json = other.json();
    assert_eq!(
        (&json["gate"], &json["state"], &json["detail"]),
        (
            &gate["gate"],
            &"approved".into(),
            &"This was decided already, in another way.".into()
        )
    );
    assert_eq!(calls.borrow().len(), 1);

    let audit = world.get(&format!("/v1/sessions/{session}/audit")).json();
    let entry = &audit["data"][0];
    assert_eq!(
        (&entry["action"], &entry["by"], &entry["comment"], &entry["hash"]),
        (&"approved".into(), &"local".into(), &"go".into(), &gate["hash"])
    );
}

#[test]
fn a_denied_call_does_not_run_and_edited_arguments_do() {
    let world = World::new();
    let calls = tools(&world);
    let (session, gate) = waiting(&world);
    world.model.say(&["Then not."]);
    let denied = world
        .post(&gate_path(&session, &gate), r#"{"decision": "deny"}"#)
        .json();
    assert_eq!(denied["turn"]["message"]["content"], "Then not.");
    assert_eq!(calls.borrow().len(), 0);

    let (session, gate) = waiting(&world);
    let path = gate_path(&session, &gate);
    let wrong = world.post(&path, r#"{"decision": "approve", "arguments": {"task": 7}}"#);
    assert_eq!(
        (wrong.status.as_u16(), wrong.problem().as_str()),
        (422, "invalid-request")
    );
    world.model.say(&["Deleted."]);
    let edited = world
        .post(
            &path,
            r#"{"decision": "approve", "arguments": {"task": "bread"}}"#,
        )
        .json();
    assert_eq!(edited["gate"]["decided"]["edited"], true, "{edited}");
    assert_eq!(*calls.borrow(), [("delete".to_owned(), json!({"task": "bread"}))]);
}

#[test]
fn a_decision_that_is_wrong_is_told_with_its_place() {
    let world = World::new();
    tools(&world);
    let (session, gate) = waiting(&world);
    for (body, status, kind, pointer) in [
        ("", 400, "malformed-json", None),
        ("{}", 422, "invalid-request", Some("")),
        (
            r#"{"decision": "perhaps"}"#,
            422,
            "invalid-request",
            Some("/decision"),
        ),
        (
            r#"{"decision": "deny", "always": true}"#,
            422,
            "invalid-request",
            Some("/always"),
        ),
        (
            r#"{"decision": "approve", "arguments": "milk"}"#,
            422,
            "invalid-request",
            Some("/arguments"),
        ),
    ] {
        let reply = world.post(&gate_path(&session, &gate), body);
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (status, kind),
            "{body}"
        );
        assert_eq!(reply.json()["pointer"].as_str(), pointer, "{body}");
    }
    let untyped = with(
        "POST",
        &gate_path(&session, &gate),
        r#"{"decision": "deny"}"#,
        &[],
    );
    assert_eq!(world.ask(untyped).status, 415);
    for path in [
        format!("/v1/sessions/{session}/gates/gate_1"),
        "/v1/sessions/ses_1/gates/gate_1".to_owned(),
        "/v1/approvals/gate_1".to_owned(),
    ] {
        let reply = world.post(&path, r#"{"decision": "deny"}"#);
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (404, "unknown-gate"),
            "{path}"
        );
        assert_eq!(
            reply.json()["detail"],
            "There is no such gate; it may have expired with its conversation."
        );
    }
}

/// A request by somebody.
fn by(key: &str, method: &str, path: &str, body: &str) -> http::Request<Full<Bytes>> {
    let headers = [("content-type", "application/json"), ("x-api-key", key)];
    with(method, path, body, &headers)
}

#[test]
fn what_asks_for_a_role_is_approved_by_somebody_else_who_has_it() {
    let world = World::new();
    let calls = tools(&world);
    let [ana, mia, bob] = [1, 2, 3].map(|seed| new_key([seed; 32]));
    world.set("development_user", "");
    let keys = format!(
        "{}:ana:manager;{}:mia:manager;{}:bob",
        ana.sha256, mia.sha256, bob.sha256
    );
    world.set("api_keys", &keys);
    let [ana, mia, bob] = [ana.key, mia.key, bob.key];
    world.model.call("share", r#"{"task": "milk"}"#);
    let turn = world.ask(by(&ana, "POST", NEW, ASK)).json();
    assert_eq!(
        (&turn["state"], &turn["gates"][0]["kind"]),
        (&"waiting".into(), &"approve".into()),
        "{turn}"
    );
    let own = gate_path(turn["session"].as_str().unwrap(), &turn["gates"][0]);

    let approve = r#"{"decision": "approve"}"#;
    let refused = world.ask(by(&ana, "POST", &own, approve));
    assert_eq!(
        (refused.status.as_u16(), refused.problem().as_str()),
        (403, "not-allowed")
    );
    assert_eq!(
        (&refused.json()["role"], &refused.json()["detail"]),
        (
            &"manager".into(),
            &"Nobody approves what they have asked for themselves; it takes another person with the role “manager”."
                .into()
        )
    );
    let list = |key: &str| world.ask(by(key, "GET", "/v1/approvals", "")).json()["data"].clone();
    assert_eq!((list(&ana), list(&bob)), (json!([]), json!([])));
    let waits = list(&mia);
    assert_eq!(
        (
            &waits[0]["user"],
            &waits[0]["assistant"],
            &waits[0]["gate"],
            &waits[0]["arguments"]
        ),
        (
            &"ana".into(),
            &"lists".into(),
            &turn["gates"][0]["gate"],
            &json!({"task": "milk"})
        )
    );
    let path = format!("/v1/approvals/{}", waits[0]["id"].as_str().unwrap());
    let other_role = world.ask(by(&bob, "POST", &path, approve));
    assert_eq!(
        (other_role.status.as_u16(), other_role.problem().as_str()),
        (403, "not-allowed")
    );
    assert_eq!(calls.borrow().len(), 0);

    world.model.say(&["Shared."]);
    let approved = world.ask(by(&mia, "POST", &path, approve));
    assert_eq!(approved.status, 200, "{approved:?}");
    let approved = approved.json();
    assert_eq!(
        (
            &approved["gate"]["state"],
            &approved["gate"]["decided"]["by"],
            &approved["turn"]
        ),
        (&"approved".into(), &"mia".into(), &Value::Null),
        "what was said in it is the owner's only"
    );
    assert_eq!((calls.borrow().len(), list(&mia)), (1, json!([])));
    let address = format!("/v1/sessions/{}", turn["session"].as_str().unwrap());
    let read = world.ask(by(&ana, "GET", &address, "")).json();
    assert_eq!(read["turns"][0]["message"]["content"], "Shared.");
}

#[test]
fn what_was_done_can_be_undone_once() {
    let world = World::new();
    let calls = tools(&world);
    let (session, gate) = waiting(&world);
    let path = format!("/v1/sessions/{session}/undo");
    let nothing = world.post(&path, "");
    assert_eq!(
        (nothing.status.as_u16(), nothing.problem().as_str()),
        (409, "nothing-to-undo")
    );
    assert_eq!(nothing.json()["detail"], "There is nothing that can be undone.");
    world.model.say(&["Deleted."]);
    let decided = world
        .post(&gate_path(&session, &gate), r#"{"decision": "approve"}"#)
        .json();
    let call = &decided["turn"]["tool_calls"][0];
    assert_eq!(call["undo"]["titles"], json!(["Restore “milk”"]), "{call}");

    let unknown = world.post(&path, r#"{"call": "call_1"}"#);
    assert_eq!(
        (unknown.status.as_u16(), unknown.problem().as_str()),
        (409, "nothing-to-undo")
    );
    assert_eq!(unknown.json()["pointer"], "/call");
    let events = world
        .ask(stream(&path, &json!({"call": call["id"]}).to_string()))
        .events();
    let names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert!(
        names.contains(&"undo.finished") && names.last() == Some(&"turn.finished"),
        "{names:?}"
    );
    let undone: Value = serde_json::from_str(&events.last().unwrap().1).unwrap();
    assert_eq!(
        (&undone["undo"]["call"], &undone["undo"]["items"][0]["undone"]),
        (&call["id"], &true.into()),
        "{undone}"
    );
    assert_eq!(calls.borrow().last().unwrap().0, "restore");
    let again = world.post(&path, &json!({"call": call["id"]}).to_string());
    assert_eq!(
        (again.status.as_u16(), &again.json()["turn"]),
        (200, &undone["turn"])
    );
    assert_eq!(calls.borrow().len(), 2);
    let audit = world.get(&format!("/v1/sessions/{session}/audit")).json();
    assert_eq!(audit["data"][0]["action"], "undone", "{audit}");
}

#[test]
fn what_was_done_too_long_ago_is_not_undone() {
    let world = World::new();
    tools(&world);
    world.put(
        "/assistants/lists.toml",
        &format!("{LISTS}[session]\nttl = \"1h\"\n"),
    );
    let (session, gate) = waiting(&world);
    world.model.say(&["Deleted."]);
    let decided = world
        .post(&gate_path(&session, &gate), r#"{"decision": "approve"}"#)
        .json();
    world.pass(5 * 60 * 1000 + 1);
    let call = json!({"call": decided["turn"]["tool_calls"][0]["id"]}).to_string();
    let late = world.post(&format!("/v1/sessions/{session}/undo"), &call);
    assert_eq!((late.status.as_u16(), late.problem().as_str()), (409, "too-late"));
    assert_eq!(late.json()["detail"], "This was done too long ago to be undone.");
}

#[test]
fn an_undo_that_is_wrong_is_told_with_its_place() {
    let world = World::new();
    tools(&world);
    let (session, _) = waiting(&world);
    let path = format!("/v1/sessions/{session}/undo");
    for (body, pointer) in [
        (r#"{"call": 7}"#, "/call"),
        (r#"{"cal": "x"}"#, "/cal"),
        (r#"{"timezone": "Moon"}"#, "/timezone"),
    ] {
        let reply = world.post(&path, body);
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (422, "invalid-request")
        );
        assert_eq!(reply.json()["pointer"], pointer, "{body}");
    }
    let unknown = world.post("/v1/sessions/ses_1/undo", "");
    assert_eq!(
        (unknown.status.as_u16(), unknown.problem().as_str()),
        (404, "unknown-session")
    );
}

#[test]
fn a_conversation_branches_off_where_one_likes() {
    let world = World::new();
    let mut turns = Vec::new();
    world.model.say(&["One."]);
    turns.push(
        world
            .post("/v1/assistants/chat/turns", r#"{"message": "first"}"#)
            .json(),
    );
    let session = turns[0]["session"].as_str().unwrap().to_owned();
    world.model.say(&["Two."]);
    let next = format!("/v1/sessions/{session}/turns");
    turns.push(world.post(&next, r#"{"message": "second"}"#).json());
    let path = format!("/v1/sessions/{session}/fork");

    let forked = world.post(&path, &json!({"turn": turns[0]["turn"]}).to_string());
    assert_eq!(forked.status, 201, "{forked:?}");
    let fork = forked.json()["session"].as_str().unwrap().to_owned();
    assert_eq!(forked.header("location"), format!("/v1/sessions/{fork}"));
    world.model.say(&["Another two."]);
    world.post(&format!("/v1/sessions/{fork}/turns"), r#"{"message": "else"}"#);
    let read = world.get(&format!("/v1/sessions/{fork}")).json();
    assert_eq!(
        read["origin"],
        json!({"session": session, "turn": turns[0]["turn"]}),
        "{read}"
    );
    let asked = world.model.asked.borrow().last().unwrap().messages.len();
    assert_eq!(asked, 4, "the prompt, the first turn, and the message");

    // Editing: another message instead of the second one, with a key that may be sent again.
    let edit = json!({"turn": turns[1]["turn"], "before": true, "message": "edited"}).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", "k-1")];
    world.model.say(&["Edited."]);
    let edited = world.ask(with("POST", &path, &edit, &headers));
    assert_eq!(
        (edited.status.as_u16(), &edited.json()["message"]["content"]),
        (200, &"Edited.".into())
    );
    assert_ne!(edited.json()["session"], session.as_str());
    let again = world.ask(with("POST", &path, &edit, &headers));
    assert_eq!(again.json(), edited.json(), "and the model was not asked again");
    let other = json!({"turn": turns[0]["turn"]}).to_string();
    let reused = world.ask(with("POST", &path, &other, &headers));
    assert_eq!(
        (reused.status.as_u16(), reused.problem().as_str()),
        (422, "idempotency-mismatch")
    );
    assert_eq!(
        reused.json()["detail"],
        "This idempotency key was used for a different fork."
    );

    let list = world.get("/v1/sessions").json();
    assert_eq!(list["data"].as_array().unwrap().len(), 3);
    let original = world.get(&format!("/v1/sessions/{session}")).json();
    assert_eq!(
        original["turns"].as_array().unwrap().len(),
        2,
        "nothing has changed there"
    );
}

#[test]
fn a_fork_that_is_wrong_is_told_and_leaves_no_session() {
    let world = World::new();
    world.model.say(&["One."]);
    let turn = world
        .post("/v1/assistants/chat/turns", r#"{"message": "first"}"#)
        .json();
    let path = format!("/v1/sessions/{}/fork", turn["session"].as_str().unwrap());
    for (body, status, kind, pointer) in [
        ("{}", 422, "invalid-request", Some("")),
        (
            r#"{"turn": "turn_1", "message": ""}"#,
            422,
            "invalid-message",
            Some("/message"),
        ),
        (
            r#"{"turn": "turn_1", "title": "x"}"#,
            422,
            "invalid-request",
            Some("/title"),
        ),
        (
            r#"{"turn": "turn_1", "timezone": "Moon"}"#,
            422,
            "invalid-request",
            Some("/timezone"),
        ),
        (r#"{"turn": "turn_1"}"#, 404, "unknown-turn", None),
    ] {
        let reply = world.post(&path, body);
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (status, kind),
            "{body}"
        );
        assert_eq!(reply.json()["pointer"].as_str(), pointer, "{body}");
    }
    let unknown = world.ask(request(
        "POST",
        "/v1/sessions/ses_1/fork",
        r#"{"turn": "turn_1"}"#,
    ));
    assert_eq!(
        (unknown.status.as_u16(), unknown.problem().as_str()),
        (404, "unknown-session")
    );
    assert_eq!(
        world.get("/v1/sessions").json()["data"].as_array().unwrap().len(),
        1
    );
}
