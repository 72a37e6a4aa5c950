//! Undoing calls, by the inverse calls that tools have named: what turns did that were stopped for this one, or
//! what a person wants undone, which is then all that the turn does.
//!
//! Each inverse is a call in a step of its own, with an idempotency key of its own, which is the same whichever
//! turn makes it: so it takes effect once. It is gated as any call of its tool is, except that a component of this
//! application can say of one that it only takes back what the undone call did. Where nobody can be asked, in a turn
//! that was stopped for another message, a risky one is not made. The audit tells of each.

use super::Agent;
use super::plan::Plan;
use crate::assistant::Rule;
use crate::audit::{Audited, Made};
use crate::conversation::{inverse_call, undo_step};
use crate::event::ToolStarted;
use crate::gate::{Opening, Stakes};
use crate::id;
use crate::journal::{CallOutcome, Record, ToUndo, ToolFinished, ToolIntended};
use crate::port::{Effect, EffectClass, Environment, Inverse, Model, ToolCall, ToolDefinition, Tools};
use crate::run::Stop;
use anyturn_state::Store;

/// Why a risky inverse is not called.
const UNASKED: &str = "It was not undone: somebody would have to allow that first.";

/// An inverse call about to be made, or refused.
struct Undo {
    step: String,
    call: String,
    /// The call that is undone.
    of: String,
    intended: ToolIntended,
    plan: Plan,
    earlier: bool,
}

impl<S: Store, M: Model, T: Tools, E: Environment> Agent<'_, S, M, T, E> {
    /// Undoes what the turn is to undo, if there is anything. Each has an outcome afterwards, unless decisions
    /// are waited for ([`Stop::Waiting`]).
    pub(crate) async fn undo_all(&self) -> Result<(), Stop> {
        let undo = self.run.progress(|progress| progress.started.undo.clone());
        if undo.is_empty() {
            return Ok(());
        }
        let mut waits = false;
        let mut planned = Vec::new();
        for (place, undo) in undo.iter().enumerate() {
            for (number, inverse) in (0u32..).zip(&undo.inverses) {
                if undo.settled.contains(&number) {
                    continue;
                }
                let undo = self.plan_undo(undo_step(place, number), undo, number, inverse, waits)?;
                waits |= matches!(undo.plan, Plan::Wait);
                if !waits {
                    planned.push(undo);
                }
            }
        }
        for undo in planned {
            self.undo(undo).await?;
        }
        if waits {
            return Err(Stop::Waiting);
        }
        self.run.tell_what_was_undone();
        self.run.tell_undone();
        Ok(())
    }

    fn plan_undo(
        &self,
        step: String,
        undo: &ToUndo,
        number: u32,
        inverse: &Inverse,
        waits: bool,
    ) -> Result<Undo, Stop> {
        let call = inverse_call(&undo.call, number);
        let tool = self.catalog.at(&undo.server, &inverse.tool);
        // What is not known of a tool counts as the worst case.
        let (effect, reversible, stakes, rule) = tool.map_or(
            (
                Effect {
                    class: EffectClass::Unprotected,
                    destructive: true,
                },
                false,
                Stakes::default(),
                Rule::Confirm { allow_always: false },
            ),
            |tool| {
                let effect = tool.effect_of(inverse);
                let ToolDefinition {
                    reversible, stakes, ..
                } = &tool.definition;
                let rule = self.run.rule(tool, tool.risk_of(inverse));
                (effect, *reversible, stakes.clone(), rule)
            },
        );
        let intended = ToolIntended {
            call: call.clone(),
            server: undo.server.clone(),
            tool: inverse.tool.clone(),
            title: inverse.title.clone(),
            arguments: inverse.arguments.clone(),
            class: effect.class,
            gate: None,
        };
        let (known, gated) = self.run.progress(|progress| {
            (
                progress.intended(&call).cloned(),
                progress.gate_of(&call).cloned(),
            )
        });
        let earlier = known.is_some();
        let askable = self.run.progress(|progress| progress.started.undo_only) && !self.run.detached();
        let plan = if let Some(known) = known {
            Plan::Make(Box::new(known))
        } else if let Some(gated) = gated {
            self.plan_gated(&gated, waits)?
        } else {
            let opening = Opening {
                intended: &intended,
                name: &inverse.tool,
                effect,
                reversible,
                stakes,
                rule,
                gate: id::new("gate", self.environment.random()),
                expires: self.expires(),
            };
            match opening.open() {
                Some(_) if !askable => Plan::Refuse(UNASKED.to_owned()),
                Some(gate) => {
                    self.run.open_gate(gate, self.span)?;
                    Plan::Wait
                }
                None if waits => Plan::Wait,
                None => self.intend(intended.clone())?,
            }
        };
        Ok(Undo {
            step,
            call,
            of: undo.call.clone(),
            intended,
            plan,
            earlier,
        })
    }

    async fn undo(&self, undo: Undo) -> Result<(), Stop> {
        let Undo {
            step,
            call,
            of,
            intended,
            plan,
            earlier,
        } = undo;
        self.run.tell_started(ToolStarted {
            id: call.clone(),
            tool: intended.tool.clone(),
            title: intended.title.clone(),
            server: intended.server.clone(),
            arguments: intended.arguments.clone(),
        });
        let finished = |intended: &ToolIntended, outcome| {
            let undone = matches!(&outcome, CallOutcome::Answered(outcome) if !outcome.is_error);
            let made = Made {
                server: &intended.server,
                tool: &intended.tool,
                arguments: &intended.arguments,
            };
            let (turn, by) = (self.run.turn(), &self.run.caller.user);
            let now = self.environment.now();
            self.run
                .audit(&[Audited::undoing(turn, now, by, undone, &of, made)])?;
            Ok(ToolFinished {
                step: step.clone(),
                call: call.clone(),
                outcome,
                undo_until: None,
            })
        };
        match plan {
            Plan::Wait => return Ok(()),
            Plan::Refuse(reason) => {
                if self.run.progress(|progress| progress.tool(&step).is_none()) {
                    let refused = finished(&intended, CallOutcome::NotRun(reason))?;
                    self.run.record(Record::ToolFinished(refused))?;
                }
            }
            Plan::Make(intended) => {
                let _longer = self.longer(&intended.server);
                let action = async || finished(&intended, self.call(&intended, call.clone(), earlier).await?);
                self.run.step(&step, action).await?;
            }
        }
        let call = ToolCall {
            id: call.clone(),
            name: intended.tool,
            arguments: intended.arguments.to_string(),
        };
        self.run
            .tell_finished(self.run.progress(|progress| progress.report(&call)));
        Ok(())
    }
}
