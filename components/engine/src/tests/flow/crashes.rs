//! An instance may die, and a turn be stopped, at any moment of the four prompts.

use super::*;

const BUSY: &str =
    "email read:1|once:2 risky:3|so ;calendar sure:4|ok ;email<1,2> once:5|ok >>calendar once:6|ok";

/// Plays a turn up to a moment, and gives what its instance has done by then.
fn until(polls: usize, message: &str) -> (World, Tasks, usize) {
    let world = lasting();
    let mut tasks = Tasks::default();
    let (task, _) = start(&world, &mut tasks, say_once("k", message));
    for _ in 0..polls {
        if !tasks.poll(task) {
            world.clock().advance(10);
        }
    }
    (world, tasks, task)
}

#[test]
fn whoever_goes_on_repeats_nothing_that_was_done() {
    let mut interrupted = 0;
    for polls in 0..140 {
        let (world, mut tasks, task) = until(polls, BUSY);
        interrupted += usize::from(tasks.crash(task));
        let turn = world.turn(say_once("k", BUSY)).unwrap();
        assert_eq!(turn.state, TurnState::Finished, "{polls}");
        assert_eq!(turn.message.content, "all done");
        let effects = world.tools.effects.borrow();
        let changes = effects
            .iter()
            .filter(|(key, _)| !key.ends_with("email/0/interpret/tool/0"));
        assert!(
            changes.clone().all(|(_, count)| *count == 1),
            "{polls}: {effects:?}"
        );
        // What must not be repeated may not have been made at all, where it was about to be.
        let risky = world
            .tools
            .called()
            .iter()
            .filter(|tool| *tool == "risky")
            .count();
        assert!(risky <= 1, "{polls}");
        let mut done = steps(&world);
        done.sort_unstable();
        let all = done.len();
        done.dedup();
        assert_eq!((done.len(), all), (18, 18), "{polls}: {done:?}");
        assert_heard(&world.attach(&turn.turn, None).1, &[]);
        world.assert_snapshot_is_replay("s1", "tasks");
    }
    assert!(interrupted > 60, "{interrupted}");
}

#[test]
fn a_question_survives_the_instance_that_was_about_to_ask_it() {
    let gated = "email read:1|shall I? erase:2|did ;calendar once:3|ok";
    for polls in 0..70 {
        let world = lasting();
        world.tools.add("erase", EffectClass::Idempotent, true);
        let mut tasks = Tasks::default();
        let (task, _) = start(&world, &mut tasks, say_once("k", gated));
        (0..polls).for_each(|_| {
            tasks.poll(task);
        });
        tasks.crash(task);
        let waits = world.turn(say_once("k", gated)).unwrap();
        assert_eq!(
            (waits.state, waits.gates.len()),
            (TurnState::Waiting, 1),
            "{polls}"
        );
        // And the answer survives whoever was about to act on it.
        let (task, _) = start(&world, &mut tasks, say("yes"));
        (0..polls).for_each(|_| {
            tasks.poll(task);
        });
        tasks.crash(task);
        world.clock().advance(4_000);
        let done = world
            .turn(say("yes"))
            .or_else(|_| world.turn(say("yes")))
            .unwrap();
        let (first, _) = world.attach(&waits.turn, None);
        assert_eq!(
            first.unwrap().state,
            TurnState::Finished,
            "{polls} {:?}",
            done.state
        );
        let effects = world.tools.effects.borrow();
        let changes = effects
            .iter()
            .filter(|(key, _)| !key.ends_with("email/0/interpret/tool/0"));
        let erased = changes.clone().all(|(_, count)| *count == 1);
        assert!(erased && world.tools.called().contains(&"erase".to_owned()));
        world.assert_snapshot_is_replay("s1", "tasks");
    }
}

#[test]
fn a_turn_that_is_stopped_says_what_became_of_every_call() {
    for polls in (0..90).step_by(3) {
        let (world, mut tasks, task) = until(polls, BUSY);
        if world.records("s1").is_empty() {
            continue;
        }
        let turn = world.latest();
        let stopped = world.stop(&turn);
        while !tasks.is_empty() {
            if !tasks.poll(task) {
                world.clock().advance(10);
            }
        }
        assert!(stopped.is_ok(), "{polls}");
        let (turn, _) = world.attach(&turn, None);
        let turn = turn.unwrap();
        assert!(turn.state.has_ended(), "{polls}");
        assert!(
            turn.tool_calls
                .iter()
                .all(|call| call.is_error || !call.result.is_null()),
            "{turn:?}"
        );
        world.assert_snapshot_is_replay("s1", "tasks");
    }
}
