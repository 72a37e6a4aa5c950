//! The promises, by what they are about. `lib.rs` lists them all.

pub(crate) mod access;
pub(crate) mod app;
pub(crate) mod approvals;
pub(crate) mod busy;
pub(crate) mod contract;
pub(crate) mod errors;
pub(crate) mod forks;
pub(crate) mod gates;
pub(crate) mod openai;
pub(crate) mod pages;
pub(crate) mod streams;
pub(crate) mod talking;
pub(crate) mod tasks;
pub(crate) mod turns;
pub(crate) mod undo;
