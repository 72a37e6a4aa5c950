//! The tools. A task is named by its id or by words of its title; dates are ISO dates, or the words that people
//! use for days. Results are written for people, and for models that quote them.

mod add;
mod change;
mod list;
mod remove;

pub use add::AddTask;
pub use change::{CompleteTask, EditTask, PrioritizeTask, ReopenTask, SetDueDate};
pub use list::ListTasks;
pub use remove::{DeleteTask, RestoreTask};

use anyturn_tool_sdk::{Call, Failure};
use jiff::civil::Date;
use serde::Serialize;

use crate::task::{Checked, Priority, Task};
use crate::{day, timestamp};

/// A result for programs.
#[derive(Serialize)]
struct One<'a> {
    task: &'a Task,
}

/// The day it is for the caller.
fn today(call: &Call<'_>) -> Date {
    day::today(timestamp(call.now), call.caller.timezone.as_deref())
}

/// A due date as it was written.
fn parse_due(checked: &mut Checked, text: &str, today: Date) -> Option<Date> {
    match day::parse(text, today) {
        Ok(due) => Some(checked.due(due)),
        Err(message) => {
            checked.wrong("due", message);
            None
        }
    }
}

/// Ends the collection of errors in one that a model can act on.
fn finish<T>(checked: Checked, value: T) -> Result<T, Failure> {
    checked
        .finish(value)
        .map_err(|errors| crate::desk::Trouble::Invalid(errors).into())
}

/// A title as it is shown.
fn quoted(title: &str) -> String {
    format!("“{title}”")
}

/// What distinguishes a task, for people: ", due today, Friday, 20 November, high priority".
fn details(task: &Task, today: Date) -> String {
    let mut text = String::new();
    if let Some(due) = task.due {
        text.extend([", due ", &day::describe(due, today)]);
    }
    if task.priority != Priority::Normal {
        text.extend([", ", task.priority.as_str(), " priority"]);
    }
    for tag in &task.tags {
        text.extend([", #", tag]);
    }
    text
}
