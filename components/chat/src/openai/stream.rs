//! A chat completion as a client gets it in pieces.
//!
//! The stream begins with the first text, not with the turn: until then a model that fails is an ordinary error with
//! its status, which a client's own retries understand. What was told cannot be taken back in this dialect: where another
//! instance has taken a turn over and its text does not go on from what was told, the stream breaks off.

use anyturn_engine::{Event, EventKind, Turn, TurnState};
use serde::Serialize;

use super::answer::{TokenUsage, id};
use super::{error, waiting};
use crate::http::{Kind, Problem, sse};
use crate::turns::Writer;

/// A piece of a completion.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ChatCompletionChunk<'a> {
    /// The same in all pieces.
    pub id: &'a str,
    /// `chat.completion.chunk`.
    pub object: &'static str,
    /// When the turn began, in seconds since the Unix epoch.
    pub created: u64,
    /// The assistant's name.
    pub model: &'a str,
    /// One, and none in the piece that tells the usage.
    pub choices: Vec<ChunkChoice<'a>>,
    /// Only if asked for: null, and in the last piece what was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Option<TokenUsage>>,
}

/// A piece of an answer.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ChunkChoice<'a> {
    /// 0.
    pub index: u32,
    /// What is new.
    pub delta: Delta<'a>,
    /// Always null.
    pub logprobs: Option<()>,
    /// Null until the last piece.
    pub finish_reason: Option<&'static str>,
}

/// What is new.
#[derive(Default, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Delta<'a> {
    /// In the first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// Text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<&'a str>,
}

/// Writes a turn as pieces.
pub struct ChunkWriter {
    id: String,
    created: u64,
    model: String,
    include_usage: bool,
    told: String,
    ended: bool,
}

impl ChunkWriter {
    /// A writer for an assistant's answer.
    #[must_use]
    pub fn new(model: String, include_usage: bool) -> Self {
        Self {
            id: String::new(),
            created: 0,
            model,
            include_usage,
            told: String::new(),
            ended: false,
        }
    }

    fn chunk(&self, choices: Vec<ChunkChoice<'_>>, usage: Option<TokenUsage>) -> String {
        let chunk = ChatCompletionChunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices,
            usage: self.include_usage.then_some(usage),
        };
        // All keys are strings, so this cannot fail.
        sse::data(&serde_json::to_string(&chunk).unwrap_or_default())
    }

    fn delta(&self, delta: Delta<'_>, finish_reason: Option<&'static str>) -> String {
        self.chunk(
            vec![ChunkChoice {
                index: 0,
                delta,
                logprobs: None,
                finish_reason,
            }],
            None,
        )
    }

    fn text(&self, text: &str) -> String {
        let delta = Delta {
            role: None,
            content: Some(text),
        };
        self.delta(delta, None)
    }

    /// Tells what of a text has not been told.
    fn go_on(&mut self, text: &str) -> String {
        let Some(rest) = text.strip_prefix(self.told.as_str()) else {
            return self.fail(&Problem::new(
                Kind::TurnInterrupted,
                "Another instance has gone on with this turn, and its text is another one; the same idempotency key leads \
                 to it.",
            ));
        };
        if rest.is_empty() {
            return String::new();
        }
        let told = self.text(rest);
        self.told.push_str(rest);
        told
    }

    fn begin(&mut self, turn: &str, created: u64) -> String {
        self.id = id(turn);
        self.created = created / 1000;
        self.delta(
            Delta {
                role: Some("assistant"),
                content: Some(""),
            },
            None,
        )
    }

    fn finish(&mut self, turn: &Turn) -> String {
        if std::mem::replace(&mut self.ended, true) {
            return String::new();
        }
        if turn.state == TurnState::Failed {
            return self.fail(&error::failed(turn));
        }
        let mut text = String::new();
        if self.id.is_empty() {
            text.push_str(&self.begin(&turn.turn, turn.created_at.0));
        }
        // The turn of an idempotency key that was taken before comes without its pieces.
        if self.told.is_empty() && !turn.message.content.is_empty() {
            text.push_str(&self.text(&turn.message.content));
            self.told.push_str(&turn.message.content);
        }
        let waiting = waiting::asked(turn);
        if !waiting.is_empty() {
            let separator = if self.told.is_empty() { "" } else { "\n\n" };
            text.push_str(&self.text(&format!("{separator}{waiting}")));
        }
        text.push_str(&self.delta(Delta::default(), Some("stop")));
        if self.include_usage {
            text.push_str(&self.chunk(Vec::new(), Some(turn.usage.into())));
        }
        text.push_str(&sse::data("[DONE]"));
        text
    }

    fn fail(&mut self, problem: &Problem) -> String {
        self.ended = true;
        let (_, body) = error::body(problem);
        sse::data(&serde_json::to_string(&body).unwrap_or_default())
    }
}

impl Writer for ChunkWriter {
    fn write(&mut self, event: &Event) -> Option<String> {
        if self.ended {
            return None;
        }
        match &event.kind {
            EventKind::TurnStarted(started) => Some(self.begin(&started.turn, started.created_at.0)),
            EventKind::TextDelta { text } => {
                self.told.push_str(text);
                Some(self.text(text))
            }
            EventKind::TurnResumed { text } => Some(self.go_on(text)),
            EventKind::ToolStarted(_)
            | EventKind::ToolFinished(_)
            | EventKind::AgentProgress(_)
            | EventKind::GateOpened(_)
            | EventKind::GateDecided(_)
            | EventKind::UndoFinished(_) => None,
            // Told at the very end, when it is known whether it is still to be told by a status.
            EventKind::TurnFinished(_)
            | EventKind::TurnFailed(_)
            | EventKind::TurnStopped(_)
            | EventKind::TurnWaiting(_) => None,
        }
    }

    fn begins(&self, event: &EventKind) -> bool {
        matches!(event, EventKind::TextDelta { .. })
    }

    fn patience(&self) -> Option<u64> {
        None
    }

    fn end(&mut self, turn: &Turn) -> String {
        self.finish(turn)
    }

    fn break_off(&mut self, problem: &Problem) -> String {
        if self.ended {
            return String::new();
        }
        self.fail(problem)
    }

    fn refuse(&self, turn: &Turn) -> Option<Problem> {
        (turn.state == TurnState::Failed).then(|| error::failed(turn))
    }
}
