//! What components can import is what `anyturn check` and docs/spin.md list.

use super::new;
use crate::guest::Guest;
use anyturn_check::{PROVIDED, is_provided};
use std::collections::BTreeSet;
use std::path::Path;
use wasmtime::component::{Linker, ResourceType};
use wasmtime::{Config, Engine};

/// The patches of a version of WASI that there may be.
const PATCHES: std::ops::Range<u32> = 0..24;

fn linker() -> Linker<Guest> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    new(&Engine::new(&config).unwrap()).unwrap()
}

/// Whether there is something of this very name; afterwards there is.
fn is_defined(linker: &mut Linker<Guest>, name: &str) -> bool {
    let defined = linker
        .root()
        .resource(name, ResourceType::host::<()>(), |_, _| Ok(()));
    defined.is_err()
}

/// Every interface in the WIT files of a folder, as components import it.
fn interfaces(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            interfaces(&path, into);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let after = |word: &'static str| move |line: &str| Some(line.strip_prefix(word)?.to_owned());
        let package = text.lines().find_map(after("package ")).unwrap();
        let package = package.trim_end_matches(';');
        let (name, version) = package.split_once('@').unwrap_or((package, ""));
        for interface in text.lines().filter_map(after("interface ")) {
            let interface = interface.trim_end_matches('{').trim();
            let version = if version.is_empty() {
                String::new()
            } else {
                format!("@{version}")
            };
            into.insert(format!("{name}/{interface}{version}"));
        }
    }
}

#[test]
fn of_the_interfaces_that_are_described_here_those_are_linked_that_are_listed() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut described = BTreeSet::new();
    interfaces(&here.join("wit"), &mut described);
    interfaces(&here.join("../wit"), &mut described);
    let mut linker = linker();
    for name in &described {
        assert_eq!(is_defined(&mut linker, name), is_provided(name), "{name}");
    }
    let exact = PROVIDED
        .iter()
        .filter(|provided| !["0.2", "0.3"].contains(&provided.version));
    for provided in exact {
        for interface in provided.interfaces {
            let name = format!("{}/{interface}@{}", provided.package, provided.version);
            assert!(
                described.contains(&name),
                "{name} is listed, and described nowhere"
            );
        }
    }
}

#[test]
fn of_wasi_those_interfaces_are_linked_that_are_listed() {
    let wasi = PROVIDED
        .iter()
        .filter(|provided| ["0.2", "0.3"].contains(&provided.version));
    let packages: BTreeSet<&str> = wasi.clone().map(|provided| provided.package).collect();
    let mut names: BTreeSet<&str> = wasi.flat_map(|provided| provided.interfaces).copied().collect();
    // What else WASI has, and hosts may.
    names.extend([
        "handler",
        "incoming-handler",
        "run",
        "timezone",
        "network-error",
        "proxy",
    ]);
    let mut linker = linker();
    for package in packages {
        for version in ["0.2", "0.3"] {
            for interface in &names {
                let patches = PATCHES.map(|patch| format!("{package}/{interface}@{version}.{patch}"));
                let linked: Vec<String> = patches.filter(|name| is_defined(&mut linker, name)).collect();
                let listed = is_provided(&format!("{package}/{interface}@{version}.0"));
                assert_eq!(
                    !linked.is_empty(),
                    listed,
                    "{package}/{interface}@{version}.x: {linked:?}"
                );
            }
        }
    }
}
