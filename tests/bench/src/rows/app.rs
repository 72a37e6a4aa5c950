//! What a user of the app waits for besides the model and the tools: messages of many users at once.

use super::UNLIMITED;
use super::requests::post;
use crate::load::{Connection, Measured};
use crate::report::{Aim, Report};
use anyhow::{Context as _, Result};
use anyturn_tests::host::HostBuilder;
use anyturn_tests::redis_server::RedisServer;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Users who talk at the same time.
const USERS: usize = 100;
/// What one of them takes to read an answer and to write the next message; people take longer.
const THINKING: Duration = Duration::from_millis(250);

/// Answers to users who each wait for one before they say the next thing. The model is the offline one and there are no
/// tools, so that this is the server's own time.
pub async fn measure(report: &mut Report, time: Duration) -> Result<()> {
    let redis = RedisServer::start_without_log().await;
    let host = HostBuilder::new()
        .redis(&redis.url())
        .env(UNLIMITED.0, UNLIMITED.1)
        .env("APP_ASSISTANT", "chat")
        .start()
        .await;
    let port = host.port();
    let began = Instant::now();
    let mut users = Vec::new();
    for number in 0..USERS {
        // Not all at the same moment.
        let first = THINKING.mul_f64(number as f64 / USERS as f64);
        users.push(tokio::spawn(user(port, began + first, began + first + time)));
    }
    let mut latencies = Vec::new();
    for user in users {
        latencies.extend(user.await??);
    }
    let measured = Measured::from_latencies(latencies);
    report.add(
        format!("POST /api/chat/process, {USERS} users at once, offline model, p50"),
        measured.quantile(0.5),
        "ms",
        Some(Aim::AtMost(10.0)),
    );
    report.add("… p99", measured.quantile(0.99), "ms", Some(Aim::AtMost(50.0)));
    Ok(())
}

/// One user's conversation: how long each answer took, without the first one.
async fn user(port: u16, begin: Instant, end: Instant) -> Result<Vec<Duration>> {
    tokio::time::sleep_until(begin.into()).await;
    let mut connection = Connection::open(port).await?;
    let first = connection.send(say(&json!({ "message": "hello" }))).await?;
    let first: Value = serde_json::from_slice(&first)?;
    let session = first
        .get("session_id")
        .and_then(Value::as_str)
        .context("the answer names the session")?;
    let message = json!({ "message": "hello again", "session_id": session });
    let mut latencies = Vec::new();
    while Instant::now() < end {
        tokio::time::sleep(THINKING).await;
        let said = Instant::now();
        connection.send(say(&message)).await?;
        latencies.push(said.elapsed());
    }
    Ok(latencies)
}

fn say(body: &Value) -> http::Request<http_body_util::Full<bytes::Bytes>> {
    post("/api/chat/process", body)
}
