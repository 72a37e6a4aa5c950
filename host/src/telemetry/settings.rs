//! What OpenTelemetry's variables ask of traces, beyond what they ask of [every signal](super::environment).
//!
//! Addresses, headers, compression, samplers, batches and limits are read by the SDK itself, by the names that the
//! specification has. What this host cannot do is refused here rather than passed over.

use super::environment::{TRACES, Variables};
use anyhow::{Result, bail};
use std::time::Duration;

/// How many spans wait to be exported, as the specification has it.
const QUEUE: usize = 2048;

/// How traces are exported.
#[derive(Debug)]
pub(super) struct Settings {
    /// How long an attempt to export a batch may take.
    pub(super) timeout: Duration,
    /// How many spans may wait.
    pub(super) queue: usize,
    /// Whether contexts are taken from those who call and told to those who are called.
    pub(super) propagates: bool,
}

impl Settings {
    /// Reads the variables; none if they do not ask for traces.
    pub(super) fn read(variables: &Variables<'_>) -> Result<Option<Self>> {
        let Some(timeout) = variables.export(&TRACES)? else {
            return Ok(None);
        };
        let queue = match variables.number("OTEL_BSP_MAX_QUEUE_SIZE")? {
            Some(spans) => usize::try_from(spans)?,
            None => QUEUE,
        };
        let propagates = match variables.get("OTEL_PROPAGATORS") {
            Some(names) => propagates(&names)?,
            None => true,
        };
        Ok(Some(Self {
            timeout,
            queue,
            propagates,
        }))
    }
}

/// Whether a list of propagators has the one that there is. `baggage` is allowed, because the specification's own default
/// names it, and means nothing here: nobody is told anything but where a request stands.
fn propagates(names: &str) -> Result<bool> {
    let mut propagates = false;
    for name in names.split(',').map(str::trim) {
        match name {
            "tracecontext" => propagates = true,
            "baggage" | "none" | "" => {}
            other => bail!("OTEL_PROPAGATORS names {other:?}; it can be `tracecontext`, `baggage` or `none`"),
        }
    }
    Ok(propagates)
}

#[cfg(test)]
mod tests {
    use super::super::environment::tests::{TO, of};
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<Option<Settings>> {
        Settings::read(&Variables(&of(variables)))
    }

    #[test]
    fn what_cannot_be_done_is_said_with_the_variable_and_what_would_be_right() {
        for ((name, value), right) in [
            (("OTEL_PROPAGATORS", "b3"), "`tracecontext`"),
            (("OTEL_BSP_MAX_QUEUE_SIZE", "0"), "at least 1"),
        ] {
            let refused = with(&[TO, (name, value)]).unwrap_err().to_string();
            assert!(refused.contains(name) && refused.contains(right), "{refused}");
        }
    }

    #[test]
    fn what_is_not_said_is_as_the_specification_has_it() {
        assert!(with(&[]).unwrap().is_none());
        let settings = with(&[TO]).unwrap().unwrap();
        assert_eq!((settings.queue, settings.propagates), (2048, true));
        let settings = with(&[TO, ("OTEL_BSP_MAX_QUEUE_SIZE", "7"), ("OTEL_PROPAGATORS", "none")]);
        let settings = settings.unwrap().unwrap();
        assert_eq!((settings.queue, settings.propagates), (7, false));
    }
}
