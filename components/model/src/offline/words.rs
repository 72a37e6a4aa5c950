//! Words: cutting a text into them, and telling which are the same word.
//!
//! Two words are the same if their stems are: plural, past and progressive endings do not count, nor does
//! case. A stem lives as a 64-bit hash, so that comparing costs nothing and nothing is allocated.

use std::ops::Range;

/// A word of a text, or what is treated like one: a number, a date, an address, a quotation.
#[derive(Clone, Debug, PartialEq)]
pub struct Word<'a> {
    /// As written; of a quotation, what is between the marks.
    pub text: &'a str,
    /// Where it stands, with quotation marks.
    pub range: Range<usize>,
    /// Hash of its stem.
    pub stem: u64,
    /// What it is.
    pub kind: Kind,
    /// What stands between it and the word before.
    pub gap: Gap,
    /// How much it says about what is wanted.
    pub weight: f32,
    /// Whether it turns what is said into its opposite.
    pub negates: bool,
}

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A word or number.
    Plain,
    /// A quotation.
    Quoted,
    /// `#word`.
    Tag,
}

/// What stands between two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Space.
    None,
    /// A comma or a colon.
    Comma,
    /// The end of a sentence, a semicolon, a new line.
    Sentence,
}

impl Word<'_> {
    /// Whether it is this (lower-case) word, exactly.
    pub fn is(&self, word: &str) -> bool {
        self.kind == Kind::Plain && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether it is one of these (lower-case) words, exactly.
    pub fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }
}

/// Weight of a word that says what is wanted.
pub const CONTENT: f32 = 1.0;
/// Weight of a word that only glues others together.
pub const GLUE: f32 = 0.2;
/// Weight of a question word: it tells a question from an order, but not which.
pub const QUESTION: f32 = 0.5;

/// Articles and the like stand for each other: "the milk", "my milk".
static DETERMINERS: [u64; 12] = sorted([
    "a", "an", "the", "my", "our", "your", "this", "that", "these", "those", "some", "any",
]);

static GLUE_WORDS: [u64; 66] = sorted([
    "a", "an", "the", "my", "our", "your", "this", "that", "these", "those", "some", "any", "i", "me", "we",
    "us", "you", "it", "its", "to", "of", "for", "is", "are", "am", "was", "were", "be", "been", "do",
    "does", "did", "has", "have", "had", "on", "in", "at", "by", "with", "from", "into", "as", "and", "or",
    "but", "so", "then", "there", "here", "please", "can", "could", "would", "will", "should", "need",
    "want", "like", "just", "up", "all", "about", "i'm", "i've", "it's",
]);

static QUESTION_WORDS: [u64; 10] = sorted([
    "what", "which", "how", "when", "where", "who", "why", "what's", "whats", "where's",
]);

static NEGATIONS: [u64; 8] = sorted([
    "not", "don't", "doesn't", "isn't", "never", "won't", "haven't", "hasn't",
]);

/// FNV-1a, 64 bit.
const fn hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest {
        hash = (hash ^ *byte as u64).wrapping_mul(0x0100_0000_01b3);
        rest = tail;
    }
    hash
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where an error is a compile error"
)]
const fn sorted<const N: usize>(words: [&str; N]) -> [u64; N] {
    let mut hashes = [0; N];
    let mut at = 0;
    while at < N {
        let mut place = at;
        let hash = hash(words[at].as_bytes());
        while place > 0 && hashes[place - 1] > hash {
            hashes[place] = hashes[place - 1];
            place -= 1;
        }
        hashes[place] = hash;
        at += 1;
    }
    hashes
}

/// Cuts a text into words, appending them.
pub fn cut<'a>(text: &'a str, words: &mut Vec<Word<'a>>) {
    let mut gap = Gap::None;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(' ') {
            at += 1;
            continue;
        }
        let Some(first) = rest.chars().next() else { break };
        let (length, kind) = match first {
            '#' => (1 + word_length(rest.get(1..).unwrap_or("")), Kind::Tag),
            c if c.is_alphanumeric() || matches!(c, '_' | '$' | '€') => (word_length(rest), Kind::Plain),
            c => match quotation(
                rest,
                c,
                at == 0 || text.as_bytes().get(at - 1).is_some_and(u8::is_ascii_whitespace),
            ) {
                Some(length) => (length, Kind::Quoted),
                None => {
                    gap = after(gap, c, rest);
                    at += c.len_utf8();
                    continue;
                }
            },
        };
        if kind == Kind::Tag && length == 1 {
            at += 1;
            continue;
        }
        let whole = rest.get(..length).unwrap_or(rest);
        words.push(word(whole, at..at + length, kind, gap));
        at += length;
        gap = Gap::None;
    }
}

fn word(whole: &str, range: Range<usize>, kind: Kind, gap: Gap) -> Word<'_> {
    let text = match kind {
        Kind::Plain => whole,
        Kind::Tag => whole.get(1..).unwrap_or(""),
        Kind::Quoted => {
            let mut inner = whole.chars();
            inner.next();
            inner.next_back();
            inner.as_str().trim()
        }
    };
    let (exact, stem) = hashes(text);
    // All of them are short.
    let among = |list: &[u64]| text.len() <= 7 && kind == Kind::Plain && list.binary_search(&exact).is_ok();
    let (weight, negates) = (
        if among(&GLUE_WORDS) {
            GLUE
        } else if among(&QUESTION_WORDS) {
            QUESTION
        } else {
            CONTENT
        },
        among(&NEGATIONS),
    );
    Word {
        text,
        range,
        // These are no other word's stem: "not" is not "notes".
        stem: if weight < CONTENT || negates { !stem } else { stem },
        kind,
        gap,
        weight,
        negates,
    }
}

/// What a character between words makes of the gap.
fn after(gap: Gap, c: char, rest: &str) -> Gap {
    // A point within a word was taken with the word.
    let ends = matches!(c, '.' | '!' | '?' | ';' | '\n' | '。') && !rest.starts_with("...");
    match (gap, c) {
        (Gap::Sentence, _) => Gap::Sentence,
        _ if ends => Gap::Sentence,
        (_, ',' | ':') => Gap::Comma,
        (gap, _) => gap,
    }
}

/// How far the word at the beginning of `rest` goes. Marks within a word belong to it where letters or
/// digits stand on both sides: `to-do`, `it's`, `2026-12-24`, `12/24`, `17:30`, `a@b.example`.
fn word_length(rest: &str) -> usize {
    // Nearly all words are letters and then a space.
    let run = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
    if matches!(
        rest.as_bytes().get(run),
        None | Some(b' ' | b',' | b'?' | b'!' | b'"')
    ) {
        return run;
    }
    let mut end = 0;
    let mut before = '\0';
    let mut characters = rest.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let next_fits = next.is_some_and(char::is_alphanumeric);
        let fits = c.is_alphanumeric()
            || match c {
                '_' | '$' | '€' => true,
                '%' => before.is_ascii_digit(),
                '\'' | '’' | '-' | '.' | '/' | '@' | '+' | '=' | '&' => {
                    at > 0 && (next_fits || (c == '/' && before != '/' && rest.contains("://")))
                }
                ':' => {
                    (before.is_ascii_digit() && next.is_some_and(|c| c.is_ascii_digit())) || next == Some('/')
                }
                _ => false,
            };
        if !fits {
            break;
        }
        end = at + c.len_utf8();
        before = c;
    }
    end
}

/// The length of the quotation at the beginning of `rest`, with its marks.
fn quotation(rest: &str, open: char, after_space: bool) -> Option<usize> {
    let close = match open {
        '“' | '„' => '”',
        '«' => '»',
        '"' | '`' => open,
        // Elsewhere it is an apostrophe.
        '\'' if after_space => '\'',
        '‘' if after_space => '’',
        _ => return None,
    };
    let inner = rest.get(open.len_utf8()..)?;
    let end = inner
        .find(|c| c == close || (open == '„' && c == '“'))
        .filter(|end| *end > 0)?;
    if inner.get(..end)?.contains('\n') {
        return None;
    }
    let mark = inner.get(end..)?.chars().next()?;
    let follows = inner.get(end + mark.len_utf8()..)?.chars().next();
    // "the boys' room isn't ready" opens nothing.
    if matches!(open, '\'' | '‘') && follows.is_some_and(char::is_alphanumeric) {
        return None;
    }
    Some(open.len_utf8() + end + mark.len_utf8())
}

/// What [`Word::stem`] would be.
pub fn stem_of(text: &str) -> u64 {
    word(text, 0..text.len(), Kind::Plain, Gap::None).stem
}

/// The hashes of a word in lower case, and of its stem.
fn hashes(text: &str) -> (u64, u64) {
    const LONGEST: usize = 32;
    let mut buffer = [0_u8; LONGEST];
    let Some(lower) = buffer.get_mut(..text.len()).filter(|_| text.is_ascii()) else {
        let lower = text.to_lowercase().replace('’', "'");
        let exact = hash(lower.as_bytes());
        return (exact, hash(lower.strip_suffix("'s").unwrap_or(&lower).as_bytes()));
    };
    lower.copy_from_slice(text.as_bytes());
    lower.make_ascii_lowercase();
    let exact = hash(lower);
    if lower.len() <= 5 && DETERMINERS.binary_search(&exact).is_ok() {
        return (exact, const { hash(b"the") });
    }
    let stem = stem(lower);
    (
        exact,
        if stem.len() == text.len() {
            exact
        } else {
            hash(stem)
        },
    )
}

/// Takes endings off a lower-case word.
fn stem(word: &mut [u8]) -> &[u8] {
    let word: &[u8] = word.strip_suffix(b"'s").unwrap_or(word);
    // Numbers and dates have no endings, and short words mostly look like one.
    if word.len() < 4 || !word.iter().all(u8::is_ascii_alphabetic) {
        return word;
    }
    let long_enough = |stem: &&[u8]| stem.len() >= 3 && stem.iter().any(|letter| b"aeiouy".contains(letter));
    let stem = if let Some(stem) = word.strip_suffix(b"ies").filter(long_enough) {
        stem
    } else if let Some(stem) = word.strip_suffix(b"ing").filter(long_enough) {
        undouble(stem)
    } else if let Some(stem) = word.strip_suffix(b"ed").filter(long_enough) {
        undouble(stem)
    } else if word.ends_with(b"sses")
        || word.ends_with(b"shes")
        || word.ends_with(b"ches")
        || word.ends_with(b"xes")
    {
        word.strip_suffix(b"es").unwrap_or(word)
    } else if word.ends_with(b"ss") || word.ends_with(b"us") || word.ends_with(b"is") {
        word
    } else {
        word.strip_suffix(b"s").unwrap_or(word)
    };
    // "complete" and "completed", "carry" and "carries".
    stem.strip_suffix(b"e")
        .or_else(|| stem.strip_suffix(b"y"))
        .filter(|stem| stem.len() >= 3)
        .unwrap_or(stem)
}

/// "planned" is "plan", but "called" is "call".
fn undouble(stem: &[u8]) -> &[u8] {
    match stem {
        [rest @ .., a, b] if a == b && !b"lsz".contains(a) && rest.len() >= 2 => {
            stem.get(..stem.len() - 1).unwrap_or(stem)
        }
        _ => stem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        let mut words = Vec::new();
        cut(text, &mut words);
        words.into_iter().map(|word| word.text).collect()
    }

    fn same(a: &str, b: &str) -> bool {
        stem_of(a) == stem_of(b)
    }

    #[test]
    fn endings_and_case_do_not_count() {
        for (a, b) in [
            ("task", "Tasks"),
            ("complete", "completed"),
            ("completing", "completes"),
            ("plan", "planned"),
            ("call", "calling"),
            ("carry", "carries"),
            ("finish", "finishes"),
            ("delete", "DELETED"),
            ("the", "my"),
            ("today", "today's"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("bus", "bu"),
            ("less", "les"),
            ("red", "r"),
            ("add", "ad"),
            ("king", "k"),
            ("do", "done"),
            ("not", "notes"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn dates_addresses_and_compounds_are_one_word() {
        assert_eq!(
            texts(
                "It's a to-do for 2026-12-24 (12/24) at 17:30: mail a.b@c.example, see https://x.example/a?b. v1.2!"
            ),
            [
                "It's",
                "a",
                "to-do",
                "for",
                "2026-12-24",
                "12/24",
                "at",
                "17:30",
                "mail",
                "a.b@c.example",
                "see",
                "https://x.example/a",
                "b",
                "v1.2"
            ]
        );
    }

    #[test]
    fn quotations_and_tags_are_one_word() {
        let mut words = Vec::new();
        cut(
            "rename “oat milk” to \"soy milk\" 'now then' #home the boys' room isn't",
            &mut words,
        );
        let quoted: Vec<&str> = words
            .iter()
            .filter(|word| word.kind == Kind::Quoted)
            .map(|word| word.text)
            .collect();
        assert_eq!(quoted, ["oat milk", "soy milk", "now then"]);
        assert!(
            words
                .iter()
                .any(|word| word.kind == Kind::Tag && word.text == "home")
        );
        assert_eq!(words.last().map(|word| word.text), Some("isn't"));
    }

    #[test]
    fn gaps_tell_sentences_from_commas() {
        let mut words = Vec::new();
        cut("Add milk, bread; done. Next", &mut words);
        let gaps: Vec<Gap> = words.iter().map(|word| word.gap).collect();
        assert_eq!(
            gaps,
            [Gap::None, Gap::None, Gap::Comma, Gap::Sentence, Gap::Sentence]
        );
    }

    #[test]
    fn any_text_can_be_cut() {
        for text in [
            "",
            "#",
            "''",
            "“",
            "‘a’b",
            "日本語。テスト",
            "𝒳 ’ '",
            "a..b",
            "\u{0}\u{feff}",
            "://",
            "a://",
        ] {
            let mut words = Vec::new();
            cut(text, &mut words);
            for word in words {
                assert!(
                    text.get(word.range.clone())
                        .is_some_and(|part| part.contains(word.text)),
                    "{text:?}"
                );
            }
        }
    }
}
