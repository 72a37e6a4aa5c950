//! What the traces of messages over a WebSocket say.

use crate::client::Socket;
use anyturn_tests::fake_collector::{FakeCollector, Span};
use anyturn_tests::host::HostBuilder;
use anyturn_tests::process::Signal;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use std::collections::BTreeSet;

/// The one span that is a part of another one and has this name.
fn part<'a>(spans: &'a [Span], whole: &Span, name: &str) -> &'a Span {
    let parts = spans
        .iter()
        .filter(|span| span.is_part_of(whole) && span.name == name);
    let parts: Vec<_> = parts.collect();
    let [part] = parts[..] else {
        panic!("one {name} in {whole:#?}: {spans:#?}")
    };
    part
}

#[tokio::test]
async fn each_message_of_a_connection_is_a_trace_that_reaches_to_the_tool() {
    let collector = FakeCollector::start().await;
    let mut host = HostBuilder::new()
        .env("APP_ASSISTANT", "tasks")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .start()
        .await;
    // Where the connection stands, its messages do not: it may live for hours.
    let place = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let opened = Socket::attempt(&host, "", &[("traceparent", place)]).await;
    let (mut socket, _) = opened.unwrap();
    for message in ["add buy milk", "add call mum"] {
        socket.say(message).await;
        let answer = socket.answer().await;
        assert_eq!(answer["type"], "response", "{answer}");
    }
    drop(socket);
    host.signal(Signal::Term);
    assert!(host.end().await.success(), "{}", host.log());

    assert_eq!(collector.wrong(), Vec::<String>::new());
    let spans = collector.spans();
    let messages = spans
        .iter()
        .filter(|span| span.attribute("url.path") == "/api/chat/process");
    let messages: Vec<_> = messages.collect();
    assert_eq!(messages.len(), 2, "{spans:#?}");
    let traces: BTreeSet<_> = messages.iter().map(|message| message.trace.as_str()).collect();
    assert_eq!(traces.len(), 2);
    for message in messages {
        assert_eq!(
            (message.name.as_str(), message.kind),
            ("POST chat", SpanKind::Server)
        );
        assert_eq!(message.parent, "");
        assert_eq!(message.attribute("http.response.status_code"), 200);
        let turn = part(&spans, message, "invoke_agent tasks");
        assert!(turn.lies_within(message), "{turn:#?} in {message:#?}");
        let tool = part(&spans, turn, "execute_tool add_task");
        let component = part(&spans, tool, "POST tasks");
        assert!(
            spans
                .iter()
                .any(|span| span.is_part_of(component) && span.name == "commit")
        );
        assert!(
            spans
                .iter()
                .any(|span| span.is_part_of(turn) && span.name.starts_with("chat"))
        );
    }
}
