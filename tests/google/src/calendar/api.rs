//! What the API answers.

use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Calendars, attendees, is_cancelled, merge, moment, moments};
use crate::{Answer, Request};

/// Calendars of one `freeBusy.query`.
const ASKED_AT_ONCE: usize = 50;
/// The largest page of `events.list`.
const LARGEST_PAGE: usize = 2500;

impl Calendars {
    /// Answers a request, if it is for this API.
    pub(crate) fn answer(&mut self, request: &Request) -> Option<Answer> {
        let path = request.after("/calendar/v3/")?;
        let account = request.account.clone()?;
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        Some(match (request.method.as_str(), path.as_slice()) {
            ("GET", ["calendars", "primary"]) => Answer::json(&json!({
                "kind": "calendar#calendar", "etag": "\"1\"", "id": account, "summary": account, "timeZone": "UTC",
            })),
            ("POST", ["freeBusy"]) => self.free_busy(request, &account),
            ("GET", ["calendars", "primary", "events"]) => self.list(request, &account),
            ("POST", ["calendars", "primary", "events"]) => self.insert(request, &account),
            (_, ["calendars", "primary", "events", id]) => self.one(request, &account, id),
            _ => Answer::error(404, "notFound", "Not Found"),
        })
    }

    fn list(&self, request: &Request, account: &str) -> Answer {
        let single = request.parameter("singleEvents") == Some("true");
        if request.parameter("orderBy") == Some("startTime") && !single {
            let message = "The requested ordering is not available for the particular query.";
            return Answer::error(400, "badRequest", message);
        }
        let bound = |name: &str| request.parameter(name).map(str::parse::<Timestamp>).transpose();
        let (Ok(from), Ok(to)) = (bound("timeMin"), bound("timeMax")) else {
            return Answer::error(400, "badRequest", "Bad Request");
        };
        let words = request.parameter("q").unwrap_or_default().to_lowercase();
        let fits = |event: &&Value| {
            let lies = moments(event).is_some_and(|(start, end)| {
                from.is_none_or(|from| end > from) && to.is_none_or(|to| start < to)
            });
            let text = event.to_string().to_lowercase();
            lies && !is_cancelled(event) && words.split_whitespace().all(|word| text.contains(word))
        };
        let calendar = self.calendars.get(account);
        let mut events: Vec<&Value> = calendar
            .map(|calendar| calendar.events.values().filter(fits).collect())
            .unwrap_or_default();
        events.sort_by_key(|event| moments(event));
        let asked = request
            .parameter("maxResults")
            .and_then(|most| most.parse().ok())
            .unwrap_or(250);
        let page = self.largest_page.unwrap_or(LARGEST_PAGE).min(asked).max(1);
        let first = match request.parameter("pageToken") {
            None => 0,
            Some(token) => match token.strip_prefix("page-").and_then(|token| token.parse().ok()) {
                Some(first) => first,
                None => return Answer::error(400, "invalid", "Invalid page token value."),
            },
        };
        let mut body = json!({
            "kind": "calendar#events", "etag": "\"1\"", "summary": account, "timeZone": "UTC", "accessRole": "owner",
            "items": events.iter().skip(first).take(page).collect::<Vec<_>>(),
        });
        if events.len() > first + page {
            body["nextPageToken"] = json!(format!("page-{}", first + page));
        }
        Answer::json(&body)
    }

    fn insert(&mut self, request: &Request, account: &str) -> Answer {
        let mut event = request.json();
        if let Some(refusal) = refused(&event) {
            return refusal;
        }
        if let Some(id) = event["id"].as_str() {
            let is_valid = (5..=1024).contains(&id.len())
                && id.bytes().all(|byte| matches!(byte, b'a'..=b'v' | b'0'..=b'9'));
            if !is_valid {
                return Answer::error(400, "invalid", "Invalid resource id value.");
            }
            let calendar = self.calendars.get(account);
            if calendar.is_some_and(|calendar| calendar.events.contains_key(id)) {
                return Answer::error(409, "duplicate", "The requested identifier already exists.");
            }
        }
        if let Some(asked) = event["conferenceData"]["createRequest"]["requestId"]
            .as_str()
            .map(str::to_owned)
        {
            drop(
                event
                    .as_object_mut()
                    .and_then(|event| event.remove("conferenceData")),
            );
            if request.parameter("conferenceDataVersion") == Some("1") {
                let link = format!("https://meet.google.com/{asked}");
                event["conferenceData"] = json!({
                    "conferenceId": asked, "entryPoints": [{"entryPointType": "video", "uri": link}],
                });
                event["hangoutLink"] = json!(link);
            }
        }
        invite(&mut event, account);
        let id = self.add(account, event);
        let made = self.shown(account, &id);
        self.tell(request, account, &made, "invitation");
        Answer::json(&made)
    }

    /// Reads, changes or deletes one event.
    fn one(&mut self, request: &Request, account: &str, id: &str) -> Answer {
        let mut event = self.shown(account, id);
        if event.is_null() {
            return Answer::error(404, "notFound", "Not Found");
        }
        if request.method == Method::GET {
            return Answer::json(&event);
        }
        let etag = request.header("if-match");
        if !etag.is_empty() && etag != "*" && event["etag"] != etag {
            return Answer::error(412, "conditionNotMet", "Precondition Failed");
        }
        let is_own = event["organizer"]["self"] == true;
        match request.method {
            Method::DELETE => {
                if is_cancelled(&event) {
                    return Answer::error(410, "deleted", "Resource has been deleted");
                }
                self.tell(request, account, &event, "cancellation");
                event["status"] = json!("cancelled");
                event["etag"] = json!(self.next_etag());
                self.spread(account, id, &event);
                Answer::empty()
            }
            Method::PATCH => {
                if !is_own {
                    let message = "Shared properties can only be changed by the organizer of the event.";
                    return Answer::error(403, "forbiddenForNonOrganizer", message);
                }
                merge(&mut event, &request.json());
                if let Some(refusal) = refused(&event) {
                    return refusal;
                }
                invite(&mut event, account);
                event["etag"] = json!(self.next_etag());
                event["sequence"] = json!(event["sequence"].as_u64().unwrap_or_default() + 1);
                self.spread(account, id, &event);
                let changed = self.shown(account, id);
                self.tell(request, account, &changed, "update");
                Answer::json(&changed)
            }
            _ => Answer::error(404, "notFound", "Not Found"),
        }
    }

    fn shown(&self, account: &str, id: &str) -> Value {
        let event = self
            .calendars
            .get(account)
            .and_then(|calendar| calendar.events.get(id));
        event.cloned().unwrap_or_default()
    }

    fn free_busy(&self, request: &Request, account: &str) -> Answer {
        let asked = request.json();
        let moment = |name: &str| {
            asked[name]
                .as_str()
                .and_then(|text| text.parse::<Timestamp>().ok())
        };
        let (Some(from), Some(to)) = (moment("timeMin"), moment("timeMax")) else {
            return Answer::error(400, "required", "Missing timeMin or timeMax parameter.");
        };
        if to <= from {
            return Answer::error(400, "timeRangeEmpty", "The specified time range is empty.");
        }
        let items = asked["items"].as_array().cloned().unwrap_or_default();
        if items.len() > ASKED_AT_ONCE {
            return Answer::error(400, "tooManyCalendarsRequested", "Too many calendars.");
        }
        let mut calendars = Map::new();
        for id in items.iter().filter_map(|item| item["id"].as_str()) {
            let owner = if id == "primary" { account } else { id };
            let calendar = self.calendars.get(owner);
            let seen = calendar.filter(|calendar| owner == account || calendar.shared_with.contains(account));
            let found = match seen {
                None if owner != account => {
                    json!({"errors": [{"domain": "global", "reason": "notFound"}], "busy": []})
                }
                _ => {
                    let events = seen.into_iter().flat_map(|calendar| calendar.events.values());
                    let busy = events.filter(|event| blocks(event, owner)).filter_map(|event| {
                        let (start, end) = moments(event)?;
                        (start < to && end > from).then(
                            || json!({"start": start.max(from).to_string(), "end": end.min(to).to_string()}),
                        )
                    });
                    json!({"busy": busy.collect::<Vec<_>>()})
                }
            };
            calendars.insert(id.to_owned(), found);
        }
        Answer::json(&json!({
            "kind": "calendar#freeBusy", "timeMin": asked["timeMin"], "timeMax": asked["timeMax"],
            "calendars": calendars,
        }))
    }
}

/// Whether an event keeps its owner from doing something else.
fn blocks(event: &Value, owner: &str) -> bool {
    let declined =
        attendees(event).any(|guest| guest["email"] == owner && guest["responseStatus"] == "declined");
    !is_cancelled(event) && event["transparency"] != "transparent" && !declined
}

/// Why an event cannot be as it is, if so.
fn refused(event: &Value) -> Option<Answer> {
    for side in ["start", "end"] {
        let value = &event[side];
        if value["date"].is_string() && value["dateTime"].is_string() {
            return Some(Answer::error(400, "invalid", "Invalid start time."));
        }
        if moment(value).is_none() {
            return Some(Answer::error(400, "required", &format!("Missing {side} time.")));
        }
    }
    let (start, end) = moments(event)?;
    if end < start {
        return Some(Answer::error(
            400,
            "timeRangeEmpty",
            "The specified time range is empty.",
        ));
    }
    let is_address = |guest: &Value| guest["email"].as_str().is_some_and(|email| email.contains('@'));
    if !attendees(event).all(is_address) {
        return Some(Answer::error(400, "invalid", "Invalid attendee email."));
    }
    None
}

/// Gives every guest an answer; the organizer comes.
fn invite(event: &mut Value, organizer: &str) {
    let Some(guests) = event.get_mut("attendees").and_then(Value::as_array_mut) else {
        return;
    };
    for guest in guests {
        if guest["responseStatus"].is_null() {
            let is_organizer = guest["email"] == organizer;
            guest["responseStatus"] = json!(if is_organizer { "accepted" } else { "needsAction" });
        }
    }
}
