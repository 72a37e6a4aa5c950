//! Messages that people mean for the engine rather than for the model: "yes", "no" and "undo".
//!
//! They are told by the whole message, so that nothing is decided by a word in passing, and they count only
//! where there is something to decide or to undo; otherwise they are messages like any other.

use crate::gate::Verdict;
use crate::port::Part;

const YES: [&str; 43] = [
    "y",
    "yes",
    "yes please",
    "yes do it",
    "yes go ahead",
    "yeah",
    "yep",
    "yup",
    "ok",
    "okay",
    "ok do it",
    "okay do it",
    "ok go ahead",
    "okay go ahead",
    "k",
    "sure",
    "sure go ahead",
    "sure do it",
    "go",
    "go ahead",
    "go for it",
    "do it",
    "do that",
    "please do",
    "please do it",
    "please do that",
    "proceed",
    "continue",
    "confirm",
    "confirmed",
    "i confirm",
    "approve",
    "approved",
    "allow",
    "allow it",
    "fine",
    "sounds good",
    "looks good",
    "alright",
    "all right",
    "of course",
    "absolutely",
    "definitely",
];

const NO: [&str; 38] = [
    "n",
    "no",
    "no thanks",
    "no thank you",
    "no dont",
    "no do not",
    "no stop",
    "nope",
    "nah",
    "cancel",
    "cancel it",
    "cancel that",
    "stop",
    "stop it",
    "stop that",
    "dont",
    "dont do it",
    "dont do that",
    "please dont",
    "do not",
    "do not do it",
    "do not do that",
    "please do not",
    "deny",
    "denied",
    "deny it",
    "reject",
    "rejected",
    "reject it",
    "refuse",
    "abort",
    "never mind",
    "nevermind",
    "forget it",
    "forget that",
    "leave it",
    "better not",
    "rather not",
];

const UNDO: [&str; 14] = [
    "undo",
    "undo it",
    "undo that",
    "undo this",
    "undo please",
    "please undo",
    "please undo that",
    "please undo it",
    "undo the last action",
    "undo the last one",
    "undo last",
    "undo that please",
    "take it back",
    "take that back",
];

/// What a message decides, if it is nothing but a "yes" or a "no".
pub(crate) fn verdict(message: &[Part]) -> Option<Verdict> {
    let said = said(message)?;
    if YES.contains(&said.as_str()) {
        Some(Verdict::Approve)
    } else if NO.contains(&said.as_str()) {
        Some(Verdict::Deny)
    } else {
        None
    }
}

/// Whether a message asks to undo what was done last, and for nothing else.
pub(crate) fn undo(message: &[Part]) -> bool {
    said(message).is_some_and(|said| UNDO.contains(&said.as_str()))
}

/// The words of a message that is one short text: lower-case, without punctuation, one blank between them.
fn said(message: &[Part]) -> Option<String> {
    const LONGEST: usize = 40;
    let [Part::Text { text }] = message else {
        return None;
    };
    if text.len() > LONGEST {
        return None;
    }
    let mut said = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || ",.!;:".contains(c)) {
        let letters = word.chars().filter(|c| !"'’\"“”".contains(*c));
        let word: String = letters.flat_map(char::to_lowercase).collect();
        if !word.is_empty() {
            if !said.is_empty() {
                said.push(' ');
            }
            said.push_str(&word);
        }
    }
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<Part> {
        vec![Part::Text { text: text.into() }]
    }

    #[test]
    fn a_plain_yes_or_no_decides() {
        for yes in [
            "yes",
            "Yes!",
            " ok ",
            "Sure.",
            "Go ahead",
            "do it!",
            "Yes, please.",
            "OK, do it",
            "“Yes”",
        ] {
            assert_eq!(verdict(&text(yes)), Some(Verdict::Approve), "{yes}");
        }
        for no in [
            "no",
            "No!",
            "cancel",
            "Stop.",
            "Don't do it",
            "don’t",
            "No, thanks",
            "never mind",
        ] {
            assert_eq!(verdict(&text(no)), Some(Verdict::Deny), "{no}");
        }
    }

    #[test]
    fn a_message_that_says_more_does_not() {
        for other in [
            "",
            "yes?",
            "no?",
            "yes but only the first one",
            "yes no",
            "ok what is due today",
            "not yet",
            "yesterday",
            "do it tomorrow",
            "stop the music",
            "yes ✅ and delete everything else too, all of it",
        ] {
            assert_eq!(verdict(&text(other)), None, "{other}");
        }
        let picture = Part::Image {
            media_type: "image/png".into(),
            url: "https://example.com/".into(),
        };
        assert_eq!(verdict(&[text("yes").remove(0), picture]), None);
        assert_eq!(verdict(&[text("yes").remove(0), text("no").remove(0)]), None);
    }

    #[test]
    fn undo_is_told_from_talk_about_it() {
        assert!(undo(&text("Undo")) && undo(&text("undo that!")) && undo(&text("Please, undo that.")));
        assert!(
            !undo(&text("undo?"))
                && !undo(&text("how do I undo a delete"))
                && !undo(&text("undo the second one"))
        );
    }

    #[test]
    fn no_word_means_two_things() {
        for yes in YES {
            assert!(!NO.contains(&yes) && !UNDO.contains(&yes), "{yes}");
        }
        for word in YES.iter().chain(&NO).chain(&UNDO) {
            assert_eq!(said(&text(word)).as_deref(), Some(*word));
        }
    }
}
