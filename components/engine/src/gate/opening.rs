//! What becomes a gate, and how it is put to people.

use super::{GateKind, Risk, Stakes, canonical};
use crate::assistant::Rule;
use crate::journal::{GateOpened, ToolIntended};
use crate::port::{Effect, EffectClass};
use serde_json::Value;

/// The largest arguments that somebody can decide on, in bytes of JSON: they are kept in several places.
pub(crate) const LARGEST: usize = 64 << 10;

/// The most characters of arguments in a question.
const LONGEST: usize = 300;

/// A call that somebody is to decide on.
pub(crate) struct Opening<'a> {
    /// The call as it would be made.
    pub intended: &'a ToolIntended,
    /// The tool's name, as the model knows it.
    pub name: &'a str,
    /// What the tool says of itself.
    pub effect: Effect,
    /// Whether the tool promises that it can be undone.
    pub reversible: bool,
    /// What it says of how much is at stake.
    pub stakes: Stakes,
    /// Who decides.
    pub rule: Rule,
    /// The gate's id.
    pub gate: String,
    /// When it counts as denied, in milliseconds since the epoch.
    pub expires: u64,
}

impl Opening<'_> {
    /// The record of the gate; none if the call runs by itself.
    pub(crate) fn open(self) -> Option<GateOpened> {
        let Opening {
            intended,
            name,
            effect,
            reversible,
            stakes,
            rule,
            gate,
            expires,
        } = self;
        let (kind, role, allow_always) = match rule {
            Rule::Run => return None,
            Rule::Confirm { allow_always } => (GateKind::Confirm, None, allow_always),
            Rule::Approve { role } => (GateKind::Approve, Some(role), false),
        };
        Some(GateOpened {
            gate,
            call: intended.call.clone(),
            name: name.to_owned(),
            server: intended.server.clone(),
            tool: intended.tool.clone(),
            title: intended.title.clone(),
            arguments: intended.arguments.clone(),
            hash: canonical::hash(&intended.arguments),
            class: intended.class,
            risk: risk(effect),
            level: stakes.level,
            counted: stakes.counted,
            reversible,
            kind,
            role,
            allow_always,
            expires,
        })
    }
}

fn risk(effect: Effect) -> Risk {
    match (effect.class, effect.destructive) {
        (EffectClass::Read, _) => Risk::Reads,
        (_, true) => Risk::Destroys,
        (_, false) => Risk::Changes,
    }
}

/// What is to be decided, in words: “Delete a task (task: “buy milk”)? This cannot be undone.”
/// Of the things that are `counted`, their number is told.
pub(crate) fn question(
    title: &str,
    arguments: &Value,
    counted: Option<(&str, u64)>,
    risk: Risk,
    reversible: bool,
) -> String {
    let mut with = match arguments {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match counted {
                Some((counted, count)) if counted == key => format!("{key}: {count}"),
                _ => format!("{key}: {}", in_words(value)),
            })
            .collect::<Vec<_>>()
            .join(", "),
        other => in_words(other),
    };
    if let Some((end, _)) = with.char_indices().nth(LONGEST) {
        with.truncate(end);
        with.push('…');
    }
    let with = if with.is_empty() {
        with
    } else {
        format!(" ({with})")
    };
    let after = match (risk, reversible) {
        (Risk::Reads, _) => "",
        (_, true) => " This can be undone.",
        (_, false) => " This cannot be undone.",
    };
    format!("{title}{with}?{after}")
}

fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => format!("“{text}”"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_question_says_what_would_happen_and_whether_it_can_be_undone() {
        let delete = |arguments| question("Delete a task", &arguments, None, Risk::Destroys, false);
        assert_eq!(
            delete(json!({"task": "buy milk", "all": true})),
            "Delete a task (all: true, task: “buy milk”)? This cannot be undone."
        );
        assert_eq!(delete(json!({})), "Delete a task? This cannot be undone.");
        assert_eq!(
            question("Edit", &json!({"n": 1}), None, Risk::Changes, true),
            "Edit (n: 1)? This can be undone."
        );
        assert_eq!(question("Look", &json!({}), None, Risk::Reads, false), "Look?");
        let many = json!({"ids": ["a", "b"], "label": "old"});
        assert_eq!(
            question("Label", &many, Some(("ids", 2)), Risk::Changes, true),
            "Label (ids: 2, label: “old”)? This can be undone."
        );
        let long = delete(json!({"task": "ü".repeat(1000)}));
        assert!(long.chars().count() < 400 && long.ends_with("…)? This cannot be undone."));
    }
}
