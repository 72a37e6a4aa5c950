//! What the offline model says itself.

use super::plan::Planned;
use crate::api::{Message, Part, Tool};

/// How many tools the help names; a longer list helps nobody.
const NAMED_TOOLS: usize = 12;

/// What the tools answered, in order; none if there are no answers.
pub fn results(messages: &[Message]) -> Option<String> {
    let mut text = String::new();
    let mut any = false;
    for part in messages.iter().flat_map(|message| &message.parts) {
        let Part::ToolResult(result) = part else { continue };
        if any {
            text.push_str("\n\n");
        }
        any = true;
        let content = result.content.trim();
        if result.is_error {
            text.push_str("That did not work: ");
        }
        text.push_str(if content.is_empty() { "Done." } else { content });
    }
    any.then_some(text)
}

/// A title for a conversation that begins with this text: its first words.
pub fn title(text: &str) -> String {
    const LONGEST: usize = 48;
    let mut title = String::new();
    for word in text.split_whitespace() {
        if !title.is_empty() {
            if title.chars().count() + word.chars().count() >= LONGEST {
                title.push('…');
                break;
            }
            title.push(' ');
        }
        title.extend(word.chars().take(LONGEST));
    }
    let title = title.trim_end_matches(['.', ',', ';', ':', '!', '?']);
    let mut letters = title.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => "New conversation".into(),
    }
}

/// What could not be done beside what is done.
pub fn not_understood(tools: &[Tool], planned: &[Planned]) -> Option<String> {
    let mut text = String::new();
    for planned in planned {
        let line = match planned {
            Planned::Call { .. } => continue,
            Planned::Incomplete { tool, missing } => tools.get(*tool).map(|tool| incomplete(tool, missing)),
            Planned::Unknown(request) => Some(format!("I did not understand “{}”.", shortened(request))),
        };
        if let Some(line) = line {
            text.push_str(&line);
            text.push_str("\n\n");
        }
    }
    (!text.is_empty()).then_some(text)
}

/// What it is, what it can do, and how to get more.
pub fn help(tools: &[Tool], planned: &[Planned]) -> String {
    let mut text = String::new();
    for planned in planned {
        if let Planned::Incomplete { tool, missing } = planned
            && let Some(tool) = tools.get(*tool)
        {
            text.push_str(&incomplete(tool, missing));
            text.push_str("\n\n");
        }
    }
    if !text.is_empty() {
        text.truncate(text.trim_end().len());
        return text;
    }
    text.push_str("I am the offline model: I work without a network and cannot hold a conversation.");
    if tools.is_empty() {
        text.push_str(" There are no tools here that I could use.");
    } else {
        text.push_str(" What I understand are requests like these:\n");
        for tool in tools.iter().take(NAMED_TOOLS) {
            text.push_str("\n- ");
            text.push_str(purpose(tool));
            if let Some(example) = tool.examples.first() {
                text.push_str(": “");
                text.push_str(&example.utterance);
                text.push('”');
            }
        }
        if tools.len() > NAMED_TOOLS {
            text.push_str("\n- … and more");
        }
    }
    text.push_str(
        "\n\nFor a model that understands more, set OPENAI_API_KEY, GROQ_API_KEY or GEMINI_API_KEY and restart, or \
         LLM_PROVIDER and LLM_BASE_URL for another one.",
    );
    text
}

/// What a tool does: the first sentence of its description, or its name in words.
fn purpose(tool: &Tool) -> &str {
    let description = tool.description.trim();
    let end = description
        .find(['\n', ';', ':'])
        .into_iter()
        .chain(description.find(". "))
        .min()
        .unwrap_or(description.len());
    let sentence = description
        .get(..end)
        .unwrap_or(description)
        .trim_end_matches('.');
    if sentence.is_empty() { &tool.name } else { sentence }
}

fn incomplete(tool: &Tool, missing: &str) -> String {
    let missing = missing.replace('_', " ");
    let mut text = format!("For this I have to know the {missing} ({}).", purpose(tool));
    if let Some(example) = tool.examples.first() {
        text.push_str(" Say it like this: “");
        text.push_str(&example.utterance);
        text.push_str("”.");
    }
    text
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or(text)),
        None => text.to_owned(),
    }
}
