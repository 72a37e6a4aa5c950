//! A client of the WebSocket: a library's, and the bare connection for what no library would send.

use anyturn_tests::host::Host;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Response};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, http::HeaderName};

pub struct Socket(pub WebSocketStream<TcpStream>);

/// What the host answered to the handshake.
pub type Answer = Response<Option<Vec<u8>>>;

impl Socket {
    /// Connects with this query.
    pub async fn open(host: &Host, query: &str) -> Self {
        match Self::attempt(host, query, &[]).await {
            Ok((socket, _)) => socket,
            Err(answer) => panic!("{}: {:?}", answer.status(), answer.body()),
        }
    }

    /// Tries to connect, with further headers.
    pub async fn attempt(
        host: &Host,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Self, Answer), Box<Answer>> {
        let mut request = format!("ws://127.0.0.1:{}/ws?{query}", host.port())
            .into_client_request()
            .unwrap();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        let stream = TcpStream::connect(("127.0.0.1", host.port())).await.unwrap();
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, answer)) => Ok((Self(socket), answer)),
            Err(Error::Http(answer)) => Err(answer),
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    pub async fn say(&mut self, message: &str) {
        self.send(json!({"type": "message", "data": {"message": message}}))
            .await;
    }

    /// The next message; pings are answered by the library.
    pub async fn next(&mut self) -> Value {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The next message that is no progress.
    pub async fn answer(&mut self) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] != "progress" {
                return message;
            }
        }
    }

    /// The code with which the host closes, whatever comes before.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The connection below, for what no library sends.
    pub fn bare(self) -> TcpStream {
        self.0.into_inner()
    }

    pub async fn again(stream: TcpStream) -> Self {
        Self(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)
    }
}

/// A frame of a client, masked with zeros.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match u8::try_from(payload.len()) {
        Ok(length) if length < 126 => bytes.push(0x80 | length),
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}
