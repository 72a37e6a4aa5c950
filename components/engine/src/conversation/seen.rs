//! A turn as the model sees it: what was said, what it wanted called, and what came of that.

use super::agents::{data, is_master, is_sub, spoken};
use super::{End, Gated, Progress};
use crate::journal::{CallOutcome, ModelCalled};
use crate::port::{Message, Part, Role, ToolCall, ToolResult};

impl Progress {
    /// The user's message and what followed, as the model sees it. Every call has its result, always.
    pub(crate) fn messages(&self) -> Vec<Message> {
        let mut messages = Vec::with_capacity(2);
        let undone = self.undone().map(|undone| Message {
            role: Role::Assistant,
            parts: vec![Part::Text { text: undone }],
        });
        // What was undone for the message comes before it; what was undone by it is the answer.
        let (before, after) = if self.started.undo_only {
            (None, undone)
        } else {
            (undone, None)
        };
        messages.extend(before);
        messages.push(Message {
            role: Role::User,
            parts: self.started.message.clone(),
        });
        messages.extend(after);
        // An assistant of several agents keeps to itself what it did with them.
        let own = self.models.iter().filter(|model| !is_sub(&model.step));
        self.exchange(own, &mut messages);
        let closing = match &self.end {
            None | Some(End::Finished) => return messages,
            Some(End::Failed { text, .. }) => broken_off(text, "(This answer could not be completed.)"),
            Some(End::Stopped { text }) => broken_off(text, "(The user stopped this answer.)"),
            Some(End::Abandoned) => "(This answer was interrupted.)".to_owned(),
            Some(End::Waiting) => self.waiting_note(),
        };
        // A message without an answer would be answered along with the next one.
        messages.push(Message {
            role: Role::Assistant,
            parts: vec![Part::Text { text: closing }],
        });
        messages
    }

    /// What the model answered in some steps, with the results of the calls that it wanted in them.
    pub(super) fn exchange<'m>(
        &'m self,
        models: impl Iterator<Item = &'m ModelCalled>,
        messages: &mut Vec<Message>,
    ) {
        for model in models {
            let (text, calls) = if is_master(&model.step) {
                (spoken(&model.step, &model.text, true), &[][..])
            } else {
                (model.text.as_str(), model.calls.as_slice())
            };
            let mut parts = Vec::with_capacity(1 + calls.len());
            if !text.is_empty() {
                parts.push(Part::Text {
                    text: text.to_owned(),
                });
            }
            parts.extend(calls.iter().cloned().map(Part::ToolCall));
            if !parts.is_empty() {
                messages.push(Message {
                    role: Role::Assistant,
                    parts,
                });
            }
            if !calls.is_empty() {
                let results = calls.iter().flat_map(|call| {
                    let note = self.note(call).map(|text| Part::Text { text });
                    let mut result = self.result(call);
                    if is_sub(&model.step)
                        && let Some(CallOutcome::Answered(outcome)) =
                            self.finished(&call.id).map(|f| &f.outcome)
                        && outcome.structured.is_some()
                    {
                        result.content = format!("{}\n\nData: {}", result.content, data(outcome));
                    }
                    [Some(Part::ToolResult(result)), note]
                });
                messages.push(Message {
                    role: Role::Tool,
                    parts: results.flatten().collect(),
                });
            }
        }
    }

    /// What the model should know of a result besides what the tool has answered.
    fn note(&self, call: &ToolCall) -> Option<String> {
        let edited = self.gate_of(&call.id).and_then(Gated::edited)?;
        let answered = matches!(
            self.finished(&call.id)?.outcome,
            CallOutcome::Answered(_) | CallOutcome::Unknown(_)
        );
        answered.then(|| format!("(This call was allowed with other arguments than yours: {edited})"))
    }

    fn result(&self, call: &ToolCall) -> ToolResult {
        let (content, is_error) = match self.finished(&call.id).map(|finished| &finished.outcome) {
            Some(CallOutcome::Answered(outcome)) => (outcome.content.clone(), outcome.is_error),
            Some(CallOutcome::NotRun(reason) | CallOutcome::Unknown(reason)) => (reason.clone(), true),
            None if self.intended(&call.id).is_some() => (
                "This call was interrupted. It is unknown whether it took effect.".to_owned(),
                true,
            ),
            None => (
                self.gate_of(&call.id)
                    .and_then(Gated::denial)
                    .unwrap_or_else(|| "This call was not made.".to_owned()),
                true,
            ),
        };
        ToolResult {
            call_id: call.id.clone(),
            content,
            is_error,
        }
    }
}

/// An answer that broke off, as the model sees it.
fn broken_off(text: &str, note: &str) -> String {
    format!("{text}{}{note}", if text.is_empty() { "" } else { "\n\n" })
}
