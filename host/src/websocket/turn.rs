//! A turn as a connection hears it: a request to the component, and its events as messages.
//!
//! An answer that breaks off, because its instance was stopped, is gone on with from the last event that was heard:
//! whoever asks for it next has the turn taken over.

use super::Client;
use crate::admission::Full;
use crate::guest::{Call, Failure, RequestId};
use crate::server::{headers, request_id};
use crate::telemetry::conventions;
use crate::telemetry::watch::Watch;
use crate::worker::{self, GuestBody};
use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full as Whole};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::Sender;
use wasmtime_wasi_http::WasiBody;

/// The longest event that is passed on, in bytes.
const LONGEST: usize = 8 << 20;
/// How often an answer that broke off is gone on with.
const TRIES: u32 = 3;

const SESSION: &str = "anyturn-session";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Why the component did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// There is no place for it.
    #[error("the server is busy; try again shortly")]
    Busy(Full),
    /// It failed.
    #[error("the component that answers failed")]
    Failed(Failure),
    /// Its answer broke off.
    #[error("the answer broke off; come back with the last event's id to go on")]
    BrokenOff,
}

/// The session of a connection, as soon as it has one.
pub(super) type Session = Arc<Mutex<Option<String>>>;

/// A message to the client.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    data: &'a RawValue,
}

/// What an error tells.
#[derive(Deserialize, Serialize)]
pub(super) struct Problem<'a> {
    #[serde(borrow)]
    pub error: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    pub message: std::borrow::Cow<'a, str>,
}

/// An error as a message to the client.
pub(super) fn error(error: &str, message: &str) -> String {
    let problem = Problem {
        error: error.into(),
        message: message.into(),
    };
    let data = serde_json::value::to_raw_value(&problem).unwrap_or_default();
    written("error", None, None, &data)
}

fn written(kind: &str, session_id: Option<&str>, id: Option<&str>, data: &RawValue) -> String {
    let message = Message {
        kind,
        session_id,
        id,
        data,
    };
    // All keys are strings, so this cannot fail.
    serde_json::to_string(&message).unwrap_or_default()
}

/// What a client wants to hear.
pub(super) enum Wanted {
    /// The answer to a message, with its idempotency key.
    Answer(Bytes, Option<HeaderValue>),
    /// What comes after an event, or what is under way.
    Rest(Option<HeaderValue>),
}

/// How hearing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// There is nothing more to hear.
    All,
    /// The credentials do not hold any more.
    Expired,
}

/// Asks the component, and passes its events on until there are no more.
pub(super) async fn hear(
    client: Client,
    session: Session,
    wanted: Wanted,
    messages: Sender<String>,
) -> Heard {
    let (mut last, answer) = match wanted {
        Wanted::Answer(body, key) => {
            let mut request = client.request(Method::POST, "/process", body);
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(header::CONTENT_TYPE, json);
            if let Some(key) = key {
                request.headers_mut().insert(IDEMPOTENCY_KEY, key);
            }
            (None, Some(request))
        }
        Wanted::Rest(last) => (last, None),
    };
    let mut request = answer.or_else(|| client.rest(&session, last.clone()));
    for _ in 0..TRIES {
        let Some(asked) = request.take() else { break };
        match client.events(asked, &session, &mut last, &messages).await {
            Ok(heard) => return heard,
            // Nothing was heard that could be gone on from: the client knows best whether to say it again.
            Err(NoAnswer::BrokenOff) if last.is_some() => request = client.rest(&session, last.clone()),
            Err(failure) => {
                let slug = match &failure {
                    NoAnswer::Busy(_) => "overloaded",
                    NoAnswer::Failed(_) => "component-failed",
                    NoAnswer::BrokenOff => break,
                };
                let _ = messages.send(error(slug, &failure.to_string())).await;
                return Heard::All;
            }
        }
    }
    let _ = messages
        .send(error("broken-off", &NoAnswer::BrokenOff.to_string()))
        .await;
    Heard::All
}

impl Client {
    /// A request in the client's name, below the API's path.
    pub(super) fn request(&self, method: Method, path: &str, body: Bytes) -> Request<Bytes> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        let address = format!("http://{}{}{path}", self.authority, self.api).parse();
        *request.uri_mut() = address.unwrap_or_default();
        *request.headers_mut() = self.credentials.clone();
        request
    }

    /// A request for what comes after an event; none without a session.
    fn rest(&self, session: &Session, last: Option<HeaderValue>) -> Option<Request<Bytes>> {
        let session = session.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let session: String = url::form_urlencoded::byte_serialize(session.as_bytes()).collect();
        let path = format!("/session/{}/events", session.replace('+', "%20"));
        let mut request = self.request(Method::GET, &path, Bytes::new());
        if let Some(last) = last {
            request.headers_mut().insert(LAST_EVENT_ID, last);
        }
        Some(request)
    }

    /// Sends a request to a fresh instance.
    pub(super) async fn ask(&self, request: Request<Bytes>) -> Result<Response<GuestBody>, NoAnswer> {
        // A message is the beginning of a trace: the connection that it came by may live for hours.
        let traces = &self.runtime.traces;
        let span = traces.begin(|| conventions::call(&request, &self.component.id, None));
        let admitted = self.runtime.admission.admit().await;
        let admitted = admitted.map_err(|full| {
            self.runtime.metrics.refused(full.reason());
            conventions::answered(&span, Some(StatusCode::SERVICE_UNAVAILABLE), false);
            NoAnswer::Busy(full)
        })?;
        let id = request_id::new();
        let call = Call::new(RequestId::from(&id), 0, Watch::of(&span));
        let started = call.started;
        let mut request = request
            .map(|body| -> WasiBody { Whole::new(body).map_err(|never| match never {}).boxed_unsync() });
        let events = HeaderValue::from_static("text/event-stream");
        request.headers_mut().insert(header::ACCEPT, events);
        request.headers_mut().insert(headers::REQUEST_ID, id);
        if let Some(place) = span.place() {
            place.put(request.headers_mut());
        }
        headers::of_chained(&mut request);
        let permit = admitted.permit;
        let answer = worker::call(&self.runtime, &self.component, call, request, permit, &span).await;
        let status = match &answer {
            Ok(answer) => answer.status(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        self.component.series.answered(status.as_u16(), started.elapsed());
        conventions::answered(&span, Some(status), false);
        answer.map_err(NoAnswer::Failed)
    }

    /// Passes the events of one answer on.
    async fn events(
        &self,
        request: Request<Bytes>,
        session: &Session,
        last: &mut Option<HeaderValue>,
        messages: &Sender<String>,
    ) -> Result<Heard, NoAnswer> {
        let answer = self.ask(request).await?;
        if let Some(name) = answer.headers().get(SESSION).and_then(|name| name.to_str().ok()) {
            let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
            session.get_or_insert_with(|| name.to_owned());
        }
        let name = session.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let status = answer.status();
        if status != StatusCode::OK {
            let body = Events::whole(answer.into_body()).await?;
            if let Ok(problem) = serde_json::from_slice::<Problem<'_>>(&body) {
                let _ = messages.send(error(&problem.error, &problem.message)).await;
            }
            return Ok(match status {
                StatusCode::UNAUTHORIZED => Heard::Expired,
                _ => Heard::All,
            });
        }
        let mut events = Events::new(answer.into_body());
        let mut ended = false;
        while let Some(event) = events.next().await? {
            let Ok(data) = serde_json::from_str::<&RawValue>(&event.data) else {
                continue;
            };
            ended = event.name != "progress";
            let message = written(&event.name, name.as_deref(), event.id.as_deref(), data);
            if messages.send(message).await.is_err() {
                return Ok(Heard::All);
            }
            if let Some(id) = event.id {
                *last = HeaderValue::from_str(&id).ok();
            }
        }
        if ended {
            Ok(Heard::All)
        } else {
            Err(NoAnswer::BrokenOff)
        }
    }
}

/// An event of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    id: Option<String>,
    name: String,
    data: String,
}

/// The events of an answer, as they come (WHATWG HTML, section 9.2).
pub(super) struct Events<B> {
    body: B,
    held: BytesMut,
}

impl<B: http_body::Body<Data = Bytes> + Unpin> Events<B> {
    fn new(body: B) -> Self {
        let held = BytesMut::new();
        Self { body, held }
    }

    /// All of an answer that is no stream.
    pub(super) async fn whole(mut body: B) -> Result<Bytes, NoAnswer> {
        let mut all = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| NoAnswer::BrokenOff)?;
            if let Ok(data) = frame.into_data() {
                all.extend_from_slice(&data);
            }
            if all.len() > LONGEST {
                return Err(NoAnswer::BrokenOff);
            }
        }
        Ok(all.freeze())
    }

    /// The next event; none at the end.
    async fn next(&mut self) -> Result<Option<Event>, NoAnswer> {
        loop {
            while let Some(end) = self.held.windows(2).position(|pair| pair == b"\n\n") {
                let text = self.held.split_to(end + 2);
                if let Some(event) = Event::read(&String::from_utf8_lossy(&text)) {
                    return Ok(Some(event));
                }
            }
            if self.held.len() > LONGEST {
                return Err(NoAnswer::BrokenOff);
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(_)) => return Err(NoAnswer::BrokenOff),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.held.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}

impl Event {
    /// Reads an event; none in a comment.
    fn read(text: &str) -> Option<Event> {
        let mut event = Event::default();
        for line in text.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => event.id = Some(id.to_owned()),
                Some(("event", name)) => name.clone_into(&mut event.name),
                Some(("data", data)) => event.data.push_str(data),
                _ => {}
            }
        }
        (!event.data.is_empty()).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use std::collections::VecDeque;

    /// A body of these pieces.
    struct Pieces(VecDeque<Result<Bytes, String>>);

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = String;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, String>>> {
            std::task::Poll::Ready(self.0.pop_front().map(|piece| piece.map(http_body::Frame::data)))
        }
    }

    fn pieces(pieces: &[&'static str]) -> Pieces {
        Pieces(
            pieces
                .iter()
                .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
                .collect(),
        )
    }

    #[test]
    fn events_are_read_however_they_are_cut_and_comments_are_not() {
        let mut events = Events::new(pieces(&[
            ": keep-alive\n\nid: t.1.1\nev",
            "ent: progress\ndata: {\"a\":",
            "1}\n",
            "\n",
        ]));
        let mut next = || events.next().now_or_never().unwrap().unwrap();
        let event = Event {
            id: Some("t.1.1".to_owned()),
            name: "progress".to_owned(),
            data: "{\"a\":1}".to_owned(),
        };
        assert_eq!(next(), Some(event));
        assert_eq!(next(), None);
    }

    #[test]
    fn an_answer_that_breaks_off_is_not_taken_for_whole() {
        let broken = || {
            Pieces(VecDeque::from([
                Ok(Bytes::from_static(b"data: {}\n")),
                Err("gone".to_owned()),
            ]))
        };
        assert!(Events::new(broken()).next().now_or_never().unwrap().is_err());
        assert!(Events::whole(broken()).now_or_never().unwrap().is_err());
    }

    #[test]
    fn an_error_has_the_shape_of_the_others() {
        assert_eq!(
            error("busy", "Say it \"later\"."),
            r#"{"type":"error","data":{"error":"busy","message":"Say it \"later\"."}}"#
        );
    }
}
