//! Calls that are repeated, lost, or made at the same time.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is wrong should panic"
)]

mod support;

use anyturn_state::memory::Fault;
use futures::executor::block_on;
use serde_json::json;
use support::{DAY, Server};

#[test]
fn the_same_key_takes_effect_once_and_gets_the_same_answer() {
    let server = Server::new();
    let add = || server.call("ann", "key-1", "add_task", json!({"title": "milk"}));
    let first = add();
    assert_eq!(add(), first);
    assert_eq!(server.titles(json!({})), ["milk"]);
    for (key, tool, arguments) in [
        ("key-2", "complete_task", json!({"task": "milk"})),
        ("key-3", "delete_task", json!({"task": "milk"})),
        ("key-4", "restore_task", json!({"task": "milk"})),
    ] {
        let call = || server.call("ann", key, tool, arguments.clone());
        let first = call();
        assert!(!first.is_error, "{}", first.text);
        assert_eq!(call(), first);
    }
    let reused = server.call("ann", "key-1", "add_task", json!({"title": "bread"}));
    assert_eq!(
        (reused.is_error, reused.text.as_str()),
        (
            true,
            "This idempotency key was used for another call. Use a new key for a new call."
        )
    );
    // Another user's key is another key.
    assert!(
        !server
            .call("bob", "key-1", "add_task", json!({"title": "bread"}))
            .is_error
    );
    // After a day it is forgotten.
    server.wait(DAY + 2000);
    assert!(
        !server
            .call("ann", "key-1", "add_task", json!({"title": "bread"}))
            .is_error
    );
}

#[test]
fn a_call_whose_answer_was_lost_can_be_repeated() {
    let server = Server::new();
    server.store.fail(2, Fault::After);
    let lost = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        server.call("ann", "key-1", "add_task", json!({"title": "milk"}))
    }));
    assert!(lost.is_err(), "the store failed, so there is no result");
    server.store.heal();
    let said = server.call("ann", "key-1", "add_task", json!({"title": "milk"}));
    assert_eq!(said.text, "Added “milk”.");
    assert_eq!(server.titles(json!({})), ["milk"]);
}

#[test]
fn two_who_change_one_task_at_once_both_succeed() {
    let server = Server::new();
    let id = server.ann("add_task", json!({"title": "milk"})).id();
    let before = server.store.round_trips();
    let (first, second) = block_on(futures::future::join(
        server.call_async(
            "ann",
            "k1",
            "prioritize_task",
            json!({"task": id, "priority": "high"}),
        ),
        server.call_async(
            "ann",
            "k2",
            "set_due_date",
            json!({"task": "milk", "due": "today"}),
        ),
    ));
    assert!(!first.is_error && !second.is_error, "{first:?} {second:?}");
    // Four for two changes, and two more for the one that lost and started over.
    assert_eq!(server.store.round_trips() - before, 6);
    let list = server.ann("list_tasks", json!({}));
    let task = &list.structured["tasks"][0];
    assert_eq!(
        (&task["version"], &task["priority"], &task["due"]),
        (&json!(3), &json!("high"), &json!("2026-11-20"))
    );
}

#[test]
fn one_call_sent_twice_at_once_takes_effect_once() {
    let server = Server::new();
    let add = || server.call_async("ann", "k1", "add_task", json!({"title": "milk"}));
    let (first, second) = block_on(futures::future::join(add(), add()));
    assert_eq!(first, second);
    assert_eq!(server.titles(json!({})), ["milk"]);
}

#[test]
fn a_change_by_words_costs_two_round_trips() {
    let server = Server::new();
    server.ann("add_task", json!({"title": "milk"}));
    let before = server.store.round_trips();
    server.call("ann", "k1", "complete_task", json!({"task": "milk"}));
    assert_eq!(server.store.round_trips() - before, 2);
    server.call("ann", "k1", "complete_task", json!({"task": "milk"}));
    assert_eq!(server.store.round_trips() - before, 3);
}
