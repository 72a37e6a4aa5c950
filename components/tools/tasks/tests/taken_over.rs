//! A turn that changes hands: late calls change nothing, and every change can be asked about.

mod support;

use futures::executor::block_on;
use serde_json::{Value, json};
use support::Server;

/// Every tool that changes something, with arguments that change "buy milk" (or "old", which is done, or "gone",
/// which is deleted).
fn changes() -> [(&'static str, Value); 8] {
    [
        ("add_task", json!({"title": "new"})),
        ("complete_task", json!({"task": "milk"})),
        ("reopen_task", json!({"task": "old"})),
        ("edit_task", json!({"task": "milk", "title": "buy oat milk"})),
        ("prioritize_task", json!({"task": "milk", "priority": "high"})),
        ("set_due_date", json!({"task": "milk", "due": "2026-12-01"})),
        ("delete_task", json!({"task": "milk"})),
        ("restore_task", json!({"task": "gone"})),
    ]
}

fn server() -> Server {
    let server = Server::new();
    for title in ["buy milk", "old", "gone"] {
        server.ann("add_task", json!({"title": title}));
    }
    server.ann("complete_task", json!({"task": "old"}));
    server.ann("delete_task", json!({"task": "gone"}));
    server
}

/// Everything that the user has.
fn everything(server: &Server) -> Value {
    let mut all = Vec::new();
    for status in ["open", "done"] {
        all.push(server.ann("list_tasks", json!({"status": status})).structured);
    }
    json!(all)
}

#[test]
fn no_change_comes_late() {
    for (tool, arguments) in changes() {
        let server = server();
        let until = server.store.clock().now() + 10;
        let before = everything(&server);
        server.wait(11);
        let meta = json!({"anyturn.dev/not-after": until, "anyturn.dev/idempotency-key": "k"});
        let body = block_on(server.call_with("ann", meta, tool, arguments));
        assert_eq!(body["error"]["code"], 40_800, "{tool}: {body}");
        assert_eq!(
            body["error"]["data"],
            json!({"notAfter": until, "now": until + 1}),
            "{tool}"
        );
        assert_eq!(everything(&server), before, "{tool}");
    }
}

#[test]
fn every_change_can_be_asked_about() {
    for (tool, arguments) in changes() {
        let server = server();
        let before = everything(&server);
        let check = || {
            let meta = json!({"anyturn.dev/check": true, "anyturn.dev/idempotency-key": "k"});
            block_on(server.call_with("ann", meta, tool, arguments.clone()))["result"].clone()
        };
        assert_eq!(check()["_meta"]["anyturn.dev/check"], "not-found", "{tool}");
        assert_eq!(everything(&server), before, "asking {tool} changed something");
        let said = server.call("ann", "k", tool, arguments.clone());
        assert!(!said.is_error, "{tool}: {}", said.text);
        let after = everything(&server);
        assert_ne!(after, before, "{tool}");
        let found = check();
        assert_eq!(found["_meta"]["anyturn.dev/check"], "recorded", "{tool}");
        assert_eq!(found["content"][0]["text"], said.text, "{tool}");
        assert_eq!(found["_meta"]["anyturn.dev/inverse"], said.inverse, "{tool}");
        assert_eq!(found["structuredContent"], said.structured, "{tool}");
        assert_eq!(everything(&server), after, "asking {tool} changed something");
        // A user's calls are the user's own.
        let meta = json!({"anyturn.dev/check": true, "anyturn.dev/idempotency-key": "k"});
        let theirs = block_on(server.call_with("bob", meta, tool, arguments.clone()));
        assert_eq!(
            theirs["result"]["_meta"]["anyturn.dev/check"], "not-found",
            "{tool}"
        );
    }
}

#[test]
fn a_list_is_read_however_late() {
    let server = server();
    let meta = json!({"anyturn.dev/not-after": 1});
    let body = block_on(server.call_with("ann", meta, "list_tasks", json!({})));
    assert_eq!(body["result"]["isError"], false, "{body}");
}
