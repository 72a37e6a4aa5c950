//! `anyturn capacity`: from what a turn costs to instances and money on each platform.
//!
//! What a turn costs comes from a report of `anyturn load`, or from flags, which win. See [`plan`] for the
//! formulas and [`prices`] for the prices.

mod plan;
mod prices;

use super::load::{OFFLINE, Report};
use anyhow::{Context as _, Result, bail};
use plan::{Demand, Plan, Policy, Turn};
use std::path::PathBuf;

/// What `capacity` can be told.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A report of `anyturn load --report`.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Milliseconds of computing time of a turn.
    #[arg(long, value_name = "MS")]
    cpu_ms: Option<f64>,

    /// Seconds from a turn's beginning to its end, the model's included.
    #[arg(long, value_name = "SECONDS")]
    turn_seconds: Option<f64>,

    /// MiB of memory of a turn that is under way.
    #[arg(long, value_name = "MIB")]
    turn_mib: Option<f64>,

    /// MiB of memory of an instance without any turns.
    #[arg(long, value_name = "MIB")]
    idle_mib: Option<f64>,

    /// Turns of a month.
    #[arg(long, default_value_t = 1_000_000.0, value_name = "TURNS")]
    turns_per_month: f64,

    /// How many times as many turns there are in the busiest moment as on average.
    #[arg(long, default_value_t = 10.0, value_name = "TIMES")]
    peak: f64,

    /// The part of an instance's computing time that is planned with.
    #[arg(long, default_value_t = 0.6, value_name = "PART")]
    utilization: f64,

    /// Instances that run at least.
    #[arg(long, default_value_t = 1, value_name = "INSTANCES")]
    min_instances: u32,

    /// Turns that an instance works on at once at most, as `anyturn up --max-requests`.
    #[arg(long, default_value_t = 2000, value_name = "TURNS")]
    max_requests: u32,

    /// Prices, in a file like host/prices.toml.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,

    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// MiB of a turn that is under way, where nobody has measured it; docs/deploying.md says what an instance takes.
const TURN_MIB: f64 = 2.0;
/// MiB of an instance without turns, where nobody has measured it.
const IDLE_MIB: f64 = 80.0;

/// Prints it.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let (turn, doubts) = turn(arguments, report(arguments)?.as_ref())?;
    let demand = Demand {
        per_month: arguments.turns_per_month,
        peak: arguments.peak,
    };
    let policy = Policy {
        utilization: arguments.utilization,
        least: f64::from(arguments.min_instances),
        places: f64::from(arguments.max_requests),
    };
    for (name, value) in [
        ("--turns-per-month", demand.per_month),
        ("--peak", demand.peak),
        ("--utilization", policy.utilization),
        ("--cpu-ms", turn.cpu_ms),
        ("--turn-seconds", turn.seconds),
        ("--turn-mib", turn.mib),
    ] {
        if !(value.is_finite() && value > 0.0) {
            bail!("{name} is {value}; it must be more than 0");
        }
    }
    let plans: Vec<Plan> = prices::load(arguments.prices.as_deref())?
        .iter()
        .map(|platform| plan::plan(platform, turn, demand, policy))
        .collect();
    if arguments.json {
        let json = serde_json::json!({ "turn": turn, "demand": demand, "policy": policy, "plans": plans });
        println!("{}", serde_json::to_string_pretty(&json)?);
    } else {
        print(turn, demand, &plans);
    }
    for doubt in doubts {
        eprintln!("warning: {doubt}");
    }
    Ok(())
}

/// The report that the arguments name.
fn report(arguments: &Arguments) -> Result<Option<Report>> {
    let Some(file) = &arguments.report else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let report = serde_json::from_str(&text)
        .with_context(|| format!("{} is no report of `anyturn load --report`", file.display()))?;
    Ok(Some(report))
}

/// What a turn costs: flags before the report, and the report before what is usual. Then what of it nobody has measured,
/// or measured where turns are not what they will be.
fn turn(arguments: &Arguments, report: Option<&Report>) -> Result<(Turn, Vec<String>)> {
    if report.is_some_and(|report| report.turns == 0) {
        bail!("no turn of the report ended well, so that nothing is known of what one costs");
    }
    let cost = report.and_then(|report| report.server);
    let measured_mib = report.and_then(|report| {
        let server = report.server?;
        let mib = (server.loaded_mib - server.idle_mib) / report.turns_at_once;
        (mib.is_finite() && mib > 0.0).then_some(mib)
    });
    let cpu_ms = arguments.cpu_ms.or(cost.map(|cost| cost.cpu_ms_per_turn));
    let seconds = report.map(|report| report.turn_ms.mean / 1e3);
    let mut doubts = Vec::new();
    let offline = report.is_some_and(|report| report.models.contains(OFFLINE));
    if offline && arguments.turn_seconds.is_none() {
        doubts.push(
            "the offline model of the report answers at once; while a language model answers, a turn holds its memory \
             and its place: say by --turn-seconds how long that takes"
                .to_owned(),
        );
    }
    let failed: u64 = report.into_iter().flat_map(|report| report.errors.values()).sum();
    if failed > 0 {
        doubts.push(format!(
            "{failed} turns of the report failed; what they cost counts as the cost of those that did not"
        ));
    }
    let mut assumed = |name: &str, value: f64| {
        doubts.push(format!("nobody has measured {name}; {value} MiB are assumed"));
        value
    };
    let mib = arguments
        .turn_mib
        .or(measured_mib)
        .unwrap_or_else(|| assumed("the memory of a turn (--turn-mib)", TURN_MIB));
    let idle_mib = arguments
        .idle_mib
        .or(cost.map(|cost| cost.idle_mib))
        .unwrap_or_else(|| assumed("the memory of an instance without turns (--idle-mib)", IDLE_MIB));
    let turn = Turn {
        cpu_ms: cpu_ms.context(
            "nobody says what a turn costs: give --report with a report of `anyturn load` against a server whose \
             /metrics can be reached, or --cpu-ms",
        )?,
        seconds: arguments.turn_seconds.or(seconds).context(
            "nobody says how long a turn takes: give --report with a report of `anyturn load`, or --turn-seconds",
        )?,
        mib,
        idle_mib,
    };
    Ok((turn, doubts))
}

fn print(turn: Turn, demand: Demand, plans: &[Plan]) {
    println!(
        "a turn: {:.2} ms of computing, {:.2} s, {:.1} MiB; an instance: {:.0} MiB without any",
        turn.cpu_ms, turn.seconds, turn.mib, turn.idle_mib
    );
    println!(
        "{:.0} turns a month, {} times as many at the peak as on average\n",
        demand.per_month, demand.peak
    );
    println!("{:26} {:>19} {:>17}", "", "an instance", "instances");
    println!(
        "{:26} {:>10} {:>8} {:>10} {:>6} {:>11}",
        "", "turns/s", "limit", "average", "peak", "USD/month"
    );
    for plan in plans {
        let (mean, most) = plan
            .instances
            .map_or(("–".to_owned(), "–".to_owned()), |(mean, most)| {
                (format!("{mean:.0}"), format!("{most:.0}"))
            });
        println!(
            "{:26} {:>10} {:>8} {mean:>10} {most:>6} {:>11}",
            plan.platform,
            plan.turns_per_second
                .map_or("–".to_owned(), |rate| format!("{rate:.1}")),
            plan.limit.unwrap_or("–"),
            plan.month.map_or("ask".to_owned(), |month| format!("{month:.2}")),
        );
    }
    println!("\nPrices, without traffic, logs, the store and the model's provider:");
    for plan in plans {
        println!(
            "  {}: {} ({}; {})",
            plan.platform, plan.source, plan.date, plan.note
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(flags: &[&str]) -> Arguments {
        Program::parse_from(std::iter::once(&"capacity").chain(flags)).arguments
    }

    #[test]
    fn what_a_turn_costs_is_never_made_up() {
        let of = |flags: &[&str]| turn(&parse(flags), None);
        let error = of(&["--turn-seconds", "2"]).unwrap_err();
        assert!(error.to_string().contains("--cpu-ms"), "{error}");
        let error = of(&["--cpu-ms", "2"]).unwrap_err();
        assert!(error.to_string().contains("--turn-seconds"), "{error}");
        let (_, doubts) = of(&["--cpu-ms", "2", "--turn-seconds", "3"]).unwrap();
        let named = |name: &str| doubts.iter().any(|doubt| doubt.contains(name));
        assert!(
            named("--turn-mib") && named("--idle-mib"),
            "what is assumed is said: {doubts:?}"
        );
    }

    /// A report as `anyturn load` writes it.
    fn measured(model: &str, turns: u64, failed: u64) -> Report {
        let ms = serde_json::json!({ "mean": 20, "p50": 20, "p90": 20, "p95": 20, "p99": 20, "max": 20 });
        let errors = match failed {
            0 => serde_json::json!({}),
            _ => serde_json::json!({ "429 rate-limited": failed }),
        };
        serde_json::from_value(serde_json::json!({
            "url": "http://127.0.0.1:3000", "assistant": "chat", "clients": 16, "seconds": 2, "turns": turns,
            "turns_per_second": 300, "turns_at_once": 10, "turn_ms": ms, "first_event_ms": null,
            "errors": errors, "models": [model], "input_tokens": 0, "output_tokens": 0,
            "server": { "cpu_ms_per_turn": 1.5, "idle_mib": 50, "loaded_mib": 60 },
        }))
        .unwrap()
    }

    #[test]
    fn figures_that_say_little_about_a_real_load_are_not_passed_over() {
        let doubts = |report: &Report, flags: &[&str]| turn(&parse(flags), Some(report)).unwrap().1;
        assert_eq!(doubts(&measured("large", 600, 0), &[]), Vec::<String>::new());
        let told = doubts(&measured(OFFLINE, 600, 0), &[]);
        assert!(told.len() == 1 && told[0].contains("--turn-seconds"), "{told:?}");
        assert!(doubts(&measured(OFFLINE, 600, 0), &["--turn-seconds", "4"]).is_empty());
        let told = doubts(&measured("large", 600, 400), &[]);
        assert!(told.len() == 1 && told[0].starts_with("400 turns"), "{told:?}");
    }

    #[test]
    fn a_report_without_a_turn_that_ended_well_is_none() {
        let error = turn(&parse(&[]), Some(&measured("large", 0, 5))).unwrap_err();
        assert!(error.to_string().contains("ended well"), "{error}");
    }
}
