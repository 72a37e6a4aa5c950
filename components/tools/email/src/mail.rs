//! E-mails as the tools see them, whichever mailbox they lie in.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Gmail's labels for where a message is and how it is, which the demo mailbox uses too.
pub mod label {
    /// In the inbox.
    pub const INBOX: &str = "INBOX";
    /// Not read yet.
    pub const UNREAD: &str = "UNREAD";
    /// In the trash.
    pub const TRASH: &str = "TRASH";
    /// Taken for spam.
    pub const SPAM: &str = "SPAM";
    /// Sent by the user.
    pub const SENT: &str = "SENT";
    /// Not sent yet.
    pub const DRAFT: &str = "DRAFT";
    /// Advertisements and newsletters.
    pub const PROMOTIONS: &str = "CATEGORY_PROMOTIONS";
    /// From social networks.
    pub const SOCIAL: &str = "CATEGORY_SOCIAL";
    /// Bills, receipts, notifications.
    pub const UPDATES: &str = "CATEGORY_UPDATES";
    /// Mailing lists.
    pub const FORUMS: &str = "CATEGORY_FORUMS";

    /// Whether a label is one of Gmail's own, which users cannot name.
    pub fn is_system(label: &str) -> bool {
        label.starts_with("CATEGORY_")
            || [
                INBOX,
                UNREAD,
                TRASH,
                SPAM,
                SENT,
                DRAFT,
                "STARRED",
                "IMPORTANT",
                "CHAT",
            ]
            .contains(&label)
    }
}

/// Somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Their name; empty if it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Their e-mail address.
    pub email: String,
}

impl Address {
    /// Who is meant by `Sarah Chen <sarah@example.com>`, `"Chen, Sarah" <sarah@example.com>` or `sarah@example.com`.
    /// What is neither stands as the e-mail address.
    pub fn parse(text: &str) -> Address {
        // Whoever wrote a header may have written anything.
        let text: String = text
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect();
        let text = text.trim();
        match text.rsplit_once('<') {
            Some((name, rest)) => Address {
                name: name.trim().trim_matches('"').replace("\\\"", "\""),
                email: rest.trim_end_matches('>').trim().to_owned(),
            },
            None => Address {
                name: String::new(),
                email: text.to_owned(),
            },
        }
    }

    /// Everybody in a header such as `To`. A comma within quotes belongs to a name.
    pub fn parse_list(text: &str) -> Vec<Address> {
        let mut quoted = false;
        text.split(|letter| {
            quoted ^= letter == '"';
            letter == ',' && !quoted
        })
        .filter(|part| !part.trim().is_empty())
        .map(Address::parse)
        .collect()
    }

    /// The name, or the e-mail address where there is none.
    pub fn short(&self) -> &str {
        if self.name.is_empty() {
            &self.email
        } else {
            &self.name
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            f.write_str(&self.email)
        } else {
            write!(f, "{} <{}>", self.name, self.email)
        }
    }
}

/// What a list shows of an e-mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its id.
    pub id: String,
    /// The conversation that it belongs to.
    pub thread: String,
    /// Who wrote it, as it says.
    pub from: Address,
    /// To whom.
    pub to: Vec<Address>,
    /// What about; may be empty.
    pub subject: String,
    /// When it came.
    pub date: Timestamp,
    /// Its beginning.
    pub snippet: String,
    /// Gmail's own labels by id, the user's by name.
    pub labels: BTreeSet<String>,
}

impl Summary {
    /// Whether it has this label.
    pub fn has(&self, label: &str) -> bool {
        self.labels.contains(label)
    }
}

/// An e-mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// What a list shows of it.
    pub summary: Summary,
    /// Who else got it.
    pub cc: Vec<Address>,
    /// Where answers are to go, if not to the one who wrote it.
    pub reply_to: Vec<Address>,
    /// Its `Message-ID`, without angle brackets; empty if it has none.
    pub message_id: String,
    /// Those of the messages before it in the conversation.
    pub references: Vec<String>,
    /// What it says, as text.
    pub body: String,
    /// Whether it says more than that: of very long pages only the beginning is read.
    pub is_cut: bool,
    /// What is attached to it.
    pub attachments: Vec<Attachment>,
}

/// Something attached to an e-mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The file's name.
    pub name: String,
    /// Such as `application/pdf`.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// Where the mailbox keeps its contents; empty if it does not.
    #[serde(skip)]
    pub reference: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_headers_write_them() {
        let all = Address::parse_list(
            "Sarah Chen <sarah@a.example>, \"Webb, Marcus\" <marcus@a.example>, priya@a.example, ,",
        );
        let shown: Vec<_> = all
            .iter()
            .map(|address| (address.short(), address.email.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                ("Sarah Chen", "sarah@a.example"),
                ("Webb, Marcus", "marcus@a.example"),
                ("priya@a.example", "priya@a.example"),
            ]
        );
    }
}
