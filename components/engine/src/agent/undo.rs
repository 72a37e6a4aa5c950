//! Undoing what turns did that were stopped for this one, by the inverse calls that tools have named.
//!
//! Each call is undone in a step of its own, with an idempotency key of its own, before the model is asked: so it
//! is undone once, whoever goes on with the turn. What was undone and what could not be is told to the user, and
//! is part of what the model knows.

use super::Agent;
use crate::conversation::undo_step;
use crate::journal::{Record, ToUndo, ToolFinished, ToolIntended};
use crate::port::{EffectClass, Environment, Inverse, Model, Tools};
use crate::run::Stop;
use anyturn_state::Store;

impl<S: Store, M: Model, T: Tools, E: Environment> Agent<'_, S, M, T, E> {
    /// Undoes what the turn is to undo, if there is anything. Each has an outcome afterwards.
    pub(super) async fn undo_all(&self) -> Result<(), Stop> {
        let undo = self.run.progress(|progress| progress.started.undo.clone());
        if undo.is_empty() {
            return Ok(());
        }
        let told = self.run.progress(|progress| progress.undone().is_some());
        for (number, undo) in undo.iter().enumerate() {
            for (which, inverse) in undo.inverses.iter().enumerate() {
                self.undo(undo_step(number, which), undo, inverse).await?;
            }
        }
        // What was recorded before a take-over was told with it.
        if !told {
            self.run.tell(
                self.run
                    .progress(|progress| progress.undone())
                    .unwrap_or_default(),
            );
        }
        self.run.told();
        Ok(())
    }

    async fn undo(&self, step: String, undo: &ToUndo, inverse: &Inverse) -> Result<(), Stop> {
        let call = format!("{}/{step}", undo.call);
        let finished = |outcome| ToolFinished {
            step: step.clone(),
            call: call.clone(),
            outcome,
        };
        let known = self.run.progress(|progress| progress.intended(&call).cloned());
        let earlier = known.is_some();
        let intended = known.unwrap_or_else(|| ToolIntended {
            call: call.clone(),
            server: undo.server.clone(),
            tool: inverse.tool.clone(),
            title: inverse.title.clone(),
            arguments: inverse.arguments.clone(),
            class: self
                .catalog
                .class(&undo.server, &inverse.tool)
                .unwrap_or(EffectClass::Unprotected),
        });
        if !earlier {
            self.run.record(Record::ToolIntended(intended.clone()))?;
        }
        let key = format!("{}/{step}", self.run.turn());
        let action = async || Ok(finished(self.call(&intended, key, earlier).await?));
        self.run.step(&step, action).await?;
        Ok(())
    }
}
