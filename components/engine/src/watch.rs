//! What is told to whoever watches: spans, named by OpenTelemetry's conventions for generative AI.
//!
//! A turn is `invoke_agent`; within it are `chat` for each call of a model, `execute_tool` for each call of a tool,
//! and `open_gate`. Where an assistant has several agents, what one of them does for a command is an `invoke_agent` within
//! the turn's, unless nobody traces the turn: agents are not counted. `decide_gate` stands by itself, because a decision comes with another request. Work that began with
//! another request than the present one is linked to that one's trace. What people said, what a model answered and
//! what a tool was given is never told.

use crate::assistant::Assistant;
use crate::conversation::{Progress, TakenUp};
use crate::gate::GateKind;
use crate::journal::{CallOutcome, Failure, FailureKind, GateOpened, ModelCalled, Ruling, ToolIntended};
use crate::port::{Environment, FinishReason};
use crate::run::Stop;
use crate::turn::{Turn, TurnError, TurnState};
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Where a request stands in a trace: a `traceparent` of version 00 of W3C Trace Context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Traceparent(Box<str>);

impl Traceparent {
    /// Reads the value of the header; nothing if it is none.
    pub fn parse(header: &str) -> Option<Self> {
        let digits = |text: &str, length| {
            text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let names = |text: &str, length| digits(text, length) && text.bytes().any(|byte| byte != b'0');
        let mut fields = header.split('-');
        let sane = fields.next() == Some("00")
            && fields.next().is_some_and(|trace| names(trace, 32))
            && fields.next().is_some_and(|span| names(span, 16))
            && fields.next().is_some_and(|flags| digits(flags, 2))
            && fields.next().is_none();
        sane.then(|| Self(header.into()))
    }

    /// The value of the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the trace is kept.
    pub fn is_sampled(&self) -> bool {
        // The lowest bit of the last digit.
        let last = self.0.bytes().next_back().unwrap_or(b'0');
        char::from(last).to_digit(16).is_some_and(|flags| flags & 1 == 1)
    }
}

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
    /// Says that it goes on with what began elsewhere.
    fn link(&self, began: &Traceparent);
    /// Whether it matters to anybody what is asked of others within it.
    fn traced(&self) -> bool;
    /// Says that what is asked of others from now on is a part of it.
    fn enter(&self);
    /// Says that this is over.
    fn leave(&self);
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
        if let (Some(watched), false) = (&self.0, attributes.is_empty()) {
            watched.set(attributes);
        }
    }

    fn fail(&self, kind: &str) {
        if let Some(watched) = &self.0 {
            watched.fail(kind);
        }
    }

    /// Does work that is a part of it, so that what the work asks of others is told as such.
    pub(crate) fn around<'a, F: Future>(&'a self, work: Pin<&'a mut F>) -> Around<'a, F> {
        Around {
            span: self.0.as_deref().filter(|watched| watched.traced()),
            work,
        }
    }

    /// An agent of several begins to carry a command out, or goes on with it; nothing if nobody traces that. `step` is
    /// what stands before its steps.
    pub(crate) fn agent(&self, name: &str, session: &str, step: &str) -> Option<Span> {
        let watched = self.0.as_ref().filter(|watched| watched.traced())?;
        Some(watched.begin(
            &format!("invoke_agent {name}"),
            &[
                ("gen_ai.operation.name", Value::Text("invoke_agent")),
                ("gen_ai.agent.name", Value::Text(name)),
                ("gen_ai.conversation.id", Value::Text(session)),
                ("anyturn.step", Value::Text(step.trim_end_matches('/'))),
            ],
        ))
    }

    /// What came of an agent's work: an answer unless it `waits` for a decision.
    pub(crate) fn agent_ended(&self, waits: Result<bool, &Stop>) {
        let state = match waits {
            Ok(false) => "finished",
            Ok(true) | Err(Stop::Waiting) => "waiting",
            Err(Stop::Failed { error, text: _ }) => {
                self.fail(failure_kind(error.kind));
                "failed"
            }
            Err(Stop::Stopped { .. }) => "stopped",
            Err(Stop::Lost(_)) => "lost",
        };
        self.set(&[("anyturn.agent.state", Value::Text(state))]);
    }

    /// A call of a model begins.
    pub(crate) fn model(&self, step: &str, requested: Option<&str>) -> Span {
        let mut attributes = vec![
            ("gen_ai.operation.name", Value::Text("chat")),
            ("anyturn.step", Value::Text(step)),
        ];
        let Some(model) = requested else {
            return self.begin("chat", &attributes);
        };
        attributes.push(("gen_ai.request.model", Value::Text(model)));
        self.begin(&format!("chat {model}"), &attributes)
    }

    /// The model has answered, or has not; the first piece of its answer was there so many milliseconds after the
    /// call, if any was.
    pub(crate) fn model_ended(&self, outcome: &Result<ModelCalled, Failure>, first: Option<u64>) {
        let mut attributes = Vec::with_capacity(6);
        attributes.extend(first.map(first_piece));
        match outcome {
            Ok(called) => {
                attributes.extend([
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
                ]);
                self.set(&attributes);
            }
            Err(failure) => {
                self.set(&attributes);
                self.fail(failure_kind(failure.kind));
            }
        }
    }

    /// The turn was stopped before the model had answered.
    pub(crate) fn stopped(&self, first: Option<u64>) {
        self.set(&first.map(first_piece).into_iter().collect::<Vec<_>>());
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

/// Work that a span is entered for whenever it goes on, and left when it waits.
pub(crate) struct Around<'a, F> {
    span: Option<&'a dyn Watched>,
    work: Pin<&'a mut F>,
}

impl<F: Future> Future for Around<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(span) = self.span else {
            return self.work.as_mut().poll(cx);
        };
        span.enter();
        let poll = self.work.as_mut().poll(cx);
        span.leave();
        poll
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
    let span = environment.watch(&format!("invoke_agent {}", assistant.name), &attributes);
    link(&span, environment, turn);
    span
}

/// Says where a turn began, unless that was the present request.
fn link(span: &Span, environment: &impl Environment, turn: &Progress) {
    if let (Some(span), Some(began)) = (&span.0, &turn.started.trace)
        && environment.trace() != Some(began)
    {
        span.link(began);
    }
}

/// A gate of a turn was decided.
pub(crate) fn gate_decided(
    environment: &impl Environment,
    turn: &Progress,
    opened: &GateOpened,
    verdict: Ruling,
) {
    let verdict = match verdict {
        Ruling::Approved => "approved",
        Ruling::Denied => "denied",
        Ruling::Expired => "expired",
        Ruling::Dropped => "dropped",
    };
    let span = environment.watch(
        "decide_gate",
        &[
            ("anyturn.gate.id", Value::Text(&opened.gate)),
            ("anyturn.gate.kind", Value::Text(gate_kind(opened.kind))),
            ("anyturn.gate.verdict", Value::Text(verdict)),
            ("gen_ai.tool.name", Value::Text(&opened.tool)),
        ],
    );
    link(&span, environment, turn);
}

fn first_piece<'a>(milliseconds: u64) -> Attribute<'a> {
    let seconds = std::time::Duration::from_millis(milliseconds).as_secs_f64();
    ("gen_ai.response.time_to_first_chunk", Value::Number(seconds))
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
