//! The component files: whether each is one, whether the host has what it imports, and whether it can be called by what
//! calls it.
//!
//! That a file is there is the manifest's to tell; what is not there is left out here. Whether the types of an import fit
//! too is found when the host links the component.

use std::io::ErrorKind;
use std::path::Path;

use anyturn_manifest::{
    Application, Component, Dependency, DependencyName, Finding, Findings, Inherit, Place, Source,
};

use crate::interfaces::{alternative, is_provided};
use crate::wasm::{NoComponent, Outline, outline};

const HANDLER: &str = "wasi:http/handler@0.3.";
const INCOMING_HANDLER: &str = "wasi:http/incoming-handler@0.2.";
const MESSAGES: [&str; 2] = ["spin:redis/inbound-redis@3.0.0", "fermyon:spin/inbound-redis"];

pub(crate) fn check(application: &Application, provided: &dyn Fn(&DependencyName) -> bool) -> Findings {
    let mut findings = Findings::default();
    for component in application.triggered() {
        let room = Room {
            application,
            component,
        };
        let plugged: Vec<&Dependency> = component
            .dependencies()
            .iter()
            .filter(|dependency| !provided(dependency.name()))
            .collect();
        let mut add = |found: Vec<Finding>| {
            for finding in found {
                // A component behind several chains of middleware is read for each.
                if findings.iter().all(|known| *known != finding) {
                    findings.push(finding);
                }
            }
        };
        let key = format!("component.{}.source", component.declared_as());
        add(
            room.file(component.source(), component.source_place(), &key, |outline| {
                let mut found = room.imports(
                    outline,
                    component.source(),
                    component.source_place(),
                    &key,
                    |import| {
                        let dependencies = component.dependencies().iter();
                        dependencies.map(Dependency::name).any(|name| name.covers(import))
                    },
                );
                found.extend(room.exports(outline, &key));
                found
            }),
        );
        for dependency in &plugged {
            let (source, place, key) = (dependency.source(), dependency.place(), dependency.key());
            add(room.file(source, place, key, |outline| {
                room.imports(outline, source, place, key, denied(dependency.inherit()))
            }));
        }
        for layer in component.middleware() {
            let (source, place, key) = (layer.source(), layer.place(), layer.key());
            add(room.file(source, place, key, |outline| {
                let mut found = room.imports(outline, source, place, key, |import| {
                    import.starts_with(HANDLER) || denied(layer.inherit())(import)
                });
                let is_link = |names: &[String]| names.iter().any(|name| name.starts_with(HANDLER));
                if !is_link(&outline.imports) || !is_link(&outline.exports) {
                    found.push(
                        Finding::error(
                            place.clone(),
                            key,
                            format!("{} is no middleware", room.shown(source)),
                        )
                        .advise("middleware both imports and exports wasi:http/handler@0.3.0"),
                    );
                }
                found
            }));
        }
    }
    findings
}

/// What a part of a component does not inherit is refused to it by the host, so that nobody has to provide it.
fn denied(inherit: &Inherit) -> impl Fn(&str) -> bool {
    move |import| !inherit.allows(import)
}

/// What a file is checked for.
struct Room<'a> {
    application: &'a Application,
    component: &'a Component,
}

impl Room<'_> {
    /// Reads a file and has it looked at, if it is a component.
    fn file(
        &self,
        source: &Path,
        place: &Place,
        key: &str,
        look: impl FnOnce(&Outline) -> Vec<Finding>,
    ) -> Vec<Finding> {
        let bytes = match Source::read(source) {
            Ok(Source::Code(bytes)) => bytes,
            // Its code was checked before it was compiled.
            Ok(Source::Note(_)) => return Vec::new(),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                let reason = format!("{} cannot be used: {error}", self.shown(source));
                return vec![
                    Finding::error(place.clone(), key, reason).advise("put the component in its place"),
                ];
            }
            // That a file is not there is said elsewhere.
            Err(_) => return Vec::new(),
        };
        match outline(&bytes) {
            Ok(outline) => look(&outline),
            Err(error) => {
                let advice = match error {
                    NoComponent::Module => {
                        "build it for wasm32-wasip2, or make a component of it with `wasm-tools component new`"
                    }
                    NoComponent::Broken(_) => "build it again",
                };
                let reason = format!("{} {error}", self.shown(source));
                vec![Finding::error(place.clone(), key, reason).advise(advice)]
            }
        }
    }

    /// Imports that nobody provides; `elsewhere` tells of those that are not the host's to provide.
    fn imports(
        &self,
        outline: &Outline,
        source: &Path,
        place: &Place,
        key: &str,
        elsewhere: impl Fn(&str) -> bool,
    ) -> Vec<Finding> {
        let missing = outline
            .imports
            .iter()
            .filter(|import| !elsewhere(import) && !is_provided(import));
        missing
            .map(|import| {
                let reason = format!(
                    "{} imports {import}, which this host does not provide",
                    self.shown(source)
                );
                Finding::error(place.clone(), key, reason).advise(alternative(import))
            })
            .collect()
    }

    /// Whether the component exports what calls it.
    fn exports(&self, outline: &Outline, key: &str) -> Vec<Finding> {
        let component = self.component;
        let (source, place) = (component.source(), component.source_place());
        let has = |prefix: &str| outline.exports.iter().any(|export| export.starts_with(prefix));
        let finding = |reason: &str, advice: &str| {
            let reason = format!("{} {reason}", self.shown(source));
            Finding::error(place.clone(), key, reason).advise(advice)
        };
        let mut findings = Vec::new();
        if self.application.is_reachable(component.id().as_str()) {
            let handler = has(HANDLER);
            if !handler && !has(INCOMING_HANDLER) {
                findings.push(finding(
                    "answers no HTTP requests, and has an http trigger",
                    "export wasi:http/handler@0.3.0 or wasi:http/incoming-handler@0.2",
                ));
            } else if !handler && !component.middleware().is_empty() {
                findings.push(finding(
                    "is of WASI 0.2, and has middleware before it",
                    "export wasi:http/handler@0.3.0, which everything in a chain of middleware must",
                ));
            }
        }
        let triggers = self.application.redis_triggers();
        if triggers
            .iter()
            .any(|trigger| trigger.component() == component.id())
        {
            let exported = |name: &&str| outline.exports.iter().any(|export| export == name);
            match MESSAGES.iter().filter(|name| exported(name)).count() {
                0 => findings.push(finding(
                    "handles no messages, and has a redis trigger",
                    "export spin:redis/inbound-redis@3.0.0 or fermyon:spin/inbound-redis",
                )),
                1 => {}
                _ => findings.push(finding(
                    "handles messages in two ways, and has a redis trigger",
                    "export only one of spin:redis/inbound-redis@3.0.0 and fermyon:spin/inbound-redis",
                )),
            }
        }
        findings
    }

    /// A file as a person names it: relative to the manifest.
    fn shown(&self, file: &Path) -> String {
        let file = file.strip_prefix(self.application.root()).unwrap_or(file);
        format!("`{}`", file.display())
    }
}
