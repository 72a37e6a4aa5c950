//! The REST API, as a program uses it.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is wrong should panic"
)]

mod support;

use anyturn_state::memory::Fault;
use anyturn_tasks::openapi;
use serde_json::{Value, json};
use support::{Answer, Server};

fn create(server: &Server, body: Value) -> Value {
    let answer = server.rest("POST", "/tasks", &[], body);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body
}

fn path(task: &Value) -> String {
    format!("/tasks/{}", task["id"].as_str().unwrap())
}

/// The status, the kind and the detail of a problem.
fn problem(answer: &Answer) -> (u16, String, String) {
    assert_eq!(
        answer.header("content-type"),
        "application/problem+json",
        "{answer:?}"
    );
    assert_eq!(answer.body["status"], answer.status);
    let kind = answer.body["type"]
        .as_str()
        .unwrap()
        .strip_prefix("https://anyturn.dev/problems/")
        .unwrap();
    (
        answer.status,
        kind.to_owned(),
        answer.body["detail"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn a_task_lives_from_post_to_delete() {
    let server = Server::new();
    let created = server.rest(
        "POST",
        "/tasks",
        &[],
        json!({"title": "pay rent", "due": "2026-12-01", "priority": "high", "tags": ["Home"], "notes": "by card"}),
    );
    let task = &created.body;
    assert_eq!(created.status, 201);
    assert_eq!(created.header("etag"), "\"1\"");
    assert_eq!(created.header("location"), &path(task)[1..]);
    assert_eq!(
        *task,
        json!({
            "id": task["id"], "title": "pay rent", "status": "open", "due": "2026-12-01", "priority": "high",
            "tags": ["home"], "notes": "by card", "created_at": "2026-11-20T10:00:00Z",
            "updated_at": "2026-11-20T10:00:00Z", "version": 1,
        })
    );
    assert_eq!(server.rest("GET", &path(task), &[], Value::Null).body, *task);
    server.wait(1500);
    let patched = server.rest(
        "PATCH",
        &path(task),
        &[],
        json!({"due": null, "title": "pay the rent"}),
    );
    assert_eq!((patched.status, patched.header("etag")), (200, "\"2\""));
    assert_eq!(patched.body["title"], "pay the rent");
    assert!(patched.body.get("due").is_none());
    assert_eq!(patched.body["notes"], "by card");
    assert_eq!(patched.body["updated_at"], "2026-11-20T10:00:01.5Z");
    let done = server.rest("POST", &format!("{}/complete", path(task)), &[], Value::Null);
    assert_eq!((done.status, &done.body["status"]), (200, &json!("done")));
    assert_eq!(done.body["completed_at"], "2026-11-20T10:00:01.5Z");
    let open = server.rest("POST", &format!("{}/reopen", path(task)), &[], json!({}));
    assert_eq!((open.status, &open.body["status"]), (200, &json!("open")));
    let deleted = server.rest("DELETE", &path(task), &[], Value::Null);
    assert_eq!((deleted.status, &deleted.body), (204, &Value::Null));
    assert_eq!(problem(&server.rest("GET", &path(task), &[], Value::Null)).0, 404);
    assert_eq!(
        problem(&server.rest("DELETE", &path(task), &[], Value::Null)).1,
        "no-such-task"
    );
    let restored = server.rest("POST", &format!("{}/restore", path(task)), &[], Value::Null);
    assert_eq!((restored.status, &restored.body["version"]), (200, &json!(6)));
}

#[test]
fn both_ways_in_lead_to_the_same_list() {
    let server = Server::new();
    create(&server, json!({"title": "milk"}));
    assert_eq!(server.titles(json!({})), ["milk"]);
    server.ann("complete_task", json!({"task": "milk"}));
    let list = server.rest("GET", "/tasks?status=done", &[], Value::Null);
    assert_eq!(list.body["tasks"][0]["title"], "milk");
}

#[test]
fn a_list_is_filtered_and_paged_by_the_query() {
    let server = Server::new();
    for (title, due) in [
        ("a", "2026-11-20"),
        ("b", "2026-11-21"),
        ("c", "2026-11-25"),
        ("d", "2026-12-24"),
    ] {
        create(&server, json!({"title": title, "due": due, "tags": ["x y"]}));
    }
    let titles = |query: &str| -> Vec<String> {
        let answer = server.rest("GET", &format!("/tasks{query}"), &[], Value::Null);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| task["title"].as_str().unwrap().into())
            .collect()
    };
    assert_eq!(titles(""), ["a", "b", "c", "d"]);
    assert_eq!(titles("?due=this+week"), ["a", "b"]);
    assert_eq!(titles("?due=next%20week&priority=normal"), ["c"]);
    assert_eq!(
        titles("?due_from=2026-11-21&due_to=2026-11-25&tag=X+Y&q=C"),
        ["c"]
    );
    assert_eq!(titles("?status=done"), [""; 0]);
    let first = server.rest("GET", "/tasks?limit=3", &[], Value::Null).body;
    let cursor = first["next_cursor"].as_str().unwrap();
    // What happens in between neither repeats nor hides a task of the rest.
    server.ann("complete_task", json!({"task": "a"}));
    let rest = server
        .rest(
            "GET",
            &format!("/tasks?limit=3&cursor={cursor}"),
            &[],
            Value::Null,
        )
        .body;
    assert_eq!(rest["tasks"][0]["title"], "d");
    assert!(rest.get("next_cursor").is_none());
}

#[test]
fn a_query_that_is_wrong_names_the_parameter() {
    let server = Server::new();
    let answer = server.rest(
        "GET",
        "/tasks?status=closed&limit=0&due=soon&due_from=x&priority=&cursor=1&sort=asc&limit=5",
        &[],
        Value::Null,
    );
    assert_eq!(problem(&answer).0, 422);
    let fields: Vec<&str> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(
        fields,
        [
            "status", "limit", "due", "due_from", "priority", "cursor", "sort", "limit"
        ]
    );
    assert_eq!(
        answer.body["errors"][0]["message"],
        "must be one of: open, done, all."
    );
}

#[test]
fn a_body_that_is_wrong_names_the_field() {
    let server = Server::new();
    for (body, field, message) in [
        (json!({}), "title", "missing field `title`"),
        (
            json!({"title": "a", "owner": "bob"}),
            "owner",
            "unknown field `owner`",
        ),
        (json!({"title": ["a"]}), "title", "invalid type: sequence"),
        (
            json!({"title": "a", "due": "tomorrow"}),
            "due",
            "must be a day such as 2026-11-21, not “tomorrow”.",
        ),
        (
            json!({"title": "a", "due": "2026-02-30"}),
            "due",
            "must be a day such as 2026-11-21, not “2026-02-30”.",
        ),
        (
            json!({"title": "a", "due": "2026-11-21T10:00:00Z"}),
            "due",
            "must be a day such as 2026-11-21, not",
        ),
        (
            json!({"title": "a", "due": 5}),
            "due",
            "invalid type: integer `5`",
        ),
        (json!({"title": "a", "priority": 1}), "priority", ""),
        (json!({"title": "", "tags": [""]}), "title", "must not be empty."),
        (json!([]), "body", ""),
    ] {
        let answer = server.rest("POST", "/tasks", &[], body.clone());
        assert_eq!(problem(&answer).1, "invalid-fields", "{body}");
        assert_eq!(answer.status, 422);
        let error = &answer.body["errors"][0];
        assert_eq!(error["field"], field, "{body} {error}");
        assert!(error["message"].as_str().unwrap().starts_with(message), "{error}");
    }
    let both = server.rest("POST", "/tasks", &[], json!({"title": "", "tags": [""]}));
    assert_eq!(both.body["errors"].as_array().unwrap().len(), 2);
    let task = create(&server, json!({"title": "a"}));
    let answer = server.rest("PATCH", &path(&task), &[], json!({"status": "done"}));
    assert_eq!(answer.body["errors"][0]["field"], "status");
    let answer = server.rest(
        "POST",
        &format!("{}/complete", path(&task)),
        &[],
        json!({"force": true}),
    );
    assert_eq!(answer.body["errors"][0]["field"], "body");
}

#[test]
fn null_takes_away_what_a_task_can_be_without() {
    let server = Server::new();
    let nothing = json!({"title": "a", "due": null, "priority": null, "tags": null, "notes": null});
    let plain = create(&server, nothing.clone());
    assert_eq!((&plain["priority"], plain.get("due")), (&json!("normal"), None));
    let full = json!({"title": "a", "due": "2026-12-01", "priority": "high", "tags": ["b"], "notes": "c"});
    let full = create(&server, full);
    let mut taken = nothing;
    taken.as_object_mut().unwrap().remove("title");
    let answer = server.rest("PATCH", &path(&full), &[], taken);
    assert_eq!(answer.status, 200, "{answer:?}");
    for gone in ["due", "tags", "notes"] {
        assert_eq!(answer.body.get(gone), None);
    }
    assert_eq!(answer.body["priority"], "normal");
    let answer = server.rest("PATCH", &path(&full), &[], json!({"title": null}));
    assert_eq!(problem(&answer).1, "invalid-fields");
    assert_eq!(
        answer.body["errors"],
        json!([{"field": "title", "message": "must be text, not null: every task has a title."}])
    );
    let answer = server.rest("PATCH", &path(&full), &[], json!({"due": "soon"}));
    assert_eq!(
        answer.body["errors"][0]["message"],
        "must be a day such as 2026-11-21, not “soon”."
    );
}

#[test]
fn a_problem_names_the_request_it_is_about() {
    let server = Server::new();
    let named = [("x-request-id", "r-17")];
    for (method, path) in [
        ("GET", "/nowhere"),
        ("POST", "/tasks"),
        ("PUT", "/tasks"),
        ("GET", "/mcp"),
    ] {
        let answer = server.rest(method, path, &named, json!({}));
        assert!(answer.status >= 400);
        assert_eq!(answer.body["request_id"], "r-17", "{answer:?}");
    }
    let unnamed = server.rest("GET", "/nowhere", &[], Value::Null);
    assert_eq!(unnamed.body.get("request_id"), None);
}

#[test]
fn what_is_not_json_is_told_apart() {
    let server = Server::new();
    let send = |body: &'static [u8]| server.rest_raw("ann", "POST", "/tasks", &[], body);
    assert_eq!(problem(&send(b"{\"title\":")).1, "malformed");
    assert_eq!(problem(&send(b"\xff")).0, 400);
    assert_eq!(problem(&send(b"")).0, 400);
    let deep: &'static str = Box::leak(format!("{{\"title\":{}}}", "[".repeat(100_000)).into_boxed_str());
    assert!([400, 422].contains(&send(deep.as_bytes()).status));
    let form = server.rest_raw(
        "ann",
        "POST",
        "/tasks",
        &[("content-type", "text/plain")],
        "title=a",
    );
    assert_eq!(problem(&form).0, 415);
}

#[test]
fn a_change_is_made_to_the_version_that_was_seen_or_not_at_all() {
    let server = Server::new();
    let task = create(&server, json!({"title": "a"}));
    let patch = |tag: &str, title: &str| {
        server.rest(
            "PATCH",
            &path(&task),
            &[("if-match", tag)],
            json!({"title": title}),
        )
    };
    assert_eq!(patch("\"1\"", "b").status, 200);
    let stale = patch("\"1\"", "c");
    let expected = "The task was changed in the meantime: its version is 2.";
    assert_eq!(problem(&stale), (412, "other-version".into(), expected.into()));
    assert_eq!(patch("\"7\", \"2\"", "d").status, 200);
    assert_eq!(patch("*", "e").status, 200);
    // A weak tag never matches here (RFC 9110, 13.1.1).
    assert_eq!(patch("W/\"4\"", "f").status, 412);
    assert_eq!(patch("", "f").status, 400);
    let delete = server.rest("DELETE", &path(&task), &[("if-match", "\"1\"")], Value::Null);
    assert_eq!(delete.status, 412);
    let fresh = server.rest(
        "GET",
        &path(&task),
        &[("if-none-match", "\"3\", W/\"4\"")],
        Value::Null,
    );
    assert_eq!((fresh.status, fresh.header("etag")), (304, "\"4\""));
    assert_eq!(
        server
            .rest("GET", &path(&task), &[("if-none-match", "\"3\"")], Value::Null)
            .body["title"],
        "e"
    );
}

#[test]
fn a_request_with_a_key_takes_effect_once() {
    let server = Server::new();
    let key = [("idempotency-key", "k 1/x")];
    let post = |title: &str| server.rest("POST", "/tasks", &key, json!({"title": title}));
    let first = post("a");
    let again = post("a");
    assert_eq!(
        (first.status, &first.body, first.header("etag")),
        (again.status, &again.body, again.header("etag"))
    );
    assert_eq!(server.titles(json!({})), ["a"]);
    assert_eq!(problem(&post("b")).1, "idempotency-key-reused");
    let delete = || {
        server
            .rest(
                "DELETE",
                &path(&first.body),
                &[("idempotency-key", "k-2")],
                Value::Null,
            )
            .status
    };
    assert_eq!((delete(), delete()), (204, 204));
    let long = "k".repeat(241);
    assert_eq!(
        problem(&server.rest(
            "POST",
            "/tasks",
            &[("idempotency-key", &long)],
            json!({"title": "a"})
        ))
        .1,
        "bad-header"
    );
}

#[test]
fn nobody_sees_what_belongs_to_somebody_else() {
    let server = Server::new();
    let task = create(&server, json!({"title": "a"}));
    for (method, path) in [
        ("GET", path(&task)),
        ("PATCH", path(&task)),
        ("DELETE", path(&task)),
        ("POST", format!("{}/complete", path(&task))),
        ("POST", format!("{}/restore", path(&task))),
    ] {
        let body = if method == "PATCH" {
            "{\"title\":\"b\"}"
        } else {
            ""
        };
        assert_eq!(
            problem(&server.rest_raw("bob", method, &path, &[], body)).1,
            "no-such-task",
            "{method} {path}"
        );
    }
    assert_eq!(
        server.rest_raw("bob", "GET", "/tasks?status=all", &[], "").body["tasks"],
        json!([])
    );
    let nobody = server.rest_raw("", "GET", "/tasks", &[], "");
    assert_eq!(problem(&nobody).0, 401);
    assert!(problem(&nobody).2.contains("anyturn-user"));
}

#[test]
fn paths_and_methods_that_are_none_are_told() {
    let server = Server::new();
    let task = create(&server, json!({"title": "a"}));
    for path in [
        "/",
        "/task",
        "/tasksx",
        "/tasks/a/b/c",
        "/tasks//complete",
        "/mcp/x",
        "/openapi",
    ] {
        assert_eq!(
            problem(&server.rest("GET", path, &[], Value::Null)).1,
            "not-found",
            "{path}"
        );
    }
    for id in [
        "a",
        "task_x",
        "task_0000000000000000000000000%2F",
        "task_00000000000000000000000000",
    ] {
        assert_eq!(
            problem(&server.rest("GET", &format!("/tasks/{id}"), &[], Value::Null)).1,
            "no-such-task",
            "{id}"
        );
    }
    for (method, path, allow) in [
        ("PUT", "/tasks".to_owned(), "GET, HEAD, POST"),
        ("POST", path(&task), "GET, HEAD, PATCH, DELETE"),
        ("GET", format!("{}/complete", path(&task)), "POST"),
        ("POST", "/openapi.json".to_owned(), "GET, HEAD"),
        ("GET", "/mcp".to_owned(), "POST"),
        ("DELETE", "/mcp".to_owned(), "POST"),
    ] {
        let answer = server.rest(method, &path, &[], Value::Null);
        assert_eq!(
            (problem(&answer).0, answer.header("allow")),
            (405, allow),
            "{method} {path}"
        );
    }
    let head = server.rest("HEAD", &path(&task), &[], Value::Null);
    assert_eq!(
        (head.status, head.header("etag"), &head.body),
        (200, "\"1\"", &Value::Null)
    );
}

#[test]
fn a_store_that_is_down_is_503_and_loses_nothing() {
    let server = Server::new();
    create(&server, json!({"title": "a"}));
    for nth in 1..=2 {
        server.store.fail(nth, Fault::Before);
        let answer = server.rest("POST", "/tasks", &[], json!({"title": "b"}));
        assert_eq!(
            (problem(&answer).1.as_str(), answer.header("retry-after")),
            ("unavailable", "1")
        );
        server.store.heal();
    }
    assert_eq!(server.titles(json!({})), ["a"]);
}

#[test]
fn the_description_is_served() {
    let server = Server::new();
    let answer = server.rest_raw("", "GET", "/openapi.json", &[], "");
    assert_eq!((answer.status, &answer.body), (200, &openapi::generate()));
    // Every reference leads somewhere.
    let text = answer.body.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(answer.body.pointer(pointer).is_some(), "{pointer}");
    }
}
