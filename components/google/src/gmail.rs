//! Gmail (`gmail/v1`): messages, labels, drafts.
//!
//! Users are always `me`: whose account it is, the access token says. Reading and moving many messages goes through
//! batches of [`batch::SIZE`](crate::batch::SIZE), with a result for each; labels of many messages are changed by
//! `batchModify`, which takes 1,000 ids and does not say which of them exist.
//!
//! **Sending** is done in two steps, because that can be repeated and `messages.send` cannot: [`Gmail::create_draft`],
//! then [`Gmail::send_draft`]. Sending uses a draft up, so the same draft is sent once, however often that is asked; from
//! the second time on Gmail knows no such draft.

mod types;

use base64::Engine;
use base64::prelude::{BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;

use crate::client::read;
use crate::{Client, Error, Listed, Network, Request};
use types::{AttachmentData, DraftPage, LabelList, MessagePage, Thread};
pub use types::{Body, Draft, Header, Label, Message, MessageRef, Part};

/// Ids that one `batchModify` takes.
const MODIFIED_AT_ONCE: usize = 1000;
/// The largest page of `messages.list`.
const LARGEST_PAGE: usize = 500;
/// The largest message that is read, in bytes of JSON: a whole message with its small parts.
const MESSAGE_LIMIT: usize = 16 << 20;
/// The largest attachment that is read, in bytes of JSON.
const ATTACHMENT_LIMIT: usize = 16 << 20;

/// What may stand in a path as it is (RFC 3986, section 2.3).
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A user's mailbox.
#[derive(Debug)]
pub struct Gmail<'a, N> {
    client: Client<'a, N>,
    /// Without a slash at its end.
    url: String,
}

/// How much of a message is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Id and labels.
    Minimal,
    /// Also the headers that lists show.
    Metadata,
    /// Everything but large attachments.
    Full,
}

/// Headers of [`Format::Metadata`].
const HEADERS: [&str; 5] = ["From", "To", "Subject", "Date", "List-Unsubscribe"];

impl<N> Gmail<'_, N> {
    /// Google's address of it.
    pub const URL: &'static str = "https://gmail.googleapis.com";
}

impl<'a, N: Network> Gmail<'a, N> {
    /// The mailbox behind a client, at this address without a slash at its end.
    pub fn new(client: Client<'a, N>, url: impl Into<String>) -> Gmail<'a, N> {
        Gmail {
            client,
            url: url.into(),
        }
    }

    fn path(&self, rest: &str) -> String {
        format!("{}/gmail/v1/users/me/{rest}", self.url)
    }

    fn message(&self, id: &str, rest: &str) -> String {
        self.path(&format!("messages/{}{rest}", utf8_percent_encode(id, PATH)))
    }

    /// The account's e-mail address.
    pub async fn address(&self) -> Result<String, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Profile {
            email_address: String,
        }
        let profile: Profile = self.client.json(&Request::get(self.path("profile"))).await?;
        Ok(profile.email_address)
    }

    /// The messages that fit a search as people type it into Gmail, and have all these labels (by id); the latest
    /// first, at most so many.
    pub async fn search(
        &self,
        query: &str,
        labels: &[String],
        most: usize,
    ) -> Result<Listed<MessageRef>, Error> {
        let page = most.clamp(1, LARGEST_PAGE).to_string();
        let mut request = Request::get(self.path("messages")).query("maxResults", page);
        if !query.is_empty() {
            request = request.query("q", query);
        }
        for label in labels {
            request = request.query("labelIds", label);
            // Gmail leaves both out of a search that does not name them.
            if matches!(label.as_str(), "TRASH" | "SPAM") {
                request = request.query("includeSpamTrash", "true");
            }
        }
        self.client.pages::<MessagePage>(&request, most).await
    }

    /// Messages by their ids, in the order of the ids; each is found or not by itself.
    pub async fn get(&self, ids: &[String], format: Format) -> Result<Vec<Result<Message, Error>>, Error> {
        let requests: Vec<Request> = ids.iter().map(|id| self.get_one(id, format)).collect();
        if let [only] = requests.as_slice() {
            return Ok(vec![self.client.json(only).await]);
        }
        let results = self.client.batch(&self.batch_url(), &requests).await?;
        Ok(results.into_iter().map(|result| read(&result?)).collect())
    }

    fn get_one(&self, id: &str, format: Format) -> Request {
        let request = Request::get(self.message(id, "")).limit(MESSAGE_LIMIT);
        match format {
            Format::Minimal => request.query("format", "minimal"),
            Format::Full => request.query("format", "full"),
            Format::Metadata => HEADERS
                .iter()
                .fold(request.query("format", "metadata"), |request, header| {
                    request.query("metadataHeaders", header)
                }),
        }
    }

    /// Adds and removes labels (by id) of any number of messages. Ids that do not exist are not told apart.
    pub async fn modify(&self, ids: &[String], add: &[&str], remove: &[&str]) -> Result<(), Error> {
        for ids in ids.chunks(MODIFIED_AT_ONCE) {
            let body = json!({"ids": ids, "addLabelIds": add, "removeLabelIds": remove});
            let request = Request::post(self.path("messages/batchModify"))
                .json(&body)
                .repeatable();
            self.client.send(&request).await?;
        }
        Ok(())
    }

    /// Moves messages to the trash; each by itself.
    pub async fn trash(&self, ids: &[String]) -> Result<Vec<Result<(), Error>>, Error> {
        self.each(ids, "/trash").await
    }

    /// Takes messages out of the trash; each by itself. They are not in the inbox then.
    pub async fn untrash(&self, ids: &[String]) -> Result<Vec<Result<(), Error>>, Error> {
        self.each(ids, "/untrash").await
    }

    /// The messages of a conversation, with the headers that name a message. Unlike a search, this knows what happened a
    /// moment ago.
    pub async fn thread(&self, id: &str) -> Result<Vec<Message>, Error> {
        let path = self.path(&format!("threads/{}", utf8_percent_encode(id, PATH)));
        let request = Request::get(path)
            .query("format", "metadata")
            .query("metadataHeaders", "Message-ID")
            .query("metadataHeaders", "X-Google-Original-Message-ID");
        let thread: Thread = self.client.json(&request).await?;
        Ok(thread.messages)
    }

    async fn each(&self, ids: &[String], action: &str) -> Result<Vec<Result<(), Error>>, Error> {
        let requests: Vec<Request> = ids
            .iter()
            .map(|id| Request::post(self.message(id, action)).repeatable())
            .collect();
        if let [only] = requests.as_slice() {
            return Ok(vec![self.client.send(only).await.map(drop)]);
        }
        let results = self.client.batch(&self.batch_url(), &requests).await?;
        Ok(results.into_iter().map(|result| result.map(drop)).collect())
    }

    /// All labels: Gmail's own and the user's.
    pub async fn labels(&self) -> Result<Vec<Label>, Error> {
        let list: LabelList = self.client.json(&Request::get(self.path("labels"))).await?;
        Ok(list.labels)
    }

    /// A new label of the user's.
    pub async fn create_label(&self, name: &str) -> Result<Label, Error> {
        let request = Request::post(self.path("labels")).json(&json!({"name": name}));
        self.client.json(&request).await
    }

    /// The contents of an attachment.
    pub async fn attachment(&self, message: &str, id: &str) -> Result<Vec<u8>, Error> {
        let rest = format!("/attachments/{}", utf8_percent_encode(id, PATH));
        let request = Request::get(self.message(message, &rest)).limit(ATTACHMENT_LIMIT);
        let data: AttachmentData = self.client.json(&request).await?;
        decode(&data.data).ok_or_else(|| Error::Malformed {
            server: "Google",
            reason: "an attachment is no base64url".to_owned(),
        })
    }

    /// Keeps a message (RFC 5322) as a draft, in a thread if there is one. Made twice, there are two drafts.
    pub async fn create_draft(&self, message: &[u8], thread: Option<&str>) -> Result<Draft, Error> {
        let about = match thread {
            None => json!({"message": {}}),
            Some(thread) => json!({"message": {"threadId": thread}}),
        };
        let boundary = format!("draft_{:016x}", self.client.network.random());
        let mut body = format!(
            "--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{about}\r\n\
             --{boundary}\r\nContent-Type: message/rfc822\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(message);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let request = Request::post(format!("{}/upload/gmail/v1/users/me/drafts", self.url))
            .query("uploadType", "multipart")
            .body(format!("multipart/related; boundary={boundary}"), body);
        self.client.json(&request).await
    }

    /// The drafts that fit a search.
    pub async fn drafts(&self, query: &str, most: usize) -> Result<Listed<Draft>, Error> {
        let request = Request::get(self.path("drafts")).query("q", query);
        self.client.pages::<DraftPage>(&request, most).await
    }

    /// Sends a draft, which is then none any more: made again, it does nothing, and Gmail finds no such draft.
    pub async fn send_draft(&self, id: &str) -> Result<MessageRef, Error> {
        let request = Request::post(self.path("drafts/send"))
            .json(&json!({"id": id}))
            .repeatable();
        self.client.json(&request).await
    }

    /// Deletes a draft for good.
    pub async fn delete_draft(&self, id: &str) -> Result<(), Error> {
        let path = self.path(&format!("drafts/{}", utf8_percent_encode(id, PATH)));
        self.client.send(&Request::delete(path)).await.map(drop)
    }

    fn batch_url(&self) -> String {
        format!("{}/batch/gmail/v1", self.url)
    }
}

/// What base64url says, with or without padding: Gmail sends both.
pub fn decode(data: &str) -> Option<Vec<u8>> {
    let engine = if data.ends_with('=') {
        &BASE64_URL_SAFE
    } else {
        &BASE64_URL_SAFE_NO_PAD
    };
    engine.decode(data).ok()
}
