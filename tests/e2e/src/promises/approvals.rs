//! What takes a second person.

use http::StatusCode;
use serde_json::{Value, json};

use crate::visit::{Visit, text};
use crate::{Skipped, Verdict};

pub(crate) async fn an_approval_takes_somebody_else_with_the_role(visit: &Visit) -> Verdict {
    let other = visit.site.other()?;
    let assistant = visit.site.approvals.as_ref().ok_or_else(|| {
        Skipped("no assistant was named whose delete_task has to be approved (--approvals)".to_owned())
    })?;
    let milk = visit.own("buy milk");
    let (session, _) = visit.begin(assistant, &format!("add {milk}")).await;
    let turn = visit.turn(&session, &format!("delete {milk}")).await;
    let gate = &turn["gates"][0];
    assert_eq!(
        (&turn["state"], &gate["kind"]),
        (&json!("waiting"), &json!("approve")),
        "{turn}"
    );
    // Neither by a word nor by request can the user decide for themselves.
    visit.say(&session, "yes").await;
    let approve = json!({ "decision": "approve" });
    let own = format!("/v1/sessions/{session}/gates/{}", text(&gate["gate"]));
    visit.post(&own, &approve).problem(403, "not-allowed").await;

    let waiting = approval(visit, other, &session).await;
    assert!(text(&waiting["question"]).contains(&milk), "{waiting}");
    let path = format!("/v1/approvals/{}", text(&waiting["id"]));
    let decided = visit.post(&path, &approve).by(other).ok().await;
    assert_eq!(decided["gate"]["state"], "approved", "{decided}");
    assert_eq!(
        decided.get("turn"),
        None,
        "the session is not theirs to read: {decided}"
    );
    let turn = visit
        .get(&format!("/v1/sessions/{session}/turns/{}", text(&turn["turn"])))
        .ok()
        .await;
    assert_eq!(turn["state"], "finished", "{turn}");
    assert_eq!(visit.tasks("").await, Vec::<Value>::new());
    Ok(())
}

/// What waits in a session, in the list of somebody who may decide.
async fn approval(visit: &Visit, who: &crate::Credentials, session: &str) -> Value {
    let mut offset = Some(0);
    while let Some(from) = offset {
        let page = visit
            .get(&format!("/v1/approvals?limit=100&offset={from}"))
            .by(who)
            .ok()
            .await;
        let entries = page["data"].as_array().cloned().unwrap_or_default();
        if let Some(found) = entries.into_iter().find(|entry| entry["session"] == session) {
            return found;
        }
        offset = page["next_offset"].as_u64();
    }
    panic!("the call of {session} is among the approvals of the second identity")
}

pub(crate) async fn nobody_sees_anothers_session_or_tasks(visit: &Visit) -> Verdict {
    let other = visit.site.other()?;
    let (session, turn) = visit
        .begin("tasks", &format!("add {}", visit.own("buy milk")))
        .await;
    let session = format!("/v1/sessions/{session}");
    let task = format!(
        "/api/tasks/{}",
        text(&turn["tool_calls"][0]["result"]["task"]["id"])
    );
    let message = json!({ "message": "what is on my list?" });
    for (method, path, body) in [
        ("GET", session.clone(), None),
        ("DELETE", session.clone(), None),
        ("POST", format!("{session}/turns"), Some(&message)),
        ("GET", format!("{session}/turns/{}", text(&turn["turn"])), None),
        (
            "GET",
            format!("{session}/turns/{}/events", text(&turn["turn"])),
            None,
        ),
        ("POST", format!("{session}/undo"), Some(&json!({}))),
        ("GET", task.clone(), None),
        ("PATCH", task.clone(), Some(&json!({ "title": "mine now" }))),
        ("DELETE", task.clone(), None),
    ] {
        let mut request = visit.request(method, &path).by(other);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await;
        assert_eq!(
            answer.status,
            StatusCode::NOT_FOUND,
            "{method} {path}: {}",
            answer.text
        );
    }
    assert_eq!(visit.get(&session).send().await.status, StatusCode::OK);
    assert_eq!(visit.get(&task).send().await.status, StatusCode::OK);
    Ok(())
}
