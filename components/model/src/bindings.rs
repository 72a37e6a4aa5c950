//! The types of `wit/model/model.wit`, generated. Its documentation is there.
#![allow(missing_docs, unsafe_code, unused_qualifications, clippy::all)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

spin_sdk::wit_bindgen::generate!({
    path: "../../wit/model",
    world: "provider",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    additional_derives: [PartialEq],
    generate_all,
});
