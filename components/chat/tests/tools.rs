//! What a tool server is told, and how its answers are understood.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers included"
)]

mod support;

use std::cell::RefCell;
use std::rc::Rc;

use anyturn_chat::tools::Servers;
use anyturn_engine::port::{Caller, Checked, EffectClass, Invocation, ToolError, Tools};
use anyturn_engine::{RiskLevel, Stakes};
use http_body_util::Full;
use serde_json::{Value, json};
use support::World;

/// A tool server that gives this answer to everything (a `result` or an `error`), and what it was asked.
fn answers(world: &World, answer: Value) -> Rc<RefCell<Vec<Value>>> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let asked = seen.clone();
    world.on_send(move |request| {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let mut answer = answer.clone();
        answer["jsonrpc"] = json!("2.0");
        answer["id"] = body["id"].clone();
        asked.borrow_mut().push(body["params"].clone());
        Ok(http::Response::builder()
            .header("content-type", "application/json")
            .body(Full::new(answer.to_string().into()))
            .unwrap())
    });
    seen
}

fn result(meta: Value) -> Value {
    json!({"result": {"resultType": "complete", "content": [{"type": "text", "text": "Paid."}], "_meta": meta}})
}

fn caller() -> Caller {
    Caller {
        user: "ann".into(),
        roles: Vec::new(),
        session: "s".into(),
        timezone: None,
    }
}

fn invocation(not_after: u64) -> Invocation {
    Invocation {
        tool: "pay".into(),
        arguments: json!({"amount": 5}),
        idempotency_key: "k".into(),
        not_after,
    }
}

#[test]
fn a_call_carries_its_key_and_its_last_moment() {
    let world = World::new();
    let seen = answers(&world, result(json!({})));
    let servers = Servers::new(&world);
    for not_after in [1_763_614_805_000, 0] {
        let outcome = world.run(servers.call("bank", &caller(), invocation(not_after)));
        assert_eq!(outcome.unwrap().content, "Paid.");
    }
    let seen = seen.borrow();
    assert_eq!(seen[0]["_meta"]["anyturn.dev/idempotency-key"], "k");
    assert_eq!(seen[0]["_meta"]["anyturn.dev/not-after"], 1_763_614_805_000_u64);
    assert!(seen[0]["_meta"].get("anyturn.dev/check").is_none());
    assert!(
        seen[1]["_meta"].get("anyturn.dev/not-after").is_none(),
        "0 is none"
    );
}

#[test]
fn a_call_that_came_too_late_was_not_run_and_is_told_from_others() {
    let world = World::new();
    let late = json!({"error": {"code": 40_800, "message": "The call came too late."}});
    answers(&world, late);
    let refused = world.run(Servers::new(&world).call("bank", &caller(), invocation(1)));
    assert!(
        matches!(&refused, Err(ToolError::TooLate(reason)) if reason.contains("too late")),
        "{refused:?}"
    );
}

#[test]
fn a_check_asks_about_the_very_call_and_is_understood() {
    let world = World::new();
    let servers = Servers::new(&world);
    let check = |answer: Value| {
        let seen = answers(&world, answer);
        let found = world.run(servers.check("bank", &caller(), invocation(1_763_614_805_000)));
        let asked = seen.borrow()[0].clone();
        assert_eq!(
            (&asked["name"], &asked["arguments"]),
            (&json!("pay"), &json!({"amount": 5}))
        );
        assert_eq!(asked["_meta"]["anyturn.dev/check"], true);
        assert_eq!(asked["_meta"]["anyturn.dev/idempotency-key"], "k");
        found
    };
    match check(result(json!({"anyturn.dev/check": "recorded"}))).unwrap() {
        Checked::Happened(outcome) => assert_eq!(outcome.content, "Paid."),
        other => panic!("{other:?}"),
    }
    let not_found = check(result(json!({"anyturn.dev/check": "not-found"})));
    assert_eq!(not_found.unwrap(), Checked::NotHappened);
    // What does not answer the question is no answer to it.
    assert_eq!(check(result(json!({}))).unwrap(), Checked::Unknown);
    let refused = check(json!({"error": {"code": -32602, "message": "pay cannot tell"}}));
    assert!(matches!(refused, Err(ToolError::NotRun(_))), "{refused:?}");
}

#[test]
fn what_a_tool_announces_is_its_effect_class() {
    let world = World::new();
    let class = |annotations: Value, meta: Value| {
        let tool = json!({"name": "pay", "inputSchema": {"type": "object"}, "annotations": annotations, "_meta": meta});
        answers(
            &world,
            json!({"result": {"resultType": "complete", "tools": [tool]}}),
        );
        world
            .run(Servers::new(&world).list("bank", &caller()))
            .unwrap()
            .remove(0)
            .effect
            .class
    };
    let verifiable = || json!({"anyturn.dev/verifiable": true});
    assert_eq!(
        class(json!({"readOnlyHint": true}), verifiable()),
        EffectClass::Read
    );
    // Calling it again is as good as asking, and does what is missing.
    assert_eq!(
        class(json!({"idempotentHint": true}), verifiable()),
        EffectClass::Idempotent
    );
    assert_eq!(class(json!({}), verifiable()), EffectClass::Verifiable);
    assert_eq!(class(json!({}), json!({})), EffectClass::Unprotected);
}

#[test]
fn what_a_tool_says_of_its_risk_is_taken_over_and_what_nobody_knows_is_not() {
    let world = World::new();
    let stakes = |meta: Value| {
        let tool = json!({"name": "pay", "inputSchema": {"type": "object"}, "_meta": meta});
        answers(
            &world,
            json!({"result": {"resultType": "complete", "tools": [tool]}}),
        );
        let mut tools = world.run(Servers::new(&world).list("bank", &caller())).unwrap();
        tools.remove(0).stakes
    };
    let said =
        json!({"anyturn.dev/risk": "low", "anyturn.dev/counted": "ids", "anyturn.dev/confirm-above": 5});
    assert_eq!(
        stakes(said),
        Stakes {
            level: Some(RiskLevel::Low),
            counted: Some("ids".to_owned()),
            confirm_above: Some(5)
        }
    );
    assert_eq!(stakes(json!({"anyturn.dev/risk": "extreme"})), Stakes::default());
}
