//! The headers that a component is sent along with those of the request, as Spin sends them.

use crate::server::routes::Routed;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};

const PATH_INFO: HeaderName = HeaderName::from_static("spin-path-info");
const FULL_URL: HeaderName = HeaderName::from_static("spin-full-url");
const MATCHED_ROUTE: HeaderName = HeaderName::from_static("spin-matched-route");
const RAW_COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-raw-component-route");
const COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-component-route");
const BASE_PATH: HeaderName = HeaderName::from_static("spin-base-path");
const CLIENT_ADDR: HeaderName = HeaderName::from_static("spin-client-addr");
/// Names a request in the logs and in its answer.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The address that Spin gives for a caller that is a component.
const CHAINED_CLIENT: HeaderValue = HeaderValue::from_static("0.0.0.0:0");

/// Sets the headers of a request to a public route. Without `client` the caller is a component.
pub(crate) fn of_routed<B>(request: &mut Request<B>, routed: &Routed<'_>, client: Option<&HeaderValue>) {
    let path_info = routed.found.path_info().into_owned();
    let full_url = full_url(request.uri());
    let parameters: Vec<_> = routed
        .found
        .parameters()
        .filter_map(|(name, value)| {
            let name = format!("spin-path-match-{}", name.to_ascii_lowercase().replace('_', "-"));
            Some((
                HeaderName::try_from(name).ok()?,
                HeaderValue::from_str(value).ok()?,
            ))
        })
        .collect();
    let headers = request.headers_mut();
    headers.remove(header::CONNECTION);
    headers.reserve(8);
    set(headers, PATH_INFO, path_info);
    set(headers, FULL_URL, full_url);
    headers.insert(MATCHED_ROUTE, routed.route.pattern.clone());
    headers.insert(RAW_COMPONENT_ROUTE, routed.route.pattern.clone());
    headers.insert(COMPONENT_ROUTE, routed.route.prefix.clone());
    headers.insert(BASE_PATH, HeaderValue::from_static("/"));
    headers.insert(CLIENT_ADDR, client.unwrap_or(&CHAINED_CLIENT).clone());
    headers.extend(parameters);
}

/// Sets the headers of a chained request, which is as if its component had the route `/...`.
pub(crate) fn of_chained<B>(request: &mut Request<B>) {
    let path_info = request.uri().path().to_owned();
    let full_url = full_url(request.uri());
    let headers = request.headers_mut();
    headers.remove(header::HOST);
    headers.remove(header::CONNECTION);
    headers.reserve(8);
    set(headers, PATH_INFO, path_info);
    set(headers, FULL_URL, full_url);
    headers.insert(MATCHED_ROUTE, HeaderValue::from_static("/..."));
    headers.insert(RAW_COMPONENT_ROUTE, HeaderValue::from_static("/..."));
    headers.insert(COMPONENT_ROUTE, HeaderValue::from_static(""));
    headers.insert(BASE_PATH, HeaderValue::from_static("/"));
    headers.insert(CLIENT_ADDR, CHAINED_CLIENT);
}

fn full_url(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("http");
    let authority = uri.authority().map_or("localhost", http::uri::Authority::as_str);
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let mut url = String::with_capacity(scheme.len() + 3 + authority.len() + path.len());
    url.push_str(scheme);
    url.push_str("://");
    url.push_str(authority);
    url.push_str(path);
    url
}

/// Sets a header whose value comes from an address, and so is valid text for one; if it is not, the header
/// is left out, and what a client sent under that name with it.
fn set(headers: &mut HeaderMap, name: HeaderName, value: String) {
    match HeaderValue::from_maybe_shared(Bytes::from(value)) {
        Ok(value) => {
            headers.insert(name, value);
        }
        Err(_) => {
            headers.remove(name);
        }
    }
}
