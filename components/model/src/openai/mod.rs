//! OpenAI's Chat Completions dialect, streaming.
//!
//! [`begin`] returns when the first event is there: until then a failure is tried again where that may
//! help, within one budget of time; from then on nothing is. Time-outs are ours and not the host's, so that
//! they hold everywhere: for the first byte, and between two chunks. Dropping an [`Answer`], or the future
//! of `begin`, drops the connection. A model that does not take one of the optional fields is asked again at once
//! without it (`adjust`).

use std::{pin::pin, time::Duration};

use futures::future::{Either, select};
use http::Uri;

use crate::{
    api::{Error, ErrorKind, Event, Request},
    failure::error,
    port::{Body, Platform, Post, Reply, TransportError},
    presets::Authentication,
    retry::{Backoff, retry_after},
    settings::Connection,
    sse::{Parser, TooLong},
};
use adjust::{Adjustments, Dialect};
use chunks::Decoder;
use errors::Failure;

mod adjust;
mod chunks;
mod errors;
mod request;

/// The longest answer that is not a stream.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// Connecting takes milliseconds or never succeeds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks a provider.
pub async fn begin<P: Platform>(
    platform: P,
    connection: &Connection,
    request: &Request,
) -> Result<Answer<P>, Error> {
    let model = request.options.model.as_deref().unwrap_or(&connection.model);
    let uri = connection.uri(model)?;
    let call = Call {
        platform: &platform,
        connection,
        request,
        model,
        host: uri.authority().map(ToString::to_string).unwrap_or_default(),
        uri: &uri,
        headers: headers(connection),
    };
    let begun = call.tries().await?;
    Ok(Answer {
        timeout: connection.timeout,
        host: call.host,
        platform,
        begun,
    })
}

fn headers(connection: &Connection) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("accept", "text/event-stream".to_owned()),
    ];
    if let Some(key) = &connection.key {
        headers.push(match connection.preset.authentication {
            Authentication::ApiKey => ("api-key", key.expose().to_owned()),
            Authentication::Bearer | Authentication::Optional => {
                ("authorization", format!("Bearer {}", key.expose()))
            }
        });
    }
    headers
}

// ---- until the answer begins ------------------------------------------------------------------------

/// One call, which may take several tries.
struct Call<'a, P> {
    platform: &'a P,
    connection: &'a Connection,
    request: &'a Request,
    model: &'a str,
    host: String,
    uri: &'a Uri,
    headers: Vec<(&'static str, String)>,
}

impl<P: Platform> Call<'_, P> {
    async fn tries(&self) -> Result<Begun<P::Body>, Error> {
        let mut backoff = Backoff::new(self.platform.monotonic().saturating_add(self.connection.timeout));
        let mut dialect = Dialect {
            preset: self.connection.preset,
            model: self.model,
            reasoning_effort: self.connection.reasoning_effort.as_deref(),
            adjustments: Adjustments::default(),
        };
        let mut body = request::body(self.request, &dialect)?;
        loop {
            let left = backoff.left(self.platform.monotonic());
            let Failure {
                error,
                retry,
                refused,
            } = match within(self.platform, left, self.attempt(&body)).await {
                Some(Ok(begun)) => return Ok(begun),
                Some(Err(failure)) => failure,
                None => errors::transport(TransportError::Timeout, &self.host),
            };
            let tools = !self.request.tools.is_empty();
            if refused.is_some_and(|field| dialect.learn(&field, tools)) {
                body = request::body(self.request, &dialect)?;
                continue;
            }
            let wait = backoff.next(
                self.platform.monotonic(),
                error.retry_after.map(Duration::from_millis),
                self.platform.random(),
            );
            match wait {
                Some(wait) if retry => self.platform.sleep(wait).await,
                _ => return Err(error),
            }
        }
    }

    async fn attempt(&self, body: &[u8]) -> Result<Begun<P::Body>, Failure> {
        let broken = |cause| errors::transport(cause, &self.host);
        let post = Post {
            uri: self.uri,
            headers: &self.headers,
            body,
            connect_timeout: self.connection.timeout.min(CONNECT_TIMEOUT),
        };
        let mut reply = self.platform.post(&post).await.map_err(broken)?;
        if reply.status != 200 {
            // Without its body an error is still an error.
            let body = whole(&mut reply.body).await.unwrap_or_default();
            let mut failure = errors::status(reply.status, &body, &self.host, self.connection.key.as_ref());
            failure.error.retry_after = retry_after(&reply, self.platform.unix_time())
                .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            return Err(failure);
        }
        let decoder = Decoder::new(
            self.model.to_owned(),
            self.connection.key.clone(),
            self.platform.random(),
        );
        match media_type(&reply) {
            // Some servers say nothing; a stream that is none will show.
            "" | "text/event-stream" => {
                let mut begun = Begun {
                    decoder,
                    source: Some(Source {
                        body: reply.body,
                        parser: Parser::default(),
                    }),
                    first: None,
                };
                begun.first = Some(begun.advance(&self.host).await?);
                Ok(begun)
            }
            "application/json" => self.not_streamed(decoder, reply.body).await,
            other => Err(Failure::permanent(error(
                ErrorKind::Protocol,
                format!(
                    "{} answers with {} instead of an event stream: check llm_base_url.",
                    self.host,
                    printable(other)
                ),
            ))),
        }
    }

    /// A server that does not stream, or that tells an error with status 200.
    async fn not_streamed(&self, mut decoder: Decoder, mut body: P::Body) -> Result<Begun<P::Body>, Failure> {
        let body = whole(&mut body)
            .await
            .map_err(|cause| errors::transport(cause, &self.host))?;
        decoder
            .accept_whole(&String::from_utf8_lossy(&body))
            .map_err(Failure::permanent)?;
        Ok(Begun {
            decoder,
            source: None,
            first: None,
        })
    }
}

/// The media type of an answer, without its parameters.
fn media_type<B>(reply: &Reply<B>) -> &str {
    let value = reply.header("content-type").unwrap_or("");
    value.split(';').next().unwrap_or("").trim()
}

fn printable(media_type: &str) -> String {
    media_type
        .chars()
        .filter(char::is_ascii_graphic)
        .take(60)
        .collect()
}

async fn whole(body: &mut impl Body) -> Result<Vec<u8>, TransportError> {
    let mut whole = Vec::new();
    while let Some(chunk) = body.chunk().await? {
        whole.extend_from_slice(&chunk);
        if whole.len() > MAX_BODY {
            return Err(TransportError::Broken);
        }
    }
    Ok(whole)
}

/// The outcome of a future, unless it takes too long; then it is dropped.
async fn within<T>(platform: &impl Platform, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(future), pin!(platform.sleep(limit))).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(((), _)) => None,
    }
}

// ---- the answer -------------------------------------------------------------------------------------

/// An answer that has begun.
pub struct Answer<P: Platform> {
    platform: P,
    host: String,
    timeout: Duration,
    begun: Begun<P::Body>,
}

struct Begun<B> {
    /// The event that was waited for before the answer counted as begun.
    first: Option<Event>,
    decoder: Decoder,
    /// None once everything has been read, or nothing more will be.
    source: Option<Source<B>>,
}

struct Source<B> {
    body: B,
    parser: Parser,
}

impl<P: Platform> Answer<P> {
    /// The next event; nothing comes after `finished` or `failed`.
    pub async fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.ready() {
            return Some(event);
        }
        if self.begun.decoder.ended() {
            self.begun.source = None;
        }
        self.begun.source.as_ref()?;
        let advanced = within(&self.platform, self.timeout, self.begun.advance(&self.host)).await;
        let failure = match advanced {
            Some(Ok(event)) => return Some(event),
            Some(Err(failure)) => failure,
            None => errors::transport(TransportError::Timeout, &self.host),
        };
        // Nothing may follow, and nobody needs the connection any more.
        self.begun.source = None;
        if self.begun.decoder.has_reason() && self.begun.decoder.finish().is_ok() {
            return self.begun.decoder.next();
        }
        Some(Event::Failed(failure.error))
    }

    /// The next event, if it can be had without waiting.
    pub fn ready(&mut self) -> Option<Event> {
        self.begun.first.take().or_else(|| self.begun.decoder.next())
    }
}

impl<B: Body> Begun<B> {
    /// Reads until there is an event. Dropping its future between chunks loses nothing.
    async fn advance(&mut self, host: &str) -> Result<Event, Failure> {
        loop {
            if let Some(event) = self.decoder.next() {
                if self.decoder.ended() {
                    self.source = None;
                }
                return Ok(event);
            }
            let Some(source) = &mut self.source else {
                return Err(cut(host));
            };
            match source.body.chunk().await {
                Ok(Some(chunk)) => self.push(&chunk)?,
                Ok(None) => self.end(host)?,
                Err(_) if self.decoder.has_reason() => self.end(host)?,
                Err(cause) => return Err(errors::transport(cause, host)),
            }
        }
    }

    fn push(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        let Self { decoder, source, .. } = self;
        let Some(source) = source else {
            return Ok(());
        };
        let mut outcome = Ok(());
        source
            .parser
            .push(chunk, |data| {
                if outcome.is_ok() {
                    outcome = decoder.accept(&data);
                }
            })
            .map_err(|TooLong| {
                Failure::permanent(error(
                    ErrorKind::Protocol,
                    "The model's provider sent an event without an end.",
                ))
            })?;
        outcome.map_err(in_stream)
    }

    fn end(&mut self, host: &str) -> Result<(), Failure> {
        if let Some(data) = self.source.take().and_then(|source| source.parser.finish()) {
            self.decoder.accept(&data).map_err(in_stream)?;
        }
        self.decoder.finish().map_err(|_| cut(host))
    }
}

/// The answer ended before its end. Before its beginning this is a broken connection like any other.
fn cut(host: &str) -> Failure {
    Failure::transient(error(
        ErrorKind::Protocol,
        format!("The model's provider at {host} cut its answer off."),
    ))
}

fn in_stream(error: Error) -> Failure {
    Failure {
        retry: matches!(error.kind, ErrorKind::Unavailable | ErrorKind::RateLimited),
        ..Failure::permanent(error)
    }
}
