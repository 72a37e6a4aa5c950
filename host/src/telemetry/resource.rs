//! Who tells: the resource, which is the same in traces and metrics.
//!
//! `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` are read by the SDK. What they leave open is filled in: the name, the
//! version, and an id of the process, without which the counters of several hosts could not be told from each other.

use super::environment::Variables;
use opentelemetry::KeyValue;
use opentelemetry::trace::TraceId;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};

/// What this process says of itself.
pub(super) fn resource(variables: &Variables<'_>) -> Resource {
    let named = is_named(variables);
    let detected = Resource::builder().build();
    // What is detected wins, except for the name that the SDK makes up.
    let detected = detected
        .iter()
        .filter(|(key, _)| named || key.as_str() != "service.name")
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", "anyturn"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new(
                "service.instance.id",
                uuid(RandomIdGenerator::default().new_trace_id()),
            ),
        ])
        .with_attributes(detected)
        .build()
}

/// Whether the environment names the service.
fn is_named(variables: &Variables<'_>) -> bool {
    variables.get("OTEL_SERVICE_NAME").is_some()
        || variables.get("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|list| {
            let mut pairs = list.split(',');
            pairs.any(|pair| pair.trim_start().starts_with("service.name="))
        })
}

/// A random UUID (version 4, RFC 9562), which the conventions recommend for instances; made of the 16 random bytes that
/// name a trace.
fn uuid(random: TraceId) -> String {
    let bits = u128::from_be_bytes(random.to_bytes());
    let bits = bits & !(0xf << 76) & !(0b11 << 62) | 0x4 << 76 | 0b10 << 62;
    let digits = format!("{bits:032x}");
    let mut uuid = String::with_capacity(36);
    for (at, digit) in digits.chars().enumerate() {
        if [8, 12, 16, 20].contains(&at) {
            uuid.push('-');
        }
        uuid.push(digit);
    }
    uuid
}

#[cfg(test)]
mod tests {
    use super::super::environment::tests::of;
    use super::*;

    #[test]
    fn a_service_that_nobody_named_is_anyturn() {
        for (variable, named) in [
            (("OTEL_SERVICE_NAME", "shop"), true),
            (("OTEL_RESOURCE_ATTRIBUTES", "a=1, service.name=shop"), true),
            (("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=mall"), false),
        ] {
            assert_eq!(is_named(&Variables(&of(&[variable]))), named, "{variable:?}");
        }
        let resource = resource(&Variables(&of(&[])));
        assert_eq!(resource.get(&"service.name".into()), Some("anyturn".into()));
        let id = resource.get(&"service.instance.id".into()).unwrap().to_string();
        assert_eq!(id.len(), 36);
        let another = super::resource(&Variables(&of(&[])));
        assert_ne!(another.get(&"service.instance.id".into()), Some(id.into()));
    }

    #[test]
    fn an_instance_has_a_random_uuid() {
        for (random, expected) in [
            (0, "00000000-0000-4000-8000-000000000000"),
            (u128::MAX, "ffffffff-ffff-4fff-bfff-ffffffffffff"),
            (
                0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c,
                "0af76519-16cd-43dd-8448-eb211c80319c",
            ),
        ] {
            assert_eq!(uuid(TraceId::from_bytes(random.to_be_bytes())), expected);
        }
    }
}
