//! Exports `anyturn:telemetry` for hosts that do not provide it themselves (Spin): whatever is told is forgotten.

// There is nothing in it but the export.
#![cfg(target_family = "wasm")]

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
        world: "provider",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

use bindings::exports::anyturn::telemetry::tracing::{Attribute, Guest, GuestSpan, Span, SpanBorrow};

/// Nobody who watches.
struct Nobody;

impl Guest for Nobody {
    type Span = Nobody;
}

impl GuestSpan for Nobody {
    fn begin(_name: String, _parent: Option<SpanBorrow<'_>>, _attributes: Vec<Attribute>) -> Span {
        Span::new(Nobody)
    }

    fn set(&self, _attributes: Vec<Attribute>) {}

    fn fail(&self, _error_type: String) {}

    fn link(&self, _traceparent: String) {}

    fn enter(&self) {}

    fn leave(&self) {}
}

#[allow(unsafe_code, reason = "the export that the macro generates")]
mod export {
    use super::{Nobody, bindings};

    bindings::export!(Nobody with_types_in bindings);
}
