//! Tool servers: components of this application and MCP servers elsewhere, over HTTP.
//!
//! A component of this application is told who is asking; a server elsewhere only if the assistant's entry for it
//! says so. A tool's annotations become its effect class; what is missing counts as the worst case.

use std::cell::RefCell;
use std::rc::Rc;

use anyturn_engine::Assistant;
use anyturn_engine::port::{
    Caller, Checked, Effect, EffectClass, Example, Inverse, Invocation, ToolDefinition, ToolError,
    ToolOutcome, Tools,
};
use anyturn_engine::{RiskLevel, Stakes};
use anyturn_mcp::client::{CallTool, Client, ClientError, MirroredHeader, Transport};
use anyturn_mcp::{Annotations, CallResult, Implementation, RpcError, Tool};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::value::RawValue;

use crate::platform::{Platform, SendError};

/// How servers know us.
const US: Implementation = Implementation {
    name: "anyturn",
    title: Some("anyturn"),
    version: env!("CARGO_PKG_VERSION"),
};

/// Who is asking.
pub const USER: &str = "anyturn-user";
/// What they may do, separated by commas.
pub const ROLES: &str = "anyturn-roles";
/// In which conversation.
pub const SESSION: &str = "anyturn-session";
/// In which time zone.
pub const TIMEZONE: &str = "anyturn-timezone";

/// The address of a component of this application.
#[must_use]
pub fn internal(server: &str, path: &str) -> String {
    format!("http://{server}.spin.internal{path}")
}

/// What cannot stand in a header as it is, or would be taken for something else there: it is percent-encoded, and so is
/// all that is not ASCII. Tool servers undo that.
const ENCODED: AsciiSet = CONTROLS.add(b' ').add(b'%').add(b',');

/// Puts who is asking into the headers of a request to a tool.
pub fn put_caller(headers: &mut HeaderMap, caller: &Caller) {
    let Caller {
        user,
        roles,
        session,
        timezone,
    } = caller;
    let encoded = |text: &str| utf8_percent_encode(text, &ENCODED).to_string();
    let roles: Vec<_> = roles.iter().map(|role| encoded(role)).collect();
    for (name, value) in [
        (USER, encoded(user)),
        (ROLES, roles.join(",")),
        (SESSION, encoded(session)),
        (TIMEZONE, encoded(timezone.as_deref().unwrap_or_default())),
    ] {
        // What was encoded can be in a header.
        if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_str(&value)) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// The tool servers of a turn.
#[derive(Clone)]
pub struct Servers<P> {
    platform: P,
    /// Servers elsewhere that assistants use, and whether they may know who is asking.
    told: Rc<RefCell<Vec<(String, bool)>>>,
    /// What tools want repeated in headers, known from listing them.
    mirrored: Rc<RefCell<Vec<Mirrored>>>,
}

struct Mirrored {
    server: String,
    tool: String,
    headers: Vec<MirroredHeader>,
}

impl<P: Platform> Servers<P> {
    /// The servers that a platform reaches.
    pub fn new(platform: &P) -> Self {
        Self {
            platform: platform.clone(),
            told: Rc::default(),
            mirrored: Rc::default(),
        }
    }

    /// Takes over which servers elsewhere an assistant tells who is asking. Where turns of several assistants run at
    /// the same time, a server that one of them does not tell is told by none.
    pub fn allow(&self, assistant: &Assistant) {
        let mut told = self.told.borrow_mut();
        for source in assistant.sources().filter(|source| source.external) {
            match told.iter_mut().find(|(server, _)| *server == source.server) {
                Some((_, may)) => *may &= source.forward_user,
                None => told.push((source.server.clone(), source.forward_user)),
            }
        }
    }

    fn client(&self, server: &str, caller: &Caller) -> Result<Client, ToolError> {
        let external = server.contains("://");
        let address = if external {
            server.to_owned()
        } else {
            internal(server, "/mcp")
        };
        let address: Uri = address
            .parse()
            .map_err(|_| ToolError::NotRun(format!("`{server}` is no address of a tool server")))?;
        let mut client = Client::new(US, address);
        let told = || {
            self.told
                .borrow()
                .iter()
                .any(|(known, may)| known == server && *may)
        };
        if !external || told() {
            let mut headers = HeaderMap::new();
            put_caller(&mut headers, caller);
            for (name, value) in headers.drain() {
                if let Some(name) = name {
                    client = client.with_header(name, value);
                }
            }
        }
        Ok(client)
    }
}

impl<P: Platform> Tools for Servers<P> {
    async fn list(&self, server: &str, caller: &Caller) -> Result<Vec<ToolDefinition>, ToolError> {
        let tools: Vec<Tool> = self
            .client(server, caller)?
            .list_tools(&Sending(&self.platform))
            .await
            .map_err(|error| failure(server, error))?;
        let mut definitions = Vec::with_capacity(tools.len());
        for tool in tools {
            let Tool {
                name,
                title,
                description,
                input_schema,
                annotations,
                meta,
                mirrored,
            } = tool;
            if !mirrored.is_empty() {
                self.mirrored.borrow_mut().push(Mirrored {
                    server: server.to_owned(),
                    tool: name.clone(),
                    headers: mirrored,
                });
            }
            definitions.push(ToolDefinition {
                title: title.or_else(|| annotations.title.clone()),
                effect: effect(&annotations, meta.verifiable),
                examples: meta
                    .examples
                    .into_iter()
                    .map(|example| Example {
                        utterance: example.utterance,
                        arguments: text(example.arguments),
                    })
                    .collect(),
                reversible: meta.reversible,
                stakes: Stakes {
                    level: meta.risk.as_deref().and_then(level),
                    counted: meta.counted,
                    confirm_above: meta.confirm_above,
                },
                name,
                description,
                input_schema: text(input_schema),
            });
        }
        Ok(definitions)
    }

    async fn call(&self, server: &str, caller: &Caller, call: Invocation) -> Result<ToolOutcome, ToolError> {
        Ok(outcome(self.send(server, caller, call, false).await?))
    }

    async fn check(&self, server: &str, caller: &Caller, call: Invocation) -> Result<Checked, ToolError> {
        let result = self.send(server, caller, call, true).await?;
        Ok(match result.meta.check {
            Some(anyturn_mcp::Checked::Recorded) => Checked::Happened(outcome(result)),
            Some(anyturn_mcp::Checked::NotFound) => Checked::NotHappened,
            // The tool says why it cannot tell, or the server is one that has stopped telling.
            None => Checked::Unknown,
        })
    }
}

impl<P: Platform> Servers<P> {
    /// Sends a call, or the question what became of it.
    async fn send(
        &self,
        server: &str,
        caller: &Caller,
        call: Invocation,
        check: bool,
    ) -> Result<CallResult, ToolError> {
        let Invocation {
            tool,
            arguments,
            idempotency_key,
            not_after,
        } = call;
        let arguments = serde_json::value::to_raw_value(&arguments)
            .map_err(|error| ToolError::NotRun(format!("the arguments cannot be written: {error}")))?;
        let mirrored: Vec<_> = self
            .mirrored
            .borrow()
            .iter()
            .filter(|known| known.server == server && known.tool == tool)
            .flat_map(|known| known.headers.clone())
            .collect();
        let mut call = CallTool::new(&tool, &arguments)
            .with_idempotency_key(&idempotency_key)
            .with_mirrored(&mirrored);
        if check {
            call = call.as_check();
        } else if not_after != 0 {
            call = call.with_not_after(not_after);
        }
        self.client(server, caller)?
            .call_tool(&Sending(&self.platform), call)
            .await
            .map_err(|error| failure(server, error))
    }
}

fn text(json: Box<RawValue>) -> String {
    Box::<str>::from(json).into()
}

fn outcome(result: CallResult) -> ToolOutcome {
    ToolOutcome {
        content: result.text(),
        structured: result
            .structured
            .and_then(|raw| anyturn_json::from_slice(raw.get().as_bytes()).ok()),
        is_error: result.is_error,
        inverses: result
            .meta
            .inverse
            .into_iter()
            .chain(result.meta.inverses)
            .map(|inverse| Inverse {
                tool: inverse.tool,
                arguments: inverse.arguments,
                title: inverse.title,
                destructive: inverse.destructive,
            })
            .collect(),
    }
}

fn effect(annotations: &Annotations, verifiable: bool) -> Effect {
    let class = if annotations.is_read_only() {
        EffectClass::Read
    } else if annotations.is_idempotent() {
        // Calling again tells the same as asking, and has what is missing done as well.
        EffectClass::Idempotent
    } else if verifiable {
        EffectClass::Verifiable
    } else {
        EffectClass::Unprotected
    };
    Effect {
        class,
        destructive: annotations.is_destructive(),
    }
}

fn level(risk: &str) -> Option<RiskLevel> {
    match risk {
        "low" => Some(RiskLevel::Low),
        "medium" => Some(RiskLevel::Medium),
        "high" => Some(RiskLevel::High),
        _ => None,
    }
}

fn failure(server: &str, error: ClientError<SendError>) -> ToolError {
    let not_run = match &error {
        ClientError::Transport(SendError::NotSent(_)) => true,
        other => other.proves_not_run(),
    };
    let late = matches!(&error, ClientError::Rpc(error) if error.code == RpcError::TOO_LATE);
    let text = format!("`{server}`: {error}");
    if late {
        ToolError::TooLate(text)
    } else if not_run {
        ToolError::NotRun(text)
    } else {
        ToolError::Unknown(text)
    }
}

/// A platform as a transport for MCP.
struct Sending<'a, P>(&'a P);

impl<P: Platform> Transport for Sending<'_, P> {
    type Body = Arriving<P::Incoming>;
    type Error = SendError;

    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Self::Body>, SendError> {
        Ok(self.0.send(request).await?.map(Arriving))
    }
}

/// A body of which a failure means that the call may have run.
struct Arriving<B>(B);

impl<B> http_body::Body for Arriving<B>
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
{
    type Data = Bytes;
    type Error = SendError;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, SendError>>> {
        std::pin::Pin::new(&mut self.get_mut().0)
            .poll_frame(cx)
            .map_err(|error| SendError::Unknown(format!("the answer broke off: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_who_is_asking_is_lost_in_a_header() {
        let mut headers = HeaderMap::new();
        let caller = Caller {
            user: "J\u{f6}rg%41".to_owned(),
            roles: vec!["editor".to_owned(), "a,b".to_owned()],
            session: "my talk\n\u{1f98a}".to_owned(),
            timezone: Some("Europe/Berlin".to_owned()),
        };
        put_caller(&mut headers, &caller);
        for (name, value) in [
            (USER, "J%C3%B6rg%2541"),
            (ROLES, "editor,a%2Cb"),
            (SESSION, "my%20talk%0A%F0%9F%A6%8A"),
            (TIMEZONE, "Europe/Berlin"),
        ] {
            assert_eq!(headers[name], value);
        }
    }
}
