//! Metrics, as they were exported.
//!
//! What contradicts the data model of OTLP ("Metrics Data Model") is refused: a series that is there twice, sums that
//! do not say since when they count, histograms whose buckets do not add up.

use super::attributes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, HistogramDataPoint, Metric, NumberDataPoint,
};
use prost::Message as _;
use serde_json::Value;
use std::collections::BTreeMap;

/// A series at the time of an export.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What it is called.
    pub name: String,
    /// In what it is measured; empty if nobody says.
    pub unit: String,
    /// What tells it from others of its name.
    pub attributes: BTreeMap<String, Value>,
    /// What it says.
    pub reading: Reading,
    /// Since when it counts, and when it was read, in nanoseconds since the Unix epoch.
    pub time: (u64, u64),
    /// Who tells it.
    pub resource: BTreeMap<String, Value>,
}

/// What a series says.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// How much it came to since it counts; it only grows.
    Count(Value),
    /// How much it is now.
    Gauge(Value),
    /// How much of it there was in each bucket since it counts.
    Histogram {
        /// Up to where the buckets reach, the last one excepted.
        bounds: Vec<f64>,
        /// How much is in each.
        counts: Vec<u64>,
        /// The sum of all of it.
        sum: f64,
    },
}

impl Series {
    /// Whether it is called so and has these attributes, whatever else it has.
    pub fn is(&self, name: &str, attributes: &[(&str, &str)]) -> bool {
        let has = |(name, value): &(&str, &str)| self.attributes.get(*name).is_some_and(|of| of == value);
        self.name == name && attributes.iter().all(has)
    }
}

/// The series of an export request, or what is wrong with it.
pub(super) fn series(body: &[u8]) -> Result<Vec<Series>, String> {
    let request = ExportMetricsServiceRequest::decode(body).map_err(|error| error.to_string())?;
    let mut all: Vec<Series> = Vec::new();
    for of_resource in request.resource_metrics {
        let resource = of_resource
            .resource
            .ok_or("metrics without a resource")?
            .attributes;
        let resource = attributes(resource)?;
        for metric in of_resource
            .scope_metrics
            .into_iter()
            .flat_map(|scope| scope.metrics)
        {
            for series in of_metric(metric, &resource)? {
                if all
                    .iter()
                    .any(|other| (&other.name, &other.attributes) == (&series.name, &series.attributes))
                {
                    return Err(format!("a series that is there twice: {series:?}"));
                }
                all.push(series);
            }
        }
    }
    Ok(all)
}

fn of_metric(metric: Metric, resource: &BTreeMap<String, Value>) -> Result<Vec<Series>, String> {
    let Metric { name, unit, data, .. } = metric;
    let series = |time, attributes, reading| Series {
        name: name.clone(),
        unit: unit.clone(),
        attributes,
        reading,
        time,
        resource: resource.clone(),
    };
    let cumulative = |temporality: i32| {
        let sane = temporality == i32::from(AggregationTemporality::Cumulative);
        sane.then_some(())
            .ok_or_else(|| format!("{name} does not say all that it has counted"))
    };
    if name.is_empty() {
        return Err("a metric without a name".to_owned());
    }
    match data {
        Some(Data::Sum(sum)) => {
            cumulative(sum.aggregation_temporality)?;
            if !sum.is_monotonic {
                return Err(format!("{name} is a sum that may shrink"));
            }
            let points = sum.data_points.into_iter();
            points
                .map(|point| {
                    let time = since(&name, point.start_time_unix_nano, point.time_unix_nano)?;
                    let (attributes, number) = number(point)?;
                    Ok(series(time, attributes, Reading::Count(number)))
                })
                .collect()
        }
        Some(Data::Gauge(gauge)) => {
            let points = gauge.data_points.into_iter();
            points
                .map(|point| {
                    let time = (point.start_time_unix_nano, point.time_unix_nano);
                    let (attributes, number) = number(point)?;
                    Ok(series(time, attributes, Reading::Gauge(number)))
                })
                .collect()
        }
        Some(Data::Histogram(histogram)) => {
            cumulative(histogram.aggregation_temporality)?;
            let points = histogram.data_points.into_iter();
            points
                .map(|point| {
                    let time = since(&name, point.start_time_unix_nano, point.time_unix_nano)?;
                    let (of, reading) = buckets(&name, point)?;
                    Ok(series(time, of, reading))
                })
                .collect()
        }
        other => Err(format!("{name} is nothing that a host has: {other:?}")),
    }
}

/// Since when a series counts, and when it was read.
fn since(name: &str, began: u64, read: u64) -> Result<(u64, u64), String> {
    let sane = began > 0 && began <= read;
    sane.then_some((began, read))
        .ok_or_else(|| format!("{name} counts from {began} to {read}"))
}

fn number(point: NumberDataPoint) -> Result<(BTreeMap<String, Value>, Value), String> {
    let number = match point.value {
        Some(Number::AsInt(number)) => number.into(),
        Some(Number::AsDouble(number)) => number.into(),
        None => return Err(format!("a point without a value: {point:?}")),
    };
    Ok((attributes(point.attributes)?, number))
}

fn buckets(name: &str, point: HistogramDataPoint) -> Result<(BTreeMap<String, Value>, Reading), String> {
    let HistogramDataPoint {
        explicit_bounds: bounds,
        bucket_counts: counts,
        ..
    } = point;
    let ascend = bounds.windows(2).all(|pair| pair[0] < pair[1]);
    let complete = counts.len() == bounds.len() + 1 && counts.iter().sum::<u64>() == point.count;
    if !ascend || !complete {
        return Err(format!(
            "the buckets of {name} do not add up: {bounds:?}, {counts:?} of {}",
            point.count
        ));
    }
    let sum = point.sum.ok_or_else(|| format!("{name} has no sum"))?;
    Ok((
        attributes(point.attributes)?,
        Reading::Histogram { bounds, counts, sum },
    ))
}
