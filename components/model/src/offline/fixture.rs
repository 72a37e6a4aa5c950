//! The tools of a to-do list and of a calendar, as the tests' subject.

use crate::api::{Example, Tool};

/// Friday, 20 November 2026, in New York.
pub const NOW: &str = "2026-11-20T09:30:00-05:00";

const PRIORITY: &str = r#"{"oneOf":[{"const":"high","type":"string"},{"const":"normal","type":"string"},
    {"const":"low","type":"string"}]}"#;
const DUE_WORDS: &str = r#"{"enum":["overdue","today","tomorrow","this week","next week","this month",
    "no date"],"type":"string"}"#;
const DATE: &str = r#"{"type":["string","null"],"format":"date"}"#;
const TEXT: &str = r#"{"type":["string","null"]}"#;
const TEXTS: &str = r#"{"type":["array","null"],"items":{"type":"string"}}"#;

type Examples = &'static [(&'static str, &'static str)];

const ADD: Examples = &[
    (
        "add buy milk for tomorrow",
        r#"{"title":"buy milk","due":"tomorrow"}"#,
    ),
    ("add call the dentist", r#"{"title":"call the dentist"}"#),
    (
        "remind me to pay the rent on 2026-12-01",
        r#"{"title":"pay the rent","due":"2026-12-01"}"#,
    ),
    (
        "I need to water the plants by friday",
        r#"{"title":"water the plants","due":"friday"}"#,
    ),
    ("put wash the car on my list", r#"{"title":"wash the car"}"#),
    (
        "new task: finish the report, high priority, due next monday",
        r#"{"title":"finish the report","priority":"high","due":"next monday"}"#,
    ),
    (
        "create a low priority task to sort the photos",
        r#"{"priority":"low","title":"sort the photos"}"#,
    ),
    (
        "add \"book flights\" tagged travel",
        r#"{"title":"book flights","tags":["travel"]}"#,
    ),
];
const LIST: Examples = &[
    ("show my tasks", "{}"),
    ("what is on my list?", "{}"),
    ("what is due this week?", r#"{"due":"this week"}"#),
    ("which tasks are overdue?", r#"{"due":"overdue"}"#),
    ("what is due on 2026-12-01?", r#"{"due_on":"2026-12-01"}"#),
    ("show my done tasks", r#"{"status":"done"}"#),
    ("list the high priority tasks", r#"{"priority":"high"}"#),
    ("find tasks about milk", r#"{"text":"milk"}"#),
];
const COMPLETE: Examples = &[
    ("done with the milk", r#"{"task":"the milk"}"#),
    ("mark pay rent as done", r#"{"task":"pay rent"}"#),
    ("complete call the dentist", r#"{"task":"call the dentist"}"#),
    ("I have finished the report", r#"{"task":"the report"}"#),
    ("check off water the plants", r#"{"task":"water the plants"}"#),
    ("wash the car is done", r#"{"task":"wash the car"}"#),
];
const REOPEN: Examples = &[
    ("reopen buy milk", r#"{"task":"buy milk"}"#),
    ("pay rent is not done after all", r#"{"task":"pay rent"}"#),
    ("mark the report as not done", r#"{"task":"the report"}"#),
    (
        "I have not finished call the dentist",
        r#"{"task":"call the dentist"}"#,
    ),
    ("uncheck water the plants", r#"{"task":"water the plants"}"#),
];
const EDIT: Examples = &[
    (
        "rename buy milk to buy oat milk",
        r#"{"task":"buy milk","title":"buy oat milk"}"#,
    ),
    (
        "change the title of the report to write the annual report",
        r#"{"task":"the report","title":"write the annual report"}"#,
    ),
    (
        "add the note \"ask for Ann\" to call the dentist",
        r#"{"notes":"ask for Ann","task":"call the dentist"}"#,
    ),
    ("tag pay rent with home", r#"{"task":"pay rent","tags":["home"]}"#),
];
const PRIORITIZE: Examples = &[
    (
        "make pay rent high priority",
        r#"{"task":"pay rent","priority":"high"}"#,
    ),
    (
        "set the priority of the report to low",
        r#"{"task":"the report","priority":"low"}"#,
    ),
    (
        "buy milk has normal priority",
        r#"{"task":"buy milk","priority":"normal"}"#,
    ),
    (
        "give water the plants a low priority",
        r#"{"task":"water the plants","priority":"low"}"#,
    ),
];
const SET_DUE: Examples = &[
    ("move pay rent to friday", r#"{"task":"pay rent","due":"friday"}"#),
    (
        "the report is due 2026-12-01",
        r#"{"task":"the report","due":"2026-12-01"}"#,
    ),
    (
        "set the due date of call the dentist to next monday",
        r#"{"task":"call the dentist","due":"next monday"}"#,
    ),
    (
        "postpone buy milk until tomorrow",
        r#"{"task":"buy milk","due":"tomorrow"}"#,
    ),
    (
        "remove the due date of water the plants",
        r#"{"task":"water the plants"}"#,
    ),
];
const DELETE: Examples = &[
    ("delete buy milk", r#"{"task":"buy milk"}"#),
    ("remove pay rent from my list", r#"{"task":"pay rent"}"#),
    ("drop the report", r#"{"task":"the report"}"#),
    ("forget about call the dentist", r#"{"task":"call the dentist"}"#),
    (
        "cancel the task water the plants",
        r#"{"task":"water the plants"}"#,
    ),
];
const CREATE_EVENT: Examples = &[
    (
        "schedule lunch with Ann tomorrow at 12:30",
        r#"{"title":"lunch with Ann","start":"tomorrow at 12:30"}"#,
    ),
    (
        "invite bob@example.com to a review on Monday at 3pm",
        r#"{"title":"review","start":"Monday at 3pm","attendees":["bob@example.com"]}"#,
    ),
];
const LIST_EVENTS: Examples = &[
    (
        "what is in my calendar this week?",
        r#"{"from":"2026-11-16","to":"2026-11-22"}"#,
    ),
    ("show the next 3 meetings", r#"{"limit":3}"#),
];

/// A tool with these arguments, of which the first `required` are required.
fn tool(
    name: &str,
    description: &str,
    required: usize,
    arguments: &[(&str, &str)],
    examples: Examples,
) -> Tool {
    let properties: Vec<String> = arguments
        .iter()
        .map(|(name, schema)| format!("\"{name}\":{schema}"))
        .collect();
    let names: Vec<String> = arguments
        .iter()
        .take(required)
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    Tool {
        name: name.into(),
        description: description.into(),
        parameters: format!(
            r#"{{"type":"object","properties":{{{}}},"required":[{}],"additionalProperties":false}}"#,
            properties.join(","),
            names.join(",")
        ),
        examples: examples
            .iter()
            .map(|(utterance, arguments)| Example {
                utterance: (*utterance).into(),
                arguments: (*arguments).into(),
            })
            .collect(),
    }
}

/// Ten tools with two to eight examples each.
pub fn tools() -> Vec<Tool> {
    let optional = |schema: &str| format!(r#"{{"anyOf":[{schema},{{"type":"null"}}]}}"#);
    let (priority, due_words) = (optional(PRIORITY), optional(DUE_WORDS));
    let status = optional(r#"{"type":"string","enum":["open","done","all"]}"#);
    let task = r#"{"type":"string"}"#;
    let moment = r#"{"type":"string","format":"date-time"}"#;
    let emails = r#"{"type":"array","items":{"type":"string","format":"email"}}"#;
    let number = r#"{"type":["integer","null"]}"#;
    vec![
        tool(
            "add_task",
            "Adds a task to the user's to-do list. Use it for things to do.",
            1,
            &[
                ("title", task),
                ("due", DATE),
                ("priority", &priority),
                ("tags", TEXTS),
                ("notes", TEXT),
            ],
            ADD,
        ),
        tool(
            "list_tasks",
            "Lists the tasks of the to-do list.",
            0,
            &[
                ("status", &status),
                ("due", &due_words),
                ("due_on", DATE),
                ("due_from", DATE),
                ("due_to", DATE),
                ("priority", &priority),
                ("tag", TEXT),
                ("text", TEXT),
                ("limit", number),
                ("cursor", TEXT),
            ],
            LIST,
        ),
        tool(
            "complete_task",
            "Marks a task of the to-do list as done.",
            1,
            &[("task", task)],
            COMPLETE,
        ),
        tool(
            "reopen_task",
            "Puts a done task back on the to-do list.",
            1,
            &[("task", task)],
            REOPEN,
        ),
        tool(
            "edit_task",
            "Changes what a task says.",
            1,
            &[("task", task), ("title", TEXT), ("notes", TEXT), ("tags", TEXTS)],
            EDIT,
        ),
        tool(
            "prioritize_task",
            "Sets how much a task matters.",
            2,
            &[("task", task), ("priority", PRIORITY)],
            PRIORITIZE,
        ),
        tool(
            "set_due_date",
            "Sets the day by which a task is to be done, or removes it.",
            1,
            &[("task", task), ("due", DATE)],
            SET_DUE,
        ),
        tool(
            "delete_task",
            "Deletes a task from the to-do list.",
            1,
            &[("task", task)],
            DELETE,
        ),
        tool(
            "create_event",
            "Puts a meeting into the calendar.",
            2,
            &[
                ("title", task),
                ("start", moment),
                ("end", moment),
                ("attendees", emails),
            ],
            CREATE_EVENT,
        ),
        tool(
            "list_events",
            "Shows the calendar.",
            0,
            &[("from", DATE), ("to", DATE), ("limit", number)],
            LIST_EVENTS,
        ),
    ]
}
