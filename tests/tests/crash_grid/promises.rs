//! What must hold of every cell, whatever happened to the instances.

use anyturn_tests::cluster::{ASSISTANT, Cluster, Redis};
use anyturn_tests::effect_server::{Class, Effect};
use anyturn_tests::host::Host;
use anyturn_tests::journal;
use anyturn_tests::plan::{ASKS, Plan};
use serde_json::{Value, json};

use crate::cell::Ended;

/// Everything that an instance could change.
#[derive(Debug, PartialEq)]
pub struct Picture {
    pub journals: Vec<Vec<Value>>,
    pub effects: Vec<Effect>,
}

/// Looks at everything that an instance could change.
pub async fn picture(cluster: &Cluster<impl Redis>, ended: &[Ended]) -> Picture {
    let mut journals = Vec::new();
    for ended in ended {
        journals.push(journal_of(cluster, &ended.answer).await);
    }
    Picture {
        journals,
        effects: cluster.effects.effects(),
    }
}

async fn journal_of(cluster: &Cluster<impl Redis>, answer: &Value) -> Vec<Value> {
    let session = answer["session"].as_str().unwrap();
    journal::read(&cluster.redis.server(), "local", session).await
}

/// Asserts the promises of all cells, and tells all that are broken at once.
pub async fn kept(cluster: &Cluster<impl Redis>, host: &Host, ended: &[Ended]) {
    let mut broken = Vec::new();
    for one in ended {
        let label = one.cell.label();
        let journal = journal_of(cluster, &one.answer).await;
        let mut check = |holds: bool, promise: &str| {
            if !holds {
                broken.push(format!("{label}: {promise}\n    {}\n    {journal:?}", one.answer));
            }
        };
        check(one.answer["state"] == "finished", "the turn finishes");
        if let Err(problem) = journal::well_formed(&journal) {
            check(false, &problem);
        }
        let count = |kind: &str| {
            let of_kind = |entry: &&Value| journal::kind(entry) == kind;
            journal.iter().filter(of_kind).count()
        };
        check(count("turn-started") == 1, "the message is admitted once");
        check(count("turn-finished") == 1, "the turn ends once");
        effects(cluster, one, &mut check);
        let report = goes_on(host, one).await;
        check(
            report["turns"].as_array().is_some_and(|turns| turns.len() == 2),
            "the conversation has this turn and the next one, and no other",
        );
        check(
            report["turns"][0]["message"] == one.answer["message"],
            "the history says what the client was told",
        );
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What the tool did, against what its class promises and what the client was told.
fn effects(cluster: &Cluster<impl Redis>, ended: &Ended, check: &mut impl FnMut(bool, &str)) {
    let label = ended.cell.label();
    let count = cluster.effects.count(&label);
    let call = &ended.answer["tool_calls"][0];
    let unknown = call.to_string().contains("unknown whether");
    let said = &ended.answer["message"]["content"];
    match ended.cell.class {
        Class::Read => check(count >= 1, "what is read was read"),
        Class::Idempotent | Class::Verifiable => check(count == 1, &format!("done once, not {count} times")),
        Class::Unprotected => check(count <= 1, &format!("done at most once, not {count} times")),
    }
    if unknown {
        check(
            ended.cell.class == Class::Unprotected,
            "only what is unprotected stays unknown",
        );
        check(said == ASKS, "the user is told that it is unknown, and asked");
        check(
            call["is_error"] == json!(true),
            "a call that is unknown is no success",
        );
    } else {
        check(count >= 1, "what the client was told is done was done");
        check(
            *said == json!(ended.cell.plan.answer),
            "the answer is the one to this message",
        );
    }
}

/// Says something more, and reads the conversation.
async fn goes_on(host: &Host, ended: &Ended) -> Value {
    let session = ended.answer["session"].as_str().unwrap();
    let next = Plan {
        answer: "and on".to_owned(),
        ..Plan::default()
    };
    let response = host
        .post(
            &format!("/v1/sessions/{session}/turns"),
            &json!({ "message": next.message() }),
        )
        .send()
        .await
        .unwrap();
    let answer: Value = response.json().await.unwrap();
    assert_eq!(
        answer["message"]["content"],
        "and on",
        "{} with {ASSISTANT} goes on: {answer}",
        ended.cell.label()
    );
    let session = host.get(&format!("/v1/sessions/{session}")).send().await.unwrap();
    session.json().await.unwrap()
}
