//! Walks a TOML document and never loses the place: every value knows its key path and its line.
//!
//! A reader takes the keys it knows out of a [`Table`] one by one; what is left at [`Table::finish`] is unknown and
//! becomes a finding that lists the known ones. So the list of valid keys cannot differ from what is read.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::finding::{Finding, Findings, Place};

/// A document and what was found in it so far.
pub(crate) struct Document<'a> {
    path: PathBuf,
    text: &'a str,
    findings: RefCell<Findings>,
}

impl<'a> Document<'a> {
    pub(crate) fn new(path: &Path, text: &'a str) -> Self {
        Self {
            path: path.to_owned(),
            text,
            findings: RefCell::default(),
        }
    }

    /// The root of the document, or nothing when it is no TOML: then each syntax error is a finding.
    pub(crate) fn parse(&self) -> Option<Spanned<DeTable<'a>>> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        if errors.is_empty() {
            return Some(root);
        }
        for error in errors {
            let start = error.span().map_or(0, |span| span.start);
            // The parser's message may span lines; a finding is one line.
            let reason = error.message().lines().collect::<Vec<_>>().join(", ");
            self.push(Finding::error(
                self.place(start),
                "",
                format!("not valid TOML: {reason}"),
            ));
        }
        None
    }

    pub(crate) fn push(&self, finding: Finding) {
        self.findings.borrow_mut().push(finding);
    }

    /// The line of a byte offset.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        Place::line(&self.path, before.matches('\n').count() + 1)
    }

    pub(crate) fn into_findings(self) -> Findings {
        let mut findings = self.findings.into_inner();
        findings.sort();
        findings
    }
}

/// A value, its key path and its place.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    document: &'a Document<'a>,
    key: String,
    span: Range<usize>,
    value: &'a DeValue<'a>,
}

impl<'a> Node<'a> {
    /// Where a finding about this value belongs: the line of its key.
    pub(crate) fn place(&self) -> Place {
        self.document.place(self.span.start)
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn type_name(&self) -> &'static str {
        self.value.type_str()
    }

    pub(crate) fn error(&self, reason: impl Into<String>, advice: impl Into<String>) {
        self.document
            .push(Finding::error(self.place(), self.key.clone(), reason).advise(advice));
    }

    pub(crate) fn warning(&self, reason: impl Into<String>, advice: impl Into<String>) {
        self.document
            .push(Finding::warning(self.place(), self.key.clone(), reason).advise(advice));
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self.value {
            DeValue::Array(items) => items.is_empty(),
            DeValue::Table(table) => table.is_empty(),
            DeValue::String(text) => text.is_empty(),
            _ => false,
        }
    }

    fn mismatch(&self, expected: &str) {
        self.error(
            format!("is {}", article(self.value.type_str())),
            format!("expected {expected}"),
        );
    }

    /// The text, when it is one; no finding otherwise.
    pub(crate) fn as_str(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        self.value.as_bool()
    }

    pub(crate) fn as_integer(&self) -> Option<i64> {
        let integer = self.value.as_integer()?;
        i64::from_str_radix(integer.as_str(), integer.radix()).ok()
    }

    pub(crate) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    pub(crate) fn is_array(&self) -> bool {
        self.value.is_array()
    }

    pub(crate) fn string(&self) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.mismatch("a string");
        }
        text
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            self.mismatch("`true` or `false`");
        }
        value
    }

    /// The items of an array, each with its own place.
    pub(crate) fn array(&self) -> Option<Vec<Node<'a>>> {
        let Some(items) = self.value.as_array() else {
            self.mismatch("an array");
            return None;
        };
        Some(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| Node {
                    document: self.document,
                    key: format!("{}[{index}]", self.key),
                    span: item.span(),
                    value: item.get_ref(),
                })
                .collect(),
        )
    }

    /// An array of strings; items of another type are findings and left out.
    pub(crate) fn strings(&self) -> Option<Vec<(Node<'a>, &'a str)>> {
        let items = self.array()?;
        Some(
            items
                .into_iter()
                .filter_map(|item| item.string().map(|text| (item, text)))
                .collect(),
        )
    }

    pub(crate) fn table(&self) -> Option<Table<'a>> {
        let Some(table) = self.value.as_table() else {
            self.mismatch("a table");
            return None;
        };
        Some(Table {
            document: self.document,
            key: self.key.clone(),
            span: self.span.clone(),
            table,
            known: BTreeSet::new(),
        })
    }

    /// The entries of a table whose keys are names, in the order of the file.
    pub(crate) fn entries(&self) -> Option<Vec<(&'a str, Node<'a>)>> {
        self.table().map(|table| table.entries())
    }
}

/// A table of which known keys are taken.
pub(crate) struct Table<'a> {
    document: &'a Document<'a>,
    key: String,
    span: Range<usize>,
    table: &'a DeTable<'a>,
    known: BTreeSet<&'static str>,
}

impl<'a> Table<'a> {
    /// The whole document.
    pub(crate) fn root(document: &'a Document<'a>, table: &'a DeTable<'a>) -> Self {
        Self {
            document,
            key: String::new(),
            span: 0..0,
            table,
            known: BTreeSet::new(),
        }
    }

    pub(crate) fn error(&self, reason: impl Into<String>, advice: impl Into<String>) {
        let place = self.document.place(self.span.start);
        self.document
            .push(Finding::error(place, self.key.clone(), reason).advise(advice));
    }

    /// The value of a key that may be there.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.known.insert(key);
        self.entries()
            .into_iter()
            .find_map(|(name, node)| (name == key).then_some(node))
    }

    /// The value of a key that must be there; `example` shows how it is written.
    pub(crate) fn require(&mut self, key: &'static str, example: &str) -> Option<Node<'a>> {
        let node = self.take(key);
        if node.is_none() {
            self.error(format!("`{key}` is missing"), format!("add {example}"));
        }
        node
    }

    /// Refuses every key that was not taken.
    pub(crate) fn finish(self) {
        for (name, node) in self.entries() {
            if !self.known.contains(name) {
                let known = self.known.iter().copied().collect::<Vec<_>>();
                node.error("unknown key", suggest(name, &known));
            }
        }
    }

    pub(crate) fn entries(&self) -> Vec<(&'a str, Node<'a>)> {
        let mut entries: Vec<_> = self
            .table
            .iter()
            .map(|(name, value)| {
                let name_text: &'a str = name.get_ref().as_ref();
                let node = Node {
                    document: self.document,
                    key: join(&self.key, name_text),
                    span: name.span(),
                    value: value.get_ref(),
                };
                (name_text, node)
            })
            .collect();
        entries.sort_by_key(|(_, node)| node.span.start);
        entries
    }
}

/// `component.chat."anyturn:state"`: a key path as it could stand in the file.
fn join(path: &str, name: &str) -> String {
    let bare = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let name = if bare {
        name.to_owned()
    } else {
        format!("{name:?}")
    };
    if path.is_empty() {
        name
    } else {
        format!("{path}.{name}")
    }
}

fn article(type_name: &str) -> String {
    match type_name {
        "integer" | "array" => format!("an {type_name}"),
        _ => format!("a {type_name}"),
    }
}

/// What was probably meant, or everything that is possible.
pub(crate) fn suggest(given: &str, known: &[&str]) -> String {
    // One slip in every three letters, and no more than two.
    let slips = (given.len() / 3).clamp(1, 2);
    let close = known
        .iter()
        .filter(|name| distance(given, name) <= slips)
        .min_by_key(|name| distance(given, name));
    match close {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "there is none to choose from".to_owned(),
        None => format!("known: {}", known.join(", ")),
    }
}

/// Levenshtein distance, by bytes; the names are ASCII.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, &up) in b.bytes().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(x != y)).min(left + 1).min(up + 1);
            diagonal = up;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_recognized() {
        assert_eq!(suggest("surce", &["source", "files"]), "did you mean `source`?");
        assert_eq!(suggest("hots", &["both"]), "known: both");
        assert_eq!(suggest("quux", &["source", "files"]), "known: source, files");
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }
}
