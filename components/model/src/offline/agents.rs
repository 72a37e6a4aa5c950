//! The four prompts of an assistant of several agents, without a network.
//!
//! - `understand`: parts of a message go to the agents whose examples have words in common with them;
//! - `interpret` and `reassess`: a command is planned as any message is. What stands where a tool wants an id is looked
//!   up in what the tools have answered, or searched for first with another tool ([`refer`](super::refer));
//! - `update`: passes on what the agents have answered. What one of them has to know, another one may be asked for.
//!
//! All of it goes by examples, schemas and results; none of it knows what e-mail is.

mod work;

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    dates::Now,
    reply,
    words::{CONTENT, Gap, Word, cut},
};
use crate::api::{Message, Request, Tool};
use work::Worker;

/// An agent that lacks something says so with this, and its question.
const NEED: &str = "I need to know: ";

/// What an agent has in common with a part of a message that is certainly for it: a word that no other has.
const CERTAIN: f32 = CONTENT;

/// What is answered: text, and calls with their arguments as JSON objects.
#[derive(Debug, Default, PartialEq)]
pub struct Answer {
    pub text: String,
    pub calls: Vec<(String, String)>,
}

impl Answer {
    fn say(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            calls: Vec::new(),
        }
    }
}

/// Answers one of the four prompts; none if it is another purpose. `tools` are those that may be called, `after` is
/// what came after the user's text.
pub fn answer(request: &Request, text: &str, after: &[Message], tools: &[Tool], now: &Now) -> Option<Answer> {
    let last = |heading: &str| text.rsplit_once(heading).map(|(_, content)| content.trim());
    Some(match request.purpose.as_str() {
        "understand" => understand(last("# Message\n").unwrap_or(text), tools),
        "interpret" | "reassess" => {
            let worker = Worker {
                tools,
                now,
                command: last("# Command\n").unwrap_or(text),
                others: between(text, "# What other agents have answered"),
                before: data(&between(text, "# Working data")),
                after,
            };
            worker.answer(&request.tools)
        }
        "update" => update(last("# What was done for this message\n").unwrap_or(text), tools),
        _ => return None,
    })
}

/// What stands under a heading, up to the command.
fn between(text: &str, heading: &str) -> String {
    let found = text.split_once(heading).map(|(_, content)| content);
    let content = found.unwrap_or_default();
    let end = content.rfind("# Command\n").or(Some(content.len()));
    end.and_then(|end| content.get(..end))
        .unwrap_or_default()
        .to_owned()
}

/// The lines that are JSON.
fn data(text: &str) -> Vec<Value> {
    let lines = text.lines().filter(|line| line.starts_with(['{', '[']));
    lines
        .filter_map(|line| anyturn_json::from_str(line).ok())
        .collect()
}

// ---- understand -------------------------------------------------------------------------------------

fn understand(message: &str, agents: &[Tool]) -> Answer {
    let mut words = Vec::new();
    cut(message, &mut words);
    // The parts, with where they begin and whether the one before has to be done first.
    let mut parts: Vec<(usize, usize, bool)> = Vec::new();
    let mut from = 0;
    for at in 1..=words.len() {
        let joint = words.get(at).map(|word| {
            (
                word.gap != Gap::None,
                word.is_any(&["and", "then"]),
                word.is("then"),
            )
        });
        let ends = joint.is_none_or(|(gap, joins, _)| gap || joins);
        if !ends {
            continue;
        }
        let own = words.get(from..at).unwrap_or_default();
        // "and then" begins one part.
        if own.iter().all(|word| word.is_any(&["and", "then"])) {
            continue;
        }
        let then = own.iter().take(2).any(|word| word.is("then"));
        // What begins a part of its own says clearly whose it is.
        let least = if parts.is_empty() { CERTAIN / 4.0 } else { CERTAIN };
        match (best(own, agents, least), parts.last()) {
            (Some(agent), Some((known, ..))) if agent == *known => {}
            (Some(agent), _) => parts.push((agent, from, then)),
            (None, _) => {}
        }
        from = at;
    }
    let mut calls = Vec::new();
    for (number, (agent, begin, then)) in parts.iter().enumerate() {
        let begin = if number == 0 { 0 } else { *begin };
        let end = parts.get(number + 1).map_or(words.len(), |(_, next, _)| *next);
        let own = words.get(begin..end).unwrap_or_default();
        let lead = own
            .iter()
            .take_while(|word| number > 0 && word.is_any(&["and", "then", "also"]))
            .count();
        let own = own.get(lead..).unwrap_or_default();
        let (Some(first), Some(last), Some(agent)) = (own.first(), own.last(), agents.get(*agent)) else {
            continue;
        };
        // A part may end with the mark that closes its sentence.
        let to = words.get(end).map_or(message.len(), |_| last.range.end);
        let text = message.get(first.range.start..to).unwrap_or(message).trim();
        let refers = own
            .iter()
            .any(|word| word.is_any(&["it", "that", "them", "those", "him", "her", "they"]));
        let command = if number > 0 && (*then || refers) {
            json!({ "command": text, "after": [number] })
        } else {
            json!({ "command": text })
        };
        calls.push((agent.name.clone(), command.to_string()));
    }
    Answer {
        text: String::new(),
        calls,
    }
}

/// The agent whose examples and description have the most in common with some words, if any has anything.
fn best(words: &[Word<'_>], agents: &[Tool], least: f32) -> Option<usize> {
    let known: Vec<Vec<u64>> = agents.iter().map(vocabulary).collect();
    let mut best: Option<(f32, usize)> = None;
    for (at, own) in known.iter().enumerate() {
        let mut score = 0.0;
        for word in words.iter().filter(|word| own.contains(&word.stem)) {
            let shared = known.iter().filter(|known| known.contains(&word.stem)).count();
            // What all agents know tells nothing of who is meant.
            score += word.weight / (shared * shared) as f32;
        }
        if score >= least && best.is_none_or(|(most, _)| score > most) {
            best = Some((score, at));
        }
    }
    best.map(|(_, at)| at)
}

fn vocabulary(agent: &Tool) -> Vec<u64> {
    let examples = agent.examples.iter().map(|example| example.utterance.as_str());
    let mut stems = Vec::new();
    for text in examples.chain([agent.description.as_str(), &agent.name]) {
        let mut words = Vec::new();
        cut(text, &mut words);
        stems.extend(
            words
                .iter()
                .filter(|word| word.weight > 0.2)
                .map(|word| word.stem),
        );
    }
    stems.sort_unstable();
    stems.dedup();
    stems
}

// ---- update -----------------------------------------------------------------------------------------

fn update(report: &str, agents: &[Tool]) -> Answer {
    let mut answers: Vec<String> = Vec::new();
    let mut asks = Vec::new();
    let mut commands: Vec<(String, String)> = Vec::new();
    let mut blank = true;
    for line in report.lines() {
        let numbered = line
            .split_once(". ")
            .filter(|(number, _)| blank && number.parse::<usize>() == Ok(commands.len() + 1));
        blank = line.is_empty();
        if let Some((_, command)) = numbered {
            let (title, command) = command.split_once(": ").unwrap_or(("", command));
            commands.push((title.to_owned(), command.to_owned()));
            answers.push(String::new());
        } else if let Some(what) = line.strip_prefix("Waits for the user's yes or no: ") {
            let (what, after) = what.split_once(". ").unwrap_or((what, ""));
            asks.push(format!("{what}? {after} Say yes or no."));
        } else if line.starts_with("Waits until ") {
            asks.push(format!("This {}", line.replacen("Waits", "waits", 1)));
        } else if let Some(answer) = answers.last_mut() {
            let _ = writeln!(answer, "{}", line.strip_prefix("Answer: ").unwrap_or(line));
        }
    }
    if commands.is_empty() {
        return Answer::say(reply::help(agents, &[]));
    }
    let mut settled = Vec::new();
    for (number, (answer, (title, command))) in answers.iter_mut().zip(&commands).enumerate() {
        let Some(question) = answer.trim().strip_prefix(NEED).map(str::to_owned) else {
            continue;
        };
        let mut words = Vec::new();
        cut(&question, &mut words);
        let asker = agents
            .iter()
            .find(|agent| agent.description.starts_with(&format!("{title}: ")));
        let known = best(&words, agents, CERTAIN / 4.0).and_then(|agent| agents.get(agent));
        let again = commands.iter().any(|(_, command)| *command == question);
        // Once the command was given again, the answer to its question is of no more interest.
        let given = commands
            .iter()
            .skip(number + 1)
            .any(|(_, later)| later == command);
        settled.extend(given.then(|| question.clone()));
        match (asker, known) {
            (Some(asker), Some(known)) if known.name != asker.name && !again => {
                return Answer {
                    text: String::new(),
                    calls: vec![
                        (known.name.clone(), json!({ "command": question }).to_string()),
                        (
                            asker.name.clone(),
                            json!({ "command": command, "after": [1] }).to_string(),
                        ),
                    ],
                };
            }
            _ => {
                *answer = if again {
                    String::new()
                } else {
                    format!("I have to know this: {question}")
                }
            }
        }
    }
    for (answer, (_, command)) in answers.iter_mut().zip(&commands) {
        if settled.contains(command) {
            answer.clear();
        }
    }
    let mut text = String::new();
    for part in answers
        .iter()
        .chain(&asks)
        .map(|part| part.trim())
        .filter(|part| !part.is_empty())
    {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(part);
    }
    Answer::say(text)
}

#[cfg(test)]
#[path = "agents_tests.rs"]
mod tests;
