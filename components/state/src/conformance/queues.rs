//! Jobs: taken ids, claims, receipts.

use futures::future::join_all;

use super::Fixture;
use super::trial::*;
use crate::port::*;

/// A visibility time-out to wait for, in milliseconds.
const SHORT: u64 = 300;

pub(super) async fn a_job_is_given_out_once_and_then_hidden<F: Fixture>(trial: &Trial<'_, F>) {
    let payload: Vec<u8> = (0..=255).collect();
    assert_eq!(
        trial.claim(10, LONG).await,
        [],
        "a queue that does not exist has no jobs"
    );
    assert!(
        trial
            .enqueue(NewJob {
                payload: payload.clone(),
                ..job("job")
            })
            .await
    );
    let claimed = trial.claim_one(LONG).await;
    assert_eq!(
        (claimed.id.as_str(), claimed.payload, claimed.attempt),
        ("job", payload, 1)
    );
    assert_eq!(trial.claim(10, LONG).await, []);
}

pub(super) async fn an_id_is_taken_while_its_job_is_waiting_running_or_dead<F: Fixture>(
    trial: &Trial<'_, F>,
) {
    let only_once = || NewJob {
        max_attempts: 1,
        ..job("job")
    };
    assert!(trial.enqueue(only_once()).await);
    assert!(!trial.enqueue(job("job")).await, "waiting");
    let claimed = trial.claim_one(LONG).await;
    assert!(!trial.enqueue(job("job")).await, "running");
    assert!(trial.retry(&claimed, 0, "broken").await);
    assert_eq!(
        trial.depth().await,
        Depth {
            dead: 1,
            ..Depth::default()
        }
    );
    assert!(!trial.enqueue(job("job")).await, "dead");
    assert!(trial.enqueue(job("another")).await);
}

pub(super) async fn an_id_stays_taken_for_as_long_as_it_is_remembered<F: Fixture>(trial: &Trial<'_, F>) {
    let remembered = NewJob {
        remember: 500,
        ..job("job")
    };
    assert!(trial.enqueue(remembered.clone()).await);
    let claimed = trial.claim_one(LONG).await;
    let before = trial.now();
    assert!(trial.acknowledge(&claimed).await);
    let after = trial.now();
    assert_eq!(
        trial.depth().await,
        Depth::default(),
        "it is remembered, but it is no job any more"
    );
    let free = trial.enqueue(remembered.clone()).await;
    assert!(!free || trial.now() - before >= 500);
    trial.sleep_until(before + 400).await;
    let free = free || trial.enqueue(remembered.clone()).await;
    assert!(!free || trial.now() - before >= 500);
    trial.sleep_until(after + 500 + 1000).await;
    assert!(free || trial.enqueue(remembered).await);
}

pub(super) async fn an_id_that_is_not_remembered_is_free_at_once<F: Fixture>(trial: &Trial<'_, F>) {
    for _ in 0..3 {
        assert!(trial.enqueue(job("job")).await);
        let claimed = trial.claim_one(LONG).await;
        assert_eq!(claimed.attempt, 1);
        assert!(trial.acknowledge(&claimed).await);
    }
}

pub(super) async fn a_refused_job_changes_nothing<F: Fixture>(trial: &Trial<'_, F>) {
    assert!(
        trial
            .enqueue(NewJob {
                payload: b"first".into(),
                max_attempts: 2,
                ..job("job")
            })
            .await
    );
    let other = NewJob {
        id: "job".into(),
        payload: b"second".into(),
        delay: LONG,
        max_attempts: 9,
        remember: LONG,
    };
    assert!(!trial.enqueue(other.clone()).await);
    let first = trial.claim_one(LONG).await;
    assert_eq!(first.payload, b"first");
    assert!(!trial.enqueue(other).await);
    assert!(trial.retry(&first, 0, "again").await);
    let second = trial.claim_one(LONG).await;
    assert_eq!((second.payload.as_slice(), second.attempt), (&b"first"[..], 2));
    assert!(trial.retry(&second, 0, "for good").await);
    assert_eq!(trial.depth().await.dead, 1, "it had two attempts, not nine");
}

pub(super) async fn a_delayed_job_is_not_given_out_early<F: Fixture>(trial: &Trial<'_, F>) {
    let before = trial.now();
    assert!(
        trial
            .enqueue(NewJob {
                delay: SHORT,
                ..job("job")
            })
            .await
    );
    assert_eq!(trial.claim_when_due(before, trial.now(), SHORT).await.id, "job");
}

pub(super) async fn jobs_come_earliest_first<F: Fixture>(trial: &Trial<'_, F>) {
    // Far enough apart that the time between the calls cannot change their order.
    for (id, delay) in [("fourth", 60_300), ("first", 0), ("third", 30_200), ("second", 2)] {
        assert!(trial.enqueue(NewJob { delay, ..job(id) }).await);
    }
    trial.sleep(20).await;
    let ids: Vec<String> = trial
        .claim(10, LONG)
        .await
        .into_iter()
        .map(|job| job.id)
        .collect();
    assert_eq!(ids, ["first", "second"]);
    assert_eq!(
        trial.depth().await,
        Depth {
            delayed: 2,
            running: 2,
            ..Depth::default()
        }
    );
}

pub(super) async fn a_claim_gives_out_at_most_its_limit<F: Fixture>(trial: &Trial<'_, F>) {
    for number in 0..5 {
        assert!(trial.enqueue(job(&format!("job-{number}"))).await);
    }
    assert_eq!(trial.claim(0, LONG).await, []);
    let mut all = trial.claim(2, LONG).await;
    assert_eq!(all.len(), 2);
    all.extend(trial.claim(10, LONG).await);
    let mut ids: Vec<&str> = all.iter().map(|job| job.id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["job-0", "job-1", "job-2", "job-3", "job-4"]);
}

pub(super) async fn a_claim_that_runs_out_is_given_out_again<F: Fixture>(trial: &Trial<'_, F>) {
    assert!(trial.enqueue(job("job")).await);
    let before = trial.now();
    let first = trial.claim_one(SHORT).await;
    let second = trial.claim_when_due(before, trial.now(), SHORT).await;
    assert_eq!(
        (second.id.as_str(), second.payload.as_slice(), second.attempt),
        ("job", VALUE, 2)
    );
    assert_ne!(second.receipt, first.receipt);
}

pub(super) async fn a_receipt_of_an_earlier_claim_is_worth_nothing<F: Fixture>(trial: &Trial<'_, F>) {
    assert!(trial.enqueue(job("job")).await);
    let stale = trial.claim_one(LONG).await;
    assert!(trial.retry(&stale, 0, "again").await);
    assert!(
        !trial.acknowledge(&stale).await,
        "nobody has it, so no receipt is the present one"
    );
    assert!(!trial.extend(&stale, LONG).await);
    assert!(!trial.retry(&stale, LONG, "").await);
    let present = trial.claim_one(LONG).await;
    assert!(!trial.acknowledge(&stale).await);
    assert!(!trial.extend(&stale, 1).await);
    assert!(!trial.retry(&stale, 0, "").await);
    let unknown = Job {
        receipt: present.receipt + 1000,
        ..present.clone()
    };
    assert!(!trial.acknowledge(&unknown).await);
    let nobody = Job {
        id: "nobody".into(),
        ..present.clone()
    };
    assert!(!trial.acknowledge(&nobody).await);
    assert!(!trial.extend(&nobody, 1).await);
    assert!(!trial.retry(&nobody, 0, "").await);
    assert_eq!(
        trial.depth().await,
        Depth {
            running: 1,
            ..Depth::default()
        }
    );
    assert!(trial.acknowledge(&present).await);
}

pub(super) async fn extend_prolongs_a_claim<F: Fixture>(trial: &Trial<'_, F>) {
    assert!(trial.enqueue(job("job")).await);
    let claimed = trial.claim_one(SHORT).await;
    // The receipt is the present one until somebody else claims the job, so this is true on a slow machine, too.
    assert!(trial.extend(&claimed, LONG).await);
    trial.sleep(SHORT + 1000).await;
    assert_eq!(trial.claim(10, LONG).await, []);
    assert!(
        trial.extend(&claimed, SHORT).await,
        "its receipt is still the present one"
    );
    trial.sleep(SHORT + 1000).await;
    assert_eq!(trial.claim_one(LONG).await.attempt, 2);
}

pub(super) async fn an_acknowledged_job_is_gone<F: Fixture>(trial: &Trial<'_, F>) {
    assert!(
        trial
            .enqueue(NewJob {
                remember: LONG,
                ..job("job")
            })
            .await
    );
    let claimed = trial.claim_one(SHORT).await;
    assert!(trial.acknowledge(&claimed).await);
    assert!(!trial.acknowledge(&claimed).await, "it is gone already");
    assert!(!trial.extend(&claimed, LONG).await);
    assert!(!trial.retry(&claimed, 0, "").await);
    assert!(!trial.replay("job").await);
    trial.sleep(SHORT + 1000).await;
    assert_eq!(trial.claim(10, LONG).await, []);
    assert_eq!(trial.depth().await, Depth::default());
}

pub(super) async fn a_retried_job_comes_back_after_its_delay<F: Fixture>(trial: &Trial<'_, F>) {
    assert!(trial.enqueue(job("job")).await);
    let first = trial.claim_one(LONG).await;
    let before = trial.now();
    assert!(trial.retry(&first, SHORT, "later").await);
    let second = trial.claim_when_due(before, trial.now(), SHORT).await;
    assert_eq!(
        (second.id.as_str(), second.payload.as_slice(), second.attempt),
        ("job", VALUE, 2)
    );
}

pub(super) async fn concurrent_claims_give_each_job_to_one_worker<F: Fixture>(trial: &Trial<'_, F>) {
    join_all((0..30).map(|number| async move {
        assert!(trial.enqueue(job(&format!("job-{number}"))).await);
    }))
    .await;
    let worker = || async {
        let mut mine = Vec::new();
        loop {
            let jobs = trial.claim(2, LONG).await;
            if jobs.is_empty() {
                return mine;
            }
            for job in jobs {
                assert_eq!(job.attempt, 1);
                assert!(trial.acknowledge(&job).await);
                mine.push(job.id);
            }
        }
    };
    let mut all = join_all((0..6).map(|_| worker())).await.concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 30);
    assert_eq!(trial.depth().await, Depth::default());
}

pub(super) async fn concurrent_enqueues_of_one_id_add_one_job<F: Fixture>(trial: &Trial<'_, F>) {
    let added = join_all((0..10).map(|_| trial.enqueue(job("job")))).await;
    assert_eq!(added.into_iter().filter(|added| *added).count(), 1);
    assert_eq!(trial.depth().await.due, 1);
}

pub(super) async fn queues_and_scopes_share_nothing<F: Fixture>(trial: &Trial<'_, F>) {
    let other = format!("{}/other", trial.scope);
    trial
        .write(vec![
            put("job", ExpectedVersion::Any, VALUE),
            member("job", "job", 1),
        ])
        .await;
    assert_eq!(trial.depth().await, Depth::default());
    assert!(trial.enqueue(job("job")).await);
    assert_eq!(trial.version("job").await, 1);
    assert_eq!(trial.store().claim(&other, 10, LONG).await, Ok(Vec::new()));
    assert_eq!(
        trial.store().enqueue(&other, job("job")).await,
        Ok(true),
        "the id is not taken there"
    );
    assert_eq!(trial.claim_one(LONG).await.id, "job");
    assert_eq!(
        trial.store().depth(&other).await,
        Ok(Depth {
            due: 1,
            ..Depth::default()
        })
    );
}
