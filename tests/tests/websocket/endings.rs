//! Limits, and how connections end that reach them.

use super::client::{Socket, frame};
use super::{Halfway, cluster, halfway, host, identified, plan, second_is_said};
use anyturn_tests::host::HostBuilder;
use anyturn_tests::users::token;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

#[tokio::test]
async fn a_user_has_so_many_connections_and_others_have_theirs() {
    let host = identified().arg("--max-websockets-per-user=2").start().await;
    let ana = format!("token={}", token("ana"));
    let first = Socket::open(&host, &ana).await;
    let _second = Socket::open(&host, &ana).await;
    let refused = Socket::attempt(&host, &ana, &[]).await.err().unwrap();
    assert_eq!(refused.status(), 429);
    Socket::open(&host, &format!("token={}", token("bob"))).await;
    drop(first);
    while Socket::attempt(&host, &ana, &[]).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn whoever_answers_no_ping_is_left() {
    let host = HostBuilder::new()
        .env("APP_ASSISTANT", "tasks")
        .arg("--websocket-ping=50ms")
        .start()
        .await;
    let silent = Socket::open(&host, "").await.bare();
    // Nothing reads it, so nothing answers; what was sent is read afterwards.
    let mut log = host.get("/metrics").send().await.unwrap().text().await.unwrap();
    while !log.contains("anyturn_websocket_closes_total{code=\"4408\"} 1") {
        log = host.get("/metrics").send().await.unwrap().text().await.unwrap();
    }
    assert_eq!(Socket::again(silent).await.closed().await, 4408);
}

#[tokio::test]
async fn a_connection_answers_so_many_messages_at_once() {
    let cluster = cluster().await;
    let host = cluster.instance().await;
    let mut socket = Socket::open(&host, "").await;
    let mut holds = Vec::new();
    for number in 0..8 {
        let plan = plan(&format!("number {number}"));
        let hold = cluster.holds.place(plan.asking(0));
        // Each in a session of its own: one of the connection's would be busy.
        socket
            .send(json!({"type": "message", "data": {"message": plan.message(), "session_id": null}}))
            .await;
        hold.reached().await;
        holds.push(hold);
    }
    socket.say("one more").await;
    assert_eq!(socket.answer().await["data"]["error"], "too-many-turns");
    drop(holds);
    let mut answers = Vec::new();
    for _ in 0..8 {
        answers.push(socket.answer().await["data"]["message"].to_string());
    }
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), 8, "{answers:?}");
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_stop_its_turn() {
    let cluster = cluster().await;
    let host = cluster.instance().await;
    let Halfway {
        socket,
        session,
        hold,
        ..
    } = halfway(&cluster, &host).await;
    // Half a message, and then nothing.
    let mut bare = socket.bare();
    bare.write_all(&frame(0x01, b"{\"type\"")).await.unwrap();
    drop(bare);
    drop(hold);
    second_is_said(&host, &session).await;
}

#[tokio::test]
async fn binary_messages_are_none() {
    let host = host().await;
    let mut bare = Socket::open(&host, "").await.bare();
    bare.write_all(&frame(0x82, b"hi")).await.unwrap();
    assert_eq!(Socket::again(bare).await.closed().await, 1003);
}
