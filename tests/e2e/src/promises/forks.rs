//! Branching off, and editing what was said.

use http::StatusCode;
use serde_json::{Value, json};

use crate::Verdict;
use crate::visit::{Visit, text};

pub(crate) async fn an_edited_message_begins_another_session_and_leaves_the_old_one(
    visit: &Visit,
) -> Verdict {
    let (milk, oat) = (visit.own("buy milk"), visit.own("buy oat milk"));
    let (session, _) = visit.begin("tasks", "what is on my list?").await;
    let added = visit.say(&session, &format!("add {milk}")).await;
    let path = format!("/v1/sessions/{session}/fork");
    let body = json!({ "turn": added["turn"], "before": true, "message": format!("add {oat}") });
    let edited = visit.post(&path, &body).ok().await;
    assert_eq!(edited["state"], "finished", "{edited}");
    let other = text(&edited["session"]);
    assert_ne!(other, session);
    let inputs = |session: String| async move {
        let read = visit.get(&format!("/v1/sessions/{session}")).ok().await;
        let turns = read["turns"].as_array().cloned().unwrap_or_default();
        (
            turns.iter().map(|turn| text(&turn["input"])).collect::<Vec<_>>(),
            read,
        )
    };
    let (said, read) = inputs(other).await;
    assert_eq!(said, ["what is on my list?", &format!("add {oat}")], "{read}");
    assert_eq!(read["origin"]["session"], session.as_str(), "{read}");
    let (said, read) = inputs(session).await;
    assert_eq!(said, ["what is on my list?", &format!("add {milk}")], "{read}");
    Ok(())
}

pub(crate) async fn the_same_key_forks_once(visit: &Visit) -> Verdict {
    let (session, turn) = visit.begin("chat", "hello").await;
    let path = format!("/v1/sessions/{session}/fork");
    let mut forks = Vec::<Value>::new();
    for _ in 0..2 {
        let body = json!({ "turn": turn["turn"] });
        let answer = visit
            .post(&path, &body)
            .header("idempotency-key", visit.mark())
            .send()
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        let fork = answer.json();
        let place = format!("/v1/sessions/{}", text(&fork["session"]));
        assert_eq!(answer.header("location"), place);
        assert_eq!(
            visit.get(&place).ok().await["turns"].as_array().map(Vec::len),
            Some(1)
        );
        forks.push(fork["session"].clone());
    }
    assert_eq!(forks[0], forks[1]);
    Ok(())
}
