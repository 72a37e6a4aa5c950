//! What holds in a conversation beyond single turns: what its user has allowed, and what can be undone.

use super::{Domains, Progress};
use crate::journal::{CallOutcome, ToolFinished};
use crate::port::{EffectClass, Inverse};
use serde::{Deserialize, Serialize};

/// The most actions that are remembered.
const MOST: usize = 32;

/// A call that can be undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Action {
    /// The call's id.
    pub call: String,
    /// Its tool's name for people.
    pub title: String,
    /// The server that offers its inverses.
    pub server: String,
    /// Until when, in milliseconds since the epoch.
    pub until: u64,
    /// The calls that undo it.
    pub inverses: Vec<Inverse>,
    /// Those of them, by number, that are not to be made (again): they were made, or may have been.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<u32>,
    /// Those of the latter that may have been made, and must not be made again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<u32>,
    /// The turn that undoes it, or did last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Action {
    /// Whether nothing is left to be undone.
    pub(crate) fn is_settled(&self) -> bool {
        (0u32..)
            .take(self.inverses.len())
            .all(|number| self.settled.contains(&number))
    }
}

/// The id of the call that is the inverse, with this number, of a call.
pub(crate) fn inverse_call(call: &str, number: u32) -> String {
    format!("{call}/undo/{number}")
}

/// The call and the number of the inverse that has this id.
fn inverse_of(inverse: &str) -> Option<(&str, u32)> {
    let (call, number) = inverse.rsplit_once("/undo/")?;
    Some((call, number.parse().ok()?))
}

/// What holds in a conversation beyond single turns.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Standing {
    /// Tools, by server and name, that the user has allowed for the rest of the conversation.
    pub(super) allowed: Vec<(String, String)>,
    /// The latest actions that can be undone, oldest first.
    pub(super) actions: Vec<Action>,
    /// What an assistant of several agents knows.
    pub(crate) domains: Domains,
}

impl Standing {
    /// The user allows a tool for the rest of the conversation.
    pub(super) fn allow(&mut self, server: &str, tool: &str) {
        if !self.allows(server, tool) {
            self.allowed.push((server.to_owned(), tool.to_owned()));
        }
    }

    /// Whether the user has allowed a tool for the rest of the conversation.
    pub(crate) fn allows(&self, server: &str, tool: &str) -> bool {
        self.allowed
            .iter()
            .any(|(known, name)| known == server && name == tool)
    }

    /// Takes in what came of a call of `turn`.
    pub(super) fn finish(&mut self, turn: &Progress, finished: &ToolFinished) {
        self.domains.finish(turn, finished);
        if let Some((call, number)) = inverse_of(&finished.call) {
            // What may have been made is made again only where the same key takes effect once.
            let class = turn.intended(&finished.call).map(|intended| intended.class);
            let again = matches!(class, Some(EffectClass::Read | EffectClass::Idempotent));
            let (settled, unknown) = match &finished.outcome {
                CallOutcome::Answered(outcome) => (!outcome.is_error, false),
                CallOutcome::NotRun(_) => (false, false),
                CallOutcome::Unknown(_) => (!again, !again),
            };
            if let Some(action) = self.actions.iter_mut().find(|action| action.call == call)
                && settled
                && !action.settled.contains(&number)
            {
                action.settled.push(number);
                action.unknown.extend(unknown.then_some(number));
            }
            return;
        }
        let (CallOutcome::Answered(outcome), Some(until)) = (&finished.outcome, finished.undo_until) else {
            return;
        };
        let Some(intended) = turn.intended(&finished.call) else {
            return;
        };
        self.actions.push(Action {
            call: finished.call.clone(),
            title: intended.title.clone(),
            server: intended.server.clone(),
            until,
            inverses: outcome.inverses.clone(),
            settled: Vec::new(),
            unknown: Vec::new(),
            by: None,
        });
        let surplus = self.actions.len().saturating_sub(MOST);
        self.actions.drain(..surplus);
    }

    /// A turn undoes calls.
    pub(super) fn undo<'c>(&mut self, turn: &str, calls: impl IntoIterator<Item = &'c str>) {
        for call in calls {
            if let Some(action) = self.actions.iter_mut().find(|action| action.call == call) {
                action.by = Some(turn.to_owned());
            }
        }
    }

    /// Forgets what could not be undone any more at `now`.
    pub(super) fn forget(&mut self, now: u64) {
        self.actions.retain(|action| action.until >= now);
    }

    /// The action of a call; the last one for none.
    pub(crate) fn find(&self, call: Option<&str>) -> Option<&Action> {
        match call {
            Some(call) => self.actions.iter().find(|action| action.call == call),
            None => self.actions.last(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverse_call_is_known_by_its_id() {
        assert_eq!(inverse_of(&inverse_call("call_1", 12)), Some(("call_1", 12)));
        assert_eq!(inverse_of("call_1"), None);
    }
}
