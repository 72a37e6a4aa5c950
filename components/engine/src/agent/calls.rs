//! The tool calls of one answer: what each means, whether it may run, and what came of it.
//!
//! A risky call opens a gate instead of running. It and all calls after it wait until every gate is decided;
//! the calls before it are made. What is made of a call that was approved is exactly what the gate holds.
//!
//! Intentions are recorded before anything runs. Calls that only read run at the same time; if any of them
//! may change something, all run in the order in which the model wants them.

use super::Agent;
use super::plan::Plan;
use crate::conversation::tool_step;
use crate::event::ToolStarted;
use crate::journal::writer::Longer;
use crate::journal::{CallOutcome, Record, ToolFinished, ToolIntended};
use crate::port::{
    Caller, Checked, EffectClass, Environment, Invocation, Model, ToolCall, ToolError, ToolOutcome, Tools,
};
use crate::run::Stop;
use anyturn_state::Store;
use futures::future::{Either, select};
use serde_json::Value;
use std::future::Future;
use std::pin::pin;

/// How often a call that may be repeated is made when the tool does not answer.
const TRIES: u32 = 3;

/// Milliseconds before a call is repeated.
const PAUSE: u64 = 100;

/// How often a call is made again, with a longer lease each time, that took longer than the one it had.
const LATE_TRIES: u32 = 3;

/// The longest lease that a call may need, in milliseconds: so long may pass before another instance goes on with
/// the turn should this one die meanwhile.
const LONGEST_LEASE: u64 = 10 * 60 * 1000;

/// Milliseconds that a call which may change something gets to tell its outcome when the turn is stopped.
const PATIENCE: u64 = 5_000;

/// A call about to be made, or refused.
struct Prepared<'c> {
    step: String,
    call: &'c ToolCall,
    plan: Plan,
    /// Whether the intention was recorded before this instance went on with the turn, so that the call may
    /// have been made.
    earlier: bool,
}

impl<S: Store, M: Model, T: Tools, E: Environment> Agent<'_, S, M, T, E> {
    /// Makes the calls that the model wanted in a step, at most `allowed`. Each has an outcome afterwards, unless decisions are
    /// waited for ([`Stop::Waiting`]).
    pub(crate) async fn call_tools(&self, step: &str, calls: &[ToolCall], allowed: u32) -> Result<(), Stop> {
        let mut prepared = Vec::with_capacity(calls.len());
        let mut waits = false;
        for (number, call) in (0u32..).zip(calls) {
            let step = tool_step(step, number);
            let (plan, earlier) = self.plan(call, number < allowed, waits)?;
            if matches!(plan, Plan::Wait) {
                waits = true;
            }
            if !waits {
                prepared.push(Prepared {
                    step,
                    call,
                    plan,
                    earlier,
                });
            }
        }
        let reads = |prepared: &Prepared<'_>| match &prepared.plan {
            Plan::Make(intended) => intended.class == EffectClass::Read,
            Plan::Refuse(_) | Plan::Wait => true,
        };
        if prepared.iter().all(reads) {
            futures::future::try_join_all(prepared.into_iter().map(|call| self.perform(call))).await?;
        } else {
            for call in prepared {
                self.perform(call).await?;
            }
        }
        if waits { Err(Stop::Waiting) } else { Ok(()) }
    }

    /// The step of one call, told to the listener whether it runs or is recorded.
    async fn perform(&self, prepared: Prepared<'_>) -> Result<(), Stop> {
        let Prepared {
            step,
            call,
            plan,
            earlier,
        } = prepared;
        let (title, server) = match &plan {
            Plan::Make(intended) => (intended.title.clone(), intended.server.clone()),
            Plan::Refuse(_) | Plan::Wait => {
                let gated = self.run.progress(|progress| progress.gate_of(&call.id).cloned());
                gated.map_or((call.name.clone(), String::new()), |gated| {
                    (gated.opened.title, gated.opened.server)
                })
            }
        };
        self.run.tell_started(ToolStarted {
            id: call.id.clone(),
            tool: call.name.clone(),
            title,
            server,
            arguments: self.run.progress(|progress| progress.report(call).arguments),
        });
        let finished = |outcome| ToolFinished {
            step: step.clone(),
            call: call.id.clone(),
            undo_until: self.undo_until(&outcome),
            outcome,
        };
        match plan {
            Plan::Wait => return Ok(()),
            Plan::Refuse(reason) => {
                // Nothing runs, so nothing has to be durable before it.
                if self.run.progress(|progress| progress.tool(&step).is_none()) {
                    self.run
                        .record(Record::ToolFinished(finished(CallOutcome::NotRun(reason))))?;
                }
            }
            Plan::Make(intended) => {
                let key = format!("{}/{step}", self.run.turn());
                let _longer = self.longer(&intended.server);
                let action = async || Ok(finished(self.call(&intended, key, earlier).await?));
                self.run.step(&step, action).await?;
            }
        }
        self.run
            .tell_finished(self.run.progress(|progress| progress.report(call)));
        Ok(())
    }

    /// Calls a tool, as often as its effect class allows, until the outcome is known. Not for ever when the turn
    /// is stopped meanwhile: what only reads is left at once, anything else gets a moment to tell its outcome.
    pub(super) async fn call(
        &self,
        intended: &ToolIntended,
        key: String,
        earlier: bool,
    ) -> Result<CallOutcome, Stop> {
        self.run.making(&intended.call);
        let reads = intended.class == EffectClass::Read;
        let patience = async {
            self.run.stopped().await;
            if !reads {
                self.environment.sleep(PATIENCE).await;
            }
        };
        let step = key.split_once('/').map_or("", |(_, step)| step);
        let span = self.span.tool(step, intended);
        let making = pin!(self.make(intended, key.clone(), earlier));
        let outcome = match select(span.around(making), pin!(patience)).await {
            Either::Left((outcome, _)) => outcome?,
            Either::Right(_) if reads => {
                CallOutcome::NotRun("The turn was stopped before the tool answered.".to_owned())
            }
            Either::Right(_) => unknown("The turn was stopped before it answered"),
        };
        span.tool_ended(&outcome);
        Ok(outcome)
    }

    /// The time that calls of a server's tools may take, in milliseconds; none if nobody has said.
    fn timeout(&self, server: &str) -> Option<u64> {
        let mut sources = self.run.assistant.sources();
        sources
            .find(|source| source.server == server)
            .and_then(|source| source.timeout)
    }

    /// Asks for a lease that lasts until a call of a server's tool has had its time. Said before the intention is
    /// written, it costs no write of its own.
    pub(super) fn longer(&self, server: &str) -> Option<Longer<'_>> {
        let lease = self.run.lease();
        let timeout = self.timeout(server)?;
        Some(lease.longer(timeout.saturating_add(lease.usual()).min(LONGEST_LEASE)))
    }

    /// What a call comes to, or that it has had its time.
    async fn in_time(
        &self,
        timeout: Option<u64>,
        call: impl Future<Output = Result<ToolOutcome, ToolError>>,
    ) -> Result<ToolOutcome, ToolError> {
        let Some(timeout) = timeout else {
            return call.await;
        };
        match select(pin!(call), pin!(self.environment.sleep(timeout))).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => {
                let seconds = timeout.div_ceil(1000);
                Err(ToolError::Unknown(format!(
                    "it did not answer within {seconds} s"
                )))
            }
        }
    }

    async fn make(&self, intended: &ToolIntended, key: String, earlier: bool) -> Result<CallOutcome, Stop> {
        let timeout = self.timeout(&intended.server);
        let caller = self.catalog.caller(&intended.server, &self.run.caller);
        let mut invocation = Invocation {
            tool: intended.tool.clone(),
            arguments: intended.arguments.clone(),
            idempotency_key: key,
            not_after: 0,
        };
        // Whether a call before the present one may have taken effect.
        let mut before = earlier;
        let mut tries = 0;
        let mut late = 0;
        // What the call needs, once it has turned out to need more than it had.
        let mut longer = None;
        loop {
            tries += 1;
            if before && let Some(outcome) = self.settle(intended, &caller, &invocation).await {
                return Ok(outcome);
            }
            invocation.not_after = self.run.deadline().await?;
            let (began, lease) = (self.environment.now(), self.run.lease().granted());
            let call = self.tools.call(&intended.server, &caller, invocation.clone());
            let reason = match self.in_time(timeout, call).await {
                Ok(outcome) => return Ok(CallOutcome::Answered(self.cut(outcome))),
                // Nothing has happened, and the turn is still this instance's, or the next deadline says otherwise:
                // the tool gets more time.
                Err(ToolError::TooLate(_))
                    if late < LATE_TRIES && lease < LONGEST_LEASE && !self.run.is_stopped() =>
                {
                    late += 1;
                    tries -= 1;
                    let twice = lease.saturating_mul(2).min(LONGEST_LEASE);
                    longer.replace(self.run.lease().longer(twice));
                    continue;
                }
                Err(ToolError::NotRun(reason) | ToolError::TooLate(reason)) => {
                    // Not run this time; an earlier try may have been, unless it is known that it was not.
                    let harmless = matches!(intended.class, EffectClass::Read | EffectClass::Verifiable);
                    return Ok(if harmless || !before {
                        CallOutcome::NotRun(format!("The tool could not be called: {reason}"))
                    } else {
                        unknown(&reason)
                    });
                }
                Err(ToolError::Unknown(reason)) => reason,
            };
            before = true;
            if intended.class == EffectClass::Verifiable {
                // It may be under way still, and take effect right after a check has found nothing. The lease that
                // it was made under cannot last longer than this from then on, so nor can the call's last moment.
                let passed = self.environment.now().saturating_sub(began);
                self.environment.sleep(lease.saturating_sub(passed)).await;
            }
            match intended.class {
                EffectClass::Read if tries >= TRIES => {
                    return Ok(CallOutcome::NotRun(format!("The tool did not answer: {reason}")));
                }
                EffectClass::Unprotected => return Ok(unknown(&reason)),
                EffectClass::Idempotent if tries >= TRIES => return Ok(unknown(&reason)),
                EffectClass::Verifiable if tries >= TRIES => {
                    let settled = self.settle(intended, &caller, &invocation).await;
                    let never = || CallOutcome::NotRun(format!("The tool did not answer: {reason}"));
                    return Ok(settled.unwrap_or_else(never));
                }
                EffectClass::Read | EffectClass::Idempotent | EffectClass::Verifiable => {
                    self.environment.sleep(PAUSE << (tries - 1)).await;
                }
            }
        }
    }

    /// What is known of a call that may have been made; `None` if it may be made (again).
    async fn settle(
        &self,
        intended: &ToolIntended,
        caller: &Caller,
        invocation: &Invocation,
    ) -> Option<CallOutcome> {
        match intended.class {
            EffectClass::Read | EffectClass::Idempotent => None,
            EffectClass::Unprotected => Some(unknown("The server that made it was interrupted")),
            EffectClass::Verifiable => {
                let check = self.tools.check(&intended.server, caller, invocation.clone());
                match check.await {
                    Ok(Checked::Happened(outcome)) => Some(CallOutcome::Answered(self.cut(outcome))),
                    Ok(Checked::NotHappened) => None,
                    Ok(Checked::Unknown) => Some(unknown("The tool cannot tell")),
                    Err(
                        ToolError::NotRun(reason) | ToolError::TooLate(reason) | ToolError::Unknown(reason),
                    ) => Some(unknown(&reason)),
                }
            }
        }
    }

    /// Until when what a call did can be undone.
    fn undo_until(&self, outcome: &CallOutcome) -> Option<u64> {
        match outcome {
            CallOutcome::Answered(outcome) if !outcome.is_error && !outcome.inverses.is_empty() => {
                Some(self.environment.now().saturating_add(self.undo))
            }
            CallOutcome::Answered(_) | CallOutcome::NotRun(_) | CallOutcome::Unknown(_) => None,
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
