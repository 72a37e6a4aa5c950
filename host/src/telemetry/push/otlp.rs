//! Says series in OTLP's words ("OpenTelemetry Protocol data model", "Prometheus and OpenMetrics Compatibility").
//!
//! A counter becomes a sum that only grows, a histogram one of explicit buckets, both counted since the process began; a
//! gauge becomes a gauge. Names stay as `/metrics` has them, `_total` included, as the specification has it, so that a
//! backend that speaks Prometheus finds the same ones whichever way they came; so do labels, as attributes.

use super::openmetrics::{Family, Sample};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells series of one process.
pub(super) struct Teller {
    resource: Resource,
    schema: String,
    /// Since when counters count, in nanoseconds since the Unix epoch.
    began: u64,
}

/// Series at one time.
#[derive(Clone, Copy)]
struct Times {
    began: u64,
    now: u64,
}

impl Teller {
    /// Those of `resource`, which count since `began`.
    pub(super) fn new(resource: &opentelemetry_sdk::Resource, began: SystemTime) -> Self {
        let ResourceAttributesWithSchema {
            attributes,
            schema_url,
        } = resource.into();
        Self {
            resource: Resource {
                attributes: attributes.0,
                ..Resource::default()
            },
            schema: schema_url.unwrap_or_default(),
            began: nanoseconds(began),
        }
    }

    /// What they say at a time; an error for series of a kind that none of ours is.
    pub(super) fn tell(
        &self,
        families: &[Family<'_>],
        now: SystemTime,
    ) -> Result<ExportMetricsServiceRequest, String> {
        let times = Times {
            began: self.began,
            now: nanoseconds(now),
        };
        let metrics = families.iter().map(|family| {
            metric(family, times)
                .ok_or_else(|| format!("the series {} are not what they say they are", family.name))
        });
        Ok(ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(InstrumentationScope {
                        name: "anyturn".to_owned(),
                        version: env!("CARGO_PKG_VERSION").to_owned(),
                        ..InstrumentationScope::default()
                    }),
                    metrics: metrics.collect::<Result<_, _>>()?,
                    schema_url: String::new(),
                }],
                schema_url: self.schema.clone(),
            }],
        })
    }
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn metric(family: &Family<'_>, times: Times) -> Option<Metric> {
    let cumulative = AggregationTemporality::Cumulative.into();
    let (name, data) = match family.kind {
        "counter" => {
            let name = format!("{}_total", family.name);
            let sum = Sum {
                data_points: numbers(family, &name, times.began, times.now)?,
                aggregation_temporality: cumulative,
                is_monotonic: true,
            };
            (name, Data::Sum(sum))
        }
        "gauge" => {
            let gauge = Gauge {
                data_points: numbers(family, family.name, 0, times.now)?,
            };
            (family.name.to_owned(), Data::Gauge(gauge))
        }
        "histogram" => {
            let histogram = Histogram {
                data_points: histograms(family, times)?,
                aggregation_temporality: cumulative,
            };
            (family.name.to_owned(), Data::Histogram(histogram))
        }
        _ => return None,
    };
    Some(Metric {
        name,
        description: family.help.to_owned(),
        unit: unit(family.unit).to_owned(),
        metadata: Vec::new(),
        data: Some(data),
    })
}

/// A unit as UCUM writes it, which OTLP wants.
fn unit(unit: &str) -> &str {
    match unit {
        "seconds" => "s",
        "bytes" => "By",
        other => other,
    }
}

/// Samples that are all called `name`, one for each series.
fn numbers(family: &Family<'_>, name: &str, began: u64, now: u64) -> Option<Vec<NumberDataPoint>> {
    let point = |sample: &Sample<'_>| {
        // The registry writes numbers that can have parts with a point.
        let value = match sample.value.parse() {
            Ok(whole) => Value::AsInt(whole),
            Err(_) => Value::AsDouble(sample.value.parse().ok()?),
        };
        (sample.name == name).then(|| NumberDataPoint {
            attributes: attributes(&sample.labels),
            start_time_unix_nano: began,
            time_unix_nano: now,
            value: Some(value),
            ..NumberDataPoint::default()
        })
    };
    family.samples.iter().map(point).collect()
}

/// Histograms, whose buckets are written with all that is in those before them and told without.
fn histograms(family: &Family<'_>, times: Times) -> Option<Vec<HistogramDataPoint>> {
    let mut points: Vec<(Vec<(&str, String)>, HistogramDataPoint)> = Vec::new();
    let mut below = 0;
    for sample in &family.samples {
        let mut labels = sample.labels.clone();
        let bound = labels
            .iter()
            .position(|(name, _)| *name == "le")
            .map(|at| labels.remove(at).1);
        // The samples of a series stand together.
        if points.last().is_none_or(|(of, _)| *of != labels) {
            let point = HistogramDataPoint {
                attributes: attributes(&labels),
                start_time_unix_nano: times.began,
                time_unix_nano: times.now,
                ..HistogramDataPoint::default()
            };
            points.push((labels, point));
            below = 0;
        }
        let (_, point) = points.last_mut()?;
        match (sample.name.strip_prefix(family.name)?, bound) {
            ("_sum", None) => point.sum = Some(sample.value.parse().ok()?),
            ("_count", None) => point.count = sample.value.parse().ok()?,
            ("_bucket", Some(bound)) => {
                let so_far: u64 = sample.value.parse().ok()?;
                point.bucket_counts.push(so_far.checked_sub(below)?);
                below = so_far;
                // The last bucket has no bound.
                if bound != "+Inf" {
                    point.explicit_bounds.push(bound.parse().ok()?);
                }
            }
            _ => return None,
        }
    }
    Some(points.into_iter().map(|(_, point)| point).collect())
}

fn attributes(labels: &[(&str, String)]) -> Vec<KeyValue> {
    let attribute = |(name, value): &(&str, String)| KeyValue {
        key: (*name).to_owned(),
        value: Some(AnyValue {
            value: Some(StringValue(value.clone())),
        }),
        ..KeyValue::default()
    };
    labels.iter().map(attribute).collect()
}

#[cfg(test)]
mod tests {
    use super::super::openmetrics::read;
    use super::*;
    use crate::metrics::{Metrics, Readings};
    use crate::telemetry::export::Counts;
    use opentelemetry::KeyValue as Said;
    use std::time::Duration;

    fn tell(text: &str) -> Result<Vec<Metric>, String> {
        let resource = opentelemetry_sdk::Resource::builder_empty()
            .with_attributes([Said::new("service.name", "shop")])
            .build();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut request = Teller::new(&resource, at(1)).tell(&read(text)?, at(3))?;
        let mut of_resource = request.resource_metrics.remove(0);
        let said = &of_resource.resource.as_ref().unwrap().attributes[0];
        assert_eq!(said.key, "service.name");
        Ok(of_resource.scope_metrics.remove(0).metrics)
    }

    #[test]
    fn counters_gauges_and_histograms_are_told_as_what_they_are() {
        let text = "# HELP sold What was sold.\n# TYPE sold counter\nsold_total{what=\"a\"} 3\nsold_total{what=\"b\"} 4\n\
             # TYPE cpu_seconds counter\n# UNIT cpu_seconds seconds\ncpu_seconds_total 2.0\n\
             # TYPE open gauge\nopen -1\n\
             # TYPE wait histogram\n\
             wait_sum{at=\"x\"} 1.5\nwait_count{at=\"x\"} 3\nwait_bucket{le=\"0.5\",at=\"x\"} 2\n\
             wait_bucket{le=\"1.0\",at=\"x\"} 2\nwait_bucket{le=\"+Inf\",at=\"x\"} 3\n\
             wait_sum{at=\"y\"} 0.0\nwait_count{at=\"y\"} 0\nwait_bucket{le=\"0.5\",at=\"y\"} 0\n\
             wait_bucket{le=\"1.0\",at=\"y\"} 0\nwait_bucket{le=\"+Inf\",at=\"y\"} 0\n# EOF\n";
        let told = tell(text).unwrap();
        let names: Vec<_> = told.iter().map(|metric| (&*metric.name, &*metric.unit)).collect();
        assert_eq!(
            names,
            [
                ("sold_total", ""),
                ("cpu_seconds_total", "s"),
                ("open", ""),
                ("wait", "")
            ]
        );
        assert_eq!(told[0].description, "What was sold.");
        let of = |name, value: &str| attributes(&[(name, value.to_owned())]);
        let began = 1_000_000_000;
        let number = |attributes, start_time_unix_nano, value| NumberDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano: 3 * began,
            value: Some(value),
            ..NumberDataPoint::default()
        };
        let sum = |data_points| {
            Some(Data::Sum(Sum {
                data_points,
                aggregation_temporality: 2,
                is_monotonic: true,
            }))
        };
        let sold = vec![
            number(of("what", "a"), began, Value::AsInt(3)),
            number(of("what", "b"), began, Value::AsInt(4)),
        ];
        assert_eq!(told[0].data, sum(sold));
        assert_eq!(
            told[1].data,
            sum(vec![number(vec![], began, Value::AsDouble(2.0))])
        );
        let open = vec![number(vec![], 0, Value::AsInt(-1))];
        assert_eq!(told[2].data, Some(Data::Gauge(Gauge { data_points: open })));
        let Some(Data::Histogram(wait)) = &told[3].data else {
            panic!("{:?}", told[3])
        };
        assert_eq!(wait.aggregation_temporality, 2);
        let points: Vec<_> = wait
            .data_points
            .iter()
            .map(|point| {
                (
                    point.sum,
                    point.count,
                    &*point.bucket_counts,
                    &*point.explicit_bounds,
                )
            })
            .collect();
        assert_eq!(
            points,
            [
                (Some(1.5), 3, &[2, 0, 1][..], &[0.5, 1.0][..]),
                (Some(0.0), 0, &[0, 0, 0], &[0.5, 1.0])
            ]
        );
        assert_eq!(wait.data_points[1].attributes, of("at", "y"));
        assert_eq!(wait.data_points[1].start_time_unix_nano, began);
    }

    #[test]
    fn every_series_that_can_be_scraped_can_be_told() {
        let metrics = Metrics::new(&Counts::default());
        metrics.of("chat").answered(404, Duration::from_millis(3));
        let text = metrics.text(&Readings {
            ready: true,
            live: 1,
            running: 1,
            places: 2,
            waiting: 0,
            store_round_trips: 7,
        });
        let told = tell(&text).unwrap();
        let kinds = text.lines().filter(|line| line.starts_with("# TYPE "));
        assert_eq!(told.len(), kinds.count());
        assert!(told.len() > 10 && told.iter().all(|metric| metric.data.is_some()));
    }

    #[test]
    fn series_that_say_something_else_than_their_kind_are_not_told() {
        for text in [
            "# TYPE a counter\na_sum 1\n# EOF\n",
            "# TYPE a gauge\na many\n# EOF\n",
            "# TYPE a histogram\na_bucket{le=\"1.0\"} 2\na_bucket{le=\"+Inf\"} 1\n# EOF\n",
            "# TYPE a stateset\na 1\n# EOF\n",
        ] {
            assert!(tell(text).unwrap_err().contains("series a "), "{text}");
        }
    }
}
