//! Bad input that only the host can be given: bytes that no client sends, and files that it starts with. What the API
//! answers to bad input is among the promises in `tests/e2e`.

use anyturn_tests::application::Application;
use anyturn_tests::host::{Host, HostBuilder};
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Sends bytes as they are and returns everything that comes back until the server closes or pauses.
async fn raw(host: &Host, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", host.port())).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = vec![0; 65536];
    let mut length = 0;
    loop {
        let read = stream.read(&mut answer[length..]).await.unwrap_or(0);
        length += read;
        let text = String::from_utf8_lossy(&answer[..length]).into_owned();
        if read == 0 || (text.contains("\r\n\r\n") && text.ends_with('}')) {
            return text;
        }
    }
}

#[tokio::test]
async fn a_body_over_a_megabyte_is_refused_without_reading_on() {
    let host = Host::start().await;
    let head =
        "POST /v1/assistants/chat/turns HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    // Announced: refused before any of it is sent.
    let announced = raw(&host, format!("{head}content-length: 2000000\r\n\r\n").as_bytes()).await;
    assert!(announced.starts_with("HTTP/1.1 413"), "{announced}");
    assert!(announced.contains("problems/body-too-large"), "{announced}");

    // Not announced, and without an end: refused in the middle.
    let mut stream = TcpStream::connect(("127.0.0.1", host.port())).await.unwrap();
    stream
        .write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let chunk = format!("{:x}\r\n{}\r\n", 65536, " ".repeat(65536));
    let sender = tokio::spawn(async move {
        let mut sent = 0_u64;
        while sent < 1 << 30 && writer.write_all(chunk.as_bytes()).await.is_ok() {
            sent += 65536;
        }
        sent
    });
    let mut answer = [0; 12];
    reader.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    drop(reader);
    sender.abort();
    assert_eq!(
        host.get("/v1/assistants").send().await.unwrap().status(),
        StatusCode::OK,
        "the host goes on"
    );
}

/// Reads one answer of a connection that stays open.
async fn next_answer(stream: &mut TcpStream) -> (String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap_or_else(|| panic!("{head}"));
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    (head, String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn a_body_is_the_same_in_one_piece_or_in_many_and_its_connection_goes_on() {
    let host = Host::start().await;
    let head =
        "POST /v1/assistants/chat/turns HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    // What matters stands at the very end.
    let body = format!("{{{}\"message\":\"hello\"}}", " ".repeat(50_000));
    let announced = format!("{head}content-length: {}\r\n\r\n", body.len());
    let (first, second) = body.split_at(20_000);
    let chunked = |piece: &str| format!("{:x}\r\n{piece}\r\n", piece.len());
    let mut stream = TcpStream::connect(("127.0.0.1", host.port())).await.unwrap();
    for pieces in [
        vec![format!("{announced}{body}")],
        vec![announced.clone(), body.clone()],
        vec![announced.clone(), first.to_owned(), second.to_owned()],
        vec![
            format!("{head}transfer-encoding: chunked\r\n\r\n"),
            chunked(first),
            chunked(second),
            "0\r\n\r\n".to_owned(),
        ],
    ] {
        for piece in &pieces {
            stream.write_all(piece.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            // Another request of the same host is answered between two pieces, so that it has them one by one.
            assert_eq!(
                host.get("/v1/assistants").send().await.unwrap().status(),
                StatusCode::OK
            );
        }
        let (head, answer) = next_answer(&mut stream).await;
        assert!(head.starts_with("http/1.1 200"), "{head}{answer}");
    }
    // One that says nothing, and one that breaks off.
    stream
        .write_all(format!("{head}content-length: 0\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let (head_of_none, answer) = next_answer(&mut stream).await;
    assert!(head_of_none.starts_with("http/1.1 400"), "{head_of_none}{answer}");
    stream
        .write_all(format!("{announced}{first}").as_bytes())
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = String::new();
    let _ = stream.read_to_string(&mut rest).await;
    assert!(!rest.contains(" 201 ") && !rest.contains(" 200 "), "{rest}");
    let sessions = host.get("/v1/sessions").send().await.unwrap();
    let sessions: serde_json::Value = sessions.json().await.unwrap();
    assert_eq!(sessions["data"].as_array().map(Vec::len), Some(4), "{sessions}");
}

#[tokio::test]
async fn a_broken_assistant_is_told_at_the_start_with_file_key_and_line() {
    let application = Application::copy().assistant(
        "broken",
        "title = \"Broken\"\nkind = \"agent\"\nprompt = \"Hello.\"\ntemprature = 1\n",
    );
    let (status, said) = HostBuilder::new()
        .manifest(application.manifest())
        .refused()
        .await;
    assert!(!status.success());
    for needed in ["broken.toml", "temprature", "4"] {
        assert!(said.contains(needed), "{needed} is in:\n{said}");
    }
}

#[tokio::test]
async fn what_the_host_does_not_support_is_refused_by_name() {
    let application = Application::copy().replace(
        "[component.chat]\n",
        "[component.chat]\nsqlite_databases = [\"default\"]\n",
    );
    let (status, said) = HostBuilder::new()
        .manifest(application.manifest())
        .refused()
        .await;
    assert!(!status.success());
    assert!(
        said.contains("sqlite_databases") && said.contains("spin.toml"),
        "{said}"
    );
}
