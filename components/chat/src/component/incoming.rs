//! The body of a request, as `wasi:http` has it.
//!
//! The SDK's reads the headers once more for the length, and after the last byte waits for the end of the stream and then
//! for the trailers. Nearly every request says how long it is: then all of it is there with the last byte.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body, Frame};
use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Request};
use spin_sdk::wasip3::wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult};
use spin_sdk::wasip3::wit_future;

/// How much is read at once: more than nearly all requests have.
const PIECE: usize = 16 * 1024;

/// A request's body; a request of which nobody reads it is not asked for it. Trailers are left out: nothing here knows
/// any.
pub struct RequestBody {
    /// How many bytes are to come, where the request says so.
    left: Option<u64>,
    state: State,
}

enum State {
    Unread(Request),
    Open(Source),
    Reading(LocalBoxFuture<'static, (Source, StreamResult, Vec<u8>)>),
    Ending(LocalBoxFuture<'static, Result<(), ErrorCode>>),
    Ended,
}

struct Source {
    stream: StreamReader<u8>,
    trailers: FutureReader<Result<Option<Fields>, ErrorCode>>,
    /// Tells the host, when it is dropped, that nothing went wrong here.
    _received: FutureWriter<Result<(), ErrorCode>>,
}

impl RequestBody {
    /// The body of a request that has these headers.
    pub fn new(request: Request, headers: &HeaderMap) -> Self {
        let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
        let left = match (lengths.next(), lengths.next()) {
            (Some(length), None) => length.to_str().ok().and_then(|length| length.parse().ok()),
            _ => None,
        };
        Self {
            left,
            state: State::Unread(request),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = ErrorCode;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ErrorCode>>> {
        loop {
            let Self { left, state } = &mut *self;
            match std::mem::replace(state, State::Ended) {
                State::Ended => return Poll::Ready(None),
                State::Unread(_) | State::Open(_) if *left == Some(0) => {}
                State::Unread(request) => {
                    let (received, outcome) = wit_future::new(|| Ok(()));
                    let (stream, trailers) = Request::consume_body(request, outcome);
                    *state = State::Open(Source {
                        stream,
                        trailers,
                        _received: received,
                    });
                }
                State::Open(mut source) => {
                    let size = left.and_then(|left| usize::try_from(left).ok()).unwrap_or(PIECE);
                    *state = State::Reading(Box::pin(async move {
                        let piece = Vec::with_capacity(size.min(PIECE));
                        let (result, piece) = source.stream.read(piece).await;
                        (source, result, piece)
                    }));
                }
                State::Reading(mut reading) => {
                    let Poll::Ready((source, result, piece)) = reading.as_mut().poll(cx) else {
                        *state = State::Reading(reading);
                        return Poll::Pending;
                    };
                    *state = if let StreamResult::Complete(_) = result {
                        State::Open(source)
                    } else {
                        // Whether it has ended or broken off is told with the trailers.
                        State::Ending(Box::pin(async move { source.trailers.await.map(drop) }))
                    };
                    if !piece.is_empty() {
                        *left = left.map(|left| left.saturating_sub(piece.len() as u64));
                        return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
                    }
                }
                State::Ending(mut ending) => {
                    let Poll::Ready(outcome) = ending.as_mut().poll(cx) else {
                        *state = State::Ending(ending);
                        return Poll::Pending;
                    };
                    return Poll::Ready(outcome.err().map(Err));
                }
            }
        }
    }
}
