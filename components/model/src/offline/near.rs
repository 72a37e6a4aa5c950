//! Finds the value of an enumeration in a request: "high priority", "urgent", "in progress".

use std::ops::Range;

use super::{
    schema::Property,
    words::{Gap, Word, stem_of},
};

/// A value that was found.
pub struct FoundValue<'p> {
    /// As the schema writes it.
    pub value: &'p str,
    /// The words that say it, with the argument's name and what introduces them.
    pub words: Range<usize>,
}

/// Words that mean the same where one of them is a value of the enumeration.
const GROUPS: [&[&str]; 7] = [
    &["high", "urgent", "important", "critical", "top", "asap"],
    &["low", "minor", "unimportant", "trivial"],
    &["medium", "normal", "moderate", "average"],
    &["done", "completed", "complete", "finished", "closed", "resolved"],
    &[
        "open",
        "pending",
        "todo",
        "to-do",
        "unfinished",
        "outstanding",
        "active",
        "incomplete",
        "undone",
    ],
    &["in_progress", "started", "ongoing", "doing"],
    &["all", "everything", "every"],
];

/// A value of an enumeration, and how it is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// As the schema writes it.
    pub value: String,
    /// The stems of its words: `in_progress` is said "in progress".
    stems: Vec<u64>,
    /// Words that mean the same.
    group: &'static [&'static str],
}

impl Choice {
    /// A value as the schema writes it.
    pub fn new(value: &str) -> Self {
        let group = GROUPS
            .iter()
            .find(|group| group.iter().any(|word| word.eq_ignore_ascii_case(value)));
        Self {
            value: value.to_owned(),
            stems: value.split(['_', '-', ' ']).map(stem_of).collect(),
            group: group.copied().unwrap_or_default(),
        }
    }

    /// How many words at the beginning of `words` say this value.
    fn is_said(&self, words: &[Word<'_>], all: &[Self]) -> Option<usize> {
        let first = words.first()?;
        if first.is(&self.value) {
            return Some(1);
        }
        let length = self.stems.len();
        let spoken = words.get(..length).is_some_and(|words| {
            let stems = words.iter().map(|word| word.stem).eq(self.stems.iter().copied());
            stems && words.iter().skip(1).all(|word| word.gap == Gap::None)
        });
        if spoken {
            return Some(length);
        }
        // A word that is a value itself means itself.
        (first.is_any(self.group) && !all.iter().any(|choice| first.is(&choice.value))).then_some(1)
    }
}

/// Finds a value. Beside the argument's name it counts anywhere; alone only where that is expected (`bare`),
/// or as an afterthought: "…, it's urgent", "… asap".
pub fn value<'p>(
    words: &[Word<'_>],
    free: impl Fn(usize) -> bool,
    property: &'p Property,
    bare: bool,
) -> Option<FoundValue<'p>> {
    // Beside the name, then the longer, then the later one.
    let mut best: Option<((bool, usize, usize), FoundValue<'p>)> = None;
    for value in &property.values {
        for at in 0..words.len() {
            let Some(length) = value.is_said(words.get(at..).unwrap_or_default(), &property.values) else {
                continue;
            };
            let own = at..at + length;
            if !own.clone().all(&free) {
                continue;
            }
            let (named, range) = match with_name(words, own.clone(), property) {
                Some(range) => (true, range),
                None => match afterthought(words, own.clone(), property) {
                    Some(range) => (false, range),
                    None if bare => (false, own),
                    None => continue,
                },
            };
            let rank = (named, length, range.start);
            if best.as_ref().is_none_or(|(best, _)| rank > *best) {
                let value = &value.value;
                best = Some((rank, FoundValue { value, words: range }));
            }
        }
    }
    best.map(|(_, found)| found)
}

/// Whether a word is (a part of) the argument's name.
pub fn names(property: &Property, word: &Word<'_>) -> bool {
    property.name.split(['_', '-']).any(|name| word.is(name))
}

/// The words with the argument's name before or after them, if it is there: "priority: high", "with high
/// priority", "priority to high".
fn with_name(words: &[Word<'_>], own: Range<usize>, property: &Property) -> Option<Range<usize>> {
    let is_name = |at: usize| words.get(at).is_some_and(|word| names(property, word));
    let before = |distance: usize| own.start.checked_sub(distance);
    let links = |at: usize| {
        words
            .get(at)
            .is_some_and(|word| word.is_any(&["to", "is", "of", "as"]))
    };
    let mut range = if is_name(own.end) {
        own.start..own.end + 1
    } else if let Some(name) = before(1).filter(|at| is_name(*at)) {
        name..own.end
    } else if let Some(name) = before(2).filter(|at| is_name(*at) && links(at + 1)) {
        name..own.end
    } else {
        return None;
    };
    while let Some(before) = range.start.checked_sub(1)
        && words
            .get(before)
            .is_some_and(|word| word.is_any(&["with", "at", "as", "a", "and", "its"]))
    {
        range.start = before;
    }
    Some(range)
}

/// A word on urgency that is said beside the matter: "urgent: call the bank", "… as important".
fn afterthought(words: &[Word<'_>], own: Range<usize>, property: &Property) -> Option<Range<usize>> {
    if !property.is_called(&["priority", "urgency", "importance"]) {
        return None;
    }
    let word = words.get(own.start)?;
    let at_end = own.end == words.len();
    let at_start = own.start <= 1 && words.get(own.end).is_some_and(|next| next.gap == Gap::Comma);
    let introduced = own.start.checked_sub(1).filter(|before| {
        words
            .get(*before)
            .is_some_and(|word| word.is_any(&["it's", "is", "as"]))
    });
    match introduced {
        Some(before) if at_end => Some(before..own.end),
        _ if at_start || at_end && (word.gap == Gap::Comma || word.is("asap")) => Some(own),
        _ => None,
    }
}
