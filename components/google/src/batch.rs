//! Many small requests in one: `multipart/mixed` of `application/http` (RFC 2046, section 5.1.3; Google, "Batching
//! Requests").
//!
//! Every request gets a result of its own. Those that failed because Google was busy are made again, and no others; one
//! renewal of the access token serves all. Google runs the requests of a batch in any order.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use crate::backoff::{Backoff, retry_after};
use crate::error::Refusal;
use crate::{ApiError, Client, Error, Network, Request};

/// Requests of one batch: Gmail takes 100 and recommends 50, since larger ones run into its limits.
pub const SIZE: usize = 50;

const SERVER: &str = "Google";
/// Headers of a part.
const MAX_HEADERS: usize = 64;

/// What one request came to.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl<N: Network> Client<'_, N> {
    /// Makes the requests through this batch endpoint, and returns the body of each successful answer, in the order of
    /// the requests.
    ///
    /// # Errors
    ///
    /// The account has to be connected again. Everything else is the result of a request.
    pub async fn batch(
        &self,
        endpoint: &str,
        requests: &[Request],
    ) -> Result<Vec<Result<Bytes, Error>>, Error> {
        let mut results: Vec<Result<Bytes, Error>> = requests.iter().map(|_| Err(Error::OutOfTime)).collect();
        let mut pending: Vec<usize> = (0..requests.len()).collect();
        let mut backoff = Backoff::new(self.deadline);
        let mut renewed = false;
        while !pending.is_empty() {
            let mut again = Vec::new();
            let mut wait = None;
            let mut expired = false;
            for chunk in pending.chunks(SIZE) {
                let answers = self.round(endpoint, requests, chunk).await?;
                for (&place, answer) in chunk.iter().zip(answers) {
                    let is_repeatable = requests.get(place).is_some_and(|request| request.repeatable);
                    let result = match answer {
                        Ok(answer) if (200..300).contains(&answer.status) => Ok(answer.body),
                        Ok(answer) => {
                            let error = ApiError::read(answer.status, &answer.body);
                            let after = retry_after(&answer.headers, self.network.now());
                            wait = wait.max(after);
                            match error.refusal() {
                                Refusal::Final => Err(Error::Api(error)),
                                Refusal::Expired => {
                                    expired = true;
                                    again.push(place);
                                    Err(Error::Reconnect)
                                }
                                Refusal::Busy => {
                                    again.push(place);
                                    Err(Error::Busy { retry_after: after })
                                }
                                Refusal::Failed => {
                                    if is_repeatable {
                                        again.push(place);
                                    }
                                    Err(Error::Unknown {
                                        server: SERVER,
                                        reason: error.to_string(),
                                    })
                                }
                            }
                        }
                        Err(error) => Err(error),
                    };
                    if let Some(slot) = results.get_mut(place) {
                        *slot = result;
                    }
                }
            }
            if expired {
                if renewed {
                    return Err(Error::Reconnect);
                }
                renewed = true;
                self.renew().await?;
            }
            pending = again;
            if !pending.is_empty()
                && !expired
                && self.pause(&mut backoff, wait, Error::OutOfTime).await.is_err()
            {
                break;
            }
        }
        Ok(results)
    }

    /// Makes one batch of the requests at these places.
    async fn round(
        &self,
        endpoint: &str,
        requests: &[Request],
        places: &[usize],
    ) -> Result<Vec<Result<Answer, Error>>, Error> {
        let parts: Vec<&Request> = places.iter().filter_map(|&place| requests.get(place)).collect();
        let boundary = format!("batch_{:016x}", self.network.random());
        let mut request = Request::post(endpoint).body(
            format!("multipart/mixed; boundary={boundary}"),
            write(&parts, &boundary),
        );
        request.repeatable = parts.iter().all(|part| part.repeatable);
        match self.send(&request).await {
            Ok(response) => {
                let content_type = response.headers().get(header::CONTENT_TYPE);
                let content_type = content_type
                    .and_then(|value| value.to_str().ok())
                    .unwrap_or_default();
                let mut found = parse(content_type, response.body());
                Ok((0..parts.len())
                    .map(|number| match found.iter().position(|(at, _)| *at == number) {
                        Some(at) => Ok(found.swap_remove(at).1),
                        None => Err(Error::Unknown {
                            server: SERVER,
                            reason: "the batch's answer does not mention the request".to_owned(),
                        }),
                    })
                    .collect())
            }
            Err(Error::Reconnect) => Err(Error::Reconnect),
            Err(error) => Ok(parts.iter().map(|_| Err(error.clone())).collect()),
        }
    }
}

/// The body of a batch. Of each request's address only path and query stand in it.
fn write(parts: &[&Request], boundary: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let uri: Uri = part.url.parse().unwrap_or_default();
        let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let head = format!(
            "--{boundary}\r\nContent-Type: application/http\r\nContent-ID: <item-{number}>\r\n\r\n{} {target} HTTP/1.1\r\n",
            part.method
        );
        body.extend_from_slice(head.as_bytes());
        if let Some(etag) = &part.if_match {
            body.extend_from_slice(b"If-Match: ");
            body.extend_from_slice(etag.as_bytes());
            body.extend_from_slice(b"\r\n");
        }
        if let Some(content_type) = &part.content_type {
            let head = format!(
                "Content-Type: {content_type}\r\nContent-Length: {}\r\n",
                part.body.len()
            );
            body.extend_from_slice(head.as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        body.extend_from_slice(&part.body);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    body
}

/// The answers in a batch's answer, by the number of the request. Parts that make no sense are left out.
fn parse(content_type: &str, body: &[u8]) -> Vec<(usize, Answer)> {
    let Some((_, boundary)) = content_type.split_once("boundary=") else {
        return Vec::new();
    };
    let boundary = boundary
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .trim_matches('"');
    let Ok(text) = std::str::from_utf8(body) else {
        return Vec::new();
    };
    let delimiter = format!("--{boundary}");
    let mut answers = Vec::new();
    let mut rest = text;
    let mut part: Option<&str> = None;
    loop {
        let (before, after) = match line_starting(rest, &delimiter) {
            Some(at) => rest.split_at_checked(at).unwrap_or((rest, "")),
            None => (rest, ""),
        };
        if part.is_some() {
            answers.extend(answer(before));
        }
        let Some(after) = after.strip_prefix(delimiter.as_str()) else {
            return answers;
        };
        if after.starts_with("--") {
            return answers;
        }
        let after = after.split_once('\n').map_or("", |(_, after)| after);
        part = Some(after);
        rest = after;
    }
}

/// Where a line begins that starts with this.
fn line_starting(text: &str, start: &str) -> Option<usize> {
    if text.starts_with(start) {
        return Some(0);
    }
    text.match_indices('\n')
        .map(|(at, _)| at + 1)
        .find(|at| text.get(*at..).is_some_and(|rest| rest.starts_with(start)))
}

/// One part: its headers, and an HTTP answer.
fn answer(part: &str) -> Option<(usize, Answer)> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let httparse::Status::Complete((length, own)) =
        httparse::parse_headers(part.as_bytes(), &mut headers).ok()?
    else {
        return None;
    };
    let id = own
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case("content-id"))?;
    let id = std::str::from_utf8(id.value).ok()?.trim();
    let number = id
        .trim_start_matches('<')
        .trim_end_matches('>')
        .strip_prefix("response-item-")?
        .parse()
        .ok()?;
    let http = part.get(length..)?;
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(http.as_bytes()).ok()? else {
        return None;
    };
    let body = http.get(length..)?.trim_end_matches(['\r', '\n']);
    let mut fields = HeaderMap::new();
    for field in response.headers.iter() {
        if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(field.name),
            HeaderValue::from_bytes(field.value),
        ) {
            fields.append(name, value);
        }
    }
    let answer = Answer {
        status: response.code?,
        headers: fields,
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    Some((number, answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_written_as_google_documents_it() {
        let read = Request::get("https://gmail.example/gmail/v1/users/me/messages/a?format=minimal");
        let change = Request::post("https://gmail.example/gmail/v1/users/me/messages/b/modify")
            .json(&serde_json::json!({"addLabelIds": ["X"]}));
        let body = String::from_utf8(write(&[&read, &change], "b")).unwrap();
        assert_eq!(
            body,
            "--b\r\nContent-Type: application/http\r\nContent-ID: <item-0>\r\n\r\n\
             GET /gmail/v1/users/me/messages/a?format=minimal HTTP/1.1\r\n\r\n\r\n\
             --b\r\nContent-Type: application/http\r\nContent-ID: <item-1>\r\n\r\n\
             POST /gmail/v1/users/me/messages/b/modify HTTP/1.1\r\nContent-Type: application/json\r\n\
             Content-Length: 21\r\n\r\n{\"addLabelIds\":[\"X\"]}\r\n--b--\r\n"
        );
    }

    #[test]
    fn answers_are_found_by_their_ids_in_any_order() {
        let body = "preamble\r\n--x y\r\nContent-Type: application/http\r\nContent-ID: <response-item-1>\r\n\r\n\
                    HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n\r\n{\"error\":{\"code\":404}}\r\n\
                    --x y\r\nContent-ID: <response-item-0>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{\"text\":\"--x y\"}\r\n\r\n--x y--\r\nrest";
        let mut found = parse("multipart/mixed; boundary=\"x y\"", body.as_bytes());
        found.sort_by_key(|(number, _)| *number);
        let shown: Vec<_> = found
            .iter()
            .map(|(number, answer)| (*number, answer.status, std::str::from_utf8(&answer.body).unwrap()))
            .collect();
        assert_eq!(
            shown,
            [
                (0, 200, "{\"text\":\"--x y\"}"),
                (1, 404, "{\"error\":{\"code\":404}}")
            ]
        );
    }

    #[test]
    fn what_is_no_batch_holds_no_answers() {
        let part = "--b\r\nContent-ID: <response-item-0>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}";
        for (content_type, body) in [
            ("application/json", part),
            ("multipart/mixed; boundary=other", part),
            (
                "multipart/mixed; boundary=b",
                "--b\r\nHTTP/1.1 200 OK\r\n\r\n{}\r\n--b--",
            ),
            (
                "multipart/mixed; boundary=b",
                "--b\r\nContent-ID: <response-item-x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            ),
            ("multipart/mixed; boundary=b", "--b"),
            ("multipart/mixed; boundary=", ""),
        ] {
            assert!(
                parse(content_type, body.as_bytes()).is_empty(),
                "{content_type} {body:?}"
            );
        }
    }
}
