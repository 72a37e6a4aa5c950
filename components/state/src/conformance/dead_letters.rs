//! Jobs that failed for good, and how many jobs are where.

use super::Fixture;
use super::trial::*;
use crate::port::*;

/// 2020 in milliseconds since the Unix epoch: a time of death is later.
const TWENTY_TWENTY: u64 = 1_577_836_800_000;

/// Enqueues a job and lets it die.
async fn kill<F: Fixture>(trial: &Trial<'_, F>, id: &str) {
    assert!(
        trial
            .enqueue(NewJob {
                max_attempts: 1,
                ..job(id)
            })
            .await
    );
    let claimed = trial.claim_one(LONG).await;
    assert!(trial.retry(&claimed, LONG, "broken").await);
}

fn ids(letters: &[DeadJob]) -> Vec<&str> {
    letters.iter().map(|letter| letter.id.as_str()).collect()
}

pub(super) async fn a_job_whose_attempts_are_used_up_by_retries_dies_with_its_last_reason<F: Fixture>(
    trial: &Trial<'_, F>,
) {
    assert!(trial.enqueue(job("job")).await);
    for (attempt, reason) in [(1, "one"), (2, "two"), (3, "three: é\n\"\0\"")] {
        assert_eq!(trial.dead_letters(0, 10).await, []);
        let claimed = trial.claim_one(LONG).await;
        assert_eq!(claimed.attempt, attempt);
        assert!(trial.retry(&claimed, 0, reason).await);
    }
    assert_eq!(trial.claim(10, LONG).await, []);
    let letters = trial.dead_letters(0, 10).await;
    let [letter] = &letters[..] else {
        panic!("one job died: {letters:?}")
    };
    let DeadJob {
        id,
        payload,
        attempts,
        reason,
        at,
    } = letter;
    assert_eq!((id.as_str(), payload.as_slice(), *attempts), ("job", VALUE, 3));
    assert_eq!(reason, "three: é\n\"\0\"");
    assert!(*at > TWENTY_TWENTY, "{at}");
}

pub(super) async fn a_job_whose_claims_all_ran_out_dies_at_the_next_claim<F: Fixture>(trial: &Trial<'_, F>) {
    assert!(
        trial
            .enqueue(NewJob {
                max_attempts: 2,
                ..job("job")
            })
            .await
    );
    let first = trial.claim_one(LONG).await;
    assert!(trial.retry(&first, 0, "first").await);
    let second = trial.claim_one(100).await;
    assert_eq!(second.attempt, 2);
    trial.sleep(100 + 1000).await;
    assert_eq!(trial.claim(10, LONG).await, []);
    let letters = trial.dead_letters(0, 10).await;
    assert_eq!(ids(&letters), ["job"]);
    assert_eq!((letters[0].attempts, letters[0].reason.as_str()), (2, "first"));
    assert!(!trial.acknowledge(&second).await);
    assert!(!trial.extend(&second, LONG).await);
    assert!(!trial.retry(&second, 0, "").await);
}

pub(super) async fn dead_letters_come_latest_first_in_pages<F: Fixture>(trial: &Trial<'_, F>) {
    for id in ["a", "c", "b", "d"] {
        kill(trial, id).await;
        // So that no two die in the same millisecond.
        trial.sleep(5).await;
    }
    assert_eq!(ids(&trial.dead_letters(0, 10).await), ["d", "b", "c", "a"]);
    assert_eq!(ids(&trial.dead_letters(0, 2).await), ["d", "b"]);
    assert_eq!(ids(&trial.dead_letters(1, 2).await), ["b", "c"]);
    assert_eq!(ids(&trial.dead_letters(3, 2).await), ["a"]);
    assert_eq!(trial.dead_letters(4, 2).await, []);
    assert_eq!(trial.dead_letters(0, 0).await, []);
}

pub(super) async fn a_replayed_job_has_its_attempts_back<F: Fixture>(trial: &Trial<'_, F>) {
    assert!(
        trial
            .enqueue(NewJob {
                max_attempts: 2,
                ..job("job")
            })
            .await
    );
    for round in 0..2 {
        for attempt in 1..=2 {
            let claimed = trial.claim_one(LONG).await;
            assert_eq!((claimed.payload.as_slice(), claimed.attempt), (VALUE, attempt));
            assert!(trial.retry(&claimed, 0, &format!("{round}.{attempt}")).await);
        }
        let letters = trial.dead_letters(0, 10).await;
        assert_eq!(
            (letters[0].attempts, letters[0].reason.as_str()),
            (2, &*format!("{round}.2"))
        );
        assert!(trial.replay("job").await);
        assert_eq!(trial.dead_letters(0, 10).await, []);
        assert_eq!(
            trial.depth().await,
            Depth {
                due: 1,
                ..Depth::default()
            }
        );
    }
    let claimed = trial.claim_one(LONG).await;
    assert!(trial.acknowledge(&claimed).await);
    assert_eq!(trial.depth().await, Depth::default());
}

pub(super) async fn only_a_dead_letter_can_be_replayed<F: Fixture>(trial: &Trial<'_, F>) {
    assert!(!trial.replay("job").await);
    assert!(trial.enqueue(job("job")).await);
    assert!(!trial.replay("job").await, "it waits");
    let claimed = trial.claim_one(LONG).await;
    assert!(!trial.replay("job").await, "it runs");
    assert_eq!(trial.claim(10, LONG).await, []);
    assert!(trial.acknowledge(&claimed).await);
    assert!(!trial.replay("job").await, "it is done");
    kill(trial, "dead").await;
    assert!(trial.replay("dead").await);
    assert!(!trial.replay("dead").await, "it is back already");
}

pub(super) async fn depth_tells_due_delayed_running_and_dead<F: Fixture>(trial: &Trial<'_, F>) {
    assert_eq!(trial.depth().await, Depth::default());
    kill(trial, "dead").await;
    for id in ["running-1", "running-2"] {
        assert!(trial.enqueue(job(id)).await);
    }
    assert_eq!(trial.claim(10, LONG).await.len(), 2);
    for id in ["due-1", "due-2", "due-3"] {
        assert!(trial.enqueue(job(id)).await);
    }
    for number in 0..4 {
        assert!(
            trial
                .enqueue(NewJob {
                    delay: LONG,
                    ..job(&format!("delayed-{number}"))
                })
                .await
        );
    }
    assert_eq!(
        trial.depth().await,
        Depth {
            due: 3,
            delayed: 4,
            running: 2,
            dead: 1
        }
    );
}
