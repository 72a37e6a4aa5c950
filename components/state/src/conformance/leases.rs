//! Leases and their fencing epochs.

use super::Fixture;
use super::trial::*;
use crate::port::*;

/// The conflict's lease, without the time it has left.
async fn refused<F: Fixture>(trial: &Trial<'_, F>, write: Write) -> (String, u64) {
    match trial.conflict(vec![write]).await {
        (0, Actual::Lease(lease)) => {
            assert_eq!(lease.remaining == 0, lease.holder.is_empty(), "{lease:?}");
            (lease.holder, lease.epoch)
        }
        other => panic!("expected a lease, got {other:?}"),
    }
}

pub(super) async fn a_lease_that_was_never_acquired_has_epoch_0<F: Fixture>(trial: &Trial<'_, F>) {
    let never = LeaseState {
        holder: String::new(),
        epoch: 0,
        remaining: 0,
    };
    assert_eq!(trial.lease("l").await, never);
    assert_eq!(
        trial.conflict(vec![hold("l", 1, None)]).await,
        (0, Actual::Lease(never.clone()))
    );
    assert_eq!(
        trial.conflict(vec![hold("l", 0, None)]).await,
        (0, Actual::Lease(never.clone()))
    );
    assert_eq!(
        trial.conflict(vec![release("l", 0)]).await,
        (0, Actual::Lease(never))
    );
}

pub(super) async fn an_acquired_lease_tells_holder_epoch_and_remaining_time<F: Fixture>(
    trial: &Trial<'_, F>,
) {
    let before = trial.now();
    assert_eq!(
        untimed(trial.write(vec![acquire("l", "me", 60_000)]).await),
        [granted(1)]
    );
    let lease = trial.lease("l").await;
    let elapsed = trial.now() - before;
    assert_eq!((lease.holder.as_str(), lease.epoch), ("me", 1));
    assert!(lease.remaining <= 60_000, "{lease:?}");
    assert!(
        lease.remaining + elapsed + 500 >= 60_000,
        "{lease:?} after {elapsed} ms"
    );
}

pub(super) async fn another_holder_is_refused_and_told_who_holds_it<F: Fixture>(trial: &Trial<'_, F>) {
    trial.write(vec![acquire("l", "me", LONG)]).await;
    match trial.conflict(vec![acquire("l", "you", LONG)]).await {
        (0, Actual::Lease(lease)) => {
            assert_eq!((lease.holder.as_str(), lease.epoch), ("me", 1));
            assert!((1..=LONG).contains(&lease.remaining), "{lease:?}");
        }
        other => panic!("expected a lease, got {other:?}"),
    }
    assert_eq!(trial.lease("l").await.holder, "me");
    assert_eq!(
        untimed(trial.write(vec![acquire("other", "you", LONG)]).await),
        [granted(1)]
    );
}

pub(super) async fn the_same_holder_acquires_again_with_the_next_epoch<F: Fixture>(trial: &Trial<'_, F>) {
    trial.write(vec![acquire("l", "me", 60_000)]).await;
    assert_eq!(
        untimed(trial.write(vec![acquire("l", "me", LONG)]).await),
        [granted(2)]
    );
    let lease = trial.lease("l").await;
    assert_eq!(lease.epoch, 2);
    assert!(
        lease.remaining > 60_000,
        "the time to live is the new one: {lease:?}"
    );
    assert_eq!(refused(trial, hold("l", 1, None)).await, ("me".into(), 2));
    assert_eq!(untimed(trial.write(vec![hold("l", 2, None)]).await), [granted(2)]);
}

pub(super) async fn hold_requires_the_present_epoch<F: Fixture>(trial: &Trial<'_, F>) {
    trial.write(vec![acquire("l", "me", LONG)]).await;
    assert_eq!(untimed(trial.write(vec![hold("l", 1, None)]).await), [granted(1)]);
    for wrong in [0, 2, MAX as u64] {
        assert_eq!(refused(trial, hold("l", wrong, Some(1))).await, ("me".into(), 1));
    }
    assert_eq!(
        trial.lease("l").await.holder,
        "me",
        "a refused hold did not shorten it"
    );
}

pub(super) async fn hold_prolongs_only_when_told_to<F: Fixture>(trial: &Trial<'_, F>) {
    trial.write(vec![acquire("l", "me", 60_000)]).await;
    trial.write(vec![hold("l", 1, None)]).await;
    assert!((1..=60_000).contains(&trial.lease("l").await.remaining));
    trial.write(vec![hold("l", 1, Some(600_000))]).await;
    assert!((60_001..=600_000).contains(&trial.lease("l").await.remaining));
    trial.write(vec![hold("l", 1, None)]).await;
    let lease = trial.lease("l").await;
    assert!((60_001..=600_000).contains(&lease.remaining));
    assert_eq!(lease.epoch, 1, "prolonging is no acquisition");
    // It may be shortened, too.
    trial.write(vec![hold("l", 1, Some(60_000))]).await;
    assert!((1..=60_000).contains(&trial.lease("l").await.remaining));
}

pub(super) async fn release_requires_the_present_epoch<F: Fixture>(trial: &Trial<'_, F>) {
    trial
        .write(vec![acquire("l", "me", LONG), acquire("l", "me", LONG)])
        .await;
    for wrong in [0, 1, 3] {
        assert_eq!(refused(trial, release("l", wrong)).await, ("me".into(), 2));
    }
    assert_eq!(trial.write(vec![release("l", 2)]).await, [Written::Done]);
    assert_eq!(refused(trial, release("l", 2)).await, (String::new(), 2));
}

pub(super) async fn a_released_lease_is_free_and_its_epoch_goes_on<F: Fixture>(trial: &Trial<'_, F>) {
    trial.write(vec![acquire("l", "me", LONG)]).await;
    trial.write(vec![release("l", 1)]).await;
    let free = LeaseState {
        holder: String::new(),
        epoch: 1,
        remaining: 0,
    };
    assert_eq!(trial.lease("l").await, free);
    assert_eq!(
        trial.conflict(vec![hold("l", 1, None)]).await,
        (0, Actual::Lease(free))
    );
    assert_eq!(
        untimed(trial.write(vec![acquire("l", "you", LONG)]).await),
        [granted(2)]
    );
    assert_eq!(trial.lease("l").await.holder, "you");
}

pub(super) async fn an_expired_lease_is_free_and_its_epoch_goes_on<F: Fixture>(trial: &Trial<'_, F>) {
    trial
        .write(vec![acquire("l", "me", LONG), acquire("l", "me", 100)])
        .await;
    trial.sleep_until(trial.now() + 100 + 1000).await;
    let free = LeaseState {
        holder: String::new(),
        epoch: 2,
        remaining: 0,
    };
    assert_eq!(trial.lease("l").await, free);
    assert_eq!(
        untimed(trial.write(vec![acquire("l", "you", LONG)]).await),
        [granted(3)]
    );
    assert_eq!(refused(trial, acquire("l", "me", LONG)).await, ("you".into(), 3));
}

pub(super) async fn an_expired_lease_is_not_held<F: Fixture>(trial: &Trial<'_, F>) {
    trial
        .write(vec![
            acquire("l", "me", 100),
            append("j", ExpectedLength::Any, &[VALUE]),
        ])
        .await;
    trial.sleep_until(trial.now() + 100 + 1000).await;
    assert_eq!(refused(trial, hold("l", 1, None)).await, (String::new(), 1));
    assert_eq!(refused(trial, hold("l", 1, Some(LONG))).await, (String::new(), 1));
    assert_eq!(refused(trial, release("l", 1)).await, (String::new(), 1));
}

pub(super) async fn a_stale_epoch_writes_nothing<F: Fixture>(trial: &Trial<'_, F>) {
    let fenced = |epoch| {
        vec![
            hold("l", epoch, Some(LONG)),
            append("j", ExpectedLength::Any, &[VALUE]),
        ]
    };
    trial.write(vec![acquire("l", "me", LONG)]).await;
    assert_eq!(
        untimed(trial.write(fenced(1)).await),
        [granted(1), Written::Length(1)]
    );
    trial
        .write(vec![release("l", 1), acquire("l", "you", LONG)])
        .await;
    assert!(matches!(trial.conflict(fenced(1)).await, (0, Actual::Lease(_))));
    assert_eq!(trial.journal("j").await.length, 1);
    assert_eq!(
        untimed(trial.write(fenced(2)).await),
        [granted(2), Written::Length(2)]
    );
}

pub(super) async fn a_grant_names_the_last_moment_at_which_the_lease_is_held<F: Fixture>(
    trial: &Trial<'_, F>,
) {
    const TTL: u64 = 60_000;
    let before = trial.time().await;
    let (epoch, until) = trial.grant(acquire("l", "me", TTL)).await;
    let after = trial.time().await;
    assert_eq!(epoch, 1);
    assert!(
        (before + TTL - 1..after + TTL).contains(&until),
        "{until} for {TTL} ms from a moment between {before} and {after}"
    );
    // What reads tell of it, on their way of counting, is the same.
    let (before, remaining) = (trial.time().await, trial.lease("l").await.remaining);
    let after = trial.time().await;
    assert!((before + remaining..=after + remaining).contains(&(until + 1)));
    // As long as it may be taken for held, it is.
    let (_, until) = trial.grant(acquire("short", "me", 100)).await;
    loop {
        let taken = trial.attempt(vec![acquire("short", "you", LONG)]).await;
        match taken {
            Ok(written) => {
                assert_eq!(untimed(written), [granted(2)]);
                break assert!(trial.time().await > until);
            }
            Err(Error::Conflict {
                write: 0,
                actual: Actual::Lease(lease),
            }) => assert_eq!((lease.holder.as_str(), lease.epoch), ("me", 1)),
            Err(other) => panic!("{other}"),
        }
        trial.sleep(10).await;
    }
}

pub(super) async fn a_hold_tells_the_same_moment_until_it_sets_another<F: Fixture>(trial: &Trial<'_, F>) {
    let granted = trial.grant(acquire("l", "me", 60_000)).await;
    trial.sleep(5).await;
    for _ in 0..2 {
        assert_eq!(trial.grant(hold("l", 1, None)).await, granted);
    }
    // Longer, and shorter again.
    for ttl in [600_000, 30_000] {
        let before = trial.time().await;
        let set = trial.grant(hold("l", 1, Some(ttl))).await;
        let after = trial.time().await;
        assert_eq!(set.0, 1, "holding on is no acquisition");
        assert!((before + ttl - 1..after + ttl).contains(&set.1), "{set:?}");
        assert_eq!(trial.grant(hold("l", 1, None)).await, set);
    }
    // Within one commit, each write tells what it is after that write.
    let written = trial
        .write(vec![
            hold("l", 1, Some(60_000)),
            hold("l", 1, None),
            acquire("l", "me", 30_000),
        ])
        .await;
    match written.as_slice() {
        [
            Written::Granted { epoch: 1, until: set },
            Written::Granted {
                epoch: 1,
                until: same,
            },
            Written::Granted { epoch: 2, until: new },
        ] => assert_eq!((set, set - 30_000), (same, *new)),
        other => panic!("expected three grants, got {other:?}"),
    }
}
