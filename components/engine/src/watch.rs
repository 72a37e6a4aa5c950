//! What is told to whoever watches: spans, named by OpenTelemetry's conventions for generative AI.
//!
//! A turn is `invoke_agent`; within it are `chat` for each call of a model, `execute_tool` for each call of a tool,
//! and `open_gate`. `decide_gate` stands by itself, because a decision comes with another request. What people said,
//! what a model answered and what a tool was given is never told.

use crate::assistant::Assistant;
use crate::conversation::{Progress, TakenUp};
use crate::gate::GateKind;
use crate::journal::{CallOutcome, Failure, FailureKind, GateOpened, ModelCalled, Ruling, ToolIntended};
use crate::port::{Environment, FinishReason};
use crate::turn::{Turn, TurnError, TurnState};
use std::rc::Rc;

/// The value of an attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A text.
    Text(&'a str),
    /// A whole number.
    Whole(i64),
    /// A number.
    Number(f64),
    /// Yes or no.
    Truth(bool),
}

/// A name of the conventions, or one that begins with `anyturn.`, and its value.
pub type Attribute<'a> = (&'static str, Value<'a>);

/// A piece of work that somebody watches. It ends when it is dropped.
pub trait Watched {
    /// Begins a part of it.
    fn begin(&self, name: &str, attributes: &[Attribute<'_>]) -> Span;
    /// Adds to what is known of it.
    fn set(&self, attributes: &[Attribute<'_>]);
    /// Says that it failed, and how.
    fn fail(&self, kind: &str);
}

/// A piece of work, watched or not. Clones are the same one, which ends with the last of them.
#[derive(Clone, Default)]
pub struct Span(Option<Rc<dyn Watched>>);

impl Span {
    /// One that is watched.
    pub fn watched(watched: impl Watched + 'static) -> Self {
        Span(Some(Rc::new(watched)))
    }

    fn begin(&self, name: &str, attributes: &[Attribute<'_>]) -> Span {
        self.0
            .as_ref()
            .map_or_else(Span::default, |watched| watched.begin(name, attributes))
    }

    fn set(&self, attributes: &[Attribute<'_>]) {
        if let Some(watched) = &self.0 {
            watched.set(attributes);
        }
    }

    fn fail(&self, kind: &str) {
        if let Some(watched) = &self.0 {
            watched.fail(kind);
        }
    }

    /// A call of a model begins.
    pub(crate) fn model(&self, step: &str, requested: Option<&str>) -> Span {
        let mut attributes = vec![
            ("gen_ai.operation.name", Value::Text("chat")),
            ("anyturn.step", Value::Text(step)),
        ];
        attributes.extend(requested.map(|model| ("gen_ai.request.model", Value::Text(model))));
        self.begin("chat", &attributes)
    }

    /// The first piece of the model's answer is there, so many milliseconds after the call.
    pub(crate) fn first_piece(&self, milliseconds: u64) {
        let seconds = std::time::Duration::from_millis(milliseconds).as_secs_f64();
        self.set(&[("gen_ai.response.time_to_first_chunk", Value::Number(seconds))]);
    }

    /// The model has answered, or has not.
    pub(crate) fn model_ended(&self, outcome: &Result<ModelCalled, Failure>) {
        match outcome {
            Ok(called) => self.set(&[
                ("gen_ai.response.model", Value::Text(&called.model)),
                (
                    "gen_ai.response.finish_reasons",
                    Value::Text(reason(called.reason)),
                ),
                (
                    "gen_ai.usage.input_tokens",
                    Value::Whole(called.usage.input_tokens.into()),
                ),
                (
                    "gen_ai.usage.cache_read.input_tokens",
                    Value::Whole(called.usage.cached_tokens.into()),
                ),
                (
                    "gen_ai.usage.output_tokens",
                    Value::Whole(called.usage.output_tokens.into()),
                ),
            ]),
            Err(failure) => self.fail(failure_kind(failure.kind)),
        }
    }

    /// The turn was stopped before the model had answered.
    pub(crate) fn stopped(&self) {
        self.fail("stopped");
    }

    /// A call of a tool begins.
    pub(crate) fn tool(&self, step: &str, intended: &ToolIntended) -> Span {
        self.begin(
            &format!("execute_tool {}", intended.tool),
            &[
                ("gen_ai.operation.name", Value::Text("execute_tool")),
                ("gen_ai.tool.name", Value::Text(&intended.tool)),
                ("gen_ai.tool.call.id", Value::Text(&intended.call)),
                ("gen_ai.tool.type", Value::Text("function")),
                ("anyturn.tool.server", Value::Text(&intended.server)),
                ("anyturn.step", Value::Text(step)),
            ],
        )
    }

    /// The tool has answered, or has not.
    pub(crate) fn tool_ended(&self, outcome: &CallOutcome) {
        match outcome {
            CallOutcome::Answered(outcome) if outcome.is_error => self.fail("tool-error"),
            CallOutcome::Answered(_) => {}
            CallOutcome::NotRun(_) => self.fail("not-run"),
            CallOutcome::Unknown(_) => self.fail("unknown"),
        }
    }

    /// A call waits for a decision.
    pub(crate) fn gate_opened(&self, opened: &GateOpened) {
        self.begin(
            "open_gate",
            &[
                ("anyturn.gate.id", Value::Text(&opened.gate)),
                ("anyturn.gate.kind", Value::Text(gate_kind(opened.kind))),
                ("gen_ai.tool.name", Value::Text(&opened.tool)),
            ],
        );
    }

    /// What came of the work on a turn.
    pub(crate) fn turn_ended(&self, result: &Result<Turn, TurnError>) {
        match result {
            Ok(turn) => {
                self.set(&[("anyturn.turn.state", Value::Text(turn_state(turn.state)))]);
                if let Some(error) = &turn.error {
                    self.fail(failure_kind(error.kind));
                }
            }
            Err(error) => {
                self.set(&[("anyturn.turn.state", Value::Text("lost"))]);
                self.fail(match error {
                    TurnError::Fenced { .. } => "fenced",
                    TurnError::Store(_) => "store",
                    _ => "refused",
                });
            }
        }
    }
}

/// Work on a turn begins, here and now.
pub(crate) fn turn(
    environment: &impl Environment,
    assistant: &Assistant,
    session: &str,
    turn: &Progress,
) -> Span {
    let mut attributes = vec![
        ("gen_ai.operation.name", Value::Text("invoke_agent")),
        ("gen_ai.agent.name", Value::Text(&assistant.name)),
        ("gen_ai.conversation.id", Value::Text(session)),
        ("anyturn.turn.id", Value::Text(&turn.turn)),
    ];
    attributes.extend(turn.taken_up.map(|why| {
        let why = match why {
            TakenUp::LeftBehind => "left-behind",
            TakenUp::Decided => "decided",
            TakenUp::Failed => "failed",
        };
        ("anyturn.turn.taken_up", Value::Text(why))
    }));
    environment.watch(&format!("invoke_agent {}", assistant.name), &attributes)
}

/// A gate was decided.
pub(crate) fn gate_decided(environment: &impl Environment, opened: &GateOpened, verdict: Ruling) {
    let verdict = match verdict {
        Ruling::Approved => "approved",
        Ruling::Denied => "denied",
        Ruling::Expired => "expired",
        Ruling::Dropped => "dropped",
    };
    environment.watch(
        "decide_gate",
        &[
            ("anyturn.gate.id", Value::Text(&opened.gate)),
            ("anyturn.gate.kind", Value::Text(gate_kind(opened.kind))),
            ("anyturn.gate.verdict", Value::Text(verdict)),
            ("gen_ai.tool.name", Value::Text(&opened.tool)),
        ],
    );
}

fn gate_kind(kind: GateKind) -> &'static str {
    match kind {
        GateKind::Confirm => "confirm",
        GateKind::Approve => "approve",
    }
}

fn turn_state(state: TurnState) -> &'static str {
    match state {
        TurnState::Queued => "queued",
        TurnState::Running => "running",
        TurnState::Waiting => "waiting",
        TurnState::Finished => "finished",
        TurnState::Failed => "failed",
        TurnState::Stopped => "stopped",
    }
}

fn reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_call",
        FinishReason::ContentFilter => "content_filter",
    }
}

fn failure_kind(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::InvalidRequest => "invalid-request",
        FailureKind::Unauthorized => "unauthorized",
        FailureKind::UnknownModel => "unknown-model",
        FailureKind::RateLimited => "rate-limited",
        FailureKind::ContextTooLong => "context-too-long",
        FailureKind::ContentRefused => "content-refused",
        FailureKind::Unavailable => "unavailable",
        FailureKind::Timeout => "timeout",
        FailureKind::Protocol => "protocol",
        FailureKind::ToolsUnavailable => "tools-unavailable",
        FailureKind::StepLimit => "step-limit",
        FailureKind::TooLarge => "too-large",
        FailureKind::Interrupted => "interrupted",
        FailureKind::Expired => "expired",
    }
}
