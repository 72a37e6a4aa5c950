//! Reads JSON-RPC messages without copying what is passed on.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::RpcError;

/// A message that may come to a server.
pub(super) enum Message<'a> {
    Request(Envelope<'a>),
    Notification,
    Response,
}

/// A request.
pub(super) struct Envelope<'a> {
    /// A text or an integer, as it was written.
    pub id: &'a RawValue,
    pub method: Cow<'a, str>,
    pub params: Option<&'a RawValue>,
}

/// A message that is none.
pub(super) struct Rejected<'a> {
    pub id: Option<&'a RawValue>,
    pub error: RpcError,
}

/// All members as they were written, so that a wrong type in one of them does not hide the id.
#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// `null` is a value here, and not the same as nothing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

pub(super) fn read(body: &[u8]) -> Result<Message<'_>, Rejected<'_>> {
    let rejected = |code, message: &str| Rejected {
        id: None,
        error: RpcError::new(code, message),
    };
    let raw: Raw<'_> = match anyturn_json::from_slice(body) {
        Ok(raw) => raw,
        Err(error) if error.is_data() && is_array(body) => {
            return Err(rejected(
                RpcError::INVALID_REQUEST,
                "Invalid request: batches are not part of this protocol; send one message per POST",
            ));
        }
        Err(error) if error.is_data() => {
            return Err(rejected(
                RpcError::INVALID_REQUEST,
                "Invalid request: not a JSON-RPC message",
            ));
        }
        Err(error) => {
            return Err(Rejected {
                id: None,
                error: RpcError::new(RpcError::PARSE, format!("Parse error: {error}")),
            });
        }
    };
    let id = raw.id.filter(|id| is_id(id));
    let invalid = |message: &str| Rejected {
        id,
        error: RpcError::new(RpcError::INVALID_REQUEST, format!("Invalid request: {message}")),
    };
    if raw.jsonrpc.is_none_or(|version| version.get() != "\"2.0\"") {
        return Err(invalid("jsonrpc must be \"2.0\""));
    }
    let Some(method) = raw.method else {
        return if raw.result.is_some() || raw.error.is_some() {
            Ok(Message::Response)
        } else {
            Err(invalid("method is missing"))
        };
    };
    let Ok(Text(method)) = anyturn_json::from_str(method.get()) else {
        return Err(invalid("method must be a text"));
    };
    match (raw.id, id) {
        (None, _) => Ok(Message::Notification),
        (Some(_), None) => Err(invalid("id must be a text or an integer")),
        (Some(_), Some(id)) => Ok(Message::Request(Envelope {
            id,
            method,
            params: raw.params,
        })),
    }
}

fn is_array(body: &[u8]) -> bool {
    body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

fn is_id(id: &RawValue) -> bool {
    let written = id.get();
    let digits = written.strip_prefix('-').unwrap_or(written);
    written.starts_with('"') || digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A text, borrowed where it holds no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The parameters of all methods together: no two of them use one name for two things.
#[derive(Default, Deserialize)]
pub(super) struct Params<'a> {
    #[serde(borrow)]
    pub name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    pub cursor: Option<&'a RawValue>,
    #[serde(borrow, rename = "protocolVersion")]
    pub protocol_version: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "_meta")]
    pub meta: Meta<'a>,
}

/// What `_meta` holds.
#[derive(Default, Deserialize)]
pub(super) struct Meta<'a> {
    #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    pub protocol_version: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "io.modelcontextprotocol/clientCapabilities")]
    client_capabilities: Option<&'a RawValue>,
    #[serde(borrow, rename = "anyturn.dev/idempotency-key")]
    pub idempotency_key: Option<Cow<'a, str>>,
    #[serde(rename = "anyturn.dev/not-after")]
    pub not_after: Option<u64>,
    #[serde(default, rename = "anyturn.dev/check")]
    pub check: bool,
}

impl Meta<'_> {
    pub fn has_client_capabilities(&self) -> bool {
        self.client_capabilities
            .is_some_and(|capabilities| capabilities.get().starts_with('{'))
    }
}

pub(super) fn read_params(params: Option<&RawValue>) -> Result<Params<'_>, RpcError> {
    let Some(params) = params else {
        return Ok(Params::default());
    };
    if !params.get().starts_with('{') {
        return Err(RpcError::invalid_params(
            "Invalid params: params must be an object",
        ));
    }
    let params: Params<'_> = anyturn_json::from_str(params.get())
        .map_err(|error| RpcError::invalid_params(format!("Invalid params: {error}")))?;
    if params
        .arguments
        .is_some_and(|arguments| !arguments.get().starts_with('{'))
    {
        return Err(RpcError::invalid_params(
            "Invalid params: params.arguments must be an object",
        ));
    }
    Ok(params)
}
