//! Manifests and exactly what a person is told about them.
//!
//! `tests/ui/<case>.toml` beside `<case>.err` must be refused with that text; a case without one must be accepted, with
//! the warnings in `<case>.warn` or with none. `BLESS=1 cargo test -p anyturn-manifest` rewrites the expectations.

// A fixture that is broken fails the test, and so it should.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use anyturn_manifest::{load, parse};

fn cases() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let mut cases: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    cases.sort();
    cases
}

fn expected(case: &Path, extension: &str) -> Option<String> {
    fs::read_to_string(case.with_extension(extension)).ok()
}

fn bless(case: &Path, err: Option<&str>, warn: &str) {
    let write = |extension: &str, text: Option<&str>| {
        let path = case.with_extension(extension);
        match text {
            Some(text) => fs::write(path, format!("{text}\n")).unwrap(),
            None => drop(fs::remove_file(path)),
        }
    };
    write("err", err);
    write("warn", (!warn.is_empty()).then_some(warn));
}

#[test]
fn every_manifest_is_answered_word_for_word() {
    let blessing = std::env::var_os("BLESS").is_some();
    let cases = cases();
    assert!(cases.len() > 20, "the cases are missing");
    let mut wrong = Vec::new();
    for case in cases {
        let text = fs::read_to_string(&case).unwrap();
        let name = PathBuf::from(case.file_name().unwrap());
        let (err, warn) = match parse(&name, &text) {
            Ok((_, warnings)) => (None, warnings.to_string()),
            Err(findings) => (Some(findings.to_string()), String::new()),
        };
        if blessing {
            bless(&case, err.as_deref(), &warn);
        }
        let expected_err = expected(&case, "err");
        let expected_warn = expected(&case, "warn").unwrap_or_default();
        if err.as_deref() != expected_err.as_deref().map(str::trim_end) || warn != expected_warn.trim_end() {
            wrong.push(format!(
                "--- {}\n{}{warn}",
                name.display(),
                err.unwrap_or_default()
            ));
        }
    }
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.join("\n"));
}

#[test]
fn the_projects_own_manifest_has_nothing_wrong_with_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml");
    let (application, warnings) = load(&path).unwrap_or_else(|findings| panic!("{findings}"));
    assert!(warnings.is_empty(), "{warnings}");
    let router = application.router();
    for (path, component) in [
        ("/", Some("web")),
        ("/style.css", Some("web")),
        ("/v1/sessions/ses_1/turns", Some("chat")),
        ("/api/tasks/1", Some("chat")),
        ("/docs", Some("chat")),
        ("/openapi.json", Some("chat")),
        ("/health", Some("chat")),
        ("/mcp", Some("web")),
    ] {
        let found = router
            .find(path)
            .and_then(|found| Some(found.component()?.as_str()));
        assert_eq!(found, component, "{path}");
    }
    assert!(
        application.is_reachable("tasks"),
        "tasks is private, not unreachable"
    );
}

#[test]
fn a_file_that_is_not_there_is_one_clear_line() {
    let findings = load(Path::new("no/such/spin.toml")).unwrap_err();
    let told = findings.to_string();
    assert!(
        told.starts_with("error: no/such/spin.toml: cannot be read: "),
        "{told}"
    );
    assert_eq!(findings.len(), 1);
}
