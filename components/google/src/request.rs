//! A request to one of Google's APIs.

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use serde::Serialize;

/// The largest answer that is read unless a request says otherwise: 8 MiB.
const LIMIT: usize = 8 << 20;

/// A request to one of Google's APIs: an address, its query, perhaps a JSON body.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) body: Bytes,
    pub(crate) content_type: Option<String>,
    pub(crate) if_match: Option<HeaderValue>,
    pub(crate) limit: usize,
    pub(crate) repeatable: bool,
}

impl Request {
    /// A request of this method to an absolute address without a query. It may be made again when it is not known what
    /// came of it, unless it is a POST.
    pub fn new(method: Method, url: impl Into<String>) -> Request {
        Request {
            repeatable: method != Method::POST,
            method,
            url: url.into(),
            body: Bytes::new(),
            content_type: None,
            if_match: None,
            limit: LIMIT,
        }
    }

    /// Reads something.
    pub fn get(url: impl Into<String>) -> Request {
        Request::new(Method::GET, url)
    }

    /// Does something.
    pub fn post(url: impl Into<String>) -> Request {
        Request::new(Method::POST, url)
    }

    /// Changes a part of something.
    pub fn patch(url: impl Into<String>) -> Request {
        Request::new(Method::PATCH, url)
    }

    /// Deletes something.
    pub fn delete(url: impl Into<String>) -> Request {
        Request::new(Method::DELETE, url)
    }

    /// Adds to the query.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl AsRef<str>) -> Request {
        self.url.push(if self.url.contains('?') { '&' } else { '?' });
        self.url.extend(form_urlencoded::byte_serialize(name.as_bytes()));
        self.url.push('=');
        self.url
            .extend(form_urlencoded::byte_serialize(value.as_ref().as_bytes()));
        self
    }

    /// Sends this as JSON. A value that has no JSON form is sent as nothing, which Google refuses.
    #[must_use]
    pub fn json(self, value: &impl Serialize) -> Request {
        self.body("application/json", serde_json::to_vec(value).unwrap_or_default())
    }

    /// Sends this.
    #[must_use]
    pub fn body(self, content_type: impl Into<String>, body: impl Into<Bytes>) -> Request {
        Request {
            body: body.into(),
            content_type: Some(content_type.into()),
            ..self
        }
    }

    /// Only if it still has this etag; otherwise [`Error::is_precondition_failed`](crate::Error::is_precondition_failed).
    #[must_use]
    pub fn if_match(self, etag: &str) -> Request {
        Request {
            if_match: HeaderValue::from_str(etag).ok(),
            ..self
        }
    }

    /// Reads an answer of so many bytes at most.
    #[must_use]
    pub fn limit(self, bytes: usize) -> Request {
        Request { limit: bytes, ..self }
    }

    /// Making it twice comes to the same as making it once: it is made again when it is not known what came of it.
    #[must_use]
    pub fn repeatable(self) -> Request {
        Request {
            repeatable: true,
            ..self
        }
    }

    pub(crate) fn to_http(&self) -> Option<http::Request<Bytes>> {
        let mut request = http::Request::builder()
            .method(self.method.clone())
            .uri(&self.url)
            .header(header::ACCEPT, "application/json");
        if let Some(content_type) = &self.content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        if let Some(etag) = &self.if_match {
            request = request.header(header::IF_MATCH, etag);
        }
        request.body(self.body.clone()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_query_is_escaped() {
        let request = Request::get("https://a.example/b")
            .query("q", "from:a@b.example subject:\"x & y\"")
            .query("n", "1");
        assert_eq!(
            request.url,
            "https://a.example/b?q=from%3Aa%40b.example+subject%3A%22x+%26+y%22&n=1"
        );
    }

    #[test]
    fn only_a_post_is_not_repeated_of_itself() {
        assert!(Request::get("https://a.example").repeatable);
        assert!(Request::delete("https://a.example").repeatable);
        assert!(!Request::post("https://a.example").repeatable);
        assert!(Request::post("https://a.example").repeatable().repeatable);
    }
}
