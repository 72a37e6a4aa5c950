//! Spans that components begin.

use crate::runtime::Runtime;
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
}

impl GuestSpan {
    /// Begins a span.
    pub(crate) fn begin(runtime: Arc<Runtime>, name: String, mut attributes: Vec<(String, Value)>) -> Self {
        attributes.truncate(ATTRIBUTES);
        let begun = Self {
            runtime,
            name,
            began: Instant::now(),
            attributes,
            failed: None,
        };
        begun.runtime.metrics.agents().begun(&begun);
        begun
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
    }
}
