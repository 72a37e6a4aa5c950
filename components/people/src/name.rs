//! Finds people by what is typed of their names.
//!
//! Letters are compared without case and accents: "jose" finds "José", "Muller" finds "Müller". Each word that is
//! typed has to begin a word of the person's, so that "sar ch" finds Sarah Chen and "ara" does not.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// How well what was typed fits, the best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Every word begins a word, such as of a company.
    Prefix,
    /// Every word begins a word of the name.
    NamePrefix,
    /// Every word is a word of the name.
    NameWord,
    /// It is the whole name, or the address.
    Whole,
}

/// A text for comparing: lower-case, without accents, in the plain form of each letter.
pub fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.nfkd().filter(|letter| !is_combining_mark(*letter)) {
        match letter {
            // Letters with a stroke have no decomposition.
            'ß' | 'ẞ' => folded.push_str("ss"),
            'ø' | 'Ø' => folded.push('o'),
            'ł' | 'Ł' => folded.push('l'),
            'đ' | 'Đ' => folded.push('d'),
            'æ' | 'Æ' => folded.push_str("ae"),
            'œ' | 'Œ' => folded.push_str("oe"),
            'ı' => folded.push('i'),
            letter => folded.extend(letter.to_lowercase().filter(|letter| !is_combining_mark(*letter))),
        }
    }
    folded
}

/// The words of a text, folded.
pub fn words(text: &str) -> Vec<String> {
    folded(text)
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// How well what was typed fits somebody with this name, one of these addresses, and these other words to be found
/// by; none if it does not.
///
/// ```
/// use anyturn_people::name::{Fit, fit};
///
/// let zoe = |typed| fit(typed, "Zoë Müller", &["zoe@lumen.example"], &["Lumen GmbH"]);
/// assert_eq!(zoe("zoe"), Some(Fit::NameWord));
/// assert_eq!(zoe("mull"), Some(Fit::NamePrefix));
/// assert_eq!(zoe("ZOE@lumen.example"), Some(Fit::Whole));
/// assert_eq!(zoe("zoe lumen"), Some(Fit::Prefix));
/// assert_eq!(zoe("oe"), None);
/// ```
pub fn fit(typed: &str, name: &str, addresses: &[&str], others: &[&str]) -> Option<Fit> {
    let typed = typed.trim();
    if addresses
        .iter()
        .any(|address| address.eq_ignore_ascii_case(typed))
    {
        return Some(Fit::Whole);
    }
    let typed = words(typed);
    if typed.is_empty() {
        return None;
    }
    let own = words(name);
    if typed == own {
        return Some(Fit::Whole);
    }
    if typed.iter().all(|word| own.contains(word)) {
        return Some(Fit::NameWord);
    }
    let begins = |word: &String, known: &[String]| known.iter().any(|known| known.starts_with(word.as_str()));
    if typed.iter().all(|word| begins(word, &own)) {
        return Some(Fit::NamePrefix);
    }
    let known: Vec<String> = addresses
        .iter()
        .chain(others)
        .flat_map(|text| words(text))
        .chain(own)
        .collect();
    typed
        .iter()
        .all(|word| begins(word, &known))
        .then_some(Fit::Prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_and_case_do_not_matter() {
        for (typed, name) in [
            ("jose", "José García"),
            ("JOSÉ", "Jose Garcia"),
            ("muller", "Jürgen Müller"),
            ("lukasz", "Łukasz Nowak"),
            ("soren", "Søren Kierkegaard"),
            ("strasse", "Anna Straße"),
            // A letter and its accent as two characters.
            ("zoe\u{308}", "Zoë"),
            ("nguyen", "Nguyễn Văn An"),
        ] {
            assert!(
                fit(typed, name, &[], &[]) >= Some(Fit::NameWord),
                "{typed} finds {name}"
            );
        }
    }

    #[test]
    fn the_beginning_of_each_word_is_enough_and_its_middle_is_not() {
        let fits = |typed| {
            fit(
                typed,
                "Sarah Chen",
                &["sarah.chen@northwind.example"],
                &["Northwind"],
            )
        };
        assert_eq!(fits("Sarah Chen"), Some(Fit::Whole));
        assert_eq!(fits("chen sarah"), Some(Fit::NameWord));
        assert_eq!(fits("sar ch"), Some(Fit::NamePrefix));
        assert_eq!(fits("sarah from northwind"), None);
        assert_eq!(fits("sarah northw"), Some(Fit::Prefix));
        assert_eq!(fits("arah"), None);
        assert_eq!(fits("sarah miller"), None);
        assert_eq!(fits("  "), None);
        assert_eq!(fits("?!"), None);
    }

    #[test]
    fn a_better_fit_is_greater() {
        assert!(
            Fit::Whole > Fit::NameWord && Fit::NameWord > Fit::NamePrefix && Fit::NamePrefix > Fit::Prefix
        );
    }
}
