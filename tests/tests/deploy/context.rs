//! What the Dockerfile's stages have of the repository: what `.dockerignore` lets through. Machines that run these tests
//! have no engine to build an image, but they build the same things of the same sources: what a build here has read
//! must be there too.

use crate::documents;
use anyturn_tests::host::binary;
use anyturn_tests::repository;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `.dockerignore`, which lets through what is named and nothing else.
struct Context {
    /// Files and folders of the repository's root, with all that is in them.
    named: BTreeSet<String>,
    /// Names of files and folders that stay outside wherever they are.
    nowhere: BTreeSet<String>,
}

impl Context {
    /// Reads it. What is written in another way than ours is a failure, so that nothing is passed over.
    fn read() -> Self {
        let mut context = Self {
            named: BTreeSet::new(),
            nowhere: BTreeSet::new(),
        };
        let text = documents::text(".dockerignore");
        let mut lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        assert_eq!(
            lines.next(),
            Some("*"),
            "nothing is let through unless it is named"
        );
        for line in lines {
            let (set, name) = match (line.strip_prefix('!'), line.strip_prefix("**/")) {
                (Some(name), _) => (&mut context.named, name),
                (_, Some(name)) => (&mut context.nowhere, name),
                _ => panic!("{line:?} is `!name` or `**/name`"),
            };
            assert!(!name.contains(['/', '*', '?', '[']), "{line:?} is a plain name");
            set.insert(name.to_owned());
        }
        context
    }

    /// Whether a file, relative to the repository's root, is let through.
    fn has(&self, path: &Path) -> bool {
        let mut names = path.iter().map(|name| name.to_string_lossy());
        names.next().is_some_and(|first| self.named.contains(&*first))
            && !path
                .iter()
                .any(|name| self.nowhere.contains(&*name.to_string_lossy()))
    }

    /// Copies what is let through.
    fn copy(&self, to: &Path) {
        let mut left: Vec<PathBuf> = self.named.iter().map(PathBuf::from).collect();
        while let Some(path) = left.pop() {
            let from = repository().join(&path);
            if !self.has(&path) {
                continue;
            }
            if from.is_dir() {
                std::fs::create_dir_all(to.join(&path)).unwrap();
                let entries = std::fs::read_dir(&from).unwrap();
                left.extend(entries.map(|entry| path.join(entry.unwrap().file_name())));
            } else {
                std::fs::copy(&from, to.join(&path)).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            }
        }
    }
}

/// The files of this repository that cargo read to build an artifact, as it says beside it. What it made itself, and
/// other people's crates, are not among them.
fn sources(artifact: &Path) -> BTreeSet<PathBuf> {
    let list = artifact.with_extension("d");
    let text = std::fs::read_to_string(&list)
        .unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask test` builds it", list.display()));
    let (_, files) = text.split_once(": ").unwrap();
    // A space that is part of a name follows a backslash.
    let files = files.replace("\\ ", "\0");
    let root = repository();
    files
        .split_whitespace()
        .map(|file| PathBuf::from(file.replace('\0', " ")))
        .filter_map(|file| Some(file.strip_prefix(&root).ok()?.to_owned()))
        .filter(|file| !file.starts_with("target"))
        .collect()
}

/// The components' files that spin.toml names.
fn components() -> BTreeSet<String> {
    let manifest = documents::toml("spin.toml");
    let components = manifest["component"].as_table().unwrap().values();
    components
        .flat_map(|component| {
            let dependencies = component.get("dependencies").and_then(|table| table.as_table());
            let paths = dependencies.into_iter().flat_map(|table| table.values());
            std::iter::once(&component["source"])
                .chain(paths.filter_map(|dependency| dependency.get("path")))
                .map(|path| path.as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn an_image_is_built_of_files_that_its_build_context_has() {
    let context = Context::read();
    let artifacts = components().into_iter().map(|path| repository().join(path));
    let mut count = 0;
    for artifact in artifacts.chain([binary()]) {
        let sources = sources(&artifact);
        assert!(
            sources.iter().any(|source| source.ends_with("src/lib.rs")),
            "{}: {sources:?}",
            artifact.display()
        );
        for source in &sources {
            assert!(
                context.has(source),
                "{} is built of {}, which .dockerignore does not let through",
                artifact.display(),
                source.display()
            );
        }
        count += 1;
    }
    assert!(count > 5, "the host and all components were looked at");
    // What is read while building without being compiled in.
    for file in [
        "spin.toml",
        "assistants/chat.toml",
        "Cargo.lock",
        ".cargo/config.toml",
    ] {
        assert!(context.has(Path::new(file)), "{file}");
        assert!(repository().join(file).is_file(), "{file}");
    }
    for file in [
        "README.md",
        "target/release/anyturn",
        ".git/config",
        "tests/clients/node_modules/x.js",
    ] {
        assert!(!context.has(Path::new(file)), "{file}");
    }
}

/// Cargo reads the manifest of every member of a workspace, whatever it is asked to build.
#[test]
fn cargo_finds_the_whole_workspace_in_the_build_context() {
    let folder = tempfile::tempdir().unwrap();
    Context::read().copy(folder.path());
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let members = documents::toml("Cargo.toml")["workspace"]["members"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(found["packages"].as_array().unwrap().len(), members);
}

/// Cargo compiles dependencies otherwise for another kind of crate or another profile: what was compiled of them before the
/// sources came would be compiled again whenever the sources change.
#[test]
fn dependencies_of_components_are_compiled_for_the_command_that_builds_components() {
    let dockerfile = documents::text("Dockerfile");
    let manifest = documents::toml("spin.toml");
    let command = manifest["component"]["web"]["build"]["command"].as_str().unwrap();
    let (command, _) = command.split_once(" -p ").unwrap();
    assert!(command.starts_with("cargo rustc "), "{command}");
    assert!(dockerfile.contains(command), "the Dockerfile has {command:?}");
}
