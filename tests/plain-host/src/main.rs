//! Serves one component over HTTP on wasmtime, with WASI and nothing else: nothing of anyturn's, nothing of Spin's.
//!
//! It stands in for `wac plug` and `wasmtime serve`, as whose libraries it is made of, where tests cannot install them. An
//! import that is not WASI's makes it refuse to start, and say which.

mod guest;
mod network;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use clap::Parser;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::ProxyHandler;

use guest::Guest;

/// What to serve.
#[derive(Debug, Parser)]
#[command(about = "Serve one HTTP component, with WASI and nothing else")]
struct Options {
    /// The component.
    component: PathBuf,
    /// A component that provides what the ones before it import; one after the other, as `wac plug` does it.
    #[arg(long)]
    plug: Vec<PathBuf>,
    /// An environment variable of the component.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    env: Vec<(String, String)>,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let options = Options::parse();
    let component = composed(&options.component, &options.plug)?;
    let handler =
        ProxyHandler::new(Guest::new(&component, options.env).map_err(|error| anyhow!("{error:?}"))?);
    let listener = TcpListener::bind(options.listen).await?;
    println!("serving http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let handler = handler.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(&handler, request));
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                eprintln!("a connection broke: {error}");
            }
        });
    }
}

/// What the component answers; 500 where it fails.
async fn answer(
    handler: &ProxyHandler<Guest>,
    request: Request<Incoming>,
) -> Result<Response<WasiBody>, Infallible> {
    let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
    Ok(handler.handle((), request).await.unwrap_or_else(|error| {
        eprintln!("a request failed: {error:?}");
        let mut failure = Response::new(WasiBody::default());
        *failure.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        failure
    }))
}

/// The component with all that is plugged into it.
fn composed(component: &Path, plugs: &[PathBuf]) -> Result<Vec<u8>> {
    let read =
        |path: &Path| std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()));
    let mut whole = read(component)?;
    for plug in plugs {
        let mut graph = CompositionGraph::new();
        let socket = Package::from_bytes("plain-host:socket", None, whole, graph.types_mut())?;
        let plugged = Package::from_bytes("plain-host:plug", None, read(plug)?, graph.types_mut())?;
        let socket = graph.register_package(socket)?;
        let plugged = graph.register_package(plugged)?;
        wac_graph::plug(&mut graph, vec![plugged], socket)
            .with_context(|| format!("{} provides nothing that is wanted", plug.display()))?;
        whole = graph.encode(EncodeOptions::default())?;
    }
    Ok(whole)
}
