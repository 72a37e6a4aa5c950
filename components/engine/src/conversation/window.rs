//! How much of a conversation the model sees.
//!
//! The window is cut between turns only, so a tool's call is never parted from its result, and a history never
//! begins with an answer. Cutting what was cut before gives what cutting everything at once gives; that is
//! what lets a snapshot stand for the whole journal.

use super::Progress;
use crate::port::{Message, Part, Role};

/// The bounds of what the model sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// At most so many turns.
    pub turns: usize,
    /// At most so many bytes.
    pub bytes: usize,
}

/// An ended turn, as the model sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exchange {
    /// From the user's message on.
    pub messages: Vec<Message>,
}

impl Exchange {
    pub(super) fn of(progress: &Progress) -> Self {
        Exchange {
            messages: progress.messages(),
        }
    }

    fn bytes(&self) -> usize {
        self.messages
            .iter()
            .flat_map(|message| &message.parts)
            .map(bytes)
            .sum()
    }

    /// Leaves out the tool calls and their results.
    fn reduce(&mut self) {
        self.messages.retain(|message| message.role != Role::Tool);
        for message in &mut self.messages {
            message.parts.retain(|part| !matches!(part, Part::ToolCall(_)));
        }
        self.messages.retain(|message| !message.parts.is_empty());
    }
}

impl Window {
    /// The last exchanges that fit. One that would not even fit alone is reduced to what was said.
    pub(super) fn cut(&self, mut exchanges: Vec<Exchange>) -> Vec<Exchange> {
        let mut left = self.bytes;
        let mut keep = 0;
        for exchange in exchanges.iter_mut().rev().take(self.turns) {
            if exchange.bytes() > self.bytes {
                exchange.reduce();
            }
            let Some(rest) = left.checked_sub(exchange.bytes()) else {
                break;
            };
            left = rest;
            keep += 1;
        }
        exchanges.split_off(exchanges.len() - keep)
    }
}

/// What a part costs: its text and a little for what surrounds it.
fn bytes(part: &Part) -> usize {
    const SURROUNDINGS: usize = 16;
    SURROUNDINGS
        + match part {
            Part::Text { text } => text.len(),
            Part::Image { media_type, url } => media_type.len() + url.len(),
            Part::ToolCall(call) => call.id.len() + call.name.len() + call.arguments.len(),
            Part::ToolResult(result) => result.call_id.len() + result.content.len(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::{ToolCall, ToolResult};
    use proptest::prelude::*;

    fn exchange(said: usize, tool: usize) -> Exchange {
        let text = |text: usize| {
            vec![Part::Text {
                text: "x".repeat(text),
            }]
        };
        let mut messages = vec![Message {
            role: Role::User,
            parts: text(said),
        }];
        if tool > 0 {
            let id = "call_1".to_owned();
            let call = ToolCall {
                id: id.clone(),
                name: "t".to_owned(),
                arguments: "{}".to_owned(),
            };
            let result = ToolResult {
                call_id: id,
                content: "y".repeat(tool),
                is_error: false,
            };
            messages.push(Message {
                role: Role::Assistant,
                parts: vec![Part::ToolCall(call)],
            });
            messages.push(Message {
                role: Role::Tool,
                parts: vec![Part::ToolResult(result)],
            });
        }
        messages.push(Message {
            role: Role::Assistant,
            parts: text(said),
        });
        Exchange { messages }
    }

    #[test]
    fn the_latest_turns_that_fit_are_kept() {
        let window = Window {
            turns: 2,
            bytes: 10_000,
        };
        let all = vec![exchange(1, 0), exchange(2, 0), exchange(3, 0)];
        assert_eq!(window.cut(all.clone()), all[1..]);
        let window = Window {
            turns: 9,
            bytes: exchange(2, 0).bytes() + exchange(3, 0).bytes(),
        };
        assert_eq!(window.cut(all.clone()), all[1..]);
        assert_eq!(
            Window {
                turns: 0,
                bytes: 10_000
            }
            .cut(all),
            []
        );
    }

    #[test]
    fn a_turn_too_large_for_the_window_is_reduced_to_what_was_said() {
        let window = Window { turns: 9, bytes: 200 };
        assert_eq!(window.cut(vec![exchange(5, 500)]), [exchange(5, 0)]);
        assert_eq!(window.cut(vec![exchange(1, 0), exchange(500, 0)]), []);
    }

    proptest! {
        #[test]
        fn cutting_step_by_step_is_cutting_at_once(
            sizes in prop::collection::vec((0usize..120, 0usize..300), 0..30),
            turns in 0usize..12,
            bytes in 0usize..1500,
        ) {
            let window = Window { turns, bytes };
            let all: Vec<Exchange> = sizes.iter().map(|(said, tool)| exchange(*said, *tool)).collect();
            let mut stepwise = Vec::new();
            for exchange in all.clone() {
                stepwise.push(exchange);
                stepwise = window.cut(stepwise);
            }
            prop_assert!(stepwise.iter().map(Exchange::bytes).sum::<usize>() <= bytes);
            prop_assert_eq!(stepwise, window.cut(all));
        }
    }
}
