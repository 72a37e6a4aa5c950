//! Why the engine did not do what was asked of it, in native words.

use anyturn_engine::{DecideError, ForkError, GateState, TurnError, UndoError};

use crate::assistants;
use crate::exchange::sentence;
use crate::http::{Kind, Problem};

/// Why there is no turn.
#[must_use]
pub fn turn(error: TurnError) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        TurnError::UnknownAssistant(name) => assistants::unknown(&name),
        TurnError::Assistant(error) => assistants::invalid(&error),
        TurnError::UnknownSession => Problem::new(Kind::UnknownSession, detail),
        TurnError::UnknownTurn => Problem::new(Kind::UnknownTurn, detail),
        TurnError::SessionExists => Problem::new(Kind::Internal, detail),
        TurnError::OtherAssistant { assistant } => {
            Problem::new(Kind::OtherAssistant, detail).with("assistant", assistant)
        }
        TurnError::Busy { turn, retry_after } | TurnError::StillRunning { turn, retry_after } => {
            Problem::new(Kind::TurnRunning, detail)
                .with("turn", turn)
                .header(http::header::RETRY_AFTER, seconds(retry_after))
        }
        TurnError::LaterVersion(_) => Problem::new(Kind::LaterVersion, detail),
        TurnError::KeyReused => Problem::new(Kind::IdempotencyMismatch, detail),
        TurnError::InvalidMessage(_) => Problem::message("/message", detail),
        TurnError::Store(error) => error.into(),
        TurnError::Fenced { turn } => Problem::new(Kind::TurnRunning, detail)
            .with("turn", turn)
            .header(http::header::RETRY_AFTER, "1"),
    }
}

/// Why a gate was not decided.
#[must_use]
pub fn decision(error: DecideError) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        DecideError::UnknownGate => Problem::new(Kind::UnknownGate, detail),
        DecideError::OtherRole { role } | DecideError::OwnRequest { role } => {
            Problem::new(Kind::NotAllowed, detail).with("role", role)
        }
        DecideError::AlreadyDecided { gate } => Problem::new(Kind::GateDecided, detail)
            .with("gate", gate.id)
            .with("state", state(gate.state)),
        DecideError::InvalidDecision(_) => Problem::new(Kind::InvalidRequest, detail),
        DecideError::Unchecked(_) => Problem::new(Kind::ToolUnavailable, detail),
        DecideError::Turn(error) => turn(error),
    }
}

/// A gate's state as JSON names it.
fn state(state: GateState) -> &'static str {
    match state {
        GateState::Open => "open",
        GateState::Approved => "approved",
        GateState::Denied => "denied",
        GateState::Expired => "expired",
        GateState::Dropped => "dropped",
    }
}

/// Why nothing was undone.
#[must_use]
pub fn undo(error: UndoError) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        UndoError::Nothing => Problem::new(Kind::NothingToUndo, detail),
        UndoError::UnknownCall => Problem {
            pointer: Some("/call".to_owned()),
            ..Problem::new(Kind::NothingToUndo, detail)
        },
        UndoError::TooLate => Problem::new(Kind::TooLate, detail),
        UndoError::Turn(error) => turn(error),
    }
}

/// Why there is no fork.
#[must_use]
pub fn fork(error: ForkError) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        ForkError::UnknownSession => Problem::new(Kind::UnknownSession, detail),
        ForkError::UnknownTurn => Problem::new(Kind::UnknownTurn, detail),
        ForkError::NotEnded => Problem::new(Kind::TurnUnfinished, detail),
        // Only an idempotency key leads to the same fork twice.
        ForkError::SessionExists => Problem::new(
            Kind::IdempotencyMismatch,
            "This idempotency key was used for a different fork.",
        ),
        ForkError::Store(error) => error.into(),
    }
}

/// Milliseconds as whole seconds, at least one.
#[must_use]
pub fn seconds(milliseconds: u64) -> String {
    milliseconds.div_ceil(1000).max(1).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyturn_state::Error;

    #[test]
    fn what_the_engine_refuses_has_a_kind_and_a_sentence() {
        let role = || "manager".to_owned();
        for (problem, kind, status, detail) in [
            (
                turn(TurnError::UnknownTurn),
                Kind::UnknownTurn,
                404,
                "There is no such turn; it may be too long ago.",
            ),
            (
                decision(DecideError::UnknownGate),
                Kind::UnknownGate,
                404,
                "There is no such gate; it may have expired with its conversation.",
            ),
            (
                decision(DecideError::OtherRole { role: role() }),
                Kind::NotAllowed,
                403,
                "This is decided by somebody with the role “manager”.",
            ),
            (
                decision(DecideError::OwnRequest { role: role() }),
                Kind::NotAllowed,
                403,
                "Nobody approves what they have asked for themselves; it takes another person with the role “manager”.",
            ),
            (
                decision(DecideError::InvalidDecision("`to` is missing".to_owned())),
                Kind::InvalidRequest,
                422,
                "`to` is missing.",
            ),
            (
                undo(UndoError::Nothing),
                Kind::NothingToUndo,
                409,
                "There is nothing that can be undone.",
            ),
            (
                undo(UndoError::UnknownCall),
                Kind::NothingToUndo,
                409,
                "This call is none of the latest ones that can be undone.",
            ),
            (
                undo(UndoError::TooLate),
                Kind::TooLate,
                409,
                "This was done too long ago to be undone.",
            ),
            (
                fork(ForkError::UnknownTurn),
                Kind::UnknownTurn,
                404,
                "There is no such turn in this session.",
            ),
            (
                fork(ForkError::NotEnded),
                Kind::TurnUnfinished,
                409,
                "This turn has not ended.",
            ),
            (
                fork(ForkError::SessionExists),
                Kind::IdempotencyMismatch,
                422,
                "This idempotency key was used for a different fork.",
            ),
        ] {
            assert_eq!(
                (problem.kind, problem.kind.status().as_u16()),
                (kind, status),
                "{detail}"
            );
            assert_eq!(problem.detail, detail);
        }
        let down = || Error::Unavailable("gone".to_owned());
        for problem in [
            turn(down().into()),
            decision(down().into()),
            undo(down().into()),
            fork(down().into()),
        ] {
            assert_eq!(problem.kind, Kind::StoreUnavailable);
        }
    }
}
