//! What a load test found.

use super::Arguments;
use super::client::Outcome;
use super::server::Moment;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// What the model is called that anyturn itself is, where no other is set.
pub(crate) const OFFLINE: &str = "offline";

/// What becomes of turns beyond the server's limit of requests per user.
const RATE_LIMITED: &str = "429 rate-limited";

/// What has happened so far.
#[derive(Default)]
pub(super) struct Tally {
    totals: Vec<Duration>,
    firsts: Vec<Duration>,
    errors: BTreeMap<String, u64>,
    models: BTreeSet<String>,
    input_tokens: u64,
    output_tokens: u64,
}

impl Tally {
    /// Takes a turn in.
    pub(super) fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Finished(finished) => {
                self.totals.push(finished.total);
                self.firsts.extend(finished.first);
                self.models.extend(finished.model);
                self.input_tokens += finished.usage.input_tokens;
                self.output_tokens += finished.usage.output_tokens;
            }
            Outcome::Failed(kind) => *self.errors.entry(kind).or_default() += 1,
        }
    }

    /// Turns that ended well.
    pub(super) fn turns(&self) -> u64 {
        self.totals.len() as u64
    }

    /// Turns that did not.
    pub(super) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// A report, which `anyturn capacity` reads again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The server.
    pub(crate) url: String,
    /// The assistant that was talked to.
    pub(crate) assistant: String,
    /// Clients that talked at the same time.
    pub(crate) clients: u32,
    /// How long it took.
    pub(crate) seconds: f64,
    /// Turns that ended well.
    pub(crate) turns: u64,
    /// Turns that ended well, each second.
    pub(crate) turns_per_second: f64,
    /// Turns that were under way at the same time, on average.
    pub(crate) turns_at_once: f64,
    /// Time from when a turn was due to its end.
    pub(crate) turn_ms: Percentiles,
    /// Time from when a turn was due to its first event; none where answers came in one piece.
    pub(crate) first_event_ms: Option<Percentiles>,
    /// Turns that failed, by how.
    pub(crate) errors: BTreeMap<String, u64>,
    /// The models that answered.
    #[serde(default)]
    pub(crate) models: BTreeSet<String>,
    /// Tokens that the models read and wrote.
    pub(crate) input_tokens: u64,
    /// See `input_tokens`.
    pub(crate) output_tokens: u64,
    /// What it cost the server, where that tells it.
    pub(crate) server: Option<Cost>,
}

/// What turns cost a server.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Milliseconds of computing time of a turn.
    pub(crate) cpu_ms_per_turn: f64,
    /// MiB of memory that it held before.
    pub(crate) idle_mib: f64,
    /// MiB of memory that it held afterwards, which is about the most it needed.
    pub(crate) loaded_mib: f64,
}

/// Milliseconds that so many of a hundred took at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub(crate) struct Percentiles {
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Percentiles {
    /// Of these times, by nearest rank.
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1);
            times.get(rank - 1).copied().map_or(0.0, ms)
        };
        let sum = times.iter().copied().map(ms).fold(0.0, |sum, time| sum + time);
        Self {
            mean: sum / times.len().max(1) as f64,
            p50: at(50),
            p90: at(90),
            p95: at(95),
            p99: at(99),
            max: at(100),
        }
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            mean,
            p50,
            p90,
            p95,
            p99,
            max,
        } = self;
        write!(
            f,
            "{mean:>9.1} {p50:>9.1} {p90:>9.1} {p95:>9.1} {p99:>9.1} {max:>9.1}"
        )
    }
}

impl Report {
    /// Puts it together.
    pub(super) fn new(
        arguments: &Arguments,
        tally: Tally,
        took: Duration,
        before: Option<Moment>,
        after: Option<Moment>,
    ) -> Self {
        let seconds = took.as_secs_f64().max(f64::EPSILON);
        let turns = tally.turns();
        // Failed turns cost the server something too, and nobody knows what: with any, the cost is overstated.
        let server = match (before, after) {
            (Some(before), Some(after)) if turns > 0 && after.cpu >= before.cpu => Some(Cost {
                cpu_ms_per_turn: (after.cpu - before.cpu) * 1e3 / turns as f64,
                idle_mib: before.resident / f64::from(1 << 20),
                loaded_mib: after.resident / f64::from(1 << 20),
            }),
            _ => None,
        };
        let busy = tally.totals.iter().sum::<Duration>().as_secs_f64();
        Self {
            url: arguments.url.clone(),
            assistant: arguments.assistant.clone(),
            clients: arguments.clients,
            seconds,
            turns,
            turns_per_second: turns as f64 / seconds,
            turns_at_once: busy / seconds,
            turn_ms: Percentiles::of(tally.totals),
            first_event_ms: (!tally.firsts.is_empty()).then(|| Percentiles::of(tally.firsts)),
            errors: tally.errors,
            models: tally.models,
            input_tokens: tally.input_tokens,
            output_tokens: tally.output_tokens,
            server,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed: u64 = self.errors.values().sum();
        let of = if failed == 0 {
            String::new()
        } else {
            format!(" of {}", self.turns + failed)
        };
        write!(f, "\n{}{of} turns in {:.1} s", self.turns, self.seconds)?;
        if self.turns == 0 {
            writeln!(f)?;
        } else {
            self.measured(f)?;
        }
        if self.errors.is_empty() {
            return writeln!(f, "no turn failed");
        }
        if self.turns > 0 {
            writeln!(
                f,
                "failed, which are in the server's figures and in none of the others:"
            )?;
        } else {
            writeln!(f, "failed:")?;
        }
        for (kind, count) in &self.errors {
            writeln!(f, "{count:>8}  {kind}")?;
            if kind == RATE_LIMITED {
                writeln!(
                    f,
                    "          all clients are one user: measure a server with RATE_LIMIT_PER_MINUTE=0, or take a \
                     --rate below its limit"
                )?;
            }
        }
        Ok(())
    }
}

impl Report {
    /// What is known when at least one turn ended well.
    fn measured(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            ": {:.1}/s, {:.1} at once on average\n",
            self.turns_per_second, self.turns_at_once
        )?;
        writeln!(
            f,
            "{:12} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "ms", "mean", "p50", "p90", "p95", "p99", "max"
        )?;
        if let Some(first) = &self.first_event_ms {
            writeln!(f, "{:12} {first}", "first event")?;
        }
        writeln!(f, "{:12} {}", "whole turn", self.turn_ms)?;
        writeln!(
            f,
            "\ntokens: {} in, {} out",
            self.input_tokens, self.output_tokens
        )?;
        if !self.models.is_empty() {
            let names: Vec<&str> = self.models.iter().map(String::as_str).collect();
            writeln!(f, "answered by: {}", names.join(", "))?;
        }
        if self.models.contains(OFFLINE) {
            writeln!(
                f,
                "             the offline model answers at once; with a language model turns last longer"
            )?;
        }
        if let Some(Cost {
            cpu_ms_per_turn,
            idle_mib,
            loaded_mib,
        }) = self.server
        {
            writeln!(
                f,
                "server: {cpu_ms_per_turn:.2} ms of computing time a turn, {idle_mib:.0} MiB before, {loaded_mib:.0} MiB after"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times = (1..=200).rev().map(Duration::from_millis).collect();
        let percentiles = Percentiles::of(times);
        let expected = Percentiles {
            mean: 100.5,
            p50: 100.0,
            p90: 180.0,
            p95: 190.0,
            p99: 198.0,
            max: 200.0,
        };
        assert_eq!(percentiles, expected);
        assert_eq!(Percentiles::of(vec![Duration::from_millis(7)]).p50, 7.0);
        let none = Percentiles::of(Vec::new());
        assert_eq!(none, Percentiles::default());
        assert!(none.mean.is_sign_positive(), "nobody should read -0.0");
    }

    fn report(turns: u64, errors: &[(&str, u64)]) -> String {
        let report = Report {
            url: "http://127.0.0.1:3000".to_owned(),
            assistant: "chat".to_owned(),
            clients: 16,
            seconds: 2.0,
            turns,
            turns_per_second: turns as f64 / 2.0,
            turns_at_once: 11.0,
            turn_ms: Percentiles::of(vec![Duration::from_millis(7)]),
            first_event_ms: None,
            errors: errors
                .iter()
                .map(|(kind, count)| ((*kind).to_owned(), *count))
                .collect(),
            models: [OFFLINE.to_owned()].into(),
            input_tokens: 1,
            output_tokens: 2,
            server: None,
        };
        report.to_string()
    }

    #[test]
    fn a_report_tells_of_how_many_turns_it_is_and_who_answered() {
        let told = report(600, &[]);
        assert!(told.contains("600 turns in 2.0 s: 300.0/s"), "{told}");
        assert!(
            told.contains("answered by: offline") && told.contains("no turn failed"),
            "{told}"
        );
        let told = report(600, &[(RATE_LIMITED, 400)]);
        assert!(told.contains("600 of 1000 turns in 2.0 s"), "{told}");
        assert!(told.contains("RATE_LIMIT_PER_MINUTE=0"), "{told}");
    }

    #[test]
    fn a_report_without_turns_has_no_figures() {
        let told = report(0, &[("no connection", 5)]);
        assert_eq!(
            told,
            "\n0 of 5 turns in 2.0 s\nfailed:\n       5  no connection\n"
        );
    }
}
