//! What Gmail shows of a message, as an e-mail: headers, text, attachments.

use anyturn_google::gmail::{Message, Part, decode};
use jiff::Timestamp;
use mail_parser::decoders::charsets::map::charset_decoder;

use crate::mail::{Address, Attachment, Mail, Summary};

/// Bytes of HTML that are read. A page as people send them takes a millisecond for each 100 KB; one that was made to take
/// long, of tags that never end, takes the square of its length.
const MAX_HTML: usize = 64 << 10;

/// What a list shows of a message. `name` tells what the user calls a label.
pub fn summary(message: &Message, name: impl Fn(&str) -> Option<String>) -> Summary {
    let header = |name: &str| {
        let payload = message.payload.as_ref();
        payload
            .and_then(|payload| payload.header(name))
            .unwrap_or_default()
    };
    Summary {
        id: message.id.clone(),
        thread: message.thread_id.clone(),
        from: Address::parse(header("From")),
        to: Address::parse_list(header("To")),
        subject: one_line(header("Subject")),
        date: message
            .internal_date
            .parse()
            .ok()
            .and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok())
            .unwrap_or_default(),
        snippet: unescaped(&message.snippet),
        labels: message
            .label_ids
            .iter()
            .map(|id| name(id).unwrap_or_else(|| id.clone()))
            .collect(),
    }
}

/// A whole message.
pub fn mail(message: &Message, name: impl Fn(&str) -> Option<String>) -> Mail {
    let nothing = Part::default();
    let payload = message.payload.as_ref().unwrap_or(&nothing);
    let list = |name: &str| Address::parse_list(payload.header(name).unwrap_or_default());
    let mut attachments = Vec::new();
    find_attachments(payload, &mut attachments);
    let mut is_cut = false;
    let body = text(payload, &mut is_cut);
    Mail {
        summary: summary(message, name),
        cc: list("Cc"),
        reply_to: list("Reply-To"),
        message_id: ids(payload, "Message-ID").pop().unwrap_or_default(),
        references: ids(payload, "References"),
        body: body.replace("\r\n", "\n").trim().to_owned(),
        is_cut,
        attachments,
    }
}

/// Message ids in a header, without angle brackets. What others wrote there and is no id is left out.
fn ids(payload: &Part, name: &str) -> Vec<String> {
    payload
        .header(name)
        .unwrap_or_default()
        .split(|letter: char| letter.is_whitespace() || matches!(letter, '<' | '>'))
        .filter(|id| id.contains('@') && id.len() <= 250 && id.bytes().all(|byte| byte.is_ascii_graphic()))
        .map(str::to_owned)
        .collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A snippet without the escapes that Gmail puts into it.
fn unescaped(snippet: &str) -> String {
    snippet
        .replace("&#39;", "'")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

fn is_attached(part: &Part) -> bool {
    !part.filename.is_empty()
}

fn find_attachments(part: &Part, found: &mut Vec<Attachment>) {
    if is_attached(part) {
        found.push(Attachment {
            name: part
                .filename
                .chars()
                .filter(|letter| !letter.is_control())
                .take(200)
                .collect(),
            media_type: part.mime_type.clone(),
            size: part.body.size,
            reference: part.body.attachment_id.clone().unwrap_or_default(),
        });
    }
    for part in &part.parts {
        find_attachments(part, found);
    }
}

/// What a part says: of alternatives the plain one, of several parts all of them. `is_cut` becomes true if it says more.
fn text(part: &Part, is_cut: &mut bool) -> String {
    if is_attached(part) {
        return String::new();
    }
    match part.mime_type.to_ascii_lowercase().as_str() {
        "multipart/alternative" => {
            let plain = part
                .parts
                .iter()
                .filter(|part| !part.mime_type.eq_ignore_ascii_case("text/html"));
            let plain: String = plain.map(|part| text(part, is_cut)).collect();
            if plain.trim().is_empty() {
                part.parts.iter().map(|part| text(part, is_cut)).collect()
            } else {
                plain
            }
        }
        "text/html" => from_html(&contents(part), is_cut),
        kind if kind.is_empty() || kind.starts_with("text/") => contents(part),
        _ => {
            let texts: Vec<String> = part.parts.iter().map(|part| text(part, is_cut)).collect();
            let texts: Vec<&str> = texts
                .iter()
                .map(|text| text.trim())
                .filter(|text| !text.is_empty())
                .collect();
            texts.join("\n\n")
        }
    }
}

/// A part's characters: Gmail passes most on as UTF-8, whatever the part says of itself; where it does not, the part is
/// believed.
fn contents(part: &Part) -> String {
    let bytes = decode(&part.body.data).unwrap_or_default();
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return text,
        Err(error) => error.into_bytes(),
    };
    let content_type = part
        .header("Content-Type")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let charset = content_type
        .split_once("charset=")
        .map_or("", |(_, rest)| rest.split([';', ' ']).next().unwrap_or_default())
        .trim_matches('"');
    match charset_decoder(charset.as_bytes()) {
        Some(decoder) => decoder(&bytes),
        None => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

/// What people see of a page, without what only a browser makes something of.
fn from_html(html: &str, is_cut: &mut bool) -> String {
    let is_longer = html.len() > MAX_HTML;
    *is_cut |= is_longer;
    let mut end = html.len().min(MAX_HTML);
    while !html.is_char_boundary(end) {
        end -= 1;
    }
    // Not in the middle of a tag, half of which would be read as text.
    let mut html = html.get(..end).unwrap_or_default();
    if is_longer
        && let Some((whole, tag)) = html.rsplit_once('<')
        && !tag.contains('>')
    {
        html = whole;
    }
    nanohtml2text::html2text(html)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn encoded(bytes: &[u8]) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let mut group = [0_u8; 3];
            group[..chunk.len()].copy_from_slice(chunk);
            let number = u32::from_be_bytes([0, group[0], group[1], group[2]]);
            for place in 0..=chunk.len() {
                let index = (number >> (18 - 6 * place)) & 63;
                text.push(char::from(ALPHABET[index as usize]));
            }
        }
        text
    }

    fn part(kind: &str, charset: &str, bytes: &[u8]) -> Value {
        json!({
            "mimeType": kind, "filename": "",
            "headers": [{"name": "content-type", "value": format!("{kind}; charset=\"{charset}\"; format=flowed")}],
            "body": {"size": bytes.len(), "data": encoded(bytes)},
        })
    }

    fn body(payload: Value) -> String {
        let message = json!({"id": "1", "internalDate": "1795168800000", "payload": payload});
        let message: Message = serde_json::from_value(message).unwrap();
        mail(&message, |_| None).body
    }

    #[test]
    fn of_alternatives_the_plain_one_is_read_unless_it_is_empty() {
        let html = part("text/html", "utf-8", b"<p>Hello <b>you</b></p>");
        let both = |plain: &[u8]| json!({"mimeType": "multipart/alternative", "parts": [part("text/plain", "utf-8", plain), html.clone()]});
        assert_eq!(body(both(b"plain")), "plain");
        assert_eq!(body(both(b" \r\n")), "Hello you");
    }

    #[test]
    fn of_a_page_only_what_people_see_is_read() {
        let html = b"<html><head><title>T</title><style>p{color:red}</style></head><body><style>.x{}</style>\
            <script>alert(1)</script><p>One &amp; two</p><!-- hidden --><p>Three<br>four</p>\
            <img src='https://tracker.example/x.gif'><a href='https://a.example'>link</a></body></html>";
        let text = body(part("text/html", "utf-8", html));
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines, ["One & two", "Three", "four", "link (https://a.example)"]);
    }

    #[test]
    fn of_a_page_that_is_too_long_the_beginning_is_read_and_it_is_known() {
        let page = |bytes: usize| {
            let row = "<tr><td>One</td></tr>";
            let payload = part("text/html", "utf-8", row.repeat(bytes / row.len()).as_bytes());
            let plain = part("text/plain", "utf-8", b"plain");
            let both = json!({"mimeType": "multipart/alternative", "parts": [plain, payload.clone()]});
            [payload, both].map(|payload| {
                let message = json!({"id": "1", "internalDate": "1795168800000", "payload": payload});
                let message: Message = serde_json::from_value(message).unwrap();
                mail(&message, |_| None).is_cut
            })
        };
        assert_eq!(page(MAX_HTML), [false, false]);
        // Where there is a plain text beside it, nothing is missing.
        assert_eq!(page(MAX_HTML + 1000), [true, false]);
    }

    #[test]
    fn a_charset_is_believed_where_the_bytes_are_not_utf_8() {
        assert_eq!(body(part("text/plain", "iso-8859-1", b"caf\xe9")), "café");
        assert_eq!(body(part("text/plain", "windows-1252", b"\x80 5")), "€ 5");
        assert_eq!(body(part("text/plain", "iso-8859-1", "café".as_bytes())), "café");
        assert_eq!(body(part("text/plain", "no-such", b"caf\xe9")), "caf\u{fffd}");
    }

    #[test]
    fn attachments_are_named_and_not_read() {
        let payload = json!({"mimeType": "multipart/mixed", "parts": [
            part("text/plain", "utf-8", b"see attachment"),
            {"mimeType": "text/plain", "filename": "notes.txt", "body": {"attachmentId": "a1", "size": 12}},
            {"mimeType": "multipart/related", "parts": [part("text/html", "utf-8", b"<p>second</p>")]},
        ]});
        let message = json!({"id": "1", "payload": payload});
        let mail = mail(&serde_json::from_value(message).unwrap(), |_| None);
        assert_eq!(mail.body, "see attachment\n\nsecond");
        let [attachment] = mail.attachments.as_slice() else {
            panic!("{:?}", mail.attachments)
        };
        assert_eq!(
            (
                attachment.name.as_str(),
                attachment.reference.as_str(),
                attachment.size
            ),
            ("notes.txt", "a1", 12)
        );
    }

    #[test]
    fn ids_that_others_wrote_cannot_end_a_header() {
        let payload = json!({"headers": [
            {"name": "References", "value": "<a@x.example> <b@x.example>\r\nBcc: evil@x.example <c d@x.example>"},
            {"name": "Message-Id", "value": "<m@x.example>"},
            {"name": "Subject", "value": "a\r\n b"},
        ]});
        let message = json!({"id": "1", "snippet": "It&#39;s &lt;b&gt; &amp;amp;", "payload": payload});
        let mail = mail(&serde_json::from_value(message).unwrap(), |_| None);
        assert_eq!(
            mail.references,
            ["a@x.example", "b@x.example", "evil@x.example", "d@x.example"]
        );
        assert_eq!(mail.message_id, "m@x.example");
        assert_eq!(mail.summary.subject, "a b");
        assert_eq!(mail.summary.snippet, "It's <b> &amp;");
    }

    #[test]
    fn an_empty_message_is_an_empty_mail() {
        assert_eq!(body(json!({})), "");
        assert_eq!(body(Value::Null), "");
    }
}
