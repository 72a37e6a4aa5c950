//! Serves a toolbox over HTTP.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use anyturn_mcp::server::{self, Server};
use anyturn_mcp::{CallResult, Checked, Implementation, RpcError};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body::Body as _;
use http_body_util::Full;

use crate::body::{self, BodyError, MAX_BODY};
use crate::{Call, Caller, Failure, Once, Problem, Reply, Tools, set};

/// An answer over HTTP.
pub type Response = http::Response<Full<Bytes>>;

/// Names a request in the logs of all who had to do with it.
const REQUEST_ID: &str = "x-request-id";

/// The path that speaks the Model Context Protocol.
const MCP_PATH: &str = "/mcp";

/// A set of tools that one component serves, and the plain HTTP API beside them. The type itself is what the
/// tools share, such as a store.
#[allow(async_fn_in_trait)]
pub trait Toolbox: Sized {
    /// Who answers.
    const IDENTITY: Implementation;
    /// How the tools are best used, for models.
    const INSTRUCTIONS: Option<&'static str> = None;
    /// The tools: a tuple of them.
    type Tools: Tools<Self>;

    /// The JSON array of the tools' descriptions. Generated unless a constant is given; see the crate's
    /// page.
    fn list() -> Cow<'static, str> {
        Cow::Owned(set::list::<Self>())
    }

    /// Web pages of these origins may call `/mcp` from a browser; by default none may, since a page that
    /// rebinds its name to a local address would otherwise reach local servers.
    fn allows_origin(&self, _origin: &str) -> bool {
        false
    }

    /// The user, where a request names none, such as one of an MCP client that talks to this server alone:
    /// the environment variable `DEFAULT_USER`. Without it there is none, and tools that work on one
    /// user's data refuse.
    fn default_user(&self) -> Option<String> {
        std::env::var("DEFAULT_USER").ok().filter(|user| !user.is_empty())
    }

    /// Milliseconds since the Unix epoch.
    fn now(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| {
            u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
        })
    }

    /// What the call with this idempotency key came to, if it took effect; has no effect itself. Asked about
    /// tools whose effect is [`Effect::verifiable`](crate::Effect::verifiable), by whoever takes a turn over
    /// and finds a call in it of which nobody knows how it ended. Where [`Once`] records the outcomes, this is
    /// one line: [`Once::outcome`].
    async fn check(&self, tool: &str, _call: &Call<'_>) -> Result<Option<Reply>, Failure> {
        Err(Failure::rejected(format!(
            "{tool} cannot tell whether a call took effect."
        )))
    }

    /// Answers what does not go to `/mcp`; by default with 404.
    async fn api(&self, request: ApiRequest) -> Response {
        Problem::no_such_path(&request.path).into_response()
    }
}

/// A request to the plain HTTP API.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// The path, as it was sent.
    pub path: String,
    /// The query, as it was sent.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// At most 1 MiB.
    pub body: Bytes,
    /// On whose behalf it comes.
    pub caller: Caller,
}

/// Answers a request. Bodies over 1 MiB are refused with 413 and not read on.
pub async fn serve<A, B>(toolbox: &A, request: http::Request<B>) -> Response
where
    A: Toolbox,
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let is_head = request.method() == Method::HEAD;
    let request_id = request.headers().get(REQUEST_ID).cloned();
    let mut response = answer(toolbox, request).await;
    if !is_head && let Some(Ok(request_id)) = request_id.as_ref().map(HeaderValue::to_str) {
        Problem::name_request(&mut response, request_id);
    }
    let status = response.status();
    if !is_head && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
        // Said here, the length spares whoever passes the answer on from cutting it into chunks.
        if let Some(length) = response.body().size_hint().exact() {
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
    }
    response
}

async fn answer<A, B>(toolbox: &A, request: http::Request<B>) -> Response
where
    A: Toolbox,
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let (head, body) = request.into_parts();
    let is_mcp = head.uri.path() == MCP_PATH;
    if is_mcp && let Err(problem) = check_mcp(toolbox, &head) {
        return problem.into_response();
    }
    let body = match body::read(&head.headers, body).await {
        Ok(body) => body,
        Err(BodyError::TooLarge) => {
            let detail = format!("A body may have {MAX_BODY} bytes.");
            return Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "Body too large",
                detail,
            )
            .into_response();
        }
        Err(BodyError::Broken) => {
            let detail = "The body ended before it was complete.";
            return Problem::new(StatusCode::BAD_REQUEST, "broken-body", "Broken body", detail)
                .into_response();
        }
    };
    let mut caller = Caller::from_headers(&head.headers);
    if caller.user.is_none() {
        caller.user = toolbox.default_user();
    }
    if is_mcp {
        let endpoint = Endpoint { toolbox, caller };
        let answer = server::handle(&endpoint, &head.headers, &body).await;
        let mut response = respond(answer.status, "application/json", answer.body.unwrap_or_default());
        if answer.status == StatusCode::ACCEPTED {
            response.headers_mut().remove(header::CONTENT_TYPE);
        }
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        return response;
    }
    let request = ApiRequest {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: head.headers,
        body,
        caller,
    };
    toolbox.api(request).await
}

/// What the protocol leaves to HTTP.
fn check_mcp<A: Toolbox>(toolbox: &A, head: &http::request::Parts) -> Result<(), Problem> {
    if head.method != Method::POST {
        return Err(Problem::method_not_allowed(MCP_PATH, "POST"));
    }
    if let Some(origin) = head.headers.get(header::ORIGIN)
        && !origin.to_str().is_ok_and(|origin| toolbox.allows_origin(origin))
    {
        let detail = "Web pages of this origin may not call this server.";
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "origin",
            "Origin not allowed",
            detail,
        ));
    }
    if !has_media_type(&head.headers, header::CONTENT_TYPE, &["application/json"]) {
        let detail = "Send a JSON-RPC message with the header Content-Type: application/json.";
        let title = "Unsupported media type";
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media-type",
            title,
            detail,
        ));
    }
    let accepted = ["application/json", "application/*", "*/*"];
    if head.headers.contains_key(header::ACCEPT) && !has_media_type(&head.headers, header::ACCEPT, &accepted)
    {
        let detail = "Answers come as application/json; send Accept: application/json, text/event-stream.";
        return Err(Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            "not-acceptable",
            "Not acceptable",
            detail,
        ));
    }
    Ok(())
}

fn has_media_type(headers: &HeaderMap, name: header::HeaderName, wanted: &[&str]) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|part| part.split(';').next())
        .any(|found| {
            wanted
                .iter()
                .any(|wanted| found.trim().eq_ignore_ascii_case(wanted))
        })
}

/// A toolbox as the protocol's server, for one caller.
struct Endpoint<'a, A> {
    toolbox: &'a A,
    caller: Caller,
}

impl<A: Toolbox> Server for Endpoint<'_, A> {
    fn identity(&self) -> Implementation {
        A::IDENTITY
    }

    fn instructions(&self) -> Option<&str> {
        A::INSTRUCTIONS
    }

    fn tools(&self) -> Cow<'_, str> {
        A::list()
    }

    async fn call(&self, call: server::Call<'_>) -> Result<CallResult, RpcError> {
        let surroundings = self.surroundings(call);
        match A::Tools::call(self.toolbox, call.name, call.arguments, &surroundings).await {
            None => Err(unknown(call.name)),
            Some(Ok(reply)) => Ok(reply.into()),
            Some(Err(failure)) => failure.into(),
        }
    }

    async fn check(&self, call: server::Call<'_>) -> Result<CallResult, RpcError> {
        let Some(effect) = A::Tools::effect(call.name) else {
            return Err(unknown(call.name));
        };
        let refused = |reason| Err(RpcError::invalid_params(format!("{}: {reason}", call.name)));
        if !effect.verifiable {
            return refused("this tool cannot tell whether a call took effect");
        }
        if call.idempotency_key.is_none() {
            return refused("a check needs the idempotency key of the call that it asks about");
        }
        let (mut result, check) = match self.toolbox.check(call.name, &self.surroundings(call)).await {
            Ok(Some(reply)) => (CallResult::from(reply), Checked::Recorded),
            Ok(None) => {
                let text = "No call with this idempotency key has taken effect.";
                (CallResult::from_text(text), Checked::NotFound)
            }
            Err(failure) => return failure.into(),
        };
        result.meta.check = Some(check);
        Ok(result)
    }
}

impl<A: Toolbox> Endpoint<'_, A> {
    fn surroundings<'a>(&'a self, call: server::Call<'a>) -> Call<'a> {
        let server::Call {
            name,
            arguments,
            idempotency_key,
            not_after,
        } = call;
        let written = arguments.map_or("", |arguments| arguments.get());
        Call {
            caller: &self.caller,
            idempotency_key,
            fingerprint: Once::fingerprint([name.as_bytes(), written.as_bytes()]),
            not_after,
            now: self.toolbox.now(),
        }
    }
}

fn unknown(tool: &str) -> RpcError {
    let name: String = tool.chars().take(100).collect();
    RpcError::invalid_params(format!("Unknown tool: {name}"))
}

pub(crate) fn respond(status: StatusCode, media_type: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
