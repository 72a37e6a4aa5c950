//! Counters and their windows.

use super::Fixture;
use super::trial::*;
use crate::port::*;

pub(super) async fn a_counter_that_does_not_exist_is_0_without_a_time_to_live<F: Fixture>(
    trial: &Trial<'_, F>,
) {
    assert_eq!(
        trial.counter("c").await,
        Counter {
            value: 0,
            remaining: None
        }
    );
}

pub(super) async fn a_counter_adds_up_and_tells_its_value<F: Fixture>(trial: &Trial<'_, F>) {
    for (delta, value) in [(3, 3), (0, 3), (-5, -2), (1_000_000, 999_998)] {
        let counter = Counter {
            value,
            remaining: None,
        };
        assert_eq!(
            trial.write(vec![add("c", delta, None)]).await,
            [Written::Counter(counter)]
        );
        assert_eq!(trial.counter("c").await, counter);
    }
}

pub(super) async fn a_window_begins_with_the_first_addition_only<F: Fixture>(trial: &Trial<'_, F>) {
    const WINDOW: u64 = 60_000;
    let before = trial.now();
    let written = trial.write(vec![add("c", 1, Some(WINDOW))]).await;
    let after = trial.now();
    assert!(
        matches!(
            written[..],
            [Written::Counter(Counter {
                value: 1,
                remaining: Some(1..=WINDOW)
            })]
        ),
        "{written:?}"
    );

    trial.sleep(50).await;
    // A later addition neither prolongs the window nor replaces it, whatever it says.
    for (value, ttl) in [(2, Some(10 * WINDOW)), (3, Some(1)), (4, None)] {
        let asked = trial.now();
        let written = trial.write(vec![add("c", 1, ttl)]).await;
        let answered = trial.now();
        let [
            Written::Counter(Counter {
                value: added,
                remaining: Some(remaining),
            }),
        ] = written[..]
        else {
            panic!("expected a counter with a window, got {written:?}");
        };
        assert_eq!(added, value);
        // Half a second for what two machines' clocks may make of the same time.
        assert!(
            remaining <= WINDOW - (asked - after) + 500,
            "{remaining} ms remain"
        );
        assert!(
            remaining + (answered - before) + 500 >= WINDOW,
            "{remaining} ms remain"
        );
    }
    assert_eq!(trial.counter("c").await.value, 4);
}

pub(super) async fn a_counter_without_a_window_does_not_get_one<F: Fixture>(trial: &Trial<'_, F>) {
    trial.write(vec![add("c", 1, None)]).await;
    let counter = Counter {
        value: 2,
        remaining: None,
    };
    assert_eq!(
        trial.write(vec![add("c", 1, Some(LONG))]).await,
        [Written::Counter(counter)]
    );
    assert_eq!(trial.counter("c").await, counter);
    // One that is 0 exists all the same.
    trial
        .write(vec![add("zero", 0, None), add("zero", 0, Some(LONG))])
        .await;
    assert_eq!(
        trial.counter("zero").await,
        Counter {
            value: 0,
            remaining: None
        }
    );
}

pub(super) async fn a_counter_reaches_the_edge_of_its_range_and_not_beyond<F: Fixture>(trial: &Trial<'_, F>) {
    for (name, edge, step) in [("most", MAX, 1), ("least", -MAX, -1)] {
        let counter = Counter {
            value: edge,
            remaining: None,
        };
        assert_eq!(
            trial.write(vec![add(name, edge, None)]).await,
            [Written::Counter(counter)]
        );
        trial.invalid(vec![add(name, step, None)]).await;
        trial.invalid(vec![add(name, edge, None)]).await;
        assert_eq!(trial.counter(name).await, counter);
        trial.invalid(vec![add("fresh", edge + step, None)]).await;
        assert_eq!(trial.counter("fresh").await, Counter::default());
        trial.write(vec![add(name, -step, None)]).await;
        assert_eq!(trial.counter(name).await.value, edge - step);
    }
}

pub(super) async fn an_addition_is_the_same_wherever_it_stands_in_a_commit<F: Fixture>(trial: &Trial<'_, F>) {
    let listed = || member("listed", "member", 1);
    let later = || put("document", ExpectedVersion::Any, VALUE);
    for (name, around) in [
        ("alone", [Vec::new(), Vec::new()]),
        ("before-an-index", [Vec::new(), vec![listed()]]),
        ("last", [vec![later()], vec![listed(), listed()]]),
        ("first", [Vec::new(), vec![later(), listed()]]),
        ("between", [vec![later()], vec![listed(), later()]]),
    ] {
        let [before, after] = around;
        let windowed = format!("{name}-in-a-window");
        for (counter, ttl) in [(name, None), (windowed.as_str(), Some(LONG))] {
            for (delta, value) in [(0, 0), (7, 7), (-9, -2), (MAX, MAX - 2)] {
                let mut writes = before.clone();
                writes.push(add(counter, delta, ttl));
                writes.extend(after.clone());
                let committed = trial
                    .store()
                    .commit(&trial.scope, writes, vec![Query::Counter(counter.into())])
                    .await
                    .unwrap();
                let told = match committed.written[before.len()] {
                    Written::Counter(counter) => counter,
                    ref other => panic!("{name}: expected a counter, got {other:?}"),
                };
                assert_eq!(
                    (told.value, told.remaining.is_some()),
                    (value, ttl.is_some()),
                    "{name}"
                );
                assert!(
                    told.remaining.is_none_or(|left| 0 < left && left <= LONG),
                    "{told:?}"
                );
                match committed.found[0] {
                    Found::Counter(found) => {
                        assert_eq!(
                            (found.value, found.remaining.is_some()),
                            (value, ttl.is_some()),
                            "{name}"
                        );
                    }
                    ref other => panic!("{name}: expected a counter, got {other:?}"),
                }
                assert_eq!(trial.counter(counter).await.value, value, "{name}");
            }
        }
    }
    // Several of one counter see each other.
    let counter = |value| {
        Written::Counter(Counter {
            value,
            remaining: None,
        })
    };
    assert_eq!(
        trial
            .write(vec![add("twice", 1, None), add("twice", 2, None), listed()])
            .await,
        [counter(1), counter(3), Written::Done]
    );
    assert_eq!(trial.counter("twice").await.value, 3);
}

pub(super) async fn an_addition_beyond_the_range_takes_its_commit_along<F: Fixture>(trial: &Trial<'_, F>) {
    trial
        .write(vec![add("most", MAX, None), add("least", -MAX, Some(LONG))])
        .await;
    for beyond in [
        add("most", 1, None),
        add("most", MAX, Some(LONG)),
        add("least", -1, None),
        add("least", -MAX, None),
    ] {
        for after in [Vec::new(), vec![member("i", "m", 1)], vec![add("other", 1, None)]] {
            let mut writes = vec![
                put("document", ExpectedVersion::Any, VALUE),
                append("journal", ExpectedLength::Any, &[VALUE]),
                add("other", 1, None),
                beyond.clone(),
            ];
            writes.extend(after);
            trial.invalid(writes).await;
        }
    }
    assert_eq!(trial.counter("most").await.value, MAX);
    let least = trial.counter("least").await;
    assert_eq!((least.value, least.remaining.is_some()), (-MAX, true));
    assert_eq!(trial.counter("other").await, Counter::default());
    assert_eq!(trial.version("document").await, 0);
    assert_eq!(trial.journal("journal").await.length, 0);
    assert_eq!(trial.members("i").await, []);
}
