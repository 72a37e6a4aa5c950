//! Lists tasks.

use anyturn_state::Store;
use anyturn_tool_sdk::{Call, Effect, Example, Failure, Reply, Tool};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{details, quoted, today};
use crate::Tasks;
use crate::day;
use crate::desk::{Cursor, Page};
use crate::filter::{Due, DueWords, Filter, StatusFilter};
use crate::task::{Priority, Status, Task, normal_tag};

/// How many tasks are shown unless the call says otherwise.
const SHOWN: u32 = 20;
/// How many tasks one call may show.
const MAX_SHOWN: u32 = 100;

/// Lists the tasks of the to-do list that fit in every respect given: by default all open ones, the most
/// pressing first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListTasks {
    /// Open tasks, done ones, or all; open unless the user says otherwise.
    status: Option<StatusFilter>,
    /// When they are due, in words.
    due: Option<DueWords>,
    /// The one day on which they are due.
    #[schemars(extend("format" = "date"))]
    due_on: Option<String>,
    /// The first day on which they may be due.
    #[schemars(extend("format" = "date"))]
    due_from: Option<String>,
    /// The last day on which they may be due.
    #[schemars(extend("format" = "date"))]
    due_to: Option<String>,
    /// How much they matter.
    priority: Option<Priority>,
    /// A tag that they have, without #.
    tag: Option<String>,
    /// Words that stand in their title, notes or tags.
    text: Option<String>,
    /// How many to show; 20 unless the user says otherwise.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// Where to go on: the next_cursor of the answer before, with the same other arguments.
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Listed<'a> {
    tasks: &'a [Task],
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl<S: Store> Tool<Tasks<S>> for ListTasks {
    const NAME: &'static str = "list_tasks";
    const TITLE: &'static str = "List tasks";
    const EFFECT: Effect = Effect::READ;
    const EXAMPLES: &'static [Example] = &[
        Example("show my tasks", "{}"),
        Example("what is on my list?", "{}"),
        Example("what is due this week?", r#"{"due":"this week"}"#),
        Example("which tasks are overdue?", r#"{"due":"overdue"}"#),
        Example("what is due on 2026-12-01?", r#"{"due_on":"2026-12-01"}"#),
        Example("show my done tasks", r#"{"status":"done"}"#),
        Example("list the high priority tasks", r#"{"priority":"high"}"#),
        Example("find tasks about milk", r#"{"text":"milk"}"#),
    ];

    async fn call(self, tasks: &Tasks<S>, call: &Call<'_>) -> Result<Reply, Failure> {
        let desk = tasks.desk(call)?;
        let today = today(call);
        let limit = self.limit.unwrap_or(SHOWN);
        if !(1..=MAX_SHOWN).contains(&limit) {
            return Err(Failure::rejected(format!("limit must be from 1 to {MAX_SHOWN}.")));
        }
        let cursor = match self.cursor.as_deref().filter(|cursor| !cursor.is_empty()) {
            None => None,
            Some(text) => Some(Cursor::parse(text).ok_or_else(|| {
                Failure::rejected("cursor must be the next_cursor of an earlier answer, unchanged.")
            })?),
        };
        let days = Days {
            on: parse("due_on", self.due_on.as_deref(), today)?,
            from: parse("due_from", self.due_from.as_deref(), today)?,
            to: parse("due_to", self.due_to.as_deref(), today)?,
        };
        let words = self.due.map_or(Due::Any, |words| Due::from_words(words, today));
        let due = words.narrowed(days.on, days.on).narrowed(days.from, days.to);
        let filter = Filter {
            status: self.status.unwrap_or_default(),
            due,
            priority: self.priority,
            ..Filter::default()
        }
        .with_tag(self.tag.as_deref())
        .with_text(self.text.as_deref());
        let page = desk
            .list(
                &filter,
                cursor.as_ref(),
                usize::try_from(limit).unwrap_or(usize::MAX),
            )
            .await?;
        let next_cursor = page.next.as_ref().map(Cursor::to_string);
        let text = self.tell(&page, &days, cursor.is_some(), today);
        Ok(Reply::new(text).with_structured(&Listed {
            tasks: &page.tasks,
            next_cursor,
        }))
    }
}

/// The days that a call names.
struct Days {
    on: Option<Date>,
    from: Option<Date>,
    to: Option<Date>,
}

fn parse(field: &str, text: Option<&str>, today: Date) -> Result<Option<Date>, Failure> {
    text.filter(|text| !text.trim().is_empty())
        .map(|text| {
            day::parse(text, today).map_err(|message| Failure::rejected(format!("{field}: {message}")))
        })
        .transpose()
}

impl ListTasks {
    /// "3 open tasks due this week:", and the tasks.
    fn tell(&self, page: &Page, days: &Days, is_rest: bool, today: Date) -> String {
        let status = self.status.unwrap_or_default();
        let count = page.tasks.len();
        let kind = match status {
            StatusFilter::Open => "open ",
            StatusFilter::Done => "done ",
            StatusFilter::All => "",
        };
        let noun = if count == 1 { "task" } else { "tasks" };
        let which = self.which(days, today);
        if count == 0 {
            let more = if is_rest { " more" } else { "" };
            return format!("There are no{more} {kind}tasks{which}.");
        }
        let mut text = match (page.next.is_some(), is_rest) {
            (true, false) => format!("The first {count} {kind}{noun}{which}:"),
            (true, true) => format!("The next {count} {kind}{noun}{which}:"),
            (false, true) => format!("The last {count} {kind}{noun}{which}:"),
            (false, false) => format!("{count} {kind}{noun}{which}:"),
        };
        for task in &page.tasks {
            let mark = match task.status {
                Status::Open => "",
                Status::Done if status == StatusFilter::All => " (done)",
                Status::Done => "",
            };
            text.extend(["\n- ", &quoted(&task.title), mark, &details(task, today)]);
        }
        if page.next.is_some() {
            text.push_str("\nThere are more.");
        }
        text
    }

    fn which(&self, days: &Days, today: Date) -> String {
        let mut text = String::new();
        match self.due {
            None => {}
            Some(DueWords::Overdue) => text.push_str(" that are overdue"),
            Some(DueWords::Today) => text.push_str(" due today"),
            Some(DueWords::Tomorrow) => text.push_str(" due tomorrow"),
            Some(DueWords::ThisWeek) => text.push_str(" due this week"),
            Some(DueWords::NextWeek) => text.push_str(" due next week"),
            Some(DueWords::ThisMonth) => text.push_str(" due this month"),
            Some(DueWords::NoDate) => text.push_str(" without a due date"),
        }
        let tell = |date: Date| day::describe(date, today);
        if let Some(on) = days.on {
            text.extend([" due ", &tell(on)]);
        }
        match (days.from, days.to) {
            (None, None) => {}
            (Some(from), None) => text.extend([" due from ", &tell(from), " on"]),
            (None, Some(to)) => text.extend([" due until ", &tell(to)]),
            (Some(from), Some(to)) => text.extend([" due from ", &tell(from), " to ", &tell(to)]),
        }
        if let Some(priority) = self.priority {
            text.extend([" of ", priority.as_str(), " priority"]);
        }
        if let Some(tag) = &self.tag {
            text.extend([" tagged #", &normal_tag(tag)]);
        }
        if let Some(words) = &self.text {
            text.extend([" with ", &quoted(words.trim())]);
        }
        text
    }
}
