//! A conversation's journal as it stands in Redis, read past anyturn, and what every journal must hold
//! whatever happened to the instances that wrote it.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// The conversations of a user whose name has no escapes.
pub async fn sessions(redis: &str, user: &str) -> Vec<String> {
    let prefix = format!("anyturn:{{chat/conversation/{user}/");
    let mut connection = connect(redis).await;
    // A store of a test's own is small.
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg(format!("{prefix}*}}:j:turns"))
        .query_async(&mut connection)
        .await
        .unwrap_or_else(|error| panic!("the keys can be listed: {error}"));
    keys.iter()
        .filter_map(|key| key.strip_prefix(&prefix)?.split_once('}'))
        .map(|(session, _)| session.to_owned())
        .collect()
}

async fn connect(redis: &str) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(redis).unwrap_or_else(|error| panic!("{redis} is an address: {error}"));
    client
        .get_multiplexed_async_connection()
        .await
        .unwrap_or_else(|error| panic!("redis answers at {redis}: {error}"))
}

/// The key of the journal of a conversation whose user and session have names without escapes.
pub fn key(user: &str, session: &str) -> String {
    format!("anyturn:{{chat/conversation/{user}/{session}}}:j:turns")
}

/// Reads the journal of a conversation whose user and session have names without escapes. In a cluster, any node
/// will do: it says who has the journal.
pub async fn read(redis: &str, user: &str, session: &str) -> Vec<Value> {
    let key = key(user, session);
    let mut redis = redis.to_owned();
    let entries: Vec<(String, HashMap<String, String>)> = loop {
        let mut connection = connect(&redis).await;
        let mut range = redis::cmd("XRANGE");
        match range
            .arg(&key)
            .arg("-")
            .arg("+")
            .query_async(&mut connection)
            .await
        {
            Ok(entries) => break entries,
            Err(error) => match error.redirect_node() {
                Some((node, _)) => redis = format!("redis://{node}"),
                None => panic!("{key} can be read: {error}"),
            },
        }
    };
    entries
        .iter()
        .map(|(_, fields)| {
            let entry = fields.get("e").map_or("", String::as_str);
            serde_json::from_str(entry).unwrap_or_else(|error| panic!("{entry:?} is JSON: {error}"))
        })
        .collect()
}

/// The kind of an entry, such as `turn-started`.
pub fn kind(entry: &Value) -> &str {
    entry["what"]
        .as_object()
        .and_then(|what| what.keys().next())
        .map_or("", String::as_str)
}

/// What an entry says.
fn content(entry: &Value) -> &Value {
    entry["what"]
        .as_object()
        .and_then(|what| what.values().next())
        .unwrap_or(&Value::Null)
}

/// Whether an entry is the last one of its turn, or the last one for now.
fn ends(kind: &str) -> bool {
    matches!(
        kind,
        "turn-finished" | "turn-failed" | "turn-stopped" | "turn-refused" | "turn-abandoned"
    )
}

/// A turn's entries in a line each: when, what, and by whom it was taken over.
pub fn summary(entries: &[Value], turn: &Value) -> String {
    let own = entries.iter().filter(|entry| entry["turn"] == *turn);
    own.map(|entry| {
        let holder = content(entry)["holder"].as_str().unwrap_or_default();
        format!("    {} {} {holder}\n", entry["at"], kind(entry))
    })
    .collect()
}

/// When a turn was first gone on with by another instance: milliseconds since the Unix epoch.
pub fn first_resumed(entries: &[Value], turn: &str) -> Option<u64> {
    entries
        .iter()
        .find(|entry| entry["turn"] == turn && kind(entry) == "turn-resumed")
        .and_then(|entry| entry["at"].as_u64())
}

/// Says what is wrong with a journal:
/// - turns do not run into one another;
/// - each begins once, and ends at most once unless it was gone on with after its end;
/// - a step has one outcome, and a call has one intention, before its outcome;
/// - the model is asked again only when every call that it wanted has an outcome.
pub fn well_formed(entries: &[Value]) -> Result<(), String> {
    let mut begun = HashSet::new();
    let mut ended = HashSet::new();
    let mut running: Option<&str> = None;
    let mut steps = HashSet::new();
    let mut intended = HashSet::new();
    let mut open: Vec<&str> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let turn = entry["turn"].as_str().unwrap_or_default();
        let content = content(entry);
        let wrong = |problem: &str| Err(format!("entry {at} ({entry}): {problem}"));
        match kind(entry) {
            "turn-started" => {
                if !begun.insert(turn) {
                    return wrong("the turn has begun before");
                }
                running = Some(turn);
                open.clear();
            }
            "turn-resumed" => {
                if !begun.contains(turn) {
                    return wrong("the turn never began");
                }
                ended.remove(turn);
                running = Some(turn);
            }
            // Says of a turn that was left behind that it was.
            "turn-abandoned" if running != Some(turn) => {}
            kind if running != Some(turn) => return wrong(&format!("a {kind} of a turn that does not run")),
            "model-called" => {
                if let Some(call) = open.first() {
                    return wrong(&format!("the model is asked before {call} has an outcome"));
                }
                if !steps.insert((turn, content["step"].as_str())) {
                    return wrong("the step has an outcome already");
                }
                let calls = content["calls"].as_array();
                open = calls
                    .into_iter()
                    .flatten()
                    .filter_map(|call| call["id"].as_str())
                    .collect();
            }
            "tool-intended" if !intended.insert(content["call"].as_str()) => {
                return wrong("the call was intended already");
            }
            "tool-finished" => {
                if !steps.insert((turn, content["step"].as_str())) {
                    return wrong("the step has an outcome already");
                }
                let answered = content["outcome"].get("answered").is_some();
                if answered && !intended.contains(&content["call"].as_str()) {
                    return wrong("the call was never intended");
                }
                open.retain(|call| content["call"] != *call);
            }
            kind if ends(kind) => {
                if !ended.insert(turn) {
                    return wrong("the turn has ended before");
                }
                running = None;
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entries(list: &[(&str, &str, Value)]) -> Vec<Value> {
        list.iter()
            .map(|(turn, kind, what)| json!({ "v": 1, "at": 7, "turn": turn, "what": { *kind: what } }))
            .collect()
    }

    fn called(step: &str, calls: &[&str]) -> Value {
        let calls: Vec<Value> = calls.iter().map(|id| json!({ "id": id })).collect();
        json!({ "step": step, "calls": calls })
    }

    fn good() -> Vec<(&'static str, &'static str, Value)> {
        let finished = json!({ "step": "tool/0/0", "call": "c", "outcome": { "answered": {} } });
        vec![
            ("a", "turn-started", json!({})),
            ("a", "model-called", called("model/0", &["c"])),
            ("a", "tool-intended", json!({ "call": "c" })),
            ("a", "turn-resumed", json!({})),
            ("a", "tool-finished", finished),
            ("a", "model-called", called("model/1", &[])),
            ("a", "turn-finished", json!({})),
            ("b", "turn-started", json!({})),
        ]
    }

    #[test]
    fn a_turn_that_was_taken_over_is_well_formed() {
        assert_eq!(well_formed(&entries(&good())), Ok(()));
    }

    #[test]
    fn every_repetition_is_seen() {
        for repeated in [0, 1, 2, 4, 6] {
            let mut list = good();
            list.insert(repeated + 1, list[repeated].clone());
            assert!(
                well_formed(&entries(&list)).is_err(),
                "entry {repeated} stands twice"
            );
        }
    }

    #[test]
    fn every_gap_is_seen() {
        for missing in [0, 2, 4] {
            let mut list = good();
            list.remove(missing);
            assert!(
                well_formed(&entries(&list)).is_err(),
                "entry {missing} is missing"
            );
        }
    }

    #[test]
    fn turns_that_run_into_one_another_are_seen() {
        let mut list = good();
        list.swap(6, 7);
        assert!(well_formed(&entries(&list)).is_err());
    }
}
