//! Tools that remember what they did.

use super::executor::yield_once;
use crate::port::*;
use anyturn_state::memory::ManualClock;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// The tools `read`, `once` (idempotent), `sure` (verifiable) and `risky` (unprotected) of any server; each takes a
/// number `n`. `once` and `sure` name the call of `risky` with the same number as what undoes them. No effect
/// happens after the last moment that its call allows.
#[derive(Clone, Default)]
pub(super) struct RecordingTools {
    /// Every call that reached a tool: its name and its idempotency key.
    pub calls: Rc<RefCell<Vec<(String, String)>>>,
    /// How often a key took effect.
    pub effects: Rc<RefCell<BTreeMap<String, u32>>>,
    /// Keys that were asked about.
    pub checks: Rc<RefCell<Vec<String>>>,
    /// A server that cannot tell what became of calls.
    pub forgetful: Rc<Cell<bool>>,
    /// The clock of the store, by which tools refuse what comes too late.
    pub clock: Rc<RefCell<Option<ManualClock>>>,
    /// How long a call takes before its effect.
    pub duration: Rc<Cell<u64>>,
    /// What the next calls give instead; `true`: after they took effect.
    pub failures: Rc<RefCell<VecDeque<(bool, ToolError)>>>,
    /// Who asked.
    pub callers: Rc<RefCell<Vec<Caller>>>,
    /// How many calls are under way, and how many were at most.
    pub under_way: Rc<Cell<(u32, u32)>>,
    /// The list cannot be had.
    pub unlisted: Rc<Cell<bool>>,
    /// The list takes so long, by this clock.
    pub slow: Rc<RefCell<Option<(ManualClock, u64)>>>,
    /// What tools answer, if not "… n is done".
    pub answer: Rc<RefCell<Option<ToolOutcome>>>,
    /// More tools.
    pub more: Rc<RefCell<Vec<ToolDefinition>>>,
    /// What every call was made with, by its idempotency key.
    pub arguments: Rc<RefCell<Vec<(String, Value)>>>,
    /// By which tool, and how many calls of it, a tool's calls are undone.
    pub inverses: Rc<RefCell<BTreeMap<String, (String, usize)>>>,
    /// What those say of themselves.
    pub destructive: Rc<Cell<Option<bool>>>,
}

impl RecordingTools {
    /// Adds a tool that takes a number `n`.
    pub(super) fn add(&self, name: &str, class: EffectClass, destructive: bool) {
        let effect = Effect { class, destructive };
        self.more.borrow_mut().push(definition(name, effect));
    }

    /// The names of the tools that were called, in their order.
    pub(super) fn called(&self) -> Vec<String> {
        self.calls.borrow().iter().map(|(tool, _)| tool.clone()).collect()
    }
}

fn definition(name: &str, effect: Effect) -> ToolDefinition {
    ToolDefinition {
        name: name.into(),
        title: Some(name.to_uppercase()),
        description: format!("Does {name}"),
        input_schema: json!({
            "type": "object",
            "properties": {"n": {"type": "integer", "maximum": 1000}},
            "required": ["n"],
        })
        .to_string(),
        effect,
        examples: Vec::new(),
        reversible: false,
        stakes: Default::default(),
    }
}

impl Tools for RecordingTools {
    async fn list(&self, _: &str, _: &Caller) -> Result<Vec<ToolDefinition>, ToolError> {
        yield_once().await;
        let slow = self.slow.borrow().clone();
        if let Some((clock, time)) = slow {
            clock.sleep(time).await;
        }
        if self.unlisted.get() {
            return Err(ToolError::NotRun("connection refused".into()));
        }
        let tool = |name: &str, class| {
            let effect = Effect {
                class,
                destructive: false,
            };
            definition(name, effect)
        };
        let mut tools = vec![
            tool("read", EffectClass::Read),
            tool("once", EffectClass::Idempotent),
            tool("sure", EffectClass::Verifiable),
            tool("risky", EffectClass::Unprotected),
        ];
        tools.extend(self.more.borrow().iter().cloned());
        Ok(tools)
    }

    async fn call(&self, _: &str, caller: &Caller, call: Invocation) -> Result<ToolOutcome, ToolError> {
        self.callers.borrow_mut().push(caller.clone());
        self.calls
            .borrow_mut()
            .push((call.tool.clone(), call.idempotency_key.clone()));
        self.arguments
            .borrow_mut()
            .push((call.idempotency_key.clone(), call.arguments.clone()));
        let failure = self.failures.borrow_mut().pop_front();
        if let Some((false, error)) = failure {
            return Err(error);
        }
        let (now, most) = self.under_way.get();
        self.under_way.set((now + 1, most.max(now + 1)));
        yield_once().await;
        let clock = self.clock.borrow().clone().unwrap();
        if self.duration.get() > 0 {
            clock.sleep(self.duration.get()).await;
        }
        if clock.now() > call.not_after {
            let (now, most) = self.under_way.get();
            self.under_way.set((now - 1, most));
            return Err(ToolError::TooLate("the call came too late".into()));
        }
        {
            let mut effects = self.effects.borrow_mut();
            let effect = effects.entry(call.idempotency_key).or_default();
            // An idempotent tool takes effect once for a key; the engine must see to it for the others.
            let idempotent = ["once", "erase"].contains(&call.tool.as_str());
            *effect = if idempotent { 1 } else { *effect + 1 };
        }
        yield_once().await;
        let (now, most) = self.under_way.get();
        self.under_way.set((now - 1, most));
        if let Some((_, error)) = failure {
            return Err(error);
        }
        let inverse = |(tool, times): &(String, usize)| {
            let inverse = |number| Inverse {
                tool: tool.clone(),
                arguments: json!({ "n": call.arguments["n"].as_i64().unwrap() + number }),
                title: format!("Take {} back", call.arguments["n"]),
                destructive: self.destructive.get(),
            };
            (0..*times as i64).map(inverse).collect()
        };
        let mut outcome = done(&call.tool, &call.arguments);
        if let Some(inverses) = self.inverses.borrow().get(&call.tool).map(inverse) {
            outcome.inverses = inverses;
        }
        Ok(self.answer.borrow().clone().unwrap_or(outcome))
    }

    async fn check(&self, _: &str, _: &Caller, call: Invocation) -> Result<Checked, ToolError> {
        yield_once().await;
        self.checks.borrow_mut().push(call.idempotency_key.clone());
        yield_once().await;
        Ok(match self.effects.borrow().get(&call.idempotency_key) {
            _ if self.forgetful.get() => Checked::Unknown,
            Some(_) => Checked::Happened(done(&call.tool, &call.arguments)),
            None => Checked::NotHappened,
        })
    }
}

fn done(tool: &str, arguments: &Value) -> ToolOutcome {
    let inverse = Inverse {
        tool: "once".into(),
        arguments: json!({ "n": 100 + arguments["n"].as_i64().unwrap() }),
        title: format!("Undo {tool}"),
        destructive: None,
    };
    ToolOutcome {
        content: format!("{tool} {} is done", arguments["n"]),
        inverses: if tool == "once" || tool == "sure" {
            vec![inverse]
        } else {
            Vec::new()
        },
        ..ToolOutcome::default()
    }
}
