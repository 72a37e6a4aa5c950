//! What the host's own spans are called, and what they say.
//!
//! By OpenTelemetry's conventions for HTTP, databases, messaging and generative AI. Addresses that are called say no more
//! than the server, although the conventions want all of them: secrets stand in the paths of some servers, and
//! queries in front of none. Nothing of bodies, headers, keys of the store or arguments is told.

use super::spans::Value;
use super::traces::{Beginning, Place, Span};
use crate::server::routes::Routed;
use anyturn_check::Model;
use anyturn_store::AnyStore;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use opentelemetry::Key;
use opentelemetry::trace::SpanKind;
use std::borrow::Cow;
use std::time::{Duration, SystemTime};

/// A request from outside. `parent` is what its headers say.
pub(crate) fn request<B>(
    request: &Request<B>,
    routed: &Routed<'_>,
    component: &str,
    id: &HeaderValue,
    parent: Option<Place>,
) -> Beginning {
    let route = routed.route.pattern.to_str().unwrap_or_default();
    let mut attributes = served(request, component);
    attributes.push(("http.route".into(), text(route)));
    attributes.push(("anyturn.request.id".into(), text(id.to_str().unwrap_or_default())));
    beginning(
        format!("{} {route}", verb(request.method())),
        SpanKind::Server,
        parent,
        attributes,
    )
}

/// A call of a component by another one, in the one that is called.
pub(crate) fn call<B>(request: &Request<B>, component: &str, parent: Option<Place>) -> Beginning {
    beginning(
        format!("{} {component}", verb(request.method())),
        SpanKind::Server,
        parent,
        served(request, component),
    )
}

/// A request of a component to another server.
pub(crate) fn sent<B>(request: &Request<B>, component: &str, parent: Option<Place>) -> Beginning {
    let mut attributes = vec![
        ("http.request.method".into(), text(method(request.method()))),
        ("anyturn.component".into(), text(component)),
    ];
    address(request.uri(), &mut attributes);
    beginning(verb(request.method()), SpanKind::Client, parent, attributes)
}

/// A request that the host makes by itself, and made so long ago.
pub(crate) fn tick(component: &str, path: &str, ago: Duration) -> Beginning {
    let attributes = vec![
        ("anyturn.component".into(), text(component)),
        ("url.path".into(), text(path)),
    ];
    let tick = beginning(format!("tick {component}"), SpanKind::Internal, None, attributes);
    Beginning {
        since: SystemTime::now().checked_sub(ago),
        ..tick
    }
}

/// A message of a channel of Redis, which a component handles.
pub(crate) fn message(component: &str, channel: &str) -> Beginning {
    let attributes = vec![
        ("messaging.system".into(), text("redis")),
        ("messaging.operation.name".into(), text("process")),
        ("messaging.operation.type".into(), text("process")),
        ("messaging.destination.name".into(), text(channel)),
        ("anyturn.component".into(), text(component)),
    ];
    beginning(format!("process {channel}"), SpanKind::Consumer, None, attributes)
}

/// An operation of the store.
pub(crate) fn operation(store: Option<&AnyStore>, name: &'static str, parent: Option<Place>) -> Beginning {
    let system = match store {
        Some(AnyStore::Redis(_)) => "redis",
        Some(AnyStore::Embedded(_)) | None => "sqlite",
    };
    let attributes = vec![
        ("db.system.name".into(), text(system)),
        ("db.operation.name".into(), text(name)),
    ];
    beginning(name, SpanKind::Client, parent, attributes)
}

/// A command that a component gives to a Redis of its own.
pub(crate) fn command(name: &[u8], parent: Option<Place>) -> Beginning {
    // A component may say anything here; commands are short words.
    let sane = name.len() <= 32 && name.iter().all(u8::is_ascii_alphanumeric);
    let name = match std::str::from_utf8(name) {
        Ok(name) if sane && !name.is_empty() => name.to_ascii_uppercase(),
        _ => "other".to_owned(),
    };
    let attributes = vec![
        ("db.system.name".into(), text("redis")),
        ("db.operation.name".into(), text(&name)),
    ];
    beginning(name, SpanKind::Client, parent, attributes)
}

/// Says what an HTTP request was answered with; without a status there was no answer.
pub(crate) fn answered(span: &Span, status: Option<StatusCode>, client: bool) {
    let Some(status) = status else {
        return span.fail("no-answer");
    };
    span.set(|| {
        let status = Value::Whole(status.as_u16().into());
        ("http.response.status_code", status)
    });
    if status.is_server_error() || (client && status.is_client_error()) {
        span.fail(status.as_str());
    }
}

/// The name of a model's provider.
pub(crate) fn provider(model: &Model) -> &'static str {
    match model.provider {
        "azure" => "azure.ai.openai",
        "bedrock" => "aws.bedrock",
        "gemini" => "gcp.gemini",
        provider => provider,
    }
}

/// What is said of a request that a component serves. Its query is left out: it may hold what is nobody's business.
fn served<B>(request: &Request<B>, component: &str) -> Vec<(Key, Value)> {
    let mut attributes = vec![
        ("http.request.method".into(), text(method(request.method()))),
        ("url.path".into(), text(request.uri().path())),
        ("anyturn.component".into(), text(component)),
    ];
    address(request.uri(), &mut attributes);
    attributes
}

/// The scheme and the server of an address.
fn address(uri: &Uri, attributes: &mut Vec<(Key, Value)>) {
    let scheme = uri.scheme_str().unwrap_or("http");
    attributes.push(("url.scheme".into(), text(scheme)));
    if let Some(host) = uri.host() {
        attributes.push(("server.address".into(), text(host)));
        let port = uri.port_u16().unwrap_or(match scheme {
            "https" => 443,
            _ => 80,
        });
        attributes.push(("server.port".into(), Value::Whole(port.into())));
    }
}

/// What stands for a method in the name of a span.
fn verb(known: &Method) -> &'static str {
    match method(known) {
        "_OTHER" => "HTTP",
        known => known,
    }
}

/// A method of the standards; others are anybody's invention, of which there may be any number.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::CONNECT => "CONNECT",
        Method::DELETE => "DELETE",
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn beginning(
    name: impl Into<Cow<'static, str>>,
    kind: SpanKind,
    parent: Option<Place>,
    attributes: Vec<(Key, Value)>,
) -> Beginning {
    Beginning {
        name: name.into(),
        kind,
        parent,
        attributes,
        since: None,
    }
}
