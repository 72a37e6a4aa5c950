//! The tools, as a model calls them.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is wrong should panic"
)]

mod support;

use serde_json::{Value, json};
use support::{DAY, Server};

#[test]
fn adding_completing_and_reopening_tell_people_what_was_done() {
    let server = Server::new();
    let added = server.ann("add_task", json!({"title": " buy  milk ", "due": "tomorrow"}));
    assert_eq!(
        added.text,
        "Added “buy milk”, due tomorrow, Saturday, 21 November."
    );
    let task = added.task();
    assert_eq!(task["title"], "buy milk");
    assert_eq!(task["due"], "2026-11-21");
    assert_eq!(task["priority"], "normal");
    assert_eq!(task["created_at"], "2026-11-20T10:00:00Z");
    assert_eq!(task["version"], 1);
    let done = server.ann("complete_task", json!({"task": "the milk"}));
    assert_eq!(done.text, "Done: “buy milk”.");
    assert_eq!(done.task()["status"], "done");
    assert_eq!(done.task()["completed_at"], "2026-11-20T10:00:00Z");
    assert_eq!(server.titles(json!({})), [""; 0]);
    assert_eq!(server.titles(json!({"status": "done"})), ["buy milk"]);
    let reopened = server.ann("reopen_task", json!({"task": "milk"}));
    assert_eq!(reopened.text, "Reopened “buy milk”.");
    assert_eq!(reopened.task()["version"], 3);
    assert!(reopened.task().get("completed_at").is_none());
    assert_eq!(server.titles(json!({})), ["buy milk"]);
}

#[test]
fn every_field_can_be_given_and_changed() {
    let server = Server::new();
    let added = server.ann(
        "add_task",
        json!({"title": "report", "due": "2026-12-01", "priority": "high", "tags": ["#Work", "work", "q4"], "notes": "for Ann"}),
    );
    assert_eq!(
        added.text,
        "Added “report”, due Tuesday, 1 December, high priority, #work, #q4."
    );
    let moved = server.ann("set_due_date", json!({"task": "report", "due": "next monday"}));
    assert_eq!(moved.text, "“report” is now due Monday, 23 November.");
    let cleared = server.ann("set_due_date", json!({"task": "report"}));
    assert_eq!(cleared.text, "“report” has no due date any more.");
    assert_eq!(
        server
            .ann("set_due_date", json!({"task": "report", "due": null}))
            .text,
        "“report” had no due date."
    );
    let low = server.ann("prioritize_task", json!({"task": "report", "priority": "low"}));
    assert_eq!(low.text, "“report” now has low priority.");
    let edited = server.ann(
        "edit_task",
        json!({"task": "report", "title": "annual report", "tags": [], "notes": ""}),
    );
    assert_eq!(
        edited.text,
        "Changed “report”: it is now “annual report”; its notes are removed; its tags are removed."
    );
    let task = edited.task();
    assert_eq!(
        (&task["title"], &task["priority"]),
        (&json!("annual report"), &json!("low"))
    );
    assert!(task.get("tags").is_none() && task.get("notes").is_none() && task.get("due").is_none());
    assert_eq!(task["version"], 5);
}

#[test]
fn every_change_can_be_undone_by_the_call_it_names() {
    let server = Server::new();
    let draft = json!({"title": "a", "due": "2026-11-30", "priority": "high", "tags": ["x"], "notes": "n"});
    let added = server.ann("add_task", draft);
    let original = added.task().clone();
    let content = |task: &Value| {
        let mut task = task.clone();
        for key in ["version", "updated_at"] {
            task.as_object_mut().unwrap().remove(key);
        }
        task
    };
    // Tools that may destroy something do nothing but take back what was done here, and say so.
    let asks_nobody = |inverse: &Value| {
        let risky = ["delete_task", "edit_task"].contains(&inverse["tool"].as_str().unwrap());
        let hint = if risky { json!(false) } else { Value::Null };
        assert_eq!(
            inverse.get("destructiveHint").cloned().unwrap_or_default(),
            hint,
            "{inverse}"
        );
    };
    asks_nobody(&added.inverse);
    for (tool, arguments) in [
        ("complete_task", json!({})),
        ("set_due_date", json!({"due": "2027-01-01"})),
        ("set_due_date", json!({})),
        ("prioritize_task", json!({"priority": "low"})),
        (
            "edit_task",
            json!({"title": "b", "notes": "other", "tags": ["y"]}),
        ),
        ("delete_task", json!({})),
    ] {
        let mut arguments = arguments;
        arguments["task"] = json!("a");
        let said = server.ann(tool, arguments);
        assert!(!said.inverse["title"].as_str().unwrap().is_empty());
        asks_nobody(&said.inverse);
        let undone = server.undo(&said);
        asks_nobody(&undone.inverse);
        assert_eq!(content(undone.task()), content(&original), "{tool}");
        // Undoing can be undone as well.
        let again = server.undo(&undone);
        assert_eq!(again.text, server.undo(&server.undo(&again)).text, "{tool}");
        server.undo(&again);
    }
    server.undo(&added);
    assert_eq!(server.titles(json!({"status": "all"})), [""; 0]);
}

#[test]
fn a_list_is_filtered_in_every_respect() {
    let server = Server::new();
    for (title, due, priority, tag) in [
        ("late", Some("2026-11-18"), "normal", "home"),
        ("now", Some("2026-11-20"), "low", "home"),
        ("now first", Some("2026-11-20"), "high", "work"),
        ("sunday", Some("2026-11-22"), "normal", "work"),
        ("next", Some("2026-11-24"), "normal", "work"),
        ("far", Some("2027-05-01"), "high", "home"),
        ("some day", None, "normal", "work"),
    ] {
        server.ann(
            "add_task",
            json!({"title": title, "due": due, "priority": priority, "tags": [tag]}),
        );
    }
    server.ann("complete_task", json!({"task": "next"}));
    let all_open = ["late", "now first", "now", "sunday", "far", "some day"];
    assert_eq!(server.titles(json!({})), all_open);
    for (filter, titles) in [
        (json!({"status": "done"}), &["next"][..]),
        (json!({"due": "overdue"}), &["late"]),
        (json!({"due": "today"}), &["now first", "now"]),
        (json!({"due": "tomorrow"}), &[]),
        (
            json!({"due": "this week"}),
            &["late", "now first", "now", "sunday"],
        ),
        (
            json!({"due": "THIS_WEEK"}),
            &["late", "now first", "now", "sunday"],
        ),
        (json!({"due": "next week", "status": "all"}), &["next"]),
        (json!({"due": "this month", "priority": "low"}), &["now"]),
        (json!({"due": "no date"}), &["some day"]),
        (json!({"due_on": "sunday"}), &["sunday"]),
        (json!({"due_from": "2026-11-22"}), &["sunday", "far"]),
        (json!({"due_to": "today"}), &["late", "now first", "now"]),
        (json!({"due": "today", "due_from": "tomorrow"}), &[]),
        (json!({"due": "no date", "due_to": "today"}), &[]),
        (json!({"priority": "high"}), &["now first", "far"]),
        (json!({"tag": "#HOME"}), &["late", "now", "far"]),
        (json!({"text": "Now FIRST"}), &["now first"]),
        (
            json!({"text": "work", "status": "all"}),
            &["now first", "sunday", "some day", "next"],
        ),
    ] {
        assert_eq!(server.titles(filter.clone()), titles, "{filter}");
    }
    let said = server.ann("list_tasks", json!({"due": "today"}));
    assert_eq!(
        said.text,
        "2 open tasks due today:\n- “now first”, due today, Friday, 20 November, high priority, #work\n\
         - “now”, due today, Friday, 20 November, low priority, #home"
    );
    assert_eq!(
        server.ann("list_tasks", json!({"due": "tomorrow"})).text,
        "There are no open tasks due tomorrow."
    );
}

#[test]
fn a_long_list_comes_in_pages_without_gaps_or_repeats() {
    let server = Server::new();
    for number in 0..25 {
        server.ann("add_task", json!({"title": format!("task {number}"), "tags": [if number % 2 == 0 { "even" } else { "odd" }]}));
        server.wait(16_000);
    }
    for number in 0..7 {
        server.ann("complete_task", json!({"task": format!("task {number}")}));
        server.wait(1);
    }
    for filter in [
        json!({"status": "all"}),
        json!({"status": "all", "tag": "even"}),
        json!({"status": "open"}),
        json!({"status": "done"}),
    ] {
        let mut all = filter.clone();
        all["limit"] = json!(100);
        let expected = server.titles(all);
        for size in [1, 2, 3, 7, 18] {
            let mut seen = Vec::new();
            let mut cursor = Value::Null;
            loop {
                let mut page = filter.clone();
                page["limit"] = json!(size);
                page["cursor"] = cursor;
                let said = server.ann("list_tasks", page);
                let tasks = said.structured["tasks"].as_array().unwrap();
                seen.extend(
                    tasks
                        .iter()
                        .map(|task| task["title"].as_str().unwrap().to_owned()),
                );
                cursor = said.structured["next_cursor"].clone();
                assert_eq!(said.text.ends_with("There are more."), !cursor.is_null());
                if cursor.is_null() {
                    break;
                }
                assert_eq!(tasks.len(), size);
            }
            assert_eq!(seen, expected, "{filter} by {size}");
        }
    }
}

#[test]
fn a_list_of_thousands_is_read_with_few_round_trips() {
    let server = Server::new();
    for number in 0..1500 {
        server.ann("add_task", json!({"title": format!("number {number}")}));
    }
    let before = server.store.round_trips();
    assert_eq!(server.titles(json!({})).len(), 20);
    assert_eq!(server.store.round_trips() - before, 1);
    assert_eq!(server.titles(json!({"text": "1499"})), ["number 1499"]);
    assert_eq!(server.store.round_trips() - before, 3);
    server.ann("complete_task", json!({"task": "number 1499"}));
    // One that finds the list too long, two that read it, one that commits.
    assert_eq!(server.store.round_trips() - before, 7);
}

#[test]
fn what_is_not_clear_is_asked_back() {
    let server = Server::new();
    let first = server
        .ann("add_task", json!({"title": "write report", "due": "2026-11-21"}))
        .id();
    let second = server.ann("add_task", json!({"title": "send report"})).id();
    server.ann("add_task", json!({"title": "call the dentist"}));
    let text = server.refuses("complete_task", json!({"task": "report"}));
    assert_eq!(
        text,
        format!(
            "Several tasks fit “report”:\n- “write report” ({first}, due 2026-11-21)\n- “send report” ({second})\n\
             Say which one, by its id or by more of its title."
        )
    );
    assert_eq!(
        server.ann("complete_task", json!({"task": second})).text,
        "Done: “send report”."
    );
    assert_eq!(
        server.ann("complete_task", json!({"task": "report"})).text,
        "Done: “write report”."
    );
    let text = server.refuses("complete_task", json!({"task": "write report"}));
    assert_eq!(
        text,
        format!("There is no open task like “write report”. “write report” ({first}) is done already.")
    );
    let text = server.refuses("delete_task", json!({"task": "call the plumber"}));
    assert!(
        text.starts_with(
            "There is no task like “call the plumber”. These come near:\n- “call the dentist” ("
        ),
        "{text}"
    );
    let text = server.refuses(
        "complete_task",
        json!({"task": "task_00000000000000000000000000"}),
    );
    assert_eq!(
        text,
        "There is no task with the id task_00000000000000000000000000."
    );
    assert_eq!(
        server.ann("complete_task", json!({"task": first})).text,
        "“write report” was done already."
    );
}

#[test]
fn a_deleted_task_comes_back_within_thirty_days() {
    let server = Server::new();
    let id = server
        .ann("add_task", json!({"title": "milk", "due": "2026-11-30"}))
        .id();
    let deleted = server.ann("delete_task", json!({"task": "milk"}));
    assert_eq!(deleted.text, "Deleted “milk”. It can be restored for 30 days.");
    assert_eq!(server.titles(json!({"status": "all"})), [""; 0]);
    assert!(
        server
            .refuses("edit_task", json!({"task": id, "title": "x"}))
            .contains("no task with the id")
    );
    server.wait(29 * DAY);
    let restored = server.ann("restore_task", json!({"task": "milk"}));
    assert_eq!(restored.text, "Restored “milk”, due Monday, 30 November.");
    assert_eq!(restored.task()["version"], 3);
    server.ann("delete_task", json!({"task": "milk"}));
    server.wait(31 * DAY);
    // The next deletion sweeps up.
    server.ann("add_task", json!({"title": "bread"}));
    server.ann("delete_task", json!({"task": "bread"}));
    assert!(
        server
            .refuses("restore_task", json!({"task": id}))
            .contains("no task with the id")
    );
}

#[test]
fn arguments_that_do_not_fit_say_which_and_why() {
    let server = Server::new();
    for (tool, arguments, expected) in [
        (
            "add_task",
            json!({}),
            "The arguments of add_task do not fit: title: missing field `title`.",
        ),
        (
            "add_task",
            json!({"title": 5}),
            "title: invalid type: integer `5`, expected a string.",
        ),
        (
            "add_task",
            json!({"title": "a", "when": "now"}),
            "when: unknown field `when`, expected one of",
        ),
        ("add_task", json!({"title": " "}), "title must not be empty."),
        (
            "add_task",
            json!({"title": "x".repeat(201)}),
            "title must have at most 200 characters.",
        ),
        (
            "add_task",
            json!({"title": "a\u{7}"}),
            "title must not hold control characters.",
        ),
        (
            "add_task",
            json!({"title": "a", "due": "soonish"}),
            "“soonish” is no day that is understood here; write it as YYYY-MM-DD.",
        ),
        (
            "add_task",
            json!({"title": "a", "due": "0001-01-01"}),
            "due must lie in the years 1970 to 9999.",
        ),
        (
            "add_task",
            json!({"title": "a", "priority": "huge"}),
            "priority: unknown variant `huge`",
        ),
        (
            "add_task",
            json!({"title": "a", "tags": ["x".repeat(31)]}),
            "tags must have at most 30 characters.",
        ),
        (
            "add_task",
            json!({"title": "a", "tags": (0..11).map(|n| n.to_string()).collect::<Vec<_>>()}),
            "tags must be at most 10.",
        ),
        (
            "add_task",
            json!({"title": "a", "notes": "ä".repeat(2001)}),
            "notes must have at most 2000 characters.",
        ),
        (
            "add_task",
            json!({"title": "a", "notes": "😀".repeat(1500)}),
            "are too long together",
        ),
        (
            "edit_task",
            json!({"task": "a"}),
            "Say what to change: title, notes or tags.",
        ),
        (
            "list_tasks",
            json!({"due": "someday"}),
            "due: must be one of: overdue, today,",
        ),
        ("list_tasks", json!({"limit": 0}), "limit must be from 1 to 100."),
        (
            "list_tasks",
            json!({"cursor": "x"}),
            "cursor must be the next_cursor",
        ),
        (
            "list_tasks",
            json!({"due_on": "never"}),
            "due_on: “never” is no day",
        ),
    ] {
        let text = server.refuses(tool, arguments);
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(server.titles(json!({"status": "all"})), [""; 0]);
}

#[test]
fn everybody_has_a_list_of_their_own() {
    let server = Server::new();
    let id = server.ann("add_task", json!({"title": "ann's"})).id();
    // A user whose name is written like the way to Ann's list.
    for other in ["bob", "x/../user/ann", "ann=", "Ann"] {
        let list = server.call(other, "", "list_tasks", json!({}));
        assert_eq!(list.structured["tasks"], json!([]), "{other}");
        assert!(
            server
                .call(other, "", "complete_task", json!({"task": id}))
                .is_error
        );
    }
    assert_eq!(server.titles(json!({})), ["ann's"]);
}
