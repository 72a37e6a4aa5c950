//! What chat needs from wherever it runs: the engine's ports, variables, files, HTTP and tasks.
//!
//! A component provides it over WASI and Spin (`component`), a test in memory. Everything between a request and its
//! answer is written against this trait, so that it is tested natively as it runs.

use std::future::Future;

use anyturn_engine::port::{Environment, Model};
use anyturn_state::Store;
use bytes::Bytes;

/// The world around a request. Clones are handles to the same world.
#[allow(async_fn_in_trait)]
pub trait Platform: Clone + 'static {
    /// State.
    type Store: Store + Clone + 'static;
    /// The language model.
    type Model: Model + Clone + 'static;
    /// Time and randomness.
    type Environment: Environment + Clone + 'static;
    /// The body of an answer that another server gave.
    type Incoming: http_body::Body<Data = Bytes, Error: std::fmt::Display> + Unpin + 'static;

    /// State.
    fn store(&self) -> &Self::Store;
    /// The language model.
    fn model(&self) -> &Self::Model;
    /// Time and randomness.
    fn environment(&self) -> &Self::Environment;

    /// What is configured as the language model, without asking it.
    ///
    /// # Errors
    /// Which variable is wrong or missing.
    async fn describe_model(&self) -> Result<ModelDescription, String>;

    /// A variable of this component; empty when it is not set.
    ///
    /// # Errors
    /// When it cannot be resolved.
    async fn variable(&self, name: &'static str) -> Result<String, String>;

    /// A file that is mounted for this component; `None` when there is no such file.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_file(&self, path: &str) -> std::io::Result<Option<Vec<u8>>>;

    /// The names of the files in a mounted folder; empty when there is no such folder.
    ///
    /// # Errors
    /// When it cannot be read.
    fn list_files(&self, folder: &str) -> std::io::Result<Vec<String>>;

    /// Sends a request to another server; returns when the head of the answer is there. Follows no redirects.
    ///
    /// # Errors
    /// Why there is no answer.
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Self::Incoming>, SendError>;

    /// Runs a task that may outlive the handler, and that a client who goes away does not stop.
    fn spawn(&self, task: impl Future<Output = ()> + 'static);
}

/// What is configured as the language model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelDescription {
    /// Such as `openai`.
    pub provider: String,
    /// Such as `gpt-6-luna`.
    pub model: String,
    /// False for the model that works without a network.
    pub remote: bool,
}

/// Why another server gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It was certainly not asked.
    #[error("{0}")]
    NotSent(String),
    /// It may have been.
    #[error("{0}")]
    Unknown(String),
}
