//! `[component.<id>.tool]`: settings that Spin leaves to others, and among them our host's.

use std::time::Duration;

use crate::application::{Tick, WebSocket};
use crate::reader::Node;

/// The settings of tools and plug-ins, which Spin ignores. Those of `anyturn` are our host's; of the others only
/// the shape is checked.
pub(super) fn ours(node: &Node<'_>) -> (Option<Tick>, Option<WebSocket>) {
    let (mut tick, mut websocket) = (None, None);
    for (tool, settings) in node.entries().unwrap_or_default() {
        let Some(mut table) = settings.table() else {
            continue;
        };
        if tool == "anyturn" {
            tick = table.take("tick").and_then(|node| read_tick(&node));
            websocket = table.take("websocket").and_then(|node| read_websocket(&node));
            table.finish();
        }
    }
    (tick, websocket)
}

fn read_websocket(node: &Node<'_>) -> Option<WebSocket> {
    let mut table = node.table()?;
    let path = table.require("path", "path = \"/ws\"");
    let api = table.require("api", "api = \"/api/chat\"");
    table.finish();
    let path = path.and_then(|node| read_path(&node, "/ws"));
    let api = api.and_then(|node| read_path(&node, "/api/chat"));
    let plain = |path: String| path.trim_end_matches('/').to_owned();
    Some(WebSocket {
        path: plain(path?),
        api: plain(api?),
    })
}

fn read_path(node: &Node<'_>, example: &str) -> Option<String> {
    let path = node.string()?;
    if path.starts_with('/') {
        return Some(path.to_owned());
    }
    node.error(
        "is no path",
        format!("write one that begins with `/`, such as \"{example}\""),
    );
    None
}

fn read_tick(node: &Node<'_>) -> Option<Tick> {
    let mut table = node.table()?;
    let path = table.require("path", "path = \"/internal/tick\"");
    let every = table.require("every", "every = \"1s\"");
    table.finish();
    let path = path.and_then(|node| read_path(&node, "/internal/tick"));
    let every = every.and_then(|node| {
        let every = interval(node.string()?);
        if every.is_none() {
            node.error(
                "is no length of time",
                "write whole milliseconds, seconds or minutes, at least 100ms: \"500ms\", \"1s\", \"5m\"",
            );
        }
        every
    });
    Some(Tick {
        path: path?,
        every: every?,
    })
}

/// A length of time of at least a tenth of a second.
fn interval(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return None,
    };
    let milliseconds = number.parse::<u64>().ok()?.checked_mul(factor)?;
    (milliseconds >= 100).then(|| Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_made_at_the_path_as_it_is_written() {
        for path in ["/internal/tick/", "/"] {
            let manifest = format!(
                "spin_manifest_version = 2\n\
                 [application]\n\
                 name = \"demo\"\n\
                 [[trigger.http]]\n\
                 route = \"/...\"\n\
                 component = \"one\"\n\
                 [component.one]\n\
                 source = \"one.wasm\"\n\
                 [component.one.tool.anyturn]\n\
                 tick = {{ path = \"{path}\", every = \"1s\" }}\n"
            );
            let (application, _) = crate::parse("spin.toml".as_ref(), &manifest).unwrap();
            let tick = application.component("one").unwrap().tick().unwrap();
            assert_eq!(tick.path, path);
        }
    }

    #[test]
    fn a_length_of_time_has_a_number_and_a_unit() {
        assert_eq!(interval("1s"), Some(Duration::from_secs(1)));
        assert_eq!(interval("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(interval("5m"), Some(Duration::from_secs(300)));
        for wrong in ["", "s", "1", "1h", "-1s", "1.5s", "99ms", "99999999999999999999s"] {
            assert_eq!(interval(wrong), None, "{wrong}");
        }
    }
}
