//! What spin.toml says about files and packages: it stays the only list of both.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use toml::{Table, Value};

use crate::run::root;

/// The application's manifest.
pub struct Manifest(Table);

/// A component's file, and the crate that it is built from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Module {
    /// Relative to spin.toml.
    pub path: PathBuf,
    /// The package, by the name that cargo knows it by.
    pub package: String,
}

/// Reads spin.toml.
pub fn read() -> Result<Manifest> {
    let path = root().join("spin.toml");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    parse(&text).with_context(|| format!("{} is not what it should be", path.display()))
}

fn parse(text: &str) -> Result<Manifest> {
    Ok(Manifest(text.parse()?))
}

impl Manifest {
    fn components(&self) -> impl Iterator<Item = &Table> {
        self.0
            .get("component")
            .and_then(Value::as_table)
            .into_iter()
            .flat_map(|components| components.values().filter_map(Value::as_table))
    }

    /// The modules of all components and of their dependencies.
    pub fn modules(&self) -> BTreeSet<Module> {
        let dependencies = self.components().flat_map(|component| {
            let table = component.get("dependencies").and_then(Value::as_table);
            table
                .into_iter()
                .flat_map(|table| table.values().filter_map(|value| value.get("path")))
        });
        self.components()
            .filter_map(|component| component.get("source"))
            .chain(dependencies)
            .filter_map(Value::as_str)
            .map(|path| {
                let path = PathBuf::from(path);
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                Module {
                    package: stem.replace('_', "-"),
                    path,
                }
            })
            .collect()
    }

    /// Everything that the application is made of, relative to spin.toml: modules, and files and folders that
    /// components see.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        let mounts = self.components().flat_map(|component| {
            let list = component.get("files").and_then(Value::as_array);
            list.into_iter().flatten().filter_map(|entry| match entry {
                Value::String(path) => Some(path.as_str()),
                other => other.get("source").and_then(Value::as_str),
            })
        });
        mounts
            .map(PathBuf::from)
            .chain(self.modules().into_iter().map(|module| module.path))
            .collect()
    }

    /// The packages that the build commands name, each once.
    pub fn packages(&self) -> Result<BTreeSet<String>> {
        let mut packages = BTreeSet::new();
        for component in self.components() {
            let command = component.get("build").and_then(|build| build.get("command"));
            let commands = match command {
                Some(Value::String(command)) => vec![command.as_str()],
                Some(Value::Array(commands)) => commands.iter().filter_map(Value::as_str).collect(),
                _ => Vec::new(),
            };
            for command in commands {
                let mut words = command.split_whitespace();
                while let Some(word) = words.next() {
                    if matches!(word, "-p" | "--package") {
                        packages.extend(words.next().map(str::to_owned));
                    }
                }
            }
        }
        if packages.is_empty() {
            bail!("no component's build command has a `cargo … -p <package>`");
        }
        Ok(packages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
        [component.a]
        source = "target/one_a.wasm"
        files = ["notes.txt", { source = "assistants", destination = "/assistants" }]
        [component.a.dependencies]
        "x:y" = { path = "target/two.wasm" }
        [component.a.build]
        command = ["cargo build -p one-a -p two", "cargo build --package one-a"]
        watch = ["-p"]
        [component.b]
        source = "target/two.wasm"
        # [component.b.build] command = "cargo build -p ignored"
    "#;

    #[test]
    fn packages_come_from_the_build_commands() {
        let expected = ["one-a", "two"].map(str::to_owned);
        assert_eq!(parse(MANIFEST).unwrap().packages().unwrap(), expected.into());
        assert!(parse("").unwrap().packages().is_err());
    }

    #[test]
    fn files_are_modules_and_what_components_see_each_once() {
        let manifest = parse(MANIFEST).unwrap();
        let expected = ["assistants", "notes.txt", "target/one_a.wasm", "target/two.wasm"].map(PathBuf::from);
        assert_eq!(manifest.files(), expected.into());
        let packages: Vec<String> = manifest
            .modules()
            .into_iter()
            .map(|module| module.package)
            .collect();
        assert_eq!(packages, ["one-a", "two"]);
    }

    /// A component whose file nobody builds would be found out only when the application starts.
    #[test]
    fn every_module_of_the_application_is_built() {
        let manifest = read().unwrap();
        let packages = manifest.packages().unwrap();
        let modules = manifest.modules();
        for module in &modules {
            assert!(
                packages.contains(&module.package),
                "{module:?} is built by no build command"
            );
            assert!(
                module.path.starts_with("target/wasm32-wasip2/component"),
                "{module:?}"
            );
        }
        assert!(modules.len() >= packages.len(), "{modules:?} of {packages:?}");
    }
}
