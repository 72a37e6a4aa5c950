//! Any instance can take any turn: two hosts on one Redis.

use anyturn_tests::fake_provider::{Answer, FakeProvider};
use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::json_of;
use anyturn_tests::process::Signal;
use anyturn_tests::redis_server::RedisServer;
use anyturn_tests::sse;
use serde_json::{Value, json};

async fn on(redis: &RedisServer) -> Host {
    HostBuilder::new().redis(&redis.url()).start().await
}

async fn turn(host: &Host, path: &str, message: &str) -> Value {
    let response = host
        .post(path, &json!({ "message": message }))
        .send()
        .await
        .unwrap();
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["state"], "finished", "{answer}");
    answer
}

#[tokio::test]
async fn a_conversation_begun_on_one_goes_on_on_the_other_and_on_a_third_after_both_were_killed() {
    let redis = RedisServer::start().await;
    let (first, second) = (on(&redis).await, on(&redis).await);
    let begun = turn(&first, "/v1/assistants/tasks/turns", "add buy milk for tomorrow").await;
    let path = format!("/v1/sessions/{}/turns", begun["session"].as_str().unwrap());

    let seen = turn(&second, &path, "what is due tomorrow?").await;
    assert!(
        seen["message"]["content"].as_str().unwrap().contains("buy milk"),
        "{seen}"
    );
    first.kill().await;
    turn(&second, &path, "add call mum").await;
    second.kill().await;

    let third = on(&redis).await;
    let list = turn(&third, &path, "what is on my list?").await;
    let text = list["message"]["content"].as_str().unwrap();
    assert!(text.contains("buy milk") && text.contains("call mum"), "{list}");
    let (_, session) = json_of(third.get(path.trim_end_matches("/turns"))).await;
    assert_eq!(session["turns"].as_array().unwrap().len(), 4, "{session}");
}

#[tokio::test]
async fn a_turn_without_tools_takes_three_round_trips_to_the_store() {
    let redis = RedisServer::start().await;
    let host = on(&redis).await;
    let begun = turn(&host, "/v1/assistants/chat/turns", "hello").await;
    let path = format!("/v1/sessions/{}/turns", begun["session"].as_str().unwrap());
    let commands = || {
        // Whatever a client sends counts, scripts or not; what a script runs inside does not.
        let stats = redis.command(&["INFO", "commandstats"]);
        let calls = |name: &str| {
            if stats.contains(name) {
                redis.calls(name)
            } else {
                0
            }
        };
        calls("evalsha") + calls("eval") + calls("fcall") + calls("evalsha_ro") + calls("eval_ro")
    };
    turn(&host, &path, "hello again").await;
    let before = commands();
    for _ in 0..10 {
        turn(&host, &path, "hello again").await;
    }
    assert_eq!(commands() - before, 30, "ten turns of three round trips each");
}

#[tokio::test]
async fn a_store_that_is_down_is_said_and_costs_nothing_that_was_stored() {
    let mut redis = RedisServer::start().await;
    let host = on(&redis).await;
    let begun = turn(&host, "/v1/assistants/tasks/turns", "add buy milk").await;
    let path = format!("/v1/sessions/{}/turns", begun["session"].as_str().unwrap());
    redis.kill().await;

    let refused = host
        .post(&path, &json!({ "message": "what is on my list?" }))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["status"], 503, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("safe"), "{problem}");
    assert_eq!(host.get("/health").send().await.unwrap().status(), 503);

    redis.restart().await;
    let mut answer = Value::Null;
    for _ in 0..600 {
        let response = host
            .post(&path, &json!({ "message": "what is on my list?" }))
            .send()
            .await
            .unwrap();
        if response.status() == 200 {
            answer = response.json().await.unwrap();
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(
        answer["message"]["content"]
            .as_str()
            .is_some_and(|text| text.contains("buy milk")),
        "{answer}"
    );
}

#[tokio::test]
async fn a_host_is_not_ready_while_its_store_is_out_of_reach_and_is_again_when_the_store_is_back() {
    let mut redis = RedisServer::start().await;
    let host = HostBuilder::new()
        .redis(&redis.url())
        .args(["--ready-grace", "500ms"])
        .start()
        .await;
    redis.kill().await;
    let unready = until_ready_is(&host, 503).await;
    assert_eq!(
        unready,
        json!({ "ready": false, "reason": "the store is out of reach" })
    );
    assert_eq!(
        host.get("/live").send().await.unwrap().status(),
        200,
        "starting it anew would not help"
    );
    redis.restart().await;
    assert_eq!(until_ready_is(&host, 200).await, json!({ "ready": true }));
}

/// Asks until the answer has this status.
async fn until_ready_is(host: &Host, status: u16) -> Value {
    loop {
        let (answered, body) = json_of(host.get("/ready")).await;
        if answered == status {
            return body;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn sigterm_lets_a_running_stream_finish() {
    let redis = RedisServer::start().await;
    let provider = FakeProvider::start().await.unwrap();
    provider.script([Answer::text("One two three.").slowly(std::time::Duration::from_millis(300))]);
    let mut host = HostBuilder::new()
        .redis(&redis.url())
        .env("LLM_PROVIDER", "openai")
        .env("OPENAI_BASE_URL", provider.base_url())
        .env("OPENAI_API_KEY", "sk-of-nobody")
        .start()
        .await;
    let response = host
        .post("/v1/assistants/chat/turns", &json!({ "message": "count" }))
        .header("accept", "text/event-stream")
        .send()
        .await
        .unwrap();
    let mut stream = sse::Stream::new(response);
    assert_eq!(stream.next().await.unwrap().event, "turn.started");
    host.signal(Signal::Term);
    let mut last = None;
    while let Some(event) = stream.next().await {
        last = Some(event);
    }
    let last = last.unwrap();
    assert_eq!(
        (last.event.as_str(), last.json()["message"]["content"].as_str()),
        ("turn.finished", Some("One two three."))
    );
    assert!(host.end().await.success(), "{}", host.log());
}
