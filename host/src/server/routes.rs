//! Which component serves a path, by Spin's rules: exact segments before parameters before wildcards, and
//! of several wildcards the longest. Components with private routes only are not in here.

use crate::runtime::Component;
use http::HeaderValue;
use std::sync::Arc;

/// A route and who serves it, with the headers that are the same for all of its requests.
pub(crate) struct Route {
    /// As the manifest has it.
    pub(crate) pattern: String,
    pub(crate) component: Arc<Component>,
    /// `spin-matched-route` and `spin-raw-component-route`.
    pub(crate) raw: HeaderValue,
    /// `spin-component-route`: without the trailing wildcard.
    pub(crate) prefix: HeaderValue,
}

impl Route {
    /// A route, whose pattern may end in `/...`.
    pub(crate) fn new(pattern: &str, component: Arc<Component>) -> anyhow::Result<Self> {
        let prefix = pattern.strip_suffix("/...").unwrap_or(pattern);
        Ok(Self {
            pattern: pattern.to_owned(),
            component,
            raw: HeaderValue::from_str(pattern)?,
            prefix: HeaderValue::from_str(prefix)?,
        })
    }
}

/// All public routes.
pub(crate) struct Routes(routefinder::Router<Route>);

/// A path's route, and what its wildcards stand for.
pub(crate) struct Routed<'router, 'path> {
    pub(crate) route: &'router Route,
    captures: routefinder::Captures<'router, 'path>,
    path: &'path str,
}

impl Routes {
    /// Takes the routes in the order of the manifest; the later of two equal ones holds, as in Spin.
    pub(crate) fn new(routes: impl IntoIterator<Item = Route>) -> anyhow::Result<Self> {
        let mut router = routefinder::Router::new();
        for route in routes {
            let spec = match route.pattern.strip_suffix("/...") {
                Some(prefix) => format!("{prefix}/*"),
                None => route.pattern.clone(),
            };
            let pattern = route.pattern.clone();
            router.add(spec, route).map_err(|error| anyhow::anyhow!("the route {pattern:?}: {error}"))?;
        }
        Ok(Self(router))
    }

    /// The route of a path.
    pub(crate) fn find<'router, 'path>(&'router self, path: &'path str) -> Option<Routed<'router, 'path>> {
        let found = self.0.best_match(path)?;
        Some(Routed { route: found.handler(), captures: found.captures(), path })
    }

    /// Every route.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Route> {
        self.0.iter().map(|(_, route)| route)
    }
}

impl Routed<'_, '_> {
    /// What the trailing wildcard stands for, with its leading slash; empty without one.
    pub(crate) fn path_info(&self) -> String {
        let Some(rest) = self.captures.wildcard() else { return String::new() };
        let slash = if self.path.ends_with('/') { "/" } else { "" };
        if rest.is_empty() { slash.to_owned() } else { format!("/{rest}{slash}") }
    }

    /// What the named parameters stand for.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.captures.iter()
    }
}
