//! Turns, journal, gates, undo, assistants: pure logic over ports.
//!
//! The engine knows no HTTP, no Redis and no provider; it knows [`port`] and `anyturn-state`.

pub mod port;

/// Placeholder for the event type that the `event` module defines.
pub struct Event;
