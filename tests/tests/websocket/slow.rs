//! Who does not read: what is kept for them has an end, and their turns do not mind.

use super::client::Socket;
use super::{cluster, plan, session};
use futures::SinkExt as _;
use tokio_tungstenite::tungstenite::Message;

/// Each is answered with about as much as it says.
const LARGE: usize = 256 << 10;
/// More of them than all buffers between the host and a client take.
const MANY: usize = 512;

#[tokio::test]
async fn whoever_does_not_read_is_left_and_the_turn_goes_on() {
    let cluster = cluster().await.env("ANYTURN_WEBSOCKET_PATIENCE", "200ms");
    let host = cluster.instance().await;
    let mut socket = Socket::open(&host, "").await;
    socket.say(&plan("first").message()).await;
    let session = session(&socket.answer().await);
    let second = plan("second");
    let hold = cluster.holds.place(second.asking(0));
    socket.say(&second.message()).await;
    hold.reached().await;

    // What the host cannot tell it does not go on asking for: long before the end, writing fails.
    let kind = "x".repeat(LARGE);
    let message = Message::text(format!(r#"{{"type": "{kind}"}}"#));
    let mut written = 0;
    while written < MANY && socket.0.send(message.clone()).await.is_ok() {
        written += 1;
    }
    assert!(written < MANY, "the host takes what it cannot answer");
    let metrics = host.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(
        metrics.contains("anyturn_websocket_closes_total{code=\"1008\"} 1"),
        "{metrics}"
    );

    drop(hold);
    let path = format!("/api/chat/session/{session}");
    loop {
        let (_, read) = anyturn_tests::json_of(host.get(&path)).await;
        let said = read["conversationHistory"].as_array().unwrap();
        if said.len() == 4 {
            assert_eq!(said[3]["content"], "second");
            break;
        }
    }
}
