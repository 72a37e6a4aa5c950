//! Names that any text can be turned into, within the alphabet of `anyturn:state`.

use std::fmt::Write as _;

/// Turns a text into a name: ASCII letters, digits and `. _ ~ : @ + -` stay, every other byte becomes `=` and
/// two hexadecimal digits. Different texts give different names.
///
/// ```
/// assert_eq!(anyturn_tool_sdk::escape("ann@example.com"), "ann@example.com");
/// assert_eq!(anyturn_tool_sdk::escape("a/b=ü"), "a=2Fb=3D=C3=BC");
/// ```
pub fn escape(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'~' | b':' | b'@' | b'+' | b'-' => {
                name.push(char::from(byte));
            }
            // Writing to a String cannot fail.
            other => {
                let _ = write!(name, "={other:02X}");
            }
        }
    }
    name
}
