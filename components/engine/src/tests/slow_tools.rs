//! Tools that take longer than a lease: they get the time that they need, and nothing happens twice or too late.

use super::world::*;
use crate::journal::{CallOutcome, Record};
use crate::port::*;
use crate::turn::*;

/// A world in which calls take so long, with leases of 3 s, and an assistant that says `timeout` of its tools.
fn world(duration: u64, timeout: &str) -> World {
    let world = World::new();
    world.tools.duration.set(duration);
    world.assistant(
        "tasks",
        &format!("prompt = \"x\"\n[session]\nttl = \"24h\"\n[[tools]]\nserver = \"s\"\n{timeout}"),
    );
    world
}

/// What the tools were called with: the keys, in their order.
fn keys(world: &World) -> Vec<String> {
    let calls = world.tools.calls.borrow();
    calls.iter().map(|(_, key)| key.clone()).collect()
}

#[test]
fn a_tool_that_is_slower_than_a_lease_is_called_again_with_a_longer_one_until_it_can_finish() {
    for class in ["once", "sure", "risky"] {
        for (duration, calls) in [(2_000, 1), (3_500, 2), (11_000, 3), (23_000, 4)] {
            let world = world(duration, "");
            let turn = world.turn(say(&format!("{class}:1|done"))).unwrap();
            assert_eq!(
                turn.tool_calls[0].result,
                format!("{class} 1 is done"),
                "{duration}"
            );
            assert_eq!(keys(&world).len(), calls, "{class} {duration}");
            // One call, by one key, with one effect.
            assert!(keys(&world).windows(2).all(|pair| pair[0] == pair[1]));
            assert!(world.tools.effects.borrow().values().all(|times| *times == 1));
            assert_eq!(world.tools.effects.borrow().len(), 1);
        }
    }
}

#[test]
fn a_tool_that_is_too_slow_for_any_lease_is_given_up_and_the_turn_says_that_nothing_happened() {
    let world = world(60_000, "");
    let turn = world.turn(say("risky:1|sorry")).unwrap();
    assert_eq!(
        turn.tool_calls[0].result,
        "The tool could not be called: the call came too late"
    );
    assert_eq!(turn.message.content, "sorry");
    assert_eq!(keys(&world).len(), 4);
    assert!(world.tools.effects.borrow().is_empty());
}

#[test]
fn a_tool_whose_timeout_is_known_is_called_once_and_costs_no_further_write() {
    for class in ["once", "sure", "risky"] {
        let trips = |duration, timeout: &str| {
            let world = world(duration, timeout);
            let turn = world.turn(say(&format!("{class}:1|done"))).unwrap();
            assert_eq!(turn.tool_calls[0].result, format!("{class} 1 is done"));
            assert_eq!(keys(&world).len(), 1);
            assert!(world.tools.effects.borrow().values().all(|times| *times == 1));
            world.store.round_trips()
        };
        assert_eq!(trips(0, ""), trips(0, "timeout = \"20s\""));
        trips(19_900, "timeout = \"20s\"");
    }
}

#[test]
fn a_tool_that_does_not_answer_within_its_timeout_follows_its_class() {
    for (class, calls, unknown) in [("read", 3, false), ("once", 3, true), ("risky", 1, true)] {
        let world = world(8_000, "timeout = \"5s\"");
        let turn = world.turn(say(&format!("{class}:1|sorry"))).unwrap();
        let result = turn.tool_calls[0].result.as_str().unwrap().to_owned();
        assert!(result.contains("did not answer within 5 s"), "{result}");
        assert_eq!(result.contains("unknown whether"), unknown, "{result}");
        assert_eq!(keys(&world).len(), calls, "{class}");
    }
}

#[test]
fn no_call_is_made_again_once_the_turn_was_told_to_stop() {
    let world = world(3_500, "");
    let mut tasks = Tasks::default();
    let (_, outcome) = start(&world, &mut tasks, say("risky:1|done"));
    world.until(&mut tasks, || keys(&world).len() == 1);
    let turn = world.latest();
    world.stop(&turn).unwrap();
    world.until(&mut tasks, || outcome.borrow().is_some());
    assert_eq!(ended(&outcome).state, TurnState::Stopped);
    assert_eq!((keys(&world).len(), world.tools.effects.borrow().len()), (1, 0));
}

#[test]
fn the_lease_is_as_short_as_usual_again_when_a_slow_call_has_ended() {
    let world = world(9_000, "timeout = \"10s\"");
    let mut tasks = Tasks::default();
    let (task, _) = start(&world, &mut tasks, say_once("k", "risky:1|wait:1000 done"));
    world.until(&mut tasks, || world.model.requests.borrow().len() == 2);
    tasks.crash(task);
    let began = world.clock().now();
    let turn = world.turn(say_once("k", "risky:1|wait:1000 done")).unwrap();
    assert_eq!(turn.state, TurnState::Finished);
    let took = world.clock().now() - began;
    assert!((3_000..4_500).contains(&took), "{took}");
}

#[test]
fn an_instance_that_dies_or_is_paused_in_a_slow_call_does_nothing_twice_and_nothing_late() {
    for class in ["read", "once", "sure", "risky"] {
        for timeout in ["", "timeout = \"10s\""] {
            for pause in [false, true] {
                for polls in (1..120).step_by(2) {
                    let world = world(7_000, timeout);
                    let mut tasks = Tasks::default();
                    let script = format!("{class}:1|done");
                    world.enter("s1");
                    let (task, _) = start(&world, &mut tasks, say_once("k", &script));
                    for _ in 0..polls {
                        if !tasks.poll_any(0) {
                            world.clock().advance(200);
                        }
                    }
                    if pause {
                        tasks.pause(task);
                    } else {
                        tasks.crash(task);
                    }
                    let turn = world.turn(say_once("k", &script)).unwrap();
                    let recorded = world.tools.effects.borrow().values().sum::<u32>();
                    // Whatever was under way arrives now, if it still can.
                    tasks.resume();
                    while !tasks.is_empty() {
                        if !tasks.poll_any(0) {
                            world.clock().advance(200);
                        }
                    }
                    let name = format!("{class} {timeout} {pause} {polls}");
                    let effects = world.tools.effects.borrow().values().sum::<u32>();
                    assert_eq!(effects, recorded, "{name}: an effect came late");
                    if class != "read" {
                        assert!(effects <= 1, "{name}: it happened twice");
                        let unknown = turn.tool_calls[0].is_error;
                        assert!(unknown || effects == 1, "{name}: it is said to have happened");
                        assert!(class == "risky" || !unknown, "{name}");
                    }
                    let outcomes = world.journal("s1").into_iter().filter(|entry| {
                        matches!(&entry.what, Record::ToolFinished(finished) if matches!(finished.outcome, CallOutcome::Answered(_) | CallOutcome::Unknown(_)))
                    });
                    assert_eq!(outcomes.count(), 1, "{name}");
                }
            }
        }
    }
}

#[test]
fn a_verifiable_call_that_broke_off_is_settled_only_when_its_longer_lease_is_over() {
    let world = world(0, "timeout = \"20s\"");
    let broke_off = (false, ToolError::Unknown("connection reset".into()));
    world.tools.failures.borrow_mut().push_back(broke_off);
    let turn = world.turn(say("sure:1")).unwrap();
    assert!(!turn.tool_calls[0].is_error);
    assert_eq!(world.tools.checks.borrow().len(), 1);
    assert!(world.elapsed() >= 23_000, "{}", world.elapsed());
}
