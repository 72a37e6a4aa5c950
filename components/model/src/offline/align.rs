//! Lays a template over an utterance, in the way that leaves the least unexplained.
//!
//! Dynamic programming over the template's items and the utterance's words: a literal meets its word or is
//! missing, a word stands in a slot or is left over. Cost is words × items, a few hundred steps.

use super::{
    template::Item,
    words::{Kind, QUESTION, Word},
};

/// How a template fits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alignment {
    /// Weight of the literals that were found.
    pub matched: f32,
    /// Weight of all literals.
    pub total: f32,
    /// Weight of the words that are neither literals nor in a slot, and of doubtful ones in one.
    pub left_over: f32,
    /// For each slot its property and the words in it: indices from..to into the aligned words.
    pub slots: Vec<(usize, usize, usize)>,
    /// How many slots have no words.
    pub empty_slots: usize,
}

const MISSING_LITERAL: f32 = 0.5;
const LEFT_OVER: f32 = 0.5;
const EMPTY_SLOT: f32 = 0.6;
/// A slot with nothing but glue is hardly better than an empty one: "remind me". But "done with it".
const GLUE_IN_SLOT: f32 = 0.5;

/// What the best way does first, from one state.
#[derive(Clone, Copy, Default)]
enum Step {
    #[default]
    End,
    LeaveWord,
    Match,
    SkipItem,
    /// The slot takes words up to this index.
    Fill(usize),
}

/// Aligns `items` with `words`.
pub fn align(items: &[Item], words: &[&Word<'_>]) -> Alignment {
    let width = words.len() + 1;
    let mut best = vec![(0.0_f32, Step::End); (items.len() + 1) * width];
    let score = |best: &[(f32, Step)], item: usize, word: usize| {
        best.get(item * width + word)
            .map_or(f32::MIN, |(score, _)| *score)
    };
    for item in (0..=items.len()).rev() {
        for word in (0..=words.len()).rev() {
            let mut choice = (
                if item == items.len() && word == words.len() {
                    0.0
                } else {
                    f32::MIN
                },
                Step::End,
            );
            let mut consider = |score: f32, step: Step| {
                if score > choice.0 {
                    choice = (score, step);
                }
            };
            match items.get(item) {
                Some(Item::Literal { stem, weight }) => {
                    if words
                        .get(word)
                        .is_some_and(|word| word.stem == *stem && word.kind == Kind::Plain)
                    {
                        consider(score(&best, item + 1, word + 1) + weight, Step::Match);
                    }
                    consider(
                        score(&best, item + 1, word) - MISSING_LITERAL * weight,
                        Step::SkipItem,
                    );
                }
                Some(Item::Slot(_)) => {
                    let (mut glue, mut doubt) = (GLUE_IN_SLOT, 0.0);
                    for (end, inside) in words.iter().enumerate().skip(word) {
                        if inside.weight > QUESTION {
                            glue = 0.0;
                        }
                        doubt += LEFT_OVER * doubtful(inside, end == word);
                        consider(
                            score(&best, item + 1, end + 1) - glue - doubt,
                            Step::Fill(end + 1),
                        );
                    }
                    consider(score(&best, item + 1, word) - EMPTY_SLOT, Step::SkipItem);
                }
                None => {}
            }
            if let Some(left) = words.get(word) {
                consider(
                    score(&best, item, word + 1) - LEFT_OVER * left.weight,
                    Step::LeaveWord,
                );
            }
            if let Some(place) = best.get_mut(item * width + word) {
                *place = choice;
            }
        }
    }
    follow(items, words, |item, word| {
        best.get(item * width + word).map_or(Step::End, |(_, step)| *step)
    })
}

/// How much a word within a free text counts as not understood: a negation may mean the opposite ("the milk
/// is not done"), and a text that begins with a question word may be a question ("what is due today").
fn doubtful(word: &Word<'_>, first: bool) -> f32 {
    let asks = first && word.weight == QUESTION;
    if word.negates || asks { word.weight } else { 0.0 }
}

fn follow(items: &[Item], words: &[&Word<'_>], step: impl Fn(usize, usize) -> Step) -> Alignment {
    let mut alignment = Alignment::default();
    let (mut item, mut word) = (0, 0);
    loop {
        let step = step(item, word);
        match (step, items.get(item)) {
            (Step::End, _) => return alignment,
            (Step::LeaveWord, _) => {
                alignment.left_over += words.get(word).map_or(0.0, |word| word.weight);
                word += 1;
                continue;
            }
            (Step::Match, Some(Item::Literal { weight, .. })) => {
                alignment.matched += weight;
                alignment.total += weight;
                word += 1;
            }
            (Step::SkipItem, Some(Item::Literal { weight, .. })) => alignment.total += weight,
            (Step::Fill(end), Some(Item::Slot(property))) => {
                alignment.slots.push((*property, word, end));
                let inside = words.get(word..end).unwrap_or_default();
                let doubts = inside
                    .iter()
                    .enumerate()
                    .map(|(at, word)| doubtful(word, at == 0));
                alignment.left_over += doubts.sum::<f32>();
                word = end;
            }
            _ => alignment.empty_slots += 1,
        }
        item += 1;
    }
}
