//! Receives answers: one JSON object, or a stream of server-sent events in which the answer stands.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ClientError, Transport};
use crate::RpcError;

/// How much of an answer that is not the protocol's is shown to people.
const EXCERPT: usize = 200;

/// A message that holds a result.
pub(super) struct Answer {
    headers: HeaderMap,
    message: Bytes,
    result: Bytes,
}

impl Answer {
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The whole message.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.message
    }

    /// The result's JSON.
    pub(super) fn result(&self) -> &[u8] {
        &self.result
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<RpcError>,
}

/// Sends a request and waits for the answer with this id.
pub(super) async fn receive<T: Transport>(
    transport: &T,
    request: http::Request<Bytes>,
    id: u64,
    max: usize,
) -> Result<Answer, ClientError<T::Error>> {
    let response = transport.send(request).await.map_err(ClientError::Transport)?;
    let (head, mut body) = response.into_parts();
    if is_event_stream(&head.headers) && head.status.is_success() {
        let message = from_events::<T>(&mut body, id, max).await?;
        return understand(head.status, head.headers, message, id);
    }
    let mut message = BytesMut::new();
    while let Some(chunk) = next_chunk::<T>(&mut body).await? {
        if message.len() + chunk.len() > max {
            return Err(too_large(max));
        }
        message.extend_from_slice(&chunk);
    }
    understand(head.status, head.headers, message.freeze(), id)
}

async fn next_chunk<T: Transport>(body: &mut T::Body) -> Result<Option<Bytes>, ClientError<T::Error>> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(error)) => return Err(ClientError::Transport(error.into())),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// Reads events until one carries the answer; what comes before are notifications, and requests that a
/// client without capabilities has no answer to.
async fn from_events<T: Transport>(
    body: &mut T::Body,
    id: u64,
    max: usize,
) -> Result<Bytes, ClientError<T::Error>> {
    let mut events = Events::default();
    let mut total = 0;
    loop {
        let chunk = next_chunk::<T>(body).await?;
        let at_end = chunk.is_none();
        match chunk {
            Some(chunk) => {
                total += chunk.len();
                if total > max {
                    return Err(too_large(max));
                }
                events.feed(&chunk);
            }
            None => events.finish(),
        }
        while let Some(data) = events.next_data() {
            if is_answer(&data, id) {
                return Ok(data.into());
            }
        }
        if at_end {
            return Err(ClientError::Protocol(
                "its stream of events ended without the answer".into(),
            ));
        }
    }
}

fn is_answer(data: &[u8], id: u64) -> bool {
    anyturn_json::from_slice::<Message<'_>>(data).is_ok_and(|message| {
        (message.result.is_some() || message.error.is_some())
            && message.id.is_some_and(|found| is_id(found, id))
    })
}

fn understand<E>(
    status: StatusCode,
    headers: HeaderMap,
    message: Bytes,
    id: u64,
) -> Result<Answer, ClientError<E>> {
    let not_ours = |status: StatusCode| ClientError::Status {
        status,
        body: begin(&message),
    };
    let Ok(parsed) = anyturn_json::from_slice::<Message<'_>>(&message) else {
        return Err(if status.is_success() {
            ClientError::Protocol(format!("it is no JSON-RPC message: {}", begin(&message)))
        } else {
            not_ours(status)
        });
    };
    match (parsed.result, parsed.error) {
        (_, Some(error)) if status.is_success() || error_is_trusted(status, &error) => {
            Err(ClientError::Rpc(error))
        }
        (Some(result), None) if status.is_success() => {
            if parsed.id.is_some_and(|found| is_id(found, id)) {
                let result = message.slice_ref(result.get().as_bytes());
                Ok(Answer {
                    headers,
                    message,
                    result,
                })
            } else {
                Err(ClientError::Protocol(
                    "it answers another request than the one it got".into(),
                ))
            }
        }
        _ if status.is_success() => Err(ClientError::Protocol(
            "it holds neither a result nor an error".into(),
        )),
        _ => Err(not_ours(status)),
    }
}

/// Beside a status of an error, servers of earlier revisions use the codes of JSON-RPC for whatever they
/// like; those that came with 2026-07-28 have one meaning, and so has the one for an unknown method with
/// 404. A server's own failure is passed on as what it says.
fn error_is_trusted(status: StatusCode, error: &RpcError) -> bool {
    error.proves_stateless_server()
        || (status == StatusCode::NOT_FOUND && error.code == RpcError::METHOD_NOT_FOUND)
        || status.is_server_error()
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("text/event-stream")
        })
}

fn is_id(found: &RawValue, id: u64) -> bool {
    found.get().parse() == Ok(id)
}

fn begin(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut begin: String = text.trim().chars().take(EXCERPT).collect();
    if begin.len() < text.trim().len() {
        begin.push('…');
    }
    begin
}

fn too_large<E>(max: usize) -> ClientError<E> {
    ClientError::Protocol(format!("it is longer than {max} bytes"))
}

/// Server-sent events (HTML, 9.2.6), of which only the data is of interest.
#[derive(Default)]
struct Events {
    buffer: BytesMut,
    data: Option<Vec<u8>>,
    ready: std::collections::VecDeque<Vec<u8>>,
    /// The last line ended with CR: an LF that follows belongs to it.
    after_cr: bool,
    begun: bool,
}

impl Events {
    fn feed(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
        if !self.begun && self.buffer.len() >= 3 {
            self.begun = true;
            if self.buffer.starts_with(b"\xEF\xBB\xBF") {
                drop(self.buffer.split_to(3));
            }
        }
        loop {
            if self.after_cr && self.buffer.first() == Some(&b'\n') {
                drop(self.buffer.split_to(1));
            }
            if !self.buffer.is_empty() {
                self.after_cr = false;
            }
            let Some(end) = self.buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                return;
            };
            let line = self.buffer.split_to(end);
            self.after_cr = self.buffer.first() == Some(&b'\r');
            drop(self.buffer.split_to(1));
            self.line(&line);
        }
    }

    /// A stream that ends without the last blank line: lenient, since servers do so.
    fn finish(&mut self) {
        let line = std::mem::take(&mut self.buffer);
        if !line.is_empty() {
            self.line(&line);
        }
        self.line(b"");
    }

    fn line(&mut self, line: &[u8]) {
        if line.is_empty() {
            self.ready.extend(self.data.take());
            return;
        }
        let Some(value) = line.strip_prefix(b"data") else {
            return;
        };
        let value = match value.strip_prefix(b":") {
            Some(value) => value.strip_prefix(b" ").unwrap_or(value),
            None if value.is_empty() => value,
            None => return,
        };
        match &mut self.data {
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            None => self.data = Some(value.to_vec()),
        }
    }

    fn next_data(&mut self) -> Option<Vec<u8>> {
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&str]) -> Vec<String> {
        let mut events = Events::default();
        for chunk in chunks {
            events.feed(chunk.as_bytes());
        }
        events.finish();
        std::iter::from_fn(|| events.next_data())
            .map(|data| String::from_utf8(data).unwrap())
            .collect()
    }

    #[test]
    fn events_are_read_whatever_their_line_ends_and_chunks() {
        let stream =
            "\u{feff}: hello\r\nid: 1\r\ndata: a\r\ndata:b\r\n\r\nevent: message\ndata: c\n\ndata\r\rdata: d";
        let expected = ["a\nb", "c", "", "d"];
        assert_eq!(all(&[stream]), expected);
        for split in 1..stream.len() {
            if stream.is_char_boundary(split) {
                let (begin, end) = stream.split_at(split);
                assert_eq!(all(&[begin, end]), expected, "split at {split}");
            }
        }
    }

    #[test]
    fn other_fields_are_no_data() {
        assert_eq!(all(&["database: x\n\nretry: 3\n\n"]), Vec::<String>::new());
    }
}
