//! `[[trigger.…]]`: what calls which component.

mod http;
mod redis;

use std::collections::{BTreeMap, BTreeSet};

use crate::application::Component;
use crate::names::ComponentId;
use crate::reader::{Node, Table, suggest};
use crate::template::Template;
use crate::trigger::{Answer, HttpTrigger, Middleware, RedisTrigger};

use super::component::{self, Drafts};
use super::{Scope, dependency};

/// What a trigger's table says, before generated ids are known.
struct Draft<'a, K> {
    node: Node<'a>,
    id: Option<&'a str>,
    component: Option<Target<'a>>,
    /// What is particular to its kind.
    kind: K,
}

enum Target<'a> {
    Id(Node<'a>, ComponentId),
    Inline(Node<'a>),
}

/// All triggers, before middleware is part of components.
#[derive(Default)]
pub(super) struct Triggers {
    pub(super) http: Vec<ReadHttp>,
    pub(super) redis: Vec<RedisTrigger>,
}

pub(super) struct ReadHttp {
    pub(super) trigger: HttpTrigger,
    middleware: Vec<Middleware>,
}

/// Reads all triggers; components that are written out in them join `drafts`. `address` is that of Redis triggers which
/// have none of their own.
pub(super) fn all<'a>(
    scope: &Scope,
    node: &Node<'a>,
    address: Option<&Template>,
    drafts: &mut Drafts<'a>,
) -> Triggers {
    let (mut http, mut redis) = (Vec::new(), Vec::new());
    for (kind, node) in node.entries().unwrap_or_default() {
        let tables = || {
            if node.is_table() {
                let key = node.key();
                node.error(
                    "is a single table",
                    format!("write [[{key}]] with double brackets"),
                );
                return Vec::new();
            }
            node.array().unwrap_or_default()
        };
        match kind {
            "http" => http.extend(tables().iter().filter_map(http::one)),
            "redis" => redis.extend(
                tables()
                    .iter()
                    .filter_map(|node| redis::one(scope, node, address)),
            ),
            _ => node.error(
                format!("triggers of type `{kind}` are not supported by this host"),
                "[[trigger.http]] and [[trigger.redis]] are; schedules and queues are the host's own",
            ),
        }
    }
    http::warn_of_duplicates(&http);
    let mut taken = http.iter().filter_map(|trigger| trigger.id);
    let taken = taken
        .by_ref()
        .chain(redis.iter().filter_map(|trigger| trigger.id));
    let mut taken: BTreeSet<String> = taken.map(str::to_owned).collect();
    let http_ids = ids("http", &http, &mut taken);
    let redis_ids = ids("redis", &redis, &mut taken);
    Triggers {
        http: http
            .into_iter()
            .zip(http_ids)
            .filter_map(|(draft, id)| resolve_http(scope, draft, id, drafts))
            .collect(),
        redis: redis
            .into_iter()
            .zip(redis_ids)
            .filter_map(|(draft, id)| resolve_redis(scope, draft, id, drafts))
            .collect(),
    }
}

/// The `id` that a trigger may have.
fn id<'a>(table: &mut Table<'a>) -> Option<&'a str> {
    let id = table.take("id").and_then(|node| node.string());
    id.filter(|id| !id.is_empty())
}

/// `components`: more components for one trigger, which no trigger that we have makes use of.
fn refuse_more_components(table: &mut Table<'_>) {
    if let Some(node) = table.take("components").filter(|node| !node.is_empty()) {
        node.error(
            "additional components of a trigger are not supported by this host",
            "name one with component = \"id\"",
        );
    }
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

/// The given ids, and for the others the ones that Spin generates.
fn ids<K>(kind: &str, triggers: &[Draft<'_, K>], taken: &mut BTreeSet<String>) -> Vec<String> {
    let mut counter = 1;
    triggers
        .iter()
        .map(|trigger| {
            if let Some(id) = trigger.id {
                return id.to_owned();
            }
            if let Some(Target::Id(_, component)) = &trigger.component {
                let natural = format!("{component}-{kind}-trigger");
                if taken.insert(natural.clone()) {
                    return natural;
                }
            }
            loop {
                let numbered = format!("{kind}-trigger{counter}");
                if taken.insert(numbered.clone()) {
                    return numbered;
                }
                counter += 1;
            }
        })
        .collect()
}

fn resolve_http<'a>(
    scope: &Scope,
    draft: Draft<'a, http::Http<'a>>,
    id: String,
    drafts: &mut Drafts<'a>,
) -> Option<ReadHttp> {
    let answer = match (draft.component, draft.kind.fixed) {
        (Some(target), _) => Answer::Component(resolve(scope, target, &id, drafts)?),
        (None, fixed) => Answer::Static(fixed?),
    };
    let middleware = draft.kind.middleware;
    let middleware = middleware.map(|node| dependency::middleware(scope, &id, &node, drafts));
    let (_, route) = draft.kind.route?;
    Some(ReadHttp {
        trigger: HttpTrigger { id, answer, route },
        middleware: middleware.unwrap_or_default(),
    })
}

fn resolve_redis<'a>(
    scope: &Scope,
    draft: Draft<'a, Option<redis::Channel>>,
    id: String,
    drafts: &mut Drafts<'a>,
) -> Option<RedisTrigger> {
    let component = resolve(scope, draft.component?, &id, drafts)?;
    let redis::Channel { address, channel } = draft.kind?;
    Some(RedisTrigger {
        id,
        component,
        place: draft.node.place(),
        key: draft.node.key().to_owned(),
        address,
        channel,
    })
}

/// The component that a trigger of this id names or writes out.
fn resolve<'a>(
    scope: &Scope,
    target: Target<'a>,
    trigger: &str,
    drafts: &mut Drafts<'a>,
) -> Option<ComponentId> {
    match target {
        Target::Id(node, component) => {
            if drafts.contains_key(&component) {
                return Some(component);
            }
            let ids: Vec<_> = drafts.keys().map(ComponentId::as_str).collect();
            node.error(
                format!("there is no component `{component}`"),
                suggest(component.as_str(), &ids),
            );
            None
        }
        Target::Inline(node) => {
            let component = inline_id(trigger, drafts)?;
            let draft = component::one(scope, &component, &node);
            drafts.insert(component.clone(), draft);
            Some(component)
        }
    }
}

impl Triggers {
    /// Makes middleware part of the components that it stands before. A component that several triggers lead to becomes
    /// one of its own for each that has middleware, named as Spin names it.
    pub(super) fn place_middleware(&mut self, components: &mut BTreeMap<ComponentId, Component>) {
        let mut leading: BTreeMap<ComponentId, usize> = BTreeMap::new();
        let http = self.http.iter().filter_map(|read| read.trigger.component());
        for id in http.chain(self.redis.iter().map(|trigger| &trigger.component)) {
            *leading.entry(id.clone()).or_default() += 1;
        }
        for ReadHttp { trigger, middleware } in &mut self.http {
            let Answer::Component(id) = &mut trigger.answer else {
                continue;
            };
            if middleware.is_empty() {
                continue;
            }
            if leading.get(id).is_some_and(|triggers| *triggers > 1)
                && let Some(component) = components.get(id)
            {
                let own = id.for_trigger(&trigger.id);
                let component = Component {
                    id: own.clone(),
                    ..component.clone()
                };
                components.insert(own.clone(), component);
                *id = own;
            }
            if let Some(component) = components.get_mut(id) {
                component.middleware = std::mem::take(middleware);
            }
        }
    }
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
