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
        ("add buy milk", &[r#"add_task {"title":"buy milk"}"#]),
        (
            "Add water the roses, please",
            &[r#"add_task {"title":"water the roses"}"#],
        ),
        (
            "could you put “call Bob & Sue” on my list?",
            &[r#"add_task {"title":"call Bob & Sue"}"#],
        ),
        (
            "remind me to buy milk and bread",
            &[r#"add_task {"title":"buy milk and bread"}"#],
        ),
        (
            "remind me about the dentist",
            &[r#"add_task {"title":"the dentist"}"#],
        ),
        ("put Käse on my list", &[r#"add_task {"title":"Käse"}"#]),
        ("done with the bread", &[r#"complete_task {"task":"the bread"}"#]),
        ("done with homework", &[r#"complete_task {"task":"homework"}"#]),
        ("mark buy milk as done", &[r#"complete_task {"task":"buy milk"}"#]),
        (
            "I've finished the tax return",
            &[r#"complete_task {"task":"the tax return"}"#],
        ),
        ("buy milk is done", &[r#"complete_task {"task":"buy milk"}"#]),
        ("complete task_01hq3", &[r#"complete_task {"task":"task_01hq3"}"#]),
        (
            "delete the old photos",
            &[r#"delete_task {"task":"the old photos"}"#],
        ),
        (
            "remove the old photos from my list",
            &[r#"delete_task {"task":"the old photos"}"#],
        ),
        ("reopen the report", &[r#"reopen_task {"task":"the report"}"#]),
        (
            "rename milk to soy milk",
            &[r#"edit_task {"task":"milk","title":"soy milk"}"#],
        ),
        (
            "rename \"buy milk\" to \"buy milk to go\"",
            &[r#"edit_task {"task":"buy milk","title":"buy milk to go"}"#],
        ),
        (
            "add the note “ring twice” to the parcel",
            &[r#"edit_task {"notes":"ring twice","task":"the parcel"}"#],
        ),
        (
            "remove the due date of the report",
            &[r#"set_due_date {"task":"the report"}"#],
        ),
    ]);
}

#[test]
fn dates_become_what_the_schema_wants_wherever_they_stand() {
    check(&[
        (
            "add buy milk for tomorrow",
            &[r#"add_task {"due":"2026-11-21","title":"buy milk"}"#],
        ),
        (
            "add buy milk tomorrow at the shop",
            &[r#"add_task {"due":"2026-11-21","title":"buy milk at the shop"}"#],
        ),
        (
            "tomorrow remind me to call Bob",
            &[r#"add_task {"due":"2026-11-21","title":"call Bob"}"#],
        ),
        ("remind me to call Bob", &[r#"add_task {"title":"call Bob"}"#]),
        (
            "add pay rent by next friday",
            &[r#"add_task {"due":"2026-11-27","title":"pay rent"}"#],
        ),
        (
            "add send the card in 3 days",
            &[r#"add_task {"due":"2026-11-23","title":"send the card"}"#],
        ),
        (
            "I need to pack by 12/24",
            &[r#"add_task {"due":"2026-12-24","title":"pack"}"#],
        ),
        (
            "add gifts due 24 December",
            &[r#"add_task {"due":"2026-12-24","title":"gifts"}"#],
        ),
        (
            "add the slides this week",
            &[r#"add_task {"due":"2026-11-22","title":"the slides"}"#],
        ),
        (
            "add “buy tomorrow's paper”",
            &[r#"add_task {"title":"buy tomorrow's paper"}"#],
        ),
        (
            "move the dentist to wednesday",
            &[r#"set_due_date {"due":"2026-11-25","task":"the dentist"}"#],
        ),
        (
            "the report is due tomorrow",
            &[r#"set_due_date {"due":"2026-11-21","task":"the report"}"#],
        ),
        (
            "postpone the report until next week",
            &[r#"set_due_date {"due":"2026-11-29","task":"the report"}"#],
        ),
    ]);
}

#[test]
fn a_weekday_within_a_text_is_a_part_of_the_text() {
    // The second one ends with its day, the first one with what the day belongs to.
    check(&[
        (
            "add plan the Friday party with Joe",
            &[r#"add_task {"title":"plan the Friday party with Joe"}"#],
        ),
        (
            "add plan the party Friday",
            &[r#"add_task {"due":"2026-11-27","title":"plan the party"}"#],
        ),
    ]);
}

#[test]
fn values_of_an_enumeration_are_found_by_name_place_and_meaning() {
    check(&[
        (
            "add fix the roof with high priority",
            &[r#"add_task {"priority":"high","title":"fix the roof"}"#],
        ),
        (
            "add fix the roof, priority: low",
            &[r#"add_task {"priority":"low","title":"fix the roof"}"#],
        ),
        (
            "new task: call the bank, it's urgent",
            &[r#"add_task {"priority":"high","title":"call the bank"}"#],
        ),
        (
            "add call the bank asap",
            &[r#"add_task {"priority":"high","title":"call the bank"}"#],
        ),
        (
            "create a high priority task to fix the roof",
            &[r#"add_task {"priority":"high","title":"fix the roof"}"#],
        ),
        ("add buy high heels", &[r#"add_task {"title":"buy high heels"}"#]),
        ("show my completed tasks", &[r#"list_tasks {"status":"done"}"#]),
        ("show high priority tasks", &[r#"list_tasks {"priority":"high"}"#]),
        (
            "set the priority of the report to high",
            &[r#"prioritize_task {"priority":"high","task":"the report"}"#],
        ),
        (
            "make the garden urgent",
            &[r#"prioritize_task {"priority":"high","task":"the garden"}"#],
        ),
        (
            "give the report a high priority",
            &[r#"prioritize_task {"priority":"high","task":"the report"}"#],
        ),
    ]);
}

#[test]
fn tags_numbers_and_addresses_are_found_by_their_form() {
    check(&[
        (
            "add buy nails #home #garden",
            &[r#"add_task {"tags":["home","garden"],"title":"buy nails"}"#],
        ),
        (
            "add buy nails tagged home and garden",
            &[r#"add_task {"tags":["home","garden"],"title":"buy nails"}"#],
        ),
        (
            "tag the report with work",
            &[r#"edit_task {"tags":["work"],"task":"the report"}"#],
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
        ("which tasks are overdue?", &[r#"list_tasks {"due":"overdue"}"#]),
        ("which tasks have no date?", &[r#"list_tasks {"due":"no date"}"#]),
        (
            "what is due on Friday?",
            &[r#"list_tasks {"due_on":"2026-11-27"}"#],
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
        (
            "what is in my calendar on Monday?",
            &[r#"list_events {"from":"2026-11-23","to":"2026-11-23"}"#],
        ),
        ("what is in my calendar?", &["list_events {}"]),
    ]);
}

#[test]
fn the_example_that_explains_most_decides() {
    check(&[
        ("What is on my list", &["list_tasks {}"]),
        ("show me my tasks", &["list_tasks {}"]),
        ("please show all my tasks", &[r#"list_tasks {"status":"all"}"#]),
        (
            "find tasks about the kitchen",
            &[r#"list_tasks {"text":"the kitchen"}"#],
        ),
    ]);
}

#[test]
fn a_negation_is_never_taken_for_a_part_of_the_object() {
    check(&[
        ("the milk is not done", &[r#"reopen_task {"task":"the milk"}"#]),
        (
            "mark the milk as not done",
            &[r#"reopen_task {"task":"the milk"}"#],
        ),
        (
            "I have not finished the report",
            &[r#"reopen_task {"task":"the report"}"#],
        ),
        (
            "add do not forget the keys",
            &[r#"add_task {"title":"do not forget the keys"}"#],
        ),
    ]);
}

#[test]
fn an_argument_that_most_examples_have_is_not_left_out() {
    // Without its day this would take the task's day away.
    check(&[
        ("postpone the report", &["set_due_date needs due"]),
        ("move the piano to the garage", &["set_due_date needs due"]),
        (
            "set the priority of the report",
            &["prioritize_task needs priority"],
        ),
    ]);
}

#[test]
fn several_requests_in_one_message_become_several_calls() {
    check(&[
        (
            "add milk and done with the bread",
            &[
                r#"add_task {"title":"milk"}"#,
                r#"complete_task {"task":"the bread"}"#,
            ],
        ),
        (
            "Add milk; add bread for tomorrow. Then show my tasks",
            &[
                r#"add_task {"title":"milk"}"#,
                r#"add_task {"due":"2026-11-21","title":"bread"}"#,
                "list_tasks {}",
            ],
        ),
        (
            "add milk, delete the report and then show my tasks",
            &[
                r#"add_task {"title":"milk"}"#,
                r#"delete_task {"task":"the report"}"#,
                "list_tasks {}",
            ],
        ),
        (
            "add milk, bread and eggs",
            &[r#"add_task {"title":"milk, bread and eggs"}"#],
        ),
        (
            "remind me to call Dr. Smith",
            &[r#"add_task {"title":"call Dr. Smith"}"#],
        ),
        (
            "add milk. The weather is nice",
            &[r#"add_task {"title":"milk"}"#, "? The weather is nice"],
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
        ("remind me", &["add_task needs title"]),
    ]);
}

#[test]
fn a_pronoun_is_what_the_last_call_was_about() {
    let history = [Message {
        role: Role::Assistant,
        parts: vec![Part::ToolCall(ToolCall {
            id: "call_1".into(),
            name: "add_task".into(),
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
        [r#"set_due_date {"due":"2026-11-23","task":"buy milk"}"#]
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

#[test]
fn a_number_belongs_to_the_argument_that_its_words_belong_to_in_the_examples() {
    let example = |utterance: &str, arguments: &str| crate::api::Example {
        utterance: utterance.into(),
        arguments: arguments.into(),
    };
    let tool = Tool {
        name: "split_bill".into(),
        description: "Splits a bill into equal shares".into(),
        parameters:
            r#"{"type":"object","properties":{"amount":{"type":"number"},"people":{"type":"integer"}},
            "required":["amount","people"]}"#
                .into(),
        examples: vec![
            example("split 60 between 3 people", r#"{"amount":60,"people":3}"#),
            example("the bill is 86 and we are 4", r#"{"amount":86,"people":4}"#),
            example(
                "what does each pay if 5 of us share $75?",
                r#"{"amount":75,"people":5}"#,
            ),
        ],
    };
    let tools = [tool];
    let now = Now::parse(NOW).unwrap();
    let mut wrong = Vec::new();
    for (text, amount, people) in [
        ("split 93.60 between 4 people", "93.6", "4"),
        ("the bill is 120 and we are 6", "120.0", "6"),
        // In another order than any example has.
        ("we are 6, the bill is 120", "120.0", "6"),
        ("we are 6 and the bill is $120", "120.0", "6"),
        ("split between 4 people 93.60", "93.6", "4"),
        ("what does each pay if we share $80, 4 of us?", "80.0", "4"),
    ] {
        let planned = Planner::new(&tools, &[], &now).plan(text);
        let expected = Planned::Call {
            tool: 0,
            arguments: format!(r#"{{"amount":{amount},"people":{people}}}"#),
        };
        if planned != [expected] {
            wrong.push(format!("{text}: {planned:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_time_after_the_clocks_are_changed_is_written_by_the_clock_of_then() {
    let now = Now::parse("2026-11-20T09:30:00-05:00[America/New_York]").unwrap();
    let tools = tools();
    let planned = Planner::new(&tools, &[], &now).plan("schedule dinner on April 1 at 19:00");
    let arguments = r#"{"start":"2027-04-01T19:00:00-04:00","title":"dinner"}"#;
    assert!(
        matches!(&planned[..], [Planned::Call { arguments: found, .. }] if found == arguments),
        "{planned:?}"
    );
}
