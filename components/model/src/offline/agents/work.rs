//! An agent at work on a command: planned as any message is, with ids and addresses looked up or searched for.

use serde_json::{Map, Value};

use super::{Answer, NEED};
use crate::{
    api::{Message, Part, Role, Tool},
    offline::{
        dates::{self, Now},
        fill,
        plan::{Planned, Planner},
        refer::{self, Meant, People},
        reply,
        schema::properties,
        words::{CONTENT, Word, cut},
    },
};

/// The most lines of what was found that a question repeats.
const LINES: usize = 12;

/// An agent at work on a command.
pub(super) struct Worker<'a> {
    /// Those that may be called.
    pub tools: &'a [Tool],
    pub now: &'a Now,
    pub command: &'a str,
    /// What other agents have answered.
    pub others: String,
    /// What the tools have answered to earlier commands, the latest last.
    pub before: Vec<Value>,
    /// What was done for this command.
    pub after: &'a [Message],
}

impl Worker<'_> {
    pub(super) fn answer(&self, all: &[Tool]) -> Answer {
        let called: Vec<&str> = self.calls().map(|(name, _)| name).collect();
        if self.tools.is_empty() {
            let waits = called
                .last()
                .and_then(|name| all.iter().find(|tool| tool.name == **name));
            return Answer::say(
                self.told(waits.is_some())
                    .unwrap_or_else(|| reply::help(all, &[])),
            );
        }
        if self.failed() {
            return Answer::say(self.told(false).unwrap_or_default());
        }
        let planned = Planner::new(self.tools, &[], self.now).plan(self.command);
        let mut answer = Answer::default();
        for planned in &planned {
            let Planned::Call { tool, arguments } = planned else {
                continue;
            };
            let Some(tool) = self.tools.get(*tool) else {
                continue;
            };
            if called.contains(&tool.name.as_str()) {
                continue;
            }
            match self.complete(tool, arguments) {
                Ok(calls) => answer.calls.extend(calls),
                Err(question) => {
                    answer.text = question;
                    answer.calls.clear();
                    return answer;
                }
            }
        }
        // What was searched for is not searched for again.
        answer.calls.retain(|call| {
            !self
                .calls()
                .any(|(name, arguments)| name == call.0 && same(arguments, &call.1))
        });
        if answer.calls.is_empty() && !called.is_empty() {
            match self.next(&called) {
                Some(call) => answer.calls.push(call),
                None => return Answer::say(self.told(false).unwrap_or_default()),
            }
        }
        if answer.calls.is_empty() {
            return Answer::say(reply::help(self.tools, &planned));
        }
        // What may be asked about is said along with it.
        let found = self.told(false).map(shortened);
        let described = answer.calls.iter().map(|(_, arguments)| described(arguments));
        for part in found.into_iter().chain(described).filter(|part| !part.is_empty()) {
            if !answer.text.is_empty() {
                answer.text.push_str("\n\n");
            }
            answer.text.push_str(&part);
        }
        answer
    }

    /// The calls that were made for this command, with their arguments.
    fn calls(&self) -> impl Iterator<Item = (&str, &str)> {
        let parts = self.after.iter().flat_map(|message| &message.parts);
        parts.filter_map(|part| match part {
            Part::ToolCall(call) => Some((call.name.as_str(), call.arguments.as_str())),
            _ => None,
        })
    }

    /// What they have answered: text for people, and data.
    fn results(&self) -> impl Iterator<Item = (&str, Option<Value>, bool)> {
        let parts = self.after.iter().flat_map(|message| &message.parts);
        parts.filter_map(|part| match part {
            Part::ToolResult(result) => {
                let split = result.content.rsplit_once("\n\nData: ");
                let data = split.and_then(|(_, data)| anyturn_json::from_str(data).ok());
                let text = if data.is_some() {
                    split.map(|(text, _)| text)
                } else {
                    None
                };
                Some((text.unwrap_or(&result.content), data, result.is_error))
            }
            _ => None,
        })
    }

    fn failed(&self) -> bool {
        self.results().any(|(.., is_error)| is_error)
    }

    /// What the tools have answered last; or, while that call `waits`, before.
    fn told(&self, waits: bool) -> Option<String> {
        let answers = self
            .after
            .iter()
            .filter(|message| message.role == Role::Tool)
            .count();
        let skip = answers.saturating_sub(if waits && answers > 1 { 2 } else { 1 });
        let last = self
            .after
            .iter()
            .filter(|message| message.role == Role::Tool)
            .nth(skip)?;
        let worker = Worker {
            after: std::slice::from_ref(last),
            others: String::new(),
            before: Vec::new(),
            ..*self
        };
        let mut text = String::new();
        for (content, _, is_error) in worker.results() {
            if !text.is_empty() {
                text.push_str("\n\n");
            }
            text.push_str(&match content.trim() {
                "" => "Done.".to_owned(),
                content if content.contains("the user denied it") => "All right: it was not done.".to_owned(),
                content if is_error => format!("That did not work: {content}"),
                content => content.to_owned(),
            });
        }
        Some(text)
    }

    /// The calls that a planned one comes to: itself with ids and addresses, or searches for what it is about. Or a
    /// question.
    fn complete(&self, tool: &Tool, arguments: &str) -> Result<Vec<(String, String)>, String> {
        let mut arguments: Map<String, Value> = anyturn_json::from_str(arguments).unwrap_or_default();
        let own: Vec<Value> = self.results().filter_map(|(_, data, _)| data).collect();
        let people = People::of(self.before.iter().chain(&own), &self.others);
        for (name, value) in &mut arguments {
            if refer::is_reference(name) {
                let several = value.is_array();
                let phrase = refer::phrase(value);
                if refer::is_id(&phrase, self.before.iter().chain(&own)) {
                    continue;
                }
                let ids = match refer::meant(&phrase) {
                    Meant::Described(what) if own.is_empty() => {
                        return self.search(&what).map(|call| vec![call]);
                    }
                    Meant::Described(_) => refer::found(&own, several)?,
                    // What was found for this very command is not what it referred to.
                    Meant::Place(place) => refer::at(&self.before, place)?,
                    Meant::Known(plural) => {
                        refer::known(&self.before, plural || several && phrase.contains("all"))?
                    }
                };
                *value = match several {
                    true => ids.into(),
                    false => ids.into_iter().next().unwrap_or_default().into(),
                };
            } else if refer::takes_addresses(tool, name) {
                people
                    .resolve(value)
                    .map_err(|who| format!("{NEED}what is the email address of {who}?"))?;
            }
        }
        Ok(vec![(tool.name.clone(), Value::Object(arguments).to_string())])
    }

    /// The call of a tool that finds something, for what is described.
    fn search(&self, what: &str) -> Result<(String, String), String> {
        let finders: Vec<Tool> = self
            .tools
            .iter()
            .filter(|tool| {
                let properties = properties(&tool.parameters);
                !properties
                    .iter()
                    .any(|property| refer::is_reference(&property.name) || property.required)
            })
            .cloned()
            .collect();
        let planner = Planner::new(&finders, &[], self.now);
        // Of what could be meant, that which leaves the least to free text.
        let mut best: Option<(usize, (String, String))> = None;
        for verb in ["find ", "show ", "what ", "list ", ""] {
            let planned = planner.plan(&format!("{verb}{what}"));
            let [Planned::Call { tool, arguments }] = planned.as_slice() else {
                continue;
            };
            let Some(tool) = finders.get(*tool) else { continue };
            let free = free_text(tool, arguments);
            if best.as_ref().is_none_or(|(least, _)| free < *least) {
                best = Some((free, (tool.name.clone(), arguments.clone())));
            }
        }
        if let Some((_, call)) = best {
            return Ok(call);
        }
        Err(format!(
            "I do not know what “{what}” is. Look for it first, and then say “the first one”."
        ))
    }

    /// What comes after what was found, where the command asks for more than finding: a tool that is asked for with the
    /// same verb, and gets what it needs from the results.
    fn next(&self, called: &[&str]) -> Option<(String, String)> {
        let mut words = Vec::new();
        cut(self.command, &mut words);
        let verb = words.iter().find(|word| word.weight >= CONTENT)?.stem;
        let begins = |tool: &Tool| {
            tool.examples.iter().any(|example| {
                let mut words = Vec::new();
                cut(&example.utterance, &mut words);
                words.first().is_some_and(|word| word.stem == verb)
            })
        };
        let results: Vec<Value> = self.results().filter_map(|(_, data, _)| data).collect();
        let told = self
            .calls()
            .filter_map(|(_, arguments)| anyturn_json::from_str::<Value>(arguments).ok());
        let told: Vec<Value> = told.collect();
        let tools = self
            .tools
            .iter()
            .filter(|tool| begins(tool) && !called.contains(&tool.name.as_str()));
        tools.into_iter().find_map(|tool| {
            let mut arguments = Map::new();
            let (mut taken, mut titled) = (0, None);
            for property in properties(&tool.parameters) {
                let found = results
                    .iter()
                    .find_map(|data| refer::member(data, &property.name));
                if let Some(value) = found {
                    taken += usize::from(property.required);
                    arguments.insert(property.name, refer::plain(value));
                } else if property.required && property.is_free_text() && !property.list {
                    titled = Some(property.name);
                } else if property.required {
                    return None;
                }
            }
            if let Some(name) = titled {
                arguments.insert(name, self.title(&told, &words).into());
            }
            (taken > 0).then(|| (tool.name.clone(), Value::Object(arguments).to_string()))
        })
    }

    /// What something is called that is asked for without a name: whom it is with, else the command itself.
    fn title(&self, told: &[Value], words: &[Word<'_>]) -> String {
        let with: Vec<&str> = told
            .iter()
            .filter_map(|told| told.get("attendees")?.as_array())
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if !with.is_empty() {
            return format!("Meeting with {}", with.join(" and "));
        }
        let end = dates::find(words, self.now)
            .first()
            .map_or(words.len(), |found| found.start);
        let own = words.get(1..end).filter(|own| !own.is_empty()).unwrap_or(words);
        fill::source(own, self.command).to_owned()
    }
}

/// What a call is about, in words: its arguments but for ids.
fn described(arguments: &str) -> String {
    let arguments: Map<String, Value> = anyturn_json::from_str(arguments).unwrap_or_default();
    let said = arguments.iter().filter(|(name, _)| !refer::is_reference(name));
    let said = said.filter_map(|(name, value)| {
        let text = match value {
            Value::Number(number) => number.to_string(),
            Value::Bool(_) | Value::Null | Value::Object(_) => return None,
            value => refer::phrase(value),
        };
        // A moment, without seconds and offset.
        let text = match (text.get(..10), text.get(10..11), text.get(11..16)) {
            (Some(day), Some("T"), Some(time)) => format!("{day} {time}"),
            _ => text,
        };
        (!text.is_empty()).then(|| format!("- {}: {text}", name.replace('_', " ")))
    });
    said.collect::<Vec<_>>().join("\n")
}

/// How many bytes of free text are in a call's arguments.
fn free_text(tool: &Tool, arguments: &str) -> usize {
    let arguments: Map<String, Value> = anyturn_json::from_str(arguments).unwrap_or_default();
    let properties = properties(&tool.parameters);
    let free = properties.iter().filter(|property| property.is_free_text());
    let texts = free.filter_map(|property| arguments.get(&property.name));
    texts.map(|value| refer::phrase(value).len()).sum()
}

fn same(one: &str, other: &str) -> bool {
    let read = |text: &str| anyturn_json::from_str::<Value>(text).ok();
    read(one) == read(other)
}

fn shortened(text: String) -> String {
    let lines: Vec<&str> = text.lines().collect();
    match lines.get(..LINES) {
        Some(first) if lines.len() > LINES => format!("{}\n…", first.join("\n")),
        _ => text,
    }
}
