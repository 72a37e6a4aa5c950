//! How tasks lie in the store, all in the user's scope:
//!
//! | what                | name        | holds                                                             |
//! |---------------------|-------------|-------------------------------------------------------------------|
//! | document            | `task/<id>` | the task; the document's version is the task's                     |
//! | index               | `open`      | open tasks, by due day, then priority, then age                    |
//! | index               | `done`      | done tasks, by when they were done                                 |
//! | index               | `trash`     | deleted tasks, by when they were deleted                           |
//! | counter             | `tasks`     | how many are open or done                                          |
//! | document            | `once/<key>`| outcomes of calls (see `anyturn_tool_sdk::Once`)                   |
//!
//! A task's whole JSON is the value of its member, too, so that a list is one query of one index, however many
//! tasks it shows. Document and member change in one commit and carry the same version, so a task found in an
//! index can be changed without reading its document first.

use anyturn_state::{ExpectedVersion, Query, Write};
use jiff::civil::Date;

use crate::task::{Priority, Status, Task};

/// The counter of open and done tasks.
pub(crate) const COUNTER: &str = "tasks";
/// The largest value of an index's member.
pub(crate) const MAX_MEMBER: usize = 4096;

/// Seconds from the Unix epoch to 2020-01-01T00:00:00Z, from which ages are counted.
const AGE_ZERO: i64 = 1_577_836_800;
/// Tasks that share day and priority are ordered by age in steps of 16 seconds, for which 28 bits last until
/// 2156.
const AGE_STEP: i64 = 16;
const AGE_BITS: u32 = 28;
const PRIORITY_BITS: u32 = 2;
const DAY_SHIFT: u32 = AGE_BITS + PRIORITY_BITS;
/// The day of tasks without one: after every real day (9999-12-31 is 2,932,896), and with the bits below it
/// still less than 2^53.
const NO_DAY: i64 = (1 << 22) - 1;

/// An index in which tasks lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shelf {
    Open,
    Done,
    Trash,
}

impl Shelf {
    /// Where a task belongs.
    pub fn of(task: &Task) -> Shelf {
        match (task.deleted_at, task.status) {
            (Some(_), _) => Shelf::Trash,
            (None, Status::Open) => Shelf::Open,
            (None, Status::Done) => Shelf::Done,
        }
    }

    /// The index's name.
    pub fn name(self) -> &'static str {
        match self {
            Shelf::Open => "open",
            Shelf::Done => "done",
            Shelf::Trash => "trash",
        }
    }

    /// Open tasks are shown the most pressing first, others the latest first.
    pub fn is_descending(self) -> bool {
        self != Shelf::Open
    }

    /// Where a task stands in the index.
    pub fn score(self, task: &Task) -> i64 {
        match self {
            Shelf::Open => {
                let age = (task.created_at.as_second() - AGE_ZERO) / AGE_STEP;
                let priority = match task.priority {
                    Priority::High => 0,
                    Priority::Normal => 1,
                    Priority::Low => 2,
                };
                (task.due.map_or(NO_DAY, day_number) << DAY_SHIFT)
                    | (priority << AGE_BITS)
                    | age.clamp(0, (1 << AGE_BITS) - 1)
            }
            Shelf::Done => task.completed_at.unwrap_or(task.updated_at).as_millisecond(),
            Shelf::Trash => task.deleted_at.unwrap_or(task.updated_at).as_millisecond(),
        }
    }

    /// A part of the index.
    pub fn query(self, (min, max): (i64, i64), offset: u32, limit: u32) -> Query {
        Query::Index {
            index: self.name().to_owned(),
            min,
            max,
            descending: self.is_descending(),
            offset,
            limit,
        }
    }
}

/// The scores of open tasks that are due between two days, both inclusive.
pub(crate) fn open_range(from: Option<Date>, to: Option<Date>) -> (i64, i64) {
    let min = from.map_or(0, |from| day_number(from) << DAY_SHIFT);
    let max = to.map_or(NO_DAY << DAY_SHIFT, |to| (day_number(to) + 1) << DAY_SHIFT) - 1;
    (min, max)
}

/// The scores of open tasks that are not due at any time.
pub(crate) fn undated_range() -> (i64, i64) {
    (NO_DAY << DAY_SHIFT, EVERYTHING.1)
}

/// Every score.
pub(crate) const EVERYTHING: (i64, i64) = (-((1 << 53) - 1), (1 << 53) - 1);

fn day_number(day: Date) -> i64 {
    const EPOCH: Date = Date::constant(1970, 1, 1);
    EPOCH
        .until(day)
        .map_or(0, |span| i64::from(span.get_days()))
        .clamp(0, NO_DAY - 1)
}

/// The document's name.
pub(crate) fn document(id: &str) -> String {
    format!("task/{id}")
}

/// Writes a task that is new.
pub(crate) fn create(task: &Task, value: Vec<u8>) -> Vec<Write> {
    let mut writes = vec![put(task, ExpectedVersion::Absent, value.clone())];
    writes.push(place(task, value));
    writes.push(count(1));
    writes
}

/// Writes a task that was another one before.
pub(crate) fn replace(before: &Task, after: &Task, value: Vec<u8>) -> Vec<Write> {
    let mut writes = vec![put(
        after,
        ExpectedVersion::Exactly(before.version),
        value.clone(),
    )];
    let (from, to) = (Shelf::of(before), Shelf::of(after));
    if from != to {
        writes.push(Write::IndexRemove {
            index: from.name().to_owned(),
            member: before.id.clone(),
        });
    }
    writes.push(place(after, value));
    match (from, to) {
        (Shelf::Trash, Shelf::Trash) => {}
        (Shelf::Trash, _) => writes.push(count(1)),
        (_, Shelf::Trash) => writes.push(count(-1)),
        _ => {}
    }
    writes
}

/// Removes a deleted task for good.
pub(crate) fn purge(id: &str) -> [Write; 2] {
    [
        Write::Delete {
            document: document(id),
            expected: ExpectedVersion::Any,
        },
        Write::IndexRemove {
            index: Shelf::Trash.name().to_owned(),
            member: id.to_owned(),
        },
    ]
}

fn put(task: &Task, expected: ExpectedVersion, value: Vec<u8>) -> Write {
    Write::Put {
        document: document(&task.id),
        expected,
        value,
        ttl: None,
    }
}

fn place(task: &Task, value: Vec<u8>) -> Write {
    let shelf = Shelf::of(task);
    Write::IndexPut {
        index: shelf.name().to_owned(),
        member: task.id.clone(),
        score: shelf.score(task),
        value,
        only_existing: false,
    }
}

fn count(delta: i64) -> Write {
    Write::Add {
        counter: COUNTER.to_owned(),
        delta,
        ttl: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Draft;
    use jiff::Timestamp;

    fn task(due: Option<&str>, priority: Priority, created_at: &str) -> Task {
        let draft = Draft {
            due: due.map(|due| due.parse().unwrap()),
            priority,
            ..Draft::default()
        };
        Task::new("task_x".into(), draft, created_at.parse().unwrap())
    }

    #[test]
    fn open_tasks_stand_by_day_then_priority_then_age() {
        let now = "2026-11-20T10:00:00Z";
        let later = "2026-11-20T10:01:00Z";
        let ordered = [
            task(Some("1970-01-01"), Priority::Low, later),
            task(Some("2026-11-20"), Priority::High, later),
            task(Some("2026-11-20"), Priority::Normal, now),
            task(Some("2026-11-20"), Priority::Normal, later),
            task(Some("2026-11-20"), Priority::Low, now),
            task(Some("2026-11-21"), Priority::High, now),
            task(Some("9999-12-31"), Priority::Low, later),
            task(None, Priority::High, now),
            task(None, Priority::Low, "2155-12-31T00:00:00Z"),
        ];
        let scores: Vec<i64> = ordered.iter().map(|task| Shelf::Open.score(task)).collect();
        assert!(scores.is_sorted_by(|a, b| a < b), "{scores:?}");
        assert!(scores.iter().all(|score| (0..EVERYTHING.1).contains(score)));
    }

    #[test]
    fn a_range_of_days_holds_the_tasks_of_those_days() {
        let day = |text: &str| Some(text.parse::<Date>().unwrap());
        let (min, max) = open_range(day("2026-11-20"), day("2026-11-21"));
        for (due, inside) in [
            (Some("2026-11-19"), false),
            (Some("2026-11-20"), true),
            (Some("2026-11-21"), true),
            (Some("2026-11-22"), false),
            (None, false),
        ] {
            for priority in [Priority::High, Priority::Low] {
                let score = Shelf::Open.score(&task(due, priority, &Timestamp::UNIX_EPOCH.to_string()));
                assert_eq!((min..=max).contains(&score), inside, "{due:?}");
            }
        }
        let undated = Shelf::Open.score(&task(None, Priority::High, "2020-01-01T00:00:00Z"));
        assert!((undated_range().0..=undated_range().1).contains(&undated));
        assert!(undated > open_range(None, None).1);
    }
}
