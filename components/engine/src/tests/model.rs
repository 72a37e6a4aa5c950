//! A model that does what the message says.

use super::executor::yield_once;
use crate::port::*;
use anyturn_state::memory::ManualClock;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// Does what the user's last message says: steps divided by `|`, each of words. `read:1`, `once:2`, `risky:3`
/// and so on call tools, `risky:3x60000` with arguments of so many bytes; `long:1000` says so much; `wait:1000` takes so long before the first word and `beat:100` before every one; anything
/// else is said. After the last step it says "done". Asked by one of four prompts, see [`super::flow`].
#[derive(Clone, Default)]
pub(super) struct ScriptedModel {
    /// What the next calls give instead.
    pub failures: Rc<RefCell<VecDeque<ModelError>>>,
    pub requests: Rc<RefCell<Vec<ModelRequest>>>,
    pub clock: Rc<RefCell<Option<ManualClock>>>,
    /// Answers that were dropped before their end.
    pub broken_off: Rc<Cell<u32>>,
    /// Whether replies end with notes.
    pub notes: Rc<Cell<bool>>,
    /// Whether answers are all there at once.
    pub at_once: Rc<Cell<bool>>,
}

pub(super) struct ScriptedAnswer {
    events: VecDeque<ModelEvent>,
    wait: u64,
    beat: u64,
    at_once: bool,
    clock: ManualClock,
    broken_off: Rc<Cell<u32>>,
}

impl Drop for ScriptedAnswer {
    fn drop(&mut self) {
        if !self.events.is_empty() {
            self.broken_off.set(self.broken_off.get() + 1);
        }
    }
}

impl Model for ScriptedModel {
    type Answer = ScriptedAnswer;

    async fn complete(&self, request: ModelRequest) -> Result<ScriptedAnswer, ModelError> {
        self.requests.borrow_mut().push(request.clone());
        if let Some(error) = self.failures.borrow_mut().pop_front() {
            return Err(error);
        }
        let asked = request
            .messages
            .iter()
            .rposition(|message| message.role == Role::User)
            .unwrap();
        let said = text(&request.messages[asked]);
        let script = super::flow::script(&request, &said);
        let answered = request.messages[asked..]
            .iter()
            .filter(|message| message.role == Role::Tool)
            .count();
        let mut answer = ScriptedAnswer {
            events: VecDeque::new(),
            wait: 0,
            beat: 0,
            at_once: self.at_once.get(),
            broken_off: self.broken_off.clone(),
            clock: self.clock.borrow().clone().unwrap(),
        };
        let mut calls = 0;
        for (name, arguments) in super::flow::commands(&request, &said) {
            let index = calls;
            calls += 1;
            answer.events.extend([
                ModelEvent::ToolCallStarted {
                    index,
                    id: "same".into(),
                    name,
                },
                ModelEvent::ToolCallArguments { index, arguments },
            ]);
        }
        for word in script
            .split('|')
            .nth(answered)
            .unwrap_or("done")
            .split_whitespace()
        {
            match word.split_once(':') {
                Some(("wait", time)) => answer.wait = time.parse().unwrap(),
                Some(("beat", time)) => answer.beat = time.parse().unwrap(),
                Some(("long", bytes)) => {
                    let text = "y".repeat(bytes.parse().unwrap());
                    answer.events.push_back(ModelEvent::Text(text));
                }
                Some((name, n)) if request.tools_allowed => {
                    let arguments = match (n.parse::<i64>(), n.split_once('x')) {
                        (Ok(n), _) => json!({ "n": n }).to_string(),
                        (_, Some((n, bytes))) if bytes.parse::<usize>().is_ok() => {
                            let more = "y".repeat(bytes.parse().unwrap());
                            json!({ "n": n.parse::<i64>().unwrap(), "more": more }).to_string()
                        }
                        _ => n.to_owned(),
                    };
                    let started = ModelEvent::ToolCallStarted {
                        index: calls,
                        id: "same".into(),
                        name: name.into(),
                    };
                    // In two pieces, as providers do.
                    let (a, b) = arguments.split_at(arguments.len() / 2);
                    let piece = |arguments: &str| ModelEvent::ToolCallArguments {
                        index: calls,
                        arguments: arguments.to_owned(),
                    };
                    answer.events.extend([started, piece(a), piece(b)]);
                    calls += 1;
                }
                None if word == "fail" => {
                    answer
                        .events
                        .push_back(ModelEvent::Failed(model_error(ModelErrorKind::Unavailable)));
                    return Ok(answer);
                }
                None if word == "cut" => return Ok(answer),
                _ => {
                    let blank = if answer.events.is_empty() { "" } else { " " };
                    answer
                        .events
                        .push_back(ModelEvent::Text(format!("{blank}{word}")));
                }
            }
        }
        if self.notes.get() && request.purpose == "update" {
            for piece in ["\n\n[no", "tes]\nAnn is", " Ann Lee."] {
                answer.events.push_back(ModelEvent::Text(piece.to_owned()));
            }
        }
        answer.events.push_back(ModelEvent::Finished {
            reason: if calls > 0 {
                FinishReason::ToolCalls
            } else {
                FinishReason::Stop
            },
            usage: Usage {
                input_tokens: 10,
                cached_tokens: 1,
                output_tokens: 2,
            },
            model: "scripted".into(),
        });
        Ok(answer)
    }
}

impl Answer for ScriptedAnswer {
    async fn next(&mut self) -> Option<ModelEvent> {
        let wait = std::mem::take(&mut self.wait) + self.beat;
        if wait > 0 {
            self.clock.sleep(wait).await;
        }
        if !self.at_once {
            yield_once().await;
        }
        self.events.pop_front()
    }
}

pub(super) fn model_error(kind: ModelErrorKind) -> ModelError {
    ModelError {
        kind,
        message: "the model is out".into(),
        retry_after: Some(7),
    }
}

pub(super) fn text(message: &Message) -> String {
    let text = |part: &Part| match part {
        Part::Text { text } => text.clone(),
        _ => String::new(),
    };
    message.parts.iter().map(text).collect()
}
