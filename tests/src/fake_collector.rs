//! A fake of an OpenTelemetry collector: OTLP over HTTP, as published (opentelemetry.io, "OTLP Specification").
//!
//! It takes protobuf at `/v1/traces` and `/v1/metrics` and nothing else, compressed or not, decodes it by OpenTelemetry's
//! own definitions, and refuses what a collector would refuse: bodies that are no export request, spans without ids,
//! [series](metrics) that contradict themselves. It keeps what it took, as it came and decoded. A test may have it hang or
//! refuse.

pub mod metrics;

use metrics::Series;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue as Any, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as Outcome;
use prost::Message as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::http1;
use crate::process::PATIENCE;

/// Larger requests are refused.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// A running collector; dropping it stops it.
#[derive(Debug)]
pub struct FakeCollector {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// What the collector does with what comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// Takes it.
    #[default]
    Takes,
    /// Answers 400, which is not to be repeated.
    Refuses,
    /// Answers 503, which is to be repeated.
    IsBusy,
    /// Never answers.
    Hangs,
}

/// A span, as it was exported.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Of the trace, in hexadecimal.
    pub trace: String,
    /// Its own, in hexadecimal.
    pub id: String,
    /// Of the span that it is a part of; empty for none.
    pub parent: String,
    /// What it is called.
    pub name: String,
    /// `Server`, `Client`, …
    pub kind: SpanKind,
    /// What is known of it.
    pub attributes: BTreeMap<String, Value>,
    /// The spans, by trace and id, that it goes on with.
    pub links: Vec<(String, String)>,
    /// Whether it failed.
    pub failed: bool,
    /// From when to when, in nanoseconds since the Unix epoch.
    pub time: (u64, u64),
    /// Who made it.
    pub resource: BTreeMap<String, Value>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Counts the changes of `state`.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    mood: Mood,
    requests: usize,
    headers: Vec<HeaderMap>,
    bodies: Vec<Bytes>,
    spans: Vec<Span>,
    /// Of each export of metrics.
    metrics: Vec<Vec<Series>>,
    wrong: Vec<String>,
}

/// What an export request holds.
enum Exported {
    Spans(Vec<Span>),
    Metrics(Vec<Series>),
}

impl FakeCollector {
    /// Starts a collector on a free port of the loopback interface, in the present Tokio runtime.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap_or_else(|error| panic!("a port for the collector: {error}"));
        let address = listener
            .local_addr()
            .unwrap_or_else(|error| panic!("the collector's address: {error}"));
        let shared = Arc::<Shared>::default();
        let server = tokio::spawn(http1::serve(listener, {
            let shared = Arc::clone(&shared);
            move |request| answer(request, Arc::clone(&shared))
        }));
        Self {
            address,
            shared,
            server,
        }
    }

    /// What to set `OTEL_EXPORTER_OTLP_ENDPOINT` to.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it does from now on.
    pub fn be(&self, mood: Mood) {
        self.shared.lock().mood = mood;
    }

    /// The headers of the requests that it took.
    pub fn headers(&self) -> Vec<HeaderMap> {
        self.shared.lock().headers.clone()
    }

    /// The bodies of the requests that it took.
    pub fn bodies(&self) -> Vec<Bytes> {
        self.shared.lock().bodies.clone()
    }

    /// What came that no exporter may send.
    pub fn wrong(&self) -> Vec<String> {
        self.shared.lock().wrong.clone()
    }

    /// How many requests have come, whatever became of them.
    pub fn requests(&self) -> usize {
        self.shared.lock().requests
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Span> {
        self.shared.lock().spans.clone()
    }

    /// The series of each export of metrics so far.
    pub fn metrics(&self) -> Vec<Vec<Series>> {
        self.shared.lock().metrics.clone()
    }

    /// Waits until something is the case with the collector.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let mut changes = self.shared.changes.subscribe();
        let waiting = async {
            while !is_so(self) {
                // The sender lives as long as `self`.
                let _ = changes.changed().await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!("{what} within {PATIENCE:?}: {:#?}", self.shared.lock().spans);
        }
    }

    /// Waits for a span and returns it.
    pub async fn span(&self, what: &str, wanted: impl Fn(&Span) -> bool) -> Span {
        let found = || self.spans().into_iter().find(&wanted);
        self.until(what, |_| found().is_some()).await;
        found().unwrap_or_else(|| panic!("{what}"))
    }
}

impl Drop for FakeCollector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Span {
    /// An attribute; null if there is none.
    pub fn attribute(&self, name: &str) -> &Value {
        self.attributes.get(name).unwrap_or(&Value::Null)
    }

    /// Whether it is a part of another one.
    pub fn is_part_of(&self, other: &Span) -> bool {
        (&self.trace, &self.parent) == (&other.trace, &other.id)
    }

    /// Whether it is a part of another one and lies within its time.
    pub fn lies_within(&self, other: &Span) -> bool {
        self.is_part_of(other) && self.time.0 >= other.time.0 && self.time.1 <= other.time.1
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changes.send_modify(|changes| *changes += 1);
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, http::Error> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await;
    let mood = shared.lock().mood;
    shared.change(|state| state.requests += 1);
    match mood {
        Mood::Takes => {}
        Mood::Refuses => return respond(StatusCode::BAD_REQUEST, Bytes::new()),
        Mood::IsBusy => return respond(StatusCode::SERVICE_UNAVAILABLE, Bytes::new()),
        Mood::Hangs => std::future::pending().await,
    }
    let body = body.map(http_body_util::Collected::to_bytes);
    let read = body
        .map_err(|error| error.to_string())
        .and_then(|body| plain(&head, body))
        .and_then(|body| Ok((exported(&head, &body)?, body)));
    match read {
        Ok((exported, body)) => {
            shared.change(|state| {
                state.headers.push(head.headers);
                state.bodies.push(body);
                match exported {
                    Exported::Spans(spans) => state.spans.extend(spans),
                    Exported::Metrics(series) => state.metrics.push(series),
                }
            });
            // The answer to either is empty where all is well.
            let answer = ExportTraceServiceResponse::default().encode_to_vec();
            respond(StatusCode::OK, answer.into())
        }
        Err(wrong) => {
            shared.change(|state| state.wrong.push(wrong.clone()));
            respond(StatusCode::BAD_REQUEST, wrong.into())
        }
    }
}

fn respond(status: StatusCode, body: Bytes) -> Result<Response<Full<Bytes>>, http::Error> {
    Response::builder()
        .status(status)
        .header("content-type", "application/x-protobuf")
        .body(Full::new(body))
}

/// A body as it was before it was compressed, if it was.
fn plain(head: &http::request::Parts, body: Bytes) -> Result<Bytes, String> {
    match head.headers.get("content-encoding") {
        None => Ok(body),
        Some(gzip) if gzip == "gzip" => {
            let mut plain = Vec::new();
            GzDecoder::new(&*body)
                .read_to_end(&mut plain)
                .map_err(|error| format!("a body that is not compressed: {error}"))?;
            Ok(plain.into())
        }
        Some(other) => Err(format!("{other:?} is no compression that is known")),
    }
}

/// What is in an export request, or what is wrong with it.
fn exported(head: &http::request::Parts, body: &[u8]) -> Result<Exported, String> {
    let media_type = head.headers.get("content-type");
    if media_type.is_none_or(|name| name != "application/x-protobuf") {
        return Err(format!("{media_type:?} is no protobuf"));
    }
    match (&head.method, head.uri.path()) {
        (&Method::POST, "/v1/traces") => spans(body).map(Exported::Spans),
        (&Method::POST, "/v1/metrics") => metrics::series(body).map(Exported::Metrics),
        (method, path) => Err(format!("{method} {path} is not served")),
    }
}

fn spans(body: &[u8]) -> Result<Vec<Span>, String> {
    let request = ExportTraceServiceRequest::decode(body).map_err(|error| error.to_string())?;
    let mut spans = Vec::new();
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.ok_or("spans without a resource")?.attributes;
        let resource = attributes(resource)?;
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            if span.trace_id.len() != 16 || span.span_id.len() != 8 || span.name.is_empty() {
                return Err(format!("a span without a name or an id: {span:?}"));
            }
            if span.end_time_unix_nano < span.start_time_unix_nano {
                return Err(format!("a span that ends before it begins: {span:?}"));
            }
            spans.push(Span {
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                kind: span.kind(),
                attributes: attributes(span.attributes)?,
                links: span
                    .links
                    .iter()
                    .map(|link| (hex(&link.trace_id), hex(&link.span_id)))
                    .collect(),
                failed: span.status.is_some_and(|status| status.code() == Outcome::Error),
                time: (span.start_time_unix_nano, span.end_time_unix_nano),
                name: span.name,
                resource: resource.clone(),
            });
        }
    }
    Ok(spans)
}

/// Attributes by name; each may be said only once.
fn attributes(list: Vec<KeyValue>) -> Result<BTreeMap<String, Value>, String> {
    let mut attributes = BTreeMap::new();
    for KeyValue { key, value, .. } in list {
        let value = value.map_or(Value::Null, json);
        if attributes.insert(key.clone(), value).is_some() {
            return Err(format!("the attribute {key} is there twice"));
        }
    }
    Ok(attributes)
}

fn json(value: Any) -> Value {
    match value.value {
        Some(AnyValue::StringValue(text)) => text.into(),
        Some(AnyValue::BoolValue(truth)) => truth.into(),
        Some(AnyValue::IntValue(number)) => number.into(),
        Some(AnyValue::DoubleValue(number)) => number.into(),
        Some(AnyValue::ArrayValue(list)) => list.values.into_iter().map(json).collect(),
        other => panic!("no attribute of the host's has such a value: {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
