//! A chat completion as a client gets it in one piece.

use anyturn_engine::Turn;
use anyturn_engine::port::Usage;
use serde::Serialize;

use super::waiting;

/// A completion.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ChatCompletion<'a> {
    /// `chatcmpl-` and the turn.
    pub id: String,
    /// `chat.completion`.
    pub object: &'static str,
    /// When the turn began, in seconds since the Unix epoch.
    pub created: u64,
    /// The assistant's name.
    pub model: &'a str,
    /// Exactly one.
    pub choices: [Choice; 1],
    /// Tokens of all model calls of the turn.
    pub usage: TokenUsage,
}

/// An answer.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Choice {
    /// 0.
    pub index: u32,
    /// What the assistant says.
    pub message: AnswerMessage,
    /// Always null.
    pub logprobs: Option<()>,
    /// `stop`.
    pub finish_reason: &'static str,
}

/// What the assistant says.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct AnswerMessage {
    /// `assistant`.
    pub role: &'static str,
    /// The text.
    pub content: String,
    /// Always null.
    pub refusal: Option<()>,
}

/// Tokens.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct TokenUsage {
    /// Read by the model.
    pub prompt_tokens: u32,
    /// Written by the model.
    pub completion_tokens: u32,
    /// Both.
    pub total_tokens: u32,
    /// More of those read.
    pub prompt_tokens_details: PromptTokensDetails,
}

/// More of the tokens read.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct PromptTokensDetails {
    /// Read from the provider's cache.
    pub cached_tokens: u32,
}

impl From<Usage> for TokenUsage {
    fn from(usage: Usage) -> Self {
        let Usage {
            input_tokens,
            cached_tokens,
            output_tokens,
        } = usage;
        Self {
            prompt_tokens: input_tokens,
            completion_tokens: output_tokens,
            total_tokens: input_tokens.saturating_add(output_tokens),
            prompt_tokens_details: PromptTokensDetails { cached_tokens },
        }
    }
}

/// The completion's id: the turn's, with the prefix that clients know.
#[must_use]
pub fn id(turn: &str) -> String {
    format!("chatcmpl-{}", turn.strip_prefix("turn_").unwrap_or(turn))
}

impl<'a> ChatCompletion<'a> {
    /// A turn as a completion.
    #[must_use]
    pub fn new(turn: &'a Turn) -> Self {
        Self {
            id: id(&turn.turn),
            object: "chat.completion",
            created: turn.created_at.0 / 1000,
            model: &turn.assistant,
            choices: [Choice {
                index: 0,
                message: AnswerMessage {
                    role: "assistant",
                    content: waiting::answer(turn),
                    refusal: None,
                },
                logprobs: None,
                finish_reason: "stop",
            }],
            usage: turn.usage.into(),
        }
    }
}
