//! `/api/{tool}/…`: a tool's own HTTP API, passed on to it.
//!
//! Only what has a meaning for a tool goes along: no credentials, no cookies, and none of the headers that tell a
//! tool who is asking except our own. Only servers that this application's assistants use can be reached.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyturn_engine::port;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request};

use crate::assistants::Files;
use crate::exchange::{Caller, Exchange};
use crate::http::{Body, BoxError, Kind, Problem, Response};
use crate::platform::Platform;
use crate::{timezone, tools};

/// What of a request goes along.
const PASSED_ON: [HeaderName; 10] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("prefer"),
];

/// What of an answer does not come back: what concerns one connection only (RFC 9110, section 7.6.1), and what is
/// this front's to say.
const KEPT_BACK: [HeaderName; 10] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::SET_COOKIE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("x-request-id"),
];

/// The largest answer that is passed back, in bytes.
const MAX_ANSWER: u64 = 8 * 1024 * 1024;

/// Whether a tool server may be reached: those that the variable `tool_servers` lists, or where it is empty those
/// that the assistants use.
///
/// # Errors
/// When it may not.
pub async fn check_server<P: Platform>(exchange: &Exchange<'_, P>, server: &str) -> Result<(), Problem> {
    let listed = exchange.variable("tool_servers").await?;
    let known = if listed.trim().is_empty() {
        let files = Files::new(exchange.platform);
        files
            .names()?
            .iter()
            .filter_map(|name| files.read(name).ok())
            .any(|assistant| {
                assistant
                    .tools
                    .iter()
                    .any(|source| !source.external && source.server == server)
            })
    } else {
        listed.split([',', ' ']).any(|name| name == server)
    };
    // The name becomes part of an address.
    let named_well = server
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if known && named_well {
        return Ok(());
    }
    Err(Problem::new(
        Kind::UnknownTool,
        format!("No tool server named `{server}` has an API here."),
    ))
}

/// Passes a request on, in the caller's name if there is one.
///
/// # Errors
/// When the tool's server does not answer.
pub async fn pass<P: Platform>(
    exchange: &Exchange<'_, P>,
    caller: Option<&Caller>,
    server: &str,
    path: &str,
    body: Bytes,
) -> Result<Response, Problem> {
    let request = outgoing(exchange.parts, &exchange.request_id, caller, server, path, body)?;
    let response = exchange.platform.send(request).await.map_err(|error| {
        Problem::new(
            Kind::ToolUnavailable,
            format!("The tool server `{server}` did not answer: {error}."),
        )
    })?;
    let (mut parts, body) = response.into_parts();
    let length =
        crate::http::read::header(&parts.headers, "content-length").and_then(|text| text.parse().ok());
    if exchange.parts.method != Method::HEAD && length.is_some_and(|length: u64| length > MAX_ANSWER) {
        return Err(Problem::new(
            Kind::ToolAnswerTooLarge,
            format!("The answer of the tool server `{server}` is {TOO_LARGE}; ask it for less at a time."),
        )
        .with("limit_bytes", MAX_ANSWER));
    }
    for name in KEPT_BACK {
        parts.headers.remove(name);
    }
    strip_ours(&mut parts.headers);
    Ok(Response::from_parts(
        parts,
        Body::Passed(Box::pin(Bounded {
            body,
            left: MAX_ANSWER,
        })),
    ))
}

fn outgoing(
    parts: &request::Parts,
    request_id: &str,
    caller: Option<&Caller>,
    server: &str,
    path: &str,
    body: Bytes,
) -> Result<http::Request<Bytes>, Problem> {
    let query = parts
        .uri
        .query()
        .map_or_else(String::new, |query| format!("?{query}"));
    let mut request = http::Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = tools::internal(server, &format!("{path}{query}"))
        .parse()
        .map_err(|_| Problem::new(Kind::NotFound, "The path is not one that can be passed on."))?;
    let headers = request.headers_mut();
    for name in PASSED_ON {
        if let Some(value) = parts.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("x-request-id", value);
    }
    let timezone = crate::http::read::header(&parts.headers, tools::TIMEZONE);
    if let Some(name) = timezone {
        timezone::check(name)
            .map_err(|reason| Problem::new(Kind::InvalidHeader, reason).with("header", tools::TIMEZONE))?;
    }
    let mut asking = port::Caller {
        timezone: timezone.map(ToOwned::to_owned),
        ..port::Caller::default()
    };
    if let Some(caller) = caller {
        caller.user().clone_into(&mut asking.user);
        asking.roles.clone_from(&caller.identity.roles);
    }
    tools::put_caller(headers, &asking);
    Ok(request)
}

/// Removes headers that only we may set.
fn strip_ours(headers: &mut HeaderMap) {
    let ours: Vec<_> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("anyturn-"))
        .cloned()
        .collect();
    for name in ours {
        headers.remove(name);
    }
}

const TOO_LARGE: &str = "larger than the 8 MiB that are passed on";

/// Somebody else's body, with its errors as ours, and only so much of it. What turns out too large breaks off: that it
/// is complete could not be told otherwise.
struct Bounded<B> {
    body: B,
    left: u64,
}

impl<B> http_body::Body for Bounded<B>
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let frame = match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error.to_string().into()))),
            Some(Ok(frame)) => frame,
        };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match this.left.checked_sub(length) {
            Some(left) => {
                this.left = left;
                Poll::Ready(Some(Ok(frame)))
            }
            None => Poll::Ready(Some(Err(
                format!("the tool server's answer is {TOO_LARGE}").into()
            ))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
