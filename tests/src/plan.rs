//! Turns that say themselves which tools are called in them.
//!
//! The message of such a turn is a [`Plan`], and [`model`] is a model that carries it out: what it answers
//! depends on the conversation alone. So a turn goes the same way however often it is interrupted, on
//! however many instances, and beside however many others.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::effect_server::Class;
use crate::fake_provider::{Answer, Completion};
use crate::hold::Holds;

/// What a turn is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The tools to call: after each step the model sees the results.
    pub steps: Vec<Vec<Call>>,
    /// What to say in the end.
    pub answer: String,
    /// Milliseconds before each answer of the model.
    #[serde(default)]
    pub thinking: u64,
    /// Milliseconds between the words of the last answer.
    #[serde(default)]
    pub pause: u64,
}

/// A call to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Of which tool.
    pub class: Class,
    /// What it is about.
    pub label: String,
    /// Milliseconds between its arrival and its effect.
    #[serde(default)]
    pub before: u64,
    /// Milliseconds between its effect and its answer.
    #[serde(default)]
    pub after: u64,
}

impl Plan {
    /// A plan of one call.
    pub fn of_one(class: Class, label: &str) -> Self {
        Self {
            steps: vec![vec![Call::new(class, label)]],
            answer: format!("finished {label}"),
            ..Self::default()
        }
    }

    /// The message that says it.
    pub fn message(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| panic!("a plan becomes JSON: {error}"))
    }

    /// The place at which the model's answer number `step` (from 0) can be held.
    pub fn asking(&self, step: usize) -> String {
        format!("{}: model/{step}", self.answer)
    }

    /// The place, a few words into the last answer, at which the model can be held.
    pub fn midway(&self) -> String {
        format!("{}: midway", self.answer)
    }

    /// All calls.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.steps.iter().flatten()
    }
}

impl Call {
    /// A call that takes no time.
    pub fn new(class: Class, label: &str) -> Self {
        Self {
            class,
            label: label.to_owned(),
            before: 0,
            after: 0,
        }
    }
}

/// What the model says when it was told that nobody knows whether a call took effect.
pub const ASKS: &str = "It is unknown whether that was done. Shall I do it again?";

/// What it says when it was told that a call was not made.
pub const NOT_MADE: &str = "That could not be done.";

/// A model that carries out the plan of the last message: for [`FakeProvider::answer_by`].
///
/// [`FakeProvider::answer_by`]: crate::fake_provider::FakeProvider::answer_by
pub fn model(holds: Holds) -> impl Fn(&Completion) -> Answer {
    move |request| answer(request, &holds)
}

fn answer(request: &Completion, holds: &Holds) -> Answer {
    let messages = request.messages();
    let asked = messages.iter().rposition(|message| message["role"] == "user");
    let Some(plan) = asked.and_then(|at| messages.get(at)?.get("content")?.as_str()) else {
        return Answer::text("There is no plan.");
    };
    let plan: Plan = match serde_json::from_str(plan) {
        Ok(plan) => plan,
        Err(error) => return Answer::text(&format!("That is no plan: {error}.")),
    };
    let since = messages.iter().skip(asked.unwrap_or(0) + 1);
    let done = since
        .clone()
        .filter(|message| message["tool_calls"].is_array())
        .count();
    let results: Vec<&str> = since
        .filter(|message| message["role"] == "tool")
        .filter_map(|message| message["content"].as_str())
        .collect();
    let thinking = |answer: Answer| {
        answer
            .after(Duration::from_millis(plan.thinking))
            .held(holds.come(&plan.asking(done)))
    };
    if let Some(step) = plan.steps.get(done) {
        let mut calls = step.iter().map(|call| {
            let arguments =
                serde_json::json!({ "label": call.label, "before": call.before, "after": call.after });
            (call.class.tool(), arguments.to_string())
        });
        let (name, arguments) = calls
            .next()
            .unwrap_or_else(|| panic!("a step has a call: {plan:?}"));
        let first = Answer::tool_call(name, &arguments);
        return thinking(calls.fold(first, |answer, (name, arguments)| {
            answer.and_tool_call(name, &arguments)
        }));
    }
    let text = if results.iter().any(|result| result.contains("unknown whether")) {
        ASKS
    } else if results.iter().any(|result| !result.starts_with("done: ")) {
        NOT_MADE
    } else {
        &plan.answer
    };
    thinking(Answer::text(text))
        .slowly(Duration::from_millis(plan.pause))
        .comes_after(4, holds, plan.midway())
}
