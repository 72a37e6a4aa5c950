//! `[component.<id>]`, and components written out in a trigger.

use std::collections::BTreeMap;

use crate::application::{Component, HostEntry, HostSpec};
use crate::files::{Files, Mount, MountKind};
use crate::hosts::{AllowedHost, InvalidHost};
use crate::names::{ComponentId, VariableName, check};
use crate::reader::Node;
use crate::template::Template;

use super::dependency::{self, DraftDependency};
use super::{Scope, targets, tool};

/// A component whose references to other components are not resolved yet.
pub(super) struct Draft<'a> {
    pub(super) component: Component,
    pub(super) dependencies: Vec<DraftDependency<'a>>,
    /// The keys that a component may not have when it is another one's dependency, because they would have no effect.
    pub(super) own_resources: Vec<&'static str>,
}

/// All components by id; `None` for one that is there but broken, which has been told already.
pub(super) type Drafts<'a> = BTreeMap<ComponentId, Option<Draft<'a>>>;

pub(super) fn all<'a>(scope: &Scope, node: &Node<'a>) -> Drafts<'a> {
    let mut drafts = Drafts::new();
    for (name, node) in node.entries().unwrap_or_default() {
        match name.parse::<ComponentId>() {
            Ok(id) => {
                let draft = one(scope, &id, &node);
                drafts.insert(id, draft);
            }
            Err(error) => node.error(format!("{error}"), "component ids are written like my-component"),
        }
    }
    drafts
}

pub(super) fn one<'a>(scope: &Scope, id: &ComponentId, node: &Node<'a>) -> Option<Draft<'a>> {
    let mut table = node.table()?;
    let mut own_resources = Vec::new();
    let mut own = |key: &'static str, node: Option<Node<'_>>| {
        let node = node.filter(|node| !node.is_empty());
        if node.is_some() {
            own_resources.push(key);
        }
        node.is_some()
    };

    let source = table.require("source", "source = \"path/to/component.wasm\"");
    let place = source.as_ref().map_or_else(|| node.place(), Node::place);
    let path = source.and_then(|node| local_source(&node));
    let description = table
        .take("description")
        .and_then(|node| node.string())
        .unwrap_or_default()
        .to_owned();
    let variables = table.take("variables");
    own("variables", variables.clone());
    let variables = variables
        .map(|node| component_variables(scope, &node))
        .unwrap_or_default();
    let environment = table.take("environment");
    own("environment", environment.clone());
    let environment = environment.map(|node| strings(&node)).unwrap_or_default();
    let files = table.take("files");
    own("files", files.clone());
    let mounts = files.map(|node| mounts(&node)).unwrap_or_default();
    let exclude = table
        .take("exclude_files")
        .map(|node| patterns(&node))
        .unwrap_or_default();
    let hosts = table.take("allowed_outbound_hosts");
    own("allowed_outbound_hosts", hosts.clone());
    let hosts = hosts.map(|node| allowed_hosts(scope, &node)).unwrap_or_default();
    if let Some(node) = table.take("allowed_http_hosts").filter(|node| !node.is_empty()) {
        own("allowed_http_hosts", Some(node.clone()));
        node.error(
            "is the deprecated form",
            "write allowed_outbound_hosts = [\"https://…\"] with a scheme in each entry",
        );
    }
    let stores = table.take("key_value_stores");
    own("key_value_stores", stores.clone());
    let key_value_stores = stores.map(|node| stores_of(&node)).unwrap_or_default();
    for (key, what) in [
        ("sqlite_databases", "SQLite databases"),
        ("ai_models", "AI models"),
    ] {
        if let Some(node) = table.take(key) {
            own(key, Some(node.clone()));
            lacking(&node, key, what);
        }
    }
    if let Some(node) = table.take("targets") {
        targets(&node);
    }
    if let Some(node) = table.take("build") {
        build(&node);
    }
    let (tick, websocket) = table.take("tool").map_or((None, None), |node| tool::ours(&node));
    let inherit_all = table.take("dependencies_inherit_configuration");
    let dependencies = table.take("dependencies");
    own("dependencies", dependencies.clone());
    let dependencies = dependency::all(scope, dependencies.as_ref(), inherit_all.as_ref());
    if let Some(node) = table.take("profile") {
        profiles(scope, &node);
    }
    table.finish();
    let component = Component {
        id: id.clone(),
        declared_as: id.clone(),
        description,
        source: scope.path(path?),
        source_place: place,
        dependencies: Vec::new(),
        middleware: Vec::new(),
        key_value_stores,
        environment,
        files: Files { mounts, exclude },
        variables,
        hosts,
        tick,
        websocket,
    };
    Some(Draft {
        component,
        dependencies,
        own_resources,
    })
}

/// The path of a local source; other kinds are refused.
fn local_source<'a>(node: &Node<'a>) -> Option<&'a str> {
    if let Some(path) = node.as_str() {
        return Some(path);
    }
    if !node.is_table() {
        node.error(
            format!("is of type {}", node.type_name()),
            "write source = \"path/to/component.wasm\"",
        );
        return None;
    }
    let mut table = node.table()?;
    let known = ["url", "digest", "registry", "package", "version"].map(|key| table.take(key));
    let kind = if known.first().is_some_and(Option::is_some) {
        "a URL"
    } else {
        "a registry"
    };
    table.finish();
    node.error(
        format!("components from {kind} are not fetched by this host"),
        "download the component and give its path: source = \"path/to/component.wasm\"",
    );
    None
}

fn component_variables(scope: &Scope, node: &Node<'_>) -> BTreeMap<VariableName, Template> {
    let mut variables = BTreeMap::new();
    for (name, node) in node.entries().unwrap_or_default() {
        let template = node.string().and_then(|text| scope.template(&node, text));
        match name.parse() {
            Ok(name) => variables.extend(template.map(|template| (name, template))),
            Err(error) => node.error(format!("{error}"), "variables are named like redis_url"),
        }
    }
    variables
}

fn strings(node: &Node<'_>) -> BTreeMap<String, String> {
    let entries = node.entries().unwrap_or_default();
    entries
        .into_iter()
        .filter_map(|(name, node)| Some((name.to_owned(), node.string()?.to_owned())))
        .collect()
}

fn mounts(node: &Node<'_>) -> Vec<Mount> {
    node.array()
        .unwrap_or_default()
        .iter()
        .filter_map(mount)
        .collect()
}

fn mount(node: &Node<'_>) -> Option<Mount> {
    const FORMS: &str = "write \"assets/**/*\" or { source = \"assets\", destination = \"/assets\" }";
    let kind = if let Some(pattern) = node.as_str() {
        if pattern
            .split('/')
            .next_back()
            .is_some_and(|last| matches!(last, "." | ".."))
        {
            node.error(format!("`{pattern}` is a directory"), FORMS);
            return None;
        }
        if matches!(pattern, "*" | "**/*") {
            node.warning(
                "mounts the application's whole directory",
                "name the files that the component reads",
            );
        }
        MountKind::Pattern(pattern.to_owned())
    } else if node.is_table() {
        let mut table = node.table()?;
        let source = table
            .require("source", "source = \"assets\"")
            .and_then(|node| node.string());
        let destination = table.require("destination", "destination = \"/assets\"");
        let destination = destination.and_then(|node| {
            let path = node.string()?;
            if !path.starts_with('/') || path.split('/').any(|name| matches!(name, "." | "..")) {
                node.error(
                    format!("`{path}` is no absolute path"),
                    "write it like \"/assets\"",
                );
                return None;
            }
            Some(path)
        });
        table.finish();
        MountKind::Placement {
            source: source?.to_owned(),
            destination: destination?.to_owned(),
        }
    } else {
        node.error(format!("is of type {}", node.type_name()), FORMS);
        return None;
    };
    Some(Mount {
        place: node.place(),
        key: node.key().to_owned(),
        kind,
    })
}

fn patterns(node: &Node<'_>) -> Vec<glob::Pattern> {
    let mut patterns = Vec::new();
    for (node, text) in node.strings().unwrap_or_default() {
        match glob::Pattern::new(text) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => node.error(
                format!("is no pattern: {}", error.msg),
                "write it like \"secrets/*\"",
            ),
        }
    }
    patterns
}

fn allowed_hosts(scope: &Scope, node: &Node<'_>) -> Vec<HostEntry> {
    let mut hosts = Vec::new();
    for (node, text) in node.strings().unwrap_or_default() {
        let Some(template) = scope.template(&node, text) else {
            continue;
        };
        let spec = if template.is_literal() {
            match text.parse::<AllowedHost>() {
                Ok(host) => HostSpec::Fixed(host),
                Err(error) => {
                    refuse_host(&node, text, &error);
                    continue;
                }
            }
        } else {
            HostSpec::Template(template)
        };
        hosts.push(HostEntry {
            place: node.place(),
            key: node.key().to_owned(),
            spec,
        });
    }
    hosts
}

fn refuse_host(node: &Node<'_>, text: &str, error: &InvalidHost) {
    // A password in a file is bad enough; it need not be in a log, too.
    let shown = if matches!(error, InvalidHost::UserInfo) {
        "…"
    } else {
        text
    };
    node.error(format!("\"{shown}\": {error}"), error.advice());
}

/// The longest name of a key-value store: with what stands before it, a namespace of the state.
const MAX_STORE_NAME: usize = 61;

/// Key-value stores. The host has any that are named.
fn stores_of(node: &Node<'_>) -> Vec<String> {
    let names = names(node);
    for (node, name) in names.iter().filter(|(_, name)| name.len() > MAX_STORE_NAME) {
        node.error(
            format!("has {} characters", name.len()),
            format!("names of stores have at most {MAX_STORE_NAME} in this host"),
        );
    }
    let mut names: Vec<String> = names.into_iter().map(|(_, name)| name.to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// Names of stores and databases, each checked.
fn names<'a>(node: &Node<'a>) -> Vec<(Node<'a>, &'a str)> {
    let names = node.strings().unwrap_or_default();
    for (node, name) in &names {
        if let (Err(error), Err(_)) = (check(name, '-', '_', false), check(name, '_', '-', false)) {
            node.error(format!("{error}"), "names are written like my-store or my_store");
        }
    }
    names
}

/// Resources that Spin's runtime has and our host has not: an empty list is harmless.
fn lacking(node: &Node<'_>, key: &str, what: &str) {
    let names = match key {
        "ai_models" => node.strings().unwrap_or_default(),
        _ => names(node),
    };
    if !names.is_empty() {
        node.error(
            format!("this host has no {what}"),
            format!(
                "remove `{key}`; key-value stores and the import anyturn:state keep state, anyturn:model has language models"
            ),
        );
    }
}

/// How `spin build` builds the component: checked, and of no effect at run time.
fn build(node: &Node<'_>) {
    let Some(mut table) = node.table() else { return };
    if let Some(command) = table.require("command", "command = \"cargo build …\"") {
        commands(&command);
    }
    if let Some(node) = table.take("workdir") {
        let _ = node.string();
    }
    if let Some(node) = table.take("watch") {
        let _ = node.strings();
    }
    table.finish();
}

fn commands(node: &Node<'_>) {
    if node.is_array() {
        let _ = node.strings();
    } else {
        let _ = node.string();
    }
}

/// `[component.<id>.profile.<name>]`: takes effect with `spin up --profile`, which this host does not have.
fn profiles(scope: &Scope, node: &Node<'_>) {
    for (_, node) in node.entries().unwrap_or_default() {
        let Some(mut table) = node.table() else { continue };
        let _ = table.take("source");
        if let Some(node) = table.take("environment") {
            let _ = strings(&node);
        }
        if let Some(node) = table.take("dependencies") {
            let _ = dependency::all(scope, Some(&node), None);
        }
        if let Some(mut build) = table.take("build").and_then(|node| node.table()) {
            if let Some(command) = build.require("command", "command = \"cargo build …\"") {
                commands(&command);
            }
            build.finish();
        }
        table.finish();
    }
}
