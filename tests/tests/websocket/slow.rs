//! Who does not read: what is kept for them has an end, and their turns do not mind.

use super::{Halfway, cluster, halfway, second_is_said};
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
    let Halfway {
        mut socket,
        session,
        hold,
        ..
    } = halfway(&cluster, &host).await;

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
    second_is_said(&host, &session).await;
}
