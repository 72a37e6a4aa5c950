//! Queries of `GET /tasks`.

use std::borrow::Cow;

use anyturn_tool_sdk::{FieldError, Problem};
use jiff::civil::Date;
use schemars::JsonSchema;

use super::date;
use crate::desk::Cursor;
use crate::filter::{Due, DueWords, Filter, StatusFilter};
use crate::task::Priority;

/// How many tasks a page has unless the query says otherwise.
const PAGE: usize = 50;
/// How many tasks a page may have.
const MAX_PAGE: usize = 200;

/// What `GET /tasks` takes; a task has to fit in every respect given.
#[derive(Clone, Debug, JsonSchema)]
#[expect(dead_code, reason = "it exists to be described; `read` takes the query apart")]
pub struct ListQuery {
    /// Open tasks, done ones, or all; `open` unless given.
    status: Option<StatusFilter>,
    /// When they are due, in words, counted from today in the user's time zone.
    due: Option<DueWords>,
    /// The first day on which they may be due.
    due_from: Option<Date>,
    /// The last day on which they may be due.
    due_to: Option<Date>,
    /// How much they matter.
    priority: Option<Priority>,
    /// A tag that they have.
    tag: Option<String>,
    /// Words that all stand in their title, notes or tags.
    q: Option<String>,
    /// How many tasks the page has at most; 50 unless given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// Where to go on: the `next_cursor` of the page before, with the same other parameters.
    cursor: Option<String>,
}

/// A query that is understood.
#[derive(Debug)]
pub(super) struct List {
    pub filter: Filter,
    pub limit: usize,
    pub cursor: Option<Cursor>,
}

pub(super) fn read(query: Option<&str>, today: Date) -> Result<List, Problem> {
    let mut list = List {
        filter: Filter::default(),
        limit: PAGE,
        cursor: None,
    };
    let (mut words, mut from, mut to) = (None, None, None);
    let (mut tag, mut text) = (None, None);
    let mut errors = Vec::new();
    let mut seen: Vec<Cow<'_, str>> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let result = match name.as_ref() {
            _ if seen.contains(&name) => Err("must be given once.".to_owned()),
            "status" => choice(&value, &[("open", StatusFilter::Open), ("done", StatusFilter::Done), ("all", StatusFilter::All)])
                .map(|status| list.filter.status = status),
            "priority" => choice(
                &value,
                &[("high", Priority::High), ("normal", Priority::Normal), ("low", Priority::Low)],
            )
            .map(|priority| list.filter.priority = Some(priority)),
            "due" => DueWords::parse(&value).map(|due| words = Some(due)),
            "due_from" => date(&value).map(|date| from = Some(date)),
            "due_to" => date(&value).map(|date| to = Some(date)),
            "tag" => {
                tag = Some(value.clone().into_owned());
                Ok(())
            }
            "q" => {
                text = Some(value.clone().into_owned());
                Ok(())
            }
            "limit" => match value.parse() {
                Ok(limit) if (1..=MAX_PAGE).contains(&limit) => {
                    list.limit = limit;
                    Ok(())
                }
                _ => Err(format!("must be a number from 1 to {MAX_PAGE}.")),
            },
            "cursor" => match Cursor::parse(&value) {
                Some(cursor) => {
                    list.cursor = Some(cursor);
                    Ok(())
                }
                None => Err("must be the next_cursor of an earlier page, unchanged.".into()),
            },
            _ => Err("is not known here. Known are status, due, due_from, due_to, priority, tag, q, limit and cursor."
                .into()),
        };
        if let Err(message) = result {
            errors.push(FieldError::new(name.clone(), message));
        }
        seen.push(name);
    }
    if !errors.is_empty() {
        return Err(Problem::invalid_fields(errors));
    }
    let due = words
        .map_or(Due::Any, |words| Due::from_words(words, today))
        .narrowed(from, to);
    list.filter = Filter { due, ..list.filter }
        .with_tag(tag.as_deref())
        .with_text(text.as_deref());
    Ok(list)
}

fn choice<T: Copy>(value: &str, choices: &[(&str, T)]) -> Result<T, String> {
    choices
        .iter()
        .find(|(name, _)| *name == value)
        .map(|(_, choice)| *choice)
        .ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            format!("must be one of: {}.", names.join(", "))
        })
}
