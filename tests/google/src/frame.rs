//! HTTP: reads requests, finds who asks, and hands them to the API that they are for.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::{Answer, State, batch, gmail, lock, scopes, tokens};

/// Larger requests are refused: Gmail takes 35 MB.
const MAX_BODY: usize = 36 << 20;

/// A request, which may have come within a batch.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// The query, decoded, in its order.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Whose account it works on: that of its access token.
    pub account: Option<String>,
    /// What may be done with its access token.
    pub scopes: Vec<String>,
}

impl Request {
    /// A request for this path and query.
    pub fn new(method: Method, target: &str, headers: HeaderMap, body: Bytes) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Request {
            method,
            path: path.to_owned(),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers,
            body,
            account: None,
            scopes: Vec::new(),
        }
    }

    /// The first value of this name in the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values of this name in the query.
    pub fn parameters<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The path's parts after this beginning, decoded; none if it begins otherwise.
    pub fn after(&self, beginning: &str) -> Option<Vec<String>> {
        let rest = self.path.strip_prefix(beginning)?;
        let parts = rest.split('/').filter(|part| !part.is_empty());
        Some(
            parts
                .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
                .collect(),
        )
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// Serves until the fake is dropped, and its connections with it.
pub(crate) async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let state = state.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(request, state.clone()));
            // A broken connection is the client's matter.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    request: http::Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let answer = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => {
            let request = Request::new(head.method, target, head.headers, body.to_bytes());
            lock(&state).answer(request)
        }
        Err(_) => Some(Answer::error(413, "uploadTooLarge", "Request Entity Too Large")),
    };
    // Without one, the connection breaks.
    let answer = answer.ok_or_else(|| std::io::Error::other("the answer is lost"))?;
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}

impl State {
    /// Answers a request; none when the answer is lost on its way.
    pub(crate) fn answer(&mut self, mut request: Request) -> Option<Answer> {
        let bearer = request.header(header::AUTHORIZATION.as_str());
        if let Some(access) = bearer
            .strip_prefix("Bearer ")
            .and_then(|token| self.tokens.access(token))
            .cloned()
        {
            (request.account, request.scopes) = (Some(access.account), access.scopes);
        }
        self.requests.push(request.clone());
        let failure = self.faults.take(&request.path);
        if let Some(answer) = failure.and_then(|failure| failure.answer()) {
            return Some(answer);
        }
        let answer = self.route(&request);
        // What else can fail is that the answer is lost.
        failure.is_none().then_some(answer)
    }

    /// Hands a request to the API that it is for.
    fn route(&mut self, request: &Request) -> Answer {
        let path = request.path.as_str();
        if path == format!("{}/token", tokens::ACCOUNTS) {
            return self.tokens.hand_out(request);
        }
        if let Some(answer) = self.oauth.answer(&mut self.tokens, request) {
            return answer;
        }
        let Some(account) = request.account.clone() else {
            return Answer::unauthenticated();
        };
        if !scopes::suffice(request) {
            return Answer::insufficient();
        }
        if let Some(answer) = self.calendars.answer(request) {
            return answer;
        }
        if let Some(answer) = self.people.answer(request) {
            return answer;
        }
        if path.starts_with("/batch/") {
            return batch::answer(request, |part| self.answer(part));
        }
        if path.starts_with("/gmail/v1/") || path.starts_with("/upload/gmail/v1/") {
            let mailbox = self.gmail.entry(account.clone()).or_default();
            return gmail::answer(mailbox, &account, request);
        }
        Answer::error(404, "notFound", "Not Found")
    }
}
