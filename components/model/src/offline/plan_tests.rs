use super::*;
use crate::{
    api::{Part, Role, ToolCall},
    offline::fixture::{NOW, tools},
};

/// What becomes of a message: `tool {arguments}`, `? request`, `tool needs argument`.
fn plan_after(history: &[Message], text: &str) -> Vec<String> {
    let now = Now::parse(NOW).unwrap();
    let tools = tools();
    let planned = Planner::new(&tools, history, &now).plan(text);
    planned
        .into_iter()
        .map(|planned| match planned {
            Planned::Call { tool, arguments } => format!("{} {arguments}", tools[tool].name),
            Planned::Incomplete { tool, missing } => format!("{} needs {missing}", tools[tool].name),
            Planned::Unknown(request) => format!("? {request}"),
        })
        .collect()
}

fn plan(text: &str) -> Vec<String> {
    plan_after(&[], text)
}

#[track_caller]
fn check(cases: &[(&str, &[&str])]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter(|(text, expected)| plan(text) != *expected)
        .map(|(text, expected)| format!("{text}\n  expected {expected:?}\n  found    {:?}", plan(text)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_stands_in_a_slot_becomes_the_argument() {
    check(&[
        ("add buy milk", &[r#"create_task {"title":"buy milk"}"#]),
        (
            "Add water the roses, please",
            &[r#"create_task {"title":"water the roses"}"#],
        ),
        (
            "could you add “call Bob & Sue” to my list?",
            &[r#"create_task {"title":"call Bob & Sue"}"#],
        ),
        (
            "remind me to buy milk and bread",
            &[r#"create_task {"title":"buy milk and bread"}"#],
        ),
        (
            "remind me about the dentist",
            &[r#"create_task {"title":"the dentist"}"#],
        ),
        ("put Käse on my list", &[r#"create_task {"title":"Käse"}"#]),
        ("done with the bread", &[r#"complete_task {"task":"bread"}"#]),
        ("done with my homework", &[r#"complete_task {"task":"homework"}"#]),
        ("mark buy milk as done", &[r#"complete_task {"task":"buy milk"}"#]),
        (
            "I've finished the tax return",
            &[r#"complete_task {"task":"tax return"}"#],
        ),
        ("complete task_01hq3", &[r#"complete_task {"task":"task_01hq3"}"#]),
        ("delete the old photos", &[r#"delete_task {"task":"old photos"}"#]),
        ("reopen the report", &[r#"reopen_task {"task":"report"}"#]),
        (
            "rename milk to soy milk",
            &[r#"edit_task {"task":"milk","title":"soy milk"}"#],
        ),
        (
            "rename \"buy milk\" to \"buy milk to go\"",
            &[r#"edit_task {"task":"buy milk","title":"buy milk to go"}"#],
        ),
    ]);
}

#[test]
fn dates_become_what_the_schema_wants_wherever_they_stand() {
    check(&[
        (
            "add buy milk for tomorrow",
            &[r#"create_task {"due":"2026-11-21","title":"buy milk"}"#],
        ),
        (
            "add buy milk tomorrow at the shop",
            &[r#"create_task {"due":"2026-11-21","title":"buy milk at the shop"}"#],
        ),
        (
            "tomorrow remind me to call Bob",
            &[r#"create_task {"due":"2026-11-21","title":"call Bob"}"#],
        ),
        (
            "add pay rent by next friday",
            &[r#"create_task {"due":"2026-11-27","title":"pay rent"}"#],
        ),
        (
            "add send the card in 3 days",
            &[r#"create_task {"due":"2026-11-23","title":"send the card"}"#],
        ),
        (
            "I have to pack by 12/24",
            &[r#"create_task {"due":"2026-12-24","title":"pack"}"#],
        ),
        (
            "add gifts due 24 December",
            &[r#"create_task {"due":"2026-12-24","title":"gifts"}"#],
        ),
        (
            "add the slides this week",
            &[r#"create_task {"due":"2026-11-22","title":"the slides"}"#],
        ),
        (
            "add “buy tomorrow's paper”",
            &[r#"create_task {"title":"buy tomorrow's paper"}"#],
        ),
        (
            "move the dentist to wednesday",
            &[r#"edit_task {"due":"2026-11-25","task":"dentist"}"#],
        ),
    ]);
}

#[test]
fn a_weekday_within_a_text_is_a_part_of_the_text() {
    // The second one ends with its day, the first one with what the day belongs to.
    check(&[
        (
            "create a task to plan the Friday party with Joe",
            &[r#"create_task {"title":"plan the Friday party with Joe"}"#],
        ),
        (
            "create a task to plan the party Friday",
            &[r#"create_task {"due":"2026-11-27","title":"plan the party"}"#],
        ),
    ]);
}

#[test]
fn values_of_an_enumeration_are_found_by_name_place_and_meaning() {
    check(&[
        (
            "add fix the roof with high priority",
            &[r#"create_task {"priority":"high","title":"fix the roof"}"#],
        ),
        (
            "add fix the roof, priority: low",
            &[r#"create_task {"priority":"low","title":"fix the roof"}"#],
        ),
        (
            "new task: call the bank, it's urgent",
            &[r#"create_task {"priority":"high","title":"call the bank"}"#],
        ),
        (
            "add call the bank asap",
            &[r#"create_task {"priority":"high","title":"call the bank"}"#],
        ),
        (
            "add buy high heels",
            &[r#"create_task {"title":"buy high heels"}"#],
        ),
        ("show my completed tasks", &[r#"list_tasks {"status":"done"}"#]),
        ("show high priority tasks", &[r#"list_tasks {"priority":"high"}"#]),
        (
            "set the priority of the report to high",
            &[r#"edit_task {"priority":"high","task":"report"}"#],
        ),
        (
            "make the garden urgent",
            &[r#"edit_task {"priority":"high","task":"garden"}"#],
        ),
    ]);
}

#[test]
fn tags_numbers_and_addresses_are_found_by_their_form() {
    check(&[
        (
            "add buy nails #home #garden",
            &[r#"create_task {"tags":["home","garden"],"title":"buy nails"}"#],
        ),
        ("show the next five meetings", &[r#"list_events {"limit":5}"#]),
        (
            "invite eve@example.org to a retrospective on Tuesday at 4pm",
            &[
                r#"create_event {"attendees":["eve@example.org"],"start":"2026-11-24T16:00:00-05:00","title":"retrospective"}"#,
            ],
        ),
        (
            "schedule dinner today at 19:00",
            &[r#"create_event {"start":"2026-11-20T19:00:00-05:00","title":"dinner"}"#],
        ),
        (
            "schedule a call in 2 hours",
            &[r#"create_event {"start":"2026-11-20T11:30:00-05:00","title":"a call"}"#],
        ),
    ]);
}

#[test]
fn ranges_fill_a_pair_of_dates_or_the_tools_own_words() {
    check(&[
        ("what is due next week?", &[r#"list_tasks {"due":"next week"}"#]),
        ("what's due tomorrow", &[r#"list_tasks {"due":"tomorrow"}"#]),
        ("what is overdue?", &[r#"list_tasks {"due":"overdue"}"#]),
        (
            "what do I have to do this week?",
            &[r#"list_tasks {"due":"this week"}"#],
        ),
        (
            "what is due on Friday?",
            &[r#"list_tasks {"due_from":"2026-11-27","due_to":"2026-11-27"}"#],
        ),
        (
            "what is due next month?",
            &[r#"list_tasks {"due_from":"2026-12-01","due_to":"2026-12-31"}"#],
        ),
        (
            "what is due before Tuesday?",
            &[r#"list_tasks {"due_to":"2026-11-23"}"#],
        ),
        (
            "what is due between 12/1 and 12/8",
            &[r#"list_tasks {"due_from":"2026-12-01","due_to":"2026-12-08"}"#],
        ),
        (
            "what is in my calendar next week?",
            &[r#"list_events {"from":"2026-11-23","to":"2026-11-29"}"#],
        ),
        ("what is in my calendar?", &["list_events {}"]),
    ]);
}

#[test]
fn constants_come_from_the_example_that_fits() {
    check(&[
        ("What have I finished?", &[r#"list_tasks {"status":"done"}"#]),
        ("show me my tasks", &["list_tasks {}"]),
        (
            "find tasks about the kitchen",
            &[r#"list_tasks {"text":"kitchen"}"#],
        ),
    ]);
}

#[test]
fn several_requests_in_one_message_become_several_calls() {
    check(&[
        (
            "add milk and done with the bread",
            &[
                r#"create_task {"title":"milk"}"#,
                r#"complete_task {"task":"bread"}"#,
            ],
        ),
        (
            "Add milk; add bread for tomorrow. Then show my tasks",
            &[
                r#"create_task {"title":"milk"}"#,
                r#"create_task {"due":"2026-11-21","title":"bread"}"#,
                "list_tasks {}",
            ],
        ),
        (
            "add milk, delete the report and then show my tasks",
            &[
                r#"create_task {"title":"milk"}"#,
                r#"delete_task {"task":"report"}"#,
                "list_tasks {}",
            ],
        ),
        (
            "add milk, bread and eggs",
            &[r#"create_task {"title":"milk, bread and eggs"}"#],
        ),
        (
            "remind me to call Dr. Smith",
            &[r#"create_task {"title":"call Dr. Smith"}"#],
        ),
        (
            "add milk. The weather is nice",
            &[r#"create_task {"title":"milk"}"#, "? The weather is nice"],
        ),
    ]);
}

#[test]
fn what_no_tool_explains_stays_unknown() {
    for text in [
        "hello there",
        "who won the world cup?",
        "tell me a joke about cats",
        "what is the weather like?",
        "is the sky blue today",
        "thanks, you are great",
        "I love you",
    ] {
        let planned = plan(text);
        assert!(
            planned.iter().all(|planned| planned.starts_with('?')),
            "{text}: {planned:?}"
        );
    }
    assert!(plan("").is_empty() && plan("  \n ").is_empty() && plan("please").is_empty());
}

#[test]
fn a_request_without_its_object_says_what_is_missing() {
    check(&[
        ("delete", &["delete_task needs task"]),
        ("remind me", &["create_task needs title"]),
    ]);
}

#[test]
fn a_pronoun_is_what_the_last_call_was_about() {
    let history = [Message {
        role: Role::Assistant,
        parts: vec![Part::ToolCall(ToolCall {
            id: "call_1".into(),
            name: "create_task".into(),
            arguments: r#"{"title":"buy milk","due":"2026-11-21"}"#.into(),
        })],
    }];
    assert_eq!(
        plan_after(&history, "done with it"),
        [r#"complete_task {"task":"buy milk"}"#]
    );
    assert_eq!(
        plan_after(&history, "delete that one"),
        [r#"delete_task {"task":"buy milk"}"#]
    );
    assert_eq!(
        plan_after(&history, "move it to monday"),
        [r#"edit_task {"due":"2026-11-23","task":"buy milk"}"#]
    );
    assert_eq!(plan("done with it"), [r#"complete_task {"task":"it"}"#]);
}

#[test]
fn any_text_can_be_planned() {
    let long = "add milk and ".repeat(400);
    for text in [
        "\u{0}",
        "“",
        "''' \"",
        "add",
        "add and and and",
        "12/12/12/12",
        "9999-99-99 add",
        "in 99999999 days add",
        &long,
    ] {
        plan(text);
    }
}
