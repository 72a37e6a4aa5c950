//! What the engine needs from outside: a model, tools, a clock and randomness, and somebody to tell.
//!
//! State is the fourth port and has its own crate (`anyturn-state`). The traits' futures are not `Send` by
//! contract: a component is one thread, and so are the tests.

use crate::gate::Stakes;
use crate::watch::{Attribute, Span, Traceparent};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::fmt;

// ---- the model --------------------------------------------------------------------------------------

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions of whoever built the assistant.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool's results.
    Tool,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// In order; at least one.
    pub parts: Vec<Part>,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture, from a user only.
    Image {
        /// Its media type, such as `image/png`.
        media_type: String,
        /// `https:` or `data:` address.
        url: String,
    },
    /// A tool that the model wants called.
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult(ToolResult),
}

/// A tool that the model wants called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Unique within the conversation.
    pub id: String,
    /// The tool's name, as the model knows it.
    pub name: String,
    /// A JSON object, as the model wrote it; not validated.
    pub arguments: String,
}

/// What a tool answered, as the model sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The call's id.
    pub call_id: String,
    /// Text for the model.
    pub content: String,
    /// Whether the tool reported an error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
}

/// A tool as a model is told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelTool {
    /// Unique within the request.
    pub name: String,
    /// What it does.
    pub description: String,
    /// A JSON Schema of an object, as its server wrote it.
    pub parameters: String,
    /// What people say when they want this.
    pub examples: Vec<Example>,
}

/// A model sentence for a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// What a person says.
    pub utterance: String,
    /// The JSON object that the tool is called with for it.
    pub arguments: String,
}

/// One call of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelRequest {
    /// What the call is for, such as `turn`.
    pub purpose: String,
    /// At least one.
    pub messages: Vec<Message>,
    /// The tools it may call.
    pub tools: Vec<ModelTool>,
    /// Whether it may call tools at all.
    pub tools_allowed: bool,
    /// What the answer should look like.
    pub options: ModelOptions,
    /// RFC 3339 with the user's offset.
    pub local_time: Option<String>,
    /// A stable, opaque name of the end user.
    pub user: Option<String>,
}

/// What an answer should look like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelOptions {
    /// The provider's name of the model; none takes the configured one.
    pub model: Option<String>,
    /// 0 to 2.
    pub temperature: Option<f32>,
    /// 0 to 1.
    pub top_p: Option<f32>,
    /// Upper limit for one answer, in tokens.
    pub max_output_tokens: Option<u32>,
    /// Up to 4 texts that end the answer.
    pub stop: Vec<String>,
    /// For reproducible answers, where the provider can.
    pub seed: Option<i64>,
}

/// A piece of a model's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelEvent {
    /// More text.
    Text(String),
    /// A tool call begins.
    ToolCallStarted {
        /// Counts the calls of this answer from 0.
        index: u32,
        /// The call's id.
        id: String,
        /// The tool's name.
        name: String,
    },
    /// More of a tool call's arguments.
    ToolCallArguments {
        /// Which call.
        index: u32,
        /// A piece of a JSON object.
        arguments: String,
    },
    /// The answer is complete.
    Finished {
        /// How it ended.
        reason: FinishReason,
        /// What it took.
        usage: Usage,
        /// The model that answered.
        model: String,
    },
    /// It will not be complete.
    Failed(ModelError),
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It is complete.
    Stop,
    /// The limit of tokens was reached.
    Length,
    /// The model wants tools called.
    ToolCalls,
    /// The provider withheld it.
    ContentFilter,
}

/// Tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Read by the model.
    pub input_tokens: u32,
    /// Of these, read from the provider's cache.
    #[serde(default)]
    pub cached_tokens: u32,
    /// Written by the model.
    pub output_tokens: u32,
}

/// Why there is no (complete) answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ModelError {
    /// What a caller can act on.
    pub kind: ModelErrorKind,
    /// For people; holds no credentials.
    pub message: String,
    /// Milliseconds after which trying again makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// Mirrors `anyturn:model/chat.error-kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ModelErrorKind {
    InvalidRequest,
    Unauthorized,
    UnknownModel,
    RateLimited,
    ContextTooLong,
    ContentRefused,
    Unavailable,
    Timeout,
    Protocol,
}

/// A language model.
#[allow(async_fn_in_trait)]
pub trait Model {
    /// A model's answer; dropping it cancels the call.
    type Answer: Answer;

    /// Asks; returns when the provider has begun to answer.
    async fn complete(&self, request: ModelRequest) -> Result<Self::Answer, ModelError>;
}

/// A model's answer as it arrives.
#[allow(async_fn_in_trait)]
pub trait Answer {
    /// The next piece; nothing comes after `Finished` or `Failed`.
    async fn next(&mut self) -> Option<ModelEvent>;
}

// ---- tools ------------------------------------------------------------------------------------------

/// A tool as its server describes it. What only models and tools look into is JSON text: to most turns it is nothing
/// but passed on.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolDefinition {
    /// Unique within its server.
    pub name: String,
    /// For people; falls back to the name.
    pub title: Option<String>,
    /// For the model.
    pub description: String,
    /// A JSON Schema of an object.
    pub input_schema: String,
    /// What repeating or interrupting it can do.
    pub effect: Effect,
    /// What people say when they want this.
    pub examples: Vec<Example>,
    /// Whether it promises that what it does can be undone: its results name their inverses.
    pub reversible: bool,
    /// What it says of how much is at stake in a call.
    pub stakes: Stakes,
}

/// What a call of a tool may do to the world, and so what a crash in the middle of it means.
///
/// Taken from MCP's tool annotations; a missing annotation means the worst case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// What to do with a call that may or may not have run.
    pub class: EffectClass,
    /// Whether it may destroy or overwrite something (`destructiveHint`).
    pub destructive: bool,
}

/// What to do with a call that was intended but has no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectClass {
    /// Changes nothing (`readOnlyHint`): run it again.
    Read,
    /// The same idempotency key takes effect once: run it again with the same key.
    Idempotent,
    /// The server tells whether a call with this key happened ([`Tools::check`]): ask, and run it if it did not.
    Verifiable,
    /// Never run it again by itself.
    Unprotected,
}

/// One call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// The tool's name at its server.
    pub tool: String,
    /// The validated arguments.
    pub arguments: Value,
    /// The same for every try of this call, and for no other call.
    pub idempotency_key: String,
    /// The last moment at which the call may take effect, in milliseconds since the Unix epoch by the store's
    /// clock; 0 is none. After it another instance may have the turn, and must find the effect done or never to
    /// come. A server that keeps its effects in the same store puts it into the effect's commit
    /// ([`anyturn_state::Write::NotAfter`]).
    pub not_after: u64,
}

/// What became of a call whose answer got lost.
#[derive(Clone, Debug, PartialEq)]
pub enum Checked {
    /// It took effect; this is what it answered.
    Happened(ToolOutcome),
    /// It did not, and never will.
    NotHappened,
    /// The server cannot tell.
    Unknown,
}

/// What a tool answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolOutcome {
    /// Text for the model and for people.
    pub content: String,
    /// The same for programs (MCP's `structuredContent`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structured: Option<Value>,
    /// Whether the tool reports that it failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
    /// The calls that undo this one, in their order; several for a call that did several things.
    #[serde(
        default,
        alias = "inverse",
        deserialize_with = "one_or_several",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub inverses: Vec<Inverse>,
}

/// Reads a list, or a single thing, which is how it was written when there was at most one.
fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Inverse>, D::Error> {
    struct OneOrSeveral;

    impl<'de> Visitor<'de> for OneOrSeveral {
        type Value = Vec<Inverse>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a call or a list of calls")
        }
        fn visit_map<A: MapAccess<'de>>(self, inverse: A) -> Result<Vec<Inverse>, A::Error> {
            Inverse::deserialize(MapAccessDeserializer::new(inverse)).map(|inverse| vec![inverse])
        }
        fn visit_seq<A: SeqAccess<'de>>(self, inverses: A) -> Result<Vec<Inverse>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(inverses))
        }
    }

    deserializer.deserialize_any(OneOrSeveral)
}

/// A call that undoes another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inverse {
    /// The tool's name at the same server.
    pub tool: String,
    /// Its arguments.
    pub arguments: Value,
    /// What it does, for people: "Restore “buy milk”".
    pub title: String,
    /// Whether this very call may destroy more than what the call has made that it undoes; none leaves it to what
    /// the tool says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destructive: Option<bool>,
}

/// Why a tool could not be asked, or did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ToolError {
    /// It was certainly not run.
    #[error("{0}")]
    NotRun(String),
    /// It came after its last moment ([`Invocation::not_after`]) and was certainly not run.
    #[error("{0}")]
    TooLate(String),
    /// It may have run.
    #[error("{0}")]
    Unknown(String),
}

/// On whose behalf a tool is called. The default, with an empty user, is for servers that must not be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The user's id; empty if the server must not be told.
    pub user: String,
    /// Their roles.
    pub roles: Vec<String>,
    /// The conversation.
    pub session: String,
    /// The user's IANA time zone.
    pub timezone: Option<String>,
}

/// Tool servers.
#[allow(async_fn_in_trait)]
pub trait Tools {
    /// What a server offers.
    async fn list(&self, server: &str, caller: &Caller) -> Result<Vec<ToolDefinition>, ToolError>;

    /// Calls a tool.
    async fn call(&self, server: &str, caller: &Caller, call: Invocation) -> Result<ToolOutcome, ToolError>;

    /// Asks what became of a call of a tool that is [`EffectClass::Verifiable`]: did a call with this
    /// idempotency key happen?
    async fn check(&self, server: &str, caller: &Caller, call: Invocation) -> Result<Checked, ToolError>;
}

// ---- time, randomness, listeners --------------------------------------------------------------------

/// What a deterministic engine must not take from anywhere else.
#[allow(async_fn_in_trait)]
pub trait Environment {
    /// Milliseconds since the Unix epoch.
    fn now(&self) -> u64;
    /// 128 random bits.
    fn random(&self) -> u128;
    /// The local time of an IANA time zone as RFC 3339 with offset; UTC when the zone is unknown or none.
    fn local_time(&self, now: u64, timezone: Option<&str>) -> String;
    /// Waits.
    async fn sleep(&self, milliseconds: u64);

    /// Begins a piece of work that somebody may watch. By default nobody does.
    fn watch(&self, _name: &str, _attributes: &[Attribute<'_>]) -> Span {
        Span::default()
    }

    /// Where the present request stands in a trace, if somebody traces it. By default nobody does.
    fn trace(&self) -> Option<&Traceparent> {
        None
    }
}

/// Where a turn's events go while it runs.
pub trait Sink {
    /// Takes an event; must not block. A listener that is gone is no reason to stop.
    fn emit(&self, event: crate::Event);
}
