//! Reads shelves page by page.
//!
//! A page ends with a cursor that names the last task's place, so that changes in between neither repeat nor
//! skip other tasks. However a filter looks, one request examines at most [`MAX_EXAMINED`] tasks, which is all
//! that a user can have.

use anyturn_state::{Found, Store};

use super::shelf::{self, Shelf};
use super::{MAX_TASKS, Trouble};
use crate::filter::{Due, Filter, StatusFilter};
use crate::task::Task;

/// How many members one query reads where most of them may not fit.
const BATCH: u32 = 1000;
/// How many tasks one request looks at.
const MAX_EXAMINED: u32 = 2 * MAX_TASKS;

/// Some of the tasks that were wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// Where the rest begins; none when there is none.
    pub next: Option<Cursor>,
}

/// A place in a list, after which it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    shelf: Shelf,
    score: i64,
    id: String,
}

impl Cursor {
    /// Reads what [`Cursor::to_string`](std::fmt::Display) wrote.
    pub fn parse(text: &str) -> Option<Cursor> {
        let mut parts = text.splitn(3, '.');
        let shelf = match parts.next()? {
            "open" => Shelf::Open,
            "done" => Shelf::Done,
            _ => return None,
        };
        let score = parts
            .next()?
            .parse()
            .ok()
            .filter(|score| (0..=shelf::EVERYTHING.1).contains(score))?;
        let id = parts.next()?.to_owned();
        Some(Cursor { shelf, score, id })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.shelf.name(), self.score, self.id)
    }
}

/// The tasks that fit a filter, at most `limit` of them.
pub(super) async fn page<S: Store>(
    store: &S,
    scope: &str,
    filter: &Filter,
    cursor: Option<&Cursor>,
    limit: usize,
) -> Result<Page, Trouble> {
    let shelves: &[Shelf] = match filter.status {
        StatusFilter::Open => &[Shelf::Open],
        StatusFilter::Done => &[Shelf::Done],
        StatusFilter::All => &[Shelf::Open, Shelf::Done],
    };
    let mut page = Page::default();
    for &shelf in shelves {
        let after = match cursor {
            // The cursor's shelf is not this one: it comes later, or this one comes after it.
            Some(cursor) if cursor.shelf == Shelf::Done && shelf == Shelf::Open => continue,
            Some(cursor) if cursor.shelf != shelf => None,
            other => other,
        };
        let mut scan = Scan::new(shelf, filter, after, limit.saturating_sub(page.tasks.len()));
        while let Some(task) = scan.next(store, scope).await? {
            if page.tasks.len() == limit {
                page.next = page.tasks.last().map(|last| {
                    let shelf = Shelf::of(last);
                    Cursor {
                        shelf,
                        score: shelf.score(last),
                        id: last.id.clone(),
                    }
                });
                return Ok(page);
            }
            page.tasks.push(task);
        }
    }
    Ok(page)
}

/// Goes through one shelf.
pub(super) struct Scan<'a> {
    shelf: Shelf,
    filter: &'a Filter,
    after: Option<&'a Cursor>,
    range: (i64, i64),
    batch: u32,
    offset: u32,
    ready: std::vec::IntoIter<Task>,
    at_end: bool,
}

impl<'a> Scan<'a> {
    fn new(shelf: Shelf, filter: &'a Filter, after: Option<&'a Cursor>, wanted: usize) -> Scan<'a> {
        let mut range = match (shelf, filter.due) {
            (Shelf::Open, Due::Between(from, to)) => shelf::open_range(from, to),
            (Shelf::Open, Due::None) => shelf::undated_range(),
            _ => shelf::EVERYTHING,
        };
        if let Some(cursor) = after {
            if shelf.is_descending() {
                range.1 = range.1.min(cursor.score);
            } else {
                range.0 = range.0.max(cursor.score);
            }
        }
        // Where everything in the range fits, one more than wanted tells whether there is more.
        let is_plain = filter.is_range_only() && (shelf == Shelf::Open || filter.due == Due::Any);
        let batch = if is_plain {
            u32::try_from(wanted + 1 + usize::from(after.is_some()))
                .unwrap_or(BATCH)
                .min(BATCH)
        } else {
            BATCH
        };
        let at_end = range.0 > range.1;
        Scan {
            shelf,
            filter,
            after,
            range,
            batch,
            offset: 0,
            ready: Vec::new().into_iter(),
            at_end,
        }
    }

    async fn next<S: Store>(&mut self, store: &S, scope: &str) -> Result<Option<Task>, Trouble> {
        loop {
            while let Some(task) = self.ready.next() {
                if self.is_after(&task) && self.filter.fits(&task) {
                    return Ok(Some(task));
                }
            }
            if self.at_end || self.offset >= MAX_EXAMINED {
                return Ok(None);
            }
            let query = self.shelf.query(self.range, self.offset, self.batch);
            let found = store.read(scope, vec![query]).await?;
            let tasks = tasks(found.first())?;
            self.offset += self.batch;
            self.at_end = tasks.len() < usize::try_from(self.batch).unwrap_or(usize::MAX);
            self.ready = tasks.into_iter();
        }
    }

    fn is_after(&self, task: &Task) -> bool {
        let Some(cursor) = self.after else { return true };
        let place = (self.shelf.score(task), task.id.as_str());
        let cursor = (cursor.score, cursor.id.as_str());
        if self.shelf.is_descending() {
            place < cursor
        } else {
            place > cursor
        }
    }
}

/// All tasks of a shelf, in batches of which the first may have been read already.
pub(super) async fn all<S: Store>(store: &S, scope: &str, shelf: Shelf) -> Result<Vec<Task>, Trouble> {
    let mut all = Vec::new();
    let mut offset = 0;
    while offset < MAX_EXAMINED {
        let found = store
            .read(scope, vec![shelf.query(shelf::EVERYTHING, offset, BATCH)])
            .await?;
        let batch = tasks(found.first())?;
        let is_last = batch.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
        all.extend(batch);
        if is_last {
            break;
        }
        offset += BATCH;
    }
    Ok(all)
}

/// The tasks that a query of an index found.
pub(super) fn tasks(found: Option<&Found>) -> Result<Vec<Task>, Trouble> {
    let Some(Found::Index(members)) = found else {
        return Ok(Vec::new());
    };
    members
        .iter()
        .map(|member| super::read_task(&member.value))
        .collect()
}
