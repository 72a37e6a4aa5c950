//! Writes answers. Lists of tools are passed through as text, never parsed.

use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Answer, Era, Server};
use crate::{CallResult, Checked, Content, Implementation, Inverse, ResultMeta, Revision, RpcError};

/// How much of a caller's text is repeated in a message.
const EXCERPT: usize = 100;

#[derive(Serialize)]
struct Message<'a, R> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<R>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RpcError>,
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct Capabilities {
    tools: Empty,
}

const CAPABILITIES: Capabilities = Capabilities { tools: Empty {} };

#[derive(Default, Serialize)]
struct Meta<'a> {
    #[serde(
        rename = "io.modelcontextprotocol/serverInfo",
        skip_serializing_if = "Option::is_none"
    )]
    server_info: Option<Implementation>,
    #[serde(rename = "anyturn.dev/inverse", skip_serializing_if = "Option::is_none")]
    inverse: Option<&'a Inverse>,
    #[serde(rename = "anyturn.dev/inverses", skip_serializing_if = "<[_]>::is_empty")]
    inverses: &'a [Inverse],
    #[serde(rename = "anyturn.dev/check", skip_serializing_if = "Option::is_none")]
    check: Option<Checked>,
}

/// Servers of 2026-07-28 name themselves in every result ("Per-response protocol fields").
fn meta<'a>(server: &impl Server, era: Era, result: Option<&'a ResultMeta>) -> Option<Meta<'a>> {
    let meta = Meta {
        server_info: (era == Era::Stateless).then(|| server.identity()),
        inverse: result.and_then(|result| result.inverse.as_ref()),
        inverses: result.map_or(&[], |result| &result.inverses),
        check: result.and_then(|result| result.check),
    };
    let Meta {
        server_info,
        inverse,
        inverses,
        check,
    } = &meta;
    (server_info.is_some() || inverse.is_some() || !inverses.is_empty() || check.is_some()).then_some(meta)
}

fn complete(era: Era) -> Option<&'static str> {
    (era == Era::Stateless).then_some("complete")
}

pub(super) fn error(status: StatusCode, id: Option<&RawValue>, error: &RpcError) -> Answer {
    send(
        status,
        &Message::<Empty> {
            jsonrpc: "2.0",
            id,
            result: None,
            error: Some(error),
        },
    )
}

pub(super) fn empty(id: &RawValue) -> Answer {
    success(id, Empty {})
}

/// `tools/list`: the hot one. The list goes from the server's constant into the answer in one copy.
pub(super) fn tools(server: &impl Server, era: Era, id: &RawValue) -> Answer {
    #[derive(Serialize)]
    struct Tail<'a> {
        #[serde(rename = "resultType")]
        result_type: &'static str,
        #[serde(rename = "ttlMs")]
        ttl: u64,
        #[serde(rename = "cacheScope")]
        scope: &'static str,
        #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
        meta: Option<Meta<'a>>,
    }
    let list = server.tools();
    let mut body = Vec::with_capacity(list.len() + id.get().len() + 256);
    body.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    body.extend_from_slice(id.get().as_bytes());
    body.extend_from_slice(br#","result":{"tools":"#);
    body.extend_from_slice(list.as_bytes());
    if let Some(result_type) = complete(era) {
        let tail = Tail {
            result_type,
            ttl: server.tools_ttl(),
            scope: "public",
            meta: meta(server, era, None),
        };
        // The tail is an object of its own: its opening brace becomes the comma after the list.
        let brace = body.len();
        if serde_json::to_writer(&mut body, &tail).is_ok()
            && let Some(byte) = body.get_mut(brace)
        {
            *byte = b',';
        }
    } else {
        body.push(b'}');
    }
    body.push(b'}');
    Answer {
        status: StatusCode::OK,
        body: Some(body),
    }
}

pub(super) fn result(server: &impl Server, era: Era, id: &RawValue, result: &CallResult) -> Answer {
    #[derive(Serialize)]
    struct Wire<'a> {
        #[serde(rename = "resultType", skip_serializing_if = "Option::is_none")]
        result_type: Option<&'static str>,
        content: &'a [Content],
        #[serde(rename = "structuredContent", skip_serializing_if = "Option::is_none")]
        structured: Option<&'a RawValue>,
        #[serde(rename = "isError")]
        is_error: bool,
        #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
        meta: Option<Meta<'a>>,
    }
    // Before 2026-07-28 structured content had to be an object.
    let structured = result
        .structured
        .as_deref()
        .filter(|structured| era == Era::Stateless || structured.get().starts_with('{'));
    success(
        id,
        Wire {
            result_type: complete(era),
            content: &result.content,
            structured,
            is_error: result.is_error,
            meta: meta(server, era, Some(&result.meta)),
        },
    )
}

pub(super) fn initialized(server: &impl Server, id: &RawValue, agreed: Revision) -> Answer {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Initialized<'a> {
        protocol_version: &'static str,
        capabilities: Capabilities,
        server_info: Implementation,
        #[serde(skip_serializing_if = "Option::is_none")]
        instructions: Option<&'a str>,
    }
    success(
        id,
        Initialized {
            protocol_version: agreed.as_str(),
            capabilities: CAPABILITIES,
            server_info: server.identity(),
            instructions: server.instructions(),
        },
    )
}

pub(super) fn discovery(server: &impl Server, id: &RawValue) -> Answer {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Discovery<'a> {
        result_type: &'static str,
        supported_versions: [&'static str; Revision::SERVED.len()],
        capabilities: Capabilities,
        #[serde(skip_serializing_if = "Option::is_none")]
        instructions: Option<&'a str>,
        ttl_ms: u64,
        cache_scope: &'static str,
        #[serde(rename = "_meta")]
        meta: Option<Meta<'a>>,
    }
    success(
        id,
        Discovery {
            result_type: "complete",
            supported_versions: Revision::SERVED.map(Revision::as_str),
            capabilities: CAPABILITIES,
            instructions: server.instructions(),
            ttl_ms: server.tools_ttl(),
            cache_scope: "public",
            meta: meta(server, Era::Stateless, None),
        },
    )
}

/// The beginning of a caller's text, for messages.
pub(super) fn excerpt(text: &str) -> &str {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

fn success(id: &RawValue, result: impl Serialize) -> Answer {
    send(
        StatusCode::OK,
        &Message {
            jsonrpc: "2.0",
            id: Some(id),
            result: Some(result),
            error: None,
        },
    )
}

fn send(status: StatusCode, message: &impl Serialize) -> Answer {
    match serde_json::to_vec(message) {
        Ok(body) => Answer {
            status,
            body: Some(body),
        },
        Err(_) => Answer {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            body: None,
        },
    }
}
