//! Places at which something is stopped until the test lets it go on.
//!
//! A test places a [`Hold`] under a name; whoever comes first to that place stops there, and whoever comes
//! later passes. So an instance can be killed exactly where it waits, and its successor is not stopped.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// The places of one test. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Holds {
    placed: Arc<Mutex<Vec<Placed>>>,
}

#[derive(Debug)]
struct Placed {
    name: String,
    state: Arc<watch::Sender<State>>,
}

/// A place at which somebody is stopped, or will be; dropping it lets them go on.
#[derive(Debug)]
pub struct Hold {
    state: Arc<watch::Sender<State>>,
}

/// Somebody who came to a hold.
#[derive(Clone, Debug)]
pub struct Stopped {
    state: Arc<watch::Sender<State>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Awaited,
    Reached,
    Released,
}

impl Holds {
    /// Stops whoever comes next to the place of this name.
    pub fn place(&self, name: impl Into<String>) -> Hold {
        let state = Arc::new(watch::Sender::new(State::Awaited));
        self.placed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Placed {
                name: name.into(),
                state: state.clone(),
            });
        Hold { state }
    }

    /// Comes to a place; `None` where nobody is to stop.
    pub fn come(&self, name: &str) -> Option<Stopped> {
        let mut placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        let at = placed.iter().position(|one| one.name == name)?;
        let Placed { state, .. } = placed.remove(at);
        state.send_if_modified(|state| {
            let awaited = *state == State::Awaited;
            if awaited {
                *state = State::Reached;
            }
            awaited
        });
        Some(Stopped { state })
    }
}

impl Hold {
    /// Waits until somebody has come.
    pub async fn reached(&self) {
        // The sender is this hold's own, so it cannot be gone.
        let _ = self
            .state
            .subscribe()
            .wait_for(|state| *state != State::Awaited)
            .await;
    }

    /// Lets them go on.
    pub fn release(&self) {
        self.state.send_replace(State::Released);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release();
    }
}

impl Stopped {
    /// Waits until the test says to go on.
    pub async fn released(&self) {
        let _ = self
            .state
            .subscribe()
            .wait_for(|state| *state == State::Released)
            .await;
    }
}
