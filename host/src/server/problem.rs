//! Answers of the host's own that are no success: problem details (RFC 9457), which tell a client what it can
//! do and nothing about the inside.

use crate::admission::RETRY_AFTER;
use crate::guest::Failure;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

/// Why the host answers instead of a component.
#[derive(Clone, Debug)]
pub(crate) enum Problem {
    /// No route matches.
    NoRoute,
    /// There is no place for another instance; seconds after which to try again.
    Overloaded(u64),

    /// The component failed.
    Failed(Failure),
    /// The request has no host, or two.
    BadAuthority,
    /// The host is not this machine, in development mode.
    ForeignHost,
    /// Another site's page sent this, in development mode.
    CrossSite,
    /// The host's own pages are only read.
    MethodNotAllowed,
    /// A WebSocket is here, and the request asks for none.
    NoUpgrade,
    /// The user has as many WebSockets as may be.
    TooManyConnections,
}

impl Problem {
    fn parts(&self) -> (StatusCode, &'static str, &'static str, String) {
        let (status, slug, title, detail) = match self {
            Self::NoRoute => (
                StatusCode::NOT_FOUND,
                "not-found",
                "There is nothing at this address",
                "No route of the application matches this path.",
            ),
            Self::Overloaded(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "The server is busy",
                "All instances are taken. Try again after the time in Retry-After.",
            ),

            Self::BadAuthority => (
                StatusCode::BAD_REQUEST,
                "bad-authority",
                "The request does not say which host it is for",
                "Send one valid Host header that agrees with the address.",
            ),
            Self::ForeignHost => (
                StatusCode::FORBIDDEN,
                "foreign-host",
                "This host name is not served in development mode",
                "Without jwt_secret or api_keys the server answers to localhost and loopback addresses only.",
            ),
            Self::CrossSite => (
                StatusCode::FORBIDDEN,
                "cross-site",
                "Another site may not do this in development mode",
                "Without jwt_secret or api_keys a browser may only send this from the server's own pages.",
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "This page can only be read",
                "Use GET or HEAD.",
            ),
            Self::NoUpgrade => (
                StatusCode::UPGRADE_REQUIRED,
                "no-upgrade",
                "There is a WebSocket at this address",
                "Connect with a WebSocket client: version 13, over HTTP/1.1.",
            ),
            Self::TooManyConnections => (
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-connections",
                "You have too many connections",
                "Close one of your WebSockets, or use it for this as well.",
            ),
            Self::Failed(failure) => return Self::failed(failure),
        };
        (status, slug, title, detail.to_owned())
    }

    fn failed(failure: &Failure) -> (StatusCode, &'static str, &'static str, String) {
        let (status, slug, title, detail) = match failure {
            Failure::Trap(_) | Failure::Error(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "component-failed",
                "The component that serves this failed",
                "The log tells why, under this request's id.",
            ),
            Failure::Cpu => (
                StatusCode::SERVICE_UNAVAILABLE,
                "cpu-limit",
                "The request took more computing time than it may",
                "The component was stopped at its CPU-time limit.",
            ),
            Failure::Memory => (
                StatusCode::SERVICE_UNAVAILABLE,
                "memory-limit",
                "The request took more memory than it may",
                "The component was stopped at its memory limit.",
            ),
            Failure::Wall => (
                StatusCode::GATEWAY_TIMEOUT,
                "time-limit",
                "The request took longer than it may",
                "The component was stopped at its time limit.",
            ),
            Failure::Instantiation(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "no-instance",
                "The component that serves this cannot be started",
                "The log tells why, under this request's id.",
            ),
        };
        (status, slug, title, detail.to_owned())
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        self.parts().0
    }

    /// The answer, whose body names the request.
    pub(crate) fn response(&self, request_id: &str) -> Response<Full<Bytes>> {
        let (status, slug, title, detail) = self.parts();
        let body = serde_json::json!({
            "type": format!("https://anyturn.dev/problems/{slug}"),
            "title": title,
            "status": status.as_u16(),
            "detail": detail,
            "request_id": request_id,
        });
        let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::Overloaded(seconds) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
            }
            Self::Failed(Failure::Instantiation(_)) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
            }

            Self::NoUpgrade => {
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            }
            Self::TooManyConnections => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
            }
            Self::MethodNotAllowed => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_the_client_nothing_about_the_inside() {
        let failure = Failure::Trap("wasm trap: unreachable at engine::secret".into());
        let response = Problem::Failed(failure).response("req-1");
        assert_eq!(response.status(), 500);
        let body = format!("{:?}", response.body());
        assert!(!body.contains("secret") && body.contains("req-1"), "{body}");
    }
}
