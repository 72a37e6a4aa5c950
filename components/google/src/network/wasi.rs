//! The network that WASI 0.3 offers to a component.

use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::{Either, select};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use spin_sdk::wasip3::clocks::{monotonic_clock, system_clock};
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{self, ErrorCode, Fields};
use spin_sdk::wasip3::http_compat::IncomingResponseBody;
use spin_sdk::wasip3::random::random;
use spin_sdk::wasip3::{spawn, wit_future, wit_stream};

use super::{Network, NetworkError, Outgoing};

/// WASI 0.3.
#[derive(Clone, Copy, Debug)]
pub struct Wasi;

impl Network for Wasi {
    async fn send(&self, outgoing: Outgoing) -> Result<http::Response<Bytes>, NetworkError> {
        let Outgoing {
            request,
            limit,
            timeout,
        } = outgoing;
        let asked = pin!(ask(request, limit));
        match select(asked, pin!(self.sleep(timeout))).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), _)) => Err(NetworkError::Lost(format!(
                "there was none within {} ms",
                timeout.as_millis()
            ))),
        }
    }

    async fn sleep(&self, duration: Duration) {
        monotonic_clock::wait_for(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)).await;
    }

    fn now(&self) -> Duration {
        let now = system_clock::now();
        Duration::new(u64::try_from(now.seconds).unwrap_or(0), now.nanoseconds)
    }

    fn random(&self) -> u64 {
        random::get_random_u64()
    }
}

async fn ask(request: http::Request<Bytes>, limit: usize) -> Result<http::Response<Bytes>, NetworkError> {
    let response = client::send(outgoing(request)?)
        .await
        .map_err(|code| network_error(&code))?;
    let status = StatusCode::from_u16(response.get_status_code()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut headers = HeaderMap::new();
    for (name, value) in response.get_headers().copy_all() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    let lost = |code: ErrorCode| NetworkError::Lost(code.to_string());
    let mut body = IncomingResponseBody::new(response).map_err(lost)?;
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(lost)?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > limit {
            return Err(NetworkError::TooLarge(limit));
        }
        whole.extend_from_slice(&data);
    }
    let mut answer = http::Response::new(whole.freeze());
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

fn outgoing(request: http::Request<Bytes>) -> Result<types::Request, NetworkError> {
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    let (trailers, trailers_reader) = wit_future::new(|| Ok(None));
    let contents = if body.is_empty() {
        drop(trailers);
        None
    } else {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        let (mut writer, reader) = wit_stream::new();
        spawn(async move {
            writer.write_all(body.into()).await;
            drop(writer);
            let _ = trailers.write(Ok(None)).await;
        });
        Some(reader)
    };
    let list: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    let refused = || NetworkError::NotSent("the host does not take the request".to_owned());
    let fields = Fields::from_list(&list).map_err(|_| refused())?;
    let (request, _sent) = types::Request::new(fields, contents, trailers_reader, None);
    let scheme = match parts.uri.scheme_str() {
        Some("http") => types::Scheme::Http,
        _ => types::Scheme::Https,
    };
    request
        .set_method(&parts.method.into())
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(parts.uri.authority().map(http::uri::Authority::as_str)))
        .and_then(|()| {
            request.set_path_with_query(parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str))
        })
        .map_err(|()| refused())?;
    Ok(request)
}

/// Which failures prove that the server was not asked.
fn network_error(code: &ErrorCode) -> NetworkError {
    match code {
        ErrorCode::HttpRequestDenied => {
            NetworkError::NotSent("spin.toml does not allow it in `allowed_outbound_hosts`".to_owned())
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
        | ErrorCode::TlsAlertReceived(_) => NetworkError::NotSent(code.to_string()),
        _ => NetworkError::Lost(code.to_string()),
    }
}
