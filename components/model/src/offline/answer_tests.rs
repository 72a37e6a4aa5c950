use std::time::{Duration, Instant};

use super::*;
use crate::{
    api::{Options, ToolCall, ToolResult},
    offline::fixture::{NOW, tools},
    port::{Body, Post, Reply, TransportError},
};

/// A platform without a network: using it fails the test.
struct Offline;

impl Platform for Offline {
    type Body = NoBody;
    async fn post(&self, _: &Post<'_>) -> Result<Reply<NoBody>, TransportError> {
        panic!("the offline model used the network")
    }
    async fn sleep(&self, _: Duration) {
        panic!("the offline model waited")
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
    fn unix_time(&self) -> Duration {
        Duration::from_secs(1_795_150_000)
    }
    fn random(&self) -> u64 {
        0xabc
    }
}

struct NoBody;

impl Body for NoBody {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, TransportError> {
        Ok(None)
    }
}

fn said(role: Role, part: Part) -> Message {
    Message {
        role,
        parts: vec![part],
    }
}

fn request(messages: Vec<Message>) -> Request {
    Request {
        purpose: "turn".into(),
        messages,
        tools: tools(),
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
    }
}

fn asked(text: &str) -> Request {
    request(vec![said(Role::User, Part::Text(text.into()))])
}

fn finish(events: &[Event]) -> &Finish {
    match events.last() {
        Some(Event::Finished(finish)) => finish,
        other => panic!("{other:?}"),
    }
}

fn text(events: &[Event]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        Event::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn call(id: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "add_task".into(),
        arguments: r#"{"title":"milk"}"#.into(),
    })
}

fn result(id: &str, content: &str, is_error: bool) -> Part {
    Part::ToolResult(ToolResult {
        call_id: id.into(),
        content: content.into(),
        is_error,
    })
}

#[test]
fn a_request_becomes_calls_with_ids_of_their_own() {
    let events = answer(&asked("add milk and done with the bread"), &Offline);
    let starts: Vec<(u32, &str, &str)> = events
        .iter()
        .filter_map(|event| match event {
            Event::ToolCallStarted(start) => Some((start.index, start.id.as_str(), start.name.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(
        starts,
        [
            (0, "call_0000000000000abc0", "add_task"),
            (1, "call_0000000000000abc1", "complete_task")
        ]
    );
    assert_eq!(finish(&events).reason, FinishReason::ToolCalls);
    assert_eq!(finish(&events).usage.input_tokens, 7);
}

#[test]
fn results_are_passed_on_in_their_order_and_failures_told_as_such() {
    let messages = vec![
        said(Role::User, Part::Text("add milk and bread".into())),
        Message {
            role: Role::Assistant,
            parts: vec![call("a"), call("b")],
        },
        // What is noted on a result is not the tool's word.
        Message {
            role: Role::Tool,
            parts: vec![
                result("a", "Added “milk”.", false),
                Part::Text("(It was allowed with other arguments.)".into()),
            ],
        },
        said(Role::Tool, result("b", "The list is full.", true)),
    ];
    let events = answer(&request(messages.clone()), &Offline);
    assert_eq!(
        text(&events),
        "Added “milk”.\n\nThat did not work: The list is full."
    );
    assert_eq!(finish(&events).reason, FinishReason::Stop);

    // The next message is a new request, not an old result.
    let mut next = messages;
    next.push(said(Role::User, Part::Text("show my tasks".into())));
    assert!(
        answer(&request(next), &Offline)
            .iter()
            .any(|event| matches!(event, Event::ToolCallStarted(_)))
    );
}

#[test]
fn what_it_does_not_understand_it_answers_with_what_it_is_and_can_do() {
    let text = text(&answer(&asked("what is the meaning of life?"), &Offline));
    for part in [
        "offline model",
        "Adds a task to the user's to-do list",
        "“add buy milk for tomorrow”",
        "OPENAI_API_KEY",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("Use it for things to do"), "{text}");
}

#[test]
fn what_is_missing_is_asked_for() {
    let text = text(&answer(&asked("delete"), &Offline));
    assert!(
        text.contains("I have to know the task") && text.contains("“delete buy milk”"),
        "{text}"
    );
}

#[test]
fn what_it_cannot_do_beside_what_it_can_is_said() {
    let events = answer(&asked("add milk. The weather is nice."), &Offline);
    assert_eq!(text(&events), "I did not understand “The weather is nice”.\n\n");
    assert_eq!(finish(&events).reason, FinishReason::ToolCalls);
}

#[test]
fn tools_that_may_not_be_called_are_not() {
    let mut request = asked("add milk");
    request.tool_choice = ToolChoice::None;
    assert!(
        answer(&request, &Offline)
            .iter()
            .all(|event| !matches!(event, Event::ToolCallStarted(_)))
    );
    request.tool_choice = ToolChoice::Named("delete_task".into());
    assert!(
        answer(&request, &Offline)
            .iter()
            .all(|event| !matches!(event, Event::ToolCallStarted(_)))
    );
    request.tool_choice = ToolChoice::Named("add_task".into());
    assert!(
        answer(&request, &Offline)
            .iter()
            .any(|event| matches!(event, Event::ToolCallStarted(_)))
    );
}

#[test]
fn a_title_is_the_beginning_of_the_message() {
    let mut request =
        asked("  add buy milk and bread and butter and everything else that is missing, please.");
    request.purpose = "title".into();
    assert_eq!(
        text(&answer(&request, &Offline)),
        "Add buy milk and bread and butter and everything…"
    );
    let mut request = asked("");
    request.purpose = "title".into();
    assert_eq!(text(&answer(&request, &Offline)), "New conversation");
}

#[test]
fn text_comes_in_pieces_that_end_after_a_word_and_keeps_to_the_limit() {
    let long = "word ".repeat(40);
    let mut request = request(vec![
        said(Role::User, Part::Text("x".into())),
        said(Role::Tool, result("a", &long, false)),
    ]);
    let events = answer(&request, &Offline);
    let pieces = events.len() - 1;
    assert!((3..=8).contains(&pieces), "{pieces}");
    assert!(
        events[..pieces - 1]
            .iter()
            .all(|event| matches!(event, Event::Text(text) if text.ends_with(' ')))
    );
    assert_eq!(finish(&events).usage.output_tokens, 40);

    request.options.max_output_tokens = Some(3);
    let events = answer(&request, &Offline);
    assert_eq!(text(&events), "word word word ");
    assert_eq!(finish(&events).reason, FinishReason::Length);
}

#[test]
fn the_same_request_has_the_same_answer() {
    let request = asked("remind me to call Bob next Friday; show high priority tasks");
    assert_eq!(answer(&request, &Offline), answer(&request, &Offline));
}

/// `cargo test --release -p anyturn-model -- --ignored --nocapture how_long` prints it.
#[test]
#[ignore = "a measurement, not a test"]
fn how_long_an_answer_takes() {
    for text in [
        "add buy milk for tomorrow",
        "what is due this week?",
        "add milk and done with the bread",
        "tell me a joke about cats",
    ] {
        let request = asked(text);
        let rounds = 2000;
        let start = Instant::now();
        for _ in 0..rounds {
            std::hint::black_box(answer(std::hint::black_box(&request), &Offline));
        }
        println!(
            "{:>8.1} µs  {text}",
            start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds)
        );
    }
}
