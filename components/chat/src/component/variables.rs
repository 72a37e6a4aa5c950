//! Variables, read without waiting.
//!
//! Spin's interface is asynchronous for the sake of providers that are far away. Every request reads seven variables or
//! more, though, and they are nearly always at hand: a call that may wait costs more than one that holds the instance
//! until the value is there. So the SDK's bindings, which always wait, are not used here.

use bindings::spin::variables::variables::{Error, get};

#[allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::restriction
)]
mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../../host/wit/spin-variables",
        world: "imports",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        async: false,
    });
}

/// A variable; empty when the manifest does not have it.
pub fn read(name: &str) -> Result<String, String> {
    match get(name) {
        Ok(value) => Ok(value),
        Err(Error::Undefined(_)) => Ok(String::new()),
        Err(Error::InvalidName(reason) | Error::Provider(reason) | Error::Other(reason)) => Err(reason),
    }
}
