//! Writes e-mails: drafts, and what is sent. Whatever leaves the mailbox is confirmed first, and cannot be taken back.

use anyturn_google::Network;
use anyturn_state::Store;
use anyturn_tool_sdk::{Call, Effect, Example, Failure, Reply, Risk, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{checked, eyes};
use crate::Email;
use crate::letter::Letter;
use crate::mailbox::{Mailbox, Written, no_such};
use crate::tell::{people, quoted};

/// Somebody is always asked before something is sent.
const ALWAYS: Option<u32> = Some(0);
/// Sending: the same call sends once, and whether it has can be asked.
const SENDS: Effect = Effect::IDEMPOTENT.verifiable().destructive();

/// Writes a draft, which nobody gets until it is sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftEmail {
    /// The email addresses to which it is to go.
    #[schemars(length(min = 1, max = 100))]
    to: Vec<String>,
    /// The email addresses that get a copy.
    #[serde(default)]
    #[schemars(length(max = 100))]
    cc: Vec<String>,
    /// What it is about, in one line.
    #[schemars(length(max = 300))]
    subject: String,
    /// What it says, as plain text.
    body: String,
}

/// Deletes a draft for good.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscardDraft {
    /// The draft's id, as draft_email gave it.
    id: String,
}

/// Sends an email. It cannot be taken back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendEmail {
    /// The email addresses to which it goes.
    #[schemars(length(min = 1, max = 100))]
    to: Vec<String>,
    /// The email addresses that get a copy.
    #[serde(default)]
    #[schemars(length(max = 100))]
    cc: Vec<String>,
    /// The email addresses that get a copy of which the others do not know.
    #[serde(default)]
    #[schemars(length(max = 100))]
    bcc: Vec<String>,
    /// What it is about, in one line.
    #[schemars(length(max = 300))]
    subject: String,
    /// What it says, as plain text.
    body: String,
}

/// Answers an email. It cannot be taken back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplyToEmail {
    /// The id of the email that is answered, as a search shows it.
    id: String,
    /// What the answer says, as plain text.
    body: String,
    /// Whether everybody who got the email gets the answer; only its sender unless the user says otherwise.
    all: Option<bool>,
}

/// Forwards an email with its attachments. It cannot be taken back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardEmail {
    /// The id of the email that is forwarded, as a search shows it.
    id: String,
    /// The email addresses to which it goes.
    #[schemars(length(min = 1, max = 100))]
    to: Vec<String>,
    /// What to say before it.
    note: Option<String>,
}

/// "Sent “a” to Ann <ann@example.com>."
fn sent(done: &str, letter: &Letter, written: &Written) -> Reply {
    let text = format!(
        "{done} {} to {}. This cannot be undone.",
        quoted(&letter.subject),
        people(letter.everybody())
    );
    Reply::new(text).with_structured(&json!({
        "id": written.id,
        "thread": written.thread,
        "to": letter.to,
        "cc": letter.cc,
        "subject": letter.subject,
    }))
}

fn one(id: &str) -> Result<String, Failure> {
    checked(&[id.to_owned()])?.pop().ok_or_else(|| no_such(id))
}

impl<S: Store, N: Network> Tool<Email<S, N>> for DraftEmail {
    const NAME: &'static str = "draft_email";
    const TITLE: &'static str = "Draft an email";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().reversible();
    const RISK: Risk = Risk::Low;
    const OPEN_WORLD: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example(
            "draft an email to tom.okafor@lumen.example about \"the timeline\": \"Here it comes.\"",
            r#"{"to":["tom.okafor@lumen.example"],"subject":"the timeline","body":"Here it comes."}"#,
        ),
        Example(
            "write a draft to ann@example.com, subject \"lunch\", saying \"Friday at noon?\"",
            r#"{"to":["ann@example.com"],"subject":"lunch","body":"Friday at noon?"}"#,
        ),
        Example(
            "prepare an email to ann@example.com with subject \"hello\" and text \"How are you?\"",
            r#"{"to":["ann@example.com"],"subject":"hello","body":"How are you?"}"#,
        ),
        Example(
            "save a draft for bob@example.com titled \"report\": \"It is attached.\"",
            r#"{"to":["bob@example.com"],"subject":"report","body":"It is attached."}"#,
        ),
    ];

    async fn call(self, email: &Email<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let letter = Letter::new(&self.to, &self.cc, &[], &self.subject, &self.body)?;
        let reply = |written: &Written| {
            let subject = quoted(&letter.subject);
            let text = format!(
                "Kept a draft of {subject} to {}. It was not sent.",
                people(letter.everybody())
            );
            Reply::new(text)
                .with_structured(&json!({
                    "id": written.id, "thread": written.thread, "to": letter.to, "subject": letter.subject,
                }))
                .with_inverse(
                    "discard_draft",
                    json!({ "id": written.id }),
                    format!("Delete the draft of {subject}"),
                )
                .undone_without_asking()
        };
        email.mailbox(call).await?.draft(&letter, &reply).await
    }
}

impl<S: Store, N: Network> Tool<Email<S, N>> for DiscardDraft {
    const NAME: &'static str = "discard_draft";
    const TITLE: &'static str = "Delete a draft";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().destructive();
    const OPEN_WORLD: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example("delete the draft r104729", r#"{"id":"r104729"}"#),
        Example("discard draft demo-own-1", r#"{"id":"demo-own-1"}"#),
        Example("throw the draft demo-draft-1 away", r#"{"id":"demo-draft-1"}"#),
        Example("remove my draft r209458", r#"{"id":"r209458"}"#),
    ];

    async fn call(self, email: &Email<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let id = one(&self.id)?;
        let reply = |was_there: bool| {
            let text = if was_there {
                "The draft is deleted."
            } else {
                "There is no such draft (any more)."
            };
            Reply::new(text).with_structured(&json!({ "id": id, "deleted": was_there }))
        };
        email.mailbox(call).await?.discard(&id, &reply).await
    }
}

impl<S: Store, N: Network> Tool<Email<S, N>> for SendEmail {
    const NAME: &'static str = "send_email";
    const TITLE: &'static str = "Send an email";
    const EFFECT: Effect = SENDS;
    const OPEN_WORLD: bool = true;
    const COUNTED: Option<&'static str> = Some("to");
    const CONFIRM_ABOVE: Option<u32> = ALWAYS;
    const EXAMPLES: &'static [Example] = &[
        Example(
            "send an email to tom.okafor@lumen.example about \"the timeline\": \"Here it comes.\"",
            r#"{"to":["tom.okafor@lumen.example"],"subject":"the timeline","body":"Here it comes."}"#,
        ),
        Example(
            "email ann@example.com, subject \"lunch\", saying \"Friday at noon?\"",
            r#"{"to":["ann@example.com"],"subject":"lunch","body":"Friday at noon?"}"#,
        ),
        Example(
            "write to ann@example.com with subject \"hello\" and text \"How are you?\"",
            r#"{"to":["ann@example.com"],"subject":"hello","body":"How are you?"}"#,
        ),
        Example(
            "send bob@example.com an email titled \"report\": \"It is ready.\"",
            r#"{"to":["bob@example.com"],"subject":"report","body":"It is ready."}"#,
        ),
    ];

    async fn call(self, email: &Email<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let letter = Letter::new(&self.to, &self.cc, &self.bcc, &self.subject, &self.body)?;
        let reply = |written: &Written| sent("Sent", &letter, written);
        email.mailbox(call).await?.send(&letter, &reply).await
    }
}

impl<S: Store, N: Network> Tool<Email<S, N>> for ReplyToEmail {
    const NAME: &'static str = "reply_to_email";
    const TITLE: &'static str = "Reply to an email";
    const EFFECT: Effect = SENDS;
    const OPEN_WORLD: bool = true;
    const CONFIRM_ABOVE: Option<u32> = ALWAYS;
    const EXAMPLES: &'static [Example] = &[
        Example(
            "reply to demo-sarah-5: \"See you there.\"",
            r#"{"id":"demo-sarah-5","body":"See you there."}"#,
        ),
        Example(
            "answer the email 18f0000000010001 with \"Thank you!\"",
            r#"{"id":"18f0000000010001","body":"Thank you!"}"#,
        ),
        Example(
            "reply to demo-tom-1 saying \"Four of us will join.\"",
            r#"{"id":"demo-tom-1","body":"Four of us will join."}"#,
        ),
        Example(
            "reply to everybody on demo-marcus-4: \"Well done.\"",
            r#"{"id":"demo-marcus-4","body":"Well done.","all":true}"#,
        ),
    ];

    async fn call(self, email: &Email<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let id = one(&self.id)?;
        if self.body.trim().is_empty() {
            return Err(Failure::rejected("body: an answer has to say something."));
        }
        let mailbox = email.mailbox(call).await?;
        let mail = mailbox.read(&id).await?;
        let owner = mailbox.owner().await?;
        let letter = Letter::answer(&mail, &owner, &self.body, self.all.unwrap_or(false))?;
        let reply = |written: &Written| sent("Sent", &letter, written);
        mailbox.send(&letter, &reply).await
    }
}

impl<S: Store, N: Network> Tool<Email<S, N>> for ForwardEmail {
    const NAME: &'static str = "forward_email";
    const TITLE: &'static str = "Forward an email";
    const EFFECT: Effect = SENDS;
    const OPEN_WORLD: bool = true;
    const COUNTED: Option<&'static str> = Some("to");
    const CONFIRM_ABOVE: Option<u32> = ALWAYS;
    const EXAMPLES: &'static [Example] = &[
        Example(
            "forward demo-marcus-1 to tom.okafor@lumen.example",
            r#"{"id":"demo-marcus-1","to":["tom.okafor@lumen.example"]}"#,
        ),
        Example(
            "forward the email 18f0000000010001 to ann@example.com with the note \"For you.\"",
            r#"{"id":"18f0000000010001","to":["ann@example.com"],"note":"For you."}"#,
        ),
        Example(
            "pass demo-invoice-1 on to bob@example.com",
            r#"{"id":"demo-invoice-1","to":["bob@example.com"]}"#,
        ),
        Example(
            "send demo-travel-1 on to ann@example.com and bob@example.com",
            r#"{"id":"demo-travel-1","to":["ann@example.com","bob@example.com"]}"#,
        ),
    ];

    async fn call(self, email: &Email<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let id = one(&self.id)?;
        let mailbox = email.mailbox(call).await?;
        let mail = mailbox.read(&id).await?;
        let when = eyes(call).when(mail.summary.date);
        let letter = Letter::forwarded(&mail, &self.to, self.note.as_deref().unwrap_or_default(), &when)?;
        let reply = |written: &Written| sent("Forwarded", &letter, written);
        mailbox.send(&letter, &reply).await
    }
}
