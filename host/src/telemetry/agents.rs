//! What is counted of assistants, models, tools and gates, by the spans of components.
//!
//! A span counts when it ends, by its attributes (`gen_ai.operation.name` and others of OpenTelemetry's
//! conventions); spans that say nothing of the kind count nowhere. The names of assistants, models and tools are
//! labels; each has a bound, so that nobody can fill a server of metrics.

use super::labels::Names;
use super::spans::GuestSpan;
use crate::metrics::{Seconds, series, timed};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long after its last turn a session counts as active.
const ACTIVE: Duration = Duration::from_secs(5 * 60);

/// How many sessions are remembered for that.
const SESSIONS: usize = 100_000;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    assistant: String,
    state: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfAssistant {
    assistant: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TurnError {
    assistant: String,
    error: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TakenUp {
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfModel {
    model: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ModelCall {
    model: String,
    outcome: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Tokens {
    model: String,
    r#type: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfTool {
    tool: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ToolCall {
    tool: String,
    outcome: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Gate {
    kind: String,
    event: String,
}

/// The series.
pub(crate) struct Agents {
    assistants: Names,
    models: Names,
    tools: Names,
    /// Words that components should use few of.
    words: Names,
    turns: Family<Ended, Counter>,
    turn_durations: Family<OfAssistant, Histogram, Seconds>,
    turn_errors: Family<TurnError, Counter>,
    taken_up: Family<TakenUp, Counter>,
    running: Gauge,
    sessions: Gauge,
    model_calls: Family<ModelCall, Counter>,
    model_durations: Family<OfModel, Histogram, Seconds>,
    first_tokens: Family<OfModel, Histogram, Seconds>,
    tokens: Family<Tokens, Counter>,
    tool_calls: Family<ToolCall, Counter>,
    tool_durations: Family<OfTool, Histogram, Seconds>,
    gates: Family<Gate, Counter>,
    /// When sessions had their last turns, by a hash.
    seen: Mutex<HashMap<u64, Instant>>,
    hasher: RandomState,
}

impl Agents {
    /// Empty series, which `registry` knows from now on.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let agents = Self {
            assistants: Names::default(),
            models: Names::default(),
            tools: Names::default(),
            words: Names::default(),
            turns: series(
                registry,
                "turns",
                "Stretches of work on turns that ended here, by assistant and by what became of the turn",
                Family::default(),
            ),
            turn_durations: timed(
                registry,
                "turn_duration",
                "Time from a turn's admission or resumption here to its end or to its waiting for a decision",
                Family::new_with_constructor(Seconds),
            ),
            turn_errors: series(
                registry,
                "turn_errors",
                "Turns that failed or were lost here, by assistant and reason",
                Family::default(),
            ),
            taken_up: series(
                registry,
                "turns_taken_up",
                "Turns that were gone on with here: left behind by an instance that died, decided, or failed before",
                Family::default(),
            ),
            running: series(
                registry,
                "turns_running",
                "Turns that are worked on now",
                Gauge::default(),
            ),
            sessions: series(
                registry,
                "sessions_active",
                "Sessions that had a turn here within the last 5 minutes",
                Gauge::default(),
            ),
            model_calls: series(
                registry,
                "model_calls",
                "Calls of models, by outcome",
                Family::default(),
            ),
            model_durations: timed(
                registry,
                "model_call_duration",
                "Time from a call of a model to the end of its answer",
                Family::new_with_constructor(Seconds),
            ),
            first_tokens: timed(
                registry,
                "model_first_token",
                "Time from a call of a model to the first piece of its answer",
                Family::new_with_constructor(Seconds),
            ),
            tokens: series(
                registry,
                "model_tokens",
                "Tokens, as models count them: input, the part of it that was cached, and output",
                Family::default(),
            ),
            tool_calls: series(
                registry,
                "tool_calls",
                "Calls of tools, by outcome",
                Family::default(),
            ),
            tool_durations: timed(
                registry,
                "tool_call_duration",
                "Time from a call of a tool to its outcome",
                Family::new_with_constructor(Seconds),
            ),
            gates: series(
                registry,
                "gates",
                "Calls that waited for a decision, by who decides and by what happened",
                Family::default(),
            ),
            seen: Mutex::default(),
            hasher: RandomState::new(),
        };
        agents.begin_at_zero();
        agents
    }

    /// Makes the series whose names are known, so that their first event counts as an increase.
    fn begin_at_zero(&self) {
        for reason in ["left-behind", "decided", "failed"] {
            let reason = self.words.label(reason);
            drop(self.taken_up.get_or_create(&TakenUp { reason }));
        }
        for kind in ["confirm", "approve"] {
            for event in ["opened", "approved", "denied", "expired", "dropped"] {
                let (kind, event) = (self.words.label(kind), self.words.label(event));
                drop(self.gates.get_or_create(&Gate { kind, event }));
            }
        }
    }

    /// A span begins.
    pub(super) fn begun(&self, span: &GuestSpan) {
        if is_turn(span) {
            self.running.inc();
            let session = self.hasher.hash_one(span.text("gen_ai.conversation.id"));
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.len() >= SESSIONS {
                forget(&mut seen);
            }
            if seen.len() < SESSIONS || seen.contains_key(&session) {
                seen.insert(session, Instant::now());
            }
        }
    }

    /// A span has ended.
    pub(super) fn ended(&self, span: &GuestSpan) {
        match span.text("gen_ai.operation.name") {
            // An agent of several works within a turn, and is none.
            "invoke_agent" if is_turn(span) => self.turn(span),
            "invoke_agent" => {}
            "chat" => self.model(span),
            "execute_tool" => self.tool(span),
            _ => self.gate(span),
        }
    }

    fn turn(&self, span: &GuestSpan) {
        self.running.dec();
        let assistant = self.assistants.label(span.text("gen_ai.agent.name"));
        let state = match span.text("anyturn.turn.state") {
            // The instance was stopped, or crashed.
            "" => "lost",
            state => state,
        };
        if let Some(error) = span.failed().or((state == "lost").then_some("instance-stopped")) {
            let error = self.words.label(error);
            let assistant = assistant.clone();
            self.turn_errors
                .get_or_create(&TurnError { assistant, error })
                .inc();
        }
        let reason = span.text("anyturn.turn.taken_up");
        if !reason.is_empty() {
            let reason = self.words.label(reason);
            self.taken_up.get_or_create(&TakenUp { reason }).inc();
        }
        let state = self.words.label(state);
        self.turn_durations
            .get_or_create(&OfAssistant {
                assistant: assistant.clone(),
            })
            .observe(span.lasted().as_secs_f64());
        self.turns.get_or_create(&Ended { assistant, state }).inc();
    }

    fn model(&self, span: &GuestSpan) {
        let model = match span.text("gen_ai.response.model") {
            "" => span.text("gen_ai.request.model"),
            model => model,
        };
        let model = self
            .models
            .label(if model.is_empty() { "default" } else { model });
        let of_model = OfModel { model: model.clone() };
        if let Some(seconds) = span.number("gen_ai.response.time_to_first_chunk") {
            self.first_tokens.get_or_create(&of_model).observe(seconds);
        }
        self.model_durations
            .get_or_create(&of_model)
            .observe(span.lasted().as_secs_f64());
        for (r#type, attribute) in [
            ("input", "gen_ai.usage.input_tokens"),
            ("cached", "gen_ai.usage.cache_read.input_tokens"),
            ("output", "gen_ai.usage.output_tokens"),
        ] {
            let count = span.count(attribute);
            if count > 0 {
                let model = model.clone();
                self.tokens.get_or_create(&Tokens { model, r#type }).inc_by(count);
            }
        }
        let outcome = self.words.label(span.failed().unwrap_or("ok"));
        self.model_calls
            .get_or_create(&ModelCall { model, outcome })
            .inc();
    }

    fn tool(&self, span: &GuestSpan) {
        let tool = self.tools.label(span.text("gen_ai.tool.name"));
        let outcome = self.words.label(span.failed().unwrap_or("ok"));
        self.tool_durations
            .get_or_create(&OfTool { tool: tool.clone() })
            .observe(span.lasted().as_secs_f64());
        self.tool_calls.get_or_create(&ToolCall { tool, outcome }).inc();
    }

    fn gate(&self, span: &GuestSpan) {
        let kind = span.text("anyturn.gate.kind");
        if kind.is_empty() {
            return;
        }
        let event = match span.text("anyturn.gate.verdict") {
            "" => "opened",
            verdict => verdict,
        };
        let (kind, event) = (self.words.label(kind), self.words.label(event));
        self.gates.get_or_create(&Gate { kind, event }).inc();
    }

    /// Counts what is only known when somebody asks.
    pub(crate) fn read(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        forget(&mut seen);
        self.sessions.set(i64::try_from(seen.len()).unwrap_or(i64::MAX));
    }
}

/// Whether a span is the work on a turn.
fn is_turn(span: &GuestSpan) -> bool {
    span.text("gen_ai.operation.name") == "invoke_agent" && !span.text("anyturn.turn.id").is_empty()
}

/// Drops sessions that are not active any more.
fn forget(seen: &mut HashMap<u64, Instant>) {
    seen.retain(|_, last| last.elapsed() < ACTIVE);
}
