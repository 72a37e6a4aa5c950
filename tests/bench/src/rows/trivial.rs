//! A route that does nothing: what the host itself costs, with a fresh instance for each request and with instances
//! that are used again.

use super::WARM_UP;
use super::requests::get;
use crate::baseline;
use crate::load;
use crate::report::{Aim, Report};
use anyhow::Result;
use anyturn_tests::host::{Host, HostBuilder};
use std::time::Duration;

/// Requests that an instance serves where instances are reused.
const REUSE: &str = "1000";

/// Compares with a server that has no components, in the same run.
pub async fn measure(report: &mut Report, time: Duration) -> Result<()> {
    let (process, port) = baseline::start().await?;
    let bare = load::run(port, 64, WARM_UP, time, |_| || get("/")).await?;
    let bare_one = load::run(port, 1, WARM_UP, time / 2, |_| || get("/")).await?;
    drop(process);

    let host = hello().start().await;
    let many = load::run(host.port(), 64, WARM_UP, time, |_| || get("/")).await?;
    let computing = computing_time(&host, time).await?;
    let one = load::run(host.port(), 1, WARM_UP, time / 2, |_| || get("/")).await?;
    drop(host);

    let host = hello().arg("--reuse").arg(REUSE).start().await;
    let reused = load::run(host.port(), 64, WARM_UP, time, |_| || get("/")).await?;
    drop(host);

    report.add(
        "bare hyper, no component, 64 connections",
        bare.rate(),
        "/s",
        None,
    );
    report.add(
        "trivial route, fresh instance per request, 64 connections",
        many.rate(),
        "/s",
        Some(Aim::AtLeast(40_000.0)),
    );
    report.add("… p99", many.quantile(0.99), "ms", Some(Aim::AtMost(4.0)));
    report.add("… computing time of the host per request", computing, "µs", None);
    report.add(
        "… share of bare hyper's rate",
        many.rate() / bare.rate(),
        "",
        None,
    );
    report.add(
        "trivial route, instances reused, 64 connections",
        reused.rate(),
        "/s",
        Some(Aim::AtLeast(50_000.0)),
    );
    report.add(
        "bare hyper, one connection, p50",
        bare_one.quantile(0.5) * 1e3,
        "µs",
        None,
    );
    report.add(
        "trivial route, one connection, p50",
        one.quantile(0.5) * 1e3,
        "µs",
        Some(Aim::AtMost(110.0)),
    );
    Ok(())
}

fn hello() -> HostBuilder {
    HostBuilder::new().manifest(anyturn_tests::repository().join("tests/hello/spin.toml"))
}

/// What a request takes of the host's computing time, in microseconds: the one figure that other work on the machine
/// changes little.
async fn computing_time(host: &Host, time: Duration) -> Result<f64> {
    let before = super::process::computing(host.pid())?;
    let run = load::run(host.port(), 64, Duration::ZERO, time / 2, |_| || get("/")).await?;
    let taken = super::process::computing(host.pid())?.saturating_sub(before);
    Ok(taken.as_secs_f64() * 1e6 / run.count() as f64)
}
