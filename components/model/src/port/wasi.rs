//! The platform that WASI 0.3 offers.

use std::{pin::pin, time::Duration};

use futures::future::{Either, select};
use http::uri::Scheme;
use spin_sdk::wasip3::{
    clocks::{monotonic_clock, system_clock},
    http::{
        client,
        types::{self, ErrorCode, Fields, Method, Request, RequestOptions, Response, Trailers},
    },
    random::random,
    wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult},
    wit_future, wit_stream,
};

use super::{Body, Platform, Post, Reply, TransportError};

/// How much of a body is read at once.
const READ_SIZE: usize = 16 * 1024;

/// WASI 0.3.
#[derive(Clone, Copy, Debug)]
pub struct Wasi;

impl Platform for Wasi {
    type Body = WasiBody;

    async fn post(&self, post: &Post<'_>) -> Result<Reply<WasiBody>, TransportError> {
        let (mut body, reader) = wit_stream::new();
        let (trailers, trailers_reader) = wit_future::new(|| Ok(None));
        let request = request(post, reader, trailers_reader)?;
        let upload = async move {
            body.write_all(post.body.to_vec()).await;
            // Both ends have to be closed for the request to be complete.
            drop((body, trailers));
            std::future::pending::<()>().await;
        };
        // A server may answer before it has read everything, and then the rest need not be sent.
        let sent = match select(pin!(client::send(request)), pin!(upload)).await {
            Either::Left((sent, _)) => sent,
            Either::Right(((), sending)) => sending.await,
        };
        reply(sent.map_err(|code| transport_error(&code))?)
    }

    async fn sleep(&self, duration: Duration) {
        monotonic_clock::wait_for(nanoseconds(duration)).await;
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(monotonic_clock::now())
    }

    fn unix_time(&self) -> Duration {
        let now = system_clock::now();
        Duration::new(u64::try_from(now.seconds).unwrap_or(0), now.nanoseconds)
    }

    fn random(&self) -> u64 {
        random::get_random_u64()
    }
}

type TrailersResult = Result<Option<Trailers>, ErrorCode>;

/// Translates a request. What it is built of was checked when the settings were read, so a refusal here
/// means that the host does not support something.
fn request(
    post: &Post<'_>,
    body: StreamReader<u8>,
    trailers: FutureReader<TrailersResult>,
) -> Result<Request, TransportError> {
    let mut headers: Vec<(String, Vec<u8>)> = post
        .headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes()))
        .collect();
    headers.push(("content-length".into(), post.body.len().to_string().into_bytes()));
    let headers = Fields::from_list(&headers).map_err(|_| TransportError::Broken)?;

    let options = RequestOptions::new();
    // A host that does not support it falls under the time-out for the first byte, which is ours.
    let _ = options.set_connect_timeout(Some(nanoseconds(post.connect_timeout)));

    let (request, _sent) = Request::new(headers, Some(body), trailers, Some(options));
    let scheme = match post.uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => types::Scheme::Http,
        _ => types::Scheme::Https,
    };
    let set = request
        .set_method(&Method::Post)
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(post.uri.authority().map(http::uri::Authority::as_str)))
        .and_then(|()| {
            request.set_path_with_query(post.uri.path_and_query().map(http::uri::PathAndQuery::as_str))
        });
    match set {
        Ok(()) => Ok(request),
        Err(()) => Err(TransportError::Unreachable),
    }
}

fn reply(response: Response) -> Result<Reply<WasiBody>, TransportError> {
    let status = response.get_status_code();
    let headers = response
        .get_headers()
        .copy_all()
        .into_iter()
        .map(|(name, value)| {
            (
                name.to_ascii_lowercase(),
                String::from_utf8_lossy(&value).into_owned(),
            )
        })
        .collect();
    let (processed, processed_reader) = wit_future::new(|| Ok(()));
    let (stream, trailers) = Response::consume_body(response, processed_reader);
    let body = WasiBody {
        open: Some(Open {
            stream,
            trailers,
            _processed: processed,
        }),
    };
    Ok(Reply {
        status,
        headers,
        body,
    })
}

/// A body that arrives; dropping it closes the connection.
pub struct WasiBody {
    open: Option<Open>,
}

struct Open {
    stream: StreamReader<u8>,
    trailers: FutureReader<TrailersResult>,
    /// Dropping this tells the host that nobody reads on.
    _processed: FutureWriter<Result<(), ErrorCode>>,
}

impl Body for WasiBody {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, TransportError> {
        loop {
            let Some(open) = &mut self.open else {
                return Ok(None);
            };
            let (result, bytes) = open.stream.read(Vec::with_capacity(READ_SIZE)).await;
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
            if !matches!(result, StreamResult::Complete(_)) {
                // Whether this is the proper end is said by the trailers only.
                let Some(open) = self.open.take() else {
                    return Ok(None);
                };
                return match open.trailers.await {
                    Ok(_) => Ok(None),
                    Err(code) => Err(transport_error(&code)),
                };
            }
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn transport_error(code: &ErrorCode) -> TransportError {
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => TransportError::Denied,
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => TransportError::Timeout,
        ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => TransportError::Unreachable,
        _ => TransportError::Broken,
    }
}
