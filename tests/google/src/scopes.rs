//! Which access every method takes: one of the scopes that its page in Google's reference names under "Authorization",
//! as far as anyturn could ask for them.

use http::Method;

use crate::Request;

/// What the people who have connected their accounts have allowed, unless [`crate::FakeGoogle::allow`] says otherwise:
/// what the component `accounts` asks for.
pub const CONNECTED: [&str; 5] = [
    "https://www.googleapis.com/auth/gmail.modify",
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.freebusy",
    "https://www.googleapis.com/auth/contacts.readonly",
    "https://www.googleapis.com/auth/contacts.other.readonly",
];

/// What scopes begin with; all but one.
const PREFIX: &str = "https://www.googleapis.com/auth/";
/// All of Gmail.
const MAIL: &str = "https://mail.google.com/";

/// Whether one of the scopes that the request takes is among those that its access token has.
pub(crate) fn suffice(request: &Request) -> bool {
    let path = request.path.trim_start_matches("/upload");
    let needed = if let Some(path) = path.strip_prefix("/gmail/v1/users/") {
        gmail(&request.method, path.split_once('/').map_or("", |(_, rest)| rest))
    } else if let Some(path) = path.strip_prefix("/calendar/v3/") {
        calendar(&request.method, path)
    } else if let Some(path) = path.strip_prefix("/v1/") {
        people(path)
    } else {
        return true;
    };
    let has = |scope: &str| request.scopes.iter().any(|granted| granted == scope);
    let is_mail = path.starts_with("/gmail/");
    needed.iter().any(|scope| has(&format!("{PREFIX}{scope}"))) || is_mail && has(MAIL)
}

fn gmail(method: &Method, path: &str) -> &'static [&'static str] {
    let is_read = *method == Method::GET;
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["profile"] => &[
            "gmail.modify",
            "gmail.compose",
            "gmail.readonly",
            "gmail.metadata",
        ],
        ["labels", ..] if is_read => &["gmail.modify", "gmail.readonly", "gmail.labels", "gmail.metadata"],
        ["labels", ..] => &["gmail.modify", "gmail.labels"],
        ["drafts", ..] if is_read => &["gmail.modify", "gmail.compose", "gmail.readonly"],
        ["drafts", ..] => &["gmail.modify", "gmail.compose"],
        ["messages", "send"] => &["gmail.modify", "gmail.compose", "gmail.send"],
        ["messages", "batchDelete"] => &[],
        ["messages" | "threads", _] if *method == Method::DELETE => &[],
        _ if is_read => &["gmail.modify", "gmail.readonly"],
        _ => &["gmail.modify"],
    }
}

fn calendar(method: &Method, path: &str) -> &'static [&'static str] {
    let is_read = *method == Method::GET;
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["freeBusy"] => &[
            "calendar",
            "calendar.readonly",
            "calendar.freebusy",
            "calendar.events.freebusy",
        ],
        ["calendars", _, "events", ..] if is_read => &[
            "calendar",
            "calendar.readonly",
            "calendar.events",
            "calendar.events.readonly",
            "calendar.events.owned",
            "calendar.events.owned.readonly",
        ],
        ["calendars", _, "events", ..] => &["calendar", "calendar.events", "calendar.events.owned"],
        ["calendars", ..] if is_read => &[
            "calendar",
            "calendar.readonly",
            "calendar.calendars",
            "calendar.calendars.readonly",
        ],
        ["users", "me", "calendarList", ..] if is_read => &[
            "calendar",
            "calendar.readonly",
            "calendar.calendarlist",
            "calendar.calendarlist.readonly",
        ],
        _ => &["calendar"],
    }
}

fn people(path: &str) -> &'static [&'static str] {
    match path {
        "otherContacts" | "otherContacts:search" => &["contacts.other.readonly"],
        "people:batchGet" => &["contacts", "contacts.readonly", "contacts.other.readonly"],
        _ => &["contacts", "contacts.readonly"],
    }
}
