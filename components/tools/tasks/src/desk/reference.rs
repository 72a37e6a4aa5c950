//! Finds the task that somebody means: by its id, or by words of its title.
//!
//! Words are tried in three ways, and the first way that finds anything decides: the whole title; all words
//! somewhere in the title; all words somewhere in the title, spelled nearly so. What fits several tasks is
//! never guessed at.

use crate::task::Task;

/// Words that say nothing about which task is meant.
const FILLERS: [&str; 16] = [
    "a", "an", "the", "my", "our", "that", "this", "one", "task", "todo", "to", "do", "item", "thing",
    "from", "list",
];
/// How many tasks an error lists.
const LISTED: usize = 8;

/// Whether a title's words are the ones that are meant.
type Way<'a> = dyn Fn(&[String]) -> bool + 'a;

/// What the words fit.
#[derive(Debug, PartialEq)]
pub(super) enum Match {
    /// One task.
    One(Box<Task>),
    /// Several.
    Several(Vec<Task>),
    /// None; these come near.
    None(Vec<Task>),
}

/// Finds what the words mean among the tasks.
pub(super) fn find(words: &str, tasks: &[Task]) -> Match {
    let wanted = split(words);
    let titles: Vec<Vec<String>> = tasks.iter().map(|task| split(&task.title)).collect();
    let significant = without_fillers(&wanted);
    let ways: [&Way<'_>; 3] = [
        &|title| title == wanted || without_fillers(title) == significant,
        &|title| significant.iter().all(|word| title.contains(word)),
        &|title| {
            significant
                .iter()
                .all(|word| title.iter().any(|other| is_near(word, other)))
        },
    ];
    for way in ways {
        let mut fitting: Vec<&Task> = tasks
            .iter()
            .zip(&titles)
            .filter(|(_, title)| way(title))
            .map(|(task, _)| task)
            .collect();
        match fitting.len() {
            0 => {}
            1 => {
                if let Some(task) = fitting.pop() {
                    return Match::One(Box::new(task.clone()));
                }
            }
            _ => return Match::Several(fitting.into_iter().cloned().collect()),
        }
    }
    let mut near: Vec<(usize, &Task)> = tasks
        .iter()
        .zip(&titles)
        .map(|(task, title)| {
            let hits = significant
                .iter()
                .filter(|word| title.iter().any(|other| is_near(word, other)));
            (hits.count(), task)
        })
        .filter(|(hits, _)| *hits > 0)
        .collect();
    near.sort_by_key(|(hits, _)| std::cmp::Reverse(*hits));
    Match::None(
        near.into_iter()
            .take(LISTED)
            .map(|(_, task)| task.clone())
            .collect(),
    )
}

/// Lists tasks for people and models.
pub(super) fn listed(tasks: &[Task]) -> String {
    let mut lines: Vec<String> = tasks
        .iter()
        .take(LISTED)
        .map(|task| {
            let due = task.due.map(|due| format!(", due {due}")).unwrap_or_default();
            format!("- “{}” ({}{due})", task.title, task.id)
        })
        .collect();
    if tasks.len() > LISTED {
        lines.push(format!("- and {} more", tasks.len() - LISTED));
    }
    lines.join("\n")
}

fn split(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// All words, where there are only fillers.
fn without_fillers(words: &[String]) -> Vec<String> {
    let significant: Vec<String> = words
        .iter()
        .filter(|word| !FILLERS.contains(&word.as_str()))
        .cloned()
        .collect();
    if significant.is_empty() {
        words.to_vec()
    } else {
        significant
    }
}

/// Whether two words differ by an ending, or by a slip or two.
fn is_near(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let length = short.chars().count();
    if length < 3 {
        return a == b;
    }
    if long.starts_with(short) && long.chars().count() - length <= 3 {
        return true;
    }
    let slips = match length {
        ..=3 => 0,
        4..=6 => 1,
        _ => 2,
    };
    distance_within(a, b, slips)
}

/// Whether the Levenshtein distance is at most `limit`.
fn distance_within(a: &str, b: &str, limit: usize) -> bool {
    let b: Vec<char> = b.chars().collect();
    if a.chars().count().abs_diff(b.len()) > limit {
        return false;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for ((diagonal, above), to) in row.iter().zip(row.iter().skip(1)).zip(&b) {
            let left = next.last().copied().unwrap_or(i + 1);
            let replaced = diagonal + usize::from(from != *to);
            next.push(replaced.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().is_some_and(|distance| *distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Draft;
    use jiff::Timestamp;

    fn find_in(words: &str, titles: &[&str]) -> Result<String, Vec<String>> {
        let tasks: Vec<Task> = titles
            .iter()
            .map(|title| {
                let draft = Draft {
                    title: (*title).into(),
                    ..Draft::default()
                };
                Task::new(format!("task_{title}"), draft, Timestamp::UNIX_EPOCH)
            })
            .collect();
        match find(words, &tasks) {
            Match::One(task) => Ok(task.title),
            Match::Several(tasks) => Err(tasks.into_iter().map(|task| task.title).collect()),
            Match::None(near) => Err(near
                .into_iter()
                .map(|task| format!("near {}", task.title))
                .collect()),
        }
    }

    const TITLES: [&str; 6] = [
        "Buy milk",
        "Buy milk and bread",
        "Call the dentist",
        "Write report",
        "Send the report to Zoë",
        "Pay rent",
    ];

    #[test]
    fn the_whole_title_goes_before_a_part_of_another() {
        assert_eq!(find_in("buy MILK", &TITLES), Ok("Buy milk".into()));
        assert_eq!(find_in("the buy milk task", &TITLES), Ok("Buy milk".into()));
        assert_eq!(find_in("bread", &TITLES), Ok("Buy milk and bread".into()));
        assert_eq!(
            find_in("report to zoë", &TITLES),
            Ok("Send the report to Zoë".into())
        );
    }

    #[test]
    fn slips_and_endings_are_forgiven() {
        assert_eq!(find_in("call dentists", &TITLES), Ok("Call the dentist".into()));
        assert_eq!(find_in("the dentsit", &TITLES), Ok("Call the dentist".into()));
        assert_eq!(find_in("paying rent", &TITLES), Ok("Pay rent".into()));
    }

    #[test]
    fn what_fits_several_is_not_guessed() {
        assert_eq!(
            find_in("milk", &TITLES),
            Err(vec!["Buy milk".into(), "Buy milk and bread".into()])
        );
        assert_eq!(
            find_in("Pay", &["pay", "Pay!"]),
            Err(vec!["pay".into(), "Pay!".into()])
        );
    }

    #[test]
    fn what_fits_none_tells_what_comes_near() {
        assert_eq!(
            find_in("buy eggs and bread", &TITLES),
            Err(vec!["near Buy milk and bread".into(), "near Buy milk".into(),])
        );
        assert_eq!(find_in("rat", &["pay rent"]), Err(vec![]));
    }
}
