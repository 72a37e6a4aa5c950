//! Turns as JSON, and the sessions that they are part of.

use std::collections::BTreeSet;

use futures::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};

use crate::Verdict;
use crate::visit::{Visit, said, text};

pub(crate) async fn a_turn_answers_with_all_that_came_of_it(visit: &Visit) -> Verdict {
    let milk = visit.own("buy milk");
    let body = json!({ "message": format!("add {milk}"), "title": "Groceries", "timezone": "Europe/Berlin" });
    let answer = visit.post("/v1/assistants/tasks/turns", &body).send().await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let turn = answer.json();
    assert_eq!(
        (&turn["state"], &turn["assistant"]),
        (&json!("finished"), &json!("tasks")),
        "{turn}"
    );
    assert_eq!(answer.header("anyturn-session"), text(&turn["session"]));
    assert_eq!(answer.header("anyturn-turn"), text(&turn["turn"]));
    let call = &turn["tool_calls"][0];
    assert_eq!(
        (&call["server"], &call["is_error"]),
        (&json!("tasks"), &json!(false)),
        "{turn}"
    );
    assert_eq!(call["result"]["task"]["title"], milk.as_str(), "{turn}");
    assert!(
        turn["usage"]["input_tokens"]
            .as_u64()
            .is_some_and(|tokens| tokens > 0),
        "{turn}"
    );
    let path = format!(
        "/v1/sessions/{}/turns/{}",
        text(&turn["session"]),
        text(&turn["turn"])
    );
    assert_eq!(visit.get(&path).ok().await, turn, "it is read as it was answered");
    Ok(())
}

pub(crate) async fn the_same_key_is_the_same_turn(visit: &Visit) -> Verdict {
    let body = json!({ "message": format!("add {}", visit.own("buy milk")) });
    let send = || {
        visit
            .post("/v1/assistants/tasks/turns", &body)
            .header("idempotency-key", visit.mark())
    };
    let (first, second) = (send().ok().await, send().ok().await);
    assert_eq!(first, second);
    let tasks = visit.tasks("").await;
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    // In a session, and at the same time.
    let path = format!("/v1/sessions/{}/turns", text(&first["session"]));
    let body = json!({ "message": format!("add {}", visit.own("buy eggs")) });
    let key = format!("{}-2", visit.mark());
    let send = || visit.post(&path, &body).header("idempotency-key", &key).ok();
    let (first, second, third) = tokio::join!(send(), send(), send());
    assert!(
        first["turn"] == second["turn"] && second["turn"] == third["turn"],
        "{first} {second} {third}"
    );
    let tasks = visit.tasks("").await;
    assert_eq!(tasks.len(), 2, "{tasks:?}");
    Ok(())
}

pub(crate) async fn a_key_that_came_with_another_request_is_refused(visit: &Visit) -> Verdict {
    let send = |message: &str| {
        visit
            .post("/v1/assistants/chat/turns", &json!({ "message": message }))
            .header("idempotency-key", visit.mark())
    };
    send("hello").ok().await;
    send("something else").problem(422, "idempotency-mismatch").await;
    Ok(())
}

pub(crate) async fn sessions_are_listed_read_and_deleted(visit: &Visit) -> Verdict {
    let first = format!("add {}", visit.own("buy milk"));
    let (session, _) = visit.begin("tasks", &first).await;
    visit.say(&session, "what is on my list?").await;
    let path = format!("/v1/sessions/{session}");

    let listed = listed(visit, &session).await.expect("the session is listed");
    assert_eq!(listed["title"], first.as_str(), "{listed}");
    let one = visit.get(&path).ok().await;
    let inputs: Vec<&Value> = turns(&one).iter().map(|turn| &turn["input"]).collect();
    assert_eq!(inputs, [&json!(first), &json!("what is on my list?")], "{one}");
    assert_eq!(
        (&one["running"], one.get("gates")),
        (&json!(false), None),
        "{one}"
    );

    assert_eq!(
        visit.request("DELETE", &path).send().await.status,
        StatusCode::NO_CONTENT
    );
    visit.get(&path).problem(404, "unknown-session").await;
    assert_eq!(
        self::listed(visit, &session).await,
        None,
        "a deleted session is not listed"
    );
    Ok(())
}

pub(crate) async fn a_session_is_read_page_by_page(visit: &Visit) -> Verdict {
    let (session, _) = visit.begin("chat", "message 0").await;
    for number in 1..5 {
        visit.say(&session, &format!("message {number}")).await;
    }
    let mut inputs = Vec::new();
    let mut before = String::new();
    loop {
        let page = visit
            .get(&format!("/v1/sessions/{session}?limit=2{before}"))
            .ok()
            .await;
        let mut earlier: Vec<String> = turns(&page).iter().map(|turn| text(&turn["input"])).collect();
        assert!((1..=2).contains(&earlier.len()), "{page}");
        earlier.append(&mut inputs);
        inputs = earlier;
        match page["before"].as_u64() {
            Some(position) => before = format!("&before={position}"),
            None => break,
        }
    }
    let expected: Vec<String> = (0..5).map(|number| format!("message {number}")).collect();
    assert_eq!(inputs, expected, "every turn once, the oldest first");
    Ok(())
}

/// What an instance keeps between requests, or shares between two at the same time, would show here.
pub(crate) async fn twenty_sessions_at_the_same_time_do_not_mix(visit: &Visit) -> Verdict {
    let talk = |number: usize| async move {
        let mine = visit.own(&format!("thing number {number}"));
        let (session, added) = visit.begin("tasks", &format!("add {mine}")).await;
        assert!(said(&added).contains(&format!("“{mine}”")), "{mine}: {added}");
        let done = visit.say(&session, &format!("done with {mine}")).await;
        assert_eq!(
            done["tool_calls"][0]["result"]["task"]["title"],
            mine.as_str(),
            "{done}"
        );
        let read = visit.get(&format!("/v1/sessions/{session}")).ok().await;
        assert_eq!(turns(&read).len(), 2, "{read}");
        session
    };
    let sessions: BTreeSet<String> = join_all((0..20).map(talk)).await.into_iter().collect();
    assert_eq!(sessions.len(), 20, "{sessions:?}");
    let tasks = visit.tasks("&status=done&limit=50").await;
    assert_eq!(tasks.len(), 20, "{tasks:?}");
    Ok(())
}

fn turns(session: &Value) -> &[Value] {
    session["turns"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A session in the list of the user's, however many there are.
async fn listed(visit: &Visit, session: &str) -> Option<Value> {
    let mut offset = Some(0);
    while let Some(from) = offset {
        let page = visit
            .get(&format!("/v1/sessions?limit=100&offset={from}"))
            .ok()
            .await;
        let found = page["data"].as_array()?.iter().find(|one| one["id"] == session);
        if let Some(found) = found {
            return Some(found.clone());
        }
        offset = page["next_offset"].as_u64();
    }
    None
}
