//! Which tasks are wanted.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::day;
use crate::task::{Priority, Task, normal_tag};

/// Open tasks, done ones, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum StatusFilter {
    /// Those to be done.
    #[default]
    #[serde(alias = "todo", alias = "pending")]
    Open,
    /// Those that were done.
    #[serde(alias = "completed", alias = "finished")]
    Done,
    /// Both.
    All,
}

/// When tasks are due, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(inline)]
pub enum DueWords {
    /// Before today.
    #[schemars(rename = "overdue")]
    Overdue,
    /// Today.
    #[schemars(rename = "today")]
    Today,
    /// Tomorrow.
    #[schemars(rename = "tomorrow")]
    Tomorrow,
    /// From Monday to Sunday of this week.
    #[schemars(rename = "this week")]
    ThisWeek,
    /// From Monday to Sunday of the next week.
    #[schemars(rename = "next week")]
    NextWeek,
    /// In this month.
    #[schemars(rename = "this month")]
    ThisMonth,
    /// Not at any time.
    #[schemars(rename = "no date")]
    NoDate,
}

impl DueWords {
    const ALL: [(&'static str, DueWords); 7] = [
        ("overdue", DueWords::Overdue),
        ("today", DueWords::Today),
        ("tomorrow", DueWords::Tomorrow),
        ("this week", DueWords::ThisWeek),
        ("next week", DueWords::NextWeek),
        ("this month", DueWords::ThisMonth),
        ("no date", DueWords::NoDate),
    ];

    /// Reads the words, whatever their case and with `_` or `-` for blanks.
    ///
    /// # Errors
    ///
    /// Lists the words there are.
    pub fn parse(text: &str) -> Result<DueWords, String> {
        let words = text.trim().to_lowercase().replace(['_', '-'], " ");
        DueWords::ALL
            .iter()
            .find(|(known, _)| *known == words)
            .map(|(_, due)| *due)
            .ok_or_else(|| {
                let known: Vec<&str> = DueWords::ALL.iter().map(|(known, _)| *known).collect();
                format!("must be one of: {}", known.join(", "))
            })
    }
}

impl<'de> Deserialize<'de> for DueWords {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DueWords, D::Error> {
        let words = String::deserialize(deserializer)?;
        DueWords::parse(&words).map_err(serde::de::Error::custom)
    }
}

/// When tasks are due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Due {
    /// At any time, or not at all.
    #[default]
    Any,
    /// Not at any time.
    None,
    /// From a day to a day, both inclusive.
    Between(Option<Date>, Option<Date>),
}

impl Due {
    /// What the words mean today.
    pub fn from_words(words: DueWords, today: Date) -> Due {
        let (from, to) = match words {
            DueWords::NoDate => return Due::None,
            DueWords::Overdue => {
                return Due::Between(None, Some(day::plus(today, -jiff::Span::new().days(1))));
            }
            DueWords::Today => (today, today),
            DueWords::Tomorrow => {
                let tomorrow = day::plus(today, jiff::Span::new().days(1));
                (tomorrow, tomorrow)
            }
            DueWords::ThisWeek => day::week(today, 0),
            DueWords::NextWeek => day::week(today, 1),
            DueWords::ThisMonth => (today.first_of_month(), today.last_of_month()),
        };
        Due::Between(Some(from), Some(to))
    }

    /// Narrows to days not before, or not after, others.
    #[must_use]
    pub fn narrowed(self, from: Option<Date>, to: Option<Date>) -> Due {
        if from.is_none() && to.is_none() {
            return self;
        }
        let (own_from, own_to) = match self {
            // Nothing is due between two days and not due at all.
            Due::None => return Due::Between(Some(Date::MAX), Some(Date::MIN)),
            Due::Any => (None, None),
            Due::Between(from, to) => (from, to),
        };
        let latest = own_from.into_iter().chain(from).max();
        let earliest = own_to.into_iter().chain(to).min();
        Due::Between(latest, earliest)
    }

    fn fits(self, due: Option<Date>) -> bool {
        match (self, due) {
            (Due::Any, _) => true,
            (Due::None, due) => due.is_none(),
            (Due::Between(..), None) => false,
            (Due::Between(from, to), Some(due)) => {
                from.is_none_or(|from| from <= due) && to.is_none_or(|to| due <= to)
            }
        }
    }
}

/// Which tasks are wanted: those that fit in every respect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Whether they are done.
    pub status: StatusFilter,
    /// When they are due.
    pub due: Due,
    /// How much they matter.
    pub priority: Option<Priority>,
    /// A tag that they have, normalized.
    pub tag: Option<String>,
    /// Words that all stand in the title, the notes or the tags; lower-case.
    pub words: Vec<String>,
}

impl Filter {
    /// Adds a tag.
    #[must_use]
    pub fn with_tag(self, tag: Option<&str>) -> Filter {
        Filter {
            tag: tag.map(normal_tag).filter(|tag| !tag.is_empty()),
            ..self
        }
    }

    /// Adds a text to search for.
    #[must_use]
    pub fn with_text(self, text: Option<&str>) -> Filter {
        let words = text
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_lowercase)
            .collect();
        Filter { words, ..self }
    }

    /// Whether a task fits; the status is the shelf's that it came from.
    pub fn fits(&self, task: &Task) -> bool {
        self.due.fits(task.due)
            && self.priority.is_none_or(|priority| priority == task.priority)
            && self.tag.as_ref().is_none_or(|tag| task.tags.contains(tag))
            && (self.words.is_empty() || self.has_words(task))
    }

    /// Whether the index's range of days is all there is to it.
    pub fn is_range_only(&self) -> bool {
        self.priority.is_none() && self.tag.is_none() && self.words.is_empty()
    }

    fn has_words(&self, task: &Task) -> bool {
        let (title, notes) = (task.title.to_lowercase(), task.notes.to_lowercase());
        self.words.iter().all(|word| {
            title.contains(word) || notes.contains(word) || task.tags.iter().any(|tag| tag.contains(word))
        })
    }
}
