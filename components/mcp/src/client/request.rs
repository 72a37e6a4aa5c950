//! Builds requests.

use bytes::Bytes;
use http::header::HeaderValue;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{CallTool, Client, Outgoing, Session};
use crate::{Implementation, Revision, header};

const STATELESS: Revision = Revision::V2026_07_28;

/// A request of 2026-07-28.
pub(super) fn stateless(client: &Client, id: u64, outgoing: &Outgoing<'_>) -> http::Request<Bytes> {
    let meta = Meta {
        protocol_version: Some(STATELESS.as_str()),
        client_info: Some(&client.identity),
        client_capabilities: Some(Empty {}),
        ..of_call(outgoing).unwrap_or_default()
    };
    let mut request = client.post(body(id, outgoing, Some(meta)));
    let headers = request.headers_mut();
    headers.insert(
        header::PROTOCOL_VERSION,
        HeaderValue::from_static(STATELESS.as_str()),
    );
    headers.insert(header::METHOD, HeaderValue::from_static(method(outgoing)));
    if let Outgoing::Call(call) = outgoing {
        headers.insert(header::NAME, header::encode(call.name));
        for mirrored in call.mirrored {
            if let Some((name, value)) = mirrored.take(call.arguments) {
                headers.insert(name, value);
            }
        }
    }
    request
}

/// A request of an earlier revision, after the handshake.
pub(super) fn in_session(
    client: &Client,
    id: u64,
    outgoing: &Outgoing<'_>,
    session: &Session,
) -> http::Request<Bytes> {
    let mut request = client.post(body(id, outgoing, of_call(outgoing)));
    add_session(&mut request, session);
    request
}

/// The first request of a handshake.
pub(super) fn initialize(client: &Client, id: u64) -> http::Request<Bytes> {
    let params = InitializeParams {
        protocol_version: Revision::LATEST_WITH_HANDSHAKE.as_str(),
        capabilities: Empty {},
        client_info: &client.identity,
    };
    client.post(to_bytes(&Message {
        jsonrpc: "2.0",
        id: Some(id),
        method: "initialize",
        params: Some(params),
    }))
}

/// The last message of a handshake.
pub(super) fn initialized(client: &Client, session: &Session) -> http::Request<Bytes> {
    let message: Message<'_, Empty> = Message {
        jsonrpc: "2.0",
        id: None,
        method: "notifications/initialized",
        params: None,
    };
    let mut request = client.post(to_bytes(&message));
    add_session(&mut request, session);
    request
}

fn add_session(request: &mut http::Request<Bytes>, session: &Session) {
    let headers = request.headers_mut();
    headers.insert(
        header::PROTOCOL_VERSION,
        HeaderValue::from_static(session.revision.as_str()),
    );
    if let Some(id) = &session.id {
        headers.insert(header::SESSION_ID, id.clone());
    }
}

fn method(outgoing: &Outgoing<'_>) -> &'static str {
    match outgoing {
        Outgoing::List { .. } => "tools/list",
        Outgoing::Call(_) => "tools/call",
    }
}

/// What a call says in `_meta` in every revision; nothing where it has nothing to say.
fn of_call<'a>(outgoing: &Outgoing<'a>) -> Option<Meta<'a>> {
    let Outgoing::Call(call) = outgoing else {
        return None;
    };
    let meta = Meta {
        idempotency_key: call.idempotency_key,
        not_after: call.not_after,
        check: call.check,
        ..Meta::default()
    };
    (meta.idempotency_key.is_some() || meta.not_after.is_some() || meta.check).then_some(meta)
}

fn body(id: u64, outgoing: &Outgoing<'_>, meta: Option<Meta<'_>>) -> Bytes {
    let params = match *outgoing {
        Outgoing::List { cursor } => Params {
            cursor,
            meta,
            ..Params::default()
        },
        Outgoing::Call(CallTool { name, arguments, .. }) => Params {
            name: Some(name),
            arguments: Some(arguments),
            cursor: None,
            meta,
        },
    };
    to_bytes(&Message {
        jsonrpc: "2.0",
        id: Some(id),
        method: method(outgoing),
        params: Some(params),
    })
}

fn to_bytes(message: &impl Serialize) -> Bytes {
    // Nothing in these messages can fail to be written: no maps with odd keys, no fallible writers.
    serde_json::to_vec(message).unwrap_or_default().into()
}

#[derive(Serialize)]
struct Message<'a, P> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<P>,
}

#[derive(Default, Serialize)]
struct Params<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<Meta<'a>>,
}

#[derive(Default, Serialize)]
struct Meta<'a> {
    #[serde(
        rename = "io.modelcontextprotocol/protocolVersion",
        skip_serializing_if = "Option::is_none"
    )]
    protocol_version: Option<&'a str>,
    #[serde(
        rename = "io.modelcontextprotocol/clientInfo",
        skip_serializing_if = "Option::is_none"
    )]
    client_info: Option<&'a Implementation>,
    #[serde(
        rename = "io.modelcontextprotocol/clientCapabilities",
        skip_serializing_if = "Option::is_none"
    )]
    client_capabilities: Option<Empty>,
    #[serde(
        rename = "anyturn.dev/idempotency-key",
        skip_serializing_if = "Option::is_none"
    )]
    idempotency_key: Option<&'a str>,
    #[serde(rename = "anyturn.dev/not-after", skip_serializing_if = "Option::is_none")]
    not_after: Option<u64>,
    #[serde(rename = "anyturn.dev/check", skip_serializing_if = "std::ops::Not::not")]
    check: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitializeParams<'a> {
    protocol_version: &'a str,
    capabilities: Empty,
    client_info: &'a Implementation,
}

#[derive(Serialize)]
struct Empty {}
