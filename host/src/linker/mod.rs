//! Everything that a component can import.
//!
//! WASI 0.2 and 0.3 (what a Rust component's standard library and SDK import), `wasi:http` of both, and the
//! interfaces that the host provides natively. What a component may *do* with an import is decided where it
//! is called: files by its mounts, the network by its permissions.

pub(crate) mod denied;
mod key_value;
pub(crate) mod redis;
mod state;
mod telemetry;
mod variables;

#[cfg(test)]
mod tests;

use crate::guest::Guest;
use wasmtime::Engine;
use wasmtime::component::Linker;
use wasmtime_wasi_http::{p2, p3};

/// A linker for every component of an application.
pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    p2::add_only_http_to_linker_async(&mut linker)?;
    p3::add_to_linker(&mut linker)?;
    state::add(&mut linker)?;
    telemetry::add(&mut linker)?;
    variables::add(&mut linker)?;
    redis::add(&mut linker)?;
    key_value::add(&mut linker)?;
    Ok(linker)
}
