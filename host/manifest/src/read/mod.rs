//! From the TOML document to the [`Application`]: the manifest's schema, one table after the other.
//!
//! Reading goes on after a finding, so that all of them are told at once; only a document that is no TOML, or of another
//! manifest version, is given up on, because what follows would be noise.

mod component;
mod dependency;
mod tool;
mod trigger;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::application::{Application, HostSpec};
use crate::finding::Findings;
use crate::names::VariableName;
use crate::reader::{Document, Node, Table, suggest};
use crate::template::Template;
use crate::variables::{Declaration, Inputs, Values};

/// What the tables below need to know of the whole.
struct Scope {
    root: PathBuf,
    variables: BTreeMap<VariableName, Declaration>,
}

impl Scope {
    fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A template whose variables the application has.
    fn template(&self, node: &Node<'_>, text: &str) -> Option<Template> {
        let template: Template = match text.parse() {
            Ok(template) => template,
            Err(error) => {
                node.error(
                    format!("{error}"),
                    "write {{ name }} with the name of an application variable",
                );
                return None;
            }
        };
        let known: Vec<_> = self.variables.keys().map(VariableName::as_str).collect();
        let mut complete = true;
        for name in template
            .variables()
            .filter(|name| !self.variables.contains_key(*name))
        {
            node.error(
                format!("there is no application variable `{name}`"),
                suggest(name.as_str(), &known),
            );
            complete = false;
        }
        complete.then_some(template)
    }
}

pub(crate) fn application(path: &Path, text: &str) -> (Option<Application>, Findings) {
    let document = Document::new(path, text);
    let parsed = document.parse();
    let application = parsed
        .as_ref()
        .and_then(|root| manifest(path, Table::root(&document, root.get_ref())));
    if let Some(application) = &application {
        check_hosts(&document, application);
    }
    (application, document.into_findings())
}

fn manifest(path: &Path, mut root: Table<'_>) -> Option<Application> {
    if !version(&mut root) {
        return None;
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut scope = Scope {
        root: absolute.parent().unwrap_or(Path::new("/")).to_owned(),
        variables: BTreeMap::new(),
    };
    if let Some(node) = root.take("variables") {
        scope.variables = variables(&node);
    }
    let head = root
        .require("application", "an [application] table with a name")
        .and_then(|node| head(&scope, &node));
    let triggers = root.require("trigger", "at least one [[trigger.http]]");
    let components = root.take("component");
    root.finish();

    let mut drafts = components
        .map(|node| component::all(&scope, &node))
        .unwrap_or_default();
    let redis_address = head.as_ref().and_then(|head| head.redis_address.clone());
    let mut triggers = triggers
        .map(|node| trigger::all(&scope, &node, redis_address.as_ref(), &mut drafts))
        .unwrap_or_default();
    let mut components = dependency::resolve(drafts);
    triggers.place_middleware(&mut components);
    let head = head?;
    Some(Application {
        name: head.name,
        version: head.version,
        description: head.description,
        manifest: path.to_owned(),
        root: scope.root,
        variables: scope.variables,
        components,
        triggers: triggers.http.into_iter().map(|read| read.trigger).collect(),
        redis_triggers: triggers.redis,
    })
}

/// Whether this is a manifest of version 2.
fn version(root: &mut Table<'_>) -> bool {
    const ADVICE: &str = "write spin_manifest_version = 2; `spin doctor` converts older manifests";
    if let Some(node) = root.take("spin_version") {
        node.error("this is a manifest of version 1", ADVICE);
        return false;
    }
    let Some(node) = root.require("spin_manifest_version", "spin_manifest_version = 2") else {
        return false;
    };
    let two = node.as_integer() == Some(2);
    if !two {
        node.error("only manifests of version 2 are understood", ADVICE);
    }
    two
}

struct Head {
    name: String,
    version: String,
    description: String,
    /// The address of Redis triggers that have none of their own.
    redis_address: Option<Template>,
}

fn head(scope: &Scope, node: &Node<'_>) -> Option<Head> {
    let mut table = node.table()?;
    let name = table
        .require("name", "name = \"my-application\"")
        .and_then(|name| name.string());
    let mut text = |key| {
        table
            .take(key)
            .and_then(|node| node.string())
            .unwrap_or_default()
            .to_owned()
    };
    let (version, description) = (text("version"), text("description"));
    if let Some(authors) = table.take("authors") {
        let _ = authors.strings();
    }
    if let Some(node) = table.take("targets") {
        targets(&node);
    }
    let mut redis_address = None;
    for (kind, settings) in table
        .take("trigger")
        .and_then(|node| node.entries())
        .unwrap_or_default()
    {
        match kind {
            "http" => http_settings(&settings),
            "redis" => redis_address = redis_settings(scope, &settings),
            _ => drop(settings.table()),
        }
    }
    if let Some(tool) = table.take("tool") {
        tables(&tool);
    }
    table.finish();
    Some(Head {
        name: name?.to_owned(),
        version,
        description,
        redis_address,
    })
}

/// `[application.trigger.redis]`: the address of triggers that have none of their own.
fn redis_settings(scope: &Scope, node: &Node<'_>) -> Option<Template> {
    let mut table = node.table()?;
    let address = table.require("address", "address = \"redis://localhost:6379\"");
    table.finish();
    let address = address?;
    scope.template(&address, address.string()?)
}

/// `[application.trigger.http]`: only the `base` of old times, which Spin refuses unless it is `/`.
fn http_settings(node: &Node<'_>) {
    let Some(mut table) = node.table() else { return };
    if let Some(base) = table.take("base") {
        match base.string() {
            Some("/") => base.warning("is deprecated and has no effect", "remove it"),
            Some(_) => base.error(
                "is no longer supported",
                "remove it, and put it in front of every route",
            ),
            None => {}
        }
    }
    table.finish();
}

/// Names of environments that the application is meant for: checked by `spin build`, of no effect here.
fn targets(node: &Node<'_>) {
    for target in node.array().unwrap_or_default() {
        if target.as_str().is_some() {
            continue;
        }
        if !target.is_table() {
            target.error(
                format!("is of type {}", target.type_name()),
                "write \"spin-up:4.1\", { url = … } or { path = … }",
            );
        } else if let Some(mut table) = target.table() {
            let (url, path) = (table.take("url"), table.take("path"));
            if url.is_some() == path.is_some() {
                target.error(
                    "must have either `url` or `path`",
                    "write { url = … } or { path = … }",
                );
            }
            table.finish();
        }
    }
}

/// Settings of tools and plug-ins, which Spin ignores; only their shape is checked.
fn tables(node: &Node<'_>) {
    for (_, settings) in node.entries().unwrap_or_default() {
        let _ = settings.table();
    }
}

fn variables(node: &Node<'_>) -> BTreeMap<VariableName, Declaration> {
    let mut variables = BTreeMap::new();
    for (name, node) in node.entries().unwrap_or_default() {
        let declaration = variable(&node);
        match name.parse() {
            Ok(name) => {
                variables.extend(declaration.map(|declaration| (name, declaration)));
            }
            Err(error) => node.error(format!("{error}"), "variables are named like redis_url"),
        }
    }
    variables
}

fn variable(node: &Node<'_>) -> Option<Declaration> {
    let mut table = node.table()?;
    let required = table.take("required").map(|node| node.boolean());
    let unclear = required == Some(None);
    let default = table.take("default").map(|node| node.string());
    let secret = table
        .take("secret")
        .and_then(|node| node.boolean())
        .unwrap_or_default();
    let description = table
        .take("description")
        .and_then(|node| node.string())
        .map(str::to_owned);
    table.finish();
    match (required.flatten().unwrap_or_default(), &default) {
        _ if unclear => {}
        (true, Some(_)) => node.error("is required and has a default", "remove `required` or `default`"),
        (false, None) => node.error(
            "has no default and is not required",
            "add default = \"…\" or required = true",
        ),
        _ => {}
    }
    let default = default.map(|text| text.unwrap_or_default().to_owned());
    Some(Declaration {
        default,
        secret,
        description,
        place: node.place(),
    })
}

/// Entries of `allowed_outbound_hosts` that the variables' defaults make invalid: Spin refuses them at once, too.
fn check_hosts(document: &Document<'_>, application: &Application) {
    let with_default: BTreeMap<_, _> = application
        .variables
        .iter()
        .filter(|(_, declaration)| declaration.default.is_some())
        .map(|(name, declaration)| (name.clone(), declaration.clone()))
        .collect();
    let Ok((values, _)) = Values::resolve(&with_default, &Inputs::default()) else {
        return;
    };
    for entry in application
        .components
        .values()
        .flat_map(|component| &component.hosts)
    {
        let HostSpec::Template(template) = &entry.spec else {
            continue;
        };
        if template.variables().all(|name| with_default.contains_key(name))
            && let Err(finding) = entry.read(&values)
        {
            document.push(finding);
        }
    }
}
