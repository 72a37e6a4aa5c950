//! Turns with a model over the network: what reaches the provider, and what its failures look like outside.

use anyturn_tests::fake_provider::{Answer, FakeProvider};
use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::sse;
use serde_json::{Value, json};

const KEY: &str = "sk-test-key-of-nobody";

async fn started(script: impl IntoIterator<Item = Answer>) -> (FakeProvider, Host) {
    let provider = FakeProvider::start().await.unwrap();
    provider.require_key(KEY);
    provider.script(script);
    let host = HostBuilder::new()
        .env("OPENAI_BASE_URL", provider.base_url())
        .env("OPENAI_API_KEY", KEY)
        .env("SPIN_VARIABLE_LLM_TIMEOUT_MS", "2000")
        .start()
        .await;
    (provider, host)
}

async fn turn(host: &Host, message: &str) -> Value {
    let response = host
        .post("/v1/assistants/tasks/turns", &json!({ "message": message }))
        .send()
        .await
        .unwrap();
    response.json().await.unwrap()
}

#[tokio::test]
async fn a_model_over_the_network_calls_tools_and_answers_with_their_results() {
    let (provider, host) = started([
        Answer::tool_call("add_task", r#"{"title":"buy milk"}"#),
        Answer::text("Your task is noted.")
            .in_chunks_of(3)
            .usage(50, 10, 4),
    ])
    .await;
    let answer = turn(&host, "I am out of milk").await;
    assert_eq!(answer["message"]["content"], "Your task is noted.", "{answer}");
    assert_eq!(
        answer["tool_calls"][0]["arguments"]["title"], "buy milk",
        "{answer}"
    );
    assert_eq!(answer["model"], "gpt-6-luna", "{answer}");

    let requests = provider.requests();
    assert_eq!(requests.len(), 2);
    let messages = requests[1].body["messages"].as_array().unwrap();
    let result = messages.last().unwrap();
    assert_eq!(result["role"], "tool");
    assert!(
        result["content"].as_str().unwrap().contains("buy milk"),
        "{result}"
    );
}

#[tokio::test]
async fn the_first_words_arrive_while_the_model_still_speaks() {
    let (provider, host) = started([Answer::text("One two three").stall_after(2)]).await;
    let response = host
        .post("/v1/assistants/tasks/turns", &json!({ "message": "count" }))
        .header("accept", "text/event-stream")
        .send()
        .await
        .unwrap();
    let mut events = sse::Stream::new(response);
    let first = loop {
        let event = events.next().await.unwrap();
        if event.event == "text.delta" {
            break event.json();
        }
    };
    assert_eq!(first["text"], "One ");
    assert!(!provider.requests()[0].answered);
    // And then the provider says nothing for too long.
    let last = loop {
        let event = events.next().await.unwrap();
        if event.event == "turn.failed" {
            break event.json();
        }
    };
    assert!(last.to_string().contains("in time"), "{last}");
    provider.until(|requests| requests[0].abandoned).await;
}

#[tokio::test]
async fn what_the_provider_does_wrong_is_told_without_secrets() {
    for (answer, part) in [
        (Answer::rate_limited(3600), "Rate limit"),
        (Answer::raw(200, "text/html", "<h1>Welcome</h1>"), "text/html"),
        (Answer::text("One two").cut_after(2), "broke"),
        (Answer::silence(), "in time"),
        (
            Answer::error(401, "invalid_request_error", "invalid_api_key", KEY),
            "refuses the key",
        ),
    ] {
        let (_provider, host) = started([answer]).await;
        let told = turn(&host, "hello").await.to_string();
        assert!(told.contains(part), "{part}: {told}");
        assert!(!told.contains(KEY) && !host.log().contains(KEY), "{told}");
    }
}

#[tokio::test]
async fn a_failing_provider_is_asked_again_within_the_turn() {
    let (provider, host) = started([Answer::server_error(), Answer::text("Here I am.")]).await;
    let answer = turn(&host, "hello").await;
    assert_eq!(answer["message"]["content"], "Here I am.", "{answer}");
    let requests = provider
        .until(|requests| requests.iter().all(|request| request.answered))
        .await;
    assert_eq!(requests.len(), 2);
}
