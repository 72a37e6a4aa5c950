//! Which date goes into which argument.
//!
//! - Two arguments that are called like the two ends of a time (`from` and `to`, `due_after` and
//!   `due_before`, `start` and `end`) share what is said: "this week" fills both, "until Friday" the second,
//!   "overdue" the second with yesterday. A single day fills a third argument if there is one (`due_on`),
//!   else both where the tool only looks (a template without free text), else the first.
//! - Otherwise dates fill the arguments in their order. Of a range an argument gets the last day ("this
//!   week" as a due date), or the first one if it is called like a beginning.
//! - `date-time` arguments get a time of day if one is said, else 9:00 for a day, and the whole days for a
//!   range.

use std::ops::Range;

use jiff::{
    ToSpan,
    civil::{Date, Time},
};

use super::{
    calendar,
    dates::{Bound, Found, Now, When},
    schema::Property,
    words::Word,
};

/// What there is to fill, and from what.
pub struct Request<'r, 'w> {
    /// The tool's arguments.
    pub properties: &'r [Property],
    /// Those that the example fills, first.
    pub order: &'r [usize],
    /// Whether the tool only looks.
    pub lists: bool,
    /// The words.
    pub words: &'r [Word<'w>],
    /// When it is.
    pub now: &'r Now,
}

/// What was filled.
#[derive(Debug, Default)]
pub struct Filled {
    /// Arguments and their values.
    pub values: Vec<(usize, String)>,
    /// The words that said it.
    pub used: Vec<Range<usize>>,
}

const BEGINNINGS: [&str; 6] = ["from", "start", "starts", "after", "since", "begin"];
const ENDS: [&str; 6] = ["to", "end", "ends", "before", "until", "till"];
const MORNING: Time = Time::constant(9, 0, 0, 0);
const LAST_SECOND: Time = Time::constant(23, 59, 59, 0);

impl Request<'_, '_> {
    /// Fills the arguments that take dates.
    pub fn fill(&self, found: &[&Found]) -> Filled {
        let mut filled = Filled::default();
        let time = self.time_of_day(found);
        if let (Some((range, _)), true) = (&time, self.properties.iter().any(|property| property.date_time)) {
            filled.used.push(range.clone());
        }
        let time = time.map(|(_, time)| time);
        let called = |words: &[&str]| {
            let fits = |property: &Property| property.takes_dates() && property.is_called(words);
            self.properties.iter().position(fits)
        };
        match (called(&BEGINNINGS), called(&ENDS)) {
            (Some(from), Some(to)) if from != to => self.pair(from, to, found, time, &mut filled),
            _ => self.singles(found, time, &mut filled),
        }
        filled
    }

    fn pair(&self, from: usize, to: usize, found: &[&Found], time: Option<Time>, filled: &mut Filled) {
        let on = self
            .properties
            .iter()
            .enumerate()
            .position(|(at, property)| property.takes_dates() && at != from && at != to);
        for found in found {
            if let (When::Day(day), Bound::On, Some(on)) = (found.when, found.bound, on) {
                filled.set(on, self.value(on, day, time.unwrap_or(MORNING)));
                filled.used.push(found.start..found.end);
                continue;
            }
            let (first, last) = match (found.when, found.bound) {
                (When::Before(day), _) => (None, day.yesterday().ok()),
                (When::Range(first, last), Bound::On) => (Some(first), Some(last)),
                (When::Range(_, last), Bound::Until) => (None, Some(last)),
                (When::Range(first, _), Bound::Before) => (None, first.yesterday().ok()),
                (When::Range(first, _), Bound::From) => (Some(first), None),
                (When::Range(_, last), Bound::After) => (last.tomorrow().ok(), None),
                (When::Day(day), Bound::On) if self.lists => (Some(day), Some(day)),
                (When::Day(day), Bound::On | Bound::From) => (Some(day), None),
                (When::Day(day), Bound::Until) => (None, Some(day)),
                (When::Day(day), Bound::Before) => (None, day.yesterday().ok()),
                (When::Day(day), Bound::After) => (day.tomorrow().ok(), None),
                (When::Moment(moment), _) => {
                    filled.set(from, self.value(from, moment.date(), moment.time()));
                    filled.used.push(found.start..found.end);
                    continue;
                }
            };
            // A meeting on a day begins then; its end is not said.
            let begins = if self.lists {
                Time::midnight()
            } else {
                time.unwrap_or(MORNING)
            };
            if let Some(first) = first {
                filled.set(from, self.value(from, first, begins));
            }
            if let Some(last) = last {
                filled.set(to, self.value(to, last, LAST_SECOND));
            }
            filled.used.push(found.start..found.end);
        }
    }

    fn singles(&self, found: &[&Found], time: Option<Time>, filled: &mut Filled) {
        let takes = |at: &usize| self.properties.get(*at).is_some_and(Property::takes_dates);
        let expected = self.order.iter().copied().filter(takes);
        let others = (0..self.properties.len()).filter(|at| takes(at) && !self.order.contains(at));
        let mut arguments = expected.chain(others);
        let today = self.now.local.date();
        for found in found {
            // "before" and "overdue" are no day that could be written down as one.
            if matches!(found.when, When::Before(_)) {
                continue;
            }
            let Some(at) = arguments.next() else { break };
            let is_beginning = self
                .properties
                .get(at)
                .is_some_and(|property| property.is_called(&BEGINNINGS));
            let value = match found.when {
                When::Day(day) => self.value(at, day, time.unwrap_or(MORNING)),
                When::Moment(moment) => self.value(at, moment.date(), moment.time()),
                When::Range(first, _) if is_beginning => self.value(at, first, time.unwrap_or(MORNING)),
                When::Range(_, last) => self.value(at, last, time.unwrap_or(MORNING)),
                When::Before(_) => continue,
            };
            filled.set(at, value);
            filled.used.push(found.start..found.end);
        }
        // "at 5pm" alone is today, or tomorrow if that is over.
        if let (true, Some(time)) = (filled.values.is_empty(), time)
            && let Some(at) =
                (0..self.properties.len()).find(|at| self.properties.get(*at).is_some_and(|p| p.date_time))
        {
            let over = time <= self.now.local.time();
            let day = today.checked_add(i64::from(over).days()).unwrap_or(today);
            filled.set(at, self.value(at, day, time));
        }
    }

    /// A day in the form that an argument wants.
    fn value(&self, at: usize, day: Date, time: Time) -> String {
        match self
            .properties
            .get(at)
            .is_some_and(|property| property.date_time && !property.date)
        {
            true => {
                let (hour, minute, second) = (time.hour(), time.minute(), time.second());
                let offset = self.now.offset_at(day.to_datetime(time));
                format!("{day}T{hour:02}:{minute:02}:{second:02}{offset}")
            }
            false => day.to_string(),
        }
    }

    /// The first time of day outside of the dates, with its words.
    fn time_of_day(&self, found: &[&Found]) -> Option<(Range<usize>, Time)> {
        (0..self.words.len())
            .filter(|at| found.iter().all(|found| !(found.start..found.end).contains(at)))
            .find_map(|at| {
                let (length, time) = calendar::time_of_day(self.words.get(at..)?)?;
                Some((at..at + length, time))
            })
    }
}

impl Filled {
    /// What was said first holds.
    fn set(&mut self, at: usize, value: String) {
        if self.values.iter().all(|(other, _)| *other != at) {
            self.values.push((at, value));
        }
    }
}
