//! Server-sent events as a client reads them.

use serde_json::Value;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The `id` field; empty when there was none.
    pub id: String,
    /// The `event` field; `message` when there was none.
    pub event: String,
    /// The `data` field.
    pub data: String,
}

impl Event {
    /// The data as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{:?} is JSON: {error}", self.data))
    }
}

/// Reads a response to its end.
pub async fn all(response: reqwest::Response) -> Vec<Event> {
    let mut stream = Stream::new(response);
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        events.push(event);
    }
    events
}

/// A response that is read event by event.
#[derive(Debug)]
pub struct Stream {
    response: reqwest::Response,
    buffer: Vec<u8>,
}

impl Stream {
    /// Reads `response`, whose media type must be `text/event-stream`.
    pub fn new(response: reqwest::Response) -> Self {
        let media_type = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok());
        assert!(
            media_type.is_some_and(|media_type| media_type.starts_with("text/event-stream")),
            "{} {media_type:?} is an event stream",
            response.status()
        );
        Self {
            response,
            buffer: Vec::new(),
        }
    }

    /// The next event; comments are passed over. A stream that is cut fails the test.
    pub async fn next(&mut self) -> Option<Event> {
        self.try_next()
            .await
            .unwrap_or_else(|error| panic!("the stream was cut: {error}"))
    }

    /// The next event; comments are passed over.
    ///
    /// # Errors
    /// When the stream is cut.
    pub async fn try_next(&mut self) -> Result<Option<Event>, reqwest::Error> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                if let Some(event) =
                    parse(&String::from_utf8(block).unwrap_or_else(|_| panic!("events are UTF-8")))
                {
                    return Ok(Some(event));
                }
            }
            match self.response.chunk().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => {
                    assert!(
                        self.buffer.is_empty(),
                        "the stream ends after an event, not in it: {:?}",
                        self.buffer
                    );
                    return Ok(None);
                }
            }
        }
    }
}

fn parse(block: &str) -> Option<Event> {
    let mut event = Event {
        id: String::new(),
        event: "message".to_owned(),
        data: String::new(),
    };
    let mut seen = false;
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => event.id = value.to_owned(),
            "event" => event.event = value.to_owned(),
            "data" => {
                if seen {
                    event.data.push('\n');
                }
                event.data.push_str(value);
                seen = true;
            }
            _ => {}
        }
    }
    seen.then_some(event)
}
