//! Deletes tasks, and brings them back.

use anyturn_state::Store;
use anyturn_tool_sdk::{Call, Effect, Example, Failure, Reply, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{One, details, quoted, today};
use crate::Tasks;
use crate::desk::Target;
use crate::task::Edit;

/// Deletes a task from the to-do list. It can be restored for 30 days.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteTask {
    /// Which task: words of its title, or its id.
    task: String,
}

impl<S: Store> Tool<Tasks<S>> for DeleteTask {
    const NAME: &'static str = "delete_task";
    const TITLE: &'static str = "Delete a task";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().destructive().reversible();
    const EXAMPLES: &'static [Example] = &[
        Example("delete buy milk", r#"{"task":"buy milk"}"#),
        Example("remove pay rent from my list", r#"{"task":"pay rent"}"#),
        Example("drop the report", r#"{"task":"the report"}"#),
        Example("forget about call the dentist", r#"{"task":"call the dentist"}"#),
        Example(
            "cancel the task water the plants",
            r#"{"task":"water the plants"}"#,
        ),
    ];

    async fn call(self, tasks: &Tasks<S>, call: &Call<'_>) -> Result<Reply, Failure> {
        let desk = tasks.desk(call)?;
        let reply = desk
            .change(&Target::of(&self.task), &Edit::Delete, |before, after| {
                let title = quoted(&before.title);
                Reply::new(format!("Deleted {title}. It can be restored for 30 days."))
                    .with_structured(&One {
                        task: after.unwrap_or(before),
                    })
                    .with_inverse(
                        "restore_task",
                        json!({ "task": before.id }),
                        format!("Restore {title}"),
                    )
            })
            .await?;
        Ok(reply)
    }
}

/// Brings a deleted task back to the to-do list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreTask {
    /// Which task: words of its title, or its id.
    task: String,
}

impl<S: Store> Tool<Tasks<S>> for RestoreTask {
    const NAME: &'static str = "restore_task";
    const TITLE: &'static str = "Restore a deleted task";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().reversible();
    const EXAMPLES: &'static [Example] = &[
        Example("restore buy milk", r#"{"task":"buy milk"}"#),
        Example("bring pay rent back", r#"{"task":"pay rent"}"#),
        Example("undelete the report", r#"{"task":"the report"}"#),
        Example(
            "I want call the dentist back on my list",
            r#"{"task":"call the dentist"}"#,
        ),
    ];

    async fn call(self, tasks: &Tasks<S>, call: &Call<'_>) -> Result<Reply, Failure> {
        let desk = tasks.desk(call)?;
        let today = today(call);
        let reply = desk
            .change(&Target::of(&self.task), &Edit::Restore, |before, after| {
                let title = quoted(&before.title);
                match after {
                    None => {
                        Reply::new(format!("{title} was not deleted.")).with_structured(&One { task: before })
                    }
                    Some(task) => Reply::new(format!("Restored {title}{}.", details(task, today)))
                        .with_structured(&One { task })
                        .with_inverse(
                            "delete_task",
                            json!({ "task": task.id }),
                            format!("Delete {title} again"),
                        )
                        .undone_without_asking(),
                }
            })
            .await?;
        Ok(reply)
    }
}
