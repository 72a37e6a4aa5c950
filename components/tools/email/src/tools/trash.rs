//! Moves e-mails to the trash, and takes them out again.

use anyturn_google::Network;
use anyturn_state::Store;
use anyturn_tool_sdk::{Call, Effect, Example, Failure, Reply, Risk, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{CONFIRM_ABOVE, checked, ids_of, told};
use crate::Email;
use crate::mailbox::{Change, Changed, Mailbox};

/// Moves emails to the trash, where they are kept for 30 days.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrashEmails {
    /// The ids of the emails, as a search shows them.
    #[schemars(length(min = 1, max = 1000))]
    ids: Vec<String>,
}

/// Takes emails out of the trash.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UntrashEmails {
    /// The ids of the emails, as a search shows them.
    #[schemars(length(min = 1, max = 1000))]
    ids: Vec<String>,
    /// Whether they are in the inbox then; yes unless the user says otherwise.
    inbox: Option<bool>,
}

impl<S: Store, N: Network> Tool<Email<S, N>> for TrashEmails {
    const NAME: &'static str = "trash_emails";
    const TITLE: &'static str = "Move emails to the trash";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().destructive().reversible();
    const OPEN_WORLD: bool = true;
    const COUNTED: Option<&'static str> = Some("ids");
    const EXAMPLES: &'static [Example] = &[
        Example("delete demo-spam-1", r#"{"ids":["demo-spam-1"]}"#),
        Example(
            "delete the email 18f0000000010001",
            r#"{"ids":["18f0000000010001"]}"#,
        ),
        Example(
            "move demo-ci-1 and demo-ci-2 to the trash",
            r#"{"ids":["demo-ci-1","demo-ci-2"]}"#,
        ),
        Example("throw demo-shop-1 away", r#"{"ids":["demo-shop-1"]}"#),
    ];

    async fn call(self, email: &Email<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let ids = checked(&self.ids)?;
        let reply = |changed: &Changed| {
            let mut reply = told(changed, "Moved to the trash:", "in the trash");
            for (inbox, title) in [
                (true, "Put back into the inbox"),
                (false, "Take out of the trash"),
            ] {
                let ids = ids_of(&changed.changed, |touched| touched.was_in_inbox == inbox);
                if !ids.is_empty() {
                    let arguments = json!({ "ids": ids, "inbox": inbox });
                    reply = reply.with_one_inverse("untrash_emails", arguments, title);
                }
            }
            reply.undone_without_asking()
        };
        email
            .mailbox(call)
            .await?
            .change(&ids, &Change::Trash, &reply)
            .await
    }
}

impl<S: Store, N: Network> Tool<Email<S, N>> for UntrashEmails {
    const NAME: &'static str = "untrash_emails";
    const TITLE: &'static str = "Take emails out of the trash";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().reversible();
    const RISK: Risk = Risk::Low;
    const OPEN_WORLD: bool = true;
    const COUNTED: Option<&'static str> = Some("ids");
    const CONFIRM_ABOVE: Option<u32> = CONFIRM_ABOVE;
    const EXAMPLES: &'static [Example] = &[
        Example("restore demo-shop-1", r#"{"ids":["demo-shop-1"]}"#),
        Example(
            "take 18f0000000010001 out of the trash",
            r#"{"ids":["18f0000000010001"]}"#,
        ),
        Example(
            "undelete the emails demo-ci-1 and demo-ci-2",
            r#"{"ids":["demo-ci-1","demo-ci-2"]}"#,
        ),
        Example(
            "bring demo-tom-1 back from the trash",
            r#"{"ids":["demo-tom-1"]}"#,
        ),
    ];

    async fn call(self, email: &Email<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let ids = checked(&self.ids)?;
        let change = Change::Untrash {
            inbox: self.inbox.unwrap_or(true),
        };
        let reply = |changed: &Changed| {
            let reply = told(changed, "Taken out of the trash:", "not in the trash");
            let ids = ids_of(&changed.changed, |_| true);
            if ids.is_empty() {
                return reply;
            }
            let arguments = json!({ "ids": ids });
            let reply = reply.with_inverse("trash_emails", arguments, "Move to the trash again");
            reply.undone_without_asking()
        };
        email.mailbox(call).await?.change(&ids, &change, &reply).await
    }
}
