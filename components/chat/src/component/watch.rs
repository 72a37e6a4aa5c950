//! Spans, as the host takes them by `anyturn:telemetry`.

use anyturn_engine::watch::{Attribute, Span, Value, Watched};

use bindings::anyturn::telemetry::tracing as wit;

#[allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::restriction
)]
mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit/telemetry",
        world: "imports",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

/// Begins a part of the present request.
pub fn begin(name: &str, attributes: &[Attribute<'_>]) -> Span {
    Span::watched(Told(wit::Span::begin(name, None, &list(attributes))))
}

/// A span of the host's.
struct Told(wit::Span);

impl Watched for Told {
    fn begin(&self, name: &str, attributes: &[Attribute<'_>]) -> Span {
        Span::watched(Told(wit::Span::begin(name, Some(&self.0), &list(attributes))))
    }

    fn set(&self, attributes: &[Attribute<'_>]) {
        self.0.set(&list(attributes));
    }

    fn fail(&self, kind: &str) {
        self.0.fail(kind);
    }
}

fn list(attributes: &[Attribute<'_>]) -> Vec<wit::Attribute> {
    attributes
        .iter()
        .map(|(name, value)| wit::Attribute {
            name: (*name).to_owned(),
            value: match value {
                Value::Text(text) => wit::Value::Text((*text).to_owned()),
                Value::Whole(number) => wit::Value::Whole(*number),
                Value::Number(number) => wit::Value::Number(*number),
                Value::Truth(truth) => wit::Value::Truth(*truth),
            },
        })
        .collect()
}
