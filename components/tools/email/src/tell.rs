//! E-mails in words, for people and for models that quote them.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use serde::Serialize;

use crate::mail::{Address, Attachment, Mail, Summary, label};
use crate::mailbox::Touched;

/// Characters of an e-mail's text that are passed on.
pub const LONGEST_BODY: usize = 8000;
/// Subjects that are named one by one.
const NAMED: usize = 5;

/// How somebody sees times.
pub struct Eyes {
    /// The time it is for them.
    pub now: Zoned,
}

impl Eyes {
    /// Of somebody in this time zone.
    pub fn new(now: Timestamp, zone: TimeZone) -> Eyes {
        Eyes {
            now: now.to_zoned(zone),
        }
    }

    /// A time in their time zone.
    pub fn local(&self, time: Timestamp) -> Zoned {
        time.to_zoned(self.now.time_zone().clone())
    }

    /// "today 07:12", "Thu 19 Nov 09:40"; the year is told when it is another one.
    pub fn when(&self, time: Timestamp) -> String {
        let time = self.local(time);
        let (day, today) = (time.date(), self.now.date());
        let format = if day == today {
            "today %H:%M"
        } else if day == today.saturating_sub(1.day()) {
            "yesterday %H:%M"
        } else if day.year() == today.year() {
            "%a %-d %b %H:%M"
        } else {
            "%a %-d %b %Y %H:%M"
        };
        time.strftime(format).to_string()
    }
}

/// An e-mail in a list, for programs.
#[derive(Serialize)]
pub struct Listed<'a> {
    number: usize,
    id: &'a str,
    thread: &'a str,
    from: &'a Address,
    to: &'a [Address],
    subject: &'a str,
    date: String,
    snippet: &'a str,
    unread: bool,
    labels: Vec<&'a str>,
}

impl<'a> Listed<'a> {
    /// The e-mail with this number in a list.
    pub fn new(number: usize, summary: &'a Summary, eyes: &Eyes) -> Listed<'a> {
        Listed {
            number,
            id: &summary.id,
            thread: &summary.thread,
            from: &summary.from,
            to: &summary.to,
            subject: &summary.subject,
            date: rfc3339(&eyes.local(summary.date)),
            snippet: &summary.snippet,
            unread: summary.has(label::UNREAD),
            labels: summary.labels.iter().map(String::as_str).collect(),
        }
    }
}

/// A whole e-mail, for programs.
#[derive(Serialize)]
pub struct Whole<'a> {
    id: &'a str,
    thread: &'a str,
    from: &'a Address,
    to: &'a [Address],
    cc: &'a [Address],
    subject: &'a str,
    date: String,
    unread: bool,
    labels: Vec<&'a str>,
    attachments: &'a [Attachment],
    /// What others wrote: no program may take it for anything else.
    body: String,
    body_is_complete: bool,
}

impl<'a> Whole<'a> {
    /// An e-mail.
    pub fn new(mail: &'a Mail, eyes: &Eyes) -> Whole<'a> {
        let summary = &mail.summary;
        let body = shortened(&mail.body, LONGEST_BODY);
        Whole {
            id: &summary.id,
            thread: &summary.thread,
            from: &summary.from,
            to: &summary.to,
            cc: &mail.cc,
            subject: &summary.subject,
            date: rfc3339(&eyes.local(summary.date)),
            unread: summary.has(label::UNREAD),
            labels: summary.labels.iter().map(String::as_str).collect(),
            attachments: &mail.attachments,
            body_is_complete: !mail.is_cut && body.len() == mail.body.len(),
            body: body.to_owned(),
        }
    }
}

/// RFC 3339, with the offset and to the second.
fn rfc3339(time: &Zoned) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// The beginning of a text.
pub fn shortened(text: &str, most: usize) -> &str {
    match text.char_indices().nth(most) {
        None => text,
        Some((at, _)) => text.get(..at).unwrap_or(text),
    }
}

/// A subject as it is shown.
pub fn quoted(subject: &str) -> String {
    let subject = subject.trim();
    if subject.is_empty() {
        "(no subject)".to_owned()
    } else {
        format!("“{}”", shortened(subject, 120))
    }
}

/// "1 email", "23 emails".
pub fn emails(count: usize) -> String {
    match count {
        1 => "1 email".to_owned(),
        count => format!("{count} emails"),
    }
}

/// What was changed, in words: “a” from Ann; or how many, and some of them.
pub fn touched(changed: &[Touched]) -> String {
    if let [only] = changed {
        return if only.from.is_empty() {
            quoted(&only.subject)
        } else {
            format!("{} from {}", quoted(&only.subject), only.from)
        };
    }
    emails(changed.len())
}

/// Some of what was changed, line by line; nothing where there is only one.
pub fn some(changed: &[Touched]) -> String {
    let mut text = String::new();
    if changed.len() < 2 || changed.iter().all(|touched| touched.subject.is_empty()) {
        return text;
    }
    for touched in changed.iter().take(NAMED) {
        text.extend(["\n- ", &quoted(&touched.subject), " from ", &touched.from]);
    }
    if changed.len() > NAMED {
        text.push_str(&format!("\n- and {} more", changed.len() - NAMED));
    }
    text
}

/// Addresses in one line.
pub fn people<'a>(addresses: impl Iterator<Item = &'a Address>) -> String {
    let all: Vec<String> = addresses.map(ToString::to_string).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_read_them() {
        let now = "2026-11-20T10:00:00Z".parse().unwrap();
        let eyes = Eyes::new(now, TimeZone::get("Europe/Berlin").unwrap());
        for (time, told) in [
            ("2026-11-19T23:30:00Z", "today 00:30"),
            ("2026-11-19T22:30:00Z", "yesterday 23:30"),
            ("2026-11-05T08:05:00Z", "Thu 5 Nov 09:05"),
            ("2025-06-05T08:05:00Z", "Thu 5 Jun 2025 10:05"),
        ] {
            assert_eq!(eyes.when(time.parse().unwrap()), told);
        }
        assert_eq!(rfc3339(&eyes.now), "2026-11-20T11:00:00+01:00");
    }
}
