//! `[[trigger.redis]]`: which component handles the messages of which channel.

use crate::reader::Node;
use crate::template::Template;

use super::super::Scope;
use super::{Draft, target};

/// What is particular to a Redis trigger.
pub(super) struct Channel {
    pub(super) address: Template,
    pub(super) channel: Template,
}

pub(super) fn one<'a>(
    scope: &Scope,
    node: &Node<'a>,
    default: Option<&Template>,
) -> Option<Draft<'a, Option<Channel>>> {
    let mut table = node.table()?;
    let id = super::id(&mut table);
    let component = table.require("component", "component = \"id\"");
    let channel = table.require("channel", "channel = \"messages\"");
    let channel = channel.and_then(|node| scope.template(&node, node.string()?));
    let address = match table.take("address") {
        Some(node) => node.string().and_then(|text| scope.template(&node, text)),
        None => {
            if default.is_none() {
                table.error(
                    "no server is named",
                    "add address = \"redis://localhost:6379\", here or to [application.trigger.redis]",
                );
            }
            default.cloned()
        }
    };
    if let Some(node) = table.take("dependencies").filter(|node| !node.is_empty()) {
        node.error("only http triggers have middleware", "remove it");
    }
    super::refuse_more_components(&mut table);
    table.finish();
    let channel = match (address, channel) {
        (Some(address), Some(channel)) => Some(Channel { address, channel }),
        _ => None,
    };
    Some(Draft {
        node: node.clone(),
        id,
        component: component.and_then(target),
        kind: channel,
    })
}
