//! Changes tasks: what they say, when they are due, how much they matter, whether they are done.

use anyturn_state::Store;
use anyturn_tool_sdk::{Call, Effect, Example, Failure, Reply, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{One, finish, parse_due, quoted, today};
use crate::desk::Target;
use crate::task::{Checked, Edit, Patch, Priority};
use crate::{Tasks, day};

/// Marks a task of the to-do list as done.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CompleteTask {
    /// Which task: words of its title, or its id.
    task: String,
}

impl<S: Store> Tool<Tasks<S>> for CompleteTask {
    const NAME: &'static str = "complete_task";
    const TITLE: &'static str = "Complete a task";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().reversible();
    const EXAMPLES: &'static [Example] = &[
        Example("done with the milk", r#"{"task":"the milk"}"#),
        Example("mark pay rent as done", r#"{"task":"pay rent"}"#),
        Example("complete call the dentist", r#"{"task":"call the dentist"}"#),
        Example("I have finished the report", r#"{"task":"the report"}"#),
        Example("check off water the plants", r#"{"task":"water the plants"}"#),
        Example("wash the car is done", r#"{"task":"wash the car"}"#),
    ];

    async fn call(self, tasks: &Tasks<S>, call: &Call<'_>) -> Result<Reply, Failure> {
        let desk = tasks.desk(call)?;
        let reply = desk
            .change(&Target::of(&self.task), &Edit::Complete, |before, after| {
                let title = quoted(&before.title);
                match after {
                    None => Reply::new(format!("{title} was done already."))
                        .with_structured(&One { task: before }),
                    Some(task) => Reply::new(format!("Done: {title}."))
                        .with_structured(&One { task })
                        .with_inverse(
                            "reopen_task",
                            json!({ "task": task.id }),
                            format!("Reopen {title}"),
                        ),
                }
            })
            .await?;
        Ok(reply)
    }
}

/// Puts a done task back on the to-do list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReopenTask {
    /// Which task: words of its title, or its id.
    task: String,
}

impl<S: Store> Tool<Tasks<S>> for ReopenTask {
    const NAME: &'static str = "reopen_task";
    const TITLE: &'static str = "Reopen a task";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().reversible();
    const EXAMPLES: &'static [Example] = &[
        Example("reopen buy milk", r#"{"task":"buy milk"}"#),
        Example("pay rent is not done after all", r#"{"task":"pay rent"}"#),
        Example("mark the report as not done", r#"{"task":"the report"}"#),
        Example(
            "I have not finished call the dentist",
            r#"{"task":"call the dentist"}"#,
        ),
        Example("uncheck water the plants", r#"{"task":"water the plants"}"#),
    ];

    async fn call(self, tasks: &Tasks<S>, call: &Call<'_>) -> Result<Reply, Failure> {
        let desk = tasks.desk(call)?;
        let reply = desk
            .change(&Target::of(&self.task), &Edit::Reopen, |before, after| {
                let title = quoted(&before.title);
                match after {
                    None => Reply::new(format!("{title} was open already."))
                        .with_structured(&One { task: before }),
                    Some(task) => Reply::new(format!("Reopened {title}."))
                        .with_structured(&One { task })
                        .with_inverse(
                            "complete_task",
                            json!({ "task": task.id }),
                            format!("Complete {title}"),
                        ),
                }
            })
            .await?;
        Ok(reply)
    }
}

/// Changes what a task says: its title, notes or tags. There are other tools for its due date and priority.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EditTask {
    /// Which task: words of its present title, or its id.
    task: String,
    /// The new title.
    title: Option<String>,
    /// The new notes; empty to remove them.
    notes: Option<String>,
    /// The new tags, all of them, without #; empty to remove them.
    tags: Option<Vec<String>>,
}

impl<S: Store> Tool<Tasks<S>> for EditTask {
    const NAME: &'static str = "edit_task";
    const TITLE: &'static str = "Edit a task";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().destructive().reversible();
    const EXAMPLES: &'static [Example] = &[
        Example(
            "rename buy milk to buy oat milk",
            r#"{"task":"buy milk","title":"buy oat milk"}"#,
        ),
        Example(
            "change the title of the report to write the annual report",
            r#"{"task":"the report","title":"write the annual report"}"#,
        ),
        Example(
            "change call mum to call mum and dad",
            r#"{"task":"call mum","title":"call mum and dad"}"#,
        ),
        Example(
            "add the note \"ask for Ann\" to call the dentist",
            r#"{"notes":"ask for Ann","task":"call the dentist"}"#,
        ),
        Example("tag pay rent with home", r#"{"task":"pay rent","tags":["home"]}"#),
    ];

    async fn call(self, tasks: &Tasks<S>, call: &Call<'_>) -> Result<Reply, Failure> {
        let desk = tasks.desk(call)?;
        let mut checked = Checked::default();
        if self.title.is_none() && self.notes.is_none() && self.tags.is_none() {
            return Err(Failure::rejected("Say what to change: title, notes or tags."));
        }
        let patch = Patch {
            title: self.title.as_deref().map(|title| checked.title(title)),
            notes: self.notes.as_deref().map(|notes| checked.notes(notes)),
            tags: self.tags.as_deref().map(|tags| checked.tags(tags)),
            ..Patch::default()
        };
        let edit = Edit::Patch(finish(checked, patch)?);
        let reply = desk
            .change(&Target::of(&self.task), &edit, |before, after| {
                let Some(task) = after else {
                    let text = format!("{} says so already.", quoted(&before.title));
                    return Reply::new(text).with_structured(&One { task: before });
                };
                let mut back = Map::from_iter([("task".to_owned(), json!(task.id))]);
                let mut changes = Vec::new();
                if task.title != before.title {
                    changes.push(format!("it is now {}", quoted(&task.title)));
                    back.insert("title".into(), json!(before.title));
                }
                if task.notes != before.notes {
                    changes.push(match task.notes.as_str() {
                        "" => "its notes are removed".to_owned(),
                        notes => format!("its notes are now “{notes}”"),
                    });
                    back.insert("notes".into(), json!(before.notes));
                }
                if task.tags != before.tags {
                    let tags: Vec<String> = task.tags.iter().map(|tag| format!("#{tag}")).collect();
                    changes.push(match tags.as_slice() {
                        [] => "its tags are removed".to_owned(),
                        tags => format!("its tags are now {}", tags.join(", ")),
                    });
                    back.insert("tags".into(), json!(before.tags));
                }
                let title = quoted(&before.title);
                Reply::new(format!("Changed {title}: {}.", changes.join("; ")))
                    .with_structured(&One { task })
                    .with_inverse("edit_task", Value::Object(back), format!("Change {title} back"))
                    .undone_without_asking()
            })
            .await?;
        Ok(reply)
    }
}

/// Sets how much a task matters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrioritizeTask {
    /// Which task: words of its title, or its id.
    task: String,
    /// How much it matters.
    priority: Priority,
}

impl<S: Store> Tool<Tasks<S>> for PrioritizeTask {
    const NAME: &'static str = "prioritize_task";
    const TITLE: &'static str = "Set a task's priority";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().reversible();
    const EXAMPLES: &'static [Example] = &[
        Example(
            "make pay rent high priority",
            r#"{"task":"pay rent","priority":"high"}"#,
        ),
        Example(
            "set the priority of the report to low",
            r#"{"task":"the report","priority":"low"}"#,
        ),
        Example(
            "prioritize call the dentist as high",
            r#"{"task":"call the dentist","priority":"high"}"#,
        ),
        Example(
            "buy milk has normal priority",
            r#"{"task":"buy milk","priority":"normal"}"#,
        ),
        Example(
            "give water the plants a low priority",
            r#"{"task":"water the plants","priority":"low"}"#,
        ),
    ];

    async fn call(self, tasks: &Tasks<S>, call: &Call<'_>) -> Result<Reply, Failure> {
        let desk = tasks.desk(call)?;
        let edit = Edit::Patch(Patch {
            priority: Some(self.priority),
            ..Patch::default()
        });
        let reply = desk
            .change(&Target::of(&self.task), &edit, |before, after| {
                let title = quoted(&before.title);
                let priority = self.priority.as_str();
                match after {
                    None => Reply::new(format!("{title} had {priority} priority already."))
                        .with_structured(&One { task: before }),
                    Some(task) => {
                        let old = before.priority.as_str();
                        Reply::new(format!("{title} now has {priority} priority."))
                            .with_structured(&One { task })
                            .with_inverse(
                                "prioritize_task",
                                json!({ "task": task.id, "priority": old }),
                                format!("Give {title} {old} priority again"),
                            )
                    }
                }
            })
            .await?;
        Ok(reply)
    }
}

/// Sets the day by which a task is to be done, or removes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetDueDate {
    /// Which task: words of its title, or its id.
    task: String,
    /// The day by which it is to be done; left out to remove the due date.
    #[schemars(extend("format" = "date"))]
    due: Option<String>,
}

impl<S: Store> Tool<Tasks<S>> for SetDueDate {
    const NAME: &'static str = "set_due_date";
    const TITLE: &'static str = "Set a task's due date";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().reversible();
    const EXAMPLES: &'static [Example] = &[
        Example("move pay rent to friday", r#"{"task":"pay rent","due":"friday"}"#),
        Example(
            "the report is due 2026-12-01",
            r#"{"task":"the report","due":"2026-12-01"}"#,
        ),
        Example(
            "set the due date of call the dentist to next monday",
            r#"{"task":"call the dentist","due":"next monday"}"#,
        ),
        Example(
            "postpone buy milk until tomorrow",
            r#"{"task":"buy milk","due":"tomorrow"}"#,
        ),
        Example(
            "remove the due date of water the plants",
            r#"{"task":"water the plants"}"#,
        ),
    ];

    async fn call(self, tasks: &Tasks<S>, call: &Call<'_>) -> Result<Reply, Failure> {
        let desk = tasks.desk(call)?;
        let today = today(call);
        let mut checked = Checked::default();
        let words = self.due.as_deref().map(str::trim).filter(|due| !due.is_empty());
        let due = words.and_then(|due| parse_due(&mut checked, due, today));
        let due = finish(checked, due)?;
        let edit = Edit::Patch(Patch {
            due: Some(due),
            ..Patch::default()
        });
        let reply = desk
            .change(&Target::of(&self.task), &edit, |before, after| {
                let title = quoted(&before.title);
                let (state, task) = match after {
                    None => ("was", before),
                    Some(after) => ("is now", after),
                };
                let text = match (task.due, after.is_some()) {
                    (Some(due), _) => format!("{title} {state} due {}.", day::describe(due, today)),
                    (None, true) => format!("{title} has no due date any more."),
                    (None, false) => format!("{title} had no due date."),
                };
                let reply = Reply::new(text).with_structured(&One { task });
                match after {
                    None => reply,
                    Some(after) => {
                        let (arguments, what) = match before.due {
                            Some(due) => {
                                let what = format!("Make {title} due {} again", day::describe(due, today));
                                (json!({ "task": after.id, "due": due }), what)
                            }
                            None => (
                                json!({ "task": after.id }),
                                format!("Remove the due date of {title} again"),
                            ),
                        };
                        reply.with_inverse("set_due_date", arguments, what)
                    }
                }
            })
            .await?;
        Ok(reply)
    }
}
