//! E-mail addresses, as far as an assistant has to know them.
//!
//! This is no parser of RFC 5322. It tells an address from a name, and refuses what a mail or calendar server could
//! take for more than one recipient.

/// The longest address (RFC 5321, 4.5.3.1.3, without the angle brackets).
pub const MAX_LENGTH: usize = 254;

/// An address in the form in which it is compared and written: trimmed and lower-case. None if the text is no one
/// address, such as a name, a list, or one with a name beside it.
///
/// ```
/// use anyturn_people::address::parse;
///
/// assert_eq!(parse(" Sarah.Chen@Northwind.example ").as_deref(), Some("sarah.chen@northwind.example"));
/// assert_eq!(parse("Sarah"), None);
/// assert_eq!(parse("a@b.example, c@d.example"), None);
/// ```
pub fn parse(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.split_once('@')?;
    let is_plain =
        |letter: char| !letter.is_whitespace() && !letter.is_control() && !r#"<>()[],;:\"@"#.contains(letter);
    let is_domain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part
                .chars()
                .all(|letter| letter.is_alphanumeric() || letter == '-')
    };
    let fits = text.len() <= MAX_LENGTH
        && !local.is_empty()
        && local.len() <= 64
        && local.chars().all(is_plain)
        && domain.contains('.')
        && domain.split('.').all(is_domain);
    fits.then(|| text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_one_address_is_none() {
        for text in [
            "",
            "sarah",
            "sarah@",
            "@northwind.example",
            "sarah@northwind",
            "sarah@north..example",
            "sarah@-northwind.example",
            "a@b@c.example",
            "a b@c.example",
            "a@b.example,c@d.example",
            "Sarah <sarah@northwind.example>",
            "a@b.example\r\nBcc: c@d.example",
            "mailto:a@b.example",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(parse(&format!("{}@b.example", "a".repeat(65))), None);
    }

    #[test]
    fn addresses_of_all_kinds_are_one() {
        for text in [
            "a.b+c@d.example",
            "o'brien@x.co.uk",
            "jörg@müller.example",
            "x_y-z=1@sub.d-e.example",
        ] {
            assert_eq!(parse(text).as_deref(), Some(text));
        }
    }
}
