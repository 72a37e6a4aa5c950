//! What an assistant of several agents did in a turn, and what it knows beyond it, as the journal tells it.
//!
//! Its steps are paths. `understand` makes commands of a message, counted from 0 through the turn. `<agent>/<command>/`
//! is what stands before the steps of one: `interpret`, `reassess/<n>`, and `waiting/<n>` where the agent says what it
//! waits for. `update/<round>` writes the reply, or more commands; `update/<round>/waiting/<n>` the question that a
//! turn asks which waits. The calls that a step wants are in `<step>/tool/<n>`.
//!
//! Nothing of it has records of its own: commands, notes and working data are read out of what the model and the tools
//! have answered, so a journal that is replayed gives the same.

use super::{End, Progress};
use crate::journal::{CallOutcome, ModelCalled, ToolFinished};
use crate::port::{EffectClass, Message, ToolOutcome};
use serde::Serialize;
use serde_json::Value;

/// The step in which a message is understood.
pub(crate) const UNDERSTAND: &str = "understand";

/// The line after which a reply holds notes for later, which are not told.
const NOTES: &str = "[notes]";

/// The most commands of one turn; what is wanted beyond them is not done.
const MOST_COMMANDS: usize = 12;

/// The most bytes of notes.
const LARGEST_NOTES: usize = 4 << 10;

/// The most bytes of one result in the working data, and of all of an agent's.
const LARGEST_RESULT: usize = 8 << 10;
const LARGEST_DOMAIN: usize = 12 << 10;

/// The most calls that are remembered of an agent.
const MOST_CALLS: usize = 16;

/// The step of a call that the model wanted in a step, at its place.
pub(crate) fn tool_step(step: &str, place: u32) -> String {
    match step.strip_prefix("model/") {
        Some(number) => format!("tool/{number}/{place}"),
        None => format!("{step}/tool/{place}"),
    }
}

/// Whether a step is the assistant's own, whose calls are commands and no calls of tools.
pub(super) fn is_master(step: &str) -> bool {
    step == UNDERSTAND || step.starts_with("update/")
}

/// Whether a step is an agent's.
pub(super) fn is_sub(step: &str) -> bool {
    !is_master(step) && !step.starts_with("model/")
}

/// Whether what the model said in this step is the question for what a turn waits for.
pub(crate) fn asks(step: &str) -> bool {
    step.starts_with("update/") && step.contains("/waiting/")
}

/// What of a step's text is for the user; of a text that is not `complete`, as much as is certain by now.
pub(crate) fn spoken<'t>(step: &str, text: &'t str, complete: bool) -> &'t str {
    if step.starts_with("model/") {
        return text;
    }
    if !step.starts_with("update/") {
        return "";
    }
    let said = match notes_at(text) {
        Some(at) => text.get(..at),
        None => {
            let line = text.rfind('\n').map_or(0, |end| end + 1);
            let begun = text.get(line..).is_some_and(|line| NOTES.starts_with(line));
            text.get(..line).filter(|_| begun && !complete)
        }
    };
    said.unwrap_or(text).trim_end()
}

/// Where the line of the notes begins.
fn notes_at(text: &str) -> Option<usize> {
    let lines = text.match_indices(NOTES).map(|(at, _)| at);
    lines.into_iter().find(|at| {
        text.get(..*at)
            .is_some_and(|before| before.is_empty() || before.ends_with('\n'))
    })
}

/// The notes of a reply, if it has any.
fn notes(text: &str) -> Option<&str> {
    let notes = text.get(notes_at(text)? + NOTES.len()..)?.trim();
    Some(cut(notes, LARGEST_NOTES))
}

/// The beginning of a text, of at most so many bytes.
fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// Something that an agent was asked to do, in words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Command {
    /// The agent's name, as the model wrote it.
    pub agent: String,
    /// What is to be done.
    pub text: String,
    /// The numbers of the commands, all smaller than its own, whose answers it needs.
    pub after: Vec<usize>,
    /// After how many replies that wanted more it was given.
    pub round: u32,
    /// How far it is.
    pub status: Status,
}

/// How far a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It has not begun.
    Queued,
    /// It is under way.
    Running,
    /// Somebody has to decide first.
    Waiting,
    /// The agent has answered.
    Finished,
    /// The turn ended before it did.
    Dropped,
}

impl Status {
    /// All of them, in the order of their numbers in a snapshot.
    pub(super) const ALL: [Status; 5] = [
        Status::Queued,
        Status::Running,
        Status::Waiting,
        Status::Finished,
        Status::Dropped,
    ];
}

impl Progress {
    /// What agents were asked for so far.
    pub(crate) fn commands(&self) -> Vec<Command> {
        let mut commands = Vec::new();
        for model in &self.models {
            let round = match model.step.strip_prefix("update/") {
                None if model.step == UNDERSTAND => Some(0),
                round => round
                    .and_then(|round| round.parse::<u32>().ok())
                    .map(|round| round + 1),
            };
            let Some(round) = round else { continue };
            let first = commands.len();
            for call in &model.calls {
                let number = commands.len();
                if number >= MOST_COMMANDS {
                    break;
                }
                let written: Value = anyturn_json::from_str(&call.arguments).unwrap_or_default();
                let after = written.get("after").and_then(Value::as_array);
                let after = after.into_iter().flatten().filter_map(|place| {
                    let place = usize::try_from(place.as_u64()?).ok()?.checked_sub(1)?;
                    Some(first + place).filter(|after| *after < number)
                });
                commands.push(Command {
                    after: after.collect(),
                    text: text_of(&written, "command").trim().to_owned(),
                    agent: call.name.clone(),
                    round,
                    status: self.status(&prefix(&call.name, number)),
                });
            }
        }
        commands
    }

    fn status(&self, prefix: &str) -> Status {
        let Some((step, model)) = self.steps_of(prefix).last() else {
            return Status::Queued;
        };
        let waits = |call: &str| self.gate_of(call).is_some_and(super::Gated::is_open);
        if model.calls.is_empty() && !step.starts_with("waiting/") {
            Status::Finished
        } else if self
            .steps_of(prefix)
            .any(|(_, model)| model.calls.iter().any(|call| waits(&call.id)))
        {
            Status::Waiting
        } else {
            Status::Running
        }
    }

    /// The steps in which the model was called that begin with a prefix, without it.
    pub(crate) fn steps_of<'p>(
        &'p self,
        prefix: &'p str,
    ) -> impl Iterator<Item = (&'p str, &'p ModelCalled)> {
        let models = self.models.iter();
        models.filter_map(move |model| Some((model.step.strip_prefix(prefix)?, model)))
    }

    /// What an agent has done for a command so far, as its model sees it.
    pub(crate) fn worked(&self, prefix: &str) -> Vec<Message> {
        let mut messages = Vec::new();
        let steps = self.steps_of(prefix);
        let steps = steps.filter(|(step, _)| !step.starts_with("waiting/"));
        self.exchange(steps.map(|(_, model)| model), &mut messages);
        messages
    }

    /// The agent that wants a call made.
    pub(crate) fn agent_of(&self, call: &str) -> Option<&str> {
        let mut models = self.models.iter().filter(|model| is_sub(&model.step));
        let model = models.find(|model| model.calls.iter().any(|of| of.id == call))?;
        Some(model.step.split_once('/')?.0)
    }

    /// How often the model was called before a step, and how many calls of tools it wanted by then.
    pub(crate) fn spent(&self, step: &str) -> (u32, u32) {
        let before = || self.models.iter().take_while(|model| model.step != step);
        let calls = before().filter(|model| is_sub(&model.step));
        let calls = calls.map(|model| model.calls.len()).sum::<usize>();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        (count(before().count()), count(calls))
    }

    /// How many of its gates are decided.
    pub(crate) fn decided(&self) -> usize {
        self.gates.iter().filter(|gated| !gated.is_open()).count()
    }
}

/// What stands before the steps of a command.
pub(crate) fn prefix(agent: &str, number: usize) -> String {
    format!("{agent}/{number}/")
}

fn text_of<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// What an assistant of several agents knows beyond single turns.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Domains {
    /// What it has noted for itself.
    pub notes: String,
    /// What the agents were asked for in the latest turn.
    pub commands: Vec<Command>,
    /// What each agent knows.
    pub known: Vec<Domain>,
}

/// What an agent knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Domain {
    pub agent: String,
    /// What its tools have answered, the latest last.
    pub working: Vec<Found>,
    /// The titles of the tools that it has called, the latest last, and whether that worked.
    pub calls: Vec<(String, bool)>,
    /// What it has changed last: the tool's title; empty if nothing.
    pub last_action: String,
}

/// What a tool has answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// The call.
    pub call: String,
    /// The tool's title.
    pub title: String,
    /// JSON.
    pub data: String,
}

impl Domains {
    /// Whether there is nothing to be remembered.
    pub(super) fn is_empty(&self) -> bool {
        *self == Domains::default()
    }

    /// What an agent knows, if it does.
    pub(crate) fn of(&self, agent: &str) -> Option<&Domain> {
        self.known.iter().find(|domain| domain.agent == agent)
    }

    /// Takes in how far a turn has come.
    pub(super) fn follow(&mut self, turn: &Progress) {
        if turn.model(UNDERSTAND).is_none() {
            return;
        }
        self.commands = turn.commands();
        let open = |status| matches!(status, Status::Queued | Status::Running);
        let end = match &turn.end {
            None | Some(End::Waiting) => None,
            Some(End::Finished) => Some(Status::Finished),
            Some(End::Failed { .. } | End::Stopped { .. } | End::Abandoned) => Some(Status::Dropped),
        };
        for command in self.commands.iter_mut().filter(|command| open(command.status)) {
            command.status = end.unwrap_or(command.status);
        }
        if let Some(notes) = turn.models.last().and_then(|model| notes(&model.text)) {
            self.notes = notes.to_owned();
        }
    }

    /// Takes in what came of a call of a tool.
    pub(super) fn finish(&mut self, turn: &Progress, finished: &ToolFinished) {
        let agent = finished
            .step
            .split_once('/')
            .filter(|(_, rest)| rest.contains("/tool/"));
        let (Some((agent, _)), Some(intended)) = (agent, turn.intended(&finished.call)) else {
            return;
        };
        let at = self.known.iter().position(|domain| domain.agent == agent);
        let at = at.unwrap_or_else(|| {
            self.known.push(Domain {
                agent: agent.to_owned(),
                ..Domain::default()
            });
            self.known.len() - 1
        });
        let Some(domain) = self.known.get_mut(at) else {
            return;
        };
        let answered = match &finished.outcome {
            CallOutcome::Answered(outcome) if !outcome.is_error => Some(outcome),
            CallOutcome::Answered(_) | CallOutcome::NotRun(_) | CallOutcome::Unknown(_) => None,
        };
        domain.calls.push((intended.title.clone(), answered.is_some()));
        let surplus = domain.calls.len().saturating_sub(MOST_CALLS);
        domain.calls.drain(..surplus);
        let Some(outcome) = answered else { return };
        if intended.class != EffectClass::Read {
            domain.last_action.clone_from(&intended.title);
        }
        domain.working.push(Found {
            call: finished.call.clone(),
            title: intended.title.clone(),
            data: data(outcome),
        });
        let weight = |working: &[Found]| working.iter().map(|found| found.data.len()).sum::<usize>();
        while weight(&domain.working) > LARGEST_DOMAIN {
            domain.working.remove(0);
        }
    }
}

/// What a tool has answered, as JSON that is not too large: the largest lists lose what is last.
pub(super) fn data(outcome: &ToolOutcome) -> String {
    let Some(mut value) = outcome.structured.clone() else {
        return Value::from(cut(&outcome.content, LARGEST_RESULT)).to_string();
    };
    loop {
        let text = value.to_string();
        let lists = match &mut value {
            _ if text.len() <= LARGEST_RESULT => return text,
            Value::Array(list) => vec![list],
            Value::Object(members) => members.values_mut().filter_map(Value::as_array_mut).collect(),
            _ => Vec::new(),
        };
        let size = |list: &Vec<Value>| list.iter().map(|item| item.to_string().len()).sum::<usize>();
        match lists.into_iter().max_by_key(|list| size(list)) {
            Some(list) if !list.is_empty() => {
                let fits = list.len() * LARGEST_RESULT / text.len();
                list.truncate(fits.min(list.len() - 1));
            }
            _ => return Value::from(cut(&outcome.content, LARGEST_RESULT)).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn notes_are_not_told_and_everything_else_is() {
        let said = |text| spoken("update/0", text, true);
        assert_eq!(said("Done.\n\n[notes]\nSarah is Sarah Chen."), "Done.");
        assert_eq!(said("[notes]\nx"), "");
        assert_eq!(said("See [notes] there."), "See [notes] there.");
        assert_eq!(notes("Done.\n[notes]\n a \n"), Some("a"));
        assert_eq!(notes("Done."), None);
        assert_eq!(spoken("model/0", "a\n[notes]\nb", true), "a\n[notes]\nb");
        for step in [UNDERSTAND, "email/0/interpret", "email/0/reassess/1"] {
            assert_eq!(spoken(step, "I think", true), "");
        }
    }

    proptest! {
        #[test]
        fn what_was_told_stays_told(text in "(a| |\n|\\[|notes|\\]|\\[notes\\]){0,12}") {
            let mut told = "";
            let ends = (0..=text.len()).filter(|end| text.is_char_boundary(*end));
            for end in ends {
                let now = spoken("update/0", &text[..end], false);
                prop_assert!(now.starts_with(told), "{now:?} after {told:?}");
                told = now;
            }
            prop_assert!(spoken("update/0", &text, true).starts_with(told));
        }
    }

    #[test]
    fn what_is_too_large_loses_the_end_of_its_largest_list() {
        let outcome = |structured| ToolOutcome {
            content: "much".into(),
            structured: Some(structured),
            ..ToolOutcome::default()
        };
        let item = |n: usize| json!({"id": n, "text": "x".repeat(100)});
        let all: Vec<Value> = (0..500).map(item).collect();
        let kept = data(&outcome(json!({"count": 500, "emails": all, "more": [1]})));
        assert!(
            kept.len() <= LARGEST_RESULT && kept.len() > LARGEST_RESULT / 2,
            "{}",
            kept.len()
        );
        let kept: Value = serde_json::from_str(&kept).unwrap();
        assert_eq!(
            (&kept["count"], &kept["more"], &kept["emails"][3]["id"]),
            (&json!(500), &json!([1]), &json!(3))
        );
        assert_eq!(
            data(&outcome(json!({"text": "y".repeat(LARGEST_RESULT)}))),
            "\"much\""
        );
    }
}
