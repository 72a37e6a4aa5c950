//! What was done can be taken back.

use serde_json::{Value, json};

use crate::Verdict;
use crate::promises::gates::waiting;
use crate::visit::{Visit, text};

pub(crate) async fn what_was_done_is_undone_once(visit: &Visit) -> Verdict {
    let milk = visit.own("buy milk");
    let (session, _) = waiting(visit, &milk).await;
    let deleted = visit.say(&session, "yes").await;
    let call = &deleted["tool_calls"][0];
    assert!(text(&call["undo"]["titles"][0]).contains(&milk), "{deleted}");
    assert_eq!(visit.tasks("").await, Vec::<Value>::new());

    let path = format!("/v1/sessions/{session}/undo");
    let undo = || visit.post(&path, &json!({ "call": call["id"] }));
    let undone = undo().ok().await;
    assert_eq!(
        (&undone["undo"]["call"], &undone["undo"]["items"][0]["undone"]),
        (&call["id"], &json!(true)),
        "{undone}"
    );
    let tasks = visit.tasks("").await;
    assert_eq!((tasks.len(), &tasks[0]["title"]), (1, &json!(milk)), "{tasks:?}");
    assert_eq!(
        undo().ok().await["turn"],
        undone["turn"],
        "the same call again is the same turn"
    );
    Ok(())
}

pub(crate) async fn undo_by_words_takes_back_at_once_what_was_just_made(visit: &Visit) -> Verdict {
    let milk = visit.own("buy milk");
    let (session, added) = visit.begin("tasks", &format!("add {milk}")).await;
    assert_eq!(visit.tasks("").await.len(), 1);
    let undone = visit.turn(&session, "undo that").await;
    assert_eq!(
        (&undone["state"], &undone["undo"]["call"]),
        (&json!("finished"), &added["tool_calls"][0]["id"]),
        "{undone}"
    );
    assert_eq!(visit.tasks("").await, Vec::<Value>::new());
    Ok(())
}

pub(crate) async fn where_there_is_nothing_to_undo_that_is_said(visit: &Visit) -> Verdict {
    let (session, _) = visit.begin("chat", "hello").await;
    visit
        .post(&format!("/v1/sessions/{session}/undo"), &json!({}))
        .problem(409, "nothing-to-undo")
        .await;
    Ok(())
}
