//! Which component answers a path.
//!
//! The rules are Spin's, kept by the matcher that Spin uses. A pattern is a path whose segments may be `:name`
//! (matches one segment, and captures it); it may end in `/...` (matches the rest, also an empty one). From the left,
//! a literal segment beats `:name`, and that beats `/...`; so the order in the manifest does not matter. A trailing
//! slash does not distinguish two paths.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::names::ComponentId;
use crate::trigger::Answer;

/// Spin answers below this prefix itself, so an application should not.
pub const RESERVED_PREFIX: &str = "/.well-known/spin/";

/// The pattern of a route, such as `/v1/sessions/:id` or `/api/...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutePattern {
    written: String,
    based: String,
}

/// Why a text is no route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRoute {
    /// The wildcard is not at the end.
    #[error("a wildcard may only be the last segment")]
    WildcardWithin,
    /// A wildcard or parameter is spelled in a way that is none.
    #[error("{0}")]
    Segment(String),
    /// One parameter occurs twice.
    #[error("the parameter `:{0}` occurs twice")]
    RepeatedParameter(String),
}

impl FromStr for RoutePattern {
    type Err = InvalidRoute;

    fn from_str(text: &str) -> Result<Self, InvalidRoute> {
        let absolute = if text.starts_with('/') {
            text.to_owned()
        } else {
            format!("/{text}")
        };
        let based = absolute.strip_suffix('/').unwrap_or(&absolute).to_owned();
        let fixed = based
            .strip_suffix("/...")
            .or_else(|| based.strip_suffix("/*"))
            .unwrap_or(&based);
        let mut parameters = Vec::new();
        for segment in fixed.split('/') {
            if matches!(segment, "..." | "*") {
                return Err(InvalidRoute::WildcardWithin);
            }
            if let Some(parameter) = segment.strip_prefix(':') {
                let parameter = parameter.split('.').next().unwrap_or(parameter);
                if parameters.contains(&parameter) {
                    return Err(InvalidRoute::RepeatedParameter(parameter.to_owned()));
                }
                parameters.push(parameter);
            }
        }
        let pattern = Self {
            written: text.to_owned(),
            based,
        };
        pattern.spec().map_err(InvalidRoute::Segment)?;
        Ok(pattern)
    }
}

impl RoutePattern {
    /// The pattern as the manifest spells it.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Whether it ends in a wildcard.
    pub fn is_wildcard(&self) -> bool {
        self.based.ends_with("/...") || self.based.ends_with("/*")
    }

    /// Whether it lies below [`RESERVED_PREFIX`].
    pub fn is_reserved(&self) -> bool {
        self.based.starts_with(RESERVED_PREFIX)
    }

    /// Whether two patterns match the same paths, though they may be spelled differently (`/a` and `/a/`).
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }

    fn canonical(&self) -> String {
        let star = self
            .based
            .strip_suffix("/...")
            .map_or(Cow::Borrowed(self.based.as_str()), |s| format!("{s}/*").into());
        star.split('/')
            .filter(|s| !s.is_empty())
            .collect::<Vec<_>>()
            .join("/")
    }

    fn spec(&self) -> Result<routefinder::RouteSpec, String> {
        match self.based.strip_suffix("/...") {
            Some(prefix) => format!("{prefix}/*").parse(),
            None => self.based.parse(),
        }
    }
}

impl fmt::Display for RoutePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Finds who answers a path. Cheap to clone.
///
/// ```
/// use anyturn_manifest::{Answer, Router};
///
/// let (chat, web) = (Answer::Component("chat".parse()?), Answer::Component("web".parse()?));
/// let router = Router::new([("/v1/sessions/:id".parse()?, chat), ("/...".parse()?, web)]);
/// let found = router.find("/v1/sessions/ses_1").ok_or("no route")?;
/// assert_eq!(found.component().ok_or("no component")?.as_str(), "chat");
/// assert_eq!(found.parameters().collect::<Vec<_>>(), [("id", "ses_1")]);
/// assert_eq!(router.find("/style.css").ok_or("no route")?.path_info(), "/style.css");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Router(Arc<routefinder::Router<Target>>);

#[derive(Debug)]
struct Target {
    answer: Answer,
    pattern: RoutePattern,
}

impl Router {
    /// A router for these routes. Of two routes with the same spelling the later one counts, as in Spin.
    pub fn new(routes: impl IntoIterator<Item = (RoutePattern, Answer)>) -> Self {
        let mut targets: Vec<Target> = Vec::new();
        for (pattern, answer) in routes {
            let target = Target { answer, pattern };
            match targets
                .iter_mut()
                .find(|known| known.pattern.written == target.pattern.written)
            {
                Some(replaced) => *replaced = target,
                None => targets.push(target),
            }
        }
        let mut router = routefinder::Router::new();
        for target in targets {
            // A pattern is only built when it has a spec, so no route is dropped here.
            if let Ok(spec) = target.pattern.spec() {
                let added: Result<(), std::convert::Infallible> = router.add(spec, target);
                let Ok(()) = added;
            }
        }
        Self(Arc::new(router))
    }

    /// The route that matches `path` (without a query), or none: then the answer is 404.
    pub fn find<'m>(&'m self, path: &'m str) -> Option<RouteMatch<'m>> {
        let best = self.0.best_match(path)?;
        Some(RouteMatch {
            target: best.handler(),
            captures: best.captures(),
            path,
        })
    }

    /// All routes and who answers them, the most specific first.
    pub fn routes(&self) -> impl Iterator<Item = (&RoutePattern, &Answer)> {
        self.0.iter().map(|(_, target)| (&target.pattern, &target.answer))
    }
}

/// A route that matches a path.
#[derive(Debug)]
pub struct RouteMatch<'m> {
    target: &'m Target,
    captures: routefinder::Captures<'m, 'm>,
    path: &'m str,
}

impl<'m> RouteMatch<'m> {
    /// The component that answers; none where the answer is always the same.
    pub fn component(&self) -> Option<&'m ComponentId> {
        match &self.target.answer {
            Answer::Component(id) => Some(id),
            Answer::Static(_) => None,
        }
    }

    /// The pattern that matched.
    pub fn pattern(&self) -> &'m RoutePattern {
        &self.target.pattern
    }

    /// What the `:name` segments of the pattern matched, not percent-decoded.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.captures.iter()
    }

    /// What the wildcard matched, with its leading slash; empty when there is no wildcard or nothing follows it.
    pub fn path_info(&self) -> Cow<'m, str> {
        let Some(rest) = self.captures.wildcard() else {
            return Cow::Borrowed("");
        };
        // The matcher drops a trailing slash; Spin keeps it.
        match (rest.is_empty(), self.path.ends_with('/')) {
            (true, false) => Cow::Borrowed(""),
            (true, true) => Cow::Borrowed("/"),
            (false, false) => Cow::Owned(format!("/{rest}")),
            (false, true) => Cow::Owned(format!("/{rest}/")),
        }
    }

    /// The headers by which Spin tells a component how it was reached, apart from `spin-full-url` and
    /// `spin-client-addr`, which depend on the connection.
    pub fn headers(&self) -> Vec<(String, String)> {
        let pattern = &self.target.pattern;
        let prefix = pattern.written.strip_suffix("/...").unwrap_or(&pattern.written);
        let mut headers = vec![
            ("spin-path-info".to_owned(), self.path_info().into_owned()),
            ("spin-matched-route".to_owned(), pattern.based.clone()),
            ("spin-base-path".to_owned(), "/".to_owned()),
            ("spin-raw-component-route".to_owned(), pattern.written.clone()),
            ("spin-component-route".to_owned(), prefix.to_owned()),
        ];
        for (name, value) in self.parameters() {
            headers.push((
                format!("spin-path-match-{}", name.to_ascii_lowercase().replace('_', "-")),
                value.to_owned(),
            ));
        }
        headers
    }
}

/// The same headers for a request from another component of the application: as if every path were routed here.
pub fn chained_headers(path: &str) -> Vec<(String, String)> {
    [
        ("spin-path-info", path),
        ("spin-matched-route", "/..."),
        ("spin-base-path", "/"),
        ("spin-raw-component-route", "/..."),
        ("spin-component-route", ""),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(routes: &[(&str, &str)]) -> Router {
        Router::new(
            routes
                .iter()
                .map(|(route, id)| (route.parse().unwrap(), Answer::Component(id.parse().unwrap()))),
        )
    }

    fn who(router: &Router, path: &str) -> Option<String> {
        router.find(path)?.component().map(ToString::to_string)
    }

    #[test]
    fn an_exact_route_matches_its_path_with_and_without_a_trailing_slash() {
        let router = router(&[("/foo", "foo"), ("/foo/bar", "bar"), ("/", "root")]);
        assert_eq!(who(&router, "/foo").as_deref(), Some("foo"));
        assert_eq!(who(&router, "/foo/").as_deref(), Some("foo"));
        assert_eq!(who(&router, "/foo/bar").as_deref(), Some("bar"));
        assert_eq!(who(&router, "/").as_deref(), Some("root"));
        for unknown in ["/fo", "/foobar", "/foo/bar/baz", "/other"] {
            assert_eq!(who(&router, unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_most_specific_route_wins_in_any_order() {
        let routes = [
            ("/...", "rest"),
            ("/v1/...", "v-one"),
            ("/v1/sessions", "sessions"),
            ("/v1/sessions/:id", "session"),
            ("/v1/sessions/new", "create"),
            ("/v1/sessions/...", "below"),
            ("/v1/sessions/:id/turns", "turns"),
        ];
        let mut reversed = routes;
        reversed.reverse();
        for router in [router(&routes), router(&reversed)] {
            for (path, id) in [
                ("/", "rest"),
                ("/x/y", "rest"),
                ("/v1", "v-one"),
                ("/v1/other", "v-one"),
                ("/v1/sessions", "sessions"),
                ("/v1/sessions/new", "create"),
                ("/v1/sessions/1", "session"),
                ("/v1/sessions/1/turns", "turns"),
                ("/v1/sessions/1/events/2", "below"),
            ] {
                assert_eq!(who(&router, path).as_deref(), Some(id), "{path}");
            }
        }
    }

    #[test]
    fn path_info_is_what_the_wildcard_matched() {
        let router = router(&[("/test/...", "a"), ("/plain", "b")]);
        for (path, info) in [
            ("/test", ""),
            ("/test/", "/"),
            ("/test/hello", "/hello"),
            ("/test/hello/", "/hello/"),
            ("/test/a/b", "/a/b"),
            ("/plain", ""),
        ] {
            assert_eq!(router.find(path).unwrap().path_info(), info, "{path}");
        }
    }

    #[test]
    fn parameters_are_captured_and_told_in_headers() {
        let router = router(&[("/users/:user_id/...", "a")]);
        let found = router.find("/users/7/tasks/1").unwrap();
        assert_eq!(found.parameters().collect::<Vec<_>>(), [("user_id", "7")]);
        let headers = found.headers();
        for (name, value) in [
            ("spin-path-info", "/tasks/1"),
            ("spin-matched-route", "/users/:user_id/..."),
            ("spin-base-path", "/"),
            ("spin-raw-component-route", "/users/:user_id/..."),
            ("spin-component-route", "/users/:user_id"),
            ("spin-path-match-user-id", "7"),
        ] {
            assert!(
                headers.contains(&(name.to_owned(), value.to_owned())),
                "{name}: {headers:?}"
            );
        }
    }

    #[test]
    fn the_later_of_two_equal_routes_counts() {
        let router = router(&[("/foo", "first"), ("/bar", "other"), ("/foo", "second")]);
        assert_eq!(who(&router, "/foo").as_deref(), Some("second"));
        assert_eq!(router.routes().count(), 2);
    }

    #[test]
    fn patterns_that_could_never_match_are_refused() {
        for bad in ["/a/*/b", "/a/.../b", "/.../...", "/a/*rest", "/:", "/:id/x/:id"] {
            assert!(bad.parse::<RoutePattern>().is_err(), "{bad}");
        }
        assert_eq!(
            "/a/.../b".parse::<RoutePattern>(),
            Err(InvalidRoute::WildcardWithin)
        );
    }

    #[test]
    fn odd_paths_do_not_harm_the_router() {
        let router = router(&[("/:a.:b", "dots"), ("/x/...", "x")]);
        for path in ["", "//", "/é.ü", "/%2e%2e/", "/x//y", "/.", "/a.b.c/", "x"] {
            let _ = router.find(path);
        }
        assert_eq!(who(&router, "/x//y").as_deref(), Some("x"));
    }

    #[test]
    fn spellings_of_one_route_are_recognized() {
        let same = |a: &str, b: &str| {
            a.parse::<RoutePattern>()
                .unwrap()
                .is_same_as(&b.parse::<RoutePattern>().unwrap())
        };
        assert!(same("/a", "/a/") && same("/a", "a") && same("/...", "/*"));
        assert!(!same("/a", "/a/...") && !same("/a", "/b"));
    }
}
