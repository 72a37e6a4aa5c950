//! What a server tells of itself at `/metrics`: computing time and memory.

use std::time::Duration;

/// How long it may take to ask.
const PATIENCE: Duration = Duration::from_secs(5);

/// A moment of the server's process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    /// Seconds of computing time since its start.
    pub(super) cpu: f64,
    /// Bytes of memory that it holds.
    pub(super) resident: f64,
}

/// Asks; `None` where nobody answers, or where the server does not tell.
pub(super) async fn read(http: &reqwest::Client, base: &str) -> Option<Moment> {
    let url = format!("{}/metrics", base.trim_end_matches('/'));
    let response = http.get(url).timeout(PATIENCE).send().await.ok()?;
    parse(&response.error_for_status().ok()?.text().await.ok()?)
}

fn parse(metrics: &str) -> Option<Moment> {
    let value = |name: &str| {
        metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
    };
    Some(Moment {
        cpu: value("process_cpu_seconds_total")?,
        resident: value("process_resident_memory_bytes")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_has_used_is_read_from_its_metrics() {
        let metrics = "# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total 12.5\n\
                       process_resident_memory_bytes 1048576\n";
        let moment = Moment {
            cpu: 12.5,
            resident: 1_048_576.0,
        };
        assert_eq!(parse(metrics), Some(moment));
        assert_eq!(parse("anyturn_ready 1\n"), None);
    }
}
