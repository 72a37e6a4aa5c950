//! The tool calls of one answer: what each means, whether it may run, and what came of it.
//!
//! Intentions are recorded before anything runs. Calls that only read run at the same time; if any of them
//! may change something, all run in the order in which the model wants them.

use super::Agent;
use crate::event::{EventKind, ToolStarted};
use crate::journal::{CallOutcome, Record, ToolFinished, ToolIntended};
use crate::json_schema;
use crate::port::{
    EffectClass, Environment, Invocation, Model, Sink, ToolCall, ToolError, ToolOutcome, Tools,
};
use crate::run::Stop;
use anyturn_state::Store;
use serde_json::Value;

/// How often a call that may be repeated is made when the tool does not answer.
const TRIES: u32 = 3;

/// Milliseconds before a call is repeated.
const PAUSE: u64 = 100;

/// A call about to be made, or refused.
struct Prepared<'c> {
    step: String,
    call: &'c ToolCall,
    /// What is to be done, or why nothing is.
    intended: Result<ToolIntended, String>,
    /// Whether the intention was recorded before this instance went on with the turn, so that the call may
    /// have been made.
    earlier: bool,
}

impl<S: Store, M: Model, T: Tools, E: Environment, K: Sink> Agent<'_, S, M, T, E, K> {
    /// Makes the calls of one answer, at most `allowed`. Each has an outcome afterwards.
    pub(super) async fn call_tools(&self, step: u32, calls: &[ToolCall], allowed: u32) -> Result<(), Stop> {
        let mut prepared = Vec::with_capacity(calls.len());
        for (number, call) in (0u32..).zip(calls) {
            prepared.push(self.prepare(format!("tool/{step}/{number}"), call, number < allowed)?);
        }
        let reads = |prepared: &Prepared<'_>| {
            prepared
                .intended
                .as_ref()
                .map_or(true, |intended| intended.class == EffectClass::Read)
        };
        if prepared.iter().all(reads) {
            futures::future::try_join_all(prepared.into_iter().map(|call| self.perform(call))).await?;
        } else {
            for call in prepared {
                self.perform(call).await?;
            }
        }
        Ok(())
    }

    fn prepare<'c>(&self, step: String, call: &'c ToolCall, allowed: bool) -> Result<Prepared<'c>, Stop> {
        if let Some(intended) = self.run.progress(|progress| progress.intended(&call.id).cloned()) {
            return Ok(Prepared {
                step,
                call,
                intended: Ok(intended),
                earlier: true,
            });
        }
        let intended = if allowed {
            self.intend(call)
        } else {
            Err("The limit of tool calls for one turn is reached; this call was not made.".to_owned())
        };
        if let Ok(intended) = &intended {
            self.run.record(Record::ToolIntended(intended.clone()))?;
        }
        Ok(Prepared {
            step,
            call,
            intended,
            earlier: false,
        })
    }

    /// What a call means, or what the model should know about why nothing is done.
    fn intend(&self, call: &ToolCall) -> Result<ToolIntended, String> {
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
        let arguments: Value = serde_json::from_str(written)
            .map_err(|problem| format!("The arguments are not JSON: {problem}. The tool was not called."))?;
        let problems = json_schema::check(&tool.definition.input_schema, &arguments);
        if !problems.is_empty() {
            let problems = problems.join("; ");
            return Err(format!(
                "The arguments are wrong: {problems}. The tool was not called."
            ));
        }
        Ok(ToolIntended {
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
        })
    }

    /// The step of one call, told to the listener whether it runs or is recorded.
    async fn perform(&self, prepared: Prepared<'_>) -> Result<(), Stop> {
        let Prepared {
            step,
            call,
            intended,
            earlier,
        } = prepared;
        let (title, server) = match &intended {
            Ok(intended) => (intended.title.clone(), intended.server.clone()),
            Err(_) => (call.name.clone(), String::new()),
        };
        self.run.emit(EventKind::ToolStarted(ToolStarted {
            id: call.id.clone(),
            tool: call.name.clone(),
            title,
            server,
            arguments: self.run.progress(|progress| progress.report(call).arguments),
        }));
        let finished = |outcome| ToolFinished {
            step: step.clone(),
            call: call.id.clone(),
            outcome,
        };
        match intended {
            Err(reason) => {
                // Nothing runs, so nothing has to be durable before it.
                if self.run.progress(|progress| progress.tool(&step).is_none()) {
                    self.run
                        .record(Record::ToolFinished(finished(CallOutcome::NotRun(reason))))?;
                }
            }
            Ok(intended) => {
                let key = format!("{}/{step}", self.run.turn());
                let action = async || Ok(finished(self.call(&intended, key, earlier).await));
                self.run.step(&step, action).await?;
            }
        }
        self.run.emit(EventKind::ToolFinished(
            self.run.progress(|progress| progress.report(call)),
        ));
        Ok(())
    }

    /// Calls a tool, as often as its effect class allows, until the outcome is known.
    async fn call(&self, intended: &ToolIntended, key: String, earlier: bool) -> CallOutcome {
        let protected = intended.class != EffectClass::Unprotected;
        if earlier && !protected {
            return unknown("The server that made it was interrupted");
        }
        let caller = self.catalog.caller(&intended.server, &self.run.caller);
        let mut tries = 0;
        loop {
            tries += 1;
            let invocation = Invocation {
                tool: intended.tool.clone(),
                arguments: intended.arguments.clone(),
                idempotency_key: key.clone(),
                not_after: 0,
            };
            match self.tools.call(&intended.server, &caller, invocation).await {
                Ok(outcome) => return CallOutcome::Answered(self.cut(outcome)),
                Err(ToolError::NotRun(reason)) => {
                    // Not run this time; an earlier try may have been.
                    if tries == 1 && !earlier || intended.class == EffectClass::Read {
                        return CallOutcome::NotRun(format!("The tool could not be called: {reason}"));
                    }
                    return unknown(&reason);
                }
                Err(ToolError::Unknown(_)) if protected && tries < TRIES => {
                    self.environment.sleep(PAUSE << (tries - 1)).await;
                }
                Err(ToolError::Unknown(reason)) if intended.class == EffectClass::Read => {
                    return CallOutcome::NotRun(format!("The tool did not answer: {reason}"));
                }
                Err(ToolError::Unknown(reason)) => return unknown(&reason),
            }
        }
    }

    /// Cuts an outcome to the assistant's limit.
    fn cut(&self, mut outcome: ToolOutcome) -> ToolOutcome {
        let limit = self.run.assistant.limits.tool_result_chars;
        if let Some((end, _)) = outcome.content.char_indices().nth(limit) {
            outcome.content.truncate(end);
            outcome.content.push_str("\n… (the rest was cut off)");
        }
        // What is for programs cannot be cut; too large, it is left out.
        outcome.structured = outcome
            .structured
            .filter(|value| fits(value, limit.saturating_mul(4)));
        outcome
    }
}

/// What the model is told of a call that may have run and must not be repeated.
fn unknown(reason: &str) -> CallOutcome {
    CallOutcome::Unknown(format!(
        "It is unknown whether this call took effect ({reason}), and it was not repeated. Tell the user so, and do not call it again unless they ask for it."
    ))
}

/// Whether a value has at most so many bytes as JSON.
fn fits(value: &Value, limit: usize) -> bool {
    serde_json::to_vec(value).is_ok_and(|json| json.len() <= limit)
}
