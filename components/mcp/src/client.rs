//! The client's side: lists and calls the tools of one server.
//!
//! ```
//! use anyturn_mcp::client::{CallTool, Client, ClientError, Transport};
//! use anyturn_mcp::{CallResult, Implementation, Tool};
//!
//! const US: Implementation = Implementation { name: "example", title: None, version: "1.0.0" };
//!
//! async fn add_milk<T: Transport>(transport: &T) -> Result<CallResult, ClientError<T::Error>> {
//!     let client = Client::new(US, http::Uri::from_static("http://tasks.spin.internal/mcp"));
//!     let tools: Vec<Tool> = client.list_tools(transport).await?;
//!     assert!(tools.iter().any(|tool| tool.name == "add_task"));
//!     let arguments = serde_json::value::RawValue::from_string(r#"{"title":"buy milk"}"#.into())
//!         .expect("valid JSON");
//!     client.call_tool(transport, CallTool::new("add_task", &arguments).with_idempotency_key("k1")).await
//! }
//! ```
//!
//! A call is sent at most once, except where the answer proves that the server did not run it (it speaks
//! another revision, or forgot its session). Anything else is the caller's to repeat: with an idempotency
//! key, or not at all. [`ClientError::proves_not_run`] tells which of both is safe.

mod answer;
mod mirror;
mod request;

use std::cell::{Cell, RefCell};

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::{CallResult, Implementation, Revision, RpcError, Tool, header};
use answer::Answer;
pub use mirror::MirroredHeader;

/// A server's pages of tools are followed up to this many.
const MAX_PAGES: usize = 64;

/// What carries requests to a server: an HTTP client, or a test.
#[allow(async_fn_in_trait)]
pub trait Transport {
    /// An answer's body. It is read piece by piece, and no further than the answer goes.
    type Body: http_body::Body<Data = Bytes, Error: Into<Self::Error>> + Unpin;
    /// Why no answer came.
    type Error;

    /// Sends a request and returns when the head of the answer is there. Follows no redirects to other
    /// origins: the request carries credentials.
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Self::Body>, Self::Error>;
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError<E> {
    /// The transport failed. Whether the server ran the call is the transport's to say.
    #[error("the tool server cannot be reached: {0}")]
    Transport(E),
    /// The server answered with an error of the protocol.
    #[error("the tool server answered: {0}")]
    Rpc(#[source] RpcError),
    /// The server answered something that is not the protocol's, with this status.
    #[error("the tool server answered {status}{}", excerpt(.body))]
    Status {
        /// The status.
        status: StatusCode,
        /// How the body begins.
        body: String,
    },
    /// The server's answer breaks the protocol.
    #[error("the tool server's answer cannot be understood: {0}")]
    Protocol(String),
}

fn excerpt(body: &str) -> String {
    if body.is_empty() {
        String::new()
    } else {
        format!(": {body}")
    }
}

impl<E> ClientError<E> {
    /// Whether it proves that the server did not run the call. `false` for [`ClientError::Transport`]: ask
    /// the transport's error.
    pub fn proves_not_run(&self) -> bool {
        match self {
            ClientError::Transport(_) | ClientError::Protocol(_) => false,
            ClientError::Rpc(error) => error.proves_not_run(),
            // 408 and 499 are what a proxy says of a request that it has passed on already.
            ClientError::Status { status, .. } => {
                status.is_client_error() && !matches!(status.as_u16(), 408 | 499)
            }
        }
    }
}

/// One call of a tool.
#[derive(Clone, Copy, Debug)]
pub struct CallTool<'a> {
    name: &'a str,
    arguments: &'a RawValue,
    idempotency_key: Option<&'a str>,
    not_after: Option<u64>,
    check: bool,
    mirrored: &'a [MirroredHeader],
}

impl<'a> CallTool<'a> {
    /// Calls this tool with these arguments, a JSON object.
    pub fn new(name: &'a str, arguments: &'a RawValue) -> CallTool<'a> {
        CallTool {
            name,
            arguments,
            idempotency_key: None,
            not_after: None,
            check: false,
            mirrored: &[],
        }
    }

    /// The same key takes effect once, if the server is one of this project's.
    #[must_use]
    pub fn with_idempotency_key(self, key: &'a str) -> CallTool<'a> {
        CallTool {
            idempotency_key: Some(key),
            ..self
        }
    }

    /// After this moment it must not take effect any more, if the server is one of this project's: the call is
    /// then answered with [`RpcError::TOO_LATE`]. See [`crate::NOT_AFTER_KEY`].
    #[must_use]
    pub fn with_not_after(self, moment: u64) -> CallTool<'a> {
        CallTool {
            not_after: Some(moment),
            ..self
        }
    }

    /// Asks whether this very call, with the same idempotency key and arguments, took effect, instead of
    /// making it: the answer is in [`ResultMeta::check`](crate::ResultMeta::check). Only for tools that announce
    /// [`ToolMeta::verifiable`](crate::ToolMeta::verifiable): any other server would take it for the call.
    #[must_use]
    pub fn as_check(self) -> CallTool<'a> {
        CallTool { check: true, ..self }
    }

    /// Repeats arguments in headers, as the tool's description ([`Tool::mirrored`]) asks for.
    #[must_use]
    pub fn with_mirrored(self, mirrored: &'a [MirroredHeader]) -> CallTool<'a> {
        CallTool { mirrored, ..self }
    }
}

/// A client of one server. Calls may run concurrently.
#[derive(Debug)]
pub struct Client {
    identity: Implementation,
    endpoint: Uri,
    headers: HeaderMap,
    may_fall_back: bool,
    max_answer: usize,
    next_id: Cell<u64>,
    session: RefCell<Option<Session>>,
}

/// What a handshake agreed on.
#[derive(Clone, Debug)]
struct Session {
    revision: Revision,
    id: Option<HeaderValue>,
}

impl Client {
    /// A client that speaks 2026-07-28, and falls back to a handshake where the server does not.
    pub fn new(identity: Implementation, endpoint: Uri) -> Client {
        Client {
            identity,
            endpoint,
            headers: HeaderMap::new(),
            may_fall_back: true,
            max_answer: 4 << 20,
            next_id: Cell::new(1),
            session: RefCell::new(None),
        }
    }

    /// Never falls back: for servers that are known to speak 2026-07-28.
    #[must_use]
    pub fn stateless_only(self) -> Client {
        Client {
            may_fall_back: false,
            ..self
        }
    }

    /// Adds a header to every request, such as credentials or who the user is.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Client {
        self.headers.insert(name, value);
        self
    }

    /// Answers larger than this are refused; 4 MiB without it.
    #[must_use]
    pub fn with_max_answer(self, bytes: usize) -> Client {
        Client {
            max_answer: bytes,
            ..self
        }
    }

    /// All tools of the server, in its order. Tools whose description breaks the rules for headers are left
    /// out, as the specification demands.
    pub async fn list_tools<S: DeserializeOwned, T: Transport>(
        &self,
        transport: &T,
    ) -> Result<Vec<Tool<S>>, ClientError<T::Error>> {
        let mut tools = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let answer = self
                .request(
                    transport,
                    &Outgoing::List {
                        cursor: cursor.as_deref(),
                    },
                )
                .await?;
            let page: Page<S> = anyturn_json::from_slice(answer.result()).map_err(not_understood)?;
            check_kind(page.result_type.as_deref())?;
            tools.extend(mirror::accept(page.tools, answer.bytes()));
            match page.next_cursor {
                None => return Ok(tools),
                // A server that hands out the same cursor again would keep us here for ever.
                Some(next) if Some(&next) == cursor.as_ref() => break,
                Some(next) => cursor = Some(next),
            }
        }
        Err(ClientError::Protocol(format!(
            "its list of tools does not end within {MAX_PAGES} pages"
        )))
    }

    /// Calls a tool.
    pub async fn call_tool<T: Transport>(
        &self,
        transport: &T,
        call: CallTool<'_>,
    ) -> Result<CallResult, ClientError<T::Error>> {
        let answer = self.request(transport, &Outgoing::Call(call)).await?;
        let kind: Kind = anyturn_json::from_slice(answer.result()).map_err(not_understood)?;
        check_kind(kind.result_type.as_deref())?;
        anyturn_json::from_slice(answer.result()).map_err(not_understood)
    }

    /// Ends the session, if the server gave one out. A server may decline; that is no error.
    pub async fn close<T: Transport>(self, transport: &T) -> Result<(), ClientError<T::Error>> {
        let Some(Session {
            revision,
            id: Some(id),
        }) = self.session.take()
        else {
            return Ok(());
        };
        let mut request = self.post(Bytes::new());
        *request.method_mut() = Method::DELETE;
        request.headers_mut().insert(
            header::PROTOCOL_VERSION,
            HeaderValue::from_static(revision.as_str()),
        );
        request.headers_mut().insert(header::SESSION_ID, id);
        transport
            .send(request)
            .await
            .map(drop)
            .map_err(ClientError::Transport)
    }

    async fn request<T: Transport>(
        &self,
        transport: &T,
        outgoing: &Outgoing<'_>,
    ) -> Result<Answer, ClientError<T::Error>> {
        if self.session.borrow().is_some() {
            return self.request_in_session(transport, outgoing).await;
        }
        let id = self.take_id();
        let request = request::stateless(self, id, outgoing);
        match answer::receive(transport, request, id, self.max_answer).await {
            Err(error) if self.may_fall_back && asks_for_handshake(&error) => {
                self.shake_hands(transport).await?;
                self.request_in_session(transport, outgoing).await
            }
            other => other,
        }
    }

    async fn request_in_session<T: Transport>(
        &self,
        transport: &T,
        outgoing: &Outgoing<'_>,
    ) -> Result<Answer, ClientError<T::Error>> {
        for first_try in [true, false] {
            let Some(session) = self.session.borrow().clone() else {
                break;
            };
            let id = self.take_id();
            let request = request::in_session(self, id, outgoing, &session);
            match answer::receive(transport, request, id, self.max_answer).await {
                // The server has forgotten the session (2025-11-25, "Session Management").
                Err(error) if first_try && session.id.is_some() && is_not_found(&error) => {
                    self.shake_hands(transport).await?;
                }
                other => return other,
            }
        }
        Err(ClientError::Protocol("it forgets its sessions at once".into()))
    }

    async fn shake_hands<T: Transport>(&self, transport: &T) -> Result<(), ClientError<T::Error>> {
        self.session.take();
        let id = self.take_id();
        let request = request::initialize(self, id);
        let answer = answer::receive(transport, request, id, self.max_answer).await?;
        let agreed: Initialized = anyturn_json::from_slice(answer.result()).map_err(not_understood)?;
        let revision = Revision::parse(&agreed.protocol_version)
            .filter(|revision| !revision.is_stateless())
            .ok_or_else(|| {
                ClientError::Protocol(format!(
                    "it speaks revision {:?} of the protocol, which is not known here",
                    agreed.protocol_version
                ))
            })?;
        let session = Session {
            revision,
            id: answer.headers().get(header::SESSION_ID).cloned(),
        };
        let response = transport
            .send(request::initialized(self, &session))
            .await
            .map_err(ClientError::Transport)?;
        if !response.status().is_success() {
            return Err(ClientError::Status {
                status: response.status(),
                body: String::new(),
            });
        }
        self.session.replace(Some(session));
        Ok(())
    }

    fn take_id(&self) -> u64 {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        id
    }

    fn post(&self, body: Bytes) -> http::Request<Bytes> {
        let mut request = http::Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.clone();
        let headers = request.headers_mut();
        headers.extend(self.headers.clone());
        headers.insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(
            http::header::ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        request
    }
}

/// What is asked for.
enum Outgoing<'a> {
    List { cursor: Option<&'a str> },
    Call(CallTool<'a>),
}

#[derive(Deserialize)]
struct Page<S> {
    tools: Vec<Tool<S>>,
    #[serde(rename = "nextCursor")]
    next_cursor: Option<String>,
    #[serde(rename = "resultType")]
    result_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Initialized {
    protocol_version: String,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "resultType")]
    result_type: Option<String>,
}

/// An answer that carries no error of a stateless server comes from one that wants a handshake
/// (2026-07-28, "Backward Compatibility"). So does one that supports other revisions only.
fn asks_for_handshake<E>(error: &ClientError<E>) -> bool {
    match error {
        ClientError::Rpc(error) if error.code == RpcError::UNSUPPORTED_VERSION => error
            .data
            .as_ref()
            .and_then(|data| data.get("supported"))
            .and_then(Value::as_array)
            .is_some_and(|supported| {
                supported
                    .iter()
                    .filter_map(|version| Revision::parse(version.as_str()?))
                    .any(|revision| !revision.is_stateless())
            }),
        ClientError::Status { status, .. } => matches!(status.as_u16(), 400 | 404 | 405 | 406 | 422),
        _ => false,
    }
}

fn is_not_found<E>(error: &ClientError<E>) -> bool {
    matches!(error, ClientError::Status { status, .. } if *status == StatusCode::NOT_FOUND)
}

/// A result without a kind comes from an earlier revision and is complete (2026-07-28, "ResultType").
fn check_kind<E>(kind: Option<&str>) -> Result<(), ClientError<E>> {
    match kind {
        None | Some("complete") => Ok(()),
        Some(kind) => Err(ClientError::Protocol(format!(
            "its result is of the kind {kind:?}, which was not asked for"
        ))),
    }
}

fn not_understood<E>(error: serde_json::Error) -> ClientError<E> {
    ClientError::Protocol(error.to_string())
}
