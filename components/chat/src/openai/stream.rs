//! A chat completion as a client gets it in pieces.
//!
//! The stream begins with the first text, not with the turn: until then a model that fails is an ordinary error with
//! its status, which a client's own retries understand. What was told cannot be taken back in this dialect: where another
//! instance has taken a turn over and its text does not go on from what was told, the stream breaks off.
//!
//! After a decision it tells what is new, as an answer in one piece does: who has decided was told the rest before.

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
    /// The turn's text, as far as this client was told it, now or before.
    told: String,
    /// What stands of a turn that goes on, until it is known whether it does so after a decision.
    stands: Option<String>,
    /// Whether text waits until it is known whether the client was told it before.
    holds: bool,
    /// Whether this stream has told any text.
    speaks: bool,
    /// Whether a decision was taken.
    decided: bool,
    ended: bool,
}

impl ChunkWriter {
    /// A writer for an assistant's answer to a request that came at `now`, in milliseconds since the Unix epoch.
    /// `holds`: the request may repeat a decision, so that what was said before it has been told.
    #[must_use]
    pub fn new(model: String, include_usage: bool, now: u64, holds: bool) -> Self {
        Self {
            id: String::new(),
            created: now / 1000,
            model,
            include_usage,
            told: String::new(),
            stands: None,
            holds,
            speaks: false,
            decided: false,
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

    /// Tells text; what parts it from the text before a decision is left out.
    fn text(&mut self, text: &str) -> String {
        let first = self.decided && !self.speaks;
        let text = if first { text.trim_start() } else { text };
        if text.is_empty() {
            return String::new();
        }
        self.speaks = true;
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
        self.told.push_str(rest);
        self.text(rest)
    }

    /// What stands of a turn that went on without a decision is told, as far as it was not.
    fn go_on_undecided(&mut self) -> String {
        match self.stands.take() {
            Some(text) if !self.holds => self.go_on(&text),
            _ => String::new(),
        }
    }

    fn begin(&mut self, turn: &str) -> String {
        self.id = id(turn);
        self.delta(
            Delta {
                role: Some("assistant"),
                content: Some(""),
            },
            None,
        )
    }

    fn finish(&mut self, turn: &Turn) -> String {
        if self.ended {
            return String::new();
        }
        if turn.state == TurnState::Failed {
            return self.fail(&error::failed(turn));
        }
        let mut text = self.go_on_undecided();
        if self.ended {
            return text;
        }
        if self.id.is_empty() {
            self.created = turn.created_at.0 / 1000;
            text.push_str(&self.begin(&turn.turn));
        }
        // The turn of an idempotency key that was taken before may come without its pieces.
        if self.told.is_empty() {
            text.push_str(&self.text(waiting::said(turn)));
        }
        let waiting = waiting::asked(turn);
        if !waiting.is_empty() {
            let separator = if self.speaks { "\n\n" } else { "" };
            text.push_str(&self.text(&format!("{separator}{waiting}")));
        }
        self.ended = true;
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
        if let EventKind::GateDecided(_) = &event.kind {
            // The first thing that is told after a decision; what stands by then was told to whoever has decided.
            self.told = self.stands.take()?;
            (self.decided, self.holds) = (true, false);
            return None;
        }
        let before = self.go_on_undecided();
        if self.ended {
            return Some(before);
        }
        let told = match &event.kind {
            EventKind::TurnStarted(started) => {
                self.created = started.created_at.0 / 1000;
                self.begin(&started.turn)
            }
            EventKind::TextDelta { .. } if self.holds => return None,
            EventKind::TextDelta { text } => {
                let begun = if self.id.is_empty() {
                    self.begin(&event.id.turn)
                } else {
                    String::new()
                };
                self.told.push_str(text);
                begun + &self.text(text)
            }
            EventKind::TurnResumed { text } => {
                self.stands = Some(text.clone());
                return Some(before);
            }
            EventKind::ToolStarted(_)
            | EventKind::ToolFinished(_)
            | EventKind::AgentProgress(_)
            | EventKind::GateOpened(_)
            | EventKind::GateDecided(_)
            | EventKind::UndoFinished(_) => return Some(before),
            // Told at the very end, when it is known whether it is still to be told by a status.
            EventKind::TurnFinished(_)
            | EventKind::TurnFailed(_)
            | EventKind::TurnStopped(_)
            | EventKind::TurnWaiting(_) => return Some(before),
        };
        Some(before + &told)
    }

    fn begins(&self, event: &EventKind) -> bool {
        matches!(event, EventKind::TextDelta { .. }) && !self.holds
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
