//! The benchmark: what a request, a turn and a start cost, measured through the real binary in its release
//! build, with Redis and the load generator on the same machine. Prints a table (Markdown) and writes the
//! same as JSON to `target/bench.json`.
//!
//! Absolute figures depend on the machine and on its other work; the rows that compare two things measured in
//! the same run do not, or less so. `ANYTURN_BENCH_SECONDS` sets the time per row (5).

mod baseline;
mod load;
mod report;
mod rows;

use anyhow::{Result, ensure};
use report::Report;
use std::time::Duration;

/// What can be measured by itself.
const PARTS: [&str; 7] = ["trivial", "turns", "app", "steps", "streams", "sockets", "start"];

fn main() -> Result<()> {
    if baseline::is_wanted() {
        return baseline::serve();
    }
    let parts: Vec<String> = std::env::args().skip(1).collect();
    for part in &parts {
        ensure!(
            PARTS.contains(&part.as_str()),
            "there is no part {part:?}: name one or more of {}",
            PARTS.join(", ")
        );
    }
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let seconds = std::env::var("ANYTURN_BENCH_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(5.0);
    let time = Duration::from_secs_f64(seconds);
    // One thread: what the load generator takes is taken from what it measures.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut report = Report::new();
    runtime.block_on(async {
        if wanted("trivial") {
            rows::trivial::measure(&mut report, time).await?;
        }
        if wanted("turns") {
            rows::turns::measure(&mut report, time).await?;
            rows::turns::long_conversation(&mut report).await?;
        }
        if wanted("app") {
            rows::app::measure(&mut report, time).await?;
        }
        if wanted("steps") {
            rows::steps::measure(&mut report, time).await?;
        }
        if wanted("streams") {
            rows::streams::measure(&mut report, time).await?;
        }
        if wanted("sockets") {
            rows::sockets::measure(&mut report).await?;
        }
        if wanted("start") {
            rows::start::measure(&mut report).await?;
            rows::start::sizes(&mut report)?;
        }
        anyhow::Ok(())
    })?;
    println!("\n{}", report.table());
    match report.missed() {
        missed if missed.is_empty() => println!("All aims are reached.\n"),
        missed => println!("Missed: {}.\n", missed.join("; ")),
    }
    let file = anyturn_tests::repository().join("target/bench.json");
    std::fs::write(&file, serde_json::to_vec_pretty(&report)?)?;
    println!("The same as JSON: {}", file.display());
    Ok(())
}
