//! Requests to the network: what arrives, what comes back, and what each failure is called.

use crate::{answer, hostile, with_target};
use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Listens where a component is allowed to connect.
async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

/// Reads the head of a request.
async fn head(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(read).unwrap()
}

#[tokio::test]
async fn a_plain_get_arrives_as_one() {
    let host = hostile().start().await;
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = head(&mut stream).await;
        stream
            .write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 4\r\n\r\nmade")
            .await
            .unwrap();
        head
    });
    assert_eq!(
        with_target(&host, "fetch", &format!("{address}/path?q=1")).await,
        "201 made"
    );
    let head = server.await.unwrap();
    assert!(head.starts_with("GET /path?q=1 HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains(&format!("host: {}", address.trim_start_matches("http://"))),
        "{head}"
    );
    assert!(!head.contains("transfer-encoding"), "{head}");
}

#[tokio::test]
async fn an_answer_streams_through_and_closing_it_closes_the_connection_behind() {
    let host = hostile().start().await;
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
            .await
            .unwrap();
        // Nothing more is sent until the client has what there is, and then until it has gone.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    });
    let response = host
        .get("/one/relay")
        .header("x-target", address)
        .send()
        .await
        .unwrap();
    let mut pieces = response.bytes_stream();
    assert_eq!(pieces.next().await.unwrap().unwrap(), "first");
    assert!(!server.is_finished());
    drop(pieces);
    tokio::time::timeout(anyturn_tests::process::PATIENCE, server)
        .await
        .expect("the connection is closed")
        .unwrap();
}

#[tokio::test]
async fn failures_have_their_names() {
    let host = hostile().start().await;
    let (closed, refused) = listen().await;
    drop(closed);
    assert_eq!(
        with_target(&host, "fetch", &refused).await,
        "ErrorCode::ConnectionRefused"
    );

    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let answers: [&[u8]; 3] = [
            b"",
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        ];
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            head(&mut stream).await;
            stream.write_all(answer).await.unwrap();
        }
    });
    let said = with_target(&host, "fetch", &address).await;
    assert_eq!(
        said, "ErrorCode::HttpResponseIncomplete",
        "hung up before it answered"
    );
    let said = with_target(&host, "fetch", &address).await;
    assert_eq!(
        said, "ErrorCode::HttpProtocolError",
        "answered something else than HTTP"
    );
    let said = with_target(&host, "fetch", &address).await;
    assert_eq!(
        said, "200 half then ErrorCode::HttpResponseIncomplete",
        "hung up in the middle"
    );

    let said = with_target(&host, "fetch", "http://no-such-host.invalid/").await;
    assert!(said.starts_with("ErrorCode::DnsError"), "{said}");
}

#[tokio::test]
async fn a_redirect_is_the_components_to_follow() {
    let host = hostile().start().await;
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        let redirect = b"HTTP/1.1 302 Found\r\nlocation: http://example.com/\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(redirect).await.unwrap();
    });
    let (_, said) = answer(host.get("/one/fetch").header("x-target", &address)).await;
    assert_eq!(said, "302 ");
}
