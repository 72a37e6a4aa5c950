//! From what a turn costs and how many there are to instances and money. docs/operating.md has the same formulas.

use super::prices::{Billing, Platform, Rates, Size};
use serde::Serialize;

/// Hours of a month, on average.
const HOURS: f64 = 730.0;
/// Seconds of a month.
const SECONDS: f64 = HOURS * 3600.0;
/// The part of an instance's memory that is planned with.
const MEMORY: f64 = 0.8;

/// What a turn costs, wherever it runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Turn {
    /// Milliseconds of computing time.
    pub(super) cpu_ms: f64,
    /// Seconds from its beginning to its end, the model's included.
    pub(super) seconds: f64,
    /// MiB of memory while it is under way.
    pub(super) mib: f64,
    /// MiB that an instance needs without any.
    pub(super) idle_mib: f64,
}

/// How many turns there are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Demand {
    /// Turns of a month.
    pub(super) per_month: f64,
    /// How many times as many there are in the busiest moment as on average.
    pub(super) peak: f64,
}

/// How instances are planned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Policy {
    /// The part of an instance's computing time that is planned with.
    pub(super) utilization: f64,
    /// Instances that run at least.
    pub(super) least: f64,
    /// Turns that an instance works on at once at most (`--max-requests`).
    pub(super) places: f64,
}

/// What a platform would need, and ask for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Plan {
    pub(super) platform: String,
    /// Turns a second that an instance can take; none where there are no instances to be counted.
    pub(super) turns_per_second: Option<f64>,
    /// What an instance runs out of first.
    pub(super) limit: Option<&'static str>,
    /// Instances on average, and in the busiest moment.
    pub(super) instances: Option<(f64, f64)>,
    /// US dollars a month; none where nobody says.
    pub(super) month: Option<f64>,
    pub(super) note: String,
    pub(super) source: String,
    pub(super) date: String,
}

/// What one platform needs and asks for.
pub(super) fn plan(platform: &Platform, turn: Turn, demand: Demand, policy: Policy) -> Plan {
    let average = demand.per_month / SECONDS;
    let capacity = platform.size().map(|size| capacity(size, turn, policy));
    let instances = capacity.map(|(rate, _)| {
        let needed = |turns: f64| (turns / rate).ceil().max(policy.least);
        (needed(average), needed(average * demand.peak))
    });
    let month = instances.and_then(|(mean, most)| cost(&platform.billing, turn, demand, mean, most));
    Plan {
        platform: platform.name.clone(),
        turns_per_second: capacity.map(|(rate, _)| rate),
        limit: capacity.map(|(_, limit)| limit),
        instances,
        month,
        note: platform.note.clone(),
        source: platform.source.clone(),
        date: platform.date.clone(),
    }
}

/// Turns a second that an instance can take, and what it runs out of first.
fn capacity(size: Size, turn: Turn, policy: Policy) -> (f64, &'static str) {
    let cpu = size.vcpu * policy.utilization / (turn.cpu_ms / 1e3);
    let room = (size.gib * 1024.0 * MEMORY - turn.idle_mib).max(0.0);
    let memory = room / turn.mib / turn.seconds;
    let places = policy.places / turn.seconds;
    [(memory, "memory"), (places, "places")]
        .into_iter()
        .fold(
            (cpu, "cpu"),
            |least, next| if next.0 < least.0 { next } else { least },
        )
}

/// US dollars a month for so many instances, on average and at most.
fn cost(billing: &Billing, turn: Turn, demand: Demand, mean: f64, most: f64) -> Option<f64> {
    if !mean.is_finite() || !most.is_finite() {
        return None;
    }
    let rated = |rates: &Rates, vcpu_hours: f64, gib_hours: f64| {
        let requests = demand.per_month / 1e6 * rates.million_requests;
        let used = vcpu_hours * rates.vcpu_hour + gib_hours * rates.gib_hour + requests;
        used.max(rates.minimum_month) + rates.month
    };
    Some(match billing {
        Billing::Allocated { size, rates } => {
            let hours = mean * HOURS;
            rated(rates, hours * size.vcpu, hours * size.gib)
        }
        Billing::Used { rates, .. } => {
            let vcpu_hours = demand.per_month * turn.cpu_ms / 1e3 / 3600.0;
            let at_once = demand.per_month / SECONDS * turn.seconds;
            let mib = mean * turn.idle_mib + at_once * turn.mib;
            rated(rates, vcpu_hours, mib / 1024.0 * HOURS)
        }
        Billing::Instance {
            instance_month,
            scales,
            month,
            ..
        } => instance_month * if *scales { mean } else { most } + month,
        Billing::Ask => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Turn = Turn {
        cpu_ms: 2.0,
        seconds: 4.0,
        mib: 1.0,
        idle_mib: 80.0,
    };
    const POLICY: Policy = Policy {
        utilization: 0.6,
        least: 1.0,
        places: 2000.0,
    };

    fn platform(billing: Billing) -> Platform {
        Platform {
            name: "here".to_owned(),
            note: String::new(),
            source: "https://example.com".to_owned(),
            date: "2026-01-01".to_owned(),
            billing,
        }
    }

    fn rates(vcpu_hour: f64, gib_hour: f64) -> Rates {
        Rates {
            vcpu_hour,
            gib_hour,
            million_requests: 0.5,
            month: 10.0,
            minimum_month: 0.0,
        }
    }

    fn assert_near(value: f64, expected: f64) {
        assert!(
            (value - expected).abs() < expected.abs() * 1e-9,
            "{value} is {expected}"
        );
    }

    #[test]
    fn an_instance_takes_as_many_turns_as_what_it_runs_out_of_first_allows() {
        let of = |vcpu, gib, turn| capacity(Size { vcpu, gib }, turn, POLICY);
        let (rate, limit) = of(1.0, 16.0, TURN);
        assert_near(rate, 300.0);
        assert_eq!(limit, "cpu", "0.6 s of computing a second, 2 ms a turn");
        let (rate, limit) = of(1.0, 0.5, TURN);
        assert_near(rate, (512.0 * 0.8 - 80.0) / 4.0);
        assert_eq!(limit, "memory", "by Little's law 4 MiB for each turn a second");
        let long = Turn {
            seconds: 40.0,
            mib: 0.01,
            ..TURN
        };
        let (rate, limit) = of(1.0, 16.0, long);
        assert_near(rate, 50.0);
        assert_eq!(limit, "places", "2000 at once, 40 s each");
    }

    #[test]
    fn what_instances_have_is_paid_for_while_they_run() {
        let size = Size { vcpu: 1.0, gib: 16.0 };
        let billing = Billing::Allocated {
            size,
            rates: rates(0.1, 0.01),
        };
        // 450 turns a second on average, 1,800 at the peak; 300 an instance.
        let demand = Demand {
            per_month: 450.0 * SECONDS,
            peak: 4.0,
        };
        let plan = plan(&platform(billing), TURN, demand, POLICY);
        assert_eq!(plan.instances, Some((2.0, 6.0)));
        let expected = 2.0 * 730.0 * (0.1 + 16.0 * 0.01) + demand.per_month / 1e6 * 0.5 + 10.0;
        assert_near(plan.month.unwrap(), expected);
    }

    #[test]
    fn what_is_used_is_paid_for_where_use_is_counted() {
        let size = Size { vcpu: 1.0, gib: 16.0 };
        let billing = Billing::Used {
            size,
            rates: Rates {
                million_requests: 0.0,
                month: 0.0,
                ..rates(0.1, 0.01)
            },
        };
        let demand = Demand {
            per_month: SECONDS,
            peak: 1.0,
        };
        let plan = plan(&platform(billing), TURN, demand, POLICY);
        // One turn a second: 2 ms of a vCPU a second, and 80 MiB + 4 turns of 1 MiB.
        assert_near(plan.month.unwrap(), 730.0 * (0.002 * 0.1 + 84.0 / 1024.0 * 0.01));
    }

    #[test]
    fn instances_that_cannot_be_scaled_are_paid_for_at_their_most() {
        let size = Size { vcpu: 1.0, gib: 16.0 };
        let demand = Demand {
            per_month: 450.0 * SECONDS,
            peak: 4.0,
        };
        let month = |scales| {
            let billing = Billing::Instance {
                size,
                instance_month: 25.0,
                scales,
                month: 5.0,
            };
            plan(&platform(billing), TURN, demand, POLICY).month.unwrap()
        };
        assert_near(month(true), 2.0 * 25.0 + 5.0);
        assert_near(month(false), 6.0 * 25.0 + 5.0);
    }

    #[test]
    fn nothing_is_made_up_where_nobody_says_or_nothing_fits() {
        let demand = Demand {
            per_month: SECONDS,
            peak: 1.0,
        };
        assert_eq!(plan(&platform(Billing::Ask), TURN, demand, POLICY).month, None);
        let size = Size { vcpu: 1.0, gib: 0.05 };
        let small = Billing::Allocated {
            size,
            rates: rates(0.1, 0.01),
        };
        assert_eq!(
            plan(&platform(small), TURN, demand, POLICY).month,
            None,
            "the instance is too small to hold the program"
        );
    }
}
