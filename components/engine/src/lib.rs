//! Turns, journal, gates, undo, assistants: pure logic over ports.
//!
//! The engine knows no HTTP, no Redis and no provider; it knows [`port`] and `anyturn-state`. Its one entry
//! point for work is [`Engine::turn`]. A turn goes through these rooms, in this order:
//!
//! 1. `engine` checks the request and loads its [`Assistant`];
//! 2. `admission` decides in one commit whether it begins, waits, is refused or is taken over;
//! 3. `loading` and `conversation` make of the journal what the model may see of the past;
//! 4. `run` gives the assistant its one primitive, the step that is never run twice, and `agent` is the
//!    assistant built on it: model calls and, in `agent::calls`, tool calls by their effect class;
//! 5. `journal::writer` makes all of it durable, for as long as this instance holds the turn's lease.
//!
//! A risky call opens a gate (`gate`) and its turn waits for a person, without holding on to anything; what tools
//! did can be undone (`undo`); who decided and undid what is in the `audit`.
//!
//! [`Event`]s tell of it meanwhile, and the [`Turn`] is what came of it. Any instance can listen to a turn, go on
//! with it, and stop it (`attach`); what was left by an instance that died is finished by whoever meets it
//! (`settle`, `sweep`).

mod address;
mod admission;
mod agent;
pub mod assistant;
mod attach;
pub mod audit;
mod catalog;
mod conversation;
mod engine;
mod event;
mod flow;
pub mod gate;
mod id;
mod journal;
mod json_schema;
mod loading;
pub mod port;
mod queue;
mod register;
mod run;
pub mod scope;
pub mod session;
mod settle;
mod signal;
mod sweep;
#[cfg(test)]
mod tests;
mod time;
mod turn;
pub mod undo;
pub mod watch;
mod words;
mod working;

pub use assistant::{Assistant, AssistantError, Assistants, LoadError, OnBusy};
pub use attach::Stopping;
pub use engine::{Engine, Settings};
pub use event::{
    AgentProgress, Event, EventId, EventKind, NoEventId, Stage, StageStatus, ToolStarted, TurnStarted,
};
pub use gate::{
    DecideError, DecideOutcome, DecideRequest, Decider, Decision, Gate, GateKind, GateState, RiskLevel,
    Stakes, Verdict,
};
pub use journal::{Failure, FailureKind, LaterVersion};
pub use session::fork::{ForkError, ForkRequest};
pub use session::{Origin, Page, Session, SessionHead, SessionMessage, index as session_index};
pub use sweep::Swept;
pub use time::{Local, Timestamp};
pub use turn::{Reply, SessionTarget, ToolCallReport, Turn, TurnError, TurnRequest, TurnState};
pub use undo::{UndoError, UndoItem, UndoOffer, UndoReport, UndoRequest};
