//! Logs: for people or as JSON, and the lines that components print.
//!
//! What a component writes to its standard output and error becomes log events, a line each, with the
//! component's name and the id of the request that its instance served when the line began. Requests are not logged
//! on the good path; metrics count them.

use crate::guest::Call;
use crate::telemetry::traces::Place;
use bytes::Bytes;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use tracing_subscriber::EnvFilter;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Begins to log to standard error. `RUST_LOG` chooses what; by default what the host itself says, from
/// `info` up.
pub(crate) fn start(format: Format) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,anyturn=info,guest=info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // A second subscriber can only be refused in tests, which share a process.
    let _ = match format {
        Format::Pretty => builder
            .with_target(false)
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
}

/// The longest line that is logged in one piece.
const LONGEST_LINE: usize = 8 * 1024;

/// The call that an instance serves, for what it prints. All clones name the same one.
#[derive(Clone)]
pub(crate) struct Serving(Arc<Mutex<Arc<Call>>>);

impl Serving {
    /// An instance that serves this call first.
    pub(crate) fn new(call: Arc<Call>) -> Self {
        Self(Arc::new(Mutex::new(call)))
    }

    /// From now on it serves this one.
    pub(crate) fn serve(&self, call: Arc<Call>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = call;
    }

    fn call(&self) -> Arc<Call> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One of a guest's output streams, as log events.
#[derive(Clone)]
pub(crate) struct Lines {
    component: Arc<str>,
    serving: Serving,
    stream: &'static str,
}

impl Lines {
    /// The stream `stream` of an instance of `component`.
    pub(crate) fn new(component: &str, serving: &Serving, stream: &'static str) -> Self {
        Self {
            component: component.into(),
            serving: serving.clone(),
            stream,
        }
    }

    fn writer(&self) -> Writer {
        Writer {
            lines: self.clone(),
            partial: Vec::new(),
            call: self.serving.call(),
        }
    }

    fn log(&self, call: &Call, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        if !line.is_empty() {
            let (trace_id, span_id) = Place::ids(call.watch.place());
            tracing::info!(
                target: "guest",
                component = &*self.component,
                request_id = %call.request_id,
                trace_id,
                span_id,
                stream = self.stream,
                "{line}"
            );
        }
    }
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.writer())
    }

    /// Writes at once: what goes through a task of its own is lost when the instance ends first.
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.writer())
    }
}

/// Splits what is written into lines. What a call leaves without a line's end is a line of that call.
struct Writer {
    lines: Lines,
    partial: Vec<u8>,
    /// The call in which the line began.
    call: Arc<Call>,
}

impl Writer {
    fn take(&mut self, bytes: &[u8]) {
        let call = self.lines.serving.call();
        if !Arc::ptr_eq(&call, &self.call) {
            self.end_line();
            self.call = call;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial.len() >= LONGEST_LINE {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        self.lines.log(&self.call, &self.partial);
        self.partial.clear();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end_line();
    }
}

impl AsyncWrite for Writer {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_line();
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {}
}

impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LONGEST_LINE)
    }
}
