//! The methods of the API.

use http::Method;
use serde_json::{Value, json};

use super::{Mailbox, Target, decode, encode, mime, search};
use crate::{Answer, Request};

/// The present time of a mailbox, for what is made in it: later than all that came before.
fn later(mailbox: &Mailbox) -> i64 {
    mailbox
        .messages
        .values()
        .map(|message| message.date)
        .max()
        .unwrap_or(0)
        + 1000
}

pub(super) fn answer(
    mailbox: &mut Mailbox,
    account: &str,
    request: &Request,
    target: Target<'_>,
    is_upload: bool,
) -> Answer {
    match (target.0.as_str(), target.1) {
        ("GET", ["profile"]) => Answer::json(&json!({
            "emailAddress": account,
            "messagesTotal": mailbox.messages.len(),
            "threadsTotal": mailbox.messages.len(),
            "historyId": "1",
        })),
        ("GET", ["messages"]) => list(mailbox, request, "messages", |mailbox, id| {
            mailbox.messages.get(id).map(mime::reference)
        }),
        ("POST", ["messages", "batchModify"]) => batch_modify(mailbox, &request.json()),
        ("GET", ["messages", id]) => match mailbox.messages.get(*id) {
            None => Answer::not_found(),
            Some(message) => match mime::show(message, request) {
                Some(shown) => Answer::json(&shown),
                None => Answer::invalid("Invalid value for format"),
            },
        },
        ("GET", ["messages", id, "attachments", attachment]) => {
            let found = mailbox
                .messages
                .get(*id)
                .and_then(|message| mime::attachment(&message.raw, attachment));
            match found {
                None => Answer::not_found(),
                Some(bytes) => Answer::json(&json!({"size": bytes.len(), "data": encode(&bytes)})),
            }
        }
        ("POST", ["messages", id, "modify"]) => {
            let body = request.json();
            change(
                mailbox,
                id,
                &texts(&body, "addLabelIds"),
                &texts(&body, "removeLabelIds"),
            )
        }
        ("POST", ["messages", id, "trash"]) => {
            change(mailbox, id, &["TRASH".to_owned()], &["INBOX".to_owned()])
        }
        ("POST", ["messages", id, "untrash"]) => change(mailbox, id, &[], &["TRASH".to_owned()]),
        ("GET", ["threads", id]) => {
            let messages: Vec<Value> = mailbox
                .messages
                .values()
                .filter(|message| message.thread == *id)
                .filter_map(|message| mime::show(message, request))
                .collect();
            if messages.is_empty() {
                return Answer::not_found();
            }
            Answer::json(&json!({"id": id, "historyId": "1", "messages": messages}))
        }
        ("GET", ["labels"]) => {
            let labels: Vec<Value> = mailbox
                .label_names()
                .map(|(id, name)| json!({"id": id, "name": name, "type": if id == name {"system"} else {"user"}}))
                .collect();
            Answer::json(&json!({"labels": labels}))
        }
        ("POST", ["labels"]) => create_label(mailbox, &request.json()),
        ("GET", ["drafts"]) => list(mailbox, request, "drafts", |mailbox, id| {
            let (draft, _) = mailbox.drafts.iter().find(|(_, message)| *message == id)?;
            let message = mailbox.messages.get(id)?;
            Some(json!({"id": draft, "message": mime::reference(message)}))
        }),
        ("POST", ["drafts"]) => create_draft(mailbox, request, is_upload),
        ("POST", ["drafts", "send"]) => send_draft(mailbox, &request.json()),
        ("DELETE", ["drafts", id]) => match mailbox.drafts.remove(*id) {
            None => Answer::not_found(),
            Some(message) => {
                mailbox.messages.remove(&message);
                Answer::empty()
            }
        },
        _ if *target.0 == Method::GET || *target.0 == Method::POST => Answer::not_found(),
        _ => Answer::error(405, "httpMethodNotAllowed", "Method not allowed"),
    }
}

fn texts(body: &Value, name: &str) -> Vec<String> {
    let list = body
        .get(name)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    list.iter()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// A page of a list: `maxResults`, `pageToken`, `q`, `labelIds`, `includeSpamTrash`.
fn list(
    mailbox: &Mailbox,
    request: &Request,
    name: &str,
    show: impl Fn(&Mailbox, &str) -> Option<Value>,
) -> Answer {
    let size = match request.parameter("maxResults").map(str::parse::<usize>) {
        None => 100,
        Some(Ok(size @ 1..=500)) => size,
        Some(_) => return Answer::invalid("Invalid maxResults"),
    };
    let start = match request.parameter("pageToken").map(page_start) {
        None => 0,
        Some(Some(start)) => start,
        Some(None) => return Answer::invalid("Invalid pageToken"),
    };
    let found = search::find(mailbox, request);
    let shown: Vec<Value> = found.iter().filter_map(|id| show(mailbox, id)).collect();
    let page: Vec<Value> = shown.iter().skip(start).take(size).cloned().collect();
    // An estimate it is: Gmail's is rarely right for more than a page.
    let mut body = json!({"resultSizeEstimate": page.len()});
    if !page.is_empty() {
        body[name] = json!(page);
    }
    if start + size < shown.len() {
        body["nextPageToken"] = json!(format!("0{}", (start + size) * 7919));
    }
    Answer::json(&body)
}

fn page_start(token: &str) -> Option<usize> {
    let number: usize = token.strip_prefix('0')?.parse().ok()?;
    number.is_multiple_of(7919).then_some(number / 7919)
}

fn batch_modify(mailbox: &mut Mailbox, body: &Value) -> Answer {
    let ids = texts(body, "ids");
    let (add, remove) = (texts(body, "addLabelIds"), texts(body, "removeLabelIds"));
    if ids.is_empty() || ids.len() > 1000 {
        return Answer::invalid("Invalid ids: 1 to 1000 are required");
    }
    if let Some(refused) = refuse(mailbox, &add, &remove) {
        return refused;
    }
    for id in ids {
        change(mailbox, &id, &add, &remove);
    }
    Answer::empty()
}

/// Why labels cannot be changed by hand.
fn refuse(mailbox: &Mailbox, add: &[String], remove: &[String]) -> Option<Answer> {
    if add.is_empty() && remove.is_empty() {
        return Some(Answer::invalid("No label add or removes specified"));
    }
    let all = add.iter().chain(remove);
    let wrong = all
        .into_iter()
        .find(|label| !mailbox.knows_label(label) || matches!(label.as_str(), "SENT" | "DRAFT" | "CHAT"))?;
    Some(Answer::invalid(&format!("Invalid label: {wrong}")))
}

fn change(mailbox: &mut Mailbox, id: &str, add: &[String], remove: &[String]) -> Answer {
    if let Some(refused) = refuse(mailbox, add, remove) {
        return refused;
    }
    let Some(message) = mailbox.messages.get_mut(id) else {
        return Answer::not_found();
    };
    message.labels.extend(add.iter().cloned());
    message.labels.retain(|label| !remove.contains(label));
    let mut shown = mime::reference(message);
    shown["labelIds"] = json!(message.labels);
    Answer::json(&shown)
}

fn create_label(mailbox: &mut Mailbox, body: &Value) -> Answer {
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() || name.len() > 225 {
        return Answer::invalid("Invalid label name");
    }
    let is_known = mailbox
        .label_names()
        .any(|(_, known)| known.eq_ignore_ascii_case(name));
    if is_known {
        return Answer::error(409, "aborted", "Label name exists or conflicts");
    }
    let id = mailbox.label(name);
    Answer::json(
        &json!({"id": id, "name": name, "messageListVisibility": "show", "labelListVisibility": "labelShow"}),
    )
}

fn create_draft(mailbox: &mut Mailbox, request: &Request, is_upload: bool) -> Answer {
    let (about, raw) = if is_upload {
        match mime::upload(request) {
            Some(parts) => parts,
            None => return Answer::invalid("Malformed multipart body."),
        }
    } else {
        let about = request.json();
        let raw = about["message"]["raw"].as_str().and_then(decode);
        match raw {
            Some(raw) => (about, raw),
            None => {
                return Answer::invalid(
                    "'raw' RFC822 payload message string or uploading message via /upload/* URL required",
                );
            }
        }
    };
    let thread = about["message"]["threadId"].as_str();
    if let Some(thread) = thread
        && !mailbox.messages.values().any(|message| message.thread == thread)
    {
        return Answer::not_found();
    }
    let date = later(mailbox);
    let id = mailbox.put(raw, date, ["DRAFT".to_owned()].into(), thread);
    let draft = format!("r{}", mailbox.issued * 104_729);
    mailbox.drafts.insert(draft.clone(), id.clone());
    let message = mailbox.messages.get(&id).map(mime::reference);
    Answer::json(&json!({"id": draft, "message": message}))
}

/// The draft goes, and its message comes back as another one that was sent.
fn send_draft(mailbox: &mut Mailbox, body: &Value) -> Answer {
    let draft = body.get("id").and_then(Value::as_str).unwrap_or_default();
    let Some(message) = mailbox
        .drafts
        .get(draft)
        .and_then(|message| mailbox.messages.get(message))
        .cloned()
    else {
        return Answer::not_found();
    };
    if mime::recipients(&message.raw) == 0 {
        return Answer::error(400, "invalidArgument", "Recipient address required");
    }
    mailbox.drafts.remove(draft);
    mailbox.messages.remove(&message.id);
    let date = later(mailbox);
    let id = mailbox.put(
        message.raw,
        date,
        ["SENT".to_owned()].into(),
        Some(&message.thread),
    );
    let sent = mailbox.messages.get(&id).map(|message| {
        let mut shown = mime::reference(message);
        shown["labelIds"] = json!(message.labels);
        shown
    });
    Answer::json(&json!(sent))
}
