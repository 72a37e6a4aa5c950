//! What the kernel tells of a process (proc(5)).

use anyhow::{Context as _, Result};
use std::time::Duration;

/// The unit of times in `/proc/<pid>/stat`: a hundredth of a second on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// Time on a core since the process began, in user and in kernel mode.
pub fn computing(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name is in parentheses and may hold anything; `utime` and `stime` are the 12th and 13th fields after it.
    let (_, fields) = stat.rsplit_once(')').context("the name of the process")?;
    let ticks = fields
        .split_ascii_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<u32>)
        .sum::<Result<u32, _>>()?;
    Ok(TICK * ticks)
}

/// Time on a core since this process began, in user and in kernel mode.
pub fn own_computing() -> Result<Duration> {
    computing(std::process::id())
}

/// Resident memory in MiB.
pub fn resident(pid: u32) -> Result<f64> {
    mebibytes(pid, "status", "VmRSS:")
}

/// Memory in MiB that would be free without the process. What it maps several times, as each instance maps the file of
/// its component, counts once.
pub fn proportional(pid: u32) -> Result<f64> {
    mebibytes(pid, "smaps_rollup", "Pss:")
}

fn mebibytes(pid: u32, file: &str, key: &str) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{file}"))?;
    let kib = text
        .lines()
        .find_map(|line| {
            line.strip_prefix(key)?
                .trim()
                .strip_suffix(" kB")?
                .parse::<f64>()
                .ok()
        })
        .with_context(|| format!("{key} of the process"))?;
    Ok(kib / 1024.0)
}
