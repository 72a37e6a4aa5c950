//! Says which field of a JSON object is wrong, from nothing but serde's message and where it stopped: type by
//! type code for it would be linked once for every type that is read.

use serde::Serialize;
use serde::de::IgnoredAny;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct FieldError {
    /// The field's name, in the body or in the query.
    pub field: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl FieldError {
    /// An error of this field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> FieldError {
        FieldError {
            field: field.into(),
            message: message.into(),
        }
    }

    /// Whether a text is no JSON at all. An error's own category does not tell: serde_json calls a number in
    /// the place of a word a mistake of syntax.
    pub fn is_malformed(text: &str) -> bool {
        anyturn_json::from_str::<IgnoredAny>(text).is_err()
    }

    /// The field in which reading a JSON object failed. The field's name is `body` when it is none: the text
    /// is no JSON, or no object.
    pub fn of_json(text: &str, error: &serde_json::Error) -> FieldError {
        let whole = error.to_string();
        let message = whole.split(" at line ").next().unwrap_or(&whole).to_owned();
        let field = if FieldError::is_malformed(text) {
            None
        } else {
            quoted(&message, "missing field `")
                .or_else(|| quoted(&message, "unknown field `"))
                .or_else(|| key_before(text, error.line(), error.column()))
        };
        FieldError {
            field: field.unwrap_or_else(|| "body".to_owned()),
            message,
        }
    }
}

fn quoted(message: &str, before: &str) -> Option<String> {
    message
        .strip_prefix(before)?
        .split_once('`')
        .map(|(name, _)| name.to_owned())
}

/// The last key of the outermost object before a place in the text.
fn key_before(text: &str, line: usize, column: usize) -> Option<String> {
    let line_start: usize = text
        .split_inclusive('\n')
        .take(line.checked_sub(1)?)
        .map(str::len)
        .sum();
    let before = text
        .as_bytes()
        .get(..line_start.saturating_add(column).min(text.len()))?;
    let mut depth = 0_usize;
    let mut is_key = false;
    let mut key = None;
    let mut position = 0;
    while let Some(byte) = before.get(position) {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                is_key = depth == 1;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => is_key = depth == 1,
            b':' => is_key = false,
            b'"' => {
                let start = position;
                position += 1;
                while let Some(byte) = before.get(position).filter(|byte| **byte != b'"') {
                    position += if *byte == b'\\' { 2 } else { 1 };
                }
                if is_key {
                    key = text
                        .get(start..=position)
                        .and_then(|key| anyturn_json::from_str(key).ok())
                        .or(key);
                    is_key = false;
                }
            }
            _ => {}
        }
        position += 1;
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only how reading it fails is of interest")]
    struct Sample {
        title: String,
        #[serde(default)]
        tags: Vec<String>,
        count: Option<u8>,
        size: Option<Size>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Size {
        Small,
    }

    fn field_of(text: &str) -> (String, String) {
        let error = serde_json::from_str::<Sample>(text).unwrap_err();
        let FieldError { field, message } = FieldError::of_json(text, &error);
        (field, message)
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        for (text, field) in [
            (r#"{}"#, "title"),
            (r#"{"titel":"a"}"#, "titel"),
            (r#"{"title":5}"#, "title"),
            (r#"{"title":"a","tags":["x",{"y":[1]}]}"#, "tags"),
            ("{\n  \"title\": \"a \\\" b\",\n  \"count\": 300\n}", "count"),
            (r#"{"count":-1,"title":"a"}"#, "count"),
            (r#"{"title":"a","count":"b"}"#, "count"),
            (r#"{"size":1,"title":"a"}"#, "size"),
            (r#"{"size":"big","title":"a"}"#, "size"),
            (r#"{"title":"a""#, "body"),
            ("[1]", "body"),
            ("", "body"),
            ("7", "body"),
        ] {
            assert_eq!(field_of(text).0, field, "{text}");
        }
    }

    #[test]
    fn the_message_says_what_would_be_right() {
        assert_eq!(
            field_of(r#"{"title":5}"#).1,
            "invalid type: integer `5`, expected a string"
        );
        assert!(
            field_of(r#"{"titel":""}"#)
                .1
                .ends_with("expected one of `title`, `tags`, `count`, `size`")
        );
    }
}
