//! The assistant of kind `four-prompt`: a model that makes commands of a message, and agents that carry them out.
//!
//! 1. `understand`: from the message, what was said before and what is noted, to commands for agents, in words;
//! 2. `interpret`: an agent, from a command and its working data, to calls of its tools;
//! 3. `reassess`: the agent, from what they have answered, to more calls, or to an answer in words;
//! 4. `update`: from the agents' answers to the reply and to notes for later; or to more commands.
//!
//! Commands that do not need each other's answers are carried out at the same time. Everything is a step of the turn
//! (`conversation::agents` names them), so it is durable, stopped, taken over and gated as in an assistant of kind
//! `agent`; the calls are made by the same code. Between the assistant and its agents there is nothing but words: what
//! an agent answers is cleared of the names of tools and of ids first (`clear`).
//!
//! A gate ends the work on its command. When nothing else can be done, the reply is a question, and the turn waits;
//! when everything is decided, the same turn goes on with exactly the call that was asked about.

mod clear;
mod requests;

use crate::agent::{Agent, withheld};
use crate::assistant::{Flow, SubAgent};
use crate::conversation::{Command, Progress, UNDERSTAND, prefix};
use crate::event::{Stage, StageStatus};
use crate::journal::ModelCalled;
use crate::port::{Environment, FinishReason, Model, ModelRequest, Tools};
use crate::run::Stop;
use crate::time::Local;
use anyturn_state::Store;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::pin::pin;

/// How often a reply may ask for more commands.
const ROUNDS: u32 = 3;

/// What an agent answers that has not come to an answer.
const NO_ANSWER: &str = "I could not finish this.";

/// A turn of such an assistant.
pub(crate) struct Work<'a, S, M, T, E> {
    agent: Agent<'a, S, M, T, E>,
    flow: &'a Flow,
    /// The user's time when the turn began.
    local_time: String,
    local: Local,
}

/// A command with who carries it out.
struct Task<'t> {
    command: &'t Command,
    /// What stands before its steps.
    prefix: String,
    /// The agent's number; none if there is no such agent.
    agent: Option<usize>,
}

/// What has become of a command.
enum Outcome {
    /// There is an answer.
    Answered,
    /// Somebody has to decide first.
    Waits,
}

impl<'a, S: Store, M: Model, T: Tools, E: Environment> Work<'a, S, M, T, E> {
    pub(crate) fn new(agent: Agent<'a, S, M, T, E>, flow: &'a Flow) -> Self {
        let local_time = agent.local_time();
        Work {
            local: Local::parse(&local_time),
            local_time,
            agent,
            flow,
        }
    }

    /// Answers the turn's message.
    pub(crate) async fn answer(&self) -> Result<(), Stop> {
        let run = self.agent.run;
        self.agent.undo_all().await?;
        if run.progress(|progress| progress.started.undo_only) {
            return Ok(());
        }
        let understand = || self.understand();
        self.ask(&self.agent, Stage::Understanding, None, UNDERSTAND, &understand)
            .await?;
        for round in 0..=ROUNDS {
            let commands: Vec<Command> = run.progress(Progress::commands);
            let commands: Vec<_> = commands.into_iter().filter(|of| of.round <= round).collect();
            let tasks = self.tasks(&commands);
            let waits = self.carry_out(&tasks).await?;
            let step = if waits {
                // After a decision that led to another gate there is another question.
                format!("update/{round}/waiting/{}", run.progress(Progress::decided))
            } else {
                format!("update/{round}")
            };
            let (asked, _) = run.progress(|progress| progress.spent(&step));
            let more = !waits && round < ROUNDS && asked < run.assistant.limits.steps;
            let update = || self.update(&tasks, more);
            let called = self
                .ask(&self.agent, Stage::Updating, None, &step, &update)
                .await?;
            if waits {
                return Err(Stop::Waiting);
            }
            if called.calls.is_empty() {
                break;
            }
        }
        Ok(())
    }

    fn tasks<'t>(&self, commands: &'t [Command]) -> Vec<Task<'t>> {
        let task = |(number, command): (usize, &'t Command)| Task {
            command,
            prefix: prefix(&command.agent, number),
            agent: self
                .flow
                .agents
                .iter()
                .position(|agent| agent.name == command.agent),
        };
        commands.iter().enumerate().map(task).collect()
    }

    /// Carries commands out, each as soon as those are answered that it needs. Whether any waits for a decision.
    async fn carry_out(&self, tasks: &[Task<'_>]) -> Result<bool, Stop> {
        let mut begun = vec![false; tasks.len()];
        let mut answered = vec![false; tasks.len()];
        let mut running = FuturesUnordered::new();
        let (mut waits, mut stop) = (false, None);
        loop {
            for (number, task) in tasks.iter().enumerate() {
                let ready = task
                    .command
                    .after
                    .iter()
                    .all(|after| answered.get(*after) == Some(&true));
                let begun = begun
                    .get_mut(number)
                    .filter(|begun| ready && !**begun && stop.is_none());
                if let Some(begun) = begun {
                    *begun = true;
                    running.push(async move { (number, self.carry_one_out(tasks, task).await) });
                }
            }
            // The others come to their next step, even where one has failed: what they did is known then.
            match running.next().await {
                None => break,
                Some((number, Ok(Outcome::Answered))) => {
                    if let Some(answered) = answered.get_mut(number) {
                        *answered = true;
                    }
                }
                Some((_, Ok(Outcome::Waits))) => waits = true,
                Some((_, Err(lost @ Stop::Lost(_)))) => return Err(lost),
                Some((_, Err(other))) => stop = Some(stop.unwrap_or(other)),
            }
        }
        stop.map_or(Ok(waits), Err)
    }

    /// Carries a command out, from where it is.
    async fn carry_one_out(&self, tasks: &[Task<'_>], task: &Task<'_>) -> Result<Outcome, Stop> {
        let of = task.agent.and_then(|agent| {
            self.flow
                .agents
                .get(agent)
                .zip(self.agent.catalog.of_agent(agent))
        });
        let Some((sub, catalog)) = of.filter(|_| !task.command.text.is_empty()) else {
            return Ok(Outcome::Answered);
        };
        let run = self.agent.run;
        let tell = |status| run.tell_progress(Stage::Working, Some(&sub.name), status);
        let done = run.progress(|progress| answer(progress, &task.prefix).is_some());
        if done {
            return Ok(Outcome::Answered);
        }
        tell(StageStatus::Started);
        let own = run.span.agent(&sub.name, &run.caller.session, &task.prefix);
        let span = own.as_ref().unwrap_or(&run.span);
        let agent = Agent {
            catalog,
            span,
            ..self.agent
        };
        let work = pin!(self.work_on(&agent, sub, tasks, task));
        let outcome = span.around(work).await;
        if let Some(own) = &own {
            own.agent_ended(outcome.as_ref().map(|outcome| matches!(outcome, Outcome::Waits)));
        }
        tell(match &outcome {
            Ok(Outcome::Answered) => StageStatus::Finished,
            Ok(Outcome::Waits) => StageStatus::Waiting,
            Err(_) => StageStatus::Failed,
        });
        outcome
    }

    async fn work_on(
        &self,
        agent: &Agent<'_, S, M, T, E>,
        sub: &SubAgent,
        tasks: &[Task<'_>],
        task: &Task<'_>,
    ) -> Result<Outcome, Stop> {
        let limits = agent.run.assistant.limits;
        let mut calls = 0;
        for iteration in 0..=sub.iterations {
            let step = match iteration {
                0 => format!("{}interpret", task.prefix),
                again => format!("{}reassess/{again}", task.prefix),
            };
            let (asked, spent) = agent.run.progress(|progress| progress.spent(&step));
            let allowed = sub
                .tool_calls
                .saturating_sub(calls)
                .min(limits.tool_calls.saturating_sub(spent));
            let may_call =
                iteration < sub.iterations && allowed > 0 && asked.saturating_add(1) < limits.steps;
            let request = || self.command(agent, sub, tasks, task, iteration > 0, may_call);
            let called = if iteration == 0 {
                agent.ask(&step, &request).await?
            } else {
                self.ask(agent, Stage::Reassessing, Some(&sub.name), &step, &request)
                    .await?
            };
            if called.calls.is_empty() {
                break;
            }
            match agent.call_tools(&step, &called.calls, allowed).await {
                Ok(()) => {}
                Err(Stop::Waiting) => {
                    if called.text.trim().is_empty() {
                        let step = format!("{}waiting/{iteration}", task.prefix);
                        let request = || self.command(agent, sub, tasks, task, true, false);
                        agent.ask(&step, &request).await?;
                    }
                    return Ok(Outcome::Waits);
                }
                Err(stop) => return Err(stop),
            }
            calls = calls.saturating_add(u32::try_from(called.calls.len()).unwrap_or(u32::MAX));
        }
        Ok(Outcome::Answered)
    }

    /// The step of a model call of `agent`, told as a stage unless its outcome is recorded.
    async fn ask(
        &self,
        agent: &Agent<'_, S, M, T, E>,
        stage: Stage,
        of: Option<&str>,
        step: &str,
        request: &dyn Fn() -> ModelRequest,
    ) -> Result<ModelCalled, Stop> {
        let run = agent.run;
        let recorded = run.progress(|progress| progress.model(step).is_some());
        let tell = |status| {
            if !recorded {
                run.tell_progress(stage, of, status);
            }
        };
        tell(StageStatus::Started);
        let called = agent.ask(step, request).await.and_then(|called| {
            let refused = called.calls.is_empty() && called.reason == FinishReason::ContentFilter;
            if refused { Err(withheld()) } else { Ok(called) }
        });
        tell(match &called {
            Ok(_) => StageStatus::Finished,
            Err(_) => StageStatus::Failed,
        });
        called
    }
}

/// What an agent has answered to a command; none before it has.
fn answer<'p>(progress: &'p Progress, prefix: &'p str) -> Option<&'p str> {
    let (step, last) = progress.steps_of(prefix).last()?;
    let answered = last.calls.is_empty() && !step.starts_with("waiting/");
    answered.then(|| match last.text.trim() {
        "" => NO_ANSWER,
        text => text,
    })
}
