//! Which node has which slots.

use std::sync::Arc;

use ::redis::Value;
use crc::{CRC_16_XMODEM, Crc};

use crate::redis::address::Node;
use crate::redis::link::Link;

/// How many slots a cluster has.
const SLOTS: u16 = 16384;
const CHECKSUM: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// Where a key lies ("Redis cluster specification", key distribution model).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u16);

impl Slot {
    /// The slot of a key: of what is in its first braces, if anything is.
    pub(super) fn of(key: &str) -> Self {
        let tag = key
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once('}'))
            .map(|(tag, _)| tag)
            .filter(|tag| !tag.is_empty());
        Self(CHECKSUM.checksum(tag.unwrap_or(key).as_bytes()) % SLOTS)
    }
}

/// Slots in a row that one primary has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    first: Slot,
    last: Slot,
    primary: Node,
}

/// What a node says about its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    /// In the order of their slots.
    pub(super) ranges: Vec<Range>,
    /// All nodes that have slots or a copy of them.
    pub(super) nodes: Vec<Node>,
}

impl View {
    /// Reads the answer to `CLUSTER SLOTS`; `asked` is the node that gave it.
    pub(super) fn read(answer: &Value, asked: &Node) -> Self {
        let mut view = Self::default();
        let Value::Array(rows) = answer else {
            return view;
        };
        for row in rows {
            let Value::Array(row) = row else { continue };
            let [first, last, primary, replicas @ ..] = row.as_slice() else {
                continue;
            };
            for node in replicas.iter().filter_map(|node| member(node, asked)) {
                view.add(node);
            }
            let (Some(first), Some(last)) = (slot(first), slot(last)) else {
                continue;
            };
            if let Some(primary) = member(primary, asked) {
                view.add(primary.clone());
                view.ranges.push(Range { first, last, primary });
            }
        }
        view.ranges.sort_by_key(|range| range.first);
        view.nodes
            .sort_by(|a, b| (&a.host, a.port).cmp(&(&b.host, b.port)));
        view
    }

    fn add(&mut self, node: Node) {
        if !self.nodes.contains(&node) {
            self.nodes.push(node);
        }
    }

    /// The nodes that have slots.
    pub(super) fn primaries(&self) -> Vec<Node> {
        let mut primaries: Vec<Node> = Vec::new();
        for range in &self.ranges {
            if !primaries.contains(&range.primary) {
                primaries.push(range.primary.clone());
            }
        }
        primaries
    }

    /// How many slots somebody has.
    pub(super) fn served(&self) -> u32 {
        let length = |range: &Range| u32::from(range.last.0.saturating_sub(range.first.0)) + 1;
        self.ranges.iter().map(length).sum()
    }
}

fn slot(value: &Value) -> Option<Slot> {
    match value {
        Value::Int(slot) => u16::try_from(*slot).ok().filter(|slot| *slot < SLOTS).map(Slot),
        _ => None,
    }
}

/// A node, by the address that the cluster prefers for it.
fn member(value: &Value, asked: &Node) -> Option<Node> {
    let Value::Array(parts) = value else { return None };
    let [host, Value::Int(port), ..] = parts.as_slice() else {
        return None;
    };
    let host = match host {
        Value::BulkString(host) => std::str::from_utf8(host).ok()?,
        Value::SimpleString(host) => host.as_str(),
        Value::Nil => "",
        _ => return None,
    };
    Some(Node {
        host: match host {
            // Not known to the cluster: whoever answered is to be asked where it was asked.
            "" => asked.host.clone(),
            "?" => return None,
            host => host.to_owned(),
        },
        port: u16::try_from(*port).ok()?,
    })
}

/// A view with the links to its nodes.
pub(super) struct Map {
    pub(super) view: View,
    /// In the order of the view's ranges.
    links: Vec<Arc<Link>>,
}

impl Map {
    pub(super) fn new(view: View, link: impl Fn(&Node) -> Arc<Link>) -> Self {
        let links = view.ranges.iter().map(|range| link(&range.primary)).collect();
        Self { view, links }
    }

    /// Who has a slot.
    pub(super) fn owner(&self, slot: Slot) -> Option<(&Node, &Arc<Link>)> {
        let after = self.view.ranges.partition_point(|range| range.first <= slot);
        let at = after.checked_sub(1)?;
        let range = self.view.ranges.get(at).filter(|range| slot <= range.last)?;
        Some((&range.primary, self.links.get(at)?))
    }

    /// The links to all primaries.
    pub(super) fn links(&self) -> impl Iterator<Item = &Arc<Link>> {
        let earlier = |at: usize| self.links.get(..at).unwrap_or_default();
        self.links
            .iter()
            .enumerate()
            .filter(move |(at, link)| !earlier(*at).iter().any(|other| Arc::ptr_eq(link, other)))
            .map(|(_, link)| link)
    }

    /// Whether every slot is somebody's.
    pub(super) fn is_complete(&self) -> bool {
        self.view.served() == u32::from(SLOTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lies_where_the_cluster_specification_puts_it() {
        // From the specification: CRC16("123456789") is 0x31C3.
        assert_eq!(Slot::of("123456789"), Slot(0x31C3));
        // As CLUSTER KEYSLOT answers.
        assert_eq!(Slot::of("foo"), Slot(12182));
        assert_eq!(Slot::of("anyturn:{foo}:j:turns"), Slot(12182));
        assert_eq!(Slot::of("{foo}{bar}"), Slot(12182));
        assert_eq!(Slot::of("foo{}{bar}"), Slot::of("foo{}{bar}"));
        assert_ne!(Slot::of("foo{}{bar}"), Slot::of("bar"));
    }

    fn node(host: &str, port: u16) -> Node {
        Node {
            host: host.to_owned(),
            port,
        }
    }

    fn entry(host: Value, port: i64) -> Value {
        Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".to_vec())])
    }

    fn named(host: &str) -> Value {
        Value::BulkString(host.as_bytes().to_vec())
    }

    #[test]
    fn nodes_are_reached_where_the_cluster_says_or_where_it_was_asked() {
        let row = |first, last, nodes: Vec<Value>| {
            Value::Array([vec![Value::Int(first), Value::Int(last)], nodes].concat())
        };
        let answer = Value::Array(vec![
            row(
                8192,
                16383,
                vec![entry(Value::Nil, 7001), entry(named("?"), 7009)],
            ),
            row(
                0,
                8191,
                vec![entry(named("a.example"), 7000), entry(named(""), 7002)],
            ),
        ]);
        let view = View::read(&answer, &node("seed.example", 6379));
        assert_eq!(
            view.primaries(),
            [node("a.example", 7000), node("seed.example", 7001)]
        );
        assert_eq!(
            view.nodes,
            [
                node("a.example", 7000),
                node("seed.example", 7001),
                node("seed.example", 7002)
            ]
        );
        assert_eq!(view.served(), 16384);
        assert_eq!(View::read(&Value::Okay, &node("a", 1)), View::default());
    }
}
