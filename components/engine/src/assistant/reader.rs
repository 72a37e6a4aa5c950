//! Reads a TOML table key by key and collects everything that is wrong with it.
//!
//! A key that nobody asked for is refused, with the one that was probably meant.

use super::Finding;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Collects findings of one file.
pub(super) struct Findings<'t> {
    text: &'t str,
    pub(super) found: Vec<Finding>,
}

impl<'t> Findings<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Findings {
            text,
            found: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, at: Range<usize>, key: String, problem: String) {
        let before = self
            .text
            .as_bytes()
            .get(..at.start)
            .unwrap_or(self.text.as_bytes());
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        self.found.push(Finding { line, key, problem });
    }

    /// Adds what is wrong with a line, counted from 1, of a text value that stands at `at`.
    pub(super) fn add_within(&mut self, at: Range<usize>, line: usize, key: String, problem: String) {
        let written = self.text.get(at.clone()).unwrap_or_default();
        // TOML leaves out a line break right after the opening quotes.
        let opened = written.trim_start_matches(['"', '\'']);
        let left_out = written.len() - opened.len() >= 3 && opened.starts_with(['\n', '\r']);
        self.add(at, key, problem);
        if let Some(finding) = self.found.last_mut() {
            finding.line += line - 1 + usize::from(left_out);
        }
    }
}

/// A table of which keys are taken one by one.
pub(super) struct Table<'t> {
    path: String,
    pub(super) at: Range<usize>,
    entries: DeTable<'t>,
    known: Vec<&'static str>,
}

/// A value with its place.
type Value<'t> = Spanned<DeValue<'t>>;

impl<'t> Table<'t> {
    pub(super) fn new(path: String, table: Spanned<DeTable<'t>>) -> Self {
        Table {
            path,
            at: table.span(),
            entries: table.into_inner(),
            known: Vec::new(),
        }
    }

    /// The key with the names of the tables it is in.
    pub(super) fn path(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Value<'t>> {
        self.known.push(key);
        self.entries.remove(key)
    }

    /// Refuses a key that has no place here, if it is there.
    pub(super) fn refuse(&mut self, findings: &mut Findings<'_>, key: &'static str, problem: &str) {
        if let Some(value) = self.entries.remove(key) {
            findings.add(value.span(), self.path(key), problem.to_owned());
        }
    }

    /// Takes a key; reports what `convert` does not accept.
    fn converted<T>(
        &mut self,
        findings: &mut Findings<'_>,
        key: &'static str,
        convert: impl FnOnce(DeValue<'t>) -> Result<T, String>,
    ) -> Option<(T, Range<usize>)> {
        let value = self.take(key)?;
        let at = value.span();
        match convert(value.into_inner()) {
            Ok(value) => Some((value, at)),
            Err(problem) => {
                findings.add(at, self.path(key), problem);
                None
            }
        }
    }

    /// Text that is not empty, and where it is.
    pub(super) fn text_at(
        &mut self,
        findings: &mut Findings<'_>,
        key: &'static str,
    ) -> Option<(String, Range<usize>)> {
        self.converted(findings, key, text)
    }

    /// Text that is not empty.
    pub(super) fn text(&mut self, findings: &mut Findings<'_>, key: &'static str) -> Option<String> {
        self.text_at(findings, key).map(|(text, _)| text)
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(
        &mut self,
        findings: &mut Findings<'_>,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let convert = |value| {
            let given = text(value)?;
            let word = words
                .iter()
                .find(|(word, _)| *word == given)
                .map(|(_, value)| *value);
            word.ok_or_else(|| {
                let words: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
                format!("\"{given}\" is not supported here; use {}", words.join(" or "))
            })
        };
        self.converted(findings, key, convert).map(|(value, _)| value)
    }

    /// `true` or `false`, and where it is.
    pub(super) fn boolean(
        &mut self,
        findings: &mut Findings<'_>,
        key: &'static str,
    ) -> Option<(bool, Range<usize>)> {
        self.converted(findings, key, |value| match value {
            DeValue::Boolean(value) => Ok(value),
            other => Err(format!("must be true or false, not {}", kind(&other))),
        })
    }

    /// A whole number within bounds.
    pub(super) fn integer(
        &mut self,
        findings: &mut Findings<'_>,
        key: &'static str,
        bounds: Range<i64>,
    ) -> Option<i64> {
        let convert = |value| {
            let right = || format!("must be a whole number from {} to {}", bounds.start, bounds.end);
            let DeValue::Integer(number) = value else {
                return Err(format!("{}, not {}", right(), kind(&value)));
            };
            let parsed = i64::from_str_radix(number.as_str(), number.radix()).ok();
            parsed
                .filter(|number| *number >= bounds.start && *number <= bounds.end)
                .ok_or_else(|| format!("{}, not {}", right(), number.as_str()))
        };
        self.converted(findings, key, convert).map(|(value, _)| value)
    }

    /// A number within bounds.
    pub(super) fn number(
        &mut self,
        findings: &mut Findings<'_>,
        key: &'static str,
        bounds: Range<u8>,
    ) -> Option<f32> {
        let convert = |value: DeValue<'t>| {
            let right = format!("must be a number from {} to {}", bounds.start, bounds.end);
            let written = match &value {
                DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
                DeValue::Float(number) => number.as_str(),
                other => return Err(format!("{right}, not {}", kind(other))),
            };
            // As JSON has it, for which there is a reader anyway; JSON lacks the plus.
            let parsed = anyturn_json::from_str::<f32>(written.trim_start_matches('+')).ok();
            parsed
                .filter(|number| *number >= f32::from(bounds.start) && *number <= f32::from(bounds.end))
                .ok_or_else(|| format!("{right}, not {written}"))
        };
        self.converted(findings, key, convert).map(|(value, _)| value)
    }

    /// A list of texts that are not empty.
    pub(super) fn texts(&mut self, findings: &mut Findings<'_>, key: &'static str) -> Vec<String> {
        let texts = self.texts_at(findings, key);
        texts.into_iter().map(|(text, _)| text).collect()
    }

    /// A list of texts that are not empty, each with its place.
    pub(super) fn texts_at(
        &mut self,
        findings: &mut Findings<'_>,
        key: &'static str,
    ) -> Vec<(String, Range<usize>)> {
        let convert = |value| match value {
            DeValue::Array(items) => items
                .into_iter()
                .map(|item| {
                    let at = item.span();
                    text(item.into_inner()).map(|text| (text, at))
                })
                .collect(),
            other => Err(format!(
                "must be a list of texts such as [\"a\", \"b\"], not {}",
                kind(&other)
            )),
        };
        self.converted(findings, key, convert)
            .map(|(value, _)| value)
            .unwrap_or_default()
    }

    /// A time such as `90s`, `5m`, `24h` or `30d`, in milliseconds, up to `longest`.
    pub(super) fn duration(
        &mut self,
        findings: &mut Findings<'_>,
        key: &'static str,
        longest: u64,
    ) -> Option<u64> {
        let convert = |value| {
            let right = || {
                let (most, unit) = UNITS
                    .iter()
                    .find(|(_, unit)| longest.is_multiple_of(*unit))
                    .map_or((longest, "ms"), |(name, unit)| (longest / unit, *name));
                let examples: Vec<String> = ["90s", "5m", "24h", "7d"]
                    .iter()
                    .filter(|example| milliseconds(example).is_some_and(|time| time <= longest))
                    .map(|example| format!("\"{example}\""))
                    .collect();
                let examples = examples.join(", ");
                let examples = match examples.rsplit_once(", ") {
                    Some((others, last)) => format!("{others} or {last}"),
                    None => examples,
                };
                format!("must be a time of 1s to {most}{unit} such as {examples}")
            };
            let DeValue::String(written) = value else {
                return Err(format!("{}, not {}", right(), kind(&value)));
            };
            milliseconds(&written)
                .filter(|time| (1000..=longest).contains(time))
                .ok_or_else(|| format!("{}, not \"{written}\"", right()))
        };
        self.converted(findings, key, convert).map(|(value, _)| value)
    }

    /// A table under a key; an empty one if there is none.
    pub(super) fn table(&mut self, findings: &mut Findings<'_>, key: &'static str) -> Table<'t> {
        let convert = |value| match value {
            DeValue::Table(table) => Ok(table),
            other => Err(format!("must be a table, [{key}], not {}", kind(&other))),
        };
        let path = self.path(key);
        let (entries, at) = self
            .converted(findings, key, convert)
            .unwrap_or((DeTable::new(), 0..0));
        Table {
            path,
            at,
            entries,
            known: Vec::new(),
        }
    }

    /// The tables `[[key]]`.
    pub(super) fn tables(&mut self, findings: &mut Findings<'_>, key: &'static str) -> Vec<Table<'t>> {
        let wrong = |other: &DeValue<'_>| format!("must be tables, [[{key}]], not {}", kind(other));
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        let at = value.span();
        let items = match value.into_inner() {
            DeValue::Array(items) => items,
            other => {
                findings.add(at, self.path(key), wrong(&other));
                return Vec::new();
            }
        };
        let mut tables = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let (path, at) = (self.path(&format!("{key}[{index}]")), item.span());
            match item.into_inner() {
                DeValue::Table(entries) => {
                    tables.push(Table {
                        path,
                        at,
                        entries,
                        known: Vec::new(),
                    });
                }
                other => findings.add(at, path, wrong(&other)),
            }
        }
        tables
    }

    /// Refuses the keys that were not asked for.
    pub(super) fn finish(self, findings: &mut Findings<'_>) {
        for key in self.entries.keys() {
            let name: &str = key.get_ref();
            let path = self.path(name);
            let problem = match closest(name, &self.known) {
                Some(meant) => format!("there is no such key; did you mean `{meant}`?"),
                None => format!("there is no such key here; there are {}", listed(&self.known)),
            };
            findings.add(key.span(), path, problem);
        }
    }
}

fn text(value: DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) if text.trim().is_empty() => Err("must not be empty".to_owned()),
        DeValue::String(text) => Ok(text.into_owned()),
        other => Err(format!("must be text in quotes, not {}", kind(&other))),
    }
}

/// What a value is, for people.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The units of times, the largest first, in milliseconds.
const UNITS: [(&str, u64); 4] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];

fn milliseconds(written: &str) -> Option<u64> {
    let unit_at = written.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = written.split_at_checked(unit_at)?;
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*unit)
}

fn listed(keys: &[&'static str]) -> String {
    keys.iter()
        .map(|key| format!("`{key}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The key that is at most a third of its letters away.
fn closest<'k>(given: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known.iter().map(|key| (distance(given, key), *key)).min()?;
    (near.0 * 3 <= given.chars().count().max(3)).then_some(near.1)
}

/// How many letters must be put in, left out or replaced to make one word of another (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (to, cell) in b.chars().zip(row.iter_mut().skip(1)) {
            let next = (diagonal + usize::from(from != to)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = next;
            left = next;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(milliseconds("90s"), Some(90_000));
        assert_eq!(milliseconds("24h"), Some(86_400_000));
        assert_eq!(milliseconds("5"), None);
        assert_eq!(milliseconds("h"), None);
        assert_eq!(milliseconds("5 weeks"), None);
    }

    #[test]
    fn a_typing_error_is_recognized() {
        assert_eq!(distance("temprature", "temperature"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(
            closest("temprature", &["top_p", "temperature"]),
            Some("temperature")
        );
        assert_eq!(closest("colour", &["top_p", "temperature"]), None);
    }
}
