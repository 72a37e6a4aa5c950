//! The store's clock as a condition, and the fence that it makes together with leases.

use super::Fixture;
use super::trial::*;
use crate::port::*;

pub(super) async fn a_moment_that_has_not_passed_refuses_nothing<F: Fixture>(trial: &Trial<'_, F>) {
    let later = trial.time().await + LONG;
    assert_eq!(
        trial
            .write(vec![
                Write::NotAfter(later),
                put("d", ExpectedVersion::Any, VALUE),
                Write::NotAfter(MAX as u64),
            ])
            .await,
        [Written::Done, Written::Version(1), Written::Done]
    );
    assert_eq!(trial.write(vec![Write::NotAfter(later)]).await, [Written::Done]);
}

pub(super) async fn a_moment_that_has_passed_refuses_the_whole_commit_and_tells_the_time<F: Fixture>(
    trial: &Trial<'_, F>,
) {
    let before = trial.time().await;
    // Whatever comes before it or after it, and however long ago it was.
    for passed in [0, 1, before - 1] {
        let writes = vec![
            put("d", ExpectedVersion::Any, VALUE),
            append("j", ExpectedLength::Any, &[VALUE]),
            acquire("l", "me", LONG),
            Write::NotAfter(passed),
            add("c", 1, None),
        ];
        match trial.conflict(writes).await {
            (3, Actual::Time(now)) => assert!(
                (before..=trial.time().await).contains(&now),
                "the time told is that of the commit: {now}"
            ),
            other => panic!("expected the time, got {other:?}"),
        }
    }
    assert_eq!(trial.version("d").await, 0);
    assert_eq!(trial.journal("j").await.length, 0);
    assert_eq!(trial.lease("l").await, LeaseState::default());
    assert_eq!(trial.counter("c").await, Counter::default());
    // The first condition that fails is the one reported, of whatever kind.
    let passed = Write::NotAfter(before - 1);
    let unmet = put("d", ExpectedVersion::Present, VALUE);
    assert_eq!(
        trial.conflict(vec![unmet.clone(), passed.clone()]).await,
        (0, Actual::Version(0))
    );
    assert!(matches!(
        trial.conflict(vec![passed, unmet]).await,
        (0, Actual::Time(_))
    ));
}

pub(super) async fn each_moment_holds_up_to_and_including_itself<F: Fixture>(trial: &Trial<'_, F>) {
    let mut at = trial.time().await;
    for _ in 0..50 {
        let effect = vec![Write::NotAfter(at), add("tries", 1, None)];
        match trial.attempt(effect).await {
            // It was still the same millisecond, or the clock would say otherwise.
            Ok(_) => trial.sleep(1).await,
            Err(Error::Conflict {
                write: 0,
                actual: Actual::Time(now),
            }) => {
                assert!(now > at, "refused at {now}, though {at} had not passed");
                at = now;
            }
            Err(other) => panic!("{other}"),
        }
    }
}

pub(super) async fn scopes_and_namespaces_share_one_clock<F: Fixture>(trial: &Trial<'_, F>) {
    let other = format!("{}/other", trial.scope);
    let mut latest = trial.time().await;
    for _ in 0..5 {
        for (store, scope) in [
            (Some(trial.store()), &other),
            (trial.fixture.neighbour(), &trial.scope),
            (Some(trial.store()), &trial.scope),
        ] {
            let Some(store) = store else { continue };
            let now = trial.time_in(store, scope).await;
            assert!(now >= latest, "{now} after {latest}");
            latest = now;
        }
    }
}

pub(super) async fn no_effect_gets_in_once_its_lease_has_another_holder<F: Fixture>(trial: &Trial<'_, F>) {
    // The effect lies in another scope than the lease, as a tool's does, and in another namespace if there is one.
    let elsewhere = format!("{}/elsewhere", trial.scope);
    let store = trial.fixture.neighbour().unwrap_or(trial.store());
    let effect = async |until| {
        let writes = vec![Write::NotAfter(until), add("effects", 1, None)];
        store.commit(&elsewhere, writes, Vec::new()).await
    };
    let (mut holder, mut until) = (1, trial.grant(acquire("l", "holder-1", 30)).await.1);
    for _ in 0..3 {
        let next = format!("holder-{}", holder + 1);
        loop {
            match trial.attempt(vec![acquire("l", &next, 30)]).await {
                Ok(written) => match written.as_slice() {
                    [Written::Granted { until: later, .. }] => {
                        match effect(until).await {
                            Err(Error::Conflict {
                                write: 0,
                                actual: Actual::Time(now),
                            }) => assert!(now > until),
                            other => panic!("an effect of a lease that has another holder: {other:?}"),
                        }
                        until = *later;
                        break;
                    }
                    other => panic!("expected a grant, got {other:?}"),
                },
                Err(Error::Conflict { .. }) => {
                    // Nobody else has it yet, so the effect may happen; whether it does depends on the clock alone.
                    match effect(until).await {
                        Ok(_) => {}
                        Err(Error::Conflict {
                            write: 0,
                            actual: Actual::Time(now),
                        }) => assert!(now > until, "refused at {now}, though {until} had not passed"),
                        Err(other) => panic!("{other}"),
                    }
                    trial.sleep(1).await;
                }
                Err(other) => panic!("{other}"),
            }
        }
        holder += 1;
    }
}
