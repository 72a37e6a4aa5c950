//! The pages that a browser sees at the end of a flow: plain, without a script, and with everything escaped.

/// A page with a heading and text.
pub(crate) fn page(title: &str, text: &str, links: &[(&str, &str)]) -> String {
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{title}</title><style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;\
         padding:0 1rem;color-scheme:light dark}}a{{display:inline-block;margin:0 1rem 0 0}}</style>\
         <h1>{title}</h1><p>{text}</p>",
        title = escaped(title),
        text = escaped(text),
    );
    for (name, address) in links {
        page.push_str(&format!("<a href=\"{}\">{}</a>", escaped(address), escaped(name)));
    }
    page
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_becomes_markup() {
        let page = page(
            "a<b",
            "\"x\" & 'y' <script>",
            &[("go", "https://a.example/?x=\"><script>")],
        );
        assert_eq!(page.matches("<script").count(), 0, "{page}");
        assert!(page.contains("<h1>a&lt;b</h1>"), "{page}");
    }
}
