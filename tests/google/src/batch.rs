//! `multipart/mixed` (Google, "Batching Requests"): each part is an HTTP request, and is answered as if it had come
//! alone, with the outer request's authorization unless it has its own.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::{Answer, Request};

/// Parts that Gmail takes.
const MOST: usize = 100;

/// Answers a batch, part by part, the last one first: the order is not promised.
pub(crate) fn answer(outer: &Request, mut one: impl FnMut(Request) -> Option<Answer>) -> Answer {
    let content_type = outer.header("content-type");
    let Some((kind, boundary)) = content_type.split_once("boundary=") else {
        return Answer::invalid("Failed to parse batch request, error: no boundary.");
    };
    if !kind.trim_start().starts_with("multipart/mixed") {
        return Answer::invalid("Failed to parse batch request, error: not multipart/mixed.");
    }
    let body = String::from_utf8_lossy(&outer.body).into_owned();
    let Some(parts) = parts(&body, boundary.trim_matches('"')) else {
        return Answer::invalid("Failed to parse batch request, error: malformed.");
    };
    if parts.len() > MOST {
        return Answer::invalid("The batch request contains too many calls (max 100).");
    }
    let mut text = String::new();
    for (id, mut request) in parts.into_iter().rev() {
        if let Some(own) = outer.headers.get(header::AUTHORIZATION) {
            request
                .headers
                .entry(header::AUTHORIZATION)
                .or_insert(own.clone());
        }
        let answer =
            one(request).unwrap_or_else(|| Answer::error(500, "backendError", "Internal error encountered."));
        text.push_str("--batch_fake\r\nContent-Type: application/http\r\n");
        text.push_str(&format!("Content-ID: <response-{id}>\r\n\r\n"));
        let reason = answer.status.canonical_reason().unwrap_or("Unknown");
        text.push_str(&format!("HTTP/1.1 {} {reason}\r\n", answer.status.as_u16()));
        for (name, value) in &answer.headers {
            text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n", answer.body.len()));
        text.push_str(&String::from_utf8_lossy(&answer.body));
        text.push_str("\r\n");
    }
    text.push_str("--batch_fake--\r\n");
    let mut headers = HeaderMap::new();
    let multipart = HeaderValue::from_static("multipart/mixed; boundary=batch_fake");
    headers.insert(header::CONTENT_TYPE, multipart);
    Answer {
        status: StatusCode::OK,
        headers,
        body: Bytes::from(text),
    }
}

/// The parts' content ids and requests.
fn parts(body: &str, boundary: &str) -> Option<Vec<(String, Request)>> {
    let mut found = Vec::new();
    let delimiter = format!("--{boundary}");
    let (_, mut rest) = body.split_once(&delimiter)?;
    while !rest.starts_with("--") {
        let (part, after) = rest.split_once(&format!("\r\n{delimiter}"))?;
        found.push(part_of(part.trim_start())?);
        rest = after;
    }
    Some(found)
}

fn part_of(part: &str) -> Option<(String, Request)> {
    let (own, http) = part.split_once("\r\n\r\n")?;
    let id = own.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let value = value.trim().trim_start_matches('<').trim_end_matches('>');
        name.eq_ignore_ascii_case("content-id").then(|| value.to_owned())
    })?;
    let (head, body) = http.split_once("\r\n\r\n").unwrap_or((http, ""));
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        headers.append(
            HeaderName::try_from(name.trim()).ok()?,
            HeaderValue::from_str(value.trim()).ok()?,
        );
    }
    let body = Bytes::copy_from_slice(body.as_bytes());
    Some((id, Request::new(method.parse().ok()?, target, headers, body)))
}
