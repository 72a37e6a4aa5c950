//! What goes wrong with real providers, and what is told of it.

use super::*;

/// Long enough for a busy machine, short enough to wait for.
const SHORT: &str = "400";

fn assert_tells_no_secret(error: &Error) {
    for secret in ["sk-secret", "secret-key", "Hello"] {
        assert!(!error.message.contains(secret), "{}", error.message);
    }
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_as_long_as_it_says() {
    let fixture = Fixture::new([Scripted::rate_limited(1), Scripted::text("Hi")]).await;
    let start = std::time::Instant::now();
    assert_eq!(text(&fixture.ask(hello()).await.unwrap()), "Hi");
    // Not a measurement: an earlier try would break the provider's rule.
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(fixture.fake.requests().len(), 2);
}

#[tokio::test]
async fn a_rate_limit_beyond_the_budget_is_told_at_once() {
    let fixture = Fixture::new([Scripted::rate_limited(3600)]).await;
    let error = fixture.error().await;
    assert_eq!(
        (error.kind, error.retry_after),
        (ErrorKind::RateLimited, Some(3_600_000))
    );
    assert_eq!(fixture.fake.requests().len(), 1);
}

#[tokio::test]
async fn a_spent_quota_is_not_tried_again() {
    let answer = Scripted::error(
        429,
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota.",
    );
    let fixture = Fixture::new([answer]).await;
    let error = fixture.error().await;
    assert_eq!(error.kind, ErrorKind::RateLimited);
    assert!(
        error.message.contains("exceeded your current quota"),
        "{}",
        error.message
    );
    assert_eq!(fixture.fake.requests().len(), 1);
}

#[tokio::test]
async fn a_failing_server_is_tried_again_but_not_for_ever() {
    let fixture = Fixture::new([
        Scripted::server_error(),
        Scripted::server_error(),
        Scripted::text("Hi"),
    ])
    .await;
    assert_eq!(text(&fixture.ask(hello()).await.unwrap()), "Hi");
    assert_eq!(fixture.fake.requests().len(), 3);

    let fixture = Fixture::new((0..9).map(|_| Scripted::raw(503, "text/html", "<h1>Sorry</h1>"))).await;
    let error = fixture.error().await;
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(fixture.fake.requests().len(), 4);
}

#[tokio::test]
async fn a_refused_key_is_told_without_the_key() {
    let fixture = Fixture::new([]).await;
    fixture.fake.require_key("another");
    let error = fixture.error().await;
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert!(error.message.contains("refuses the key"), "{}", error.message);
    assert_tells_no_secret(&error);
    assert_eq!(fixture.fake.requests().len(), 1);
}

#[tokio::test]
async fn an_unknown_model_is_told_by_name() {
    let fixture = Fixture::new([]).await.with("llm_model", "gpt-99");
    let error = fixture.error().await;
    assert_eq!(error.kind, ErrorKind::UnknownModel);
    assert!(error.message.contains("gpt-99"), "{}", error.message);
}

#[tokio::test]
async fn what_the_provider_refuses_has_the_right_kind() {
    for (status, kind, code, expected) in [
        (
            400,
            "invalid_request_error",
            "context_length_exceeded",
            ErrorKind::ContextTooLong,
        ),
        (
            400,
            "invalid_request_error",
            "content_filter",
            ErrorKind::ContentRefused,
        ),
        (
            400,
            "invalid_request_error",
            "invalid_type",
            ErrorKind::InvalidRequest,
        ),
        (422, "unprocessable", "x", ErrorKind::InvalidRequest),
        (403, "x", "x", ErrorKind::Unauthorized),
        (404, "x", "x", ErrorKind::UnknownModel),
        (413, "x", "x", ErrorKind::ContextTooLong),
        (302, "x", "x", ErrorKind::Protocol),
    ] {
        let fixture = Fixture::new([Scripted::error(
            status,
            kind,
            code,
            "No: \"Hello\" with sk-secret-key-1",
        )])
        .await;
        let error = fixture.error().await;
        assert_eq!(error.kind, expected, "{status} {code}: {}", error.message);
        assert_tells_no_secret(&error);
        assert_eq!(fixture.fake.requests().len(), 1, "{status} {code}");
    }
}

#[tokio::test]
async fn a_stream_cut_before_the_first_token_is_tried_again() {
    for cut in [
        Scripted::text("Hi").cut_after(0),
        Scripted::text("Hi").cut_after(1),
        Scripted::text("Hi").end_after(1),
        Scripted::text("Hi").fail_after(1, "server_error", "The server had an error."),
    ] {
        let fixture = Fixture::new([cut, Scripted::text("Hi")]).await;
        assert_eq!(text(&fixture.ask(hello()).await.unwrap()), "Hi");
        assert_eq!(fixture.fake.requests().len(), 2);
    }
}

#[tokio::test]
async fn nothing_is_tried_again_after_the_first_token() {
    for (answer, kind) in [
        (Scripted::text("One two").cut_after(2), ErrorKind::Unavailable),
        (Scripted::text("One two").end_after(2), ErrorKind::Protocol),
        (
            Scripted::text("One two").send_after(2, "data: {nonsense\n\n"),
            ErrorKind::Protocol,
        ),
        (
            Scripted::text("One two").fail_after(2, "server_error", "Overloaded: 'Hello there'"),
            ErrorKind::Unavailable,
        ),
    ] {
        let fixture = Fixture::new([answer, Scripted::text("never")]).await;
        let events = fixture.ask(hello()).await.unwrap();
        assert_eq!(events[0], Event::Text("One ".into()));
        let Event::Failed(error) = &events[1] else {
            panic!("{events:?}")
        };
        assert_eq!(error.kind, kind, "{}", error.message);
        assert_tells_no_secret(error);
        assert_eq!((events.len(), fixture.fake.unused()), (2, 1));
    }
}

#[tokio::test]
async fn an_answer_without_its_usage_is_an_answer() {
    for answer in [
        Scripted::text("Hi").end_after(3),
        Scripted::text("Hi").cut_after(3),
    ] {
        let fixture = Fixture::new([answer]).await;
        let events = fixture.ask(hello()).await.unwrap();
        assert!(
            matches!(&events[1], Event::Finished(finish) if finish.usage.output_tokens == 0),
            "{events:?}"
        );
    }
    // Also where the provider forgets to end.
    let fixture = Fixture::new([Scripted::text("Hi").stall_after(3)])
        .await
        .with("llm_timeout_ms", SHORT);
    let events = fixture.ask(hello()).await.unwrap();
    assert!(matches!(&events[1], Event::Finished(_)), "{events:?}");
}

#[tokio::test]
async fn a_silent_provider_is_a_timeout_before_and_after_the_first_token() {
    let fixture = Fixture::new([Scripted::silence()])
        .await
        .with("llm_timeout_ms", SHORT);
    assert_eq!(fixture.error().await.kind, ErrorKind::Timeout);
    fixture.fake.until(|requests| requests[0].abandoned).await;

    let stalls = Scripted::text("One two").stall_after(2);
    let fixture = Fixture::new([stalls]).await.with("llm_timeout_ms", SHORT);
    let events = fixture.ask(hello()).await.unwrap();
    assert!(
        matches!(&events[1], Event::Failed(error) if error.kind == ErrorKind::Timeout),
        "{events:?}"
    );
    fixture.fake.until(|requests| requests[0].abandoned).await;
}

#[tokio::test]
async fn what_is_not_the_protocol_is_said_to_be() {
    for answer in [
        Scripted::raw(200, "text/html", "<!doctype html><title>Welcome</title>"),
        Scripted::raw(200, "application/json", "{\"hello\": 1}"),
        Scripted::raw(200, "application/json", "not json"),
        Scripted::raw(200, "text/event-stream", "data: <html>\n\n"),
        Scripted::raw(200, "text/event-stream", vec![0xff; 1000]),
        Scripted::raw(200, "", vec![0; 10]),
        Scripted::raw(204, "text/plain", ""),
    ] {
        let described = format!("{answer:?}");
        let fixture = Fixture::new([answer.clone(), answer.clone(), answer.clone(), answer]).await;
        assert_eq!(fixture.error().await.kind, ErrorKind::Protocol, "{described}");
    }
}

#[tokio::test]
async fn an_error_with_status_200_is_an_error() {
    let error =
        r#"{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}"#;
    let fixture = Fixture::new([Scripted::raw(200, "application/json", error)]).await;
    assert_eq!(fixture.error().await.kind, ErrorKind::RateLimited);
}

#[tokio::test]
async fn an_endless_line_costs_no_memory() {
    let body = vec![b'x'; 6 * 1024 * 1024];
    let fixture = Fixture::new([Scripted::raw(200, "text/event-stream", body)]).await;
    assert_eq!(fixture.error().await.kind, ErrorKind::Protocol);
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_unavailable() {
    let fixture = Fixture::new([]).await;
    // A port that was free a moment ago, and that nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let fixture = fixture.with("llm_base_url", &format!("http://{free}/v1"));
    let error = fixture.error().await;
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains(&free.to_string()), "{}", error.message);
}

#[tokio::test]
async fn a_request_that_breaks_the_interface_is_refused_without_a_call() {
    let fixture = Fixture::new([]).await;
    let mut too_warm = hello();
    too_warm.options.temperature = Some(2.5);
    let mut misplaced = hello();
    misplaced.messages[0].role = Role::Tool;
    let mut no_such_tool = hello();
    no_such_tool.tools.push(weather());
    no_such_tool.tool_choice = ToolChoice::Named("other".into());
    let mut no_schema = hello();
    no_schema.tools.push(Tool {
        parameters: "nonsense".into(),
        ..weather()
    });
    for request in [request(Vec::new()), too_warm, misplaced, no_such_tool, no_schema] {
        let error = fixture.ask(request).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest, "{}", error.message);
    }
    assert!(fixture.fake.requests().is_empty());
}

/// A model that reasons, and so takes neither `temperature` nor tools unless it is told not to reason.
const REASONING: &str = "gpt-6.1-terra";

#[tokio::test]
async fn a_wish_that_the_model_does_not_take_is_given_up() {
    let fixture = Fixture::new([Scripted::text("Hi")])
        .await
        .with("llm_model", REASONING);
    let mut request = hello();
    request.options.temperature = Some(0.2);
    request.options.top_p = Some(0.9);
    assert_eq!(text(&fixture.ask(request).await.unwrap()), "Hi");
    let sent = fixture.fake.requests();
    assert_eq!(sent.len(), 3);
    assert_eq!(sent[0].body["temperature"], 0.2);
    for absent in ["temperature", "top_p"] {
        assert_eq!(sent[2].body.get(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn a_model_that_calls_tools_only_without_reasoning_is_told_not_to_reason() {
    let script = Scripted::tool_call("get_weather", r#"{"city":"Rome"}"#);
    let fixture = Fixture::new([script]).await.with("llm_model", REASONING);
    let mut request = hello();
    request.tools.push(weather());
    request.options.temperature = Some(0.2);
    let events = fixture.ask(request).await.unwrap();
    assert!(matches!(&events[0], Event::ToolCallStarted(call) if call.name == "get_weather"));
    let sent = fixture.fake.requests();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].body.get("reasoning_effort"), None);
    assert_eq!(sent[1].body["reasoning_effort"], "none");
    assert_eq!(sent[1].body["temperature"], 0.2);
}

#[tokio::test]
async fn what_is_set_of_reasoning_is_not_overruled() {
    let fixture = Fixture::new([])
        .await
        .with("llm_model", REASONING)
        .with("llm_reasoning_effort", "high");
    let mut request = hello();
    request.tools.push(weather());
    let error = fixture.ask(request).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert!(
        error.message.contains("reasoning_effort to 'none'"),
        "{}",
        error.message
    );
    assert_eq!(fixture.fake.requests().len(), 1);
}

#[tokio::test]
async fn an_end_of_the_answer_that_the_model_does_not_know_is_told() {
    let fixture = Fixture::new([]).await.with("llm_model", REASONING);
    let mut request = hello();
    request.options.stop = vec!["END".into()];
    let error = fixture.ask(request).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert!(error.message.contains("'stop'"), "{}", error.message);
    assert_eq!(fixture.fake.requests().len(), 1);
}
