//! A message of the demo mailbox as it is written down, and the e-mail that it becomes for somebody who begins at some
//! moment.

use std::collections::BTreeSet;

use anyturn_people::cast;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::mail::{Address, Attachment, Mail, Summary, label};

/// Characters of a snippet.
pub(super) const SNIPPET: usize = 140;
/// Minutes of a day.
const DAY: i64 = 24 * 60;

/// Somebody, by name and address.
pub type Who = (&'static str, &'static str);

/// The user.
pub const ALEX: Who = person(cast::ALEX);

/// Somebody of the cast.
pub const fn person(person: cast::Person) -> Who {
    (person.name, person.address)
}

/// When something came, seen from the day on which somebody begins.
#[derive(Clone, Copy, Debug)]
pub enum Day {
    /// So many days ago.
    Ago(u16),
    /// So many days ago, but not before Monday: within this week on every day of the week.
    Week(u16),
}

/// A message as it is written down.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    id: &'static str,
    day: Day,
    /// Of the day; today, of as much of it as has passed.
    minute: u16,
    from: Who,
    to: &'static [Who],
    subject: &'static str,
    body: &'static str,
    labels: &'static [&'static str],
    files: &'static [(&'static str, &'static str, u64)],
    answers: &'static str,
}

impl Row {
    /// A message to the user that lies in the inbox and was read.
    pub const fn new(
        id: &'static str,
        (day, minute): (Day, u16),
        from: Who,
        subject: &'static str,
        body: &'static str,
    ) -> Row {
        Row {
            id,
            day,
            minute,
            from,
            to: &[ALEX],
            subject,
            body,
            labels: &[label::INBOX],
            files: &[],
            answers: "",
        }
    }

    /// A message that the user sent.
    pub const fn sent(
        id: &'static str,
        when: (Day, u16),
        to: &'static [Who],
        subject: &'static str,
        body: &'static str,
    ) -> Row {
        let mut row = Row::new(id, when, ALEX, subject, body);
        row.to = to;
        row.labels = &[label::SENT];
        row
    }

    /// With these labels and no others.
    pub const fn labels(mut self, labels: &'static [&'static str]) -> Row {
        self.labels = labels;
        self
    }

    /// Not read yet.
    pub const fn unread(self) -> Row {
        self.labels(&[label::INBOX, label::UNREAD])
    }

    /// To these.
    pub const fn to(mut self, to: &'static [Who]) -> Row {
        self.to = to;
        self
    }

    /// With these attached: name, media type, bytes.
    pub const fn files(mut self, files: &'static [(&'static str, &'static str, u64)]) -> Row {
        self.files = files;
        self
    }

    /// In answer to the message of this id.
    pub const fn answers(mut self, id: &'static str) -> Row {
        self.answers = id;
        self
    }

    /// The e-mail that it is for somebody who begins at this moment.
    pub fn mail(&self, begun: &Zoned) -> Mail {
        let subject = self.subject.to_owned();
        // A conversation is named by its first message, and no answer is answered twice.
        let thread = if self.answers.is_empty() {
            self.id
        } else {
            self.answers
        };
        let date = when(begun, self.day, self.minute);
        Mail {
            summary: Summary {
                id: self.id.to_owned(),
                thread: thread.to_owned(),
                from: who(self.from),
                to: self.to.iter().copied().map(who).collect(),
                subject,
                date,
                snippet: snippet(self.body),
                labels: self.labels.iter().map(|label| (*label).to_owned()).collect(),
            },
            cc: Vec::new(),
            reply_to: Vec::new(),
            message_id: message_id(self.id),
            references: match self.answers {
                "" => Vec::new(),
                first => vec![message_id(first)],
            },
            body: self.body.to_owned(),
            is_cut: false,
            attachments: self
                .files
                .iter()
                .map(|&(name, media_type, size)| Attachment {
                    name: name.to_owned(),
                    media_type: media_type.to_owned(),
                    size,
                    reference: String::new(),
                })
                .collect(),
        }
    }
}

/// A newsletter: it can be unsubscribed from.
pub fn newsletter(
    id: String,
    (day, minute): (Day, u16),
    (name, email, subject, text): (&str, &str, &str, &str),
    labels: &[&str],
    begun: &Zoned,
) -> Mail {
    let domain = email.rsplit('@').next().unwrap_or_default();
    let body = format!(
        "{text}\n\nYou get this because you subscribed to {name}. Unsubscribe at any time: https://{domain}/unsubscribe"
    );
    Mail {
        summary: Summary {
            thread: id.clone(),
            from: who((name, email)),
            to: vec![who(ALEX)],
            subject: subject.to_owned(),
            date: when(begun, day, minute),
            snippet: snippet(&body),
            labels: labels
                .iter()
                .map(|label| (*label).to_owned())
                .collect::<BTreeSet<_>>(),
            id: id.clone(),
        },
        cc: Vec::new(),
        reply_to: Vec::new(),
        message_id: message_id(&id),
        references: Vec::new(),
        body,
        is_cut: false,
        attachments: Vec::new(),
    }
}

/// Today's messages are spread over as much of the day as has passed, so that none comes from the future.
fn when(begun: &Zoned, day: Day, minute: u16) -> Timestamp {
    let today = begun.date();
    let ago = match day {
        Day::Ago(ago) => i64::from(ago),
        Day::Week(ago) => i64::from(ago).min(i64::from(today.weekday().to_monday_zero_offset())),
    };
    let midnight = today
        .saturating_sub(ago.days())
        .to_zoned(begun.time_zone().clone())
        .map_or(begun.timestamp(), |midnight| midnight.timestamp());
    let seconds = if ago == 0 {
        let passed = begun.timestamp().as_second() - midnight.as_second();
        passed * i64::from(minute) / DAY
    } else {
        i64::from(minute) * 60
    };
    Timestamp::from_second(midnight.as_second() + seconds).unwrap_or(midnight)
}

pub(super) fn who((name, email): (&str, &str)) -> Address {
    Address {
        name: name.to_owned(),
        email: email.to_owned(),
    }
}

/// The beginning of a text, in one line.
pub(super) fn snippet(body: &str) -> String {
    let words: Vec<&str> = body.split_whitespace().collect();
    words.join(" ").chars().take(SNIPPET).collect()
}

fn message_id(id: &str) -> String {
    format!("{id}@demo.northwind.example")
}
