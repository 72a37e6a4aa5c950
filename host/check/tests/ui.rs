//! Applications with their components, and exactly what a person is told about them.
//!
//! `tests/ui/<case>` is an application: `spin.toml`, and component files, written as text (`.wat`) where they are
//! components. It is refused with the text in `expected.err`. `BLESS=1 cargo test -p anyturn-check` rewrites it.

// A fixture that is broken fails the test, and so it should.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use anyturn_check::{Subject, check};
use anyturn_manifest::Inputs;

/// What is told about an application, as from its own folder.
fn told(case: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(case).unwrap() {
        let path = entry.unwrap().path();
        let to = folder.path().join(path.file_name().unwrap());
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("wat") => {
                let wasm = wat::parse_file(&path).unwrap_or_else(|error| panic!("{error}"));
                fs::write(to.with_extension("wasm"), wasm).unwrap();
            }
            _ => drop(fs::copy(&path, to).unwrap()),
        }
    }
    let subject = Subject {
        manifest: &folder.path().join("spin.toml"),
        inputs: &Inputs::default(),
        listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
        provided: &|_| false,
        redis_ca_file: None,
    };
    match check(&subject) {
        Ok(_) => panic!("{} has nothing wrong with it", case.display()),
        Err(findings) => findings
            .to_string()
            .replace(&format!("{}/", folder.path().display()), ""),
    }
}

#[test]
fn every_application_is_answered_word_for_word() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(cases).unwrap() {
        let case = entry.unwrap().path();
        let (told, file) = (told(&case), case.join("expected.err"));
        count += 1;
        if std::env::var_os("BLESS").is_some() {
            fs::write(&file, format!("{told}\n")).unwrap();
        }
        if fs::read_to_string(&file).unwrap_or_default().trim_end() != told {
            wrong.push(format!("--- {}\n{told}", case.display()));
        }
    }
    assert!(count >= 3, "the cases are missing");
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.join("\n"));
}
