//! The one Redis schema: what lies under which key, the scripts that change it, and how both are spoken to.
//!
//! Redis 7.0 or later, or what behaves like it; standalone, behind Sentinel, or Cluster.
//!
//! # Keys
//!
//! `anyturn:{<namespace>/<scope>}:<kind>:<name>`. The braces make everything in a scope one slot of a cluster.
//!
//! | kind | type       | holds                                                                              |
//! |------|------------|------------------------------------------------------------------------------------|
//! | `j`  | stream     | a journal: the entry at position *p* has the id *p + 1*-0 and one field, `e`       |
//! | `k`  | string     | the journal's checkpoint; expires and dies with it                                 |
//! | `d`  | string     | a document: `1:<version>:<value>`                                                  |
//! | `c`  | string     | a counter, in decimal                                                              |
//! | `x`  | sorted set | an index: its members by score                                                     |
//! | `v`  | hash       | the values of an index's members; none for a member whose value is empty           |
//! | `l`  | string     | a lease: `1:<epoch>:<until>:<holder>`; kept 24 hours longer than the lease runs    |
//! | `q`  | several    | the keys of a queue, which is a scope of its own; see `scripts/queue.lua`          |
//!
//! The leading `1` of documents, leases and jobs is the schema's version, as is the name of a journal's field; a
//! value of another version is reported as `corrupt` and left alone. The type of a kind is the same in all versions:
//! what reads several strings at once (`MGET`) takes a key of another type for one that is not there.
//!
//! # Calls
//!
//! Each operation is one call of one script ([`Invocation`]), and its reply is one string. Who can run such a
//! call implements [`Backend`], and [`Client`] makes the state port of it. Scripts touch no key that is not
//! declared, take the time from the server, and either change everything or nothing.
//!
//! A commit that appends to a journal publishes its new length on the channel that bears the name of the
//! journal's key.

mod client;
mod encode;
mod keys;
mod reply;
mod script;

pub use client::{Backend, Client, Waiter};
pub use encode::{Arg, Invocation};
pub use script::{ALL as SCRIPTS, Script};
