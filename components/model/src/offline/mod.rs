//! A model that needs no network: it plans tool calls from the examples that tools declare.
//!
//! It is deterministic, says what it is, and is no chatbot:
//! - a message that some tool's examples explain becomes calls of that tool (`plan`);
//! - when the tools have answered, it passes on what they said, in their order;
//! - of an assistant of several agents it plays them all (`agents`);
//! - to anything else it says what it can do, and how to configure a model that can do more.
//!
//! The work is a matter of microseconds, for every turn pays for it: words are compared by hashes, and only
//! the tools whose examples share words with the message are looked at closely.

use std::fmt::Write;

use crate::{
    api::{
        Event, Finish, FinishReason, Message, Part, Request, Role, ToolCallDelta, ToolCallStart, ToolChoice,
        Usage,
    },
    port::Platform,
};
use dates::Now;
use plan::{Planned, Planner};

mod agents;
mod align;
mod beside;
mod calendar;
mod dates;
mod fill;
#[cfg(test)]
mod fixture;
mod near;
mod numbers;
mod plan;
mod refer;
mod reply;
mod schema;
mod template;
mod when;
mod words;

/// The model's name.
pub const MODEL: &str = "offline";

/// Answers a request.
pub fn answer(request: &Request, platform: &impl Platform) -> Vec<Event> {
    let mut answer = Writer::new(request);
    let after_user = request
        .messages
        .iter()
        .rposition(|message| message.role == Role::User)
        .map_or(0, |at| at + 1);
    let (before, after) = request.messages.split_at(after_user);
    let text = before.last().map(text_of).unwrap_or_default();

    if request.purpose == "title" {
        answer.text(&reply::title(&text));
        return answer.finish(FinishReason::Stop);
    }
    let tools = match &request.tool_choice {
        ToolChoice::None => &[],
        ToolChoice::Auto | ToolChoice::Required => request.tools.as_slice(),
        ToolChoice::Named(name) => {
            let named = request.tools.iter().position(|tool| tool.name == *name);
            named
                .and_then(|at| request.tools.get(at..=at))
                .unwrap_or_default()
        }
    };
    let now = request
        .local_time
        .as_deref()
        .and_then(Now::parse)
        .unwrap_or_else(|| utc(platform));
    if let Some(agents::Answer { text, calls }) = agents::answer(request, &text, after, tools, &now) {
        answer.text(&text);
        let reason = if calls.is_empty() {
            FinishReason::Stop
        } else {
            FinishReason::ToolCalls
        };
        let salt = platform.random();
        for (name, arguments) in calls {
            answer.call(&name, arguments, salt);
        }
        return answer.finish(reason);
    }
    if let Some(results) = reply::results(after) {
        answer.text(&results);
        return answer.finish(FinishReason::Stop);
    }
    let planned = Planner::new(tools, before, &now).plan(&text);
    if !planned
        .iter()
        .any(|planned| matches!(planned, Planned::Call { .. }))
    {
        answer.text(&reply::help(tools, &planned));
        return answer.finish(FinishReason::Stop);
    }
    if let Some(rest) = reply::not_understood(tools, &planned) {
        answer.text(&rest);
    }
    let salt = platform.random();
    for planned in planned {
        if let Planned::Call { tool, arguments } = planned
            && let Some(tool) = tools.get(tool)
        {
            answer.call(&tool.name, arguments, salt);
        }
    }
    answer.finish(FinishReason::ToolCalls)
}

/// The present in UTC, for requests that do not say when it is for the user.
fn utc(platform: &impl Platform) -> Now {
    let seconds = i64::try_from(platform.unix_time().as_secs()).unwrap_or(0);
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    Now {
        local: jiff::tz::Offset::UTC.to_datetime(time),
        offset: "Z".into(),
        zone: None,
    }
}

/// A message's text, without its pictures.
fn text_of(message: &Message) -> String {
    let mut text = String::new();
    for part in &message.parts {
        if let Part::Text(part) = part {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(part);
        }
    }
    text
}

/// Writes an answer's events and counts its words.
struct Writer {
    events: Vec<Event>,
    usage: Usage,
    calls: u32,
    /// How many words may still be written.
    left: u32,
    cut: bool,
}

/// Long enough that a piece is worth sending, short enough that an answer is seen to arrive.
const PIECE: usize = 48;

impl Writer {
    fn new(request: &Request) -> Self {
        Self {
            events: Vec::with_capacity(8),
            usage: Usage {
                input_tokens: request
                    .messages
                    .iter()
                    .flat_map(|message| &message.parts)
                    .map(words_of)
                    .sum(),
                cached_tokens: 0,
                output_tokens: 0,
            },
            calls: 0,
            left: request.options.max_output_tokens.unwrap_or(u32::MAX),
            cut: false,
        }
    }

    /// Writes text in pieces that end after a word.
    fn text(&mut self, text: &str) {
        let mut piece = String::with_capacity(PIECE + 16);
        for word in text.split_inclusive(char::is_whitespace) {
            if self.left == 0 {
                self.cut = true;
                break;
            }
            if !word.trim().is_empty() {
                self.left -= 1;
                self.usage.output_tokens += 1;
            }
            piece.push_str(word);
            if piece.len() >= PIECE {
                self.events.push(Event::Text(std::mem::take(&mut piece)));
            }
        }
        if !piece.is_empty() {
            self.events.push(Event::Text(piece));
        }
    }

    fn call(&mut self, name: &str, arguments: String, salt: u64) {
        let index = self.calls;
        self.calls += 1;
        self.usage.output_tokens += 1 + count(&arguments);
        let mut id = String::with_capacity(24);
        // Writing into a string cannot fail.
        let _ = write!(id, "call_{salt:016x}{index}");
        self.events.push(Event::ToolCallStarted(ToolCallStart {
            index,
            id,
            name: name.to_owned(),
        }));
        self.events
            .push(Event::ToolCallArguments(ToolCallDelta { index, arguments }));
    }

    fn finish(mut self, reason: FinishReason) -> Vec<Event> {
        self.events.push(Event::Finished(Finish {
            reason: if self.cut { FinishReason::Length } else { reason },
            usage: self.usage,
            model: MODEL.into(),
        }));
        self.events
    }
}

fn words_of(part: &Part) -> u32 {
    match part {
        Part::Text(text) => count(text),
        Part::ToolResult(result) => count(&result.content),
        Part::ToolCall(call) => count(&call.arguments),
        Part::Image(_) => 0,
    }
}

/// Counts words by their first letters; conversations are long, so it looks at bytes only.
fn count(text: &str) -> u32 {
    let mut count = 0;
    let mut between = true;
    for byte in text.bytes() {
        let space = byte.is_ascii_whitespace();
        count += u32::from(between && !space);
        between = space;
    }
    count
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
