//! `[[trigger.http]]`: which component answers which requests.

use std::collections::BTreeSet;

use crate::application::{HttpTrigger, Route};
use crate::names::ComponentId;
use crate::reader::{Node, suggest};
use crate::router::{RESERVED_PREFIX, RoutePattern};

use super::Scope;
use super::component::{self, Drafts};

/// What a trigger table says, before generated ids are known.
struct Draft<'a> {
    node: Node<'a>,
    id: Option<&'a str>,
    component: Option<Target<'a>>,
    route: Option<(Node<'a>, Route)>,
}

enum Target<'a> {
    Id(Node<'a>, ComponentId),
    Inline(Node<'a>),
}

/// Reads all triggers; components that are written out in them join `drafts`.
pub(super) fn all<'a>(scope: &Scope, node: &Node<'a>, drafts: &mut Drafts<'a>) -> Vec<HttpTrigger> {
    let mut triggers = Vec::new();
    for (kind, node) in node.entries().unwrap_or_default() {
        if kind != "http" {
            node.error(
                format!("triggers of type `{kind}` are not supported by this host"),
                "only [[trigger.http]] is; schedules and queues are the host's own",
            );
        } else if node.is_table() {
            node.error("is a single table", "write [[trigger.http]] with double brackets");
        } else {
            triggers.extend(node.array().unwrap_or_default().iter().filter_map(one));
        }
    }
    warn_of_duplicates(&triggers);
    let ids = ids(&triggers);
    triggers
        .into_iter()
        .zip(ids)
        .filter_map(|(trigger, id)| resolve(scope, trigger, id, drafts))
        .collect()
}

fn one<'a>(node: &Node<'a>) -> Option<Draft<'a>> {
    let mut table = node.table()?;
    let id = table
        .take("id")
        .and_then(|node| node.string())
        .filter(|id| !id.is_empty());
    let target = table.take("component");
    let route = table.require("route", "route = \"/...\" or route = { private = true }");
    let route = route.and_then(|node| Some((node.clone(), self::route(&node)?)));
    let fixed_answer = table.take("static_response");
    if let Some(node) = &fixed_answer {
        node.error(
            "static responses are not supported by this host",
            "let a component answer this route",
        );
    }
    if target.is_none() && fixed_answer.is_none() {
        table.error("no component answers this route", "add component = \"id\"");
    }
    if let Some(node) = table.take("dependencies").filter(|node| !node.is_empty()) {
        node.error(
            "middleware is not supported by this host",
            "compose it into the component, or remove it",
        );
    }
    if let Some(node) = table.take("components").filter(|node| !node.is_empty()) {
        node.error(
            "additional components of a trigger are not supported by this host",
            "name one with component = \"id\"",
        );
    }
    if let Some(node) = table.take("executor") {
        executor(&node);
    }
    table.finish();
    Some(Draft {
        node: node.clone(),
        id,
        component: target.and_then(self::target),
        route,
    })
}

fn target(node: Node<'_>) -> Option<Target<'_>> {
    let Some(id) = node.as_str() else {
        if !node.is_table() {
            node.error(
                format!("is of type {}", node.type_name()),
                "write the id of a component, or a component",
            );
            return None;
        }
        return Some(Target::Inline(node));
    };
    match id.parse() {
        Ok(id) => Some(Target::Id(node, id)),
        Err(error) => {
            node.error(format!("{error}"), "component ids are written like my-component");
            None
        }
    }
}

fn route(node: &Node<'_>) -> Option<Route> {
    if let Some(text) = node.as_str() {
        return match text.parse::<RoutePattern>() {
            Ok(pattern) => {
                if pattern.is_reserved() {
                    node.warning(
                        format!("Spin answers below {RESERVED_PREFIX} itself"),
                        "choose another path",
                    );
                }
                Some(Route::Public(pattern))
            }
            Err(error) => {
                node.error(
                    format!("`{text}`: {error}"),
                    "write \"/path\", \"/path/:parameter\" or \"/path/...\"",
                );
                None
            }
        };
    }
    if !node.is_table() {
        node.error(
            format!("is of type {}", node.type_name()),
            "write a path such as \"/...\", or { private = true }",
        );
        return None;
    }
    let mut table = node.table()?;
    let private = table
        .require("private", "private = true")
        .and_then(|node| node.boolean());
    table.finish();
    if private == Some(false) {
        node.error(
            "must be a path or { private = true }",
            "write route = \"/...\" to make it public",
        );
    }
    (private == Some(true)).then_some(Route::Private)
}

/// Who speaks HTTP with the component: only the component itself, through `wasi:http`.
fn executor(node: &Node<'_>) {
    let Some(mut table) = node.table() else { return };
    let Some(kind) = table.require("type", "type = \"http\"") else {
        return;
    };
    match kind.string() {
        Some("http" | "spin") => table.finish(),
        Some("wagi") => {
            kind.error(
                "the wagi executor is not supported by this host",
                "export wasi:http/handler and remove `executor`",
            );
        }
        Some(other) => kind.error(format!("there is no executor `{other}`"), "remove `executor`"),
        None => {}
    }
}

/// Of two equal routes only one is ever used. Spin goes on with the later one and says so; so do we.
fn warn_of_duplicates(triggers: &[Draft<'_>]) {
    let public = |draft: &Draft<'_>| match &draft.route {
        Some((_, Route::Public(pattern))) => Some(pattern.clone()),
        _ => None,
    };
    for (index, trigger) in triggers.iter().enumerate() {
        let (Some((node, _)), Some(pattern)) = (&trigger.route, public(trigger)) else {
            continue;
        };
        let same = |other: &&Draft<'_>| public(other).is_some_and(|other| other.is_same_as(&pattern));
        if let Some(other) = triggers.iter().take(index).find(same) {
            let other = other.node.key();
            node.warning(
                format!("`{pattern}` is also the route of {other}, and only one of them is used"),
                "remove one of the two",
            );
        }
    }
}

/// The given ids, and for the others the ones that Spin generates.
fn ids(triggers: &[Draft<'_>]) -> Vec<String> {
    let mut taken: BTreeSet<String> = triggers
        .iter()
        .filter_map(|trigger| trigger.id)
        .map(str::to_owned)
        .collect();
    let mut counter = 1;
    triggers
        .iter()
        .map(|trigger| {
            if let Some(id) = trigger.id {
                return id.to_owned();
            }
            if let Some(Target::Id(_, component)) = &trigger.component {
                let natural = format!("{component}-http-trigger");
                if taken.insert(natural.clone()) {
                    return natural;
                }
            }
            loop {
                let numbered = format!("http-trigger{counter}");
                if taken.insert(numbered.clone()) {
                    return numbered;
                }
                counter += 1;
            }
        })
        .collect()
}

fn resolve<'a>(
    scope: &Scope,
    trigger: Draft<'a>,
    id: String,
    drafts: &mut Drafts<'a>,
) -> Option<HttpTrigger> {
    let component = match trigger.component? {
        Target::Id(node, component) => {
            if !drafts.contains_key(&component) {
                let ids: Vec<_> = drafts.keys().map(ComponentId::as_str).collect();
                node.error(
                    format!("there is no component `{component}`"),
                    suggest(component.as_str(), &ids),
                );
                return None;
            }
            component
        }
        Target::Inline(node) => {
            let component = inline_id(&id, drafts)?;
            let draft = component::one(scope, &component, &node);
            drafts.insert(component.clone(), draft);
            component
        }
    };
    let (_, route) = trigger.route?;
    Some(HttpTrigger { id, component, route })
}

/// The id that Spin gives to a component without one.
fn inline_id(trigger: &str, drafts: &Drafts<'_>) -> Option<ComponentId> {
    let natural = format!("{trigger}-component")
        .parse()
        .ok()
        .filter(|id| !drafts.contains_key(id));
    natural.or_else(|| {
        (1..).find_map(|n: u32| {
            format!("inline-component{n}")
                .parse()
                .ok()
                .filter(|id| !drafts.contains_key(id))
        })
    })
}
