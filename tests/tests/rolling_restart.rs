//! Replacing hosts while clients talk: no request fails, no turn is broken, no stream is cut.

use anyturn_tests::balancer::Balancer;
use anyturn_tests::fake_provider::{Answer, FakeProvider};
use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::process::{Signal, free_port};
use anyturn_tests::redis_server::RedisServer;
use anyturn_tests::{json_of, sse};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// How long each answer of the model takes at least, so that there is always something under way.
const WORDS: &str = "one two three four five six seven eight";
const PACE: Duration = Duration::from_millis(40);

struct Clients {
    balancer: Balancer,
    stop: AtomicBool,
    turns: AtomicUsize,
}

impl Clients {
    fn going_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    /// Waits until so many more turns have ended.
    async fn until_more(&self, turns: usize) {
        let wanted = self.turns.load(Ordering::SeqCst) + turns;
        while self.turns.load(Ordering::SeqCst) < wanted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Talks in one conversation until told to stop, and returns its session and how many turns it had.
async fn talk(clients: Arc<Clients>, number: usize, streaming: bool) -> (String, usize) {
    let client: Client = anyturn_tests::client();
    let mut path = "/v1/assistants/chat/turns".to_owned();
    let (mut session, mut turns) = (String::new(), 0);
    while clients.going_on() || turns == 0 {
        let message = format!("client {number}, turn {turns}");
        let request = client
            .post(clients.balancer.url(&path))
            .json(&json!({ "message": message }));
        let turn = if streaming {
            streamed(request, &message).await
        } else {
            let (status, turn) = json_of(request).await;
            assert_eq!(status, StatusCode::OK, "{message}: {turn}");
            turn
        };
        assert_eq!(turn["state"], "finished", "{message}: {turn}");
        assert_eq!(turn["message"]["content"], WORDS, "{message}: {turn}");
        session = turn["session"].as_str().unwrap().to_owned();
        path = format!("/v1/sessions/{session}/turns");
        turns += 1;
        clients.turns.fetch_add(1, Ordering::SeqCst);
    }
    (session, turns)
}

/// A turn as a stream, which comes on one connection from its beginning to its end.
async fn streamed(request: reqwest::RequestBuilder, message: &str) -> Value {
    let response = request
        .header("accept", "text/event-stream")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{message}");
    let events = sse::all(response).await;
    assert_eq!(events.first().unwrap().event, "turn.started", "{message}");
    let text: String = events
        .iter()
        .filter(|event| event.event == "text.delta")
        .map(|event| event.json()["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        text, WORDS,
        "{message}: nothing is missing and nothing comes twice"
    );
    assert!(events.iter().all(|event| event.event != "turn.resumed"));
    let last = events.last().unwrap();
    assert_eq!(last.event, "turn.finished", "{message}: {last:?}");
    last.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_fails_no_request_breaks_no_turn_and_cuts_no_stream() {
    let redis = RedisServer::start().await;
    let provider = FakeProvider::start().await.unwrap();
    provider.answer_by(|_| Answer::text(WORDS).slowly(PACE));
    provider.forget_requests();
    let start = |port| {
        HostBuilder::new()
            .port(port)
            .redis(&redis.url())
            .env("OPENAI_BASE_URL", provider.base_url())
            .env("OPENAI_API_KEY", "sk-of-nobody")
            .env("RATE_LIMIT_PER_MINUTE", "0")
            .args(["--drain-pause", "2s"])
            .start()
    };
    let ports = [free_port(), free_port()];
    let mut hosts: Vec<Host> = Vec::new();
    for port in ports {
        hosts.push(start(port).await);
    }
    let clients = Arc::new(Clients {
        balancer: Balancer::before(&ports).await,
        stop: AtomicBool::new(false),
        turns: AtomicUsize::new(0),
    });
    for port in ports {
        clients.balancer.until(port, true).await;
    }
    let talking: Vec<_> = (0..12)
        .map(|number| tokio::spawn(talk(Arc::clone(&clients), number, number % 2 == 0)))
        .collect();

    for (host, port) in hosts.iter_mut().zip(ports) {
        clients.until_more(24).await;
        let before = clients.balancer.sent(port);
        assert!(before > 0, "the host on port {port} has work");
        host.signal(Signal::Term);
        clients.balancer.until(port, false).await;
        assert!(host.end().await.success(), "{}", host.log());
        assert!(
            clients.balancer.declined(port) > 0,
            "the host said that it is not ready before it closed its port"
        );
        assert!(
            !host.log().contains("not everything ended in time"),
            "{}",
            host.log()
        );
        *host = start(port).await;
        clients.balancer.until(port, true).await;
        let after = clients.balancer.sent(port);
        clients.until_more(24).await;
        assert!(clients.balancer.sent(port) > after, "the new host has work");
    }
    clients.stop.store(true, Ordering::SeqCst);

    for (number, talk) in talking.into_iter().enumerate() {
        let (session, turns) = talk
            .await
            .unwrap_or_else(|error| panic!("client {number}: {error}"));
        let inputs = conversation(&hosts[0], &session).await;
        let said: Vec<_> = (0..turns)
            .map(|turn| format!("client {number}, turn {turn}"))
            .collect();
        assert_eq!(inputs, said, "each turn is there, once and in order");
    }
}

/// What was said in each turn of a conversation, all of which must be finished.
async fn conversation(host: &Host, session: &str) -> Vec<String> {
    let mut pages: Vec<Vec<String>> = Vec::new();
    let mut before = String::new();
    loop {
        let (status, page) = json_of(host.get(&format!("/v1/sessions/{session}?limit=100{before}"))).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let turns = page["turns"].as_array().unwrap();
        assert!(turns.iter().all(|turn| turn["state"] == "finished"), "{page}");
        // A page may end between what was said and the answer.
        let said = turns
            .iter()
            .map(|turn| turn["input"].as_str().unwrap().to_owned());
        pages.push(said.filter(|input| !input.is_empty()).collect());
        match page["before"].as_u64() {
            Some(earlier) => before = format!("&before={earlier}"),
            None => return pages.into_iter().rev().flatten().collect(),
        }
    }
}
