//! What a user says, as both dialects read it: checked once, and then parts that the engine takes as they are.

use anyturn_engine::port::Part;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The media type of a picture that is given by its address. An address tells it by its ending, if at all; providers
/// fetch the picture and see for themselves.
fn media_type(url: &str) -> Option<&'static str> {
    if let Some(data) = url.strip_prefix("data:") {
        let given = data.split([';', ',']).next().unwrap_or_default();
        return ["image/png", "image/jpeg", "image/webp", "image/gif"]
            .into_iter()
            .find(|known| *known == given);
    }
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let ending = path
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    Some(match ending.as_deref() {
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("gif") => "image/gif",
        _ => "image/png",
    })
}

/// A picture by its address.
///
/// # Errors
/// What is wrong with the address.
pub fn image(url: &str) -> Result<Part, &'static str> {
    match url.strip_prefix("data:").map(|data| data.split_once(";base64,")) {
        Some(Some((_, data))) if !data.is_empty() && STANDARD.decode(data).is_ok() => {}
        None if url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty()) => {}
        _ => return Err("A picture's address begins with `https://`, or is a `data:` URL in Base64."),
    }
    let media_type =
        media_type(url).ok_or("A picture is of the type image/png, image/jpeg, image/webp or image/gif.")?;
    Ok(Part::Image {
        media_type: media_type.to_owned(),
        url: url.to_owned(),
    })
}

/// A text.
#[must_use]
pub fn text(text: impl Into<String>) -> Part {
    Part::Text { text: text.into() }
}

/// Whether there is anything in it to answer.
#[must_use]
pub fn is_empty(parts: &[Part]) -> bool {
    parts
        .iter()
        .all(|part| matches!(part, Part::Text { text } if text.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_an_address_and_a_type() {
        for (url, expected) in [
            ("https://x.example/a.JPG?s=1", "image/jpeg"),
            ("https://x.example/a", "image/png"),
            ("data:image/webp;base64,AAAA", "image/webp"),
        ] {
            let Part::Image { media_type, .. } = image(url).unwrap() else {
                panic!("no picture")
            };
            assert_eq!(media_type, expected, "{url}");
        }
        for bad in [
            "http://x.example/a.png",
            "https://",
            "file:///etc/passwd",
            "data:image/png,AA",
            "data:image/png;base64,A",
            "data:image/png;base64,",
            "data:text/html;base64,AAAA",
        ] {
            assert!(image(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn blanks_are_nothing_to_answer() {
        assert!(is_empty(&[text(" \n"), text("")]));
        assert!(!is_empty(&[text(""), image("https://x.example/a.png").unwrap()]));
    }
}
