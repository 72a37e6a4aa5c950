//! What a start takes, and what lies there.

use super::process;
use crate::load::Measured;
use crate::report::{Aim, Report};
use anyhow::{Context as _, Result};
use anyturn_tests::host::Host;
use std::time::Instant;

/// From nothing to the first answer, and what the host takes while it waits.
pub async fn measure(report: &mut Report) -> Result<()> {
    drop(Host::start().await); // Fills the cache of compiled components.
    let mut starts = Vec::new();
    for _ in 0..7 {
        let begun = Instant::now();
        let host = Host::start().await;
        host.get("/v1/assistants").send().await?.error_for_status()?;
        starts.push(begun.elapsed());
    }
    let starts = Measured::from_latencies(starts);
    report.add(
        "start from a warm cache to the first answer, median of 7",
        starts.quantile(0.5),
        "ms",
        Some(Aim::AtMost(60.0)),
    );
    let host = Host::start().await;
    host.get("/v1/assistants").send().await?.error_for_status()?;
    report.add(
        "resident memory, idle",
        process::resident(host.pid())?,
        "MiB",
        Some(Aim::AtMost(60.0)),
    );
    Ok(())
}

/// How large the components are.
pub fn sizes(report: &mut Report) -> Result<()> {
    let folder = anyturn_tests::repository().join("target/wasm32-wasip2/component");
    for (name, aim) in [
        ("chat", Some(Aim::AtMost(1536.0))),
        ("model", None),
        ("tasks", None),
        ("state_redis", None),
        ("web", None),
    ] {
        let file = folder.join(format!("anyturn_{name}.wasm"));
        let size = std::fs::metadata(&file)
            .with_context(|| format!("reading {}", file.display()))?
            .len();
        report.add(
            format!("size of component {name}"),
            size as f64 / 1024.0,
            "KiB",
            aim,
        );
    }
    Ok(())
}
