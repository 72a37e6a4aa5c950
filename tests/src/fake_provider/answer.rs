//! What the provider does with one request.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::sleep};

use crate::hold::{Holds, Stopped};

use super::{Ending, body::Body, completion::Content, validate::Completion};

/// What to do with one request: what to say, and what goes wrong meanwhile.
#[derive(Clone, Debug)]
pub struct Answer {
    say: Say,
    headers: Vec<(&'static str, String)>,
    /// Whose release to wait for before anything else.
    stopped: Option<Stopped>,
    /// Before the head of the response.
    delay: Duration,
    /// Before each event but the first.
    pause: Duration,
    /// Bytes sent at once; none sends an event at a time.
    chunk_size: Option<usize>,
    /// After so many events, something else happens.
    turn: Option<(usize, Turn)>,
}

#[derive(Clone, Debug)]
enum Say {
    Content(Content),
    Raw {
        status: u16,
        content_type: String,
        body: Bytes,
    },
    Nothing,
}

/// What happens instead of the rest of a stream.
#[derive(Clone, Debug)]
enum Turn {
    Cut,
    End,
    Stall,
    Send(String),
    Come(Holds, String),
}

impl Answer {
    fn new(say: Say) -> Self {
        Self {
            say,
            headers: Vec::new(),
            stopped: None,
            delay: Duration::ZERO,
            pause: Duration::ZERO,
            chunk_size: None,
            turn: None,
        }
    }

    /// Says something, word by word when it is streamed.
    pub fn text(text: &str) -> Self {
        Self::new(Say::Content(Content {
            text: Some(text.to_owned()),
            tool_calls: Vec::new(),
            finish_reason: "stop".into(),
            usage: None,
        }))
    }

    /// Calls a tool; `arguments` are sent as they are, right or wrong.
    pub fn tool_call(name: &str, arguments: &str) -> Self {
        Self::new(Say::Content(Content {
            text: None,
            tool_calls: vec![(name.to_owned(), arguments.to_owned())],
            finish_reason: "tool_calls".into(),
            usage: None,
        }))
    }

    /// An error in the API's shape.
    pub fn error(status: u16, kind: &str, code: &str, message: &str) -> Self {
        let error = json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
        Self::raw(status, "application/json", error.to_string())
    }

    /// 429 with `retry-after` in seconds.
    pub fn rate_limited(retry_after: u64) -> Self {
        let message = "Rate limit reached for requests per min (RPM). Please try again later.";
        Self::error(429, "requests", "rate_limit_exceeded", message)
            .header("retry-after", &retry_after.to_string())
    }

    /// 500.
    pub fn server_error() -> Self {
        let message = "The server had an error while processing your request. Sorry about that!";
        Self::error(500, "server_error", "server_error", message)
    }

    /// Any response at all.
    pub fn raw(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self::new(Say::Raw {
            status,
            content_type: content_type.to_owned(),
            body: body.into(),
        })
    }

    /// Takes the request and never answers.
    pub fn silence() -> Self {
        Self::new(Say::Nothing)
    }

    /// Calls another tool as well.
    #[must_use]
    pub fn and_tool_call(mut self, name: &str, arguments: &str) -> Self {
        if let Say::Content(content) = &mut self.say {
            content.tool_calls.push((name.to_owned(), arguments.to_owned()));
            content.finish_reason = "tool_calls".into();
        }
        self
    }

    /// Ends for this reason: `length`, `content_filter`, …
    #[must_use]
    pub fn finish_reason(mut self, reason: &str) -> Self {
        if let Say::Content(content) = &mut self.say {
            content.finish_reason = reason.to_owned();
        }
        self
    }

    /// Tells this usage: tokens of the prompt, of these cached, and of the answer.
    #[must_use]
    pub fn usage(mut self, prompt: u64, cached: u64, completion: u64) -> Self {
        if let Say::Content(content) = &mut self.say {
            content.usage = Some((prompt, cached, completion));
        }
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Waits before it answers.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Waits until a test lets it go on, if it has stopped it.
    #[must_use]
    pub fn held(mut self, stopped: Option<Stopped>) -> Self {
        self.stopped = stopped;
        self
    }

    /// Waits between two events.
    #[must_use]
    pub fn slowly(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Sends so many bytes at once, wherever that cuts.
    #[must_use]
    pub fn in_chunks_of(mut self, bytes: usize) -> Self {
        self.chunk_size = Some(bytes.max(1));
        self
    }

    /// Breaks the connection after so many events.
    #[must_use]
    pub fn cut_after(mut self, events: usize) -> Self {
        self.turn = Some((events, Turn::Cut));
        self
    }

    /// Ends the stream in good order after so many events, as if that were all.
    #[must_use]
    pub fn end_after(mut self, events: usize) -> Self {
        self.turn = Some((events, Turn::End));
        self
    }

    /// Says nothing more after so many events, until the client leaves.
    #[must_use]
    pub fn stall_after(mut self, events: usize) -> Self {
        self.turn = Some((events, Turn::Stall));
        self
    }

    /// Comes to a place after so many events, at which a test may have it wait, and goes on.
    #[must_use]
    pub fn comes_after(mut self, events: usize, holds: &Holds, place: String) -> Self {
        self.turn = Some((events, Turn::Come(holds.clone(), place)));
        self
    }

    /// Sends this, raw, after so many events and ends.
    #[must_use]
    pub fn send_after(mut self, events: usize, raw: &str) -> Self {
        self.turn = Some((events, Turn::Send(raw.to_owned())));
        self
    }

    /// An error within the stream after so many events.
    #[must_use]
    pub fn fail_after(self, events: usize, kind: &str, message: &str) -> Self {
        let error: Value = json!({"error": {"message": message, "type": kind, "param": null, "code": null}});
        self.send_after(events, &format!("data: {error}\n\n"))
    }

    pub(super) async fn give(
        self,
        request: &Completion,
        mut ending: Ending,
    ) -> Result<Response<Body>, io::Error> {
        if let Some(stopped) = &self.stopped {
            stopped.released().await;
        }
        // Even no time at all would last until the timer's next tick, up to a millisecond later.
        if !self.delay.is_zero() {
            sleep(self.delay).await;
        }
        let (status, content_type, whole) = match &self.say {
            Say::Nothing => return std::future::pending().await,
            Say::Raw {
                status,
                content_type,
                body,
            } => (*status, content_type.as_str(), body.clone()),
            Say::Content(content) if request.streams() => {
                let events = content.events(request);
                let response = self.head(200, "text/event-stream; charset=utf-8")?;
                let (sender, receiver) = mpsc::channel(1);
                tokio::spawn(self.feed(events, sender, ending));
                return response.body(Body::Fed(receiver)).map_err(io::Error::other);
            }
            Say::Content(content) => (
                200,
                "application/json",
                Bytes::from(content.whole(request).to_string()),
            ),
        };
        ending.answered();
        self.head(status, content_type)?
            .body(Body::whole(whole))
            .map_err(io::Error::other)
    }

    fn head(&self, status: u16, content_type: &str) -> Result<http::response::Builder, io::Error> {
        let status = StatusCode::from_u16(status).map_err(io::Error::other)?;
        let mut response = Response::builder()
            .status(status)
            .header("content-type", content_type)
            .header("x-request-id", "req_fake");
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        Ok(response)
    }

    /// Sends the events; ends early when the client leaves, and then `ending` tells.
    async fn feed(
        self,
        events: Vec<String>,
        sender: mpsc::Sender<Result<Bytes, io::Error>>,
        mut ending: Ending,
    ) {
        let send = async |text: &str| {
            let size = self.chunk_size.unwrap_or(usize::MAX);
            for chunk in text.as_bytes().chunks(size) {
                if sender.send(Ok(Bytes::copy_from_slice(chunk))).await.is_err() {
                    return false;
                }
                if self.chunk_size.is_some() {
                    // Lets each chunk out before the next one is there to be sent with it.
                    tokio::task::yield_now().await;
                }
            }
            true
        };
        for (at, event) in events.iter().enumerate() {
            match self.turn.as_ref().filter(|(after, _)| *after == at) {
                Some((_, Turn::Cut)) => {
                    ending.cut();
                    let _ = sender.send(Err(io::Error::other("cut"))).await;
                    return;
                }
                Some((_, Turn::End)) => break,
                Some((_, Turn::Stall)) => return sender.closed().await,
                Some((_, Turn::Send(raw))) => {
                    if send(raw).await {
                        ending.answered();
                    }
                    return;
                }
                Some((_, Turn::Come(holds, place))) => {
                    if let Some(stopped) = holds.come(place) {
                        stopped.released().await;
                    }
                }
                None => {}
            }
            if at > 0 && !self.pause.is_zero() {
                tokio::select! {
                    () = sender.closed() => return,
                    () = sleep(self.pause) => {}
                }
            }
            if !send(event).await {
                return;
            }
        }
        ending.answered();
    }
}
