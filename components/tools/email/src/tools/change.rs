//! Archives e-mails, marks them, labels them: all of it can be taken back.

use anyturn_google::Network;
use anyturn_state::Store;
use anyturn_tool_sdk::{Call, Effect, Example, Failure, Reply, Risk, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{CONFIRM_ABOVE, checked, ids_of, told};
use crate::Email;
use crate::mail::label;
use crate::mailbox::{Change, Changed, Mailbox};

/// Characters of a label's name (Gmail's limit).
const MAX_LABEL: usize = 225;

/// Archives emails: takes them out of the inbox and keeps them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchiveEmails {
    /// The ids of the emails, as a search shows them.
    #[schemars(length(min = 1, max = 1000))]
    ids: Vec<String>,
}

/// Puts archived emails back into the inbox.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnarchiveEmails {
    /// The ids of the emails, as a search shows them.
    #[schemars(length(min = 1, max = 1000))]
    ids: Vec<String>,
}

/// Marks emails as read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkEmailsRead {
    /// The ids of the emails, as a search shows them.
    #[schemars(length(min = 1, max = 1000))]
    ids: Vec<String>,
}

/// Marks emails as unread.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkEmailsUnread {
    /// The ids of the emails, as a search shows them.
    #[schemars(length(min = 1, max = 1000))]
    ids: Vec<String>,
}

/// Gives emails a label, which is made if there is none of that name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelEmails {
    /// The ids of the emails, as a search shows them.
    #[schemars(length(min = 1, max = 1000))]
    ids: Vec<String>,
    /// The label's name.
    #[schemars(length(min = 1, max = 225))]
    label: String,
}

/// Takes a label off emails.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnlabelEmails {
    /// The ids of the emails, as a search shows them.
    #[schemars(length(min = 1, max = 1000))]
    ids: Vec<String>,
    /// The label's name.
    #[schemars(length(min = 1, max = 225))]
    label: String,
}

/// A change that can be taken back: of one e-mail without asking, of more only after.
const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().reversible();

/// Names the inverse, if anything was changed.
fn undone_by(reply: Reply, changed: &Changed, tool: &str, label: Option<&str>, title: &str) -> Reply {
    let ids = ids_of(&changed.changed, |_| true);
    if ids.is_empty() {
        return reply;
    }
    let arguments = match label {
        None => json!({ "ids": ids }),
        Some(label) => json!({ "ids": ids, "label": label }),
    };
    reply.with_inverse(tool, arguments, title).undone_without_asking()
}

impl<S: Store, N: Network> Tool<Email<S, N>> for ArchiveEmails {
    const NAME: &'static str = "archive_emails";
    const TITLE: &'static str = "Archive emails";
    const EFFECT: Effect = EFFECT;
    const OPEN_WORLD: bool = true;
    const COUNTED: Option<&'static str> = Some("ids");
    const CONFIRM_ABOVE: Option<u32> = CONFIRM_ABOVE;
    const EXAMPLES: &'static [Example] = &[
        Example("archive demo-sarah-4", r#"{"ids":["demo-sarah-4"]}"#),
        Example(
            "archive the email 18f0000000010001",
            r#"{"ids":["18f0000000010001"]}"#,
        ),
        Example(
            "archive the emails demo-ci-1 and demo-ci-2",
            r#"{"ids":["demo-ci-1","demo-ci-2"]}"#,
        ),
        Example("take demo-tom-1 out of the inbox", r#"{"ids":["demo-tom-1"]}"#),
    ];

    async fn call(self, email: &Email<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let ids = checked(&self.ids)?;
        let reply = |changed: &Changed| {
            let reply = told(changed, "Archived", "archived");
            undone_by(
                reply,
                changed,
                "unarchive_emails",
                None,
                "Put back into the inbox",
            )
        };
        email
            .mailbox(call)
            .await?
            .change(&ids, &Change::Archive, &reply)
            .await
    }
}

impl<S: Store, N: Network> Tool<Email<S, N>> for UnarchiveEmails {
    const NAME: &'static str = "unarchive_emails";
    const TITLE: &'static str = "Put emails back into the inbox";
    const EFFECT: Effect = EFFECT;
    const RISK: Risk = Risk::Low;
    const OPEN_WORLD: bool = true;
    const COUNTED: Option<&'static str> = Some("ids");
    const CONFIRM_ABOVE: Option<u32> = CONFIRM_ABOVE;
    const EXAMPLES: &'static [Example] = &[
        Example("unarchive demo-sarah-4", r#"{"ids":["demo-sarah-4"]}"#),
        Example(
            "put 18f0000000010001 back into the inbox",
            r#"{"ids":["18f0000000010001"]}"#,
        ),
        Example(
            "move the email demo-tom-1 to the inbox",
            r#"{"ids":["demo-tom-1"]}"#,
        ),
        Example(
            "unarchive demo-ci-1 and demo-ci-2",
            r#"{"ids":["demo-ci-1","demo-ci-2"]}"#,
        ),
    ];

    async fn call(self, email: &Email<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let ids = checked(&self.ids)?;
        let reply = |changed: &Changed| {
            let reply = told(
                changed,
                "Put back into the inbox:",
                "in the inbox, or in the trash,",
            );
            undone_by(reply, changed, "archive_emails", None, "Archive again")
        };
        email
            .mailbox(call)
            .await?
            .change(&ids, &Change::Unarchive, &reply)
            .await
    }
}

impl<S: Store, N: Network> Tool<Email<S, N>> for MarkEmailsRead {
    const NAME: &'static str = "mark_emails_read";
    const TITLE: &'static str = "Mark emails as read";
    const EFFECT: Effect = EFFECT;
    const RISK: Risk = Risk::Low;
    const OPEN_WORLD: bool = true;
    const COUNTED: Option<&'static str> = Some("ids");
    const CONFIRM_ABOVE: Option<u32> = CONFIRM_ABOVE;
    const EXAMPLES: &'static [Example] = &[
        Example("mark demo-sarah-4 as read", r#"{"ids":["demo-sarah-4"]}"#),
        Example(
            "mark the emails demo-ci-1 and demo-ci-2 as read",
            r#"{"ids":["demo-ci-1","demo-ci-2"]}"#,
        ),
        Example("I have read 18f0000000010001", r#"{"ids":["18f0000000010001"]}"#),
        Example("set demo-tom-1 to read", r#"{"ids":["demo-tom-1"]}"#),
    ];

    async fn call(self, email: &Email<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let ids = checked(&self.ids)?;
        let reply = |changed: &Changed| {
            let reply = told(changed, "Marked as read:", "read");
            undone_by(reply, changed, "mark_emails_unread", None, "Mark as unread again")
        };
        email
            .mailbox(call)
            .await?
            .change(&ids, &Change::Read, &reply)
            .await
    }
}

impl<S: Store, N: Network> Tool<Email<S, N>> for MarkEmailsUnread {
    const NAME: &'static str = "mark_emails_unread";
    const TITLE: &'static str = "Mark emails as unread";
    const EFFECT: Effect = EFFECT;
    const RISK: Risk = Risk::Low;
    const OPEN_WORLD: bool = true;
    const COUNTED: Option<&'static str> = Some("ids");
    const CONFIRM_ABOVE: Option<u32> = CONFIRM_ABOVE;
    const EXAMPLES: &'static [Example] = &[
        Example("mark demo-sarah-4 as unread", r#"{"ids":["demo-sarah-4"]}"#),
        Example(
            "mark the emails demo-ci-1 and demo-ci-2 as unread",
            r#"{"ids":["demo-ci-1","demo-ci-2"]}"#,
        ),
        Example(
            "set 18f0000000010001 to unread",
            r#"{"ids":["18f0000000010001"]}"#,
        ),
        Example("make demo-tom-1 unread again", r#"{"ids":["demo-tom-1"]}"#),
    ];

    async fn call(self, email: &Email<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let ids = checked(&self.ids)?;
        let reply = |changed: &Changed| {
            let reply = told(changed, "Marked as unread:", "unread");
            undone_by(reply, changed, "mark_emails_read", None, "Mark as read again")
        };
        email
            .mailbox(call)
            .await?
            .change(&ids, &Change::Unread, &reply)
            .await
    }
}

impl<S: Store, N: Network> Tool<Email<S, N>> for LabelEmails {
    const NAME: &'static str = "label_emails";
    const TITLE: &'static str = "Label emails";
    const EFFECT: Effect = EFFECT;
    const RISK: Risk = Risk::Low;
    const OPEN_WORLD: bool = true;
    const COUNTED: Option<&'static str> = Some("ids");
    const CONFIRM_ABOVE: Option<u32> = CONFIRM_ABOVE;
    const EXAMPLES: &'static [Example] = &[
        Example(
            "label demo-sarah-4 as Roadmap",
            r#"{"ids":["demo-sarah-4"],"label":"Roadmap"}"#,
        ),
        Example(
            "label the emails demo-ci-1 and demo-ci-2 with Builds",
            r#"{"ids":["demo-ci-1","demo-ci-2"],"label":"Builds"}"#,
        ),
        Example(
            "give 18f0000000010001 the label Receipts",
            r#"{"ids":["18f0000000010001"],"label":"Receipts"}"#,
        ),
        Example(
            "add the label Lumen to demo-tom-1",
            r#"{"ids":["demo-tom-1"],"label":"Lumen"}"#,
        ),
    ];

    async fn call(self, email: &Email<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let ids = checked(&self.ids)?;
        let label = checked_label(&self.label)?;
        let reply = |changed: &Changed| {
            let reply = told(
                changed,
                &format!("Labeled with “{label}”:"),
                &format!("labeled with “{label}”"),
            );
            undone_by(
                reply,
                changed,
                "unlabel_emails",
                Some(&label),
                "Take the label off again",
            )
        };
        let change = Change::Label(label.clone());
        email.mailbox(call).await?.change(&ids, &change, &reply).await
    }
}

impl<S: Store, N: Network> Tool<Email<S, N>> for UnlabelEmails {
    const NAME: &'static str = "unlabel_emails";
    const TITLE: &'static str = "Take a label off emails";
    const EFFECT: Effect = EFFECT;
    const RISK: Risk = Risk::Low;
    const OPEN_WORLD: bool = true;
    const COUNTED: Option<&'static str> = Some("ids");
    const CONFIRM_ABOVE: Option<u32> = CONFIRM_ABOVE;
    const EXAMPLES: &'static [Example] = &[
        Example(
            "remove the label Roadmap from demo-sarah-4",
            r#"{"ids":["demo-sarah-4"],"label":"Roadmap"}"#,
        ),
        Example(
            "take the label Builds off demo-ci-1 and demo-ci-2",
            r#"{"ids":["demo-ci-1","demo-ci-2"],"label":"Builds"}"#,
        ),
        Example(
            "unlabel 18f0000000010001: Receipts",
            r#"{"ids":["18f0000000010001"],"label":"Receipts"}"#,
        ),
        Example(
            "drop the label Lumen from demo-tom-1",
            r#"{"ids":["demo-tom-1"],"label":"Lumen"}"#,
        ),
    ];

    async fn call(self, email: &Email<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let ids = checked(&self.ids)?;
        let label = checked_label(&self.label)?;
        let reply = |changed: &Changed| {
            let reply = told(
                changed,
                &format!("Took “{label}” off"),
                &format!("without “{label}”"),
            );
            undone_by(reply, changed, "label_emails", Some(&label), "Label again")
        };
        let change = Change::Unlabel(label.clone());
        email.mailbox(call).await?.change(&ids, &change, &reply).await
    }
}

/// A name that a user may give to a label: none of the mailbox's own.
fn checked_label(name: &str) -> Result<String, Failure> {
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() || name.chars().count() > MAX_LABEL || name.chars().any(char::is_control) {
        return Err(Failure::rejected(format!(
            "label: a label's name has 1 to {MAX_LABEL} characters."
        )));
    }
    if label::is_system(&name.to_uppercase()) {
        return Err(Failure::rejected(format!(
            "label: “{name}” is the mailbox's own. Use the tools that archive, mark or trash emails."
        )));
    }
    Ok(name)
}
