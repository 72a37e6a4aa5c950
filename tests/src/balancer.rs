//! A small load balancer, as an operator puts one in front of several hosts.
//!
//! It asks each host for `/ready` all the time and sends requests in turn to those that said yes last. It
//! keeps connections to the hosts, streams bodies, and repeats nothing: what goes wrong at a host is seen by
//! the client. So whatever a host does to a request that was sent to it shows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How often hosts are asked.
const INTERVAL: Duration = Duration::from_millis(20);

type Body = BoxBody<Bytes, hyper::Error>;

/// A running balancer; dropping it stops it.
#[derive(Debug)]
pub struct Balancer {
    address: SocketAddr,
    hosts: Arc<[Backend]>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Backend {
    port: u16,
    ready: AtomicBool,
    /// Requests that it got.
    sent: AtomicUsize,
    /// How often it said no on a connection of its own, instead of not answering at all.
    declined: AtomicUsize,
}

impl Balancer {
    /// Starts one on a free port, for hosts on these ports.
    pub async fn before(ports: &[u16]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap_or_else(|error| panic!("a port for the balancer: {error}"));
        let address = listener
            .local_addr()
            .unwrap_or_else(|error| panic!("the balancer's address: {error}"));
        let hosts: Arc<[Backend]> = ports
            .iter()
            .map(|port| Backend {
                port: *port,
                ready: AtomicBool::new(false),
                sent: AtomicUsize::new(0),
                declined: AtomicUsize::new(0),
            })
            .collect();
        let mut tasks: Vec<_> = (0..hosts.len())
            .map(|index| tokio::spawn(probe(Arc::clone(&hosts), index)))
            .collect();
        tasks.push(tokio::spawn(serve(listener, Arc::clone(&hosts))));
        Self {
            address,
            hosts,
            tasks,
        }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until the host on `port` is ready, or is not, as far as this knows.
    pub async fn until(&self, port: u16, ready: bool) {
        while self.host(port).ready.load(Ordering::SeqCst) != ready {
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// How many requests the host on `port` got.
    pub fn sent(&self, port: u16) -> usize {
        self.host(port).sent.load(Ordering::SeqCst)
    }

    /// How often the host on `port` has said that it is not ready, each time on a new connection.
    pub fn declined(&self, port: u16) -> usize {
        self.host(port).declined.load(Ordering::SeqCst)
    }

    fn host(&self, port: u16) -> &Backend {
        self.hosts
            .iter()
            .find(|host| host.port == port)
            .unwrap_or_else(|| panic!("there is a host on port {port}"))
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Asks a host all the time, each time on a new connection.
async fn probe(hosts: Arc<[Backend]>, index: usize) {
    let host = &hosts[index];
    let client = client(0);
    let address: Uri = format!("http://127.0.0.1:{}/ready", host.port)
        .parse()
        .unwrap_or_else(|error| panic!("an address: {error}"));
    loop {
        let mut request = Request::new(Empty::new().map_err(|never| match never {}).boxed());
        *request.uri_mut() = address.clone();
        let answer = client.request(request).await.map(|answer| answer.status());
        if let Ok(StatusCode::SERVICE_UNAVAILABLE) = answer {
            host.declined.fetch_add(1, Ordering::SeqCst);
        }
        host.ready
            .store(matches!(answer, Ok(StatusCode::OK)), Ordering::SeqCst);
        tokio::time::sleep(INTERVAL).await;
    }
}

/// A client that keeps up to `idle` connections to a host, and repeats nothing.
fn client(idle: usize) -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(idle)
        .pool_timer(TokioTimer::new())
        .retry_canceled_requests(false)
        .build_http()
}

async fn serve(listener: TcpListener, hosts: Arc<[Backend]>) {
    let client = client(64);
    let next = Arc::new(AtomicUsize::new(0));
    while let Ok((stream, _)) = listener.accept().await {
        let (client, hosts, next) = (client.clone(), Arc::clone(&hosts), Arc::clone(&next));
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                let (client, hosts, next) = (client.clone(), Arc::clone(&hosts), Arc::clone(&next));
                async move { Ok::<_, std::convert::Infallible>(pass(&client, &hosts, &next, request).await) }
            });
            // A client that leaves is its own affair.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn pass(
    client: &Client<HttpConnector, Body>,
    hosts: &[Backend],
    next: &AtomicUsize,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let turn = next.fetch_add(1, Ordering::Relaxed);
    let ready: Vec<_> = hosts
        .iter()
        .filter(|host| host.ready.load(Ordering::SeqCst))
        .collect();
    let Some(host) = ready.get(turn % ready.len().max(1)) else {
        return failed(StatusCode::SERVICE_UNAVAILABLE, "no host is ready".to_owned());
    };
    host.sent.fetch_add(1, Ordering::SeqCst);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let address = format!("http://127.0.0.1:{}{path}", host.port);
    match address.parse() {
        Ok(address) => *request.uri_mut() = address,
        Err(error) => return failed(StatusCode::BAD_REQUEST, format!("{address}: {error}")),
    }
    request.headers_mut().remove(header::CONNECTION);
    match client.request(request.map(|body| body.boxed())).await {
        Ok(mut response) => {
            // What the host says about its connection is not about the client's.
            response.headers_mut().remove(header::CONNECTION);
            response.map(|body| body.boxed())
        }
        Err(error) => failed(StatusCode::BAD_GATEWAY, format!("port {}: {error:?}", host.port)),
    }
}

fn failed(status: StatusCode, why: String) -> Response<Body> {
    let mut response = Response::new(Full::from(why).map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response
}
