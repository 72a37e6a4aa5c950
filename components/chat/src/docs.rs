//! The description of the API, and a page that shows it and lets one try it.
//!
//! The page is three files of our own: nothing is loaded from elsewhere, and its content security policy lets
//! nothing be. They are embedded in a compressed form, because hardly anybody asks for them, and every instance carries
//! them.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::http::{Body, Kind, Problem, Response, read};

/// A file as the build script has compressed it (RFC 1951).
macro_rules! embedded {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".deflate"))
    };
}

const OPENAPI: &[u8] = embedded!("openapi.json");
const PAGE: &[u8] = embedded!("index.html");
const SCRIPT: &[u8] = embedded!("docs.js");
const STYLE: &[u8] = embedded!("docs.css");

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

/// Answers `GET /openapi.json`.
#[must_use]
pub fn description(headers: &HeaderMap) -> Response {
    file(headers, OPENAPI, "application/json")
}

/// Answers `GET /docs` and its files.
///
/// # Errors
/// When there is no such file.
pub fn page(name: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    match name {
        "" => Ok(file(headers, PAGE, "text/html; charset=utf-8")),
        "docs.js" => Ok(file(headers, SCRIPT, "text/javascript; charset=utf-8")),
        "docs.css" => Ok(file(headers, STYLE, "text/css; charset=utf-8")),
        _ => Err(Problem::new(
            Kind::NotFound,
            format!("There is no file `{name}` in /docs."),
        )),
    }
}

/// A file that is kept by browsers and asked for anew each time, which costs next to nothing when it is the same.
fn file(headers: &HeaderMap, compressed: &[u8], kind: &'static str) -> Response {
    // Files change with the version only; while one is being developed, their length tells well enough.
    let tag = format!("\"{}-{:x}\"", env!("CARGO_PKG_VERSION"), compressed.len());
    let known = read::header(headers, "if-none-match").is_some_and(|tags| tags.contains(&tag));
    let mut response = if known {
        Response::new(Body::empty())
    } else {
        // The build script made it; a test reads it back.
        Response::new(Body::from(
            miniz_oxide::inflate::decompress_to_vec(compressed).unwrap_or_default(),
        ))
    };
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}
