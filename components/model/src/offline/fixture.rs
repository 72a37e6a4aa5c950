//! A to-do list's tools, as the tests' subject.

use crate::api::{Example, Tool};

/// Friday, 20 November 2026, in New York.
pub const NOW: &str = "2026-11-20T09:30:00-05:00";

const CREATE: &str = r#"{"type":"object","properties":{
    "title":{"type":"string"},
    "due":{"type":["string","null"],"format":"date"},
    "priority":{"type":["string","null"],"enum":["high","normal","low"]},
    "tags":{"type":"array","items":{"type":"string"}},
    "notes":{"type":["string","null"]}},"required":["title"]}"#;
const LIST: &str = r##"{"type":"object","$defs":{"S":{"oneOf":[{"const":"open","type":"string"},
    {"const":"done","type":"string"},{"const":"all","type":"string"}]}},"properties":{
    "status":{"anyOf":[{"$ref":"#/$defs/S"},{"type":"null"}]},
    "due":{"type":["string","null"],"enum":["overdue","today","tomorrow","this week","next week"]},
    "due_from":{"type":["string","null"],"format":"date"},
    "due_to":{"type":["string","null"],"format":"date"},
    "priority":{"type":["string","null"],"enum":["high","normal","low"]},
    "text":{"type":["string","null"]}}}"##;
const TASK: &str = r#"{"type":"object","properties":{"task":{"type":"string"}},"required":["task"]}"#;
const EDIT: &str = r#"{"type":"object","properties":{
    "task":{"type":"string"},"title":{"type":["string","null"]},
    "due":{"type":["string","null"],"format":"date"},
    "priority":{"type":["string","null"],"enum":["high","normal","low"]}},"required":["task"]}"#;
const EVENT: &str = r#"{"type":"object","properties":{
    "title":{"type":"string"},"start":{"type":"string","format":"date-time"},
    "end":{"type":["string","null"],"format":"date-time"},
    "attendees":{"type":"array","items":{"type":"string","format":"email"}},
    "minutes":{"type":["integer","null"]}},"required":["title","start"]}"#;
const EVENTS: &str = r#"{"type":"object","properties":{
    "from":{"type":"string","format":"date"},"to":{"type":"string","format":"date"},
    "limit":{"type":"integer"}}}"#;

/// A tool.
pub fn tool(name: &str, description: &str, parameters: &str, examples: &[(&str, &str)]) -> Tool {
    Tool {
        name: name.into(),
        description: description.into(),
        parameters: parameters.into(),
        examples: examples
            .iter()
            .map(|(utterance, arguments)| Example {
                utterance: (*utterance).into(),
                arguments: (*arguments).into(),
            })
            .collect(),
    }
}

/// Eight tools with about six examples each.
pub fn tools() -> Vec<Tool> {
    vec![
        tool(
            "create_task",
            "Adds a task to the list. Use it for things to do.",
            CREATE,
            &[
                (
                    "add buy milk for tomorrow",
                    r#"{"title":"buy milk","due":"tomorrow"}"#,
                ),
                (
                    "remind me to call the dentist on Monday",
                    r#"{"title":"call the dentist","due":"Monday"}"#,
                ),
                (
                    "new task: write the report, high priority",
                    r#"{"title":"write the report","priority":"high"}"#,
                ),
                (
                    "create a task to water the plants",
                    r#"{"title":"water the plants"}"#,
                ),
                ("put eggs on my list", r#"{"title":"eggs"}"#),
                (
                    "I have to renew my passport by 24 December",
                    r#"{"title":"renew my passport","due":"24 December"}"#,
                ),
            ],
        ),
        tool(
            "list_tasks",
            "Shows tasks.",
            LIST,
            &[
                ("what is due this week?", r#"{"due":"this week"}"#),
                ("show my tasks", "{}"),
                ("what do I have to do today?", r#"{"due":"today"}"#),
                ("what have I finished?", r#"{"status":"done"}"#),
                ("list everything that is overdue", r#"{"due":"overdue"}"#),
                ("find tasks about the garden", r#"{"text":"garden"}"#),
                ("show my open tasks", r#"{"status":"open"}"#),
                (
                    "what is due between 2026-12-01 and 2026-12-05?",
                    r#"{"due_from":"2026-12-01","due_to":"2026-12-05"}"#,
                ),
            ],
        ),
        tool(
            "complete_task",
            "Marks a task as done.",
            TASK,
            &[
                ("done with the milk", r#"{"task":"milk"}"#),
                ("mark the report as done", r#"{"task":"report"}"#),
                ("I finished the laundry", r#"{"task":"laundry"}"#),
                ("complete buy milk", r#"{"task":"buy milk"}"#),
                ("I have bought the milk", r#"{"task":"milk"}"#),
                ("check off the dentist", r#"{"task":"dentist"}"#),
            ],
        ),
        tool(
            "reopen_task",
            "Reopens a task.",
            TASK,
            &[
                ("reopen the report", r#"{"task":"report"}"#),
                ("the laundry is not done yet", r#"{"task":"laundry"}"#),
            ],
        ),
        tool(
            "edit_task",
            "Changes a task.",
            EDIT,
            &[
                (
                    "move the dentist to Friday",
                    r#"{"task":"dentist","due":"Friday"}"#,
                ),
                ("rename milk to oat milk", r#"{"task":"milk","title":"oat milk"}"#),
                (
                    "set the priority of the report to low",
                    r#"{"task":"report","priority":"low"}"#,
                ),
                ("make the report urgent", r#"{"task":"report","priority":"high"}"#),
            ],
        ),
        tool(
            "delete_task",
            "Deletes a task.",
            TASK,
            &[
                ("delete the milk", r#"{"task":"milk"}"#),
                ("remove the report from my list", r#"{"task":"report"}"#),
            ],
        ),
        tool(
            "create_event",
            "Puts a meeting into the calendar.",
            EVENT,
            &[
                (
                    "schedule lunch with Ann tomorrow at 12:30",
                    r#"{"title":"lunch with Ann","start":"tomorrow at 12:30"}"#,
                ),
                (
                    "invite bob@example.com to a review on Monday at 3pm",
                    r#"{"title":"review","start":"Monday at 3pm","attendees":["bob@example.com"]}"#,
                ),
            ],
        ),
        tool(
            "list_events",
            "Shows the calendar.",
            EVENTS,
            &[
                (
                    "what is in my calendar this week?",
                    r#"{"from":"2026-11-16","to":"2026-11-22"}"#,
                ),
                ("show the next 3 meetings", r#"{"limit":3}"#),
            ],
        ),
    ]
}
