//! Which pages of other origins may use this server (Fetch standard, section 3.2), by an allow-list.
//!
//! A request with an `Origin` that is neither this server's own nor on the list is refused outright, rather than
//! answered and then hidden by the browser: in development mode a foreign page must not be able to act as the local
//! user at all.

use http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::{Kind, Problem, Response};

/// What a page may send and read.
const ALLOW_HEADERS: &str = "authorization, content-type, accept, idempotency-key, last-event-id, x-api-key, \
    x-request-id, anyturn-session";
const EXPOSE_HEADERS: &str = "anyturn-session, anyturn-turn, ratelimit, ratelimit-policy, retry-after, \
    x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, x-request-id";
const ALLOW_METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
/// How long a browser may remember a preflight, in seconds.
const MAX_AGE: &str = "600";

/// How a request stands to the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Not from a page, or from a page of ours.
    Own,
    /// From a page on the list.
    Allowed(HeaderValue),
}

/// Whether the request's origin has to be judged by the list; if not, the variable need not be read.
#[must_use]
pub fn foreign<'a>(headers: &'a HeaderMap, uri: &Uri) -> Option<&'a HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let authority = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"))
        .map(|(_, rest)| rest);
    let forwarded = headers
        .get("x-forwarded-host")
        .and_then(|host| host.to_str().ok());
    let own = authority.is_some() && (authority == host(headers, uri) || authority == forwarded);
    (!own).then_some(origin)
}

/// The host and port that the request was sent to. HTTP/2, and hosts of components, may have it in the address only.
#[must_use]
pub fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let header = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    header.or_else(|| uri.authority().map(http::uri::Authority::as_str))
}

/// Whether a host is this machine by a name that nobody else can give away: a page that had its own name resolve to
/// 127.0.0.1 would otherwise be of our origin (DNS rebinding).
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Judges a foreign origin by the variable `cors_origins`: origins separated by commas or blanks, or `*`.
///
/// # Errors
/// When it is not on the list.
pub fn judge(origin: &HeaderValue, list: &str) -> Result<Origin, Problem> {
    let listed = |name: &str| {
        list.split([',', ' ', '\n'])
            .map(|entry| entry.trim().trim_end_matches('/'))
            .any(|entry| entry == name)
    };
    match origin.to_str() {
        Ok(name) if name != "null" && listed(name) => Ok(Origin::Allowed(origin.clone())),
        _ if listed("*") => Ok(Origin::Allowed(HeaderValue::from_static("*"))),
        name => Err(Problem::new(
            Kind::OriginNotAllowed,
            format!(
                "Pages of {} may not use this server; the variable `cors_origins` lists those that may.",
                name.unwrap_or("that origin")
            ),
        )),
    }
}

/// Whether this is a browser asking for permission.
#[must_use]
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Adds what a browser wants to see.
pub fn put_headers(origin: &Origin, preflight: bool, response: &mut Response) {
    let Origin::Allowed(name) = origin else { return };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, name.clone());
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if preflight {
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static(ALLOW_METHODS),
        );
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static(ALLOW_HEADERS),
        );
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    } else {
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(EXPOSE_HEADERS),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::foreign as cross;
    use super::*;

    fn headers(origin: &'static str, host: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("origin", HeaderValue::from_static(origin));
        headers.insert("host", HeaderValue::from_static(host));
        headers
    }

    #[test]
    fn a_page_of_our_own_is_not_foreign_also_behind_a_proxy() {
        let uri = Uri::from_static("/");
        let foreign = |headers: &HeaderMap| cross(headers, &uri).is_some();
        assert!(!foreign(&headers("http://127.0.0.1:3000", "127.0.0.1:3000")));
        assert!(!foreign(&headers("https://app.example", "app.example")));
        assert!(foreign(&headers("http://127.0.0.1:8080", "127.0.0.1:3000")));
        assert!(foreign(&headers("null", "127.0.0.1:3000")));
        let mut proxied = headers("https://app.example", "10.0.0.7:3000");
        proxied.insert("x-forwarded-host", HeaderValue::from_static("app.example"));
        assert!(!foreign(&proxied));
        let mut without_host = headers("https://app.example", "");
        without_host.remove("host");
        assert!(cross(&without_host, &Uri::from_static("http://app.example/x")).is_none());
    }

    #[test]
    fn this_machine_is_known_by_its_own_names_only() {
        for own in [
            "localhost",
            "LOCALHOST:3000",
            "chat.localhost:1",
            "127.0.0.1:3000",
            "127.9.9.9",
            "[::1]:3000",
        ] {
            assert!(is_loopback(own), "{own}");
        }
        for other in [
            "",
            "evil.example",
            "localhost.evil.example:3000",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[::2]",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }

    #[test]
    fn only_the_list_lets_a_foreign_page_in() {
        let origin = HeaderValue::from_static("https://app.example");
        let allowed = Ok(Origin::Allowed(origin.clone()));
        let judge = |list| judge(&origin, list).map_err(|problem| problem.kind);
        assert_eq!(judge("https://x.example, https://app.example/"), allowed);
        assert_eq!(judge("*"), Ok(Origin::Allowed(HeaderValue::from_static("*"))));
        for list in [
            "",
            "https://app.example.evil",
            "http://app.example",
            "https://app",
        ] {
            assert_eq!(judge(list), Err(Kind::OriginNotAllowed), "{list}");
        }
    }

    #[test]
    fn a_page_without_an_origin_is_not_let_in_by_its_name() {
        let origin = HeaderValue::from_static("null");
        assert!(judge(&origin, "null").is_err());
    }
}
