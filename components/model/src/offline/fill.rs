//! Fills a tool's arguments from a request.
//!
//! First what can be told by its form, wherever it stands: dates, values of an enumeration, numbers, tags,
//! addresses. Their words are taken away; what is left is aligned with the template, and the words in its
//! slots are free text. An optional argument that is not said is left out.

use serde_json::{Map, Value};

use super::{
    align::Alignment,
    beside::Beside,
    dates::{Found, Now},
    near, numbers,
    schema::Property,
    template::Template,
    when,
    words::{Gap, Kind, QUESTION, Word},
};
use crate::api::{Message, Part};

/// A number that could be an argument's.
struct Match {
    /// The word.
    place: usize,
    /// The property.
    at: usize,
    value: Value,
    /// The argument's name beside it.
    name: Option<usize>,
    /// How much the words beside it speak for that.
    speaks: f32,
    /// The property's place among those that the template fills by form.
    order: usize,
}

/// Arguments being filled.
pub struct Filling<'f, 'w> {
    properties: &'f [Property],
    template: &'f Template,
    beside: &'f Beside,
    words: &'f [Word<'w>],
    text: &'f str,
    now: &'f Now,
    /// Words that are spoken for.
    taken: Vec<bool>,
    values: Vec<Option<Value>>,
}

impl<'f, 'w> Filling<'f, 'w> {
    /// For one request, `words` of `text`.
    pub fn new(
        properties: &'f [Property],
        template: &'f Template,
        beside: &'f Beside,
        words: &'f [Word<'w>],
        text: &'f str,
        now: &'f Now,
    ) -> Self {
        Self {
            properties,
            template,
            beside,
            words,
            text,
            now,
            taken: vec![false; words.len()],
            values: vec![None; properties.len()],
        }
    }

    // ---- by form ------------------------------------------------------------------------------------

    /// Fills what can be told by its form.
    pub fn typed(&mut self, dates: &[Found]) {
        // Before the dates: a tool that knows "this week" itself knows best what it means.
        for (at, property) in self.properties.iter().enumerate() {
            if !property.values.is_empty() {
                self.enumeration(at, property);
            }
        }
        if self.properties.iter().any(Property::takes_dates) {
            self.dates(dates);
        }
        for (at, property) in self.properties.iter().enumerate() {
            if !property.values.is_empty() {
                continue;
            }
            if property.email || property.uri {
                self.addresses(at, property);
            } else if property.list && property.text {
                self.tags(at, property);
            }
        }
        self.numbers();
    }

    fn dates(&mut self, dates: &[Found]) {
        let looks = !self.template.has_slots();
        // A weekday belongs to the noun that follows it: "the Friday party".
        let stands_alone = |found: &Found| {
            let next = self.words.get(found.end);
            next.is_none_or(|next| next.weight < QUESTION || next.gap != Gap::None)
        };
        let meant: Vec<&Found> = dates
            .iter()
            .filter(|found| found.certain || looks || stands_alone(found))
            .filter(|found| (found.core..found.end).all(|at| self.is_free(at)))
            .collect();
        let request = when::Request {
            properties: self.properties,
            order: &self.template.anywhere,
            lists: looks,
            words: self.words,
            now: self.now,
        };
        let filled = request.fill(&meant);
        for range in &filled.used {
            for at in range.clone() {
                self.take(at);
            }
        }
        for (at, value) in filled.values {
            self.set(at, Value::String(value));
        }
    }

    /// Takes a word away, unless the template is waiting for it: "due" of "what is due tomorrow".
    fn take(&mut self, at: usize) {
        let wanted = self.words.get(at).is_some_and(|word| self.template.wants(word));
        if let Some(taken) = self.taken.get_mut(at).filter(|_| !wanted) {
            *taken = true;
        }
    }

    fn is_free(&self, at: usize) -> bool {
        self.taken.get(at) == Some(&false)
    }

    fn set(&mut self, at: usize, value: Value) {
        if let Some(place) = self.values.get_mut(at) {
            *place = Some(value);
        }
    }

    fn enumeration(&mut self, at: usize, property: &Property) {
        let expected = self.template.anywhere.contains(&at);
        let bare = expected || !self.template.has_slots();
        let taken = &self.taken;
        let free = |at: usize| taken.get(at) == Some(&false);
        let Some(found) = near::value(self.words, free, property, bare) else {
            return;
        };
        for at in found.words {
            self.take(at);
        }
        let value = Value::String(found.value.to_owned());
        self.set(
            at,
            if property.list {
                Value::Array(vec![value])
            } else {
                value
            },
        );
    }

    fn addresses(&mut self, at: usize, property: &Property) {
        let fits = |text: &str| match property.email {
            true => text
                .split_once('@')
                .is_some_and(|(_, domain)| domain.contains('.')),
            false => text.contains("://"),
        };
        let mut found = Vec::new();
        for (place, word) in self.words.iter().enumerate() {
            if fits(word.text) && self.is_free(place) && (property.list || found.is_empty()) {
                found.push(Value::String(word.text.to_owned()));
                self.take(place);
            }
        }
        match (property.list, found.pop()) {
            (_, None) => {}
            (false, Some(only)) => self.set(at, only),
            (true, Some(last)) => {
                found.push(last);
                self.set(at, Value::Array(found));
            }
        }
    }

    /// Numbers: beside the argument's name ("limit 5"), or any where the template has one. Which is whose, the words
    /// beside it tell, by what stands beside the argument in the tool's examples ("the bill is 60"); where they do
    /// not, the order of the template does.
    fn numbers(&mut self) {
        let mut matches = Vec::new();
        for (place, word) in self
            .words
            .iter()
            .enumerate()
            .filter(|(place, _)| self.is_free(*place))
        {
            for (at, property) in self.properties.iter().enumerate() {
                let value = match (property.integer, property.number, property.values.is_empty()) {
                    (true, _, true) => numbers::integer(word).map(Value::from),
                    (_, true, true) => numbers::number(word).map(Value::from),
                    _ => None,
                };
                let beside = [place.checked_sub(1), Some(place + 1)];
                let named = |at: &usize| {
                    self.words
                        .get(*at)
                        .is_some_and(|word| near::names(property, word))
                };
                let name = beside.into_iter().flatten().find(named);
                let expected = self.template.anywhere.iter().position(|expected| *expected == at);
                if let Some(value) = value.filter(|_| name.is_some() || expected.is_some()) {
                    matches.push(Match {
                        place,
                        at,
                        value,
                        name,
                        speaks: self.beside.speak(at, self.words, place)
                            + if name.is_some() { 1.0 } else { 0.0 },
                        order: expected.unwrap_or(usize::MAX),
                    });
                }
            }
        }
        // What most speaks for is settled first; of equals the first number goes to the first of the template.
        matches.sort_by(|one, other| {
            let speaks = other.speaks.total_cmp(&one.speaks);
            speaks.then((one.place, one.order, one.at).cmp(&(other.place, other.order, other.at)))
        });
        for found in matches {
            let filled = self.values.get(found.at).is_none_or(Option::is_some);
            if filled || !self.is_free(found.place) {
                continue;
            }
            self.take(found.place);
            if let Some(name) = found.name {
                self.take(name);
            }
            self.set(found.at, found.value);
        }
    }

    fn tags(&mut self, at: usize, property: &Property) {
        let lists = self
            .properties
            .iter()
            .filter(|property| property.list && property.text)
            .count();
        if lists > 1 && !property.is_called(&["tags", "tag", "labels", "label"]) {
            return;
        }
        let mut tags = Vec::new();
        for (place, word) in self.words.iter().enumerate() {
            if word.kind == Kind::Tag {
                tags.push(Value::String(word.text.to_owned()));
                self.take(place);
            }
        }
        if !tags.is_empty() {
            self.set(at, Value::Array(tags));
        }
    }

    // ---- by place -----------------------------------------------------------------------------------

    /// The words that are not spoken for.
    pub fn free_words(&self) -> Vec<&'f Word<'w>> {
        let free = self.words.iter().zip(&self.taken).filter(|(_, taken)| !**taken);
        free.map(|(word, _)| word).collect()
    }

    /// Fills what is told by its place only. `free` are the words that were aligned.
    pub fn free_text(&mut self, alignment: &Alignment, free: &[&Word<'_>], history: &[Message]) {
        for (at, from, to) in &alignment.slots {
            let (Some(words), Some(property)) = (free.get(*from..*to), self.properties.get(*at)) else {
                continue;
            };
            let words = trimmed(words);
            if property.list {
                let mut items = self.list(words);
                if let Some(Some(Value::Array(tags))) = self.values.get_mut(*at) {
                    items.append(tags);
                }
                if !items.is_empty() {
                    self.set(*at, Value::Array(items));
                }
                continue;
            }
            let text = match is_pronoun(words) {
                true => referred(history, &property.name).unwrap_or_else(|| self.phrase(words)),
                false => self.phrase(words),
            };
            if !text.is_empty() {
                self.set(*at, Value::String(text));
            }
        }
    }

    /// Words as they were written. One quotation says exactly what is meant.
    fn phrase(&self, words: &[&Word<'_>]) -> String {
        let mut quoted = words.iter().filter(|word| word.kind == Kind::Quoted);
        if let (Some(only), None) = (quoted.next(), quoted.next()) {
            return only.text.to_owned();
        }
        let mut phrase = String::new();
        let mut rest = words;
        while let Some((first, tail)) = rest.split_first() {
            // Words that stood together keep what stood between them.
            let mut last = *first;
            let mut tail = tail;
            while let Some((next, after)) = tail.split_first() {
                if self.between(last, next) {
                    break;
                }
                last = next;
                tail = after;
            }
            if !phrase.is_empty() {
                phrase.push(' ');
            }
            phrase.push_str(self.text.get(first.range.start..last.range.end).unwrap_or(""));
            rest = tail;
        }
        phrase
    }

    /// Whether a word that was taken away stands between two words.
    fn between(&self, a: &Word<'_>, b: &Word<'_>) -> bool {
        let mut taken = self.words.iter().zip(&self.taken).filter(|(_, taken)| **taken);
        taken.any(|(word, _)| word.range.start >= a.range.end && word.range.end <= b.range.start)
    }

    /// "milk, bread and eggs".
    fn list(&self, words: &[&Word<'_>]) -> Vec<Value> {
        let mut items: Vec<Vec<&Word<'_>>> = vec![Vec::new()];
        for word in words {
            let joins = word.is_any(&["and", "or"]);
            if (joins || word.gap == Gap::Comma) && items.last().is_some_and(|item| !item.is_empty()) {
                items.push(Vec::new());
            }
            if let Some(item) = items.last_mut().filter(|_| !joins) {
                item.push(word);
            }
        }
        items
            .iter()
            .filter(|item| !item.is_empty())
            .map(|item| Value::String(self.phrase(item)))
            .collect()
    }

    // ---- the outcome --------------------------------------------------------------------------------

    /// How many of the arguments that the example fills by form are said.
    pub fn anywhere_filled(&self) -> usize {
        let filled = |at: &&usize| self.values.get(**at).is_some_and(Option::is_some);
        self.template.anywhere.iter().filter(filled).count()
    }

    /// The names of those that are not.
    pub fn missing(&self) -> impl Iterator<Item = &'f str> {
        let missing = self
            .template
            .anywhere
            .iter()
            .filter(|at| self.values.get(**at).is_some_and(Option::is_none));
        missing.filter_map(|at| self.properties.get(*at).map(|property| property.name.as_str()))
    }

    /// How many are not.
    pub fn anywhere_missing(&self) -> usize {
        self.template.anywhere.len() - self.anywhere_filled()
    }

    /// The arguments as a JSON object, or the name of a required one that is not there.
    pub fn arguments(self) -> Result<String, String> {
        let mut values = self.values;
        for (at, constant) in &self.template.constants {
            if let Some(place) = values.get_mut(*at) {
                place.get_or_insert_with(|| constant.clone());
            }
        }
        let mut arguments = Map::new();
        for (property, value) in self.properties.iter().zip(values) {
            match value {
                Some(value) => drop(arguments.insert(property.name.clone(), value)),
                None if property.required => return Err(property.name.clone()),
                None => {}
            }
        }
        Ok(Value::Object(arguments).to_string())
    }
}

/// The piece of the text that words stand in.
pub fn source<'t>(words: &[Word<'_>], text: &'t str) -> &'t str {
    match (words.first(), words.last()) {
        (Some(first), Some(last)) => text.get(first.range.start..last.range.end).unwrap_or(""),
        _ => "",
    }
}

/// Without the words that only lead to a text or away from it: "about the dentist", "milk for".
fn trimmed<'s, 'f, 'w>(mut words: &'s [&'f Word<'w>]) -> &'s [&'f Word<'w>] {
    while let [first, rest @ ..] = words
        && !rest.is_empty()
        && first.is_any(&["to", "about", "that", "for", "of"])
    {
        words = rest;
    }
    while let [rest @ .., last] = words
        && !rest.is_empty()
        && last.is_any(&[
            "to", "for", "by", "on", "at", "with", "and", "due", "is", "as", "too",
        ])
    {
        words = rest;
    }
    words
}

fn is_pronoun(words: &[&Word<'_>]) -> bool {
    let fits = |word: &&Word<'_>| word.is_any(&["it", "that", "this", "them", "the", "last", "one"]);
    words.len() <= 3
        && words.iter().all(fits)
        && words.iter().any(|word| word.weight < QUESTION || word.is("one"))
        && !matches!(words, [only] if only.is_any(&["the", "last"]))
}

/// What a pronoun stands for: the argument of the same name in the last call, else what that call named.
fn referred(history: &[Message], name: &str) -> Option<String> {
    const NAMES: [&str; 5] = ["title", "task", "name", "subject", "text"];
    let parts = history
        .iter()
        .rev()
        .flat_map(|message| message.parts.iter().rev());
    let calls = parts.filter_map(|part| match part {
        Part::ToolCall(call) => anyturn_json::from_str::<Map<String, Value>>(&call.arguments).ok(),
        _ => None,
    });
    calls.into_iter().find_map(|arguments| {
        let named = std::iter::once(name)
            .chain(NAMES)
            .find_map(|name| arguments.get(name)?.as_str());
        named.map(str::to_owned)
    })
}
