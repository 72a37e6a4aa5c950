//! Requests and responses between `wasi:http` and the `http` crate.
//!
//! Written by hand rather than taken from the SDK, because it is on the way of every request: bodies that are there
//! go out whole with their length, and headers are copied once.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use http_body::Body as _;
use spin_sdk::wasip3::http::types::{self, ErrorCode, Fields};
use spin_sdk::wasip3::http_compat::IncomingResponseBody;
use spin_sdk::wasip3::{spawn, wit_future, wit_stream};

use super::incoming::RequestBody;
use crate::http::{Body, Response};
use crate::platform::SendError;

/// A request as it came. The host has checked it; what cannot be represented is left out.
pub fn incoming(request: types::Request) -> http::Request<RequestBody> {
    let method = request.get_method().try_into().unwrap_or_default();
    let uri = request
        .get_path_with_query()
        .and_then(|path| path.parse().ok())
        .unwrap_or_else(|| Uri::from_static("/"));
    let mut headers = headers(request.get_headers());
    if !headers.contains_key(header::HOST)
        && let Some(Ok(host)) = request
            .get_authority()
            .map(|authority| HeaderValue::from_str(&authority))
    {
        headers.insert(header::HOST, host);
    }
    let mut request = http::Request::new(RequestBody::new(request, &headers));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request
}

fn headers(fields: Fields) -> HeaderMap {
    let fields = fields.copy_all();
    let mut headers = HeaderMap::with_capacity(fields.len() + 1);
    for (name, value) in fields {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    headers
}

fn fields(headers: &HeaderMap) -> Fields {
    let list: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    // Names that the host keeps to itself do not occur; if one did, the answer would go out without headers.
    Fields::from_list(&list).unwrap_or_else(|_| Fields::new())
}

/// A response on its way out; its body follows by itself.
pub fn outgoing(response: Response) -> types::Response {
    let (parts, body) = response.into_parts();
    let mut head = parts.headers;
    if let (Body::Full(_), Some(length)) = (&body, body.size_hint().exact())
        && parts.status != StatusCode::NO_CONTENT
        && parts.status != StatusCode::NOT_MODIFIED
    {
        head.entry(header::CONTENT_LENGTH)
            .or_insert(HeaderValue::from(length));
    }
    let (trailers, trailers_reader) = wit_future::new(|| Ok(None));
    let contents = if body.is_end_stream() {
        drop(trailers);
        None
    } else {
        let (mut writer, reader) = wit_stream::new();
        spawn(async move {
            let mut body = body;
            loop {
                let data = match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                    None => break,
                    Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                    Some(Err(error)) => {
                        // The length is not known to be right any more: the connection has to break.
                        let _ = trailers
                            .write(Err(ErrorCode::InternalError(Some(error.to_string()))))
                            .await;
                        return;
                    }
                };
                if !data.is_empty() && !writer.write_all(data.into()).await.is_empty() {
                    // Nobody listens any more.
                    return;
                }
            }
            drop(writer);
            let _ = trailers.write(Ok(None)).await;
        });
        Some(reader)
    };
    let (response, _sent) = types::Response::new(fields(&head), contents, trailers_reader);
    // Any status from 100 to 999 is accepted, and no other is made.
    let _ = response.set_status_code(parts.status.as_u16());
    response
}

/// Sends a request to another server.
pub async fn send(request: http::Request<Bytes>) -> Result<http::Response<IncomingResponseBody>, SendError> {
    let (parts, body) = request.into_parts();
    let mut head = parts.headers;
    let (trailers, trailers_reader) = wit_future::new(|| Ok(None));
    let contents = if body.is_empty() {
        drop(trailers);
        None
    } else {
        head.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        let (mut writer, reader) = wit_stream::new();
        spawn(async move {
            writer.write_all(body.into()).await;
            drop(writer);
            let _ = trailers.write(Ok(None)).await;
        });
        Some(reader)
    };
    let (request, _sent) = types::Request::new(fields(&head), contents, trailers_reader, None);
    let scheme = match parts.uri.scheme_str() {
        Some("https") => types::Scheme::Https,
        _ => types::Scheme::Http,
    };
    request
        .set_method(&parts.method.into())
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(parts.uri.authority().map(http::uri::Authority::as_str)))
        .and_then(|()| {
            request.set_path_with_query(parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str))
        })
        .map_err(|()| SendError::NotSent(format!("the host does not take the address {}", parts.uri)))?;
    let response = spin_sdk::wasip3::http::client::send(request)
        .await
        .map_err(|code| send_error(&code))?;
    let status = StatusCode::from_u16(response.get_status_code()).unwrap_or(StatusCode::BAD_GATEWAY);
    let head = headers(response.get_headers());
    let body = IncomingResponseBody::new(response).map_err(|code| SendError::Unknown(code.to_string()))?;
    let mut answer = http::Response::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = head;
    Ok(answer)
}

/// Which failures prove that the server was not asked.
fn send_error(code: &ErrorCode) -> SendError {
    match code {
        ErrorCode::HttpRequestDenied => {
            SendError::NotSent("spin.toml does not allow it in `allowed_outbound_hosts`".to_owned())
        }
        ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpProhibited
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::DnsError(_)
        | ErrorCode::DnsTimeout
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => SendError::NotSent(code.to_string()),
        _ => SendError::Unknown(code.to_string()),
    }
}
