use super::*;
use crate::api::{Example, Options, Part, Role, ToolCall, ToolChoice, ToolResult};
use crate::offline::fixture::NOW;

fn tool(name: &str, description: &str, parameters: Value, examples: &[(&str, Value)]) -> Tool {
    Tool {
        name: name.into(),
        description: description.into(),
        parameters: parameters.to_string(),
        examples: examples
            .iter()
            .map(|(utterance, arguments)| Example {
                utterance: (*utterance).into(),
                arguments: arguments.to_string(),
            })
            .collect(),
    }
}

fn agent(name: &str, description: &str, examples: &[&str]) -> Tool {
    let examples: Vec<(&str, Value)> = examples
        .iter()
        .map(|text| (*text, json!({ "command": text })))
        .collect();
    tool(
        name,
        description,
        json!({"type": "object", "properties": {"command": {"type": "string"}}}),
        &examples,
    )
}

fn agents() -> Vec<Tool> {
    vec![
        agent(
            "letters",
            "Letters: Finds and sends letters.",
            &["find letters from Ann", "archive all ads", "forward it to Ann"],
        ),
        agent(
            "diary",
            "Diary: Keeps dates.",
            &["what's on tomorrow?", "schedule lunch with Ann on Friday"],
        ),
        agent(
            "people",
            "People: Knows addresses.",
            &["what is the email address of Ann?", "who is Ann?"],
        ),
    ]
}

/// Tools of a letter box, which a planner has never heard of.
fn letters() -> Vec<Tool> {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let object = |properties: Value, required: &[&str]| json!({"type": "object", "properties": properties, "required": required});
    vec![
        tool(
            "look",
            "Finds letters.",
            object(
                json!({"from": text, "kind": {"enum": ["ads", "bills"]}, "when": {"enum": ["today", "this week"]}}),
                &[],
            ),
            &[
                (
                    "find letters from Sarah this week",
                    json!({"from": "Sarah", "when": "this week"}),
                ),
                ("what ads came today?", json!({"kind": "ads", "when": "today"})),
            ],
        ),
        tool(
            "shelve",
            "Archives letters.",
            object(json!({"ids": texts}), &["ids"]),
            &[
                ("archive L-000001", json!({"ids": ["L-000001"]})),
                (
                    "archive the letters L-000001 and L-000002",
                    json!({"ids": ["L-000001", "L-000002"]}),
                ),
            ],
        ),
        tool(
            "answer",
            "Answers a letter.",
            object(json!({"id": text, "body": text}), &["id", "body"]),
            &[(
                "reply to L-000001 saying \"Thanks.\"",
                json!({"id": "L-000001", "body": "Thanks."}),
            )],
        ),
        tool(
            "pass_on",
            "Passes a letter on.",
            object(json!({"id": text, "to": texts}), &["id", "to"]),
            &[(
                "forward L-000001 to ann@x.example",
                json!({"id": "L-000001", "to": ["ann@x.example"]}),
            )],
        ),
    ]
}

fn said(role: Role, part: Part) -> Message {
    Message {
        role,
        parts: vec![part],
    }
}

fn ask(purpose: &str, text: &str, after: Vec<Message>, tools: &[Tool]) -> Answer {
    let now = Now::parse(NOW).unwrap();
    let request = Request {
        purpose: purpose.into(),
        messages: Vec::new(),
        tools: tools.to_vec(),
        tool_choice: ToolChoice::Auto,
        options: Options {
            model: None,
            temperature: None,
            top_p: None,
            max_output_tokens: None,
            stop: Vec::new(),
            response_schema: None,
            seed: None,
        },
        local_time: Some(NOW.into()),
        user: None,
    };
    answer(&request, text, &after, tools, &now).unwrap()
}

/// A call that was made, and what came of it.
fn made(name: &str, arguments: Value, text: &str, data: Value) -> Vec<Message> {
    let call = ToolCall {
        id: "c".into(),
        name: name.into(),
        arguments: arguments.to_string(),
    };
    let result = ToolResult {
        call_id: "c".into(),
        content: format!("{text}\n\nData: {data}"),
        is_error: false,
    };
    vec![
        said(Role::Assistant, Part::ToolCall(call)),
        said(Role::Tool, Part::ToolResult(result)),
    ]
}

fn calls(answer: &Answer) -> Vec<(&str, Value)> {
    let read =
        |(name, arguments): &'_ (String, String)| (name.clone(), serde_json::from_str(arguments).unwrap());
    answer
        .calls
        .iter()
        .zip(answer.calls.iter().map(read))
        .map(|((name, _), (_, value))| (name.as_str(), value))
        .collect()
}

#[test]
fn each_part_of_a_message_goes_to_the_agent_that_knows_its_words() {
    let understood = |text| ask("understand", text, Vec::new(), &agents());
    assert_eq!(
        calls(&understood("Archive all ads from today")),
        [("letters", json!({"command": "Archive all ads from today"}))]
    );
    assert_eq!(
        calls(&understood("what's on tomorrow and who is coming?")).len(),
        1
    );
    assert_eq!(
        calls(&understood(
            "find letters from Ann and then schedule lunch with her on Friday"
        )),
        [
            ("letters", json!({"command": "find letters from Ann"})),
            (
                "diary",
                json!({"command": "schedule lunch with her on Friday", "after": [1]})
            )
        ]
    );
    assert_eq!(
        calls(&understood(
            "# What you noted before\n\nletters\n\n# Message\n\nwho is Tom?"
        )),
        [("people", json!({"command": "who is Tom?"}))]
    );
    assert_eq!(understood("thanks a lot!"), Answer::default());
}

#[test]
fn what_is_described_is_searched_for_and_then_all_of_it_is_meant() {
    let tools = letters();
    let command = "# Command\n\nArchive all ads from today";
    let first = ask("interpret", command, Vec::new(), &tools);
    assert_eq!(calls(&first), [("look", json!({"kind": "ads", "when": "today"}))]);
    let ids: Vec<String> = (0..23).map(|n| format!("L-10000{n}")).collect();
    let found = made(
        "look",
        json!({"kind": "ads", "when": "today"}),
        "23 ads came today",
        json!({"letters": [{"id": "L-100000"}], "ids": ids}),
    );
    let second = ask("reassess", command, found.clone(), &tools);
    assert_eq!(second.text, "23 ads came today");
    assert_eq!(calls(&second), [("shelve", json!({ "ids": ids }))]);
    let mut done = found;
    done.extend(made(
        "shelve",
        json!({ "ids": ids }),
        "23 letters are archived",
        json!({"ids": ids}),
    ));
    assert_eq!(
        ask("reassess", command, done, &tools),
        Answer::say("23 letters are archived")
    );
    // Nothing is found, and nothing done.
    let none = made(
        "look",
        json!({"kind": "ads", "when": "today"}),
        "No ads",
        json!({"letters": [], "ids": []}),
    );
    assert_eq!(
        ask("reassess", command, none, &tools),
        Answer::say("There is nothing like that.")
    );
}

const LISTED: &str = "# Working data\nWhat your tools have answered before.\n\nLook:\n{\"letters\":[{\"id\":\"L-000007\",\"from\":{\"name\":\"Sarah Chen\",\"address\":\"sarah@x.example\"}},{\"id\":\"L-000008\"}]}\n\n";

#[test]
fn what_was_listed_before_is_known_by_its_place() {
    let tools = letters();
    let reply = ask(
        "interpret",
        &format!("{LISTED}# Command\n\nreply to the second one saying I will be there"),
        Vec::new(),
        &tools,
    );
    assert_eq!(
        calls(&reply),
        [("answer", json!({"id": "L-000008", "body": "I will be there"}))]
    );
    let those = ask(
        "interpret",
        &format!("{LISTED}# Command\n\narchive those"),
        Vec::new(),
        &tools,
    );
    assert_eq!(
        calls(&those),
        [("shelve", json!({"ids": ["L-000007", "L-000008"]}))]
    );
    let forward = ask(
        "interpret",
        &format!("{LISTED}# Command\n\nforward the first one to sarah"),
        Vec::new(),
        &tools,
    );
    assert_eq!(
        calls(&forward),
        [("pass_on", json!({"id": "L-000007", "to": ["sarah@x.example"]}))]
    );
    let which = ask(
        "interpret",
        &format!("{LISTED}# Command\n\nforward it to sarah"),
        Vec::new(),
        &tools,
    );
    assert!(
        which.text.contains("Which of the 2") && which.calls.is_empty(),
        "{which:?}"
    );
    let nothing = ask("interpret", "# Command\n\narchive those", Vec::new(), &tools);
    assert!(nothing.text.contains("List them first"), "{nothing:?}");
}

#[test]
fn what_an_agent_lacks_another_one_is_asked_for() {
    let tools = letters();
    let asked = format!("{LISTED}# Command\n\nforward the first one to marcus");
    let lacks = ask("interpret", &asked, Vec::new(), &tools);
    assert_eq!(
        lacks,
        Answer::say("I need to know: what is the email address of marcus?")
    );
    let report = format!(
        "forward it\n\n# What was done for this message\n\n1. Letters: forward the first one to marcus\nAnswer: {}",
        lacks.text
    );
    let more = ask("update", &report, Vec::new(), &agents());
    assert_eq!(
        calls(&more),
        [
            (
                "people",
                json!({"command": "what is the email address of marcus?"})
            ),
            (
                "letters",
                json!({"command": "forward the first one to marcus", "after": [1]})
            )
        ]
    );
    let told = "# What other agents have answered\n\nPeople: what is the email address of marcus?\nAnswer: Marcus Webb: marcus@x.example\n\n";
    let (listed, command) = asked.split_at(LISTED.len());
    let knows = ask(
        "interpret",
        &format!("{listed}{told}{command}"),
        Vec::new(),
        &tools,
    );
    assert_eq!(
        calls(&knows),
        [("pass_on", json!({"id": "L-000007", "to": ["marcus@x.example"]}))]
    );
    // Nobody is asked twice.
    let again =
        format!("{report}\n\n2. People: what is the email address of marcus?\nAnswer: Nobody is called so.");
    assert_eq!(
        ask("update", &again, Vec::new(), &agents()),
        Answer::say("Nobody is called so.")
    );
}

#[test]
fn a_reply_passes_answers_on_and_asks_what_waits() {
    let report = "hi\n\n# What was done for this message\n\n1. Letters: archive all ads\nAnswer: 2 ads came today:\n1. A\n2. B\nWaits for the user's yes or no: Archive letters (2). This can be undone.\n\n2. Diary: what's on?\nAnswer: Nothing.";
    assert_eq!(
        ask("update", report, Vec::new(), &agents()).text,
        "2 ads came today:\n1. A\n2. B\n\nNothing.\n\nArchive letters (2)? This can be undone. Say yes or no."
    );
    let nothing = ask(
        "update",
        "hi\n\n# What was done for this message\n\nNothing.",
        Vec::new(),
        &agents(),
    );
    assert!(
        nothing.text.contains("I am the offline model") && nothing.text.contains("find letters from Ann"),
        "{}",
        nothing.text
    );
}

#[test]
fn what_was_found_is_used_by_the_tool_of_the_same_verb() {
    let slot = json!({"type": "string", "format": "date-time"});
    let tools = vec![
        tool(
            "gaps",
            "Finds time.",
            json!({"type": "object", "properties": {"minutes": {"type": "integer"}, "attendees": {"type": "array", "items": {"type": "string"}}, "window": {"type": "string"}}}),
            &[
                (
                    "schedule 30 minutes with Sarah on Thursday afternoon",
                    json!({"minutes": 30, "attendees": ["Sarah"], "window": "Thursday afternoon"}),
                ),
                (
                    "when is Sarah free on Thursday?",
                    json!({"attendees": ["Sarah"], "window": "Thursday"}),
                ),
            ],
        ),
        tool(
            "book",
            "Makes an event.",
            json!({"type": "object", "properties": {"title": {"type": "string"}, "start": slot, "minutes": {"type": "integer"}, "attendees": {"type": "array", "items": {"type": "string", "format": "email"}}}, "required": ["title", "start"]}),
            &[(
                "schedule lunch with ann@x.example on Friday at 12:00",
                json!({"title": "lunch", "attendees": ["ann@x.example"], "start": "Friday at 12:00"}),
            )],
        ),
    ];
    let command = "# Command\n\nschedule 30 minutes with Sarah on Thursday afternoon";
    let first = ask("interpret", command, Vec::new(), &tools);
    assert_eq!(
        calls(&first),
        [(
            "gaps",
            json!({"minutes": 30, "attendees": ["Sarah"], "window": "Thursday afternoon"})
        )]
    );
    let found = made(
        "gaps",
        json!({"minutes": 30, "attendees": ["Sarah"], "window": "Thursday afternoon"}),
        "30 minutes are free",
        json!({"minutes": 30, "attendees": [{"name": "Sarah Chen", "address": "sarah.chen@x.example"}], "slots": [{"start": "2026-11-26T14:00:00-05:00"}, {"start": "2026-11-26T15:00:00-05:00"}]}),
    );
    let second = ask("reassess", command, found.clone(), &tools);
    assert_eq!(
        calls(&second),
        [(
            "book",
            json!({"title": "Meeting with Sarah", "start": "2026-11-26T14:00:00-05:00", "minutes": 30, "attendees": ["sarah.chen@x.example"]})
        )]
    );
    // A question is answered, and nothing is booked for it.
    let question = ask(
        "reassess",
        "# Command\n\nwhen is Sarah free on Thursday?",
        found,
        &tools,
    );
    assert_eq!(question, Answer::say("30 minutes are free"));
}
