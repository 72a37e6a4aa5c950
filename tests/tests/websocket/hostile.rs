//! What no library sends: the connection ends with a reason, and the host goes on.

use super::client::{Socket, frame};
use super::host;
use anyturn_tests::host::Host;
use tokio::io::AsyncWriteExt as _;

/// Sends bytes after the handshake; returns the code with which the host closes.
async fn answered(host: &Host, bytes: &[u8]) -> u16 {
    let mut bare = Socket::open(host, "").await.bare();
    // The host may close before it has read all of it.
    let _ = bare.write_all(bytes).await;
    Socket::again(bare).await.closed().await
}

#[tokio::test]
async fn what_no_library_sends_closes_the_connection_with_its_reason() {
    let host = host().await;
    // Fragments without an end.
    let mut fragments = frame(0x01, &[b' '; 100_000]);
    for _ in 0..20 {
        fragments.extend(frame(0x00, &[b' '; 100_000]));
    }
    // A frame that announces more than there may be.
    let huge = [0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0];
    // A mebibyte and a byte in one message.
    let large = frame(0x81, &vec![b' '; (1 << 20) + 1]);
    let mut pings = Vec::new();
    for _ in 0..1000 {
        pings.extend(frame(0x89, b"hello"));
    }
    for (name, bytes, code) in [
        ("fragments without an end", fragments.as_slice(), 1009),
        ("a frame that announces too much", &huge, 1009),
        ("a message that is too large", &large, 1009),
        ("text that is no UTF-8", &frame(0x81, &[0xff, 0xfe]), 1007),
        ("a flood of pings", &pings, 1008),
        ("a continuation of nothing", &frame(0x80, b"x"), 1002),
        ("a reserved kind of frame", &frame(0x83, b"x"), 1002),
        ("a reserved bit", &frame(0xc1, b"x"), 1002),
        ("a frame that is not masked", &[0x81, 0x01, b'x'], 1002),
    ] {
        assert_eq!(answered(&host, bytes).await, code, "{name}");
    }
    let mut socket = Socket::open(&host, "").await;
    socket.say("add buy milk").await;
    assert_eq!(socket.answer().await["type"], "response");
}

#[tokio::test]
async fn the_largest_message_is_read_and_refused_by_the_component_alone() {
    let host = host().await;
    let mut socket = Socket::open(&host, "").await;
    let frame_of = r#"{"type":"message","data":{"message":""}}"#.len();
    socket.say(&"x".repeat((1 << 20) - frame_of)).await;
    let told = socket.answer().await;
    assert_eq!(told["data"]["error"], "invalid-message", "{told}");
}
