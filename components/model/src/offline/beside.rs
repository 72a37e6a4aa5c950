//! Which words stand beside a tool's numbers in its examples: "60" after "bill is", "3" before "people".
//!
//! A tool may take several numbers, and people say them in any order: "we are 6, the bill is 120". What a number is,
//! the words beside it tell.

use super::{
    numbers,
    schema::Property,
    words::{GLUE, Gap, Word},
};

/// How many words on each side of a number speak for what it is.
const REACH: usize = 2;

/// How much a currency or percent sign says, beside a word that says something by itself.
const SIGN: f32 = 1.0;

/// The words beside numbers in a tool's examples.
#[derive(Debug, Default)]
pub struct Beside {
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    /// The property whose number it stands beside.
    property: usize,
    side: Side,
    stem: u64,
    weight: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Before,
    After,
    /// A sign on the number itself.
    On,
}

impl Beside {
    /// Takes in an example: its words, and its arguments as a JSON object.
    pub fn learn(&mut self, words: &[Word<'_>], arguments: &str, properties: &[Property]) {
        let arguments: serde_json::Map<String, serde_json::Value> =
            anyturn_json::from_str(arguments).unwrap_or_default();
        for (property, value) in properties.iter().enumerate().filter_map(|(at, property)| {
            let value = arguments.get(&property.name)?.as_f64()?;
            (property.integer || property.number).then_some((at, value))
        }) {
            let mut places = words.iter().enumerate();
            let Some((place, _)) = places.find(|(_, word)| numbers::number(word) == Some(value)) else {
                continue;
            };
            let heard = around(words, place).map(|(side, stem, weight)| Known {
                property,
                side,
                stem,
                weight,
            });
            self.known.extend(heard);
        }
    }

    /// How much the words beside a number speak for its being this property's and no other's.
    pub fn speak(&self, property: usize, words: &[Word<'_>], place: usize) -> f32 {
        let speaks = |(side, stem, _): (Side, u64, f32)| {
            let told = |known: &&Known| known.side == side && known.stem == stem;
            let mut heard = self.known.iter().filter(told);
            match heard.clone().all(|known| known.property == property) {
                true => heard.next().map_or(0.0, |known| known.weight),
                // It stands beside other numbers as well.
                false => 0.0,
            }
        };
        around(words, place).map(speaks).sum()
    }
}

/// The words beside a number, up to a comma or another number: on which side, which, and how much each says. The
/// nearest says most.
fn around(words: &[Word<'_>], place: usize) -> impl Iterator<Item = (Side, u64, f32)> {
    let is_number = |word: &&Word<'_>| numbers::number(word).is_some();
    let mut heard = Vec::with_capacity(2 * REACH + 1);
    let mut hear = |side, word: &Word<'_>, distance: usize| {
        heard.push((side, word.stem, word.weight.max(GLUE) / (distance + 1) as f32));
    };
    let before = words.get(..place).unwrap_or_default();
    let mut gap = words.get(place).map_or(Gap::None, |word| word.gap);
    for (distance, word) in before.iter().rev().take(REACH).enumerate() {
        if gap != Gap::None || is_number(&word) {
            break;
        }
        hear(Side::Before, word, distance);
        gap = word.gap;
    }
    let after = words.get(place + 1..).unwrap_or_default();
    for (distance, word) in after.iter().take(REACH).enumerate() {
        if word.gap != Gap::None || is_number(&word) {
            break;
        }
        hear(Side::After, word, distance);
    }
    if let Some(text) = words.get(place).map(|word| word.text) {
        let sign = text.chars().find(|sign| matches!(sign, '$' | '€' | '%'));
        // Any currency will do for another.
        heard.extend(sign.map(|sign| (Side::On, u64::from(sign == '%'), SIGN)));
    }
    heard.into_iter()
}
