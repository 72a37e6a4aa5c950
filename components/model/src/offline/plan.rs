//! Chooses a tool and its arguments for each request of a message.
//!
//! A message is taken apart at the ends of sentences, and at "and", "then" and commas where both sides are
//! requests of their own. A request is compared with the examples of all tools: those that share words with
//! it are aligned with it ([`align`](super::align)), and the one that explains most of it wins if it
//! explains enough.

use std::cell::OnceCell;

use super::{
    align::align,
    beside::Beside,
    dates::{self, Found, Now},
    fill::{self, Filling},
    schema::{Property, properties},
    template::{self, Template},
    words::{Gap, QUESTION, Word, cut},
};
use crate::api::{Message, Tool};

/// What becomes of one request of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Planned {
    /// A tool is to be called.
    Call {
        /// Index of the tool.
        tool: usize,
        /// A JSON object.
        arguments: String,
    },
    /// A tool would be called, but something is not said.
    Incomplete {
        /// Index of the tool.
        tool: usize,
        /// Name of the argument.
        missing: String,
    },
    /// No tool fits; the request.
    Unknown(String),
}

/// Explaining less than this is guessing.
const ENOUGH: f32 = 0.55;
/// For one of two requests in a sentence: else "and" is a part of the text.
const CLEARLY: f32 = 0.75;
/// So many examples are looked at closely.
const CANDIDATES: usize = 8;
/// How much words that the template does not explain count against it.
const LEFT_OVER: f32 = 0.7;

/// The tools of a call, with what is known about them so far.
pub struct Planner<'a> {
    tools: &'a [Tool],
    schemas: Vec<OnceCell<Vec<Property>>>,
    beside: Vec<OnceCell<Beside>>,
    examples: Vec<Example<'a>>,
    /// All examples' words, one after the other.
    words: Vec<Word<'a>>,
    history: &'a [Message],
    now: &'a Now,
}

struct Example<'a> {
    tool: usize,
    arguments: &'a str,
    /// Its words in the planner's `words`.
    from: usize,
    to: usize,
    template: OnceCell<Template>,
}

/// A tool that could be meant.
struct Candidate {
    score: f32,
    planned: Planned,
}

impl<'a> Planner<'a> {
    /// Takes in the tools. `history` is what pronouns can refer to.
    pub fn new(tools: &'a [Tool], history: &'a [Message], now: &'a Now) -> Self {
        let mut words = Vec::with_capacity(512);
        let mut examples = Vec::with_capacity(64);
        for (tool, definition) in tools.iter().enumerate() {
            for example in &definition.examples {
                let from = words.len();
                cut(&example.utterance, &mut words);
                let (skip, keep) = polite(words.get(from..).unwrap_or_default());
                words.truncate(from + keep);
                examples.push(Example {
                    tool,
                    arguments: &example.arguments,
                    from: from + skip,
                    to: from + keep,
                    template: OnceCell::new(),
                });
            }
        }
        Self {
            tools,
            schemas: tools.iter().map(|_| OnceCell::new()).collect(),
            beside: tools.iter().map(|_| OnceCell::new()).collect(),
            examples,
            words,
            history,
            now,
        }
    }

    /// Plans a whole message.
    pub fn plan(&self, text: &str) -> Vec<Planned> {
        let mut words = Vec::with_capacity(64);
        cut(text, &mut words);
        let mut planned = Vec::new();
        let mut rest = words.as_slice();
        while !rest.is_empty() {
            let end = sentence(rest);
            let (sentence, after) = rest.split_at(end);
            self.sentence(sentence, text, &mut planned);
            rest = after;
        }
        planned
    }

    /// Plans a sentence, which may hold several requests.
    fn sentence(&self, words: &[Word<'_>], text: &str, planned: &mut Vec<Planned>) {
        for at in 1..words.len() {
            let Some(skip) = joint(words, at) else { continue };
            let (left, right) = words.split_at(at);
            let right = right.get(skip..).unwrap_or_default();
            // The right side first: it decides more often.
            let is_request = |words| {
                self.request(words, text)
                    .is_some_and(|candidate| candidate.score >= CLEARLY)
            };
            if is_request(until_joint(right)) && is_request(left) {
                planned.extend(self.request(left, text).map(|candidate| candidate.planned));
                return self.sentence(right, text, planned);
            }
        }
        match self.request(words, text) {
            Some(candidate) if candidate.score >= ENOUGH => planned.push(candidate.planned),
            _ => {
                let (skip, keep) = polite(words);
                let words = words.get(skip..keep).unwrap_or_default();
                if !words.is_empty() {
                    planned.push(Planned::Unknown(fill::source(words, text).to_owned()));
                }
            }
        }
    }

    /// The tool that fits a request best.
    fn request(&self, words: &[Word<'_>], text: &str) -> Option<Candidate> {
        let (skip, keep) = polite(words);
        let words = words.get(skip..keep).filter(|words| !words.is_empty())?;
        let dates = dates::find(words, self.now);
        let mut best: Option<Candidate> = None;
        let mut best_shared = 0.0;
        for (shared, example) in self.similar(words) {
            // What explains everything cannot be beaten by what has less in common.
            if best.as_ref().is_some_and(|best| best.score >= 1.0) && shared < best_shared {
                break;
            }
            let Some(candidate) = self.try_example(example, words, &dates, text) else {
                continue;
            };
            if best.as_ref().is_none_or(|best| candidate.score > best.score) {
                best = Some(candidate);
                best_shared = shared;
            }
        }
        best
    }

    /// The examples that share the most words with a request.
    fn similar(&self, words: &[Word<'_>]) -> impl Iterator<Item = (f32, &Example<'a>)> {
        // A word is in the request only if its bit is set, which is much quicker to see.
        let bits = words
            .iter()
            .fold(0_u64, |bits, word| bits | 1 << (word.stem & 63));
        let mut ranked: Vec<(f32, usize)> = Vec::with_capacity(self.examples.len());
        for (at, example) in self.examples.iter().enumerate() {
            let own = self.words.get(example.from..example.to).unwrap_or_default();
            let mut shared = 0.0;
            for word in own {
                if bits >> (word.stem & 63) & 1 == 1
                    && words.iter().any(|other| other.stem == word.stem)
                    && !(word.weight > QUESTION && is_value(example.arguments, word.text))
                {
                    shared += word.weight;
                }
            }
            if shared >= QUESTION {
                // Of equals the shorter one, which lacks less.
                ranked.push((shared - 0.001 * own.len() as f32, at));
            }
        }
        ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        ranked.truncate(CANDIDATES);
        ranked
            .into_iter()
            .filter_map(|(shared, at)| Some((shared, self.examples.get(at)?)))
    }

    fn try_example(
        &self,
        example: &Example<'a>,
        words: &[Word<'_>],
        dates: &[Found],
        text: &str,
    ) -> Option<Candidate> {
        let tool = self.tools.get(example.tool)?;
        let properties = self
            .schemas
            .get(example.tool)?
            .get_or_init(|| properties(&tool.parameters));
        let template = example.template.get_or_init(|| {
            let own = self.words.get(example.from..example.to).unwrap_or_default();
            template::build(own, example.arguments, properties)
        });
        let beside = self
            .beside
            .get(example.tool)?
            .get_or_init(|| self.beside(example.tool, properties));
        let mut filling = Filling::new(properties, template, beside, words, text, self.now);
        filling.typed(dates);
        let free = filling.free_words();
        let alignment = align(&template.items, &free);
        filling.free_text(&alignment, &free, self.history);

        let said = filling.anywhere_filled() as f32 * 0.5;
        let unsaid = filling.anywhere_missing() as f32 * 0.2 + alignment.empty_slots as f32 * 0.5;
        let matched = alignment.matched + said;
        if alignment.matched < QUESTION {
            return None;
        }
        // Among those that fit equally well the more specific one is meant.
        let score =
            matched / (alignment.total + said + unsaid + LEFT_OVER * alignment.left_over) + 0.02 * matched;
        let essential = filling
            .missing()
            .find(|name| !self.may_be_left_out(example.tool, name));
        let essential = essential.map(|name| Err(name.to_owned()));
        let planned = match essential.unwrap_or_else(|| filling.arguments()) {
            Ok(arguments) => Planned::Call {
                tool: example.tool,
                arguments,
            },
            Err(missing) => Planned::Incomplete {
                tool: example.tool,
                missing,
            },
        };
        Some(Candidate { score, planned })
    }
}

impl Planner<'_> {
    /// What stands beside a tool's numbers in its examples; nothing where it takes one number at most.
    fn beside(&self, tool: usize, properties: &[Property]) -> Beside {
        let mut beside = Beside::default();
        let numbers = properties
            .iter()
            .filter(|property| property.integer || property.number);
        if numbers.count() > 1 {
            for example in self.examples.iter().filter(|example| example.tool == tool) {
                let words = self.words.get(example.from..example.to).unwrap_or_default();
                beside.learn(words, example.arguments, properties);
            }
        }
        beside
    }

    /// Whether an argument that a template fills by form may be missing: if at least a third of the tool's
    /// examples do without it. In the others its absence means something else ("remove the due date").
    fn may_be_left_out(&self, tool: usize, name: &str) -> bool {
        let has = |arguments: &str| {
            let mut names = arguments.split('"').skip(1).step_by(2);
            names.any(|quoted| quoted == name)
        };
        let examples = self.examples.iter().filter(|example| example.tool == tool);
        let (all, without) = examples.fold((0, 0), |(all, without), example| {
            (all + 1, without + usize::from(!has(example.arguments)))
        });
        without * 3 >= all
    }
}

/// Whether a word stands in a value of a JSON object; without parsing it, because this is asked for every
/// word that any example shares with a request.
fn is_value(arguments: &str, word: &str) -> bool {
    let mut rest = arguments;
    while let Some((_, after)) = rest.split_once('"') {
        let Some((string, after)) = after.split_once('"') else {
            break;
        };
        if !after.starts_with(':') && string.contains(word) {
            return true;
        }
        rest = after;
    }
    false
}

/// Where the first sentence ends. A point after a short capitalised word is taken for an abbreviation.
fn sentence(words: &[Word<'_>]) -> usize {
    let ends = |pair: &[Word<'_>]| match pair {
        [before, after] if after.gap == Gap::Sentence => {
            let abbreviated = before.text.len() <= 3 && before.text.starts_with(char::is_uppercase);
            !abbreviated && !after.text.starts_with(char::is_lowercase) || is_terminal(before, after)
        }
        _ => false,
    };
    words.windows(2).position(ends).map_or(words.len(), |at| at + 1)
}

/// Whether a sentence ends here although the next one begins in lower case: people type like that. Only
/// abbreviations forbid it.
fn is_terminal(before: &Word<'_>, after: &Word<'_>) -> bool {
    after.text.starts_with(char::is_lowercase)
        && !before.is_any(&[
            "dr", "mr", "mrs", "ms", "st", "e.g", "i.e", "etc", "vs", "no", "approx",
        ])
}

/// Whether a request may begin at this word, and how many words to skip then: "and", "and then", ", then".
fn joint(words: &[Word<'_>], at: usize) -> Option<usize> {
    let word = words.get(at)?;
    if word.is_any(&["and", "then", "also"]) {
        let next = words.get(at + 1)?;
        return Some(1 + usize::from(next.is_any(&["then", "also", "please"])));
    }
    (word.gap == Gap::Comma).then_some(0)
}

/// Up to the next place where a request may begin.
fn until_joint<'w, 'a>(words: &'w [Word<'a>]) -> &'w [Word<'a>] {
    let end = (1..words.len()).find(|at| joint(words, *at).is_some());
    end.and_then(|end| words.get(..end)).unwrap_or(words)
}

/// Where the request begins and ends within its courtesies.
fn polite(words: &[Word<'_>]) -> (usize, usize) {
    const BEFORE: [&str; 17] = [
        "please", "hey", "hi", "hello", "ok", "okay", "also", "now", "then", "and", "so", "just", "well",
        "thanks", "great", "kindly", "actually",
    ];
    let mut skip = 0;
    while let Some([first, rest @ ..]) = words.get(skip..) {
        skip += match rest {
            _ if first.is_any(&BEFORE) => 1,
            [second, ..] if first.is_any(&["can", "could", "would", "will"]) && second.is("you") => 2,
            [second, third, ..]
                if first.is("i") && second.is_any(&["want", "would", "wish"]) && third.is("to") =>
            {
                3
            }
            [second, third, ..] if first.is("i") && second.is("would") && third.is("like") => 3,
            [second, third, ..] if first.is("i'd") && second.is("like") && third.is("to") => 3,
            [second, ..] if first.is("let's") && second.weight > 0.0 => 1,
            _ => break,
        };
    }
    let mut keep = words.len();
    while keep > skip {
        let Some(before) = words.get(skip..keep) else {
            break;
        };
        keep -= match before {
            [.., a, b] if a.is("thank") && b.is("you") => 2,
            [.., a, b] if a.is("for") && b.is("me") => 2,
            [.., last] if last.is_any(&["please", "thanks", "thx"]) => 1,
            _ => break,
        };
    }
    (skip.min(keep), keep)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
