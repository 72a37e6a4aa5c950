//! Calls that are repeated, lost, or made at the same time.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is wrong should panic"
)]

mod support;

use anyturn_state::memory::Fault;
use serde_json::{Value, json};
use support::{Server, both};

fn swim() -> Value {
    json!({"title": "Swim", "start": "2026-11-24T07:00"})
}

#[test]
fn the_same_key_takes_effect_once_and_gets_the_same_answer() {
    both(|server| {
        let made = server.call("ann", "key-1", "create_event", swim());
        assert_eq!(server.call("ann", "key-1", "create_event", swim()), made);
        for (key, tool, arguments) in [
            // By words, which do not fit any more when it was done.
            ("key-2", "update_event", json!({"event": "Swim", "title": "Run"})),
            ("key-3", "cancel_event", json!({"event": "Run"})),
            ("key-4", "restore_event", json!({"event": made.id()})),
            (
                "key-6",
                "create_event",
                json!({"title": "Plan", "start": "2026-11-24T09:00", "attendees": ["priya.nair@northwind.example"]}),
            ),
        ] {
            let call = || server.call("ann", key, tool, arguments.clone());
            let first = call();
            assert!(!first.is_error, "{}", first.text);
            assert_eq!(call(), first, "{tool}");
        }
        let titles = server.ann("list_events", json!({"day": "2026-11-24"})).titles();
        assert_eq!(
            titles
                .iter()
                .filter(|title| *title != "Stand-up")
                .collect::<Vec<_>>(),
            ["Run", "Plan"]
        );
        let reused = server.call(
            "ann",
            "key-1",
            "create_event",
            json!({"title": "Other", "start": "2026-11-24"}),
        );
        assert!(
            reused.is_error && reused.text.contains("idempotency key was used for another call"),
            "{reused:?}"
        );
        assert!(
            !server.call("bob", "key-1", "create_event", swim()).is_error,
            "another user's key is another one"
        );
    });
}

#[test]
fn a_call_whose_answer_was_lost_can_be_asked_about_and_repeated() {
    let server = Server::new();
    server.ann("list_events", json!({}));
    let check = || {
        let meta = json!({"anyturn.dev/idempotency-key": "key-1", "anyturn.dev/check": true});
        server.run(server.call_with("ann", meta, "create_event", swim()))["result"]["_meta"]["anyturn.dev/check"].clone()
    };
    assert_eq!(check(), "not-found");
    server.store.fail(2, Fault::After);
    let lost = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        server.call("ann", "key-1", "create_event", swim())
    }));
    assert!(lost.is_err(), "the store failed, so there is no result");
    server.store.heal();
    assert_eq!(check(), "recorded");
    assert!(!server.call("ann", "key-1", "create_event", swim()).is_error);
    assert_eq!(
        server.ann("list_events", json!({"text": "swim"})).titles(),
        ["Swim"]
    );
}

#[test]
fn a_call_that_comes_too_late_does_nothing() {
    both(|server| {
        server.ann("list_events", json!({}));
        let until = server.store.clock().now() + 10;
        server.store.clock().advance(11);
        let meta = json!({"anyturn.dev/idempotency-key": "key-1", "anyturn.dev/not-after": until});
        let body = server.run(server.call_with("ann", meta, "create_event", swim()));
        assert_eq!(body["error"]["code"], 40_800, "{body}");
        assert_eq!(
            server.ann("list_events", json!({"text": "swim"})).titles(),
            [""; 0]
        );
    });
}

#[test]
fn two_who_use_a_calendar_first_at_once_find_it_seeded_once() {
    let server = Server::new();
    let list = || server.call_async("ann", "", "list_events", json!({"day": "tomorrow"}));
    let (first, second) = server.run(futures::future::join(list(), list()));
    assert_eq!(first, second);
    assert_eq!(first.titles().len(), 3);
}

#[test]
fn two_who_change_one_event_at_once_both_succeed() {
    both(|server| {
        let id = server.ann("create_event", swim()).id();
        let (first, second) = server.run(futures::future::join(
            server.call_async("ann", "k1", "update_event", json!({"event": id, "title": "Run"})),
            server.call_async(
                "ann",
                "k2",
                "update_event",
                json!({"event": id, "location": "Lake"}),
            ),
        ));
        assert!(!first.is_error && !second.is_error, "{first:?} {second:?}");
        let event = server.ann("read_event", json!({"event": id}));
        assert_eq!(
            (&event.event()["title"], &event.event()["location"]),
            (&json!("Run"), &json!("Lake"))
        );
    });
}

#[test]
fn reading_a_day_costs_one_round_trip_and_a_change_by_id_three() {
    let server = Server::new();
    let id = server.ann("create_event", swim()).id();
    server.ann("list_events", json!({}));
    let before = server.store.round_trips();
    server.ann("list_events", json!({"day": "tomorrow"}));
    assert_eq!(server.store.round_trips() - before, 1);
    server.call("ann", "k1", "cancel_event", json!({"event": id}));
    assert_eq!(server.store.round_trips() - before, 4);
}
