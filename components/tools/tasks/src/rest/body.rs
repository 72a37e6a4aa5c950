//! Bodies of requests: read by types, checked field by field.
//!
//! `null` is what is left out in a new task, and in a change what is taken away (RFC 7396): a task without a due day,
//! tags or notes, or of normal priority. A title cannot be taken away.

use anyturn_tool_sdk::{ApiRequest, FieldError, Problem};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::date;
use crate::task::{Checked, Draft, Patch, Priority};

/// A new task.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    /// What is to be done.
    #[schemars(length(min = 1, max = 200))]
    title: String,
    /// The day by which it is to be done.
    #[schemars(with = "Option<Date>")]
    due: Option<String>,
    /// How much it matters; `normal` unless given.
    priority: Option<Priority>,
    /// Words to find it by; kept in lower case.
    #[schemars(length(max = 10), inner(length(min = 1, max = 30)))]
    tags: Option<Vec<String>>,
    /// Anything else.
    #[schemars(length(max = 2000))]
    notes: Option<String>,
}

/// A change of a task. What is left out stays as it is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskPatch {
    /// What is to be done.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String", length(min = 1, max = 200))]
    title: Option<Option<String>>,
    /// The day by which it is to be done; `null` for none.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Date>")]
    due: Option<Option<String>>,
    /// How much it matters; `null` for `normal`.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Priority>")]
    priority: Option<Option<Priority>>,
    /// Words to find it by, all of them; `null` for none.
    #[serde(default, deserialize_with = "present")]
    #[schemars(
        with = "Option<Vec<String>>",
        length(max = 10),
        inner(length(min = 1, max = 30))
    )]
    tags: Option<Option<Vec<String>>>,
    /// Anything else; empty or `null` for nothing.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>", length(max = 2000))]
    notes: Option<Option<String>>,
}

/// `null` is a value here, and not the same as nothing.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The body's text, if it is meant to be JSON.
pub(super) fn read(request: &ApiRequest) -> Result<&str, Problem> {
    let media_type = request
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let is_json = ["application/json", "application/merge-patch+json"]
        .iter()
        .any(|json| json.eq_ignore_ascii_case(media_type));
    if !is_json {
        let detail = "Send JSON, with the header Content-Type: application/json.";
        let title = "Unsupported media type";
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media-type",
            title,
            detail,
        ));
    }
    std::str::from_utf8(&request.body).map_err(|_| malformed("The body is not UTF-8."))
}

/// The new task that a body describes.
pub(super) fn draft(text: &str) -> Result<Draft, Problem> {
    let NewTask {
        title,
        due,
        priority,
        tags,
        notes,
    } = parse(text)?;
    let mut checked = Checked::default();
    let draft = Draft {
        title: checked.title(&title),
        due: due.and_then(|due| day(&mut checked, &due)),
        priority: priority.unwrap_or_default(),
        tags: checked.tags(&tags.unwrap_or_default()),
        notes: checked.notes(&notes.unwrap_or_default()),
    };
    checked.finish(draft).map_err(Problem::invalid_fields)
}

/// The change that a body describes.
pub(super) fn patch(text: &str) -> Result<Patch, Problem> {
    let TaskPatch {
        title,
        due,
        priority,
        tags,
        notes,
    } = parse(text)?;
    let mut checked = Checked::default();
    let patch = Patch {
        title: title.map(|title| match title {
            Some(title) => checked.title(&title),
            None => {
                checked.wrong("title", "must be text, not null: every task has a title.");
                String::new()
            }
        }),
        due: due.map(|due| due.and_then(|due| day(&mut checked, &due))),
        priority: priority.map(Option::unwrap_or_default),
        tags: tags.map(|tags| checked.tags(&tags.unwrap_or_default())),
        notes: notes.map(|notes| checked.notes(&notes.unwrap_or_default())),
    };
    checked.finish(patch).map_err(Problem::invalid_fields)
}

/// A due day, if it is one.
fn day(checked: &mut Checked, text: &str) -> Option<Date> {
    match date(text) {
        Ok(due) => Some(checked.due(due)),
        Err(message) => {
            checked.wrong("due", message);
            None
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
    anyturn_json::from_str(text).map_err(|error| {
        if FieldError::is_malformed(text) {
            malformed(format!("The body is not JSON: {error}."))
        } else {
            Problem::invalid_fields(vec![FieldError::of_json(text, &error)])
        }
    })
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed", "Malformed body", detail)
}
