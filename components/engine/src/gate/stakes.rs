//! How much is at stake in a call, by its exact arguments: how risky it is, and how many things it affects.
//!
//! A tool says which of its arguments lists the things that a call affects, and above how many of them somebody is to
//! be asked. What is counted is what would run: nobody estimates it, and the model cannot state it.

use super::Risk;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How much harm a call could do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskLevel {
    /// Little, and easily put right.
    Low,
    /// Some.
    Medium,
    /// Much, or what cannot be put right.
    #[default]
    High,
}

impl From<Risk> for RiskLevel {
    /// Where the tool does not say.
    fn from(risk: Risk) -> RiskLevel {
        match risk {
            Risk::Reads => RiskLevel::Low,
            Risk::Changes => RiskLevel::Medium,
            Risk::Destroys => RiskLevel::High,
        }
    }
}

/// What a tool says of the calls that are made of it. Believed of components of this application only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stakes {
    /// How risky they are; if it does not say, its effect tells.
    pub level: Option<RiskLevel>,
    /// The argument whose elements are the things that a call affects.
    pub counted: Option<String>,
    /// Calls that affect more things than this are confirmed, as are those that do not say how many, and no others:
    /// this takes the place of whether the tool may destroy something.
    pub confirm_above: Option<u64>,
}

impl Stakes {
    /// Whether a call is confirmed, if that is up to its tool; `destroys` is what the tool says of itself.
    pub(crate) fn confirms(&self, arguments: &Value, destroys: bool) -> bool {
        let Some(most) = self.confirm_above else {
            return destroys;
        };
        let affected = self
            .counted
            .as_deref()
            .and_then(|counted| count(counted, arguments));
        affected.is_none_or(|affected| affected > most)
    }
}

/// How many things a call affects; none if it does not say.
pub(crate) fn count(counted: &str, arguments: &Value) -> Option<u64> {
    let things = arguments.get(counted)?.as_array()?;
    u64::try_from(things.len()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_call_would_affect_decides_whether_it_is_confirmed() {
        let bulk = Stakes {
            counted: Some("ids".into()),
            confirm_above: Some(1),
            ..Stakes::default()
        };
        for destroys in [false, true] {
            assert!(!bulk.confirms(&json!({"ids": []}), destroys));
            assert!(!bulk.confirms(&json!({"ids": ["a"]}), destroys));
            assert!(bulk.confirms(&json!({"ids": ["a", "b"]}), destroys));
            // Who does not say how many may mean all.
            assert!(bulk.confirms(&json!({}), destroys));
            assert!(bulk.confirms(&json!({"ids": "*"}), destroys));
        }
    }

    #[test]
    fn a_tool_that_counts_nothing_and_sets_a_number_is_always_confirmed() {
        let always = Stakes {
            confirm_above: Some(0),
            ..Stakes::default()
        };
        assert!(always.confirms(&json!({"to": ["ann@example.com"]}), false));
    }

    #[test]
    fn without_a_number_it_is_what_the_tool_may_destroy() {
        let counted = Stakes {
            counted: Some("ids".into()),
            ..Stakes::default()
        };
        assert!(!counted.confirms(&json!({"ids": ["a", "b"]}), false));
        assert!(counted.confirms(&json!({"ids": []}), true));
    }
}
