//! Names that components choose, as labels of metrics: short, and not more of them than a server of metrics can
//! bear.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// How many different names there are of one kind.
const MOST: usize = 100;

/// The longest name, in bytes.
const LONGEST: usize = 64;

/// What stands for all names that came too late.
const OTHERS: &str = "other";

/// The names of one kind that there have been.
#[derive(Default)]
pub(super) struct Names(Mutex<HashSet<Box<str>>>);

impl Names {
    /// A name as a label: itself, cut short if need be, or `other` when there are too many already.
    pub(super) fn label(&self, name: &str) -> String {
        let name = shortened(name);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(name) {
            if known.len() >= MOST {
                return OTHERS.to_owned();
            }
            known.insert(name.into());
        }
        name.to_owned()
    }
}

fn shortened(name: &str) -> &str {
    let mut end = name.len().min(LONGEST);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_labels_than_can_be_borne() {
        let names = Names::default();
        for number in 0..2 * MOST {
            let name = format!("model-{number}");
            let expected = if number < MOST { name.as_str() } else { OTHERS };
            assert_eq!(names.label(&name), expected);
        }
        assert_eq!(names.label("model-7"), "model-7", "known names keep theirs");
    }

    #[test]
    fn a_long_name_is_cut_between_letters() {
        assert_eq!(Names::default().label(&"ä".repeat(40)), "ä".repeat(32));
    }
}
