//! Finds e-mails.

use anyturn_google::Network;
use anyturn_state::Store;
use anyturn_tool_sdk::{Call, Effect, Example, Failure, Reply, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::eyes;
use crate::mail::label;
use crate::mailbox::{Hits, Mailbox};
use crate::search::{Category, Days, Place, Search, When, words};
use crate::tell::{Eyes, Listed, emails, quoted};
use crate::{Email, zone};

/// How many are shown unless the call says otherwise.
const SHOWN: u32 = 10;
/// How many one call may show.
const MAX_SHOWN: u32 = 50;

/// Finds emails that fit in every respect given, the latest first. The result names the ids of all of them and shows
/// the first ones.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchEmails {
    /// Who wrote them: words of a name or an address.
    from: Option<String>,
    /// Who got them: words of a name or an address.
    to: Option<String>,
    /// Words of the subject.
    subject: Option<String>,
    /// Words that stand anywhere in them.
    text: Option<String>,
    /// When they came, in words.
    when: Option<When>,
    /// The one day on which they came.
    #[schemars(extend("format" = "date"))]
    on: Option<String>,
    /// The first day on which they may have come.
    #[schemars(extend("format" = "date"))]
    after: Option<String>,
    /// The day before which they must have come.
    #[schemars(extend("format" = "date"))]
    before: Option<String>,
    /// Only unread ones, or only read ones.
    unread: Option<bool>,
    /// Only with attachments, or only without.
    has_attachment: Option<bool>,
    /// What kind of emails.
    category: Option<Category>,
    /// A label of the user's, by its name.
    label: Option<String>,
    /// Where they lie; received ones unless the user says otherwise, archived or not.
    #[serde(rename = "in")]
    place: Option<Place>,
    /// How many to show; 10 unless the user says otherwise.
    #[schemars(range(min = 1, max = 50))]
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Found<'a> {
    total: usize,
    total_is_exact: bool,
    emails: Vec<Listed<'a>>,
    ids: &'a [String],
}

impl<S: Store, N: Network> Tool<Email<S, N>> for SearchEmails {
    const NAME: &'static str = "search_emails";
    const TITLE: &'static str = "Search emails";
    const EFFECT: Effect = Effect::READ;
    const OPEN_WORLD: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example("show my latest emails", r#"{"in":"inbox"}"#),
        Example(
            "find emails from Sarah this week",
            r#"{"from":"Sarah","when":"this week"}"#,
        ),
        Example(
            "what newsletters came today?",
            r#"{"category":"newsletters","when":"today"}"#,
        ),
        Example("show unread emails", r#"{"unread":true}"#),
        Example("find emails about the budget", r#"{"text":"the budget"}"#),
        Example(
            "search for emails with attachments from Tom",
            r#"{"from":"Tom","has_attachment":true}"#,
        ),
        Example(
            "which emails did Priya send me on 2026-12-01?",
            r#"{"from":"Priya","on":"2026-12-01"}"#,
        ),
        Example(
            "list the emails that I sent yesterday",
            r#"{"in":"sent","when":"yesterday"}"#,
        ),
    ];

    async fn call(self, email: &Email<S, N>, call: &Call<'_>) -> Result<Reply, Failure> {
        let limit = self.limit.unwrap_or(SHOWN);
        if !(1..=MAX_SHOWN).contains(&limit) {
            return Err(Failure::rejected(format!("limit must be from 1 to {MAX_SHOWN}.")));
        }
        let eyes = eyes(call);
        let zone = zone(call);
        let days = Days {
            today: eyes.now.date(),
            zone: &zone,
        };
        let within = days.within(
            self.when,
            self.on.as_deref(),
            self.after.as_deref(),
            self.before.as_deref(),
        );
        let (start, end) = within.map_err(Failure::rejected)?;
        let some = |text: &Option<String>| text.as_deref().map(words).unwrap_or_default();
        let search = Search {
            from: some(&self.from),
            to: some(&self.to),
            subject: telling(some(&self.subject)),
            text: telling(some(&self.text)),
            start,
            end,
            unread: self.unread,
            attachment: self.has_attachment,
            category: self.category,
            label: self.label.clone().filter(|label| !label.trim().is_empty()),
            place: self.place.unwrap_or_default(),
        };
        let mailbox = email.mailbox(call).await?;
        let shown = usize::try_from(limit).unwrap_or(usize::MAX);
        let hits = mailbox.search(&search, shown).await?;
        let found = Found {
            total: hits.ids.len(),
            total_is_exact: hits.is_complete,
            emails: (1..)
                .zip(&hits.shown)
                .map(|(number, summary)| Listed::new(number, summary, &eyes))
                .collect(),
            ids: &hits.ids,
        };
        Ok(Reply::new(self.tell(&hits, &eyes)).with_structured(&found))
    }
}

/// Words without those that people put before nouns and that need not stand in an email about them; all of them where
/// nothing else is left.
fn telling(mut words: Vec<String>) -> Vec<String> {
    let tells = |word: &String| !["a", "an", "the", "my", "our"].contains(&word.as_str());
    if words.iter().any(tells) {
        words.retain(tells);
    }
    words
}

impl SearchEmails {
    /// "23 newsletters from today:", and the first of them.
    fn tell(&self, hits: &Hits, eyes: &Eyes) -> String {
        let total = hits.ids.len();
        let which = self.which();
        if total == 0 {
            return format!("There are no {}{which}.", self.noun(2));
        }
        let more = if hits.is_complete { "" } else { "More than " };
        let mut text = match total {
            1 if hits.is_complete => format!("1 {}{which}:", self.noun(1)),
            _ => format!("{more}{total} {}{which}", self.noun(2)),
        };
        if total > hits.shown.len() {
            text.push_str(&format!("; the latest {}:", hits.shown.len()));
        } else if !text.ends_with(':') {
            text.push(':');
        }
        for (number, summary) in (1..).zip(&hits.shown) {
            let who = if summary.has(label::SENT) || summary.has(label::DRAFT) {
                let to: Vec<&str> = summary.to.iter().map(|address| address.short()).collect();
                format!("to {}", to.join(", "))
            } else {
                summary.from.short().to_owned()
            };
            let unread = if summary.has(label::UNREAD) {
                ", unread"
            } else {
                ""
            };
            let when = eyes.when(summary.date);
            text.push_str(&format!(
                "\n{number}. {who}: {}, {when}{unread}",
                quoted(&summary.subject)
            ));
        }
        text
    }

    fn noun(&self, count: usize) -> String {
        let kind = match self.category {
            Some(Category::Newsletters) => {
                return if count == 1 { "newsletter" } else { "newsletters" }.to_owned();
            }
            Some(Category::Promotions) => "promotional ",
            Some(Category::Social) => "social ",
            Some(Category::Updates | Category::Forums) | None => "",
            Some(Category::Primary) => "personal ",
        };
        let unread = match self.unread {
            Some(true) => "unread ",
            Some(false) => "read ",
            None => "",
        };
        let noun = emails(count);
        let noun = noun.split_once(' ').map_or("emails", |(_, noun)| noun);
        format!("{unread}{kind}{noun}")
    }

    fn which(&self) -> String {
        let mut text = String::new();
        let mut add = |before: &str, words: Option<&str>| {
            if let Some(words) = words.map(str::trim).filter(|words| !words.is_empty()) {
                text.extend([" ", before, words]);
            }
        };
        add("from ", self.from.as_deref());
        add("to ", self.to.as_deref());
        let when = self.when.map(When::in_words);
        // "emails from Sarah this week", but "newsletters from today".
        add(
            "",
            when.map(|when| {
                if self.from.is_some() {
                    when.trim_start_matches("from ")
                } else {
                    when
                }
            }),
        );
        add("from ", self.on.as_deref());
        add("from ", self.after.as_deref());
        add("before ", self.before.as_deref());
        let subject = self.subject.as_deref().map(quoted);
        add("with the subject ", subject.as_deref());
        let words = self.text.as_deref().map(quoted);
        add("with ", words.as_deref());
        add("labeled ", self.label.as_deref());
        match self.has_attachment {
            Some(true) => add("", Some("with attachments")),
            Some(false) => add("", Some("without attachments")),
            None => {}
        }
        let place = match self.place.unwrap_or_default() {
            Place::Received | Place::Anywhere => None,
            Place::Inbox => Some("the inbox"),
            Place::Sent => Some("the sent emails"),
            Place::Drafts => Some("the drafts"),
            Place::Trash => Some("the trash"),
            Place::Spam => Some("spam"),
        };
        add("in ", place);
        text
    }
}
