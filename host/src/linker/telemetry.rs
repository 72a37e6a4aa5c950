//! `anyturn:telemetry`: what components tell of their work.

use crate::guest::Guest;
use crate::telemetry::spans::{GuestSpan, Value};
use std::sync::Arc;
use wasmtime::component::{HasData, Linker, Resource};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit/telemetry",
        world: "imports",
        with: { "anyturn:telemetry/tracing.span": crate::telemetry::spans::GuestSpan },
        imports: { default: trappable },
    });
}

use bindings::anyturn::telemetry::tracing as wit;

/// Ties the interface to an instance's data.
struct Telemetry;

impl HasData for Telemetry {
    type Data<'a> = &'a mut Guest;
}

/// Adds the interface.
pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wit::add_to_linker::<_, Telemetry>(linker, |guest| guest)
}

impl wit::Host for Guest {}

impl wit::HostSpan for Guest {
    fn begin(
        &mut self,
        name: String,
        parent: Option<Resource<GuestSpan>>,
        attributes: Vec<wit::Attribute>,
    ) -> wasmtime::Result<Resource<GuestSpan>> {
        let runtime = Arc::clone(self.runtime());
        let parent = match &parent {
            Some(parent) => Some(self.table.get(parent)?),
            None => None,
        };
        let span = GuestSpan::begin(runtime, self.call(), name, parent, values(attributes));
        let place = span.place().cloned();
        let span = self.table.push(span)?;
        self.spans().begin(span.rep(), place.as_ref());
        Ok(span)
    }

    fn set(&mut self, span: Resource<GuestSpan>, attributes: Vec<wit::Attribute>) -> wasmtime::Result<()> {
        self.table.get_mut(&span)?.set(values(attributes));
        Ok(())
    }

    fn fail(&mut self, span: Resource<GuestSpan>, error_type: String) -> wasmtime::Result<()> {
        self.table.get_mut(&span)?.fail(error_type);
        Ok(())
    }

    fn link(&mut self, span: Resource<GuestSpan>, traceparent: String) -> wasmtime::Result<()> {
        self.table.get(&span)?.link(&traceparent);
        Ok(())
    }

    fn enter(&mut self, span: Resource<GuestSpan>) -> wasmtime::Result<()> {
        let place = self.table.get(&span)?.place().cloned();
        self.spans().enter(span.rep(), place.as_ref());
        Ok(())
    }

    fn leave(&mut self, span: Resource<GuestSpan>) -> wasmtime::Result<()> {
        self.spans().leave(span.rep());
        Ok(())
    }

    fn drop(&mut self, span: Resource<GuestSpan>) -> wasmtime::Result<()> {
        self.spans().end(span.rep());
        self.table.delete(span)?;
        Ok(())
    }
}

fn values(attributes: Vec<wit::Attribute>) -> Vec<(String, Value)> {
    attributes
        .into_iter()
        .map(|attribute| {
            let value = match attribute.value {
                wit::Value::Text(text) => Value::Text(text),
                wit::Value::Whole(number) => Value::Whole(number),
                wit::Value::Number(number) => Value::Number(number),
                wit::Value::Truth(truth) => Value::Truth(truth),
            };
            (attribute.name, value)
        })
        .collect()
}
