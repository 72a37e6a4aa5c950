//! docs/spin.md says what the lists say.

// A fixture that is broken fails the test, and so it should.
#![allow(clippy::unwrap_used)]

use anyturn_check::{LACKING, PROVIDED};
use std::path::Path;

/// The rows of the table that begins with a line.
fn rows<'a>(page: &'a str, head: &str) -> Vec<&'a str> {
    let lines = page.lines().skip_while(|line| *line != head).skip(2);
    lines.take_while(|line| line.starts_with('|')).collect()
}

#[test]
fn the_page_about_spin_lists_what_the_host_has_and_lacks() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spin.md");
    let page = std::fs::read_to_string(path).unwrap();
    let provided: Vec<String> = PROVIDED.iter().map(ToString::to_string).collect();
    assert_eq!(rows(&page, "| package | version | interfaces |"), provided);
    // Other versions of what the host has need no row: the page says so in words.
    let lacking: Vec<String> = LACKING
        .iter()
        .filter(|(name, _)| PROVIDED.iter().all(|provided| provided.package != *name))
        .map(|(name, nearest)| format!("| `{name}` | {nearest} |"))
        .collect();
    assert_eq!(rows(&page, "| lacking | nearest |"), lacking);
}
