//! `[component.<id>.dependencies]`: what satisfies a component's imports.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::application::Component;
use crate::dependency::{Configuration, Dependency, DependencyName, Inherit};
use crate::names::ComponentId;
use crate::reader::{Node, Table, suggest};
use crate::trigger::Middleware;

use super::Scope;
use super::component::{Draft, Drafts};

const FORMS: &str = "write { path = \"path/to/dependency.wasm\" } or { component = \"id\" }";

/// A dependency that may still refer to a component of the application.
pub(super) struct DraftDependency<'a> {
    node: Node<'a>,
    name: DependencyName,
    source: Source<'a>,
    export: Option<String>,
    inherit: Inherit,
}

enum Source<'a> {
    File(PathBuf),
    Component(Node<'a>, ComponentId),
}

/// Reads the table; `inherit_all` is the component's `dependencies_inherit_configuration`.
pub(super) fn all<'a>(
    scope: &Scope,
    node: Option<&Node<'a>>,
    inherit_all: Option<&Node<'a>>,
) -> Vec<DraftDependency<'a>> {
    let all = inherit_all.and_then(Node::boolean);
    let mut dependencies: Vec<DraftDependency<'a>> = Vec::new();
    for (name, node) in node.and_then(Node::entries).unwrap_or_default() {
        let name = match name.parse::<DependencyName>() {
            Ok(name) => name,
            Err(error) => {
                node.error(
                    format!("{error}"),
                    "imports are named like wasi:logging, my:package/interface@0.1.0 or plain-name",
                );
                continue;
            }
        };
        let Some((draft, own_inherit)) = one(scope, &node, name) else {
            continue;
        };
        if all.is_some() && own_inherit {
            node.error(
                "has its own `inherit_configuration`, and the component has `dependencies_inherit_configuration`",
                "use one or the other",
            );
        }
        if let Some(other) = dependencies.iter().find(|other| other.name.overlaps(&draft.name)) {
            node.error(
                format!("could satisfy the same imports as `{}`", other.name),
                "name different packages, interfaces or incompatible versions",
            );
        }
        dependencies.push(draft);
    }
    if all == Some(true) {
        for dependency in &mut dependencies {
            dependency.inherit = Inherit::all();
        }
    }
    dependencies
}

/// One entry, and whether it says itself what it inherits.
fn one<'a>(scope: &Scope, node: &Node<'a>, name: DependencyName) -> Option<(DraftDependency<'a>, bool)> {
    if node.as_str().is_some() {
        refuse_remote(node, "a registry");
        return None;
    }
    if !node.is_table() {
        node.error(format!("is of type {}", node.type_name()), FORMS);
        return None;
    }
    let mut table = node.table()?;
    let source = source(scope, node, &mut table);
    let export = table.take("export");
    if let Some(export) = export.as_ref().filter(|_| name.is_whole_package()) {
        export.error(
            "one export cannot satisfy a whole package",
            format!("name the interface: \"{name}/interface\", or remove `export`"),
        );
    }
    let export = export.and_then(|node| node.string()).map(str::to_owned);
    let inherit = table.take("inherit_configuration");
    let own_inherit = inherit.is_some();
    let inherit = inherit.map(|node| inherited(&node)).unwrap_or_default();
    table.finish();
    Some((
        DraftDependency {
            node: node.clone(),
            name,
            source: source?,
            export,
            inherit,
        },
        own_inherit,
    ))
}

/// Where the component comes from.
fn source<'a>(scope: &Scope, node: &Node<'a>, table: &mut Table<'a>) -> Option<Source<'a>> {
    let path = table.take("path");
    let component = table.take("component");
    match (path, component) {
        (Some(path), None) => path.string().map(|path| Source::File(scope.path(path))),
        (None, Some(node)) => reference(&node),
        (Some(_), Some(_)) => {
            node.error("has both `path` and `component`", FORMS);
            None
        }
        (None, None) => remote(node, table),
    }
}

/// `dependencies.middleware` of a trigger: components that stand before the trigger's own, the outermost first. Their
/// entries are those of dependencies, but they satisfy no import by a name.
pub(super) fn middleware(
    scope: &Scope,
    trigger: &str,
    node: &Node<'_>,
    drafts: &Drafts<'_>,
) -> Vec<Middleware> {
    let one = |node: Node<'_>| {
        if node.as_str().is_some() {
            refuse_remote(&node, "a registry");
            return None;
        }
        let mut table = node.table()?;
        let source = source(scope, &node, &mut table);
        let inherit = table.take("inherit_configuration");
        let inherit = inherit.map(|node| inherited(&node)).unwrap_or_default();
        table.finish();
        let source = match source? {
            Source::File(path) => path,
            Source::Component(node, id) => component_file(drafts, trigger, &node, &id)?,
        };
        Some(Middleware {
            source,
            inherit,
            place: node.place(),
            key: node.key().to_owned(),
        })
    };
    node.array()
        .unwrap_or_default()
        .into_iter()
        .filter_map(one)
        .collect()
}

fn reference<'a>(node: &Node<'a>) -> Option<Source<'a>> {
    match node.string()?.parse() {
        Ok(id) => Some(Source::Component(node.clone(), id)),
        Err(error) => {
            node.error(format!("{error}"), "component ids are written like my-component");
            None
        }
    }
}

/// Forms that name no file: refused, each in its own words.
fn remote<'a>(node: &Node<'a>, table: &mut Table<'_>) -> Option<Source<'a>> {
    let url = ["url", "digest"].map(|key| table.take(key));
    let registry = ["version", "registry", "package"].map(|key| table.take(key));
    if url.iter().any(Option::is_some) {
        refuse_remote(node, "a URL");
    } else if registry.iter().any(Option::is_some) {
        refuse_remote(node, "a registry");
    } else {
        node.error("does not say what satisfies the import", FORMS);
    }
    None
}

fn refuse_remote(node: &Node<'_>, from: &str) {
    node.error(
        format!("dependencies from {from} are not fetched by this host"),
        "download the component and give its path: { path = \"path/to/dependency.wasm\" }",
    );
}

/// `true`, `false`, or a list of names. Spin ignores names that it does not know, and so denies more than was asked
/// for; that is a trap for whoever misspells one, so they are refused here.
fn inherited(node: &Node<'_>) -> Inherit {
    if let Some(all) = node.as_bool() {
        return if all { Inherit::all() } else { Inherit::none() };
    }
    if !node.is_array() {
        node.error(
            format!("is of type {}", node.type_name()),
            "write true, false, or a list of names",
        );
        return Inherit::none();
    }
    let names = Configuration::ALL.map(Configuration::name);
    let mut inherit = Vec::new();
    for (node, name) in node.strings().unwrap_or_default() {
        match Configuration::from_name(name) {
            Some(configuration) => inherit.push(configuration),
            None => node.error(format!("`{name}` cannot be inherited"), suggest(name, &names)),
        }
    }
    inherit.into_iter().collect()
}

/// Replaces references by the files of the components that they name.
pub(super) fn resolve(drafts: Drafts<'_>) -> BTreeMap<ComponentId, Component> {
    let mut resolved: BTreeMap<ComponentId, Vec<Dependency>> = BTreeMap::new();
    for (id, draft) in &drafts {
        let dependencies = draft.iter().flat_map(|draft| &draft.dependencies);
        let dependencies = dependencies.filter_map(|dependency| {
            let source = match &dependency.source {
                Source::File(path) => path.clone(),
                Source::Component(node, target) => component_file(&drafts, id.as_str(), node, target)?,
            };
            Some(Dependency {
                name: dependency.name.clone(),
                source,
                export: dependency.export.clone(),
                inherit: dependency.inherit.clone(),
                place: dependency.node.place(),
                key: dependency.node.key().to_owned(),
            })
        });
        resolved.insert(id.clone(), dependencies.collect());
    }
    let whole = |(id, draft): (ComponentId, Option<Draft<'_>>)| {
        let component = draft?.component;
        let dependencies = resolved.remove(&id).unwrap_or_default();
        Some((
            id,
            Component {
                dependencies,
                ..component
            },
        ))
    };
    drafts.into_iter().filter_map(whole).collect()
}

/// The file of a component that is used as a dependency: it may have nothing of its own, since that would not be
/// there for it once it is composed into its parent.
fn component_file(drafts: &Drafts<'_>, parent: &str, node: &Node<'_>, id: &ComponentId) -> Option<PathBuf> {
    let Some(draft) = drafts.get(id) else {
        let ids: Vec<_> = drafts.keys().map(ComponentId::as_str).collect();
        node.error(
            format!("there is no component `{id}`"),
            suggest(id.as_str(), &ids),
        );
        return None;
    };
    let draft = draft.as_ref()?;
    if !draft.own_resources.is_empty() {
        node.error(
            format!(
                "`{id}` cannot be a dependency of `{parent}`: its own {} would have no effect there",
                draft.own_resources.join(", ")
            ),
            format!("remove them from `{id}`, or give its file: {{ path = … }}"),
        );
        return None;
    }
    Some(draft.component.source.clone())
}
