//! A task, and what may be put into one.

use anyturn_tool_sdk::FieldError;
use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Characters of a title.
pub const MAX_TITLE: usize = 200;
/// Characters of the notes.
pub const MAX_NOTES: usize = 2000;
/// Tags of a task.
pub const MAX_TAGS: usize = 10;
/// Characters of a tag.
pub const MAX_TAG: usize = 30;

/// How much a task matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Priority {
    /// Before others.
    #[serde(alias = "urgent", alias = "important")]
    High,
    /// As it comes.
    #[default]
    #[serde(alias = "medium")]
    Normal,
    /// When there is time.
    Low,
}

impl Priority {
    /// Its name, in JSON and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Priority::High => "high",
            Priority::Normal => "normal",
            Priority::Low => "low",
        }
    }
}

/// Whether a task is still to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Status {
    /// It is to be done.
    Open,
    /// It was done.
    Done,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// Unique among the user's tasks.
    pub id: String,
    /// What is to be done.
    pub title: String,
    /// Whether it is still to be done.
    pub status: Status,
    /// The day by which it is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Date>,
    /// How much it matters.
    pub priority: Priority,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// When it was deleted. A deleted task is kept for 30 days, in which it can be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Starts at 1 and grows by 1 with every change.
    pub version: u64,
}

impl Task {
    /// A new task.
    pub fn new(id: String, draft: Draft, now: Timestamp) -> Task {
        let Draft {
            title,
            due,
            priority,
            tags,
            notes,
        } = draft;
        Task {
            id,
            title,
            status: Status::Open,
            due,
            priority,
            tags,
            notes,
            created_at: now,
            updated_at: now,
            completed_at: None,
            deleted_at: None,
            version: 1,
        }
    }

    /// The task after an edit; `None` when the edit changes nothing.
    pub fn edited(&self, edit: &Edit, now: Timestamp) -> Option<Task> {
        let mut task = self.clone();
        match edit {
            Edit::Complete if self.status == Status::Open => {
                task.status = Status::Done;
                task.completed_at = Some(now);
            }
            Edit::Reopen => {
                task.status = Status::Open;
                task.completed_at = None;
            }
            Edit::Delete if self.deleted_at.is_none() => task.deleted_at = Some(now),
            Edit::Restore => task.deleted_at = None,
            Edit::Complete | Edit::Delete => {}
            Edit::Patch(Patch {
                title,
                due,
                priority,
                tags,
                notes,
            }) => {
                task.title = title.clone().unwrap_or(task.title);
                task.due = due.unwrap_or(task.due);
                task.priority = priority.unwrap_or(task.priority);
                task.tags = tags.clone().unwrap_or(task.tags);
                task.notes = notes.clone().unwrap_or(task.notes);
            }
        }
        if task == *self {
            return None;
        }
        task.updated_at = now;
        task.version += 1;
        Some(task)
    }
}

/// What a new task is made of. Its fields are valid: see [`Checked`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// What is to be done.
    pub title: String,
    /// The day by which it is to be done.
    pub due: Option<Date>,
    /// How much it matters.
    pub priority: Priority,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Anything else.
    pub notes: String,
}

/// A change of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// It is done.
    Complete,
    /// It is not done after all.
    Reopen,
    /// It is not wanted.
    Delete,
    /// It is wanted after all.
    Restore,
    /// Its contents change.
    Patch(Patch),
}

/// A change of a task's contents; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// What is to be done.
    pub title: Option<String>,
    /// The day by which it is to be done, or none.
    pub due: Option<Option<Date>>,
    /// How much it matters.
    pub priority: Option<Priority>,
    /// Words to find it by.
    pub tags: Option<Vec<String>>,
    /// Anything else.
    pub notes: Option<String>,
}

/// Collects what is wrong with the parts of a [`Draft`] or [`Patch`] while it makes them right where that
/// needs no guess.
#[derive(Debug, Default)]
pub struct Checked {
    errors: Vec<FieldError>,
}

impl Checked {
    /// A title: one line, trimmed.
    pub fn title(&mut self, title: &str) -> String {
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        if title.is_empty() {
            self.wrong("title", "must not be empty.");
        }
        self.limit("title", &title, MAX_TITLE);
        self.no_control("title", &title, false);
        title
    }

    /// Notes: trimmed; lines are kept.
    pub fn notes(&mut self, notes: &str) -> String {
        let notes = notes.trim().replace("\r\n", "\n");
        self.limit("notes", &notes, MAX_NOTES);
        self.no_control("notes", &notes, true);
        notes
    }

    /// Tags: lower-case, without `#`, each once.
    pub fn tags(&mut self, tags: &[String]) -> Vec<String> {
        let mut clean: Vec<String> = Vec::with_capacity(tags.len().min(MAX_TAGS));
        for tag in tags {
            let tag = normal_tag(tag);
            if tag.is_empty() {
                self.wrong("tags", "must not hold an empty tag.");
            } else if !clean.contains(&tag) {
                self.limit("tags", &tag, MAX_TAG);
                self.no_control("tags", &tag, false);
                clean.push(tag);
            }
            if clean.len() > MAX_TAGS {
                self.wrong("tags", format!("must be at most {MAX_TAGS}."));
                break;
            }
        }
        clean
    }

    /// A due date.
    pub fn due(&mut self, due: Date) -> Date {
        if !(1970..=9999).contains(&due.year()) {
            self.wrong("due", "must lie in the years 1970 to 9999.");
        }
        due
    }

    /// Notes an error.
    pub fn wrong(&mut self, field: &str, message: impl Into<String>) {
        self.errors.push(FieldError::new(field, message));
    }

    /// The value, if nothing was wrong.
    ///
    /// # Errors
    ///
    /// Everything that was wrong.
    pub fn finish<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.errors.is_empty() {
            Ok(value)
        } else {
            Err(self.errors)
        }
    }

    fn limit(&mut self, field: &str, text: &str, limit: usize) {
        if text.chars().count() > limit {
            self.wrong(field, format!("must have at most {limit} characters."));
        }
    }

    fn no_control(&mut self, field: &str, text: &str, lines: bool) {
        if text
            .chars()
            .any(|c| c.is_control() && !(lines && matches!(c, '\n' | '\t')))
        {
            self.wrong(field, "must not hold control characters.");
        }
    }
}

/// A tag as it is stored and compared.
pub fn normal_tag(tag: &str) -> String {
    tag.trim()
        .trim_start_matches('#')
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}
