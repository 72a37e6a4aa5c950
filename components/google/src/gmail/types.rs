//! What Gmail's JSON says, as far as it is of use.

use serde::Deserialize;

use crate::Page;

/// A message, named.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageRef {
    /// Its id.
    pub id: String,
    /// The conversation that it belongs to.
    #[serde(default)]
    pub thread_id: String,
}

/// A message.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Its id.
    pub id: String,
    /// The conversation that it belongs to.
    #[serde(default)]
    pub thread_id: String,
    /// The ids of its labels.
    #[serde(default)]
    pub label_ids: Vec<String>,
    /// Its beginning, with `&`, `<`, `>` and quotes escaped as in HTML.
    #[serde(default)]
    pub snippet: String,
    /// When Gmail got it, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub internal_date: String,
    /// Its headers and contents.
    pub payload: Option<Part>,
}

/// A part of a message, or all of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Such as `text/plain`.
    #[serde(default)]
    pub mime_type: String,
    /// Of an attachment.
    #[serde(default)]
    pub filename: String,
    /// Of the message, or of the part.
    #[serde(default)]
    pub headers: Vec<Header>,
    /// What it holds, if it has no parts.
    #[serde(default)]
    pub body: Body,
    /// What it is made of.
    #[serde(default)]
    pub parts: Vec<Part>,
}

/// A header, decoded.
#[derive(Clone, Debug, Deserialize)]
pub struct Header {
    /// Its name, as it was written.
    pub name: String,
    /// Its value.
    #[serde(default)]
    pub value: String,
}

/// What a part holds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// Where the contents are to be had, if they are not here.
    pub attachment_id: Option<String>,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
    /// The contents in base64url.
    #[serde(default)]
    pub data: String,
}

impl Part {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value.as_str())
    }
}

/// A label.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Label {
    /// Gmail's own have ids like `INBOX`, the user's like `Label_12`.
    pub id: String,
    /// For people.
    pub name: String,
}

/// A draft.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Draft {
    /// Its id, which is not its message's.
    pub id: String,
    /// What it says.
    pub message: MessageRef,
}

#[derive(Deserialize)]
pub(super) struct LabelList {
    #[serde(default)]
    pub labels: Vec<Label>,
}

#[derive(Deserialize)]
pub(super) struct Thread {
    #[serde(default)]
    pub messages: Vec<Message>,
}

#[derive(Deserialize)]
pub(super) struct AttachmentData {
    #[serde(default)]
    pub data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessagePage {
    #[serde(default)]
    messages: Vec<MessageRef>,
    next_page_token: Option<String>,
}

impl Page for MessagePage {
    type Item = MessageRef;

    fn split(self) -> (Vec<MessageRef>, Option<String>) {
        (self.messages, self.next_page_token)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DraftPage {
    #[serde(default)]
    drafts: Vec<Draft>,
    next_page_token: Option<String>,
}

impl Page for DraftPage {
    type Item = Draft;

    fn split(self) -> (Vec<Draft>, Option<String>) {
        (self.drafts, self.next_page_token)
    }
}
