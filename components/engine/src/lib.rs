//! Turns, journal, gates, undo, assistants: pure logic over ports.
//!
//! The engine knows no HTTP, no Redis and no provider; it knows [`port`] and `anyturn-state`.

mod admission;
mod agent;
pub mod assistant;
mod catalog;
mod conversation;
mod engine;
mod event;
mod id;
mod journal;
mod json_schema;
mod loading;
pub mod port;
mod run;
pub mod scope;
pub mod session;
#[cfg(test)]
mod tests;
mod time;
mod turn;

pub use assistant::{Assistant, AssistantError, Assistants, LoadError};
pub use engine::{Engine, Settings};
pub use event::{Event, EventKind};
pub use journal::{Failure, FailureKind};
pub use session::{Page, Session, SessionHead, SessionMessage, index as session_index};
pub use time::{Local, Timestamp};
pub use turn::{Reply, SessionTarget, ToolCallReport, Turn, TurnError, TurnRequest, TurnState};
