//! The Model Context Protocol on the wire: messages, both sides, without a transport.
//!
//! Two revisions are spoken:
//!
//! - **2026-07-28**, in which every request stands for itself: it carries its version and the client's
//!   capabilities in `_meta`, and headers that repeat what intermediaries look at. One POST, no handshake.
//! - **2025-11-25** (and 2025-06-18, whose tools look the same), in which a client first says `initialize`.
//!   The server here keeps no session for it; the client here keeps the one that a server gives it.
//!
//! [`server::handle`] turns a request's headers and body into an answer for whatever implements
//! [`server::Server`]. [`client::Client`] lists and calls a server's tools through whatever implements
//! [`client::Transport`], starts without a handshake and falls back to one where the server wants it.
//! Only tools are served and used: no resources, prompts, sampling or elicitation.
//!
//! The specification is at <https://modelcontextprotocol.io/specification>.

pub mod client;
mod error;
pub mod header;
mod revision;
pub mod server;
mod tool;

pub use error::RpcError;
pub use revision::Revision;
pub use tool::{
    Annotations, CHECK_KEY, CONFIRM_ABOVE_KEY, COUNTED_KEY, CallResult, Checked, Content, EXAMPLES_KEY,
    EmbeddedResource, Example, IDEMPOTENCY_KEY_KEY, INVERSE_KEY, INVERSES_KEY, Implementation, Inverse,
    NOT_AFTER_KEY, REVERSIBLE_KEY, RISK_KEY, ResultMeta, Tool, ToolMeta, VERIFIABLE_KEY,
};
