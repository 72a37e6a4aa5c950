//! What is searched for: the same for every mailbox, so that a search finds the same in each.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::Deserialize;

/// Words of one criterion that are looked for.
const MAX_WORDS: usize = 20;

/// What an e-mail has to be to be found; what is not said does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Words of the name or address of who wrote it.
    pub from: Vec<String>,
    /// Words of the names or addresses of who got it.
    pub to: Vec<String>,
    /// Words of the subject.
    pub subject: Vec<String>,
    /// Words that stand anywhere in it.
    pub text: Vec<String>,
    /// The earliest time.
    pub start: Option<Timestamp>,
    /// The time before which.
    pub end: Option<Timestamp>,
    /// Whether it is unread.
    pub unread: Option<bool>,
    /// Whether something is attached.
    pub attachment: Option<bool>,
    /// What kind of e-mail it is.
    pub category: Option<Category>,
    /// A label of the user's, by name.
    pub label: Option<String>,
    /// Where it lies.
    pub place: Place,
}

/// What kind of e-mail something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Category {
    /// What one can unsubscribe from.
    #[serde(alias = "newsletter")]
    Newsletters,
    /// Advertisements.
    #[serde(alias = "promotion")]
    Promotions,
    /// From social networks.
    Social,
    /// Bills, receipts, notifications.
    #[serde(alias = "update")]
    Updates,
    /// Mailing lists.
    #[serde(alias = "forum")]
    Forums,
    /// From people, and what is none of the others.
    Primary,
}

/// Where an e-mail lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Place {
    /// Received, archived or not, and not thrown away.
    #[default]
    Received,
    /// In the inbox.
    Inbox,
    /// Sent by the user.
    Sent,
    /// Drafts.
    #[serde(alias = "draft")]
    Drafts,
    /// In the trash.
    Trash,
    /// Taken for spam.
    Spam,
    /// Received or sent.
    Anywhere,
}

/// A time in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum When {
    /// Today.
    Today,
    /// Yesterday.
    Yesterday,
    /// Monday to Sunday.
    #[serde(rename = "this week")]
    ThisWeek,
    /// The week before.
    #[serde(rename = "last week")]
    LastWeek,
    /// This month.
    #[serde(rename = "this month")]
    ThisMonth,
    /// The month before.
    #[serde(rename = "last month")]
    LastMonth,
}

impl When {
    /// Its first day, and the day after its last.
    fn days(self, today: Date) -> (Date, Date) {
        let plus = |day: Date, span: Span| day.saturating_add(span);
        let monday = plus(today, -i64::from(today.weekday().to_monday_zero_offset()).days());
        let first = today.first_of_month();
        match self {
            When::Today => (today, plus(today, 1.day())),
            When::Yesterday => (plus(today, -1.days()), today),
            When::ThisWeek => (monday, plus(monday, 1.week())),
            When::LastWeek => (plus(monday, -1.weeks()), monday),
            When::ThisMonth => (first, plus(first, 1.month())),
            When::LastMonth => (plus(first, -1.months()), first),
        }
    }

    /// As it reads after "emails".
    pub fn in_words(self) -> &'static str {
        match self {
            When::Today => "from today",
            When::Yesterday => "from yesterday",
            When::ThisWeek => "from this week",
            When::LastWeek => "from last week",
            When::ThisMonth => "from this month",
            When::LastMonth => "from last month",
        }
    }
}

/// The days within which something was received, in somebody's time zone.
#[derive(Clone, Copy, Debug)]
pub struct Days<'a> {
    /// The day it is for them.
    pub today: Date,
    /// Their time zone.
    pub zone: &'a TimeZone,
}

impl Days<'_> {
    /// The time within the days that are named: of all of them, what they share. `after` is the first day and `before`
    /// the day after the last, as in Gmail.
    ///
    /// # Errors
    ///
    /// A text is no day.
    pub fn within(
        &self,
        when: Option<When>,
        on: Option<&str>,
        after: Option<&str>,
        before: Option<&str>,
    ) -> Result<(Option<Timestamp>, Option<Timestamp>), String> {
        let mut start = parse("after", after)?;
        let mut end = parse("before", before)?;
        let spans = [
            when.map(|when| when.days(self.today)),
            parse("on", on)?.map(|day| (day, day.saturating_add(1.day()))),
        ];
        for (first, past) in spans.into_iter().flatten() {
            start = start.max(Some(first));
            end = Some(end.map_or(past, |end| end.min(past)));
        }
        let midnight = |day: Date| day.to_zoned(self.zone.clone()).ok().map(|time| time.timestamp());
        Ok((start.and_then(midnight), end.and_then(midnight)))
    }
}

fn parse(name: &str, text: Option<&str>) -> Result<Option<Date>, String> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    // Also the beginning of a date-time.
    let date = text.get(..10).unwrap_or(text);
    match date.parse() {
        Ok(date) => Ok(Some(date)),
        Err(_) => {
            let text: String = text.chars().take(40).collect();
            Err(format!("{name}: “{text}” is no day; write it as YYYY-MM-DD."))
        }
    }
}

/// The words of a text, in lower case: what is neither letter nor digit separates them. So they mean nothing else to a
/// mailbox that has operators of its own.
pub fn words(text: &str) -> Vec<String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(MAX_WORDS)
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn within(
        when: Option<When>,
        on: Option<&str>,
        after: Option<&str>,
        before: Option<&str>,
    ) -> Result<(String, String), String> {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let days = Days {
            today: date(2026, 11, 20),
            zone: &zone,
        };
        let (start, end) = days.within(when, on, after, before)?;
        let shown = |time: Option<Timestamp>| time.map_or_else(String::new, |time| time.to_string());
        Ok((shown(start), shown(end)))
    }

    #[test]
    fn days_begin_where_the_person_is() {
        for (when, start, end) in [
            (When::Today, "2026-11-19T23:00:00Z", "2026-11-20T23:00:00Z"),
            (When::Yesterday, "2026-11-18T23:00:00Z", "2026-11-19T23:00:00Z"),
            (When::ThisWeek, "2026-11-15T23:00:00Z", "2026-11-22T23:00:00Z"),
            (When::LastWeek, "2026-11-08T23:00:00Z", "2026-11-15T23:00:00Z"),
            (When::ThisMonth, "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
            // Summer time ends in between.
            (When::LastMonth, "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"),
        ] {
            let expected = Ok((start.to_owned(), end.to_owned()));
            assert_eq!(within(Some(when), None, None, None), expected, "{when:?}");
        }
    }

    #[test]
    fn days_that_are_named_twice_have_to_fit_both() {
        let (start, end) = within(
            Some(When::ThisMonth),
            None,
            Some("2026-11-10"),
            Some("2026-11-12T09:00"),
        )
        .unwrap();
        assert_eq!(
            (start.as_str(), end.as_str()),
            ("2026-11-09T23:00:00Z", "2026-11-11T23:00:00Z")
        );
        let (start, end) = within(None, Some("2026-11-18"), None, None).unwrap();
        assert_eq!(
            (start.as_str(), end.as_str()),
            ("2026-11-17T23:00:00Z", "2026-11-18T23:00:00Z")
        );
        assert_eq!(
            within(None, None, None, Some(" ")),
            Ok((String::new(), String::new()))
        );
    }

    #[test]
    fn what_is_no_day_is_refused() {
        let message = within(None, None, Some("2026-02-30"), None).unwrap_err();
        assert_eq!(message, "after: “2026-02-30” is no day; write it as YYYY-MM-DD.");
        assert!(
            within(None, Some("soon"), None, None)
                .unwrap_err()
                .starts_with("on: ")
        );
    }

    #[test]
    fn words_hold_nothing_that_a_mailbox_could_take_for_an_operator() {
        assert_eq!(
            words("  -in:trash \"Sarah OR Chen\" {x} sarah.chen@a.example"),
            [
                "in", "trash", "sarah", "or", "chen", "x", "sarah", "chen", "a", "example"
            ]
        );
        assert_eq!(words(&"a ".repeat(99)).len(), MAX_WORDS);
    }
}
