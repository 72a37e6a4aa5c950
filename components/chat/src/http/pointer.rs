//! From a place in a JSON text to the JSON pointer (RFC 6901) of the value that is there.
//!
//! A parser that reads straight into types tells line and column of what it does not like. The text is gone through
//! once more to find the field's name, but only when something is wrong: keeping track of it while parsing would cost
//! every request, and a second copy of every parser.

/// A list or an object that is open at the place, and where in it the place is.
enum Open {
    List(usize),
    Object(String),
}

/// The pointer to the value that ends at a line and column (both from 1; a column counts bytes), as serde_json tells
/// them. The text must be JSON up to there.
#[must_use]
pub fn at(text: &[u8], line: usize, column: usize) -> String {
    let before: usize = text
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let text = text.get(..(before + column).min(text.len())).unwrap_or_default();
    let mut open = Vec::new();
    let mut rest = text;
    let mut after_colon = false;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'{' => open.push(Open::Object(String::new())),
            b'[' => open.push(Open::List(0)),
            b'}' | b']' => {
                open.pop();
            }
            b',' => {
                if let Some(Open::List(index)) = open.last_mut() {
                    *index += 1;
                }
            }
            b'"' => {
                let end = string_end(rest);
                if let (false, Some(Open::Object(key))) = (after_colon, open.last_mut()) {
                    *key = unescaped(rest.get(..end).unwrap_or_default());
                }
                rest = rest.get(end + 1..).unwrap_or_default();
            }
            _ => {}
        }
        after_colon = match byte {
            b':' => true,
            b' ' | b'\n' | b'\r' | b'\t' => after_colon,
            _ => false,
        };
    }
    let mut pointer = String::new();
    for place in open {
        pointer.push('/');
        match place {
            Open::List(index) => pointer.push_str(&index.to_string()),
            Open::Object(key) => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
        }
    }
    pointer
}

/// Where the quotation mark is that ends a string.
fn string_end(text: &[u8]) -> usize {
    let mut escaped = false;
    for (i, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return i,
            _ => {}
        }
    }
    text.len()
}

/// A key as it is meant. One with escapes is rare, and parsed.
fn unescaped(key: &[u8]) -> String {
    let key = String::from_utf8_lossy(key);
    if key.contains('\\') {
        anyturn_json::from_slice(format!("\"{key}\"").as_bytes()).unwrap_or_else(|_| key.into_owned())
    } else {
        key.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pointer to the value that ends where the text is marked with `|`.
    fn marked(text: &str) -> String {
        let (before, after) = text.split_once('|').unwrap();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap().len();
        at(format!("{before}{after}").as_bytes(), line, column)
    }

    #[test]
    fn a_place_is_found_whatever_is_around_it() {
        for (text, pointer) in [
            (r#"{"a": 5|}"#, "/a"),
            (r#"{"a"|: 5}"#, "/a"),
            (r#"{"a": 5}|"#, ""),
            (r#"5|"#, ""),
            (r#"{"a": [1, {"b": "c", "d": true|}]}"#, "/a/1/d"),
            (r#"{"a": [1, {"b": "c"}|]}"#, "/a/1"),
            (r#"{"a": {"x": "{[\",:"}, "b/c~": 1|}"#, "/b~1c~0"),
            (r#"{"a\"b": "x"|}"#, "/a\"b"),
            (r#"{"a": "b", "b": "a"|}"#, "/b"),
            ("{\n  \"a\": 1,\n  \"b\": [\n    2|]}", "/b/0"),
            (r#"[[], [[], 7|]]"#, "/1/1"),
        ] {
            assert_eq!(marked(text), pointer, "{text}");
        }
    }
}
