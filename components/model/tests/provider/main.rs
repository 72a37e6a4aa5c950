//! The provider logic against a fake of OpenAI's API, over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "that is how a test fails"
)]

use std::time::Duration;

use anyturn_model::{
    Answer,
    api::{
        Error, ErrorKind, Event, FinishReason, Image, ImageSource, Message, Options, Part, Request, Role,
        Tool, ToolCall, ToolChoice, ToolResult, Usage,
    },
    complete,
    settings::Provider,
};
use anyturn_tests::fake_provider::{Answer as Scripted, FakeProvider};
use platform::Native;

mod failures;
mod platform;

/// A provider with a script, and the variables that lead to it.
struct Fixture {
    fake: FakeProvider,
    variables: Vec<(&'static str, String)>,
}

impl Fixture {
    async fn new(script: impl IntoIterator<Item = Scripted>) -> Self {
        let fake = FakeProvider::start().await.unwrap();
        fake.script(script);
        let variables = vec![
            ("llm_base_url", fake.base_url()),
            ("llm_api_key", "sk-secret-key-1".into()),
        ];
        Self { fake, variables }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.into()));
        self
    }

    async fn begin(&self, request: Request) -> Result<Answer<Native>, Error> {
        let find = |name| {
            let found = self.variables.iter().find(|(known, _)| *known == name);
            std::future::ready(found.map(|(_, value)| value.clone()).unwrap_or_default())
        };
        let provider = Provider::read(find).await?;
        complete(Native::default(), &provider, request).await
    }

    async fn ask(&self, request: Request) -> Result<Vec<Event>, Error> {
        let mut answer = self.begin(request).await?;
        let mut events = Vec::new();
        while let Some(event) = answer.next().await {
            events.push(event);
        }
        // And stays at its end.
        assert!(answer.next().await.is_none());
        Ok(events)
    }

    async fn error(&self) -> Error {
        self.ask(hello()).await.unwrap_err()
    }
}

fn message(role: Role, text: &str) -> Message {
    Message {
        role,
        parts: vec![Part::Text(text.into())],
    }
}

fn request(messages: Vec<Message>) -> Request {
    Request {
        purpose: "turn".into(),
        messages,
        tools: Vec::new(),
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
        local_time: None,
        user: None,
    }
}

fn hello() -> Request {
    request(vec![message(Role::User, "Hello")])
}

fn text(events: &[Event]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        Event::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn weather() -> Tool {
    Tool {
        name: "get_weather".into(),
        description: "Tells the weather.".into(),
        parameters: r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#.into(),
        examples: Vec::new(),
    }
}

#[tokio::test]
async fn an_answer_arrives_piece_by_piece_and_ends_with_its_usage() {
    let fixture = Fixture::new([Scripted::text("Hello over there").usage(120, 100, 3)]).await;
    let events = fixture.ask(hello()).await.unwrap();
    assert_eq!(
        events[..3],
        ["Hello ", "over ", "there"].map(|text| Event::Text(text.into()))
    );
    let Event::Finished(finish) = &events[3] else {
        panic!("{events:?}")
    };
    assert_eq!(finish.reason, FinishReason::Stop);
    assert_eq!(finish.model, "gpt-6-luna");
    let usage = Usage {
        input_tokens: 120,
        cached_tokens: 100,
        output_tokens: 3,
    };
    assert_eq!(finish.usage, usage);
    assert_eq!(events.len(), 4);
}

#[tokio::test]
async fn a_stream_may_be_cut_into_chunks_of_any_size() {
    let said = "Grüße aus 東京 — 🌍 for all";
    for size in [1, 2, 3, 5, 7, 64, 1000] {
        let fixture = Fixture::new([Scripted::text(said).in_chunks_of(size)]).await;
        let events = fixture.ask(hello()).await.unwrap();
        assert_eq!(text(&events), said, "chunks of {size}");
        assert!(matches!(events.last(), Some(Event::Finished(_))));
    }
}

#[tokio::test]
async fn tool_calls_arrive_with_their_arguments() {
    let script = Scripted::tool_call("get_weather", r#"{"city":"Paris, France"}"#)
        .and_tool_call("get_weather", r#"{"city":"Rome"}"#);
    let fixture = Fixture::new([script]).await;
    let mut request = hello();
    request.tools.push(weather());
    let events = fixture.ask(request).await.unwrap();
    let mut calls: Vec<(String, String, String)> = Vec::new();
    for event in &events {
        match event {
            Event::ToolCallStarted(start) => {
                assert_eq!(start.index as usize, calls.len());
                calls.push((start.id.clone(), start.name.clone(), String::new()));
            }
            Event::ToolCallArguments(delta) => calls[delta.index as usize].2.push_str(&delta.arguments),
            Event::Finished(finish) => assert_eq!(finish.reason, FinishReason::ToolCalls),
            other => panic!("{other:?}"),
        }
    }
    let calls: Vec<(&str, &str)> = calls
        .iter()
        .map(|(_, name, arguments)| (name.as_str(), arguments.as_str()))
        .collect();
    assert_eq!(
        calls,
        [
            ("get_weather", r#"{"city":"Paris, France"}"#),
            ("get_weather", r#"{"city":"Rome"}"#)
        ]
    );
}

#[tokio::test]
async fn a_whole_conversation_passes_the_providers_validation() {
    let fixture = Fixture::new([Scripted::text("Sunny.")]).await;
    let call = |id: &str| {
        Part::ToolCall(ToolCall {
            id: id.into(),
            name: "get_weather".into(),
            arguments: String::new(),
        })
    };
    let result = |id: &str, is_error| {
        Part::ToolResult(ToolResult {
            call_id: id.into(),
            content: "rain".into(),
            is_error,
        })
    };
    let picture = |source| {
        Part::Image(Image {
            media_type: "image/png".into(),
            source,
        })
    };
    let mut request = request(vec![
        message(Role::System, "Be brief."),
        Message {
            role: Role::User,
            parts: vec![
                Part::Text("What is this?".into()),
                picture(ImageSource::Data(vec![1, 2, 3])),
                picture(ImageSource::Url("https://example.com/a.png".into())),
            ],
        },
        Message {
            role: Role::Assistant,
            parts: vec![Part::Text("Let me see.".into()), call("a"), call("b")],
        },
        Message {
            role: Role::Tool,
            parts: vec![result("a", false), result("b", true)],
        },
        message(Role::User, "And now?"),
    ]);
    request.tools.push(weather());
    request.tool_choice = ToolChoice::Named("get_weather".into());
    request.options = Options {
        model: Some("gpt-4.1".into()),
        temperature: Some(0.7),
        top_p: Some(0.9),
        max_output_tokens: Some(64),
        stop: vec!["END".into()],
        response_schema: Some(r#"{"type":"object","properties":{"a":{"type":"string"}}}"#.into()),
        seed: Some(7),
    };
    request.user = Some("user-1".into());
    let events = fixture.ask(request).await.unwrap();
    assert_eq!(text(&events), "Sunny.");

    let received = fixture.fake.requests().remove(0);
    assert_eq!(received.headers["authorization"], "Bearer sk-secret-key-1");
    assert_eq!(received.path, "/v1/chat/completions");
    let body = received.body;
    assert_eq!(body["model"], "gpt-4.1");
    assert_eq!(body["temperature"], 0.7);
    assert_eq!(body["max_completion_tokens"], 64);
    assert_eq!(
        body["messages"][1]["content"][1]["image_url"]["url"],
        "data:image/png;base64,AQID"
    );
    assert_eq!(
        body["messages"][2]["tool_calls"][0]["function"]["arguments"],
        "{}"
    );
    assert_eq!(body["messages"][4]["content"], "Error: rain");
    assert_eq!(body["messages"][5]["content"], "And now?");
}

#[tokio::test]
async fn azure_has_the_deployment_in_the_address_and_the_key_in_a_header_of_its_own() {
    let fixture = Fixture::new([Scripted::text("Hi")]).await;
    let host = format!("http://{}", fixture.fake.address());
    fixture.fake.require_key("azure-key");
    let fixture = fixture
        .with("llm_provider", "azure")
        .with("llm_base_url", &host)
        .with("llm_api_key", "azure-key")
        .with("llm_model", "gpt-4.1");
    assert_eq!(text(&fixture.ask(hello()).await.unwrap()), "Hi");
    let received = fixture.fake.requests().remove(0);
    assert_eq!(
        received.path,
        "/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21"
    );
    assert!(!received.headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let body = r#"{"model":"local","choices":[{"message":{"role":"assistant","content":"All at once"},
        "finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":3}}"#;
    let fixture = Fixture::new([Scripted::raw(200, "application/json", body)]).await;
    let events = fixture.ask(hello()).await.unwrap();
    assert_eq!(text(&events), "All at once");
    assert!(matches!(events.last(), Some(Event::Finished(finish)) if finish.usage.output_tokens == 3));
}

#[tokio::test]
async fn dropping_an_answer_closes_the_connection() {
    let fixture = Fixture::new([Scripted::text("One two three").stall_after(2)]).await;
    let mut answer = fixture.begin(hello()).await.unwrap();
    assert_eq!(answer.next().await, Some(Event::Text("One ".into())));
    drop(answer);
    let requests = fixture.fake.until(|requests| requests[0].abandoned).await;
    assert!(!requests[0].answered);
}

#[tokio::test]
async fn giving_up_before_the_answer_begins_closes_the_connection() {
    let fixture = Fixture::new([Scripted::silence()]).await;
    {
        let asked = fixture.fake.until(|requests| requests.len() == 1);
        tokio::select! {
            _ = fixture.begin(hello()) => panic!("there is no answer"),
            _ = asked => {}
        }
    }
    fixture.fake.until(|requests| requests[0].abandoned).await;
}

#[tokio::test]
async fn the_first_piece_is_there_while_the_rest_is_not() {
    let fixture = Fixture::new([Scripted::text("One two").slowly(Duration::from_millis(50))]).await;
    let mut answer = fixture.begin(hello()).await.unwrap();
    assert_eq!(answer.take_ready(), [Event::Text("One ".into())]);
    assert_eq!(answer.next().await, Some(Event::Text("two".into())));
}
