//! What is to be written: checked, then put into the form in which e-mails travel (RFC 5322, MIME).

use anyturn_tool_sdk::Failure;
use email_address::{EmailAddress, Options};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address as Header;
use mail_builder::headers::message_id::MessageId;

use crate::mail::{Address, Mail};

/// Recipients of one e-mail.
const MAX_RECIPIENTS: usize = 100;
/// Characters of a subject.
const MAX_SUBJECT: usize = 300;
/// Bytes of a body.
const MAX_BODY: usize = 100_000;
/// Ids of earlier messages that an answer names: the first and the last ones (RFC 5322, section 3.6.4).
const MAX_REFERENCES: usize = 20;

/// A letter that may be sent. Nothing in its addresses and its subject can end a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// To whom.
    pub to: Vec<Address>,
    /// Who else is to know.
    pub cc: Vec<Address>,
    /// Who else is to know without the others knowing.
    pub bcc: Vec<Address>,
    /// What about.
    pub subject: String,
    /// What it says.
    pub body: String,
    /// The message that it answers, and the ones before that, without angle brackets.
    pub references: Vec<String>,
    /// The conversation that it belongs to.
    pub thread: Option<String>,
    /// What is attached.
    pub attachments: Vec<Enclosure>,
}

/// Something to attach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enclosure {
    /// The file's name.
    pub name: String,
    /// Such as `application/pdf`.
    pub media_type: String,
    /// The id of the e-mail that it is taken from, where the mailbox keeps it, and its size.
    pub source: Source,
}

/// Where an attachment is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The e-mail's id.
    pub mail: String,
    /// What the mailbox calls it.
    pub reference: String,
    /// Bytes.
    pub size: u64,
}

impl Letter {
    /// A letter of one's own.
    ///
    /// # Errors
    ///
    /// Says what is wrong: nobody to send it to, an address that is none, a line break in the subject, too much of
    /// something.
    pub fn new(
        to: &[String],
        cc: &[String],
        bcc: &[String],
        subject: &str,
        body: &str,
    ) -> Result<Letter, Failure> {
        let letter = Letter {
            to: addresses("to", to)?,
            cc: addresses("cc", cc)?,
            bcc: addresses("bcc", bcc)?,
            subject: one_line("subject", subject)?,
            body: checked_body(body)?,
            ..Letter::default()
        };
        letter.count()?;
        Ok(letter)
    }

    /// An answer to an e-mail that `owner` got: to whoever wrote it, or to everybody who had to do with it.
    ///
    /// # Errors
    ///
    /// As of [`Letter::new`]; or there is nobody to answer.
    pub fn answer(mail: &Mail, owner: &Address, body: &str, all: bool) -> Result<Letter, Failure> {
        let is_own = |address: &Address| address.email.eq_ignore_ascii_case(&owner.email);
        let summary = &mail.summary;
        // An answer to what one wrote oneself goes on to whom it went.
        let mut to = if is_own(&summary.from) {
            summary.to.clone()
        } else if mail.reply_to.is_empty() {
            vec![summary.from.clone()]
        } else {
            mail.reply_to.clone()
        };
        let mut cc = Vec::new();
        if all {
            let others = summary
                .to
                .iter()
                .chain(&mail.cc)
                .filter(|address| !is_own(address));
            cc.extend(others.cloned());
        }
        // Whoever wrote the e-mail also wrote these addresses, and may have written anything.
        to.retain(|address| checked_address(&address.email).is_ok());
        cc.retain(|address| {
            checked_address(&address.email).is_ok() && !to.iter().any(|known| known.email == address.email)
        });
        cc.dedup_by(|left, right| left.email == right.email);
        if to.is_empty() {
            return Err(Failure::rejected("That email has no address to answer to."));
        }
        let mut references = mail.references.clone();
        if !mail.message_id.is_empty() {
            references.push(mail.message_id.clone());
        }
        if references.len() > MAX_REFERENCES {
            references.drain(1..=references.len() - MAX_REFERENCES);
        }
        let letter = Letter {
            to,
            cc,
            subject: prefixed("Re:", &summary.subject),
            body: checked_body(body)?,
            references,
            thread: Some(summary.thread.clone()),
            ..Letter::default()
        };
        letter.count()?;
        Ok(letter)
    }

    /// An e-mail handed on, with what is attached to it. `sent` says when it came.
    ///
    /// # Errors
    ///
    /// As of [`Letter::new`].
    pub fn forwarded(mail: &Mail, to: &[String], note: &str, sent: &str) -> Result<Letter, Failure> {
        let summary = &mail.summary;
        let everybody: Vec<String> = summary.to.iter().map(ToString::to_string).collect();
        let mut body = note.trim().to_owned();
        if !body.is_empty() {
            body.push_str("\n\n");
        }
        body.push_str(&format!(
            "---------- Forwarded message ----------\nFrom: {}\nDate: {sent}\nSubject: {}\nTo: {}\n\n{}",
            summary.from,
            summary.subject,
            everybody.join(", "),
            mail.body,
        ));
        if mail.is_cut {
            body.push_str("\n[The rest is left out.]");
        }
        let letter = Letter {
            to: addresses("to", to)?,
            subject: prefixed("Fwd:", &summary.subject),
            body: checked_body(&body)?,
            attachments: mail
                .attachments
                .iter()
                .map(|attachment| Enclosure {
                    name: attachment.name.clone(),
                    media_type: attachment.media_type.clone(),
                    source: Source {
                        mail: summary.id.clone(),
                        reference: attachment.reference.clone(),
                        size: attachment.size,
                    },
                })
                .collect(),
            ..Letter::default()
        };
        letter.count()?;
        Ok(letter)
    }

    fn count(&self) -> Result<(), Failure> {
        let count = self.everybody().count();
        if count == 0 {
            return Err(Failure::rejected("to: somebody has to get the email."));
        }
        if count > MAX_RECIPIENTS {
            return Err(Failure::rejected(format!(
                "An email may go to {MAX_RECIPIENTS} people; these are {count}."
            )));
        }
        Ok(())
    }

    /// Everybody who gets it.
    pub fn everybody(&self) -> impl Iterator<Item = &Address> {
        self.to.iter().chain(&self.cc).chain(&self.bcc)
    }

    /// The letter as it travels. `message_id` is without angle brackets, `date` in seconds since the Unix epoch, and
    /// `contents` are the attachments', in their order.
    pub fn to_mime(&self, from: &Address, message_id: &str, date: i64, contents: Vec<Vec<u8>>) -> Vec<u8> {
        let mut message = MessageBuilder::new()
            .message_id(message_id)
            .date(date)
            .from(header(from))
            .to(headers(&self.to))
            .subject(self.subject.as_str());
        if !self.cc.is_empty() {
            message = message.cc(headers(&self.cc));
        }
        if !self.bcc.is_empty() {
            message = message.bcc(headers(&self.bcc));
        }
        if let Some(last) = self.references.last() {
            message = message
                .in_reply_to(last.as_str())
                .references(MessageId::new_list(self.references.iter().map(String::as_str)));
        }
        message = message.text_body(self.body.as_str());
        for (enclosure, contents) in self.attachments.iter().zip(contents) {
            let media_type = enclosure.media_type.as_str();
            message = message.attachment(media_type, enclosure.name.as_str(), contents);
        }
        // Writing to memory cannot fail.
        message.write_to_vec().unwrap_or_default()
    }
}

fn header(address: &Address) -> Header<'_> {
    let name = (!address.name.is_empty()).then_some(address.name.as_str());
    Header::new_address(name, address.email.as_str())
}

fn headers(addresses: &[Address]) -> Header<'_> {
    Header::new_list(addresses.iter().map(header).collect())
}

fn addresses(field: &str, texts: &[String]) -> Result<Vec<Address>, Failure> {
    let mut all: Vec<Address> = Vec::with_capacity(texts.len());
    for text in texts {
        let text = one_line(field, text)?;
        let address = Address::parse(&text);
        // One address at a time: what a name may hold besides could be taken for another one.
        let checked = if address.name.contains(['<', '>', '@']) {
            checked_address(&text)
        } else {
            checked_address(&address.email)
        };
        checked.map_err(|reason| Failure::rejected(format!("{field}: {reason}")))?;
        if !all
            .iter()
            .any(|known| known.email.eq_ignore_ascii_case(&address.email))
        {
            all.push(address);
        }
    }
    Ok(all)
}

fn checked_address(email: &str) -> Result<(), String> {
    let options = Options::default()
        .with_required_tld()
        .without_domain_literal()
        .without_display_text();
    let is_plain = email.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain && EmailAddress::parse_with_options(email, options).is_ok() {
        return Ok(());
    }
    let shown: String = email
        .chars()
        .filter(|letter| !letter.is_control())
        .take(60)
        .collect();
    Err(format!(
        "“{shown}” is no email address. Write it like ann@example.com, or look it up in the contacts."
    ))
}

/// A text that goes into a header: a line break would end it and begin another.
fn one_line(field: &str, text: &str) -> Result<String, Failure> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err(Failure::rejected(format!(
            "{field} must not hold line breaks or other control characters."
        )));
    }
    if text.chars().count() > MAX_SUBJECT {
        return Err(Failure::rejected(format!(
            "{field} must have at most {MAX_SUBJECT} characters."
        )));
    }
    Ok(text.to_owned())
}

fn checked_body(body: &str) -> Result<String, Failure> {
    let body = body.trim().replace("\r\n", "\n");
    if body.len() > MAX_BODY {
        return Err(Failure::rejected(format!(
            "The text must have at most {MAX_BODY} bytes."
        )));
    }
    if body
        .chars()
        .any(|letter| letter.is_control() && !matches!(letter, '\n' | '\t'))
    {
        return Err(Failure::rejected("The text must not hold control characters."));
    }
    Ok(body)
}

/// A subject with this before it, once. What does not fit is cut: others wrote it.
fn prefixed(prefix: &str, subject: &str) -> String {
    let clean: String = subject
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(MAX_SUBJECT - prefix.len() - 1)
        .collect();
    let clean = clean.trim();
    let has_it = clean
        .get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if has_it {
        clean.to_owned()
    } else {
        format!("{prefix} {clean}")
    }
}
