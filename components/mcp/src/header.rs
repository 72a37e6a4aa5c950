//! The protocol's HTTP headers (2026-07-28, "Request Metadata"; 2025-11-25, "Transports").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::HeaderName;
use std::borrow::Cow;

/// Which revision a request speaks.
pub const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// Repeats a request's method.
pub const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// Repeats the name of the tool that is called.
pub const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// A session that a server of 2025-11-25 or earlier may have given out.
pub const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// What the headers begin with that repeat a tool's arguments.
pub const PARAM_PREFIX: &str = "mcp-param-";

const OPENING: &str = "=?base64?";
const CLOSING: &str = "?=";

/// Encodes a text as the value of a header: as it is where that is safe, else in Base64 between markers.
pub fn encode(text: &str) -> HeaderValue {
    if is_plain(text)
        && let Ok(value) = HeaderValue::from_str(text)
    {
        return value;
    }
    let encoded = format!("{OPENING}{}{CLOSING}", STANDARD.encode(text));
    // Base64 and its markers are visible ASCII, so this cannot fail; an empty value would be refused by
    // the server as a mismatch.
    HeaderValue::try_from(encoded).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The text that a header's value stands for; `None` when it breaks the encoding.
pub fn decode(value: &HeaderValue) -> Option<Cow<'_, str>> {
    let text = value.to_str().ok()?;
    match text
        .strip_prefix(OPENING)
        .and_then(|rest| rest.strip_suffix(CLOSING))
    {
        None => Some(Cow::Borrowed(text)),
        Some(encoded) => {
            let bytes = STANDARD.decode(encoded).ok()?;
            String::from_utf8(bytes).ok().map(Cow::Owned)
        }
    }
}

fn is_plain(text: &str) -> bool {
    let edge_is_blank = text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
    let is_marked = text.starts_with(OPENING) && text.ends_with(CLOSING);
    !edge_is_blank && !is_marked && text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's own table.
    #[test]
    fn values_are_encoded_as_the_specification_shows() {
        for (text, wire) in [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ] {
            let value = encode(text);
            assert_eq!(value, wire);
            assert_eq!(decode(&value).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_broken_encoding_stands_for_nothing() {
        assert_eq!(decode(&HeaderValue::from_static("=?base64?***?=")), None);
        assert_eq!(decode(&HeaderValue::from_static("=?base64?/w==?=")), None);
    }
}
