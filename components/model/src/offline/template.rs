//! From a tool's example to a template: which words have to be there, and where the arguments stand.
//!
//! An argument whose value stands in the example's utterance is a **slot**: in another utterance, what
//! stands in its place is its value, brought into the schema's form. So an example writes a date as it is
//! said (`{"due": "tomorrow"}`), although the tool gets `2026-11-21`. An argument whose value does not stand
//! in the utterance is a **constant** (`{"status": "done"}` for "what have I finished?"), except where the
//! schema wants a date: a date of the past would help nobody, so it is an argument that is filled if the
//! utterance has a date ("what is due this week?" with `from` and `to`).

use serde_json::Value;

use super::{
    numbers,
    schema::Property,
    words::{Kind, QUESTION, Word, cut},
};

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A word that should be there.
    Literal {
        /// Hash of its stem.
        stem: u64,
        /// How much it says.
        weight: f32,
    },
    /// A place for an argument: index into the tool's properties.
    Slot(usize),
}

/// A template.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    /// In the order of the utterance.
    pub items: Vec<Item>,
    /// Arguments that are always the same.
    pub constants: Vec<(usize, Value)>,
    /// Properties that the example fills from the utterance, though in no particular place of the template.
    pub anywhere: Vec<usize>,
}

impl Template {
    /// Whether it has a place for free text.
    pub fn has_slots(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Item::Slot(_)))
    }

    /// Whether a word of this stem should be there, and says something.
    pub fn wants(&self, word: &Word<'_>) -> bool {
        let wanted = |item: &Item| matches!(item, Item::Literal { stem, weight } if *stem == word.stem && *weight >= QUESTION);
        self.items.iter().any(wanted)
    }
}

/// Builds a template. `words` are the example's utterance.
pub fn build(words: &[Word<'_>], arguments: &str, properties: &[Property]) -> Template {
    let arguments: serde_json::Map<String, Value> = anyturn_json::from_str(arguments).unwrap_or_default();
    let mut template = Template::default();
    // Which property each word belongs to.
    let mut slots: Vec<Option<usize>> = vec![None; words.len()];
    let mut values: Vec<(usize, &Value)> = arguments
        .iter()
        .filter_map(|(name, value)| {
            let at = properties.iter().position(|property| property.name == *name)?;
            Some((at, value))
        })
        .collect();
    // The longest first, so that a value within another one does not take its words.
    values.sort_by_key(|(_, value)| std::cmp::Reverse(value.as_str().map_or(0, str::len)));
    for (at, value) in values {
        let is_there = match value {
            Value::Array(items) => {
                let said = items.iter().filter(|item| mark(&mut slots, words, at, item));
                said.count() > 0
            }
            value => mark(&mut slots, words, at, value),
        };
        let takes_dates = properties.get(at).is_some_and(Property::takes_dates);
        if !is_there && takes_dates {
            template.anywhere.push(at);
        } else if !is_there {
            template.constants.push((at, value.clone()));
        }
    }
    // How many of the last literals only introduce what comes after them: "for", "with".
    let mut introducing = 0;
    for (word, slot) in words.iter().zip(slots) {
        match slot {
            None => {
                let introduces =
                    word.is_any(&["for", "on", "by", "at", "with", "in", "to", "of", "due", "until"]);
                introducing = if introduces { introducing + 1 } else { 0 };
                template.items.push(Item::Literal {
                    stem: word.stem,
                    weight: word.weight,
                });
            }
            // More words of the same argument.
            Some(at) if template.items.last() == Some(&Item::Slot(at)) => {}
            Some(at) if properties.get(at).is_some_and(Property::is_free_text) => {
                template.items.push(Item::Slot(at));
                introducing = 0;
            }
            Some(at) if template.anywhere.contains(&at) => {}
            Some(at) => {
                template.anywhere.push(at);
                // An introduction comes and goes with what it introduces, unless the template is about it.
                let keep = template.items.len().saturating_sub(introducing);
                if template.items.get(..keep).is_some_and(says_something) {
                    template.items.truncate(keep);
                }
                introducing = 0;
            }
        }
    }
    template
}

/// Whether the items hold a word that tells this tool from others.
fn says_something(items: &[Item]) -> bool {
    items
        .iter()
        .any(|item| matches!(item, Item::Literal { weight, .. } if *weight > QUESTION))
}

/// Marks the words that say `value`; tells whether there are any.
fn mark(slots: &mut [Option<usize>], words: &[Word<'_>], property: usize, value: &Value) -> bool {
    let range = match value {
        Value::String(text) => find(words, slots, text),
        Value::Number(number) => words
            .iter()
            .position(|word| numbers::number(word) == number.as_f64())
            .map(|at| at..at + 1),
        _ => None,
    };
    let Some(places) = range.and_then(|range| slots.get_mut(range)) else {
        return false;
    };
    places.fill(Some(property));
    true
}

/// Where the words of `text` stand.
fn find(words: &[Word<'_>], slots: &[Option<usize>], text: &str) -> Option<std::ops::Range<usize>> {
    let mut wanted = Vec::new();
    cut(text, &mut wanted);
    // `in_progress` is said "in progress".
    let spoken = text.replace(['_', '-'], " ");
    if let Some(at) = words
        .iter()
        .position(|word| word.kind == Kind::Quoted && word.text == text)
    {
        return Some(at..at + 1);
    }
    position(words, slots, &wanted).or_else(|| {
        let mut wanted = Vec::new();
        cut(&spoken, &mut wanted);
        position(words, slots, &wanted)
    })
}

fn position(
    words: &[Word<'_>],
    slots: &[Option<usize>],
    wanted: &[Word<'_>],
) -> Option<std::ops::Range<usize>> {
    let length = wanted.len();
    if length == 0 {
        return None;
    }
    let start = words
        .windows(length)
        .zip(slots.windows(length))
        .position(|(words, slots)| {
            slots.iter().all(Option::is_none)
                && words.iter().zip(wanted).all(|(word, wanted)| {
                    word.text.eq_ignore_ascii_case(wanted.text) || (word.stem == wanted.stem && length == 1)
                })
        })?;
    Some(start..start + length)
}
