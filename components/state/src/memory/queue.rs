//! One queue of jobs.

use std::collections::BTreeMap;

use crate::port::*;

/// The jobs of one queue by their ids, whatever became of them.
#[derive(Default)]
pub(super) struct Jobs {
    jobs: BTreeMap<String, Entry>,
    /// The last receipt given out.
    receipt: u64,
    /// Grows with every change, so that what happened in the same millisecond still has an order.
    sequence: u64,
}

struct Entry {
    payload: Vec<u8>,
    max_attempts: u32,
    remember: u64,
    attempts: u32,
    reason: String,
    sequence: u64,
    phase: Phase,
}

enum Phase {
    /// May be claimed from `due` on.
    Waiting { due: u64 },
    /// Claimed, and hidden until `visible`.
    Running { receipt: u64, visible: u64 },
    /// Failed for good.
    Dead { at: u64 },
    /// Done; its id is taken until then.
    Acknowledged { until: u64 },
}

impl Entry {
    /// When it may be, or could have been, claimed.
    fn due(&self) -> Option<u64> {
        match self.phase {
            Phase::Waiting { due } | Phase::Running { visible: due, .. } => Some(due),
            Phase::Dead { .. } | Phase::Acknowledged { .. } => None,
        }
    }

    fn exhausted(&self) -> bool {
        self.attempts >= self.max_attempts
    }
}

impl Jobs {
    /// Frees the ids that were remembered for long enough.
    pub(super) fn forget(&mut self, now: u64) {
        self.jobs
            .retain(|_, job| !matches!(job.phase, Phase::Acknowledged { until } if until <= now));
    }

    pub(super) fn enqueue(&mut self, job: NewJob, now: u64) -> bool {
        let NewJob {
            id,
            payload,
            delay,
            max_attempts,
            remember,
        } = job;
        if self.jobs.contains_key(&id) {
            return false;
        }
        let sequence = self.next();
        let phase = Phase::Waiting {
            due: now.saturating_add(delay),
        };
        let reason = String::new();
        let entry = Entry {
            payload,
            max_attempts,
            remember,
            attempts: 0,
            reason,
            sequence,
            phase,
        };
        self.jobs.insert(id, entry);
        true
    }

    pub(super) fn claim(&mut self, limit: u32, visibility: u64, now: u64) -> Vec<Job> {
        let mut due: Vec<(u64, u64, String)> = Vec::new();
        for (id, job) in &mut self.jobs {
            let Some(at) = job.due().filter(|at| *at <= now) else {
                continue;
            };
            if job.exhausted() {
                self.sequence += 1;
                job.sequence = self.sequence;
                job.phase = Phase::Dead { at: now };
            } else {
                due.push((at, job.sequence, id.clone()));
            }
        }
        due.sort();
        let mut claimed = Vec::new();
        for (_, _, id) in due.into_iter().take(limit as usize) {
            let Some(job) = self.jobs.get_mut(&id) else {
                continue;
            };
            self.receipt += 1;
            job.attempts += 1;
            job.phase = Phase::Running {
                receipt: self.receipt,
                visible: now.saturating_add(visibility),
            };
            claimed.push(Job {
                id,
                payload: job.payload.clone(),
                attempt: job.attempts,
                receipt: self.receipt,
            });
        }
        claimed
    }

    pub(super) fn extend(&mut self, id: &str, receipt: u64, visibility: u64, now: u64) -> bool {
        let Some(job) = self.claimed(id, receipt) else {
            return false;
        };
        job.phase = Phase::Running {
            receipt,
            visible: now.saturating_add(visibility),
        };
        true
    }

    pub(super) fn acknowledge(&mut self, id: &str, receipt: u64, now: u64) -> bool {
        let Some(job) = self.claimed(id, receipt) else {
            return false;
        };
        job.phase = Phase::Acknowledged {
            until: now.saturating_add(job.remember),
        };
        job.payload.clear();
        self.forget(now);
        true
    }

    pub(super) fn retry(&mut self, id: &str, receipt: u64, delay: u64, reason: &str, now: u64) -> bool {
        let sequence = self.next();
        let Some(job) = self.claimed(id, receipt) else {
            return false;
        };
        job.reason = reason.to_owned();
        job.sequence = sequence;
        job.phase = if job.exhausted() {
            Phase::Dead { at: now }
        } else {
            Phase::Waiting {
                due: now.saturating_add(delay),
            }
        };
        true
    }

    pub(super) fn dead_letters(&self, offset: u32, limit: u32) -> Vec<DeadJob> {
        let mut dead: Vec<(u64, u64, DeadJob)> = Vec::new();
        for (id, job) in &self.jobs {
            if let Phase::Dead { at } = job.phase {
                let reason = job.reason.clone();
                let payload = job.payload.clone();
                let letter = DeadJob {
                    id: id.clone(),
                    payload,
                    attempts: job.attempts,
                    reason,
                    at,
                };
                dead.push((at, job.sequence, letter));
            }
        }
        dead.sort_by_key(|(at, sequence, _)| std::cmp::Reverse((*at, *sequence)));
        let dead = dead.into_iter().map(|(_, _, letter)| letter);
        dead.skip(offset as usize).take(limit as usize).collect()
    }

    pub(super) fn replay(&mut self, id: &str, now: u64) -> bool {
        let sequence = self.next();
        let Some(job) = self.jobs.get_mut(id) else {
            return false;
        };
        if !matches!(job.phase, Phase::Dead { .. }) {
            return false;
        }
        job.phase = Phase::Waiting { due: now };
        job.attempts = 0;
        job.reason.clear();
        job.sequence = sequence;
        true
    }

    pub(super) fn depth(&self, now: u64) -> Depth {
        let mut depth = Depth::default();
        for job in self.jobs.values() {
            match job.phase {
                // A claim that ran out is due again, if only for the dead letters.
                Phase::Waiting { due } | Phase::Running { visible: due, .. } if due <= now => depth.due += 1,
                Phase::Waiting { .. } => depth.delayed += 1,
                Phase::Running { .. } => depth.running += 1,
                Phase::Dead { .. } => depth.dead += 1,
                Phase::Acknowledged { .. } => {}
            }
        }
        depth
    }

    /// The job, if this receipt is the present one.
    fn claimed(&mut self, id: &str, receipt: u64) -> Option<&mut Entry> {
        let job = self.jobs.get_mut(id)?;
        matches!(job.phase, Phase::Running { receipt: present, .. } if present == receipt).then_some(job)
    }

    fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}
