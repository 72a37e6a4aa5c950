//! The least that any HTTP server on this machine costs: hyper answering "hello" without any component. The
//! trivial route is compared with it, in the same run.

use anyhow::Result;
use anyturn_tests::process::{Process, free_port};
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

const PORT: &str = "ANYTURN_BENCH_BASELINE_PORT";

/// Whether this process is the baseline and not the benchmark.
pub fn is_wanted() -> bool {
    std::env::var_os(PORT).is_some()
}

/// Serves until killed.
pub fn serve() -> Result<()> {
    let port: u16 = std::env::var(PORT)?.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let hello = service_fn(|_| async {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), hello),
            );
        }
    })
}

/// Starts one in a process of its own and returns its port.
pub async fn start() -> Result<(Process, u16)> {
    let port = free_port();
    let child = Command::new(std::env::current_exe()?)
        .env(PORT, port.to_string())
        .stdin(Stdio::null())
        .spawn()?;
    let process = Process(child);
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok((process, port))
}
