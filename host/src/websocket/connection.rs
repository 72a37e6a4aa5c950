//! One connection: what comes in becomes turns, what turns tell goes out, and how it ends.

use super::turn::{self, Heard, Session, Wanted};
use super::{Client, Code, Limits, Surroundings};
use futures::{SinkExt as _, StreamExt as _};
use http::HeaderValue;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::{self, Sender};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// The largest message of a client, in bytes; the same as of a request's body.
const LARGEST: usize = 1 << 20;
/// Bytes that are read and written at a time: small, because most connections are idle.
const BUFFER: usize = 4 << 10;
/// How many turns a connection may hear at once.
const AT_ONCE: usize = 8;
/// How many messages wait for a slow reader; then their turns' streams wait, too.
const WAITING: usize = 16;
/// How long a client may take to answer that the connection is closed.
const FAREWELL: Duration = Duration::from_secs(2);
/// How many pings and pongs may come between two of our own.
const CONTROL: u32 = 100;
/// After so many of our pings without a sign of life a client is taken for gone.
const UNANSWERED: u32 = 3;

type Stream = WebSocketStream<TokioIo<Upgraded>>;

/// A message of a client.
#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Map<String, Value>,
    /// The same id again does not say it again.
    #[serde(default)]
    id: Option<String>,
}

/// Serves a connection until it ends.
pub(super) async fn run(
    upgraded: Upgraded,
    client: Client,
    session: Option<String>,
    last_event: Option<String>,
    surroundings: Surroundings,
) {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_write_buffer_size(usize::MAX)
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST));
    let mut stream =
        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let metrics = Arc::clone(&client.runtime);
    let open = metrics.metrics.websocket();
    let (messages, told) = mpsc::channel(WAITING);
    let Surroundings {
        drain,
        limits,
        expires,
        counted,
        place,
    } = surroundings;
    let connection = Connection {
        resumes: session.is_some(),
        session: Arc::new(Mutex::new(session)),
        client,
        turns: JoinSet::new(),
        messages,
        limits,
        control: 0,
        unanswered: 0,
    };
    let expiry = async {
        match expires.map(|end| end.duration_since(SystemTime::now()).unwrap_or_default()) {
            Some(left) => tokio::time::sleep(left).await,
            None => std::future::pending().await,
        }
    };
    let code = tokio::select! {
        code = connection.serve(&mut stream, told, last_event, drain.begun()) => code,
        () = expiry => Code::Expired,
    };
    metrics.metrics.websocket_closed(code as u16);
    close(stream, code).await;
    drop((open, counted, place));
}

struct Connection {
    client: Client,
    session: Session,
    /// Whether there may be something to hear from before.
    resumes: bool,
    turns: JoinSet<Heard>,
    messages: Sender<String>,
    limits: Limits,
    /// Pings and pongs since our last ping.
    control: u32,
    /// Our pings since the last sign of life.
    unanswered: u32,
}

impl Connection {
    async fn serve(
        mut self,
        stream: &mut Stream,
        mut told: mpsc::Receiver<String>,
        last_event: Option<String>,
        leaving: impl Future<Output = ()>,
    ) -> Code {
        if self.resumes {
            let last = last_event.and_then(|id| HeaderValue::from_str(&id).ok());
            self.hear(Wanted::Rest(last));
        }
        let mut leaving = std::pin::pin!(leaving);
        let mut left = false;
        let ping = self.limits.ping;
        let mut pings = tokio::time::interval_at(Instant::now() + ping, ping);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let sent = tokio::select! {
                // What was told goes out before the connection ends.
                biased;
                Some(message) = told.recv() => {
                    self.client.runtime.metrics.websocket_message("out");
                    self.send(stream, Message::text(message)).await
                }
                Some(heard) = self.turns.join_next() => match heard {
                    Ok(Heard::Expired) => Err(Code::Expired),
                    _ => Ok(()),
                },
                // The client hears of it when its turns have ended; others go on elsewhere.
                () = &mut leaving, if !left => { left = true; Ok(()) }
                incoming = stream.next() => self.take(incoming, left).await,
                _ = pings.tick() => self.ping(stream).await,
            };
            if let Err(code) = sent {
                return code;
            }
            if left && self.turns.is_empty() && told.is_empty() {
                return Code::GoingAway;
            }
        }
    }

    /// Has a turn heard in a task of its own.
    fn hear(&mut self, wanted: Wanted) {
        let (client, session) = (self.client.clone(), Arc::clone(&self.session));
        self.turns
            .spawn(turn::hear(client, session, wanted, self.messages.clone()));
    }

    async fn take(&mut self, incoming: Option<Result<Message, Error>>, left: bool) -> Result<(), Code> {
        self.unanswered = 0;
        match incoming {
            None => Err(Code::Lost),
            Some(Err(error)) => Err(code_of(&error)),
            Some(Ok(Message::Text(text))) => {
                self.client.runtime.metrics.websocket_message("in");
                if let Err((error, message)) = self.said(&text, left) {
                    self.tell(turn::error(error, &message));
                }
                Ok(())
            }
            Some(Ok(Message::Binary(_))) => Err(Code::Unsupported),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                self.control += 1;
                if self.control > CONTROL {
                    Err(Code::Policy)
                } else {
                    Ok(())
                }
            }
            Some(Ok(Message::Close(_))) => Err(Code::Closed),
        }
    }

    /// Tells the client something; who sends nonsense faster than it reads the answers does not get all of them.
    fn tell(&self, message: String) {
        let _ = self.messages.try_send(message);
    }

    fn said(&mut self, text: &str, left: bool) -> Result<(), (&'static str, String)> {
        let said: Said = serde_json::from_str(text).map_err(|problem| {
            let message =
                format!("A message looks like {{\"type\": \"message\", \"data\": {{…}}}}: {problem}.");
            ("malformed-message", message)
        })?;
        if said.kind != "message" {
            let message = format!("There are messages of type `message`, not `{}`.", said.kind);
            return Err(("unknown-type", message));
        }
        if left {
            let message = "This server is about to stop: connect again, and say it there.";
            return Err(("going-away", message.to_owned()));
        }
        if self.turns.len() >= AT_ONCE {
            let message =
                format!("{AT_ONCE} messages of this connection are being answered; wait for one of them.");
            return Err(("too-many-turns", message));
        }
        let key = said.id.map(|id| HeaderValue::from_str(&id)).transpose();
        let key = key.map_err(|_| {
            (
                "malformed-message",
                "An `id` is made of visible characters.".to_owned(),
            )
        })?;
        let mut body = said.data;
        if let Some(session) = &*self.session.lock().unwrap_or_else(PoisonError::into_inner) {
            body.entry("session_id")
                .or_insert_with(|| session.as_str().into());
        }
        let body = Value::Object(body).to_string().into();
        self.hear(Wanted::Answer(body, key));
        Ok(())
    }

    async fn ping(&mut self, stream: &mut Stream) -> Result<(), Code> {
        self.control = 0;
        self.unanswered += 1;
        if self.unanswered > UNANSWERED {
            return Err(Code::Idle);
        }
        self.send(stream, Message::Ping(bytes::Bytes::new())).await
    }

    async fn send(&self, stream: &mut Stream, message: Message) -> Result<(), Code> {
        match tokio::time::timeout(self.limits.patience, stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(code_of(&error)),
            Err(_) => Err(Code::Policy),
        }
    }
}

/// How a connection ends that an error has ended.
fn code_of(error: &Error) -> Code {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Code::TooBig,
        Error::Utf8(_) => Code::InvalidText,
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Code::Lost,
        Error::Protocol(_) | Error::AttackAttempt | Error::Capacity(_) => Code::Protocol,
        Error::ConnectionClosed => Code::Closed,
        _ => Code::Lost,
    }
}

/// Says why, and waits a moment for the client to say that it has heard.
async fn close(mut stream: Stream, code: Code) {
    let reason = match code {
        Code::Lost | Code::Closed => return drop(tokio::time::timeout(FAREWELL, stream.flush()).await),
        Code::GoingAway => "this server is about to stop; come back",
        Code::Protocol => "this is no WebSocket",
        Code::Unsupported => "messages are text",
        Code::InvalidText => "text is UTF-8",
        Code::Policy => "too many pings, or answers that nobody reads",
        Code::TooBig => "a message has at most 1 MiB",
        Code::Expired => "the credentials do not hold any more",
        Code::Idle => "nothing was heard for long",
    };
    let frame = CloseFrame {
        code: (code as u16).into(),
        reason: Utf8Bytes::from_static(reason),
    };
    let farewell = async {
        if stream.close(Some(frame)).await.is_ok() {
            // What comes meanwhile is read, so that the reason is not lost to a reset of the connection.
            let mut below = stream.into_inner();
            let mut ignored = [0; BUFFER];
            let _ = below.shutdown().await;
            while below.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
        }
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}
