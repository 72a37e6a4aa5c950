//! JSON-RPC errors with the codes of JSON-RPC 2.0 (section 5.1) and of MCP 2026-07-28 ("Error Codes").

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Revision;

/// An error as it stands in a JSON-RPC answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} (code {code})")]
pub struct RpcError {
    /// What a program can act on.
    pub code: i64,
    /// For people.
    pub message: String,
    /// More for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl RpcError {
    /// The body is not JSON.
    pub const PARSE: i64 = -32700;
    /// The JSON is not a JSON-RPC message that may come here.
    pub const INVALID_REQUEST: i64 = -32600;
    /// There is no such method.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// The method is there, but not with these parameters.
    pub const INVALID_PARAMS: i64 = -32602;
    /// The server failed.
    pub const INTERNAL: i64 = -32603;
    /// A header is missing or says something else than the body.
    pub const HEADER_MISMATCH: i64 = -32020;
    /// The request needs something that the client has not declared.
    pub const MISSING_CLIENT_CAPABILITY: i64 = -32021;
    /// The server does not speak the request's revision.
    pub const UNSUPPORTED_VERSION: i64 = -32022;
    /// The call came after the moment that it named in [`crate::NOT_AFTER_KEY`], and had no effect. This
    /// project's own, outside the range that JSON-RPC reserves, and named after HTTP's 408.
    pub const TOO_LATE: i64 = 40_800;

    /// An error without data.
    pub fn new(code: i64, message: impl Into<String>) -> RpcError {
        RpcError {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// [`RpcError::INVALID_PARAMS`].
    pub fn invalid_params(message: impl Into<String>) -> RpcError {
        RpcError::new(RpcError::INVALID_PARAMS, message)
    }

    /// [`RpcError::INTERNAL`].
    pub fn internal(message: impl Into<String>) -> RpcError {
        RpcError::new(RpcError::INTERNAL, message)
    }

    /// [`RpcError::UNSUPPORTED_VERSION`] with the list of what is supported.
    pub fn unsupported_version(requested: &str) -> RpcError {
        let supported: Vec<&str> = Revision::SERVED
            .iter()
            .map(|revision| revision.as_str())
            .collect();
        RpcError {
            code: RpcError::UNSUPPORTED_VERSION,
            message: "Unsupported protocol version".into(),
            data: Some(json!({ "supported": supported, "requested": requested })),
        }
    }

    /// Whether only a server of 2026-07-28 or later answers so.
    pub fn proves_stateless_server(&self) -> bool {
        matches!(
            self.code,
            RpcError::HEADER_MISMATCH | RpcError::MISSING_CLIENT_CAPABILITY | RpcError::UNSUPPORTED_VERSION
        )
    }

    /// Whether it proves that the method was not run, or had no effect.
    pub fn proves_not_run(&self) -> bool {
        self.proves_stateless_server()
            || matches!(
                self.code,
                RpcError::PARSE
                    | RpcError::INVALID_REQUEST
                    | RpcError::METHOD_NOT_FOUND
                    | RpcError::INVALID_PARAMS
                    | RpcError::TOO_LATE
            )
    }
}
