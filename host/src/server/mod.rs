//! HTTP from outside: connections, requests, and the host's own pages.

pub(crate) mod headers;
mod pages;
mod problem;
pub(crate) mod request_id;
pub(crate) mod routes;
mod service;

use crate::drain::Drain;
use crate::readiness::Readiness;
use crate::runtime::Runtime;
use crate::websocket::WebSockets;
use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use service::{Connection, Service};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a client may take to send the head of its next request. Longer than load balancers keep idle
/// connections as a rule (60 s), so that it is they who close them.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// The largest head of a request.
const HEAD_LIMIT: usize = 64 * 1024;
/// The most headers of a request.
const HEADERS_LIMIT: usize = 128;
/// The most requests on one HTTP/2 connection at once.
const STREAMS_LIMIT: u32 = 256;

/// Connections that are let in when there are as many as may be: they get the host's own pages, so that probes
/// are answered however many clients there are, and a quick refusal of anything else.
const SPARE: usize = 64;
/// How long such a connection may take.
const SPARE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a server needs to know.
pub(crate) struct Settings {
    /// How many connections may be open.
    pub(crate) connections: usize,
    /// Whether nobody has to say who they are, so that only this machine is let in.
    pub(crate) development: bool,
    /// Whether the store is there.
    pub(crate) readiness: Readiness,
    /// The WebSockets.
    pub(crate) websockets: WebSockets,
}

/// Opens the socket.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("{address} cannot be listened on; `--listen` (ANYTURN_LISTEN) takes another address")
    })
}

/// Serves until draining begins; the connections that are open then are told, and waited for by `drain`.
pub(crate) async fn serve(listener: TcpListener, runtime: Arc<Runtime>, settings: Settings, drain: Drain) {
    let places = Places::new(settings.connections);
    let service = Arc::new(Service::new(
        runtime,
        settings.development,
        settings.readiness,
        drain.clone(),
        settings.websockets,
    ));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_LIMIT)
        .max_headers(HEADERS_LIMIT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_LIMIT as u32)
        .max_concurrent_streams(STREAMS_LIMIT)
        .keep_alive_interval(Duration::from_secs(30));
    let builder = Arc::new(builder);
    let begin = |stream, client, place: Place| {
        let (builder, service, drain) = (Arc::clone(&builder), Arc::clone(&service), drain.clone());
        tokio::spawn(async move {
            let place = Arc::new(place);
            let serving = connection(&builder, service, stream, client, Arc::clone(&place), drain);
            if place.spare {
                let _ = tokio::time::timeout(SPARE_TIMEOUT, serving).await;
            } else {
                serving.await;
            }
            drop(place);
        });
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = drain.begun() => break,
        };
        match accepted {
            // Without a place nobody else is accepted: the rest waits in the kernel's queue.
            Ok((stream, client)) => begin(stream, client, places.take().await),
            Err(error) => {
                // Most often the process is out of file descriptors: some may be given back soon.
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    // Whoever the kernel has let in already is served: closing the port would cut them off.
    while let Some(Ok((stream, client))) = listener.accept().now_or_never() {
        let Some(place) = places.take().now_or_never() else {
            break;
        };
        begin(stream, client, place);
    }
}

/// How many connections may be open.
struct Places {
    regular: Arc<Semaphore>,
    spare: Arc<Semaphore>,
}

/// A connection may be open until this is dropped.
pub(crate) struct Place {
    spare: bool,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    fn new(connections: usize) -> Self {
        Self {
            regular: Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS))),
            spare: Arc::new(Semaphore::new(SPARE)),
        }
    }

    /// A regular place if there is one, else a spare one, as soon as there is any.
    async fn take(&self) -> Place {
        let (permit, spare) = tokio::select! {
            biased;
            permit = Arc::clone(&self.regular).acquire_owned() => (permit, false),
            permit = Arc::clone(&self.spare).acquire_owned() => (permit, true),
        };
        // The semaphores are never closed.
        Place {
            spare,
            _permit: permit.ok(),
        }
    }
}

async fn connection(
    builder: &auto::Builder<TokioExecutor>,
    service: Arc<Service>,
    stream: TcpStream,
    client: SocketAddr,
    place: Arc<Place>,
    drain: Drain,
) {
    // Small pieces of a stream go out at once.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY cannot be set");
    }
    let connection = Arc::new(Connection::new(client, place));
    let serving = builder.serve_connection_with_upgrades(
        TokioIo::new(stream),
        hyper::service::service_fn(move |request| {
            let (service, connection) = (Arc::clone(&service), Arc::clone(&connection));
            async move { Ok::<_, std::convert::Infallible>(service.answer(&connection, request).await) }
        }),
    );
    let mut serving = std::pin::pin!(serving);
    let open = drain.hold();
    let result = tokio::select! {
        // What has arrived is looked at before the connection is told to end.
        biased;
        result = &mut serving => result,
        () = drain.begun() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    drop(open);
    if let Err(error) = result {
        tracing::debug!(%client, %error, "a connection ended early");
    }
}
