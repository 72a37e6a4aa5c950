//! What OpenTelemetry's variables ask of metrics, by the names that the specification has.

use crate::telemetry::environment::{METRICS, Variables};
use anyhow::{Context as _, Result, bail};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use std::time::Duration;
use url::Url;

/// Where metrics go if nobody says it, and the path there.
const DEFAULT: &str = "http://localhost:4318";
const PATH: &str = "/v1/metrics";

/// How often they do, and how long an export may take.
const INTERVAL: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(30);

/// How metrics are exported.
#[derive(Debug)]
pub(in crate::telemetry) struct Settings {
    pub(super) address: Url,
    pub(super) headers: HeaderMap,
    /// Whether requests are compressed.
    pub(super) gzip: bool,
    /// From one export to the next.
    pub(super) interval: Duration,
    /// How long one may take, its repetitions included.
    pub(super) limit: Duration,
}

impl Settings {
    /// Reads the variables; none if they do not ask for metrics.
    pub(in crate::telemetry) fn read(variables: &Variables<'_>) -> Result<Option<Self>> {
        let Some(timeout) = variables.export(&METRICS)? else {
            return Ok(None);
        };
        if let Some(preference) = variables.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE")
            && !preference.eq_ignore_ascii_case("cumulative")
        {
            bail!(
                "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE is {preference:?}; counters are told as `cumulative`, \
                 which collectors can turn into deltas"
            );
        }
        let milliseconds = |name| Ok::<_, anyhow::Error>(variables.number(name)?.map(Duration::from_millis));
        let limit = milliseconds("OTEL_METRIC_EXPORT_TIMEOUT")?.unwrap_or(LIMIT);
        Ok(Some(Self {
            address: address(variables)?,
            headers: headers(variables)?,
            gzip: gzip(variables)?,
            interval: milliseconds("OTEL_METRIC_EXPORT_INTERVAL")?.unwrap_or(INTERVAL),
            limit: limit.min(timeout),
        }))
    }
}

fn address(variables: &Variables<'_>) -> Result<Url> {
    let [own, common] = METRICS.variables("ENDPOINT");
    let (name, text) = match variables.get(&own) {
        Some(address) => (own, address),
        None => {
            let base = variables.get(&common).unwrap_or_else(|| DEFAULT.to_owned());
            (common, format!("{}{PATH}", base.trim_end_matches('/')))
        }
    };
    text.parse()
        .with_context(|| format!("{name} is no address; it looks like `{DEFAULT}`"))
}

/// What every request says; a list of `name=value`, where values are percent-encoded.
fn headers(variables: &Variables<'_>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let Some((variable, list)) = variables.of(&METRICS, "HEADERS") else {
        return Ok(headers);
    };
    for pair in list.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let header = pair.split_once('=').and_then(|(name, value)| {
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            let name: HeaderName = name.trim().parse().ok()?;
            let mut value: HeaderValue = value.parse().ok()?;
            value.set_sensitive(true);
            Some((name, value))
        });
        // The rest may be a password.
        let (name, value) = header.with_context(|| {
            format!(
                "{variable} has something that is no header; it looks like `name=value,other=value%20two`"
            )
        })?;
        headers.insert(name, value);
    }
    Ok(headers)
}

fn gzip(variables: &Variables<'_>) -> Result<bool> {
    match variables.of(&METRICS, "COMPRESSION") {
        None => Ok(false),
        Some((name, value)) => match value.as_str() {
            "gzip" => Ok(true),
            "none" => Ok(false),
            other => bail!("{name} is {other:?}; it can be `gzip` or `none`"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::environment::tests::{TO, of};

    fn with(variables: &[(&str, &str)]) -> Result<Settings> {
        let mut all = vec![("OTEL_METRICS_EXPORTER", "otlp")];
        all.extend(variables);
        Ok(Settings::read(&Variables(&of(&all)))?.expect("they are asked for"))
    }

    #[test]
    fn what_is_not_said_is_as_the_specification_has_it() {
        let settings = with(&[]).unwrap();
        assert_eq!(settings.address.as_str(), "http://localhost:4318/v1/metrics");
        assert!(settings.headers.is_empty() && !settings.gzip);
        let seconds = Duration::from_secs;
        // The 30 s of OTEL_METRIC_EXPORT_TIMEOUT hold the 10 s of a request.
        assert_eq!((settings.interval, settings.limit), (seconds(60), seconds(10)));
        assert!(Settings::read(&Variables(&of(&[]))).unwrap().is_none());
    }

    #[test]
    fn an_address_of_metrics_is_taken_as_it_is_and_the_common_one_has_a_path_added() {
        for (variables, expected) in [
            (&[TO][..], "http://collector:4318/v1/metrics"),
            (
                &[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c.example/otlp/")],
                "https://c.example/otlp/v1/metrics",
            ),
            (
                &[TO, ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://other:1/x")],
                "http://other:1/x",
            ),
        ] {
            assert_eq!(with(variables).unwrap().address.as_str(), expected);
        }
    }

    #[test]
    fn variables_of_metrics_win_over_those_of_all_signals() {
        let settings = with(&[
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "authorization=Bearer%20a, x-tenant = 7",
            ),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "700"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "250"),
            ("OTEL_METRIC_EXPORT_TIMEOUT", "400"),
        ]);
        let settings = settings.unwrap();
        assert_eq!(settings.headers["authorization"], "Bearer a");
        assert_eq!(settings.headers["x-tenant"], "7");
        assert!(settings.gzip);
        let milliseconds = Duration::from_millis;
        assert_eq!(
            (settings.interval, settings.limit),
            (milliseconds(250), milliseconds(400))
        );
        let settings = with(&[
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=a"),
            ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "x-own=b"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "none"),
        ]);
        let settings = settings.unwrap();
        assert_eq!(settings.headers.len(), 1);
        assert!(settings.headers.contains_key("x-own") && !settings.gzip);
    }

    #[test]
    fn what_cannot_be_done_is_said_with_the_variable_and_what_would_be_right() {
        for (name, value, right) in [
            ("OTEL_METRIC_EXPORT_INTERVAL", "1m", "whole number"),
            ("OTEL_METRIC_EXPORT_TIMEOUT", "0", "at least 1"),
            ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "secret", "name=value"),
            ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "zstd", "`gzip`"),
            (
                "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
                "delta",
                "`cumulative`",
            ),
        ] {
            let refused = with(&[(name, value)]).unwrap_err().to_string();
            assert!(refused.contains(name) && refused.contains(right), "{refused}");
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}
