//! What a store that is killed has kept: the promise of each of its settings.

use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::process::PATIENCE;
use anyturn_tests::redis_server::RedisServer;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// With `appendfsync everysec` Redis may be two seconds behind with its log: one for the interval, and one more
/// for which it lets a slow disk finish ("Redis persistence", redis.io).
const BEHIND: Duration = Duration::from_secs(2);

/// Something that a client was told.
#[derive(Clone)]
struct Told {
    session: String,
    turn: String,
    content: Value,
    at: Instant,
}

/// Clients that talk until the store is gone; kills it when `enough` says so, and starts it again on its data.
async fn told_before_the_kill(
    redis: &mut RedisServer,
    enough: impl Fn(&[Told]) -> bool,
) -> (Host, Vec<Told>, Instant) {
    let host = Arc::new(
        HostBuilder::new()
            .redis(&redis.url())
            .env("RATE_LIMIT_PER_MINUTE", "0")
            .start()
            .await,
    );
    let told: Arc<Mutex<Vec<Told>>> = Arc::default();
    let changed = Arc::new(watch::Sender::new(0_u64));
    let clients: Vec<_> = (0..4)
        .map(|_| tokio::spawn(talk(host.clone(), told.clone(), changed.clone())))
        .collect();
    let mut changes = changed.subscribe();
    while !enough(&told.lock().unwrap()) {
        tokio::time::timeout(PATIENCE, changes.changed())
            .await
            .expect("clients are answered")
            .unwrap();
    }
    let killed = Instant::now();
    redis.kill().await;
    for client in clients {
        client.await.unwrap();
    }
    redis.restart().await;
    let deadline = Instant::now() + PATIENCE;
    while !host.get("/health").send().await.unwrap().status().is_success() {
        assert!(Instant::now() < deadline, "the host finds the store again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = told.lock().unwrap().clone();
    (Arc::into_inner(host).unwrap(), told, killed)
}

async fn talk(host: Arc<Host>, told: Arc<Mutex<Vec<Told>>>, changed: Arc<watch::Sender<u64>>) {
    let mut path = "/v1/assistants/chat/turns".to_owned();
    for number in 0.. {
        let message = json!({ "message": format!("This is message {number}.") });
        let response = host.post(&path, &message).send().await.unwrap();
        if !response.status().is_success() {
            return;
        }
        let answer: Value = response.json().await.unwrap();
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        path = format!("/v1/sessions/{}/turns", text("session"));
        told.lock().unwrap().push(Told {
            session: text("session"),
            turn: text("turn"),
            content: answer["message"]["content"].clone(),
            at: Instant::now(),
        });
        changed.send_modify(|changes| *changes += 1);
    }
}

/// Those of the answers that are not in their conversations any more.
async fn missing(host: &Host, told: &[Told]) -> Vec<String> {
    let mut missing = Vec::new();
    for Told {
        session,
        turn,
        content,
        ..
    } in told
    {
        let mut before = String::new();
        let kept = loop {
            let path = format!("/v1/sessions/{session}?limit=100{before}");
            let page: Value = host.get(&path).send().await.unwrap().json().await.unwrap();
            let turns = page["turns"].as_array().cloned().unwrap_or_default();
            if let Some(kept) = turns.iter().find(|kept| kept["turn"] == turn.as_str()) {
                break kept["message"]["content"] == *content;
            }
            match page["before"].as_u64() {
                Some(earlier) => before = format!("&before={earlier}"),
                None => break false,
            }
        };
        if !kept {
            missing.push(turn.clone());
        }
    }
    missing
}

#[tokio::test]
async fn with_appendfsync_always_nothing_that_a_client_was_told_is_lost() {
    let mut redis = RedisServer::start().await;
    let (host, told, _) = told_before_the_kill(&mut redis, |told| told.len() >= 100).await;
    assert_eq!(missing(&host, &told).await, Vec::<String>::new());
}

#[tokio::test]
async fn with_appendfsync_everysec_only_the_last_moments_can_be_lost() {
    let mut redis = RedisServer::start_every_second().await;
    let old = |told: &[Told], now: Instant| -> Vec<Told> {
        let is_old = |told: &&Told| now - told.at >= BEHIND;
        told.iter().filter(is_old).cloned().collect()
    };
    let enough = |told: &[Told]| old(told, Instant::now()).len() >= 20;
    let (host, told, killed) = told_before_the_kill(&mut redis, enough).await;
    let old = old(&told, killed);
    assert!(old.len() >= 20, "something was told long enough before");
    assert_eq!(missing(&host, &old).await, Vec::<String>::new());
}
