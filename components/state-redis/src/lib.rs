//! Exports `anyturn:state` over `spin:redis`, for hosts that do not provide state themselves (Spin).
//!
//! Configured by variables: `redis_url`, and `state_namespace`, which names what its user shares with nobody.
//! Everything that is stored, and how, is [`anyturn_state::schema`]'s; here are the connection and the conversion
//! between the port's types and those of the bindings.
//!
//! Promises: an instance opens one connection, when it first needs it, and one more for each watch while that
//! waits; an operation that is not answered within 2 seconds is `unavailable`; no error contains the address.

mod connection;
mod convert;
mod exports;

#[allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::restriction
)]
mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit/state",
        world: "provider",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}
