//! Which component serves a path, and the headers that every request of a route is sent with.

use crate::runtime::Component;
use anyhow::{Context as _, Result};
use anyturn_manifest::{Answer, RouteMatch, Router, StaticResponse};
use bytes::Bytes;
use http::{HeaderValue, Response};
use std::collections::HashMap;
use std::sync::Arc;

/// A route and who serves it.
pub(crate) struct Route {
    pub(crate) to: Destination,
    /// `spin-matched-route` and `spin-raw-component-route`.
    pub(crate) pattern: HeaderValue,
    /// `spin-component-route`: without the trailing wildcard.
    pub(crate) prefix: HeaderValue,
}

/// Who serves a route.
#[derive(Clone)]
pub(crate) enum Destination {
    Component(Arc<Component>),
    /// The host itself, always in the same way.
    Static(Arc<StaticResponse>),
}

impl Destination {
    /// The component that serves it, if one does.
    pub(crate) fn component(&self) -> Option<&Arc<Component>> {
        match self {
            Self::Component(component) => Some(component),
            Self::Static(_) => None,
        }
    }
}

/// A response that needs no component.
pub(crate) fn respond<B>(fixed: &StaticResponse, body: impl FnOnce(Bytes) -> B) -> Response<B> {
    let mut response = Response::new(body(Bytes::from(fixed.body.clone())));
    *response.status_mut() = fixed.status;
    *response.headers_mut() = fixed.headers.clone();
    response
}

/// All public routes.
pub(crate) struct Routes {
    router: Router,
    /// By their patterns as the manifest spells them.
    routes: HashMap<String, Route>,
}

/// A path's route, and what its wildcards stand for.
pub(crate) struct Routed<'a> {
    pub(crate) route: &'a Route,
    pub(crate) found: RouteMatch<'a>,
}

impl Routes {
    /// The routes of `router`, whose components are among `components`.
    pub(crate) fn new(router: Router, components: &HashMap<String, Arc<Component>>) -> Result<Self> {
        let mut routes = HashMap::new();
        for (pattern, answer) in router.routes() {
            let to = match answer {
                Answer::Component(id) => {
                    let component = components.get(id.as_str()).with_context(|| {
                        format!("the route {pattern} leads to the component {id}, which is not prepared")
                    })?;
                    Destination::Component(Arc::clone(component))
                }
                Answer::Static(fixed) => Destination::Static(Arc::new(fixed.clone())),
            };
            let text = pattern.as_str();
            let route = Route {
                to,
                pattern: HeaderValue::from_str(text)?,
                prefix: HeaderValue::from_str(text.strip_suffix("/...").unwrap_or(text))?,
            };
            routes.insert(text.to_owned(), route);
        }
        Ok(Self { router, routes })
    }

    /// The route of a path.
    pub(crate) fn find<'a>(&'a self, path: &'a str) -> Option<Routed<'a>> {
        let found = self.router.find(path)?;
        let route = self.routes.get(found.pattern().as_str())?;
        Some(Routed { route, found })
    }
}
