//! HTTP of WASI 0.2, in and out.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingRequest, OutgoingResponse, ResponseOutparam,
    Scheme,
};
use wasip2::io::streams::{OutputStream, StreamError};

/// Answers 200 with a text.
pub(crate) fn answer(answer: ResponseOutparam, text: &str) {
    let (body, stream, response) = body();
    ResponseOutparam::set(answer, Ok(response));
    write(&stream, text.as_bytes());
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

/// Answers with the request's own body, piece by piece: what was received is sent before more is waited for.
pub(crate) fn echo(request: IncomingRequest, answer: ResponseOutparam) {
    let (body, stream, response) = body();
    ResponseOutparam::set(answer, Ok(response));
    let whole = request
        .consume()
        .is_ok_and(|incoming| copy(&incoming, |piece| write(&stream, piece)));
    drop(stream);
    // A body that is not finished is one that broke off.
    if whole {
        let _ = OutgoingBody::finish(body, None);
    }
}

/// Fetches `http://authority/path` and tells the status and the body, or the error.
pub(crate) fn fetch(address: &str) -> String {
    let rest = address.strip_prefix("http://").unwrap_or(address);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let request = OutgoingRequest::new(Fields::new());
    let _ = request.set_scheme(Some(&Scheme::Http));
    let _ = request.set_authority(Some(authority));
    let _ = request.set_path_with_query(Some(&format!("/{path}")));
    let response = match outgoing_handler::handle(request, None) {
        Ok(response) => response,
        Err(error) => return format!("{error:?}"),
    };
    response.subscribe().block();
    match response.get() {
        Some(Ok(Ok(response))) => {
            let mut text = Vec::new();
            let whole = response.consume().is_ok_and(|body| {
                copy(&body, |piece| {
                    text.extend(piece);
                    true
                })
            });
            format!("{} {} {whole}", response.status(), String::from_utf8_lossy(&text))
        }
        Some(Ok(Err(error))) => format!("{error:?}"),
        _ => "no response".to_owned(),
    }
}

/// A response with its body and what writes it: there is one of each.
fn body() -> (OutgoingBody, OutputStream, OutgoingResponse) {
    let response = OutgoingResponse::new(Fields::new());
    match response.body().and_then(|body| Ok((body.write()?, body))) {
        Ok((stream, body)) => (body, stream, response),
        Err(()) => unreachable!("a fresh response has its body"),
    }
}

/// Writes all of a piece, and says whether that went well.
fn write(stream: &OutputStream, bytes: &[u8]) -> bool {
    bytes
        .chunks(4096)
        .all(|chunk| stream.blocking_write_and_flush(chunk).is_ok())
}

/// Hands over a body piece by piece, and says whether it came to its end.
fn copy(body: &IncomingBody, mut take: impl FnMut(&[u8]) -> bool) -> bool {
    let Ok(stream) = body.stream() else { return false };
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(piece) => {
                if !take(&piece) {
                    return false;
                }
            }
            Err(StreamError::Closed) => return true,
            Err(_) => return false,
        }
    }
}
