//! Risky calls wait for the user.

use http::StatusCode;
use serde_json::{Value, json};

use crate::Verdict;
use crate::visit::{Visit, said, text};

/// A session whose last turn waits for the deletion of a task of this title.
pub(crate) async fn waiting(visit: &Visit, title: &str) -> (String, Value) {
    let (session, _) = visit.begin("tasks", &format!("add {title}")).await;
    let turn = visit.turn(&session, &format!("delete {title}")).await;
    assert_eq!(turn["state"], "waiting", "{turn}");
    assert_eq!(
        (&turn["gates"][0]["kind"], &turn["gates"][0]["state"]),
        (&json!("confirm"), &json!("open")),
        "{turn}"
    );
    assert_eq!(turn["gates"][0]["arguments"], json!({ "task": title }), "{turn}");
    (session, turn["gates"][0].clone())
}

fn path(session: &str, gate: &Value) -> String {
    format!("/v1/sessions/{session}/gates/{}", text(&gate["gate"]))
}

pub(crate) async fn what_destroys_something_waits_for_a_yes(visit: &Visit) -> Verdict {
    let milk = visit.own("buy milk");
    let (session, gate) = waiting(visit, &milk).await;
    assert!(text(&gate["question"]).contains(&milk), "{gate}");
    assert_eq!(visit.tasks("").await.len(), 1, "nothing is deleted yet");
    let open = visit.get(&format!("/v1/sessions/{session}")).ok().await;
    assert_eq!(open["gates"][0]["gate"], gate["gate"], "{open}");

    let path = format!("/v1/sessions/{session}/turns");
    let events = visit.post(&path, &json!({ "message": "yes" })).events().await;
    let names: Vec<&str> = events.iter().map(|event| event.event.as_str()).collect();
    assert!(
        names.contains(&"turn.resumed") && names.contains(&"gate.decided"),
        "{names:?}"
    );
    let end = events.last().map(|event| event.json()).unwrap_or_default();
    assert_eq!(
        (&end["turn"], &end["state"]),
        (&gate["turn"], &json!("finished")),
        "{end}"
    );
    assert_eq!(visit.tasks("").await, Vec::<Value>::new());
    Ok(())
}

pub(crate) async fn a_no_in_words_leaves_everything_as_it_was(visit: &Visit) -> Verdict {
    let (session, gate) = waiting(visit, &visit.own("buy milk")).await;
    let turn = visit.say(&session, "no").await;
    assert_eq!(
        (&turn["turn"], &turn["gates"][0]["state"]),
        (&gate["turn"], &json!("denied")),
        "{turn}"
    );
    assert_eq!(visit.tasks("&status=open").await.len(), 1);
    Ok(())
}

pub(crate) async fn another_message_leaves_the_gate_open(visit: &Visit) -> Verdict {
    let (session, gate) = waiting(visit, &visit.own("buy milk")).await;
    let other = visit.say(&session, "what is on my list?").await;
    assert!(
        other["turn"] != gate["turn"] && said(&other).contains(visit.mark()),
        "{other}"
    );
    let read = visit.get(&format!("/v1/sessions/{session}")).ok().await;
    assert_eq!(
        (&read["gates"][0]["gate"], &read["gates"][0]["state"]),
        (&gate["gate"], &json!("open")),
        "{read}"
    );
    Ok(())
}

pub(crate) async fn a_gate_is_decided_by_request_once(visit: &Visit) -> Verdict {
    let (session, gate) = waiting(visit, &visit.own("buy milk")).await;
    let decide = |decision: &str| visit.post(&path(&session, &gate), &json!({ "decision": decision }));
    let decided = decide("approve").ok().await;
    assert_eq!(
        (&decided["gate"]["state"], &decided["waiting"]),
        (&json!("approved"), &json!(false)),
        "{decided}"
    );
    assert_eq!(
        (&decided["turn"]["turn"], &decided["turn"]["state"]),
        (&gate["turn"], &json!("finished")),
        "{decided}"
    );
    assert_eq!(visit.tasks("").await, Vec::<Value>::new());
    let again = decide("approve").ok().await;
    assert_eq!(
        again["turn"], decided["turn"],
        "the same decision gets the same answer"
    );
    let problem = decide("deny").problem(409, "gate-decided").await;
    assert_eq!(problem["state"], "approved", "{problem}");
    let unknown = format!("/v1/sessions/{session}/gates/gate_00000000000000000000000000");
    visit
        .post(&unknown, &json!({ "decision": "deny" }))
        .problem(404, "unknown-gate")
        .await;
    Ok(())
}

pub(crate) async fn what_is_approved_may_be_edited_and_that_is_what_runs(visit: &Visit) -> Verdict {
    let (milk, eggs) = (visit.own("buy milk"), visit.own("buy eggs"));
    visit.task(&eggs).await;
    let (session, gate) = waiting(visit, &milk).await;
    let wrong = json!({ "decision": "approve", "arguments": { "tsk": eggs } });
    let refused = visit.post(&path(&session, &gate), &wrong).send().await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        refused.text
    );
    let edited = json!({ "decision": "approve", "arguments": { "task": eggs } });
    let decided = visit.post(&path(&session, &gate), &edited).ok().await;
    assert_eq!(decided["gate"]["decided"]["edited"], true, "{decided}");
    let left = visit.tasks("").await;
    assert_eq!((left.len(), &left[0]["title"]), (1, &json!(milk)), "{left:?}");
    Ok(())
}

pub(crate) async fn always_is_not_asked_again_in_the_session(visit: &Visit) -> Verdict {
    let (session, gate) = waiting(visit, &visit.own("buy milk")).await;
    assert_eq!(gate["allow_always"], true, "{gate}");
    visit
        .post(
            &path(&session, &gate),
            &json!({ "decision": "approve", "always": true }),
        )
        .ok()
        .await;
    let eggs = visit.own("buy eggs");
    visit.say(&session, &format!("add {eggs}")).await;
    visit.say(&session, &format!("delete {eggs}")).await;
    // Another session knows nothing of it.
    waiting(visit, &visit.own("buy bread")).await;
    Ok(())
}

pub(crate) async fn the_audit_tells_who_decided_what(visit: &Visit) -> Verdict {
    let (session, gate) = waiting(visit, &visit.own("buy milk")).await;
    let body = json!({ "decision": "approve", "comment": "fine with me" });
    let decided = visit.post(&path(&session, &gate), &body).ok().await;
    visit
        .post(&format!("/v1/sessions/{session}/undo"), &json!({}))
        .ok()
        .await;
    let audit = visit.get(&format!("/v1/sessions/{session}/audit")).ok().await;
    let entries = audit["data"].as_array().cloned().unwrap_or_default();
    let actions: Vec<&Value> = entries.iter().map(|entry| &entry["action"]).collect();
    assert_eq!(
        actions,
        [&json!("undone"), &json!("approved")],
        "the latest first: {audit}"
    );
    let approved = &entries[1];
    assert_eq!(
        (&approved["gate"], &approved["hash"]),
        (&gate["gate"], &gate["hash"]),
        "{audit}"
    );
    assert_eq!(
        (&approved["comment"], &approved["by"]),
        (&body["comment"], &decided["gate"]["decided"]["by"]),
        "{audit}"
    );
    Ok(())
}
