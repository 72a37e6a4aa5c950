//! What OpenTelemetry's variables ask for.
//!
//! `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_TRACES_EXPORTER=otlp` switch traces on;
//! `OTEL_SDK_DISABLED=true` and `OTEL_TRACES_EXPORTER=none` off again. Addresses, headers, time-outs, compression,
//! samplers, batches, limits and the resource are read by the SDK itself, by the names that the specification has. What
//! this host cannot do is refused here rather than passed over.

use anyhow::{Result, bail};
use http::Uri;
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use std::time::Duration;

/// How long an export may take, unless the environment says otherwise, as the specification has it.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// How many spans wait to be exported, likewise.
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
    /// Whether the environment names the service.
    named: bool,
}

impl Settings {
    /// Reads the variables; none if they do not ask for traces. An empty one is as good as none.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let first =
            |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, variable(name)?)));
        if variable("OTEL_SDK_DISABLED").is_some_and(|disabled| disabled.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let endpoint = first([
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        ]);
        match variable("OTEL_TRACES_EXPORTER").as_deref() {
            None if endpoint.is_none() => return Ok(None),
            Some("none") => return Ok(None),
            None | Some("otlp") => {}
            Some(other) => bail!("OTEL_TRACES_EXPORTER is {other:?}; it can be `otlp` or `none`"),
        }
        if let Some((name, address)) = &endpoint
            && !is_address(address)
        {
            bail!("{name} is no address; it looks like `http://localhost:4318`");
        }
        if let Some((name, protocol)) = first([
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ]) && protocol != "http/protobuf"
        {
            bail!(
                "{name} is {protocol:?}; this host speaks `http/protobuf` only, which collectors take at port 4318 as a rule"
            );
        }
        let timeout = match first(["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"]) {
            Some((name, value)) => Duration::from_millis(whole(name, &value)?),
            None => EXPORT_TIMEOUT,
        };
        let queue = match variable("OTEL_BSP_MAX_QUEUE_SIZE") {
            Some(value) => usize::try_from(whole("OTEL_BSP_MAX_QUEUE_SIZE", &value)?)?,
            None => QUEUE,
        };
        let propagates = match variable("OTEL_PROPAGATORS") {
            Some(names) => propagates(&names)?,
            None => true,
        };
        let named = variable("OTEL_SERVICE_NAME").is_some()
            || variable("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|list| {
                let mut pairs = list.split(',');
                pairs.any(|pair| pair.trim_start().starts_with("service.name="))
            });
        Ok(Some(Self {
            timeout,
            queue,
            propagates,
            named,
        }))
    }

    /// Who makes the spans: what the environment says, and what it leaves open.
    pub(super) fn resource(&self) -> Resource {
        let detected = Resource::builder().build();
        // What is detected wins, except for the name that the SDK makes up.
        let detected = detected
            .iter()
            .filter(|(key, _)| self.named || key.as_str() != "service.name")
            .map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
        Resource::builder_empty()
            .with_attributes([
                KeyValue::new("service.name", "anyturn"),
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            ])
            .with_attributes(detected)
            .build()
    }
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
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<Option<Settings>> {
        Settings::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const TO: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

    #[test]
    fn traces_are_made_when_the_environment_says_where_to_and_not_otherwise() {
        for (variables, on) in [
            (&[][..], false),
            (&[TO], true),
            (
                &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:4318/v1/traces")],
                true,
            ),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], false),
            (&[("OTEL_TRACES_EXPORTER", "otlp")], true),
            (&[TO, ("OTEL_TRACES_EXPORTER", "none")], false),
            (&[TO, ("OTEL_SDK_DISABLED", "true")], false),
            (&[TO, ("OTEL_SDK_DISABLED", "false")], true),
            // What nobody uses need not be possible.
            (&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], false),
        ] {
            assert_eq!(with(variables).unwrap().is_some(), on, "{variables:?}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_said_with_the_variable_and_what_would_be_right() {
        for ((name, value), right) in [
            (("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), "`http/protobuf`"),
            (
                ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
                "`http/protobuf`",
            ),
            (("OTEL_TRACES_EXPORTER", "zipkin"), "`otlp`"),
            (
                ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4318"),
                "`http://",
            ),
            (("OTEL_PROPAGATORS", "b3"), "`tracecontext`"),
            (("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"), "whole number"),
            (("OTEL_BSP_MAX_QUEUE_SIZE", "0"), "at least 1"),
        ] {
            let refused = with(&[TO, (name, value)]).unwrap_err().to_string();
            assert!(refused.contains(name) && refused.contains(right), "{refused}");
        }
    }

    #[test]
    fn what_is_not_said_is_as_the_specification_has_it() {
        let settings = with(&[TO]).unwrap().unwrap();
        assert_eq!(
            (settings.timeout, settings.queue, settings.propagates),
            (Duration::from_secs(10), 2048, true)
        );
        let settings = with(&[
            TO,
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "7"),
            ("OTEL_PROPAGATORS", "none"),
        ]);
        let settings = settings.unwrap().unwrap();
        assert_eq!(
            (settings.timeout, settings.queue, settings.propagates),
            (Duration::from_millis(250), 7, false)
        );
    }

    #[test]
    fn a_service_that_nobody_named_is_anyturn() {
        let name = |settings: &Settings| settings.resource().get(&"service.name".into());
        let unnamed = with(&[TO]).unwrap().unwrap();
        assert_eq!(name(&unnamed), Some("anyturn".into()));
        let named = with(&[TO, ("OTEL_RESOURCE_ATTRIBUTES", "a=1,service.name=shop")]);
        assert!(named.unwrap().unwrap().named);
    }
}
