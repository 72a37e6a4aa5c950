//! The server's side: answers requests for whatever implements [`Server`].
//!
//! [`handle`] keeps nothing between requests, in either revision: `initialize` is answered and forgotten,
//! no session is given out, and every later request is served by itself. What belongs to HTTP alone (the
//! path, the method, the limit on the body, `Origin`) is the caller's; [`handle`] checks the rest, headers
//! included, and says which status its answer has.

mod envelope;
mod reply;

use std::borrow::Cow;

use http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;

use crate::{CallResult, Implementation, Revision, RpcError, header};
use envelope::{Envelope, Message, Params, Rejected};

/// What stands behind the endpoint: a set of tools.
#[allow(async_fn_in_trait)]
pub trait Server {
    /// Who answers.
    fn identity(&self) -> Implementation;

    /// How the tools are best used, for models.
    fn instructions(&self) -> Option<&str> {
        None
    }

    /// The JSON array of all tools, each as [`crate::Tool`] is written. It is passed on as it is, and asked
    /// for in every turn of a conversation: a constant is best.
    fn tools(&self) -> Cow<'_, str>;

    /// For how many milliseconds a client may use the list without asking again.
    fn tools_ttl(&self) -> u64 {
        300_000
    }

    /// Calls a tool. What the tool itself reports, a wrong argument included, is a [`CallResult`]; an error
    /// is for a tool that does not exist, and for a server that failed.
    async fn call(&self, call: Call<'_>) -> Result<CallResult, RpcError>;

    /// Tells whether a call took effect, and what it came to, without any effect of its own: the result says
    /// it in [`ResultMeta::check`](crate::ResultMeta::check). Asked about tools that announce [`crate::VERIFIABLE_KEY`]; by default
    /// there are none.
    async fn check(&self, call: Call<'_>) -> Result<CallResult, RpcError> {
        Err(RpcError::invalid_params(format!(
            "{} cannot tell whether a call took effect",
            reply::excerpt(call.name)
        )))
    }
}

/// A call of a tool.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The tool's name.
    pub name: &'a str,
    /// The arguments, a JSON object; not validated further. None is as good as an empty object.
    pub arguments: Option<&'a RawValue>,
    /// The same key is to take effect once.
    pub idempotency_key: Option<&'a str>,
    /// The moment after which it must not take effect any more; see [`crate::NOT_AFTER_KEY`].
    pub not_after: Option<u64>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// A JSON-RPC message; none when there is nothing to say.
    pub body: Option<Vec<u8>>,
}

/// How a request is to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Era {
    /// Every request stands for itself.
    Stateless,
    /// After, or as, a handshake.
    Handshake,
}

/// Answers one POST.
///
/// | what is wrong                                        | code   | status |
/// |------------------------------------------------------|--------|--------|
/// | the body is not JSON                                 | -32700 | 400    |
/// | it is JSON, but no request or notification           | -32600 | 400    |
/// | the revision is not served; `data` lists those that are | -32022 | 400 |
/// | a header is missing or says something else than the body (2026-07-28) | -32020 | 400 |
/// | `_meta` lacks what every request must carry (2026-07-28) | -32602 | 400 |
/// | there is no such method                              | -32601 | 404 (200 before 2026-07-28) |
/// | wrong parameters, an unknown tool, a check of a tool that offers none | -32602 | 200 |
/// | the server failed                                    | -32603 | 503    |
pub async fn handle<S: Server>(server: &S, headers: &HeaderMap, body: &[u8]) -> Answer {
    let request = match envelope::read(body) {
        Ok(Message::Request(request)) => request,
        Ok(Message::Notification) => {
            return Answer {
                status: StatusCode::ACCEPTED,
                body: None,
            };
        }
        Ok(Message::Response) => return answer_to_response(headers),
        Err(Rejected { id, error }) => return reply::error(StatusCode::BAD_REQUEST, id, &error),
    };
    let params = match envelope::read_params(request.params) {
        Ok(params) => params,
        Err(error) => return reply::error(StatusCode::BAD_REQUEST, Some(request.id), &error),
    };
    match check(headers, &request, &params) {
        Ok(era) => dispatch(server, era, &request, &params).await,
        Err(error) => reply::error(StatusCode::BAD_REQUEST, Some(request.id), &error),
    }
}

async fn dispatch<S: Server>(server: &S, era: Era, request: &Envelope<'_>, params: &Params<'_>) -> Answer {
    let id = request.id;
    match (request.method.as_ref(), era) {
        ("tools/list", _) if params.cursor.is_some() => {
            // There is one page, so no cursor was ever given out.
            reply::error(
                StatusCode::OK,
                Some(id),
                &RpcError::invalid_params("Unknown cursor"),
            )
        }
        ("tools/list", era) => reply::tools(server, era, id),
        ("tools/call", era) => {
            let Some(name) = &params.name else {
                let error = RpcError::invalid_params("params.name must be the name of a tool");
                return reply::error(StatusCode::OK, Some(id), &error);
            };
            let call = Call {
                name,
                arguments: params.arguments,
                idempotency_key: params.meta.idempotency_key.as_deref(),
                not_after: params.meta.not_after,
            };
            let outcome = match params.meta.check {
                true => server.check(call).await,
                false => server.call(call).await,
            };
            match outcome {
                Ok(result) => reply::result(server, era, id, &result),
                Err(error) if error.code == RpcError::INTERNAL => {
                    reply::error(StatusCode::SERVICE_UNAVAILABLE, Some(id), &error)
                }
                Err(error) => reply::error(StatusCode::OK, Some(id), &error),
            }
        }
        ("server/discover", Era::Stateless) => reply::discovery(server, id),
        ("initialize", Era::Handshake) => match &params.protocol_version {
            None => {
                let error = RpcError::invalid_params("params.protocolVersion must be a text");
                reply::error(StatusCode::OK, Some(id), &error)
            }
            Some(asked) => {
                let agreed = Revision::parse(asked)
                    .filter(|revision| revision.is_served() && !revision.is_stateless())
                    .unwrap_or(Revision::LATEST_WITH_HANDSHAKE);
                reply::initialized(server, id, agreed)
            }
        },
        ("ping", Era::Handshake) => reply::empty(id),
        (method, era) => {
            let error = RpcError::new(
                RpcError::METHOD_NOT_FOUND,
                format!("Method not found: {}", reply::excerpt(method)),
            );
            let status = match era {
                Era::Stateless => StatusCode::NOT_FOUND,
                Era::Handshake => StatusCode::OK,
            };
            reply::error(status, Some(id), &error)
        }
    }
}

/// Responses went to servers that had asked something; this one never asks, but 2025-11-25 lets a client
/// post them, and 2026-07-28 does not.
fn answer_to_response(headers: &HeaderMap) -> Answer {
    match headers
        .get(header::PROTOCOL_VERSION)
        .map(|value| value.to_str().map(Revision::parse))
    {
        Some(Ok(Some(revision))) if !revision.is_stateless() => Answer {
            status: StatusCode::ACCEPTED,
            body: None,
        },
        None => Answer {
            status: StatusCode::ACCEPTED,
            body: None,
        },
        Some(_) => {
            let error = RpcError::new(RpcError::INVALID_REQUEST, "Responses are not accepted");
            reply::error(StatusCode::BAD_REQUEST, None, &error)
        }
    }
}

/// Which era a request belongs to, and whether its headers say what its body says.
fn check(headers: &HeaderMap, request: &Envelope<'_>, params: &Params<'_>) -> Result<Era, RpcError> {
    let in_header = match headers.get(header::PROTOCOL_VERSION) {
        None => None,
        Some(value) => Some(
            value
                .to_str()
                .map_err(|_| mismatch("MCP-Protocol-Version holds invalid characters"))?,
        ),
    };
    let in_body = params.meta.protocol_version.as_deref();
    // An `initialize` without a stateless revision's marks is a handshake whatever its header says.
    if request.method == "initialize" && in_body.is_none() {
        return Ok(Era::Handshake);
    }
    let version = match (in_header, in_body) {
        // Clients of 2025-03-26 and earlier send no header (2025-11-25, "Protocol Version Header").
        (None, None) => return Ok(Era::Handshake),
        (Some(in_header), Some(in_body)) if in_header != in_body => {
            return Err(mismatch(format!(
                "MCP-Protocol-Version header value '{}' does not match body value '{}'",
                reply::excerpt(in_header),
                reply::excerpt(in_body)
            )));
        }
        (None, Some(_)) => return Err(mismatch("the MCP-Protocol-Version header is missing")),
        (Some(version), _) => version,
    };
    let revision = Revision::parse(version)
        .filter(|revision| revision.is_served())
        .ok_or_else(|| RpcError::unsupported_version(reply::excerpt(version)))?;
    if !revision.is_stateless() {
        return Ok(Era::Handshake);
    }
    if in_body.is_none() {
        return Err(RpcError::invalid_params(
            "params._meta must hold io.modelcontextprotocol/protocolVersion",
        ));
    }
    if !params.meta.has_client_capabilities() {
        return Err(RpcError::invalid_params(
            "params._meta must hold io.modelcontextprotocol/clientCapabilities, an object",
        ));
    }
    repeats(headers, &header::METHOD, "Mcp-Method", &request.method)?;
    if request.method == "tools/call"
        && let Some(name) = &params.name
    {
        repeats(headers, &header::NAME, "Mcp-Name", name)?;
    }
    Ok(Era::Stateless)
}

fn repeats(
    headers: &HeaderMap,
    name: &http::header::HeaderName,
    spelled: &str,
    expected: &str,
) -> Result<(), RpcError> {
    let Some(value) = headers.get(name) else {
        return Err(mismatch(format!("the {spelled} header is missing")));
    };
    let decoded = match *name == header::NAME {
        true => header::decode(value),
        false => value.to_str().ok().map(Cow::Borrowed),
    };
    match decoded {
        None => Err(mismatch(format!("the {spelled} header holds invalid characters"))),
        Some(found) if found == expected => Ok(()),
        Some(found) => Err(mismatch(format!(
            "{spelled} header value '{}' does not match body value '{}'",
            reply::excerpt(&found),
            reply::excerpt(expected)
        ))),
    }
}

fn mismatch(what: impl Into<String>) -> RpcError {
    RpcError::new(
        RpcError::HEADER_MISMATCH,
        format!("Header mismatch: {}", what.into()),
    )
}
