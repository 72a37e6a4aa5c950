//! The gates of a turn, as far as they are decided.

use super::{End, Progress};
use crate::gate::{Decided, Gate, GateState, count, question};
use crate::journal::{FailureKind, GateDecided, GateOpened, Record, Ruling};
use crate::scope;
use crate::time::Timestamp;
use anyturn_state::{ExpectedVersion, Write};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A call that waits, or waited, for a decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gated {
    /// When it was opened.
    pub at: u64,
    /// What was opened.
    pub opened: GateOpened,
    /// What was decided, and when; none while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<(u64, GateDecided)>,
}

impl Gated {
    /// Whether it waits for a decision.
    pub(crate) fn is_open(&self) -> bool {
        self.decided.is_none()
    }

    /// Whether it waits for a decision, and nobody can take it any more.
    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.is_open() && now > self.opened.expires
    }

    /// How long, from `now` on, it keeps a conversation that is kept for `own` without it, in milliseconds.
    pub(crate) fn keeps(&self, now: u64, own: u64) -> u64 {
        self.opened.expires.saturating_sub(now).saturating_add(own)
    }

    /// The arguments that the call has, or would have.
    pub(crate) fn arguments(&self) -> &Value {
        let edited = self
            .decided
            .as_ref()
            .and_then(|(_, decided)| decided.arguments.as_ref());
        edited.unwrap_or(&self.opened.arguments)
    }

    /// Their hash: what was decided on.
    pub(crate) fn hash(&self) -> &str {
        let decided = self.decided.as_ref().map(|(_, decided)| decided.hash.as_str());
        decided.unwrap_or(&self.opened.hash)
    }

    /// The arguments that somebody put in the place of those which the model wanted.
    pub(crate) fn edited(&self) -> Option<&Value> {
        self.decided
            .as_ref()
            .and_then(|(_, decided)| decided.arguments.as_ref())
    }

    /// What the model is told of a call that does not run; none if it may.
    pub(crate) fn denial(&self) -> Option<String> {
        let Some((_, decided)) = &self.decided else {
            return Some("This call has not been made: it waits for a decision.".to_owned());
        };
        let who = match (&decided.by, &self.opened.role) {
            (Some(by), Some(role)) => format!("{by} ({role})"),
            (Some(_), None) => "the user".to_owned(),
            (None, _) => "nobody".to_owned(),
        };
        match decided.verdict {
            Ruling::Approved => None,
            Ruling::Denied => Some(match &decided.comment {
                Some(comment) => format!("This call was not made: {who} denied it, saying “{comment}”."),
                None => format!("This call was not made: {who} denied it."),
            }),
            Ruling::Expired => Some("This call was not made: nobody allowed it in time.".to_owned()),
            Ruling::Dropped => {
                Some("This call was not made: the conversation went on without it.".to_owned())
            }
        }
    }

    /// The gate as people see it.
    pub(crate) fn report(&self, turn: &str) -> Gate {
        let GateOpened {
            gate,
            call,
            name,
            server,
            tool: _,
            title,
            arguments: _,
            hash: _,
            class: _,
            risk,
            level,
            counted,
            reversible,
            kind,
            role,
            allow_always,
            expires,
        } = &self.opened;
        // Of what would run: arguments may have been edited.
        let counted = counted.as_deref();
        let counted = counted.and_then(|counted| Some((counted, count(counted, self.arguments())?)));
        Gate {
            id: gate.clone(),
            turn: turn.to_owned(),
            call: call.clone(),
            tool: name.clone(),
            title: title.clone(),
            server: server.clone(),
            arguments: self.arguments().clone(),
            hash: self.hash().to_owned(),
            kind: *kind,
            role: role.clone(),
            risk: *risk,
            risk_level: level.unwrap_or((*risk).into()),
            count: counted.map(|(_, count)| count),
            reversible: *reversible,
            allow_always: *allow_always,
            question: question(title, self.arguments(), counted, *risk, *reversible),
            state: match self.decided.as_ref().map(|(_, decided)| decided.verdict) {
                None => GateState::Open,
                Some(Ruling::Approved) => GateState::Approved,
                Some(Ruling::Denied) => GateState::Denied,
                Some(Ruling::Expired) => GateState::Expired,
                Some(Ruling::Dropped) => GateState::Dropped,
            },
            created_at: Timestamp(self.at),
            expires_at: Timestamp(*expires),
            decided: self.decided.as_ref().map(|(at, decided)| Decided {
                by: decided.by.clone(),
                at: Timestamp(*at),
                comment: decided.comment.clone(),
                edited: decided.arguments.is_some(),
                always: decided.always,
            }),
        }
    }
}

impl Progress {
    /// Takes a record of a gate in. A gate that was decided once stays as it was decided.
    pub(super) fn apply_gate(&mut self, at: u64, record: Record) {
        match record {
            Record::GateOpened(opened) if self.gate(&opened.gate).is_none() => self.gates.push(Gated {
                at,
                opened: *opened,
                decided: None,
            }),
            Record::GateDecided(decided) => {
                let gated = self
                    .gates
                    .iter_mut()
                    .find(|gated| gated.opened.gate == decided.gate);
                if let Some(gated) = gated {
                    gated.decided.get_or_insert((at, *decided));
                }
            }
            _ => {}
        }
    }

    /// A gate of the turn.
    pub(crate) fn gate(&self, gate: &str) -> Option<&Gated> {
        self.gates.iter().find(|gated| gated.opened.gate == gate)
    }

    /// The gate of a call.
    pub(crate) fn gate_of(&self, call: &str) -> Option<&Gated> {
        self.gates.iter().find(|gated| gated.opened.call == call)
    }

    /// Whether any call waits, or waited, for a decision.
    pub(crate) fn has_gates(&self) -> bool {
        !self.gates.is_empty()
    }

    /// The gates that wait for a decision.
    pub(crate) fn open_gates(&self) -> impl Iterator<Item = &Gated> {
        self.gates.iter().filter(|gated| gated.is_open())
    }

    /// How many bytes the arguments of the open gates have.
    pub(crate) fn gates_weigh(&self) -> usize {
        self.open_gates().map(|gated| gated.opened.weighs()).sum()
    }

    /// Whether nobody goes on with the turn before its gates are decided.
    pub(crate) fn is_waiting(&self) -> bool {
        self.end == Some(End::Waiting)
    }

    /// Whether it waits for nothing but decisions that nobody can take any more.
    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.is_waiting() && self.open_gates().all(|gated| gated.is_due(now))
    }

    /// The last moment at which somebody can take a decision that it waits for; none if it waits for none.
    fn waits_until(&self) -> Option<u64> {
        let open = self.open_gates().map(|gated| gated.opened.expires);
        self.is_waiting().then(|| open.max())?
    }

    /// Whether nobody took the decisions in time that it waited for, and it may go on without them.
    pub(crate) fn goes_on_without(&self) -> bool {
        let expired =
            |end: &End| matches!(end, End::Failed { error, .. } if error.kind == FailureKind::Expired);
        self.can_go_on() && self.end.as_ref().is_some_and(expired)
    }

    /// All gates, as people see them.
    pub(crate) fn gate_reports(&self) -> Vec<Gate> {
        self.gates.iter().map(|gated| gated.report(&self.turn)).collect()
    }

    /// What a turn that waits says to the model of a later one.
    pub(super) fn waiting_note(&self) -> String {
        let titles: Vec<&str> = self
            .open_gates()
            .map(|gated| gated.opened.title.as_str())
            .collect();
        format!(
            "(This has not been done yet; it takes a decision: {}.)",
            titles.join("; ")
        )
    }
}

/// The write that says when the sweep has to look at turns that wait: at the latest when nobody can take any more of the
/// decisions that one of them waits for.
pub(crate) fn waiting_until<'a>(waiting: impl IntoIterator<Item = &'a Progress>, ttl: Option<u64>) -> Write {
    let document = scope::WAITING.to_owned();
    let expected = ExpectedVersion::Any;
    match waiting.into_iter().filter_map(Progress::waits_until).min() {
        Some(until) => Write::Put {
            document,
            expected,
            value: until.to_string().into_bytes(),
            ttl,
        },
        None => Write::Delete { document, expected },
    }
}
