//! `[[trigger.http]]`: who answers which requests.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::reader::Node;
use crate::router::{RESERVED_PREFIX, RoutePattern};
use crate::trigger::{Route, StaticResponse};

use super::{Draft, target};

/// What is particular to an HTTP trigger.
pub(super) struct Http<'a> {
    pub(super) route: Option<(Node<'a>, Route)>,
    pub(super) fixed: Option<StaticResponse>,
    pub(super) middleware: Option<Node<'a>>,
}

pub(super) fn one<'a>(node: &Node<'a>) -> Option<Draft<'a, Http<'a>>> {
    let mut table = node.table()?;
    let id = super::id(&mut table);
    let component = table.take("component");
    let route = table.require("route", "route = \"/...\" or route = { private = true }");
    let route = route.and_then(|node| Some((node.clone(), self::route(&node)?)));
    let fixed = table.take("static_response");
    match (&component, &fixed) {
        (None, None) => table.error(
            "nothing answers this route",
            "add component = \"id\" or static_response = { status_code = 404 }",
        ),
        (Some(_), Some(node)) => node.error(
            "there is a component too, and only one of them can answer",
            "remove `component` or `static_response`",
        ),
        _ => {}
    }
    let middleware = table.take("dependencies").and_then(|node| {
        let mut table = node.table()?;
        let middleware = table.take("middleware").filter(|node| !node.is_empty());
        table.finish();
        middleware
    });
    if let (Some(node), None) = (&middleware, &component) {
        node.error(
            "middleware needs a component that it stands before",
            "remove it, or let a component answer",
        );
    }
    super::refuse_more_components(&mut table);
    if let Some(node) = table.take("executor") {
        executor(&node);
    }
    table.finish();
    Some(Draft {
        node: node.clone(),
        id,
        component: component.and_then(target),
        kind: Http {
            route,
            fixed: fixed.and_then(|node| static_response(&node)),
            middleware,
        },
    })
}

fn route(node: &Node<'_>) -> Option<Route> {
    if let Some(text) = node.as_str() {
        return match text.parse::<RoutePattern>() {
            Ok(pattern) => {
                if pattern.is_reserved() {
                    node.warning(
                        format!("Spin answers below {RESERVED_PREFIX} itself"),
                        "choose another path",
                    );
                }
                Some(Route::Public(pattern))
            }
            Err(error) => {
                node.error(
                    format!("`{text}`: {error}"),
                    "write \"/path\", \"/path/:parameter\" or \"/path/...\"",
                );
                None
            }
        };
    }
    if !node.is_table() {
        node.error(
            format!("is of type {}", node.type_name()),
            "write a path such as \"/...\", or { private = true }",
        );
        return None;
    }
    let mut table = node.table()?;
    let private = table
        .require("private", "private = true")
        .and_then(|node| node.boolean());
    table.finish();
    if private == Some(false) {
        node.error(
            "must be a path or { private = true }",
            "write route = \"/...\" to make it public",
        );
    }
    (private == Some(true)).then_some(Route::Private)
}

/// An answer that needs no component. What could not be sent is told here; Spin would find out with the first request.
fn static_response(node: &Node<'_>) -> Option<StaticResponse> {
    let mut table = node.table()?;
    let status = match table.take("status_code") {
        None => Some(StatusCode::OK),
        Some(node) => {
            let status = node.as_integer().and_then(|code| u16::try_from(code).ok());
            let status = status.and_then(|code| StatusCode::from_u16(code).ok());
            if status.is_none() {
                node.error(
                    "is no status of HTTP",
                    "write a number from 100 to 999, such as 404",
                );
            }
            status
        }
    };
    let headers = table
        .take("headers")
        .map(|node| headers(&node))
        .unwrap_or_default();
    let body = table
        .take("body")
        .and_then(|node| node.string())
        .unwrap_or_default();
    table.finish();
    Some(StaticResponse {
        status: status?,
        headers,
        body: body.to_owned(),
    })
}

fn headers(node: &Node<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, node) in node.entries().unwrap_or_default() {
        let Some(value) = node.string() else { continue };
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => drop(headers.append(name, value)),
            (Err(_), _) => node.error(
                "is no name of a header",
                "names are made of letters, digits and hyphens",
            ),
            (_, Err(_)) => node.error(
                "cannot be sent as the value of a header",
                "write visible ASCII characters, on one line",
            ),
        }
    }
    headers
}

/// Who speaks HTTP with the component: only the component itself, through `wasi:http`.
fn executor(node: &Node<'_>) {
    let Some(mut table) = node.table() else { return };
    let Some(kind) = table.require("type", "type = \"http\"") else {
        return;
    };
    match kind.string() {
        Some("http" | "spin") => table.finish(),
        Some("wagi") => {
            kind.error(
                "the wagi executor is not supported by this host",
                "export wasi:http/handler and remove `executor`",
            );
        }
        Some(other) => kind.error(format!("there is no executor `{other}`"), "remove `executor`"),
        None => {}
    }
}

/// Of two equal routes only one is ever used. Spin goes on with the later one and says so; so do we.
pub(super) fn warn_of_duplicates(triggers: &[Draft<'_, Http<'_>>]) {
    let public = |draft: &Draft<'_, Http<'_>>| match &draft.kind.route {
        Some((_, Route::Public(pattern))) => Some(pattern.clone()),
        _ => None,
    };
    for (index, trigger) in triggers.iter().enumerate() {
        let (Some((node, _)), Some(pattern)) = (&trigger.kind.route, public(trigger)) else {
            continue;
        };
        let same =
            |other: &&Draft<'_, Http<'_>>| public(other).is_some_and(|other| other.is_same_as(&pattern));
        if let Some(other) = triggers.iter().take(index).find(same) {
            let other = other.node.key();
            node.warning(
                format!("`{pattern}` is also the route of {other}, and only one of them is used"),
                "remove one of the two",
            );
        }
    }
}
