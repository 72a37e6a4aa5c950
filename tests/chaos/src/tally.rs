//! What is counted, how it is shown meanwhile, and the table in the end.

use std::collections::{BTreeMap, HashMap};
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyturn_tests::effect_server::Class;
use anyturn_tests::plan::Plan;

use crate::fleet::Failure;

/// How many problems are told in words.
const TOLD: usize = 20;

/// The counters of a run.
#[derive(Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    closed: bool,
    started: u64,
    ended: u64,
    failed: u64,
    lost: u64,
    wrong: u64,
    kills: u64,
    pauses: u64,
    cuts: u64,
    effects_lost: u64,
    classes: BTreeMap<&'static str, OfClass>,
    /// How often each thing that may be done once was done.
    done: HashMap<String, u32>,
    /// Milliseconds.
    take_overs: Vec<u64>,
    forgotten: Vec<(String, String)>,
}

/// The effects of a class.
#[derive(Default)]
struct OfClass {
    intended: u64,
    executed: u64,
    duplicated: u64,
    asked: u64,
    not_made: u64,
}

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether conversations go on.
    pub fn is_open(&self) -> bool {
        !self.lock().closed
    }

    /// Lets every client end with the turn that it is in.
    pub fn close(&self) {
        self.lock().closed = true;
    }

    /// Instances that were killed.
    pub fn kills(&self) -> u64 {
        self.lock().kills
    }

    /// Something befell a host.
    pub fn failure(&self, failure: Failure) {
        let mut counts = self.lock();
        match failure {
            Failure::Kill => counts.kills += 1,
            Failure::Pause => counts.pauses += 1,
            Failure::Cut => counts.cuts += 1,
        }
    }

    /// A turn was asked for.
    pub fn begun(&self, plan: &Plan) {
        let mut counts = self.lock();
        counts.started += 1;
        for call in plan.calls() {
            counts.of(call.class).intended += 1;
        }
    }

    /// A turn has its answer.
    pub fn ended(&self) {
        self.lock().ended += 1;
    }

    /// The answer says that the turn failed.
    pub fn failed(&self) {
        self.lock().failed += 1;
    }

    /// A turn has no answer.
    pub fn lost(&self, problem: &str) {
        self.lock().lost += 1;
        self.wrong(problem);
    }

    /// The client was told that something was done, and it was not.
    pub fn effect_lost(&self) {
        self.lock().effects_lost += 1;
    }

    /// A call stayed unknown, and the user was asked.
    pub fn asked(&self, class: Class) {
        self.lock().of(class).asked += 1;
    }

    /// A call was certainly not made, and the user was told.
    pub fn not_made(&self, class: Class) {
        self.lock().of(class).not_made += 1;
    }

    /// A tool did something.
    pub fn executed(&self, class: Class, label: &str) {
        let mut counts = self.lock();
        counts.of(class).executed += 1;
        if class == Class::Read {
            return;
        }
        let times = counts.done.entry(label.to_owned()).or_default();
        *times += 1;
        if *times > 1 {
            let times = *times;
            counts.of(class).duplicated += 1;
            drop(counts);
            self.wrong(&format!("{label} was done {times} times"));
        }
    }

    /// A promise was broken.
    pub fn wrong(&self, problem: &str) {
        let mut counts = self.lock();
        counts.wrong += 1;
        if counts.wrong as usize <= TOLD {
            println!("\nBROKEN: {problem}");
        }
    }

    /// A turn was taken over, so many milliseconds after its instance was killed.
    pub fn taken_over(&self, time: u64) {
        self.lock().take_overs.push(time);
    }

    /// A conversation was deleted.
    pub fn forgotten(&self, user: &str, session: &str) {
        self.lock().forgotten.push((user.to_owned(), session.to_owned()));
    }

    /// The conversations that were deleted.
    pub fn all_forgotten(&self) -> Vec<(String, String)> {
        self.lock().forgotten.clone()
    }

    /// Shows how far it is.
    pub fn show(&self, time: Duration) {
        let counts = self.lock();
        let line = format!(
            "{:>5} s: {} kills, {} pauses, {} cuts; {} turns ended, {} under way, {} lost; {} broken promises",
            time.as_secs(),
            counts.kills,
            counts.pauses,
            counts.cuts,
            counts.ended,
            counts.started - counts.ended - counts.lost,
            counts.lost,
            counts.wrong,
        );
        let mut out = std::io::stdout();
        if out.is_terminal() {
            let _ = write!(out, "\r{line}\x1b[K");
        } else if time.as_secs().is_multiple_of(10) {
            let _ = writeln!(out, "{line}");
        }
        let _ = out.flush();
    }

    /// Prints the table; true when every promise was kept.
    pub fn report(&self, time: Duration, seed: u64) -> bool {
        let mut counts = self.lock();
        let duplicated: u64 = counts.classes.values().map(|class| class.duplicated).sum();
        println!("\n");
        println!(
            "seed {seed}, {} s: {} instances killed, {} paused, {} cut off from the store",
            time.as_secs(),
            counts.kills,
            counts.pauses,
            counts.cuts
        );
        println!("\n| turns started | finished | failed | lost |\n|--:|--:|--:|--:|");
        println!(
            "| {} | {} | {} | {} |",
            counts.started,
            counts.ended - counts.failed,
            counts.failed,
            counts.lost
        );
        println!(
            "\n| effects | intended | executed | duplicated | asked | not made |\n|:--|--:|--:|--:|--:|--:|"
        );
        for (name, class) in &counts.classes {
            let OfClass {
                intended,
                executed,
                duplicated,
                asked,
                not_made,
            } = class;
            println!("| {name} | {intended} | {executed} | {duplicated} | {asked} | {not_made} |");
        }
        counts.take_overs.sort_unstable();
        println!(
            "\ntake-over after a kill, in ms: p50 {}, p99 {}, longest {} ({} turns)",
            percentile(&counts.take_overs, 50),
            percentile(&counts.take_overs, 99),
            percentile(&counts.take_overs, 100),
            counts.take_overs.len()
        );
        println!(
            "lost turns {}, lost effects {}, duplicated effects {duplicated}, other broken promises {}",
            counts.lost,
            counts.effects_lost,
            counts.wrong - counts.lost - counts.effects_lost - duplicated
        );
        counts.wrong == 0
    }
}

impl Counts {
    fn of(&mut self, class: Class) -> &mut OfClass {
        self.classes.entry(class.tool()).or_default()
    }
}

/// The value that so many percent of sorted values do not exceed; 0 where there are none.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let values: Vec<u64> = (1..=200).collect();
        assert_eq!(
            (
                percentile(&values, 50),
                percentile(&values, 99),
                percentile(&values, 100)
            ),
            (100, 198, 200)
        );
        assert_eq!(percentile(&[], 99), 0);
    }

    #[test]
    fn what_is_done_twice_is_counted_unless_it_only_reads() {
        let tally = Tally::default();
        for class in Class::ALL {
            tally.executed(class, class.tool());
            tally.executed(class, class.tool());
        }
        let duplicated = |class| tally.lock().of(class).duplicated;
        assert_eq!(Class::ALL.map(duplicated), [0, 1, 1, 1]);
        assert!(!tally.report(Duration::ZERO, 0));
    }
}
