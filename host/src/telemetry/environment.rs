//! What OpenTelemetry's variables say for every signal: whether it is exported, and how a request to the collector goes.
//!
//! `OTEL_EXPORTER_OTLP_ENDPOINT` is where all signals go, as the specification has it ("OpenTelemetry Protocol
//! Exporter"), so it switches all of them on; an address of a signal's own switches that one on. What this host cannot do
//! is refused here rather than passed over.

use anyhow::{Result, bail};
use http::Uri;
use std::time::Duration;

/// How long an export may take, unless the environment says otherwise, as the specification has it.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// A signal, whose variables are called after it.
#[derive(Debug)]
pub(super) struct Signal {
    name: &'static str,
    /// What `OTEL_…_EXPORTER` may name.
    exporters: &'static [&'static str],
}

pub(super) const TRACES: Signal = Signal {
    name: "TRACES",
    exporters: &["otlp", "none"],
};

pub(super) const METRICS: Signal = Signal {
    name: "METRICS",
    // What can be scraped is there in any case.
    exporters: &["otlp", "prometheus", "none"],
};

impl Signal {
    fn exporter(&self) -> String {
        format!("OTEL_{}_EXPORTER", self.name)
    }

    /// The signal's own variable for something, such as `ENDPOINT`, and the one of all signals.
    pub(super) fn variables(&self, what: &str) -> [String; 2] {
        [
            format!("OTEL_EXPORTER_OTLP_{}_{what}", self.name),
            format!("OTEL_EXPORTER_OTLP_{what}"),
        ]
    }
}

/// The environment, in which an empty variable is as good as none.
pub(super) struct Variables<'a>(pub(super) &'a dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// What is said of something for a signal, by its own variable or else by the one of all signals, and which.
    pub(super) fn of(&self, signal: &Signal, what: &str) -> Option<(String, String)> {
        let names = signal.variables(what).into_iter();
        names
            .filter_map(|name| self.get(&name).map(|value| (name, value)))
            .next()
    }

    /// A number of at least 1.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<u64>> {
        self.get(name).map(|value| whole(name, &value)).transpose()
    }

    /// How long one attempt to export may take, with its repetitions; none if the signal is not to be exported.
    pub(super) fn export(&self, signal: &Signal) -> Result<Option<Duration>> {
        if self
            .get("OTEL_SDK_DISABLED")
            .is_some_and(|disabled| disabled.eq_ignore_ascii_case("true"))
        {
            return Ok(None);
        }
        let endpoint = self.of(signal, "ENDPOINT");
        let wanted = match self.get(&signal.exporter()) {
            None => endpoint.is_some(),
            Some(names) => names_otlp(signal, &names)?,
        };
        if !wanted {
            return Ok(None);
        }
        if let Some((name, address)) = &endpoint
            && !is_address(address)
        {
            bail!("{name} is no address; it looks like `http://localhost:4318`");
        }
        if let Some((name, protocol)) = self.of(signal, "PROTOCOL")
            && protocol != "http/protobuf"
        {
            bail!(
                "{name} is {protocol:?}; this host speaks `http/protobuf` only, which collectors take at port 4318 as a rule"
            );
        }
        match self.of(signal, "TIMEOUT") {
            Some((name, value)) => Ok(Some(Duration::from_millis(whole(&name, &value)?))),
            None => Ok(Some(EXPORT_TIMEOUT)),
        }
    }
}

/// Whether a list of exporters has the one that there is.
fn names_otlp(signal: &Signal, names: &str) -> Result<bool> {
    for name in names.split(',').map(str::trim) {
        if !signal.exporters.contains(&name) {
            let possible: Vec<_> = signal.exporters.iter().map(|name| format!("`{name}`")).collect();
            bail!(
                "{} names {name:?}; it can be {}",
                signal.exporter(),
                possible.join(" or ")
            );
        }
    }
    Ok(names.split(',').any(|name| name.trim() == "otlp"))
}

/// Whether something can be exported there.
fn is_address(text: &str) -> bool {
    let address: Result<Uri, _> = text.parse();
    address.is_ok_and(|address| {
        matches!(address.scheme_str(), Some("http" | "https")) && address.host().is_some()
    })
}

fn whole(name: &str, value: &str) -> Result<u64> {
    match value.trim().parse() {
        Ok(0) | Err(_) => bail!("{name} is {value:?}; it must be a whole number of at least 1"),
        Ok(number) => Ok(number),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::telemetry) const TO: (&str, &str) =
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

    /// Reads from a list in place of the environment.
    pub(in crate::telemetry) fn of(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    }

    fn export(signal: &Signal, variables: &[(&str, &str)]) -> Result<Option<Duration>> {
        Variables(&of(variables)).export(signal)
    }

    #[test]
    fn a_signal_is_exported_when_the_environment_says_where_to_and_not_otherwise() {
        let metrics = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://c:4318/v1/metrics");
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:4318/v1/traces");
        for (variables, of_traces, of_metrics) in [
            (&[][..], false, false),
            (&[TO], true, true),
            (&[traces], true, false),
            (&[metrics], false, true),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], false, false),
            (&[("OTEL_TRACES_EXPORTER", "otlp")], true, false),
            (&[("OTEL_METRICS_EXPORTER", "otlp")], false, true),
            (&[TO, ("OTEL_TRACES_EXPORTER", "none")], false, true),
            (&[TO, ("OTEL_METRICS_EXPORTER", "none")], true, false),
            (&[TO, ("OTEL_METRICS_EXPORTER", "prometheus")], true, false),
            (&[("OTEL_METRICS_EXPORTER", "prometheus, otlp")], false, true),
            (&[TO, ("OTEL_SDK_DISABLED", "True")], false, false),
            (&[TO, ("OTEL_SDK_DISABLED", "false")], true, true),
            // What nobody uses need not be possible.
            (&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], false, false),
            (
                &[traces, ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc")],
                true,
                false,
            ),
        ] {
            for (signal, expected) in [(&TRACES, of_traces), (&METRICS, of_metrics)] {
                let wanted = export(signal, variables).unwrap().is_some();
                assert_eq!(wanted, expected, "{} with {variables:?}", signal.exporter());
            }
        }
    }

    #[test]
    fn what_cannot_be_done_is_said_with_the_variable_and_what_would_be_right() {
        for (signal, (name, value), right) in [
            (
                &TRACES,
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                "`http/protobuf`",
            ),
            (
                &METRICS,
                ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json"),
                "`http/protobuf`",
            ),
            (&TRACES, ("OTEL_TRACES_EXPORTER", "zipkin"), "`otlp`"),
            (&TRACES, ("OTEL_TRACES_EXPORTER", "prometheus"), "`otlp`"),
            (
                &METRICS,
                ("OTEL_METRICS_EXPORTER", "otlp,console"),
                "`prometheus`",
            ),
            (
                &TRACES,
                ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4318"),
                "`http://",
            ),
            (&METRICS, ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"), "whole number"),
            (
                &METRICS,
                ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "0"),
                "at least 1",
            ),
        ] {
            let refused = export(signal, &[TO, (name, value)]).unwrap_err().to_string();
            assert!(refused.contains(name) && refused.contains(right), "{refused}");
        }
    }

    #[test]
    fn an_export_takes_as_long_as_the_signal_s_own_variable_says_else_the_common_one() {
        let common = ("OTEL_EXPORTER_OTLP_TIMEOUT", "500");
        let own = ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "250");
        let milliseconds = |number| Some(Duration::from_millis(number));
        assert_eq!(export(&METRICS, &[TO]).unwrap(), milliseconds(10_000));
        assert_eq!(export(&METRICS, &[TO, common]).unwrap(), milliseconds(500));
        assert_eq!(export(&METRICS, &[TO, common, own]).unwrap(), milliseconds(250));
        assert_eq!(export(&TRACES, &[TO, common, own]).unwrap(), milliseconds(500));
    }
}
