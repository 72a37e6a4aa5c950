//! Reading requests: a bounded body, JSON by its type and by its content, values with their place.
//!
//! One rule for what is wrong: what is not JSON is 400 with line and column, what is JSON but not what is wanted is
//! 422 with a JSON pointer to the field.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::{Kind, Problem, pointer};

/// The largest body, in bytes.
pub const MAX_BODY: usize = 1024 * 1024;

fn too_large() -> Problem {
    Problem::new(Kind::BodyTooLarge, "The body is larger than 1 MiB.").with("limit_bytes", MAX_BODY)
}

/// Reads a body of at most 1 MiB. What says that it is larger is not read at all, and what turns out to be is not
/// read on.
///
/// # Errors
/// When it is larger, or breaks off.
pub async fn body<B>(headers: &HeaderMap, body: B) -> Result<Bytes, Problem>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > MAX_BODY as u64) {
        return Err(too_large());
    }
    let mut body = std::pin::pin!(body);
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Problem::new(
                Kind::MalformedJson,
                format!("The body broke off before its end: {error}."),
            )
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let so_far = rest.as_ref().map_or(first.len(), BytesMut::len);
        if so_far + data.len() > MAX_BODY {
            return Err(too_large());
        }
        // Nearly every body is one piece, which then is not copied.
        match &mut rest {
            Some(rest) => rest.extend_from_slice(&data),
            None if first.is_empty() => first = data,
            None => {
                let mut both = BytesMut::with_capacity(so_far + data.len());
                both.extend_from_slice(&first);
                both.extend_from_slice(&data);
                rest = Some(both);
            }
        }
    }
    Ok(rest.map_or(first, BytesMut::freeze))
}

/// Requires `application/json`, or another type whose syntax is JSON (`+json`).
///
/// This is also what keeps a foreign page from sending a request without the browser's permission being asked.
///
/// # Errors
/// When the type is missing or another one.
pub fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = given
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if essence.eq_ignore_ascii_case("application/json")
        || (essence.len() > 5
            && essence
                .get(essence.len() - 5..)
                .is_some_and(|end| end.eq_ignore_ascii_case("+json")))
    {
        return Ok(());
    }
    Err(Problem::new(
        Kind::UnsupportedMediaType,
        match given {
            Some(given) => format!("The body's type is `{given}`; send `content-type: application/json`."),
            None => "The body has no type; send `content-type: application/json`.".to_owned(),
        },
    )
    .header(header::ACCEPT, "application/json"))
}

/// Parses JSON into a type.
///
/// # Errors
/// 400 with line and column, or 422 with a pointer.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.is_empty() {
        return Err(Problem::new(
            Kind::MalformedJson,
            "The body is empty; a JSON object is expected.",
        ));
    }
    anyturn_json::from_slice(bytes).map_err(|error| {
        if error.is_data() {
            Problem::at(pointer::at(bytes, error.line(), error.column()), sentence(&error))
        } else {
            malformed(&error)
        }
    })
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(
        Kind::MalformedJson,
        format!(
            "{} at line {}, column {}.",
            reason(error),
            error.line(),
            error.column()
        ),
    )
    .with("line", error.line())
    .with("column", error.column())
}

fn sentence(error: &serde_json::Error) -> String {
    let mut reason = reason(error);
    reason.push('.');
    reason
}

/// What serde says, without the place that it appends, and beginning like a sentence.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text
        .split_once(" at line ")
        .map_or(text.as_str(), |(reason, _)| reason);
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A piece of a path with its percent-encoding undone.
///
/// # Errors
/// When what comes out is no text; such a thing is nowhere.
pub fn decoded(segment: &str) -> Result<Cow<'_, str>, Problem> {
    percent_encoding::percent_decode_str(segment)
        .decode_utf8()
        .map_err(|_| Problem::new(Kind::NotFound, "The path is not made of text."))
}

/// A header as text.
#[must_use]
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a client asks for an event stream: `text/event-stream` in `Accept`, with a quality that is not lower than
/// that of JSON.
#[must_use]
pub fn wants_events(headers: &HeaderMap) -> bool {
    let (mut events, mut json) = (None::<f32>, None::<f32>);
    for range in headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
    {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(1.0, |q| anyturn_json::from_str(q.trim()).unwrap_or(0.0));
        if name.eq_ignore_ascii_case("text/event-stream") {
            events = Some(quality);
        } else if name.eq_ignore_ascii_case("application/json") {
            json = Some(quality);
        }
    }
    events.is_some_and(|events| events > 0.0 && json.is_none_or(|json| events >= json))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http_body_util::{Full, StreamBody};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only whether it parses matters")]
    struct Order {
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only whether it parses matters")]
    struct Item {
        #[serde(rename = "a/b")]
        count: u8,
    }

    fn problem(text: &str) -> Problem {
        json::<Order>(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn what_is_not_json_is_told_with_line_and_column() {
        let problem = problem("{\n  \"items\": [}\n");
        assert_eq!(problem.kind, Kind::MalformedJson);
        assert_eq!(problem.detail, "Expected value at line 2, column 13.");
        assert_eq!(
            (&problem.extras["line"], &problem.extras["column"]),
            (&2.into(), &13.into())
        );
    }

    #[test]
    fn what_breaks_off_or_goes_on_after_its_end_is_not_json() {
        assert_eq!(problem(r#"{"items": ["#).kind, Kind::MalformedJson);
        assert_eq!(
            problem(r#"{"items": []} x"#).detail,
            "Trailing characters at line 1, column 15."
        );
        assert_eq!(
            problem("").detail,
            "The body is empty; a JSON object is expected."
        );
    }

    #[test]
    fn a_wrong_value_is_told_with_a_pointer() {
        let wrong = problem(r#"{"items": [{"a/b": 1}, {"a/b": "x"}]}"#);
        assert_eq!(wrong.kind, Kind::InvalidRequest);
        assert_eq!(wrong.pointer.as_deref(), Some("/items/1/a~1b"));
        assert_eq!(wrong.detail, "Invalid type: string \"x\", expected u8.");
        let unknown = problem(r#"{"items": [], "extra": 1}"#);
        assert_eq!(unknown.pointer.as_deref(), Some("/extra"));
        assert_eq!(unknown.detail, "Unknown field `extra`, expected `items`.");
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        futures::executor::block_on(future)
    }

    #[test]
    fn a_body_that_says_it_is_too_large_is_not_read_at_all() {
        let mut headers = HeaderMap::new();
        headers.insert("content-length", HeaderValue::from(MAX_BODY + 1));
        let unreadable = StreamBody::new(futures::stream::poll_fn(
            |_| -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, String>>> { panic!("was read") },
        ));
        assert_eq!(
            run(body(&headers, unreadable)).unwrap_err().kind,
            Kind::BodyTooLarge
        );
    }

    #[test]
    fn a_body_that_turns_out_too_large_is_not_read_on() {
        let mut pieces = 0;
        let endless = StreamBody::new(futures::stream::poll_fn(|_| {
            pieces += 1;
            std::task::Poll::Ready(Some(Ok::<_, String>(http_body::Frame::data(Bytes::from(
                vec![b' '; 300_000],
            )))))
        }));
        assert_eq!(
            run(body(&HeaderMap::new(), endless)).unwrap_err().kind,
            Kind::BodyTooLarge
        );
        assert_eq!(pieces, 4);
    }

    #[test]
    fn a_body_in_pieces_is_put_together() {
        let pieces =
            ["{\"a\"", ": ", "1}"].map(|piece| Ok::<_, String>(http_body::Frame::data(Bytes::from(piece))));
        let whole = run(body(
            &HeaderMap::new(),
            StreamBody::new(futures::stream::iter(pieces)),
        ))
        .unwrap();
        assert_eq!(whole, "{\"a\": 1}");
        let largest = Full::new(Bytes::from(vec![b' '; MAX_BODY]));
        assert_eq!(run(body(&HeaderMap::new(), largest)).unwrap().len(), MAX_BODY);
    }

    #[test]
    fn only_json_is_taken_for_json() {
        let check = |value: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert("content-type", HeaderValue::from_static(value));
            }
            require_json(&headers).is_ok()
        };
        for good in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/vnd.x+json",
        ] {
            assert!(check(Some(good)), "{good}");
        }
        for bad in [
            None,
            Some("text/plain"),
            Some("application/jsonp"),
            Some("+json"),
            Some("text/plain; +json"),
        ] {
            assert!(!check(bad), "{bad:?}");
        }
    }

    #[test]
    fn events_come_when_they_are_wanted_at_least_as_much_as_json() {
        let wants = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("accept", HeaderValue::from_static(value));
            wants_events(&headers)
        };
        assert!(wants("text/event-stream"));
        assert!(wants("application/json, text/event-stream"));
        assert!(!wants("*/*"));
        assert!(!wants("application/json, text/event-stream;q=0.5"));
        assert!(!wants("text/event-stream;q=0"));
        assert!(!wants_events(&HeaderMap::new()));
    }
}
