//! The chat page: a few static files, embedded.
//!
//! Everything is served with an entity tag and `no-cache`, so that a browser asks each time, gets a 304 as a
//! rule and a new version at once after a deployment. The content security policy allows what these files
//! need and nothing else: no inline script, no foreign origin, no frame.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;

/// A file of the page.
struct Asset {
    path: &'static str,
    media_type: &'static str,
    etag: &'static str,
    content: &'static [u8],
}

const ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers a request for one of the files: 200, 304, 404, or 405 for anything but GET and HEAD.
pub fn serve(method: &Method, path: &str, headers: &HeaderMap) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "This page is read with GET.\n");
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return plain(
            StatusCode::NOT_FOUND,
            "There is nothing here. The chat page is at /, the API's documentation at /docs.\n",
        );
    };
    let fresh = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .any(|value| matches(value, asset.etag));
    let body = if fresh || method == Method::HEAD {
        &[]
    } else {
        asset.content
    };
    let mut response = Response::new(Full::new(Bytes::from_static(body)));
    if fresh {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    }
    response
        .headers_mut()
        .insert(ETAG, HeaderValue::from_static(asset.etag));
    protect(response.headers_mut());
    response
}

/// Whether an `If-None-Match` value names the tag (RFC 9110, section 13.1.2: weak comparison).
fn matches(value: &HeaderValue, etag: &str) -> bool {
    value.to_str().is_ok_and(|list| {
        list.split(',')
            .map(str::trim)
            .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
    })
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    protect(response.headers_mut());
    response
}

fn protect(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

#[cfg(target_family = "wasm")]
mod component {
    use super::{Bytes, Full, Response};
    use spin_sdk::http::Request;

    #[spin_sdk::http_service]
    async fn handle(request: Request) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
        Ok(super::serve(
            request.method(),
            request.uri().path(),
            request.headers(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, headers: &HeaderMap) -> Response<Full<Bytes>> {
        serve(&Method::GET, path, headers)
    }

    #[test]
    fn the_page_and_what_it_links_to_are_served() {
        let page =
            std::str::from_utf8(ASSETS.iter().find(|asset| asset.path == "/").unwrap().content).unwrap();
        let mut links = 0;
        for part in page.split("\"/").skip(1) {
            let path = format!("/{}", part.split('"').next().unwrap());
            if path == "/docs" {
                continue; // The chat component's.
            }
            assert_eq!(get(&path, &HeaderMap::new()).status(), StatusCode::OK, "{path}");
            links += 1;
        }
        assert!(links >= 4, "the page links to its icon, style and script");
    }

    #[test]
    fn a_known_tag_is_answered_without_the_content() {
        let first = get("/app.js", &HeaderMap::new());
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
        assert_eq!(get("/app.js", &headers).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(
            get("/style.css", &headers).status(),
            StatusCode::OK,
            "another file has another tag"
        );
        headers.insert(IF_NONE_MATCH, HeaderValue::from_static("W/\"0\", \"1\""));
        assert_eq!(get("/app.js", &headers).status(), StatusCode::OK);
    }

    #[test]
    fn every_answer_carries_the_policy() {
        for response in [
            get("/", &HeaderMap::new()),
            get("/nope", &HeaderMap::new()),
            serve(&Method::POST, "/", &HeaderMap::new()),
        ] {
            let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(
                policy.contains("default-src 'none'") && !policy.contains("unsafe"),
                "{policy}"
            );
            assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        }
    }

    #[test]
    fn unknown_paths_and_methods_are_refused() {
        assert_eq!(
            get("/../Cargo.toml", &HeaderMap::new()).status(),
            StatusCode::NOT_FOUND
        );
        let refused = serve(&Method::POST, "/", &HeaderMap::new());
        assert_eq!(
            (refused.status(), refused.headers()[ALLOW].to_str().unwrap()),
            (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD")
        );
    }
}
