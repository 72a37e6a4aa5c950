//! The Lua scripts, with the digests that Redis knows them by.

/// A script. Redis keeps it under its digest once it has run, until the server restarts.
#[derive(Debug)]
pub struct Script {
    /// For people.
    pub name: &'static str,
    /// For `EVAL`.
    pub source: &'static str,
    /// For `EVALSHA`.
    pub sha1: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/scripts.rs"));
