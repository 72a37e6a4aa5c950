//! What came of a turn, in the app's shape, in one piece or as the last event of a stream.

use anyturn_engine::port::Environment;
use anyturn_engine::{Event, EventId, EventKind, Gate, GateKind, GateState, RiskLevel, Turn, TurnState};
use serde::Serialize;

use crate::http::{Problem, sse};
use crate::native::turns::is_heard;
use crate::openai::{error::failed, waiting};
use crate::turns::Writer;

/// Milliseconds after which a stream begins although nothing has happened yet.
const PATIENCE: u64 = 1_000;

/// An answer.
#[derive(Serialize)]
pub struct Answer<'a> {
    success: bool,
    message: String,
    session_id: &'a str,
    requires_confirmation: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmation_context: Option<Confirmation<'a>>,
    metadata: Metadata<'a>,
}

/// What waits for the user's yes.
#[derive(Serialize)]
pub struct Confirmation<'a> {
    /// The tool.
    action: &'a str,
    /// How many things it would affect; a call that does not say counts as one.
    count: u64,
    /// The highest of all calls that wait.
    risk_level: RiskLevel,
}

/// About the turn.
#[derive(Serialize)]
struct Metadata<'a> {
    /// In seconds.
    processing_time: f64,
    /// Each once, in the order of their first calls.
    tools_used: Vec<&'a str>,
}

impl<'a> Answer<'a> {
    /// A turn's end; it took so many milliseconds.
    #[must_use]
    pub fn new(turn: &'a Turn, took: u64) -> Self {
        let mut tools_used: Vec<&str> = Vec::new();
        let open = |call: &str| {
            turn.gates
                .iter()
                .any(|gate| gate.call == call && gate.state == GateState::Open)
        };
        for call in turn.tool_calls.iter().filter(|call| !open(&call.id)) {
            if !tools_used.contains(&call.tool.as_str()) {
                tools_used.push(&call.tool);
            }
        }
        let waits = turn.state == TurnState::Waiting;
        let confirmation = Confirmation::of(&turn.gates).filter(|_| waits);
        Self {
            success: true,
            message: waiting::answer(turn),
            session_id: &turn.session,
            requires_confirmation: confirmation.is_some(),
            confirmation_context: confirmation,
            metadata: Metadata {
                processing_time: f64::from(u32::try_from(took).unwrap_or(u32::MAX)) / 1000.0,
                tools_used,
            },
        }
    }
}

impl<'a> Confirmation<'a> {
    /// What a yes in the next message would decide; none if nothing waits for the user.
    pub fn of(gates: &'a [Gate]) -> Option<Self> {
        let asked = |gate: &&Gate| gate.kind == GateKind::Confirm && gate.state == GateState::Open;
        let mut open = gates.iter().filter(asked);
        let first = open.next()?;
        Some(open.fold(Self::about(first), |all, gate| Self {
            count: all.count.saturating_add(gate.count.unwrap_or(1)),
            risk_level: all.risk_level.max(gate.risk_level),
            ..all
        }))
    }

    /// One call that waits, whoever decides.
    pub fn about(gate: &'a Gate) -> Self {
        Self {
            action: &gate.tool,
            count: gate.count.unwrap_or(1),
            risk_level: gate.risk_level,
        }
    }
}

/// An error in a stream.
#[derive(Serialize)]
struct Failure<'a> {
    error: &'static str,
    message: &'a str,
}

/// Writes a turn as the app's events.
pub struct AppWriter<E> {
    /// Tells how long it took.
    pub clock: E,
    /// When the request came; none where somebody listens to a turn that was begun before.
    pub since: Option<u64>,
    /// What the client has heard last.
    pub after: Option<EventId>,
}

impl<E: Environment> AppWriter<E> {
    fn end_of(&self, turn: &Turn) -> (&'static str, String) {
        if turn.state == TurnState::Failed {
            return ("error", json(&failed(turn)));
        }
        let since = self.since.unwrap_or(turn.created_at.0);
        let took = self.clock.now().saturating_sub(since);
        let answer = Answer::new(turn, took);
        ("response", serde_json::to_string(&answer).unwrap_or_default())
    }
}

fn json(problem: &Problem) -> String {
    let failure = Failure {
        error: problem.kind.parts().0,
        message: &problem.detail,
    };
    serde_json::to_string(&failure).unwrap_or_default()
}

impl<E: Environment + 'static> Writer for AppWriter<E> {
    fn write(&mut self, event: &Event) -> Option<String> {
        if is_heard(self.after.as_ref(), &event.id) {
            return None;
        }
        let (name, data) = match (&event.kind, event.kind.end()) {
            (EventKind::AgentProgress(progress), _) => {
                ("progress", serde_json::to_string(progress).unwrap_or_default())
            }
            (_, Some(turn)) => self.end_of(turn),
            _ => return None,
        };
        Some(sse::event(&event.id.to_string(), name, &data))
    }

    fn begins(&self, _: &EventKind) -> bool {
        true
    }

    fn patience(&self) -> Option<u64> {
        Some(PATIENCE)
    }

    fn end(&mut self, _: &Turn) -> String {
        // The engine tells every turn's end as an event.
        String::new()
    }

    fn break_off(&mut self, problem: &Problem) -> String {
        // Without an id, so that a client which comes back goes on after the last event that it has.
        format!("event: error\n{}", sse::data(&json(problem)))
    }

    fn refuse(&self, _: &Turn) -> Option<Problem> {
        None
    }
}
