//! Each of the four prompts with a recorded exchange: what the model is asked, to the letter, and what one answered.
//!
//! `exchanges.json` holds what was asked and answered in one conversation; each exchange is met once. Run with
//! `UPDATE_GOLDEN=1` to write anew what is asked, and read the difference: a change of a prompt shows there.

use super::{Inbox, called, content};
use anyturn_engine::port::{FinishReason, ModelEvent, ModelRequest, Part, Usage};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

fn events(answer: &Value) -> Vec<ModelEvent> {
    let mut events = Vec::new();
    if let Some(text) = answer["text"].as_str() {
        events.extend(
            text.split_inclusive(' ')
                .map(|piece| ModelEvent::Text(piece.to_owned())),
        );
    }
    let calls = answer["calls"].as_array().cloned().unwrap_or_default();
    for (index, call) in (0..).zip(&calls) {
        events.push(ModelEvent::ToolCallStarted {
            index,
            id: format!("toolu_{index}"),
            name: call["name"].as_str().unwrap().to_owned(),
        });
        events.push(ModelEvent::ToolCallArguments {
            index,
            arguments: call["arguments"].to_string(),
        });
    }
    events.push(ModelEvent::Finished {
        reason: if calls.is_empty() {
            FinishReason::Stop
        } else {
            FinishReason::ToolCalls
        },
        usage: Usage::default(),
        model: "recorded".to_owned(),
    });
    events
}

/// A request as it is recorded: what was said, with the names of the tools. Ids of calls are the engine's own.
fn asked(request: &ModelRequest) -> Value {
    let part = |part: &Part| match part {
        Part::Text { text } => json!(text.lines().collect::<Vec<_>>()),
        Part::Image { .. } => json!("a picture"),
        Part::ToolCall(call) => json!({"call": call.name, "arguments": call.arguments}),
        Part::ToolResult(result) => {
            json!({"result": result.content.lines().collect::<Vec<_>>(), "is_error": result.is_error})
        }
    };
    let messages = request.messages.iter().map(|message| {
        let parts: Vec<Value> = message.parts.iter().map(part).collect();
        json!({"role": message.role, "parts": parts})
    });
    json!({
        "purpose": request.purpose,
        "messages": messages.collect::<Vec<_>>(),
        "tools": request.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(),
        "tools_allowed": request.tools_allowed,
    })
}

#[test]
fn the_four_prompts_ask_what_was_recorded_and_their_answers_do_what_they_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inbox/exchanges.json");
    let recorded: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let recorded = recorded.as_array().unwrap().clone();
    let mut inbox = Inbox::new();
    // What was asked of each exchange.
    let used: Rc<RefCell<Vec<Option<Value>>>> = Rc::new(RefCell::new(vec![None; recorded.len()]));
    let (answers, asking) = (recorded.clone(), used.clone());
    *inbox.world.model.otherwise.borrow_mut() = Some(Rc::new(move |request| {
        let prompt = asked(request)["messages"][0].to_string();
        let mut used = asking.borrow_mut();
        let fits = |exchange: &Value| {
            let agent = exchange["agent"].as_str();
            exchange["purpose"] == *request.purpose
                && agent.is_none_or(|agent| prompt.contains(&format!("“{agent}”")))
        };
        let number = (0..answers.len()).find(|number| used[*number].is_none() && fits(&answers[*number]));
        let number = number.expect("more is asked than was recorded");
        used[number] = Some(asked(request));
        events(&answers[number]["answered"])
    }));

    let waits = inbox.say(
        "Tell Sarah Chen that I agree with what she noted of the offsite, and what do I have on Monday?",
    );
    assert_eq!(waits["state"], "waiting", "{waits}");
    assert!(
        content(&waits).ends_with("This cannot be undone."),
        "{}",
        content(&waits)
    );
    assert!(!content(&waits).contains("[notes]"));
    let done = inbox.say("yes");
    assert_eq!(done["state"], "finished", "{done}");
    assert!(
        content(&done).ends_with("Your reply to Sarah Chen is on its way."),
        "{}",
        content(&done)
    );
    assert_eq!(called(&done).len(), 3);
    assert_eq!(
        inbox.state()["accumulated_knowledge"],
        "Sarah is Sarah Chen. Her notes from the offsite are answered."
    );

    let now: Vec<Value> = used
        .borrow()
        .iter()
        .map(|asked| asked.clone().expect("less is asked than was recorded"))
        .collect();
    // Words only: no id and no name of a tool reaches the assistant itself.
    for asked in now
        .iter()
        .filter(|asked| ["understand", "update"].contains(&asked["purpose"].as_str().unwrap()))
    {
        let said = asked["messages"].to_string();
        assert!(
            !said.contains("demo-sarah") && !said.contains("reply_to_email"),
            "{said}"
        );
    }
    let purposes: std::collections::BTreeSet<&str> =
        now.iter().filter_map(|asked| asked["purpose"].as_str()).collect();
    assert_eq!(
        purposes.into_iter().collect::<Vec<_>>(),
        ["interpret", "reassess", "understand", "update"]
    );
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let pairs: Vec<Value> = now.iter().zip(&recorded).map(|(asked, exchange)| json!({"purpose": exchange["purpose"], "agent": exchange["agent"], "asked": asked, "answered": exchange["answered"]})).collect();
        std::fs::write(&file, serde_json::to_string_pretty(&pairs).unwrap() + "\n").unwrap();
        return;
    }
    for (number, (now, exchange)) in now.iter().zip(&recorded).enumerate() {
        assert_eq!(now, &exchange["asked"], "exchange {number}");
    }
}
