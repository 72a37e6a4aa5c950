//! What is done about a call that the model wants: it is made, refused, or waits for a decision.
//!
//! A risky call opens a gate, which holds exactly what would be called. What is made of a call that was approved
//! is that, and nothing else; neither the model nor the tool's server is asked again what was meant.

use super::Agent;
use crate::catalog::Tool;
use crate::conversation::Gated;
use crate::gate::{LARGEST, Opening, canonical};
use crate::id;
use crate::journal::writer::WriteError;
use crate::journal::{Record, ToolIntended};
use crate::port::{Environment, Model, ToolCall, Tools};
use crate::run::Stop;
use anyturn_state::{Error, Store};
use serde_json::Value;

/// What the model is told of a risky call in a conversation that nobody can come back to.
const UNASKABLE: &str = "This call was not made: somebody would have to allow it first, and this kind of conversation has no way of asking. Tell the user so.";

/// What the model is told of a risky call that nobody could take in.
const TOO_LARGE: &str = "This call was not made: somebody would have to allow it first, and its arguments are too large to be decided on. Make them smaller.";

/// What is to be done about a call.
pub(super) enum Plan {
    /// It is made.
    Make(Box<ToolIntended>),
    /// It is not; the model should know this about why.
    Refuse(String),
    /// It waits, for its own gate or for one before it.
    Wait,
}

impl<S: Store, M: Model, T: Tools, E: Environment> Agent<'_, S, M, T, E> {
    /// Decides what is done about a call, and records it. Nothing is intended when something before it `waits`.
    pub(super) fn plan(&self, call: &ToolCall, allowed: bool, waits: bool) -> Result<(Plan, bool), Stop> {
        if let Some(intended) = self.run.progress(|progress| progress.intended(&call.id).cloned()) {
            return Ok((Plan::Make(Box::new(intended)), true));
        }
        if let Some(gated) = self.run.progress(|progress| progress.gate_of(&call.id).cloned()) {
            return Ok((self.plan_gated(&gated, waits)?, false));
        }
        let meant = if allowed {
            self.meaning(call)
        } else {
            Err("The limit of tool calls for one turn is reached; this call was not made.".to_owned())
        };
        let plan = match meant {
            Err(reason) => Plan::Refuse(reason),
            Ok((intended, tool)) => match self.gate(&intended, tool).open() {
                Some(_) if self.run.detached() => Plan::Refuse(UNASKABLE.to_owned()),
                Some(_) if call.arguments.len() > LARGEST => Plan::Refuse(TOO_LARGE.to_owned()),
                Some(gate) => {
                    self.run.open_gate(gate, self.span)?;
                    Plan::Wait
                }
                None if waits => Plan::Wait,
                None => self.intend(intended)?,
            },
        };
        Ok((plan, false))
    }

    /// What is done about a call that has a gate.
    pub(super) fn plan_gated(&self, gated: &Gated, waits: bool) -> Result<Plan, Stop> {
        if waits || gated.is_open() {
            return Ok(Plan::Wait);
        }
        match self.approved(gated)? {
            Err(denial) => Ok(Plan::Refuse(denial)),
            Ok(intended) => self.intend(intended),
        }
    }

    pub(super) fn intend(&self, intended: ToolIntended) -> Result<Plan, Stop> {
        self.run.record(Record::ToolIntended(intended.clone()))?;
        Ok(Plan::Make(Box::new(intended)))
    }

    /// The call of a gate as it is to be made, or why it is not.
    fn approved(&self, gated: &Gated) -> Result<Result<ToolIntended, String>, Stop> {
        if let Some(denial) = gated.denial() {
            return Ok(Err(denial));
        }
        let opened = &gated.opened;
        if canonical::hash(gated.arguments()) != gated.hash() {
            let problem = format!(
                "the arguments of {} are not those that were decided on",
                opened.gate
            );
            return Err(WriteError::Store(Error::Corrupt(problem)).into());
        }
        let mut sources = self.run.assistant.sources();
        if !sources.any(|source| source.server == opened.server) {
            return Ok(Err(
                "This call was not made: the assistant does not have the tool any more.".to_owned(),
            ));
        }
        Ok(Ok(ToolIntended {
            call: opened.call.clone(),
            server: opened.server.clone(),
            tool: opened.tool.clone(),
            title: opened.title.clone(),
            arguments: gated.arguments().clone(),
            class: opened.class,
            gate: Some(opened.gate.clone()),
        }))
    }

    fn gate<'c>(&self, intended: &'c ToolIntended, tool: &'c Tool) -> Opening<'c> {
        Opening {
            intended,
            name: &tool.name,
            effect: tool.definition.effect,
            reversible: tool.definition.reversible,
            stakes: tool.definition.stakes.clone(),
            rule: self.run.rule(tool, tool.risk_on(&intended.arguments)),
            gate: id::new("gate", self.environment.random()),
            expires: self.expires(),
        }
    }

    /// When a gate that is opened now counts as denied.
    pub(super) fn expires(&self) -> u64 {
        let after = self.run.assistant.gates.expire_after;
        self.environment.now().saturating_add(after)
    }

    /// What a call means, or what the model should know about why nothing is done.
    fn meaning(&self, call: &ToolCall) -> Result<(ToolIntended, &Tool), String> {
        let Some(tool) = self.catalog.find(&call.name) else {
            return Err(format!(
                "There is no tool “{}”. There are: {}.",
                call.name,
                self.catalog.names()
            ));
        };
        // Models that call a tool without arguments may write nothing at all.
        let written = if call.arguments.trim().is_empty() {
            "{}"
        } else {
            &call.arguments
        };
        let arguments: Value = anyturn_json::from_slice(written.as_bytes())
            .map_err(|problem| format!("The arguments are not JSON: {problem}. The tool was not called."))?;
        let problems = tool.check(&arguments);
        if !problems.is_empty() {
            let problems = problems.join("; ");
            return Err(format!(
                "The arguments are wrong: {problems}. The tool was not called."
            ));
        }
        let intended = ToolIntended {
            call: call.id.clone(),
            server: tool.server.clone(),
            tool: tool.definition.name.clone(),
            title: tool
                .definition
                .title
                .clone()
                .unwrap_or_else(|| tool.definition.name.clone()),
            arguments,
            class: tool.definition.effect.class,
            gate: None,
        };
        Ok((intended, tool))
    }
}
