//! Spans, as the host takes them by `anyturn:telemetry`.

use anyturn_engine::watch::{Attribute, Span, Traceparent, Value, Watched};

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

/// Begins a part of the present request, which is `traced` or not.
pub fn begin(name: &str, attributes: &[Attribute<'_>], traced: bool) -> Span {
    Span::watched(Told {
        span: wit::Span::begin(name, None, &list(attributes)),
        traced,
    })
}

/// A span of the host's.
struct Told {
    span: wit::Span,
    traced: bool,
}

impl Watched for Told {
    fn begin(&self, name: &str, attributes: &[Attribute<'_>]) -> Span {
        Span::watched(Told {
            span: wit::Span::begin(name, Some(&self.span), &list(attributes)),
            traced: self.traced,
        })
    }

    fn set(&self, attributes: &[Attribute<'_>]) {
        self.span.set(&list(attributes));
    }

    fn fail(&self, kind: &str) {
        self.span.fail(kind);
    }

    fn link(&self, began: &Traceparent) {
        self.span.link(began.as_str());
    }

    fn traced(&self) -> bool {
        self.traced
    }

    fn enter(&self) {
        self.span.enter();
    }

    fn leave(&self) {
        self.span.leave();
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
