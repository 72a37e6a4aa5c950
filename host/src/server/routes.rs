//! Which component serves a path, and the headers that every request of a route is sent with.

use crate::runtime::Component;
use anyhow::{Context as _, Result};
use anyturn_manifest::{RouteMatch, Router};
use http::HeaderValue;
use std::collections::HashMap;
use std::sync::Arc;

/// A route and who serves it.
pub(crate) struct Route {
    pub(crate) component: Arc<Component>,
    /// `spin-matched-route` and `spin-raw-component-route`.
    pub(crate) pattern: HeaderValue,
    /// `spin-component-route`: without the trailing wildcard.
    pub(crate) prefix: HeaderValue,
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
        for (pattern, id) in router.routes() {
            let component = components.get(id.as_str()).with_context(|| {
                format!("the route {pattern} leads to the component {id}, which is not prepared")
            })?;
            let text = pattern.as_str();
            let route = Route {
                component: Arc::clone(component),
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
