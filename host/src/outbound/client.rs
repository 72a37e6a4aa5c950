//! The network client: pooled connections, HTTP/2 where the server speaks it, bodies streamed both ways.

use super::errors;
use crate::telemetry::traces::Span;
use bytes::Bytes;
use futures::StreamExt as _;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

/// The time-outs of a request that names none, as Spin has them.
const CONNECT: Duration = Duration::from_secs(60);
const FIRST_BYTE: Duration = Duration::from_secs(600);
const BETWEEN_BYTES: Duration = Duration::from_secs(600);

/// Sends requests. The pool behind it is made with the first one: certificates take a while to read, and an
/// application that calls nobody need not wait for them.
#[derive(Default)]
pub(crate) struct Client {
    pool: OnceLock<Result<reqwest::Client, String>>,
}

impl Client {
    /// Sends a request and returns the head of its response; the body flows as it is read, and dropping it
    /// closes the connection (HTTP/1.1) or resets the stream (HTTP/2). `span` lasts as long as that.
    pub(crate) async fn send(
        &self,
        request: http::Request<WasiBody>,
        options: RequestOptions,
        span: Span,
    ) -> Result<http::Response<WasiBody>, Error> {
        let pool = match self.pool.get_or_init(pool) {
            Ok(pool) => pool,
            Err(error) => return Err(Error::InternalError(Some(error.clone()))),
        };
        let wait = options
            .connect_timeout
            .unwrap_or(CONNECT)
            .saturating_add(options.first_byte_timeout.unwrap_or(FIRST_BYTE));
        let between_bytes = options.between_bytes_timeout.unwrap_or(BETWEEN_BYTES);
        let sending = async {
            let request = outgoing(request).await?;
            pool.execute(request).await.map_err(|error| errors::of(&error))
        };
        let response = tokio::time::timeout(wait, sending)
            .await
            .map_err(|_| Error::ConnectionReadTimeout)??;
        let response: http::Response<reqwest::Body> = response.into();
        Ok(response.map(|body| {
            Incoming {
                body,
                between_bytes,
                timer: None,
                _span: span,
            }
            .boxed_unsync()
        }))
    }
}

/// Makes the pool; also for what the host itself sends.
pub(crate) fn pool() -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls()?)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .tcp_nodelay(true)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(Duration::from_secs(90))
        .build()
        .map_err(|error| format!("the network client cannot be made: {error}"))
}

/// TLS by the certificates of the machine, or, where it has none (an image without a certificate store), by
/// those of Mozilla.
fn tls() -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Turns a guest's request into the client's.
///
/// A guest's body does not say beforehand that it is empty. For methods that have none as a rule its first
/// piece is awaited, so that a plain GET goes out without `transfer-encoding: chunked`.
async fn outgoing(request: http::Request<WasiBody>) -> Result<reqwest::Request, Error> {
    let (mut parts, mut body) = request.into_parts();
    parts.headers.remove(http::header::HOST);
    let bodyless = matches!(
        parts.method,
        http::Method::GET | http::Method::HEAD | http::Method::OPTIONS
    ) && !parts.headers.contains_key(http::header::CONTENT_LENGTH);
    let body = if body.is_end_stream() || body.size_hint().exact() == Some(0) {
        None
    } else if bodyless {
        body.frame().await.map(|first| stream(Some(first), body))
    } else {
        Some(stream(None, body))
    };
    let request = http::Request::from_parts(parts, body.unwrap_or_default());
    reqwest::Request::try_from(request).map_err(|_| Error::HttpRequestUriInvalid)
}

fn stream(first: Option<Result<Frame<Bytes>, Error>>, body: WasiBody) -> reqwest::Body {
    let rest = http_body_util::BodyStream::new(body);
    let frames = futures::stream::iter(first).chain(rest);
    let data =
        frames.filter_map(|frame| std::future::ready(frame.map(|frame| frame.into_data().ok()).transpose()));
    reqwest::Body::wrap_stream(
        data.map(|data| data.map_err(|error| std::io::Error::other(error.to_string()))),
    )
}

/// A response's body, with a time-out between its pieces.
struct Incoming {
    body: reqwest::Body,
    between_bytes: Duration,
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
    _span: Span,
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.timer = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| errors::of(&error))));
        }
        let between_bytes = self.between_bytes;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(between_bytes)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(Error::ConnectionReadTimeout))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
