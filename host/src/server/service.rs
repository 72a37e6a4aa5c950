//! One request from outside: who it is for, whether it may come in, and what it is answered with.

use super::Place;
use super::headers::{self, REQUEST_ID};
use super::pages::Pages;
use super::problem::Problem;
use super::request_id;
use super::routes::{self, Destination};
use crate::admission::{Admitted, RETRY_AFTER};
use crate::drain::Drain;
use crate::guest::{Call, RequestId};
use crate::metrics::OpenStream;
use crate::readiness::Readiness;
use crate::runtime::Runtime;
use crate::telemetry::conventions;
use crate::telemetry::watch::Watch;
use crate::websocket::{NoAnswer, Refused, WebSockets};
use crate::worker::{self, GuestBody};
use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use wasmtime_wasi_http::{Error, WasiBody};

/// Where requests come from.
pub(super) struct Connection {
    client: HeaderValue,
    /// Its place among the connections. One more than there may be gets the host's own pages only.
    place: Arc<Place>,
}

impl Connection {
    /// A connection from `client`.
    pub(super) fn new(client: SocketAddr, place: Arc<Place>) -> Self {
        let client = HeaderValue::try_from(client.to_string());
        Self {
            client: client.unwrap_or(HeaderValue::from_static("0.0.0.0:0")),
            place,
        }
    }
}

/// Answers requests.
pub(super) struct Service {
    runtime: Arc<Runtime>,
    development: bool,
    pages: Pages,
    drain: Drain,
    websockets: WebSockets,
}

/// What a client gets: a component's answer, or the host's own.
pub(super) enum Body {
    Guest(Counted),
    Host(Full<Bytes>),
}

/// A component's answer, which is counted for as long as it is sent if it is an event stream.
pub(super) struct Counted {
    body: GuestBody,
    _open: Option<OpenStream>,
}

impl Service {
    /// Answers for an application. In development mode only this machine is let in.
    pub(super) fn new(
        runtime: Arc<Runtime>,
        development: bool,
        readiness: Readiness,
        drain: Drain,
        websockets: WebSockets,
    ) -> Self {
        let pages = Pages::new(Arc::clone(&runtime), readiness, drain.clone());
        Self {
            runtime,
            development,
            pages,
            drain,
            websockets,
        }
    }

    /// Answers a request; whatever happens there is an answer.
    pub(super) async fn answer(
        &self,
        connection: &Connection,
        mut request: Request<Incoming>,
    ) -> Response<Body> {
        let id = match request.headers().get(&REQUEST_ID) {
            Some(id) if request_id::is_sane(id) => id.clone(),
            _ => {
                let id = request_id::new();
                request.headers_mut().insert(REQUEST_ID, id.clone());
                id
            }
        };
        // Whoever keeps connections is told to leave this one while it still works: a request on a connection
        // that is being closed would be lost. HTTP/2 has a frame of its own for it.
        let closes =
            (self.drain.is_leaving() || connection.place.spare) && request.version() < Version::HTTP_2;
        let mut response = match self.route(connection, request, &id).await {
            Ok(response) => response,
            Err(problem) => problem.response(id.to_str().unwrap_or_default()).map(Body::Host),
        };
        response.headers_mut().insert(REQUEST_ID, id);
        if closes && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn route(
        &self,
        connection: &Connection,
        mut request: Request<Incoming>,
        id: &HeaderValue,
    ) -> Result<Response<Body>, Problem> {
        let started = Instant::now();
        if self.development {
            admit_this_machine_only(&request)?;
        }
        if let Some(page) = self.pages.find(request.uri().path()) {
            if !matches!(*request.method(), Method::GET | Method::HEAD) {
                return Err(Problem::MethodNotAllowed);
            }
            return Ok(self
                .pages
                .answer(page)
                .await
                .map(|body| Body::Host(Full::new(body))));
        }
        if connection.place.spare {
            self.runtime.metrics.refused("connections");
            return Err(Problem::Overloaded(RETRY_AFTER));
        }
        if self.websockets.are_at(request.uri().path()) {
            let place: Arc<Place> = Arc::clone(&connection.place);
            let opened = self
                .websockets
                .open(&self.runtime, &self.drain, place, request)
                .await;
            return match opened {
                Ok(response) | Err(Refused::Answered(response)) => Ok(response.map(Body::Host)),
                Err(Refused::NoUpgrade) => Err(Problem::NoUpgrade),
                Err(Refused::TooMany) => Err(Problem::TooManyConnections),
                Err(Refused::Failed(NoAnswer::Failed(failure))) => Err(Problem::Failed(failure)),
                Err(Refused::Failed(NoAnswer::Busy(_) | NoAnswer::BrokenOff)) => {
                    Err(Problem::Overloaded(RETRY_AFTER))
                }
            };
        }
        qualify(&mut request)?;
        let uri = request.uri().clone();
        let Some(routed) = self.runtime.routes().find(uri.path()) else {
            return Err(Problem::NoRoute);
        };
        let component = match &routed.route.to {
            Destination::Component(component) => Arc::clone(component),
            Destination::Static(fixed) => {
                return Ok(routes::respond(fixed, |body| Body::Host(Full::new(body))));
            }
        };
        let traces = &self.runtime.traces;
        let span = traces.begin(|| {
            let parent = traces.incoming(request.headers());
            conventions::request(&request, &routed, &component.id, id, parent)
        });
        let Admitted { permit, waited } = self.runtime.admission.admit().await.map_err(|full| {
            self.runtime.metrics.refused(full.reason());
            let problem = Problem::Overloaded(RETRY_AFTER);
            conventions::answered(&span, Some(problem.status()), false);
            problem
        })?;
        if let Some(waited) = waited {
            self.runtime.metrics.waited(waited);
        }
        headers::of_routed(&mut request, &routed, Some(&connection.client));
        drop(routed);
        if let Some(place) = span.place() {
            place.put(request.headers_mut());
        }
        let call = Call::new(RequestId::from(id), 0, Watch::of(&span));
        let request = request.map(|body| -> WasiBody { body.map_err(Error::Hyper).boxed_unsync() });
        let answer = worker::call(&self.runtime, &component, call, request, permit, &span).await;
        let answer = answer
            .map(|response| self.body(response))
            .map_err(Problem::Failed);
        let status = match &answer {
            Ok(response) => response.status(),
            Err(problem) => problem.status(),
        };
        component.series.answered(status.as_u16(), started.elapsed());
        conventions::answered(&span, Some(status), false);
        answer
    }

    /// Counts an event stream for as long as it lasts.
    fn body(&self, response: worker::Response) -> Response<Body> {
        let media_type = response.headers().get(header::CONTENT_TYPE);
        let streams = media_type.is_some_and(|name| name.as_bytes().starts_with(b"text/event-stream"));
        let open = streams.then(|| self.runtime.metrics.stream());
        response.map(|body| Body::Guest(Counted { body, _open: open }))
    }
}

/// Gives a request its full address: a component sees the scheme and the host there.
fn qualify(request: &mut Request<Incoming>) -> Result<(), Problem> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    let header = match request.headers().get(header::HOST) {
        Some(host) => Some(Authority::try_from(host.as_bytes()).map_err(|_| Problem::BadAuthority)?),
        None => None,
    };
    parts.authority = match (header, parts.authority) {
        (Some(header), Some(address)) if header != address => return Err(Problem::BadAuthority),
        (Some(authority), _) | (None, Some(authority)) => Some(authority),
        (None, None) => return Err(Problem::BadAuthority),
    };
    parts.scheme = Some(Scheme::HTTP);
    if parts.path_and_query.is_none() {
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
    }
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Problem::BadAuthority)?;
    Ok(())
}

/// In development mode nobody has to say who they are, so only this machine's own clients are let in: a web
/// page from elsewhere, or a name that somebody made to point here, is refused.
fn admit_this_machine_only(request: &Request<Incoming>) -> Result<(), Problem> {
    let host = request
        .uri()
        .authority()
        .map(Authority::as_str)
        .or_else(|| {
            request
                .headers()
                .get(header::HOST)
                .and_then(|host| host.to_str().ok())
        })
        .unwrap_or_default();
    if !is_loopback(host) {
        return Err(Problem::ForeignHost);
    }
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let cross_site = match header("sec-fetch-site") {
        Some(site) => !matches!(site, "same-origin" | "none"),
        None => match header("origin") {
            Some(origin) => origin.strip_prefix("http://").is_none_or(|origin| origin != host),
            None => false,
        },
    };
    if cross_site {
        Err(Problem::CrossSite)
    } else {
        Ok(())
    }
}

/// Whether a host, with or without a port, is this machine by name or address.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Self::Guest(Counted { body, .. }) => Pin::new(body).poll_frame(cx),
            Self::Host(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Guest(Counted { body, .. }) => body.is_end_stream(),
            Self::Host(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            Self::Guest(Counted { body, .. }) => body.size_hint(),
            Self::Host(body) => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_names_and_addresses_of_this_machine_are_loopback() {
        for host in [
            "localhost",
            "LOCALHOST:3000",
            "127.0.0.1:3000",
            "127.8.8.8",
            "[::1]:3000",
            "chat.localhost",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "10.0.0.1",
            "a@b c",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
