//! Decisions in the words of a client of OpenAI, which knows text and nothing else.

use anyturn_engine::port::ModelEvent;
use support::Reply;

use super::*;

#[test]
fn yes_and_no_decide_in_both_dialects() {
    let world = World::new();
    let calls = tools(&world);
    let (session, _) = waiting(&world);
    world.model.say(&["Deleted."]);
    let said = world.post(&format!("/v1/sessions/{session}/turns"), r#"{"message": "yes"}"#);
    assert_eq!((said.status.as_u16(), calls.borrow().len()), (200, 1), "{said:?}");

    let complete = |text: &str, stream: bool| {
        let body = json!({"model": "lists", "stream": stream, "metadata": {"session_id": "my talk"},
            "messages": [{"role": "user", "content": text}]});
        world.post("/v1/chat/completions", &body.to_string())
    };
    world.model.call("delete", r#"{"task": "milk"}"#);
    let asked = complete("delete milk", false).json();
    let choice = &asked["choices"][0];
    let text = choice["message"]["content"].as_str().unwrap();
    assert!(
        text.ends_with("\nAnswer “yes” to confirm, or “no” to refuse."),
        "{text}"
    );
    assert_eq!(choice["finish_reason"], "stop");
    assert_eq!(calls.borrow().len(), 1);
    world.model.say(&["Gone."]);
    let answered = complete("Yes!", true).body;
    assert!(answered.contains(r#""content":"Gone.""#), "{answered}");
    assert_eq!(calls.borrow().len(), 2);
    world.model.call("delete", r#"{"task": "bread"}"#);
    let streamed = complete("delete bread", true).body;
    assert!(
        streamed.contains("Answer “yes” to confirm") && streamed.ends_with("data: [DONE]\n\n"),
        "{streamed}"
    );
}

#[test]
fn a_conversation_that_is_brought_along_cannot_confirm_and_its_model_knows() {
    let world = World::new();
    let calls = tools(&world);
    world.model.call("delete", r#"{"task": "milk"}"#);
    world.model.say(&["I cannot do that here."]);
    let body = json!({"model": "lists", "messages": [{"role": "user", "content": "delete milk"}]});
    let reply = world.post("/v1/chat/completions", &body.to_string());
    assert_eq!(
        (reply.status.as_u16(), calls.borrow().len()),
        (200, 0),
        "{reply:?}"
    );
    assert_eq!(
        reply.json()["choices"][0]["message"]["content"],
        "I cannot do that here."
    );
}

/// Says something in the conversation `my talk`.
fn complete(world: &World, text: &str, key: &str, stream: bool) -> Reply {
    let body = json!({"model": "lists", "stream": stream, "metadata": {"session_id": "my talk"},
        "messages": [{"role": "user", "content": text}]});
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    world.ask(with("POST", "/v1/chat/completions", &body.to_string(), &headers))
}

/// A stream's text, after it was seen that all of it is one completion.
fn streamed(reply: &Reply) -> String {
    let chunks = reply.events();
    let chunks = chunks.iter().filter(|(_, data)| data != "[DONE]");
    let chunks: Vec<Value> = chunks
        .map(|(_, data)| serde_json::from_str(data).unwrap())
        .collect();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant", "{reply:?}");
    for chunk in &chunks {
        assert_eq!(
            (&chunk["id"], &chunk["created"]),
            (&chunks[0]["id"], &chunks[0]["created"])
        );
        assert!(chunk["id"].as_str().unwrap().len() > "chatcmpl-".len(), "{chunk}");
    }
    let texts = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
    texts.collect()
}

#[test]
fn what_a_yes_led_to_is_told_the_same_at_once_and_later_in_one_piece_and_streamed() {
    // What an event log knows, and a turn of which there is none any more; both before the decision and after it.
    for (before, after) in [(0, 0), (11 * 60_000, 0), (0, 11 * 60_000)] {
        let world = World::new();
        tools(&world);
        world.put(
            "/assistants/lists.toml",
            &format!("{LISTS}[session]\nttl = \"1h\"\n"),
        );
        world.model.call("delete", r#"{"task": "milk"}"#);
        let asks = ModelEvent::Text("Shall I delete it?".to_owned());
        if let Some(Ok(events)) = world.model.answers.borrow_mut().back_mut() {
            events.insert(0, asks);
        }
        let asked = complete(&world, "delete milk", "asks", true);
        assert!(
            streamed(&asked).starts_with("Shall I delete it?\n\n"),
            "{asked:?}"
        );
        world.pass(before);
        world.model.say(&["It is ", "deleted."]);
        let at_once = complete(&world, "yes", "yes", true);
        assert_eq!(streamed(&at_once), "It is deleted.");
        world.pass(after);
        assert_eq!(streamed(&complete(&world, "yes", "yes", true)), "It is deleted.");
        let whole = complete(&world, "yes", "yes", false).json();
        assert_eq!(whole["choices"][0]["message"]["content"], "It is deleted.");
        assert_eq!(world.model.asked.borrow().len(), 2);
    }
}

#[test]
fn a_yes_that_decides_nothing_is_streamed_as_any_message() {
    let world = World::new();
    tools(&world);
    world.model.say(&["  Yes ", "what?"]);
    for _ in 0..2 {
        assert_eq!(streamed(&complete(&world, "yes", "yes", true)), "  Yes what?");
    }
}
