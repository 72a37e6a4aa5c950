//! Adds tasks.

use anyturn_state::Store;
use anyturn_tool_sdk::{Call, Effect, Example, Failure, Reply, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{One, details, finish, parse_due, quoted, today};
use crate::task::{Checked, Draft, Priority};
use crate::{Tasks, new_id};

/// Adds a task to the user's to-do list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddTask {
    /// What is to be done, in the user's words, without the date.
    title: String,
    /// The day by which it is to be done.
    #[schemars(extend("format" = "date"))]
    due: Option<String>,
    /// How much it matters; normal unless the user says otherwise.
    priority: Option<Priority>,
    /// Words to find it by, without #.
    #[serde(default)]
    tags: Vec<String>,
    /// Anything else worth keeping.
    notes: Option<String>,
}

impl<S: Store> Tool<Tasks<S>> for AddTask {
    const NAME: &'static str = "add_task";
    const TITLE: &'static str = "Add a task";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().reversible();
    const EXAMPLES: &'static [Example] = &[
        Example(
            "add buy milk for tomorrow",
            r#"{"title":"buy milk","due":"tomorrow"}"#,
        ),
        Example("add call the dentist", r#"{"title":"call the dentist"}"#),
        Example(
            "remind me to pay the rent on 2026-12-01",
            r#"{"title":"pay the rent","due":"2026-12-01"}"#,
        ),
        Example(
            "I need to water the plants by friday",
            r#"{"title":"water the plants","due":"friday"}"#,
        ),
        Example("put wash the car on my list", r#"{"title":"wash the car"}"#),
        Example(
            "new task: finish the report, high priority, due next monday",
            r#"{"title":"finish the report","priority":"high","due":"next monday"}"#,
        ),
        Example(
            "create a low priority task to sort the photos",
            r#"{"priority":"low","title":"sort the photos"}"#,
        ),
        Example(
            "add \"book flights\" tagged travel",
            r#"{"title":"book flights","tags":["travel"]}"#,
        ),
    ];

    async fn call(self, tasks: &Tasks<S>, call: &Call<'_>) -> Result<Reply, Failure> {
        let desk = tasks.desk(call)?;
        let today = today(call);
        let mut checked = Checked::default();
        let draft = Draft {
            title: checked.title(&self.title),
            due: self
                .due
                .as_deref()
                .and_then(|due| parse_due(&mut checked, due, today)),
            priority: self.priority.unwrap_or_default(),
            tags: checked.tags(&self.tags),
            notes: checked.notes(self.notes.as_deref().unwrap_or_default()),
        };
        let draft = finish(checked, draft)?;
        let reply = desk
            .add(new_id()?, draft, |task| {
                let title = quoted(&task.title);
                Reply::new(format!("Added {title}{}.", details(task, today)))
                    .with_structured(&One { task })
                    .with_inverse(
                        "delete_task",
                        json!({ "task": task.id }),
                        format!("Remove {title} again"),
                    )
                    .undone_without_asking()
            })
            .await?;
        Ok(reply)
    }
}
