//! From `chat.completion.chunk` objects to events.
//!
//! Lenient where providers are known to differ: tool calls without an index or an id (Gemini's and some
//! local servers' compatible endpoints), `stop` as the reason where tools are called, `null` for what is
//! absent, usage in the last chunk, in its own chunk, or never.

use std::collections::VecDeque;

use serde::Deserialize;

use super::errors;
use crate::{
    api::{Error, ErrorKind, Event, Finish, FinishReason, ToolCallDelta, ToolCallStart, Usage},
    failure::error,
    settings::Secret,
};

/// Collects events from chunks.
#[derive(Debug)]
pub struct Decoder {
    model: String,
    key: Option<Secret>,
    /// Makes the ids of calls that come without one unique in the conversation.
    salt: u64,
    /// The calls so far, in the order in which they began.
    calls: Vec<Call>,
    reason: Option<FinishReason>,
    usage: Usage,
    ended: bool,
    events: VecDeque<Event>,
}

#[derive(Debug)]
struct Call {
    /// The provider's index, if it has one.
    index: Option<u32>,
    id: String,
}

impl Decoder {
    /// For an answer of this model. `salt` should be random.
    pub fn new(model: String, key: Option<Secret>, salt: u64) -> Self {
        Self {
            model,
            key,
            salt,
            calls: Vec::new(),
            reason: None,
            usage: Usage {
                input_tokens: 0,
                cached_tokens: 0,
                output_tokens: 0,
            },
            ended: false,
            events: VecDeque::new(),
        }
    }

    /// The next event, if one is ready.
    pub fn next(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether `finished` has been put among the events.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Whether all that is missing is usage: an answer that breaks off here is complete.
    pub fn has_reason(&self) -> bool {
        self.reason.is_some()
    }

    /// Takes the data of one server-sent event.
    pub fn accept(&mut self, data: &str) -> Result<(), Error> {
        if self.ended {
            return Ok(());
        }
        match data.trim() {
            "" => Ok(()),
            "[DONE]" => self.finish(),
            data => {
                let chunk: Chunk = anyturn_json::from_str(data).map_err(|_| {
                    error(
                        ErrorKind::Protocol,
                        "The model's provider sent an event that is not a chunk of a chat completion.",
                    )
                })?;
                self.chunk(chunk, data)
            }
        }
    }

    /// Takes a whole `chat.completion`, as servers without streaming answer.
    pub fn accept_whole(&mut self, body: &str) -> Result<(), Error> {
        self.accept(body)?;
        self.finish()
    }

    /// The stream is at its end.
    pub fn finish(&mut self) -> Result<(), Error> {
        if self.ended {
            return Ok(());
        }
        let Some(reason) = self.reason else {
            return Err(error(
                ErrorKind::Protocol,
                "The model's provider ended its answer in the middle.",
            ));
        };
        self.ended = true;
        self.events.push_back(Event::Finished(Finish {
            // Some providers say `stop` where they mean this.
            reason: match reason {
                FinishReason::Stop if !self.calls.is_empty() => FinishReason::ToolCalls,
                reason => reason,
            },
            usage: self.usage,
            model: std::mem::take(&mut self.model),
        }));
        Ok(())
    }

    fn chunk(&mut self, chunk: Chunk, data: &str) -> Result<(), Error> {
        if chunk.error.is_some() {
            return Err(errors::in_stream(data, self.key.as_ref()));
        }
        if let Some(model) = chunk.model.filter(|model| !model.is_empty()) {
            self.model = model;
        }
        // Groq keeps it where no other provider does.
        if let Some(usage) = chunk.usage.or(chunk.x_groq.and_then(|groq| groq.usage)) {
            self.usage = usage.into();
        }
        // Only one answer is ever asked for.
        let Some(choice) = chunk.choices.unwrap_or_default().into_iter().next() else {
            return Ok(());
        };
        if let Some(delta) = choice.delta.or(choice.message) {
            // A refusal is what the model says instead of an answer.
            for text in [delta.content, delta.refusal].into_iter().flatten() {
                if !text.is_empty() {
                    self.events.push_back(Event::Text(text));
                }
            }
            for call in delta.tool_calls.unwrap_or_default() {
                self.tool_call(call)?;
            }
        }
        if let Some(reason) = choice.finish_reason {
            self.reason = Some(match reason.as_str() {
                "length" | "max_tokens" => FinishReason::Length,
                "tool_calls" | "function_call" => FinishReason::ToolCalls,
                "content_filter" | "safety" => FinishReason::ContentFilter,
                _ => FinishReason::Stop,
            });
        }
        Ok(())
    }

    fn tool_call(&mut self, delta: CallDelta) -> Result<(), Error> {
        let function = delta.function.unwrap_or_default();
        let id = delta.id.filter(|id| !id.is_empty());
        let name = function.name.filter(|name| !name.is_empty());
        let at = match self.known(delta.index, id.as_deref(), name.is_some()) {
            Some(at) => at,
            None => {
                let name = name.ok_or_else(|| {
                    error(
                        ErrorKind::Protocol,
                        "The model's provider began a tool call without a name.",
                    )
                })?;
                let at = self.calls.len();
                let id = id.unwrap_or_else(|| format!("call_{:016x}{at}", self.salt));
                self.calls.push(Call {
                    index: delta.index,
                    id: id.clone(),
                });
                self.events.push_back(Event::ToolCallStarted(ToolCallStart {
                    index: number(at),
                    id,
                    name,
                }));
                at
            }
        };
        if let Some(arguments) = function.arguments.filter(|arguments| !arguments.is_empty()) {
            self.events.push_back(Event::ToolCallArguments(ToolCallDelta {
                index: number(at),
                arguments,
            }));
        }
        Ok(())
    }

    /// Which call a delta goes on with: the one with its index (unless another id says that the index is
    /// used again), else the one with its id, else the last if it does not begin a new one.
    fn known(&self, index: Option<u32>, id: Option<&str>, named: bool) -> Option<usize> {
        match (index, id) {
            (Some(index), id) => self
                .calls
                .iter()
                .rposition(|call| call.index == Some(index) && id.is_none_or(|id| id == call.id)),
            (None, Some(id)) => self.calls.iter().rposition(|call| call.id == id),
            (None, None) if named => None,
            (None, None) => self.calls.len().checked_sub(1),
        }
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

// ---- the shapes -------------------------------------------------------------------------------------

#[derive(Deserialize)]
struct Chunk {
    model: Option<String>,
    choices: Option<Vec<Choice>>,
    usage: Option<WireUsage>,
    x_groq: Option<Groq>,
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<Delta>,
    /// In a whole completion.
    message: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Deserialize)]
struct CallDelta {
    index: Option<u32>,
    id: Option<String>,
    function: Option<FunctionDelta>,
}

#[derive(Default, Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct Groq {
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
struct WireUsage {
    prompt_tokens: Option<u32>,
    completion_tokens: Option<u32>,
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u32>,
}

impl From<WireUsage> for Usage {
    fn from(usage: WireUsage) -> Self {
        Self {
            input_tokens: usage.prompt_tokens.unwrap_or(0),
            cached_tokens: usage
                .prompt_tokens_details
                .and_then(|details| details.cached_tokens)
                .unwrap_or(0),
            output_tokens: usage.completion_tokens.unwrap_or(0),
        }
    }
}

#[cfg(test)]
#[path = "chunks_tests.rs"]
mod tests;
