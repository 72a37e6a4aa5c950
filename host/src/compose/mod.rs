//! Makes one component of a component, its dependencies and its middleware, as Spin's composer does.
//!
//! A dependency satisfies every import of the component that its name covers: with its export of the same
//! name, or with the one that the manifest names. Two dependencies for one import are an error, and so is a
//! dependency that satisfies none.
//!
//! What a dependency imports itself comes from the host, if it inherits the right to it. What it does not
//! inherit is imported under another name ([`DENIED`] before it), where the host answers every call with a
//! refusal ([`crate::linker::denied`]): the dependency cannot reach what its parent can.

pub(crate) mod middleware;

use anyturn_manifest::{DependencyName, Inherit};
use std::collections::BTreeMap;
use wac_graph::types::{ItemKind, Package, SubtypeChecker, WorldId};
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};

/// Stands before the name of an interface that a dependency may not use.
pub(crate) const DENIED: &str = "denied-";

/// A dependency with its code.
pub(crate) struct Part<'a> {
    pub(crate) name: &'a DependencyName,
    pub(crate) export: Option<&'a str>,
    pub(crate) inherit: &'a Inherit,
    pub(crate) wasm: &'a [u8],
}

/// Why a component and its dependencies do not fit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file is no component.
    #[error("{name} is no component: {reason}")]
    NoComponent { name: String, reason: String },
    /// A dependency that nothing needs.
    #[error("the dependency {dependency:?} satisfies no import of the component; it imports: {imports}")]
    Unmatched { dependency: String, imports: String },
    /// An import that could come from several dependencies.
    #[error("the import {import:?} is satisfied by two dependencies, {first:?} and {second:?}")]
    Conflict {
        import: String,
        first: String,
        second: String,
    },
    /// A dependency without the export that is asked of it.
    #[error("the dependency {dependency:?} does not export {export:?}, which the import {import:?} needs")]
    MissingExport {
        dependency: String,
        export: String,
        import: String,
    },
    /// An export of the right name and the wrong type.
    #[error(
        "the export {export:?} of the dependency {dependency:?} does not fit the import {import:?}: {reason}"
    )]
    Mismatch {
        dependency: String,
        export: String,
        import: String,
        reason: String,
    },
    /// Something that cannot be part of a chain of middleware.
    #[error("{name} {reason}")]
    NoMiddleware { name: String, reason: String },
    /// The parts fit, but the whole cannot be written.
    #[error("the composed component cannot be made: {0}")]
    Encode(String),
}

/// Composes; without parts the component stays as it is.
pub(crate) fn compose(id: &str, wasm: &[u8], parts: &[Part<'_>]) -> Result<Vec<u8>, Error> {
    if parts.is_empty() {
        return Ok(wasm.to_vec());
    }
    let mut graph = CompositionGraph::new();
    let package = register(&mut graph, &format!("anyturn-component:{id}"), wasm)?;
    let world = world(&graph, package);
    let matched = matches(&graph, world, parts)?;
    let component = graph.instantiate(package);

    let mut denied = BTreeMap::new();
    let mut instances: BTreeMap<usize, (PackageId, NodeId)> = BTreeMap::new();
    for (import, number) in matched {
        let Some(part) = parts.get(number) else { continue };
        let (package, instance) = match instances.get(&number) {
            Some(known) => *known,
            None => {
                let package = register(
                    &mut graph,
                    &format!("anyturn-dependency:{id}-{number}"),
                    part.wasm,
                )?;
                let instance = graph.instantiate(package);
                deny(&mut graph, package, instance, part.inherit, None, &mut denied)?;
                instances.insert(number, (package, instance));
                (package, instance)
            }
        };
        let export = part.export.unwrap_or(&import);
        check(&graph, world, &import, package, export, part)?;
        let node = graph.alias_instance_export(instance, export).map_err(encode)?;
        graph
            .set_instantiation_argument(component, &import, node)
            .map_err(encode)?;
    }
    let exports: Vec<String> = graph.types()[world].exports.keys().cloned().collect();
    for export in exports {
        let node = graph.alias_instance_export(component, &export).map_err(encode)?;
        graph.export(node, &export).map_err(encode)?;
    }
    graph.encode(EncodeOptions::default()).map_err(encode)
}

fn register(graph: &mut CompositionGraph, name: &str, wasm: &[u8]) -> Result<PackageId, Error> {
    let no_component = |reason: String| Error::NoComponent {
        name: name.rsplit(':').next().unwrap_or(name).to_owned(),
        reason,
    };
    let package = Package::from_bytes(name, None, wasm.to_vec(), graph.types_mut())
        .map_err(|error| no_component(format!("{error:#}")))?;
    graph
        .register_package(package)
        .map_err(|error| no_component(error.to_string()))
}

fn world(graph: &CompositionGraph, package: PackageId) -> WorldId {
    graph[package].ty()
}

/// Which import each part satisfies, by its place in `parts`.
fn matches(
    graph: &CompositionGraph,
    world: WorldId,
    parts: &[Part<'_>],
) -> Result<Vec<(String, usize)>, Error> {
    let imports = &graph.types()[world].imports;
    let mut matched: BTreeMap<String, (usize, &Part<'_>)> = BTreeMap::new();
    for (number, part) in parts.iter().enumerate() {
        let mut satisfies = false;
        for import in imports.keys().filter(|import| part.name.covers(import)) {
            satisfies = true;
            if let Some((_, first)) = matched.insert(import.clone(), (number, part)) {
                return Err(Error::Conflict {
                    import: import.clone(),
                    first: first.name.to_string(),
                    second: part.name.to_string(),
                });
            }
        }
        if !satisfies {
            return Err(Error::Unmatched {
                dependency: part.name.to_string(),
                imports: imports.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
            });
        }
    }
    Ok(matched
        .into_iter()
        .map(|(import, (number, _))| (import, number))
        .collect())
}

/// Checks that a part's export is there and is what the import wants.
fn check(
    graph: &CompositionGraph,
    world: WorldId,
    import: &str,
    package: PackageId,
    export: &str,
    part: &Part<'_>,
) -> Result<(), Error> {
    let types = graph.types();
    let Some(offered) = types[graph[package].ty()].exports.get(export).copied() else {
        return Err(Error::MissingExport {
            dependency: part.name.to_string(),
            export: export.to_owned(),
            import: import.to_owned(),
        });
    };
    let Some(wanted) = types[world].imports.get(import).copied() else {
        return Ok(());
    };
    let mut cache = Default::default();
    SubtypeChecker::new(&mut cache)
        .is_subtype(offered, types, wanted, types)
        .map_err(|error| Error::Mismatch {
            dependency: part.name.to_string(),
            export: export.to_owned(),
            import: import.to_owned(),
            reason: format!("{error:#}"),
        })
}

/// Gives a part refusals for what it does not inherit. Parts that are denied the same share one import. The import
/// `but` is not the host's.
fn deny(
    graph: &mut CompositionGraph,
    package: PackageId,
    instance: NodeId,
    inherit: &Inherit,
    but: Option<&str>,
    denied: &mut BTreeMap<String, NodeId>,
) -> Result<(), Error> {
    let imports: Vec<(String, ItemKind)> = graph.types()[world(graph, package)]
        .imports
        .iter()
        .filter(|(import, _)| but != Some(import.as_str()) && !inherit.allows(import))
        .map(|(import, kind)| (import.clone(), *kind))
        .collect();
    for (import, kind) in imports {
        let node = match denied.get(&import) {
            Some(node) => *node,
            None => {
                let node = refused(graph, &import, kind)?;
                denied.insert(import.clone(), node);
                node
            }
        };
        graph
            .set_instantiation_argument(instance, &import, node)
            .map_err(encode)?;
    }
    Ok(())
}

/// An import of refusals in place of an import of the host's.
///
/// It is another interface, though it looks the same: two imports of one interface are made one when the composed
/// component is written, under the name of the first, and whoever is refused would have what another part is given.
fn refused(graph: &mut CompositionGraph, import: &str, kind: ItemKind) -> Result<NodeId, Error> {
    let kind = match kind {
        ItemKind::Instance(interface) => {
            let mut interface = graph.types()[interface].clone();
            interface.id = interface.id.map(|id| format!("{DENIED}{id}"));
            ItemKind::Instance(graph.types_mut().add_interface(interface))
        }
        other => other,
    };
    graph.import(format!("{DENIED}{import}"), kind).map_err(encode)
}

fn encode(error: impl std::fmt::Display) -> Error {
    Error::Encode(format!("{error:#}"))
}
