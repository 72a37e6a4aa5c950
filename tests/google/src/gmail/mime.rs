//! What the API shows of a message: parsed from what was delivered.

use mail_parser::{Address, HeaderValue, MessageParser, MessagePart, MimeHeaders, PartType};
use serde_json::{Value, json};

use super::{Message, encode};
use crate::Request;

/// Characters of a snippet.
const SNIPPET: usize = 200;

fn parse(raw: &[u8]) -> mail_parser::Message<'_> {
    MessageParser::new().parse(raw).unwrap_or_default()
}

pub(super) fn message_id(raw: &[u8]) -> Option<String> {
    parse(raw).message_id().map(str::to_owned)
}

/// The message that this one answers.
pub(super) fn answered(raw: &[u8]) -> Option<String> {
    parse(raw).in_reply_to().as_text().map(str::to_owned)
}

pub(super) fn recipients(raw: &[u8]) -> usize {
    let message = parse(raw);
    [message.to(), message.cc(), message.bcc()]
        .into_iter()
        .flatten()
        .map(|addresses| addresses.iter().count())
        .sum()
}

pub(super) fn reference(message: &Message) -> Value {
    json!({"id": message.id, "threadId": message.thread})
}

/// A header's value, decoded; none if there is no such header.
pub(super) fn header(raw: &[u8], name: &str) -> Option<String> {
    let message = parse(raw);
    let header = message
        .headers()
        .iter()
        .find(|header| header.name().eq_ignore_ascii_case(name))?;
    Some(value(&message, header.name(), header.value()))
}

/// All that can be read in a message.
pub(super) fn text(raw: &[u8]) -> String {
    let message = parse(raw);
    let bodies = (0..message.text_body_count()).filter_map(|at| message.body_text(at));
    bodies.map(|body| body.into_owned() + "\n").collect()
}

pub(super) fn has_attachment(raw: &[u8]) -> bool {
    parse(raw)
        .attachments()
        .any(|part| part.attachment_name().is_some())
}

/// An attachment's contents.
pub(super) fn attachment(raw: &[u8], id: &str) -> Option<Vec<u8>> {
    let at: usize = id.strip_prefix("ANGjdJ_")?.parse().ok()?;
    Some(parse(raw).parts.get(at)?.contents().to_vec())
}

/// A message in the format that the request wants; none if there is no such format.
pub(super) fn show(message: &Message, request: &Request) -> Option<Value> {
    let mut shown = reference(message);
    shown["labelIds"] = json!(message.labels);
    shown["internalDate"] = json!(message.date.to_string());
    shown["sizeEstimate"] = json!(message.raw.len());
    shown["historyId"] = json!("1");
    shown["snippet"] = json!(snippet(&message.raw));
    let parsed = parse(&message.raw);
    match request.parameter("format").unwrap_or("full") {
        "minimal" => {}
        "raw" => shown["raw"] = json!(encode(&message.raw)),
        "full" => shown["payload"] = part(&parsed, 0, "")?,
        "metadata" => {
            let wanted: Vec<&str> = request.parameters("metadataHeaders").collect();
            let headers: Vec<Value> = parsed
                .headers()
                .iter()
                .filter(|header| {
                    wanted.is_empty() || wanted.iter().any(|name| name.eq_ignore_ascii_case(header.name()))
                })
                .map(|header| json!({"name": header.name(), "value": value(&parsed, header.name(), header.value())}))
                .collect();
            let kind = parsed.parts.first().map(kind).unwrap_or_default();
            shown["payload"] = json!({"mimeType": kind, "headers": headers});
        }
        _ => return None,
    }
    Some(shown)
}

/// The two parts of a `multipart/related` upload: what is said of the message, and the message.
pub(super) fn upload(request: &Request) -> Option<(Value, Vec<u8>)> {
    let content_type = request.header("content-type");
    let (kind, boundary) = content_type.split_once("boundary=")?;
    if request.parameter("uploadType") != Some("multipart") || !kind.starts_with("multipart/related") {
        return None;
    }
    let body = &request.body;
    let delimiter = format!("--{}", boundary.trim_matches('"'));
    let places: Vec<usize> = body
        .windows(delimiter.len())
        .enumerate()
        .filter(|(_, window)| *window == delimiter.as_bytes())
        .map(|(at, _)| at)
        .collect();
    let [first, second, end] = places.as_slice() else {
        return None;
    };
    let contents = |from: usize, to: usize| {
        let part = body.get(from + delimiter.len()..to)?;
        let start = part.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        part.get(start..part.len() - 2).map(<[u8]>::to_vec)
    };
    let about = serde_json::from_slice(&contents(*first, *second)?).ok()?;
    Some((about, contents(*second, *end)?))
}

fn snippet(raw: &[u8]) -> String {
    let text = text(raw);
    let words: Vec<&str> = text.split_whitespace().collect();
    let short: String = words.join(" ").chars().take(SNIPPET).collect();
    short
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

fn kind(part: &MessagePart<'_>) -> String {
    match part.content_type() {
        None => "text/plain".to_owned(),
        Some(found) => {
            let subtype = found.subtype().unwrap_or("plain");
            format!("{}/{subtype}", found.ctype()).to_lowercase()
        }
    }
}

fn part(message: &mail_parser::Message<'_>, at: usize, id: &str) -> Option<Value> {
    let part = message.parts.get(at)?;
    let headers: Vec<Value> = part
        .headers
        .iter()
        .map(|header| json!({"name": header.name(), "value": value(message, header.name(), header.value())}))
        .collect();
    let filename = part.attachment_name().unwrap_or_default();
    let mut shown = json!({
        "partId": id, "mimeType": kind(part), "filename": filename, "headers": headers,
    });
    if let PartType::Multipart(children) = &part.body {
        let parts: Vec<Value> = children
            .iter()
            .enumerate()
            .filter_map(|(number, child)| {
                let id = if id.is_empty() {
                    number.to_string()
                } else {
                    format!("{id}.{number}")
                };
                self::part(message, usize::try_from(*child).ok()?, &id)
            })
            .collect();
        shown["body"] = json!({"size": 0});
        shown["parts"] = json!(parts);
        return Some(shown);
    }
    let contents = part.contents();
    shown["body"] = if filename.is_empty() {
        json!({"size": contents.len(), "data": encode(contents)})
    } else {
        json!({"size": contents.len(), "attachmentId": format!("ANGjdJ_{at}")})
    };
    Some(shown)
}

/// A header's value in one line, without encoded words.
fn value(message: &mail_parser::Message<'_>, name: &str, value: &HeaderValue<'_>) -> String {
    match value {
        HeaderValue::Address(addresses) => in_words(addresses),
        HeaderValue::Text(text) => text.clone().into_owned(),
        _ => {
            let raw = message.header_raw(name.to_owned()).unwrap_or_default();
            raw.split_whitespace().collect::<Vec<_>>().join(" ")
        }
    }
}

fn in_words(addresses: &Address<'_>) -> String {
    let one = |address: &mail_parser::Addr<'_>| {
        let email = address.address().unwrap_or_default();
        match address.name() {
            None => email.to_owned(),
            Some(name) if name.contains([',', '"', '<', '@']) => {
                format!("\"{}\" <{email}>", name.replace('"', "\\\""))
            }
            Some(name) => format!("{name} <{email}>"),
        }
    };
    let all: Vec<String> = addresses.iter().map(one).collect();
    all.join(", ")
}
