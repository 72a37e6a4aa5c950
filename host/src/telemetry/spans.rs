//! Spans that components begin.

use super::conventions;
use super::traces::{Beginning, Place, Span};
use crate::guest::Call;
use crate::runtime::Runtime;
use opentelemetry::trace::SpanKind;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most attributes that are kept of one span.
const ATTRIBUTES: usize = 64;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Whole(i64),
    Number(f64),
    Truth(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Whole(number) => number.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Truth(truth) => truth.fmt(f),
        }
    }
}

/// A span that a component has begun; it ends when this is dropped, which happens at the latest with the
/// instance.
pub struct GuestSpan {
    runtime: Arc<Runtime>,
    name: String,
    began: Instant,
    attributes: Vec<(String, Value)>,
    failed: Option<String>,
    /// In a trace, if there is one.
    traced: Option<Traced>,
}

/// A span in a trace.
struct Traced {
    span: Span,
    /// What the host adds, unless the component says it.
    added: Vec<(&'static str, Value)>,
}

impl GuestSpan {
    /// Begins a span within `parent`, or else within the call.
    pub(crate) fn begin(
        runtime: Arc<Runtime>,
        call: &Call,
        name: String,
        parent: Option<&Self>,
        mut attributes: Vec<(String, Value)>,
    ) -> Self {
        attributes.truncate(ATTRIBUTES);
        let mut begun = Self {
            runtime,
            name,
            began: Instant::now(),
            attributes,
            failed: None,
            traced: None,
        };
        begun.runtime.metrics.agents().begun(&begun);
        let place = match parent.and_then(Self::place) {
            Some(place) => Some(place),
            None => call.watch.place_for_work(&begun.runtime.traces),
        };
        begun.traced = place.map(|place| begun.trace(place.clone(), parent));
        begun
    }

    fn trace(&self, place: Place, parent: Option<&Self>) -> Traced {
        let mut name = self.name.clone();
        let mut added = Vec::new();
        let calls_a_model = self.text("gen_ai.operation.name") == "chat";
        if calls_a_model {
            // Which provider's model it is, and which one where the call names none, only the configuration says.
            if let Some(model) = &self.runtime.status.model {
                let provider = conventions::provider(model).to_owned();
                added.push(("gen_ai.provider.name", Value::Text(provider)));
                if self.text("gen_ai.request.model").is_empty() && !model.name.is_empty() {
                    name = format!("{name} {}", model.name);
                    added.push(("gen_ai.request.model", Value::Text(model.name.clone())));
                }
            }
            let conversation = "gen_ai.conversation.id";
            if let Some(session) = parent.and_then(|parent| parent.value(conversation)) {
                added.push((conversation, session.clone()));
            }
        }
        let span = self.runtime.traces.begin(|| Beginning {
            name: name.into(),
            kind: match calls_a_model {
                true => SpanKind::Client,
                false => SpanKind::Internal,
            },
            parent: Some(place),
            attributes: Vec::new(),
            since: None,
        });
        Traced { span, added }
    }

    /// Its place in its trace.
    pub(crate) fn place(&self) -> Option<&Place> {
        self.traced.as_ref().and_then(|traced| traced.span.place())
    }

    /// Says that it goes on with what began elsewhere.
    pub(crate) fn link(&self, traceparent: &str) {
        if let Some(traced) = &self.traced {
            traced.span.link(traceparent);
        }
    }

    /// Adds to what is known.
    pub(crate) fn set(&mut self, attributes: Vec<(String, Value)>) {
        for (name, value) in attributes {
            if let Some((_, known)) = self.attributes.iter_mut().find(|(known, _)| *known == name) {
                *known = value;
            } else if self.attributes.len() < ATTRIBUTES {
                self.attributes.push((name, value));
            }
        }
    }

    /// Says that it failed.
    pub(crate) fn fail(&mut self, kind: String) {
        self.failed = Some(kind);
    }

    /// How it failed, if it did.
    pub(super) fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// For how long it has been going on.
    pub(super) fn lasted(&self) -> Duration {
        self.began.elapsed()
    }

    /// An attribute that is a text; empty if there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        match self.value(name) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// An attribute that is a count; 0 if there is none.
    pub(super) fn count(&self, name: &str) -> u64 {
        match self.value(name) {
            Some(Value::Whole(count)) => u64::try_from(*count).unwrap_or(0),
            _ => 0,
        }
    }

    /// An attribute that is a number.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        match self.value(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.attributes
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }
}

impl Drop for GuestSpan {
    fn drop(&mut self) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            let known = self
                .attributes
                .iter()
                .map(|(name, value)| format!(" {name}={value}"));
            let took = self.lasted().as_secs_f64() * 1e3;
            let failed = self.failed.as_deref().unwrap_or("-");
            tracing::debug!(
                "{} took {took:.1} ms, error {failed},{}",
                self.name,
                known.collect::<String>()
            );
        }
        self.runtime.metrics.agents().ended(self);
        let Some(Traced { span, added }) = self.traced.take() else {
            return;
        };
        for (name, value) in added {
            if self.value(name).is_none() {
                span.set(|| (name, value));
            }
        }
        for (name, value) in std::mem::take(&mut self.attributes) {
            span.set(|| (name, value));
        }
        if let Some(kind) = &self.failed {
            span.fail(kind);
        }
    }
}
