//! Numbers in digits and in words.

use super::words::{Kind, Word};

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = [
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];

/// The whole number of one word: `7`, `seven`, `twenty-one`.
pub fn integer(word: &Word<'_>) -> Option<i64> {
    if word.kind != Kind::Plain {
        return None;
    }
    if let Ok(number) = word.text.parse() {
        return Some(number);
    }
    let (tens, ones) = word.text.split_once('-').unwrap_or((word.text, ""));
    let place = |list: &[&str], text: &str| {
        list.iter()
            .position(|number| number.eq_ignore_ascii_case(text))
            .and_then(|at| i64::try_from(at).ok())
    };
    match (place(&TENS, tens), ones) {
        (Some(tens), "") => Some(tens * 10 + 20),
        (Some(tens), ones) => Some(tens * 10 + 20 + place(&SMALL, ones)?),
        (None, "") => place(&SMALL, tens),
        (None, _) => None,
    }
}

/// The number of one word, which may have decimals, a currency sign or a percent sign: `$9.50`, `20%`.
pub fn number(word: &Word<'_>) -> Option<f64> {
    if word.kind != Kind::Plain {
        return None;
    }
    let digits = word.text.trim_matches(['$', '€', '%']);
    match digits.starts_with(|c: char| c.is_ascii_digit()) {
        true => digits.parse().ok().filter(|number: &f64| number.is_finite()),
        false => integer(word).map(|number| number as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offline::words::cut;

    #[test]
    fn numbers_are_read_in_digits_and_words() {
        let mut words = Vec::new();
        cut("7 seven Twenty-one forty 9.5 $20 15% milk inf", &mut words);
        let integers: Vec<Option<i64>> = words.iter().map(integer).collect();
        assert_eq!(
            integers,
            [Some(7), Some(7), Some(21), Some(40), None, None, None, None, None]
        );
        let numbers: Vec<Option<f64>> = words.iter().map(number).collect();
        let expected = [
            Some(7.0),
            Some(7.0),
            Some(21.0),
            Some(40.0),
            Some(9.5),
            Some(20.0),
            Some(15.0),
            None,
            None,
        ];
        assert_eq!(numbers, expected);
    }
}
