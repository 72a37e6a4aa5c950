//! Stopping turns: from anywhere, at any moment, without losing what was done.

use super::world::*;
use crate::Stopping;
use crate::turn::*;

#[test]
fn a_stop_breaks_the_answer_off_and_keeps_what_was_said_and_done() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let (_, outcome) = start(
        &world,
        &mut tasks,
        say_once("k", "on it once:1|beat:200 one two three four risky:2"),
    );
    world.until(&mut tasks, || world.elapsed() >= 500);
    let began = world.clock().now();
    assert_eq!(world.stop(&world.latest()), Ok(Stopping::Asked));
    world.until(&mut tasks, || outcome.borrow().is_some());
    // It is noticed at once, not when something is written next.
    assert!(
        world.clock().now() - began <= 20,
        "{}",
        world.clock().now() - began
    );
    let turn = ended(&outcome);
    assert_eq!((turn.state, turn.error.as_ref()), (TurnState::Stopped, None));
    assert_eq!(turn.message.content, "on it\n\none two");
    assert_eq!(world.model.broken_off.get(), 1);
    assert_eq!(world.tools.calls.borrow().len(), 1);
    assert_eq!(turn.tool_calls.len(), 1);
    assert_eq!(world.records("s1").last(), Some(&"turn-stopped"));
    assert_eq!(world.holder("s1"), "");
    world.assert_snapshot_is_replay("s1", "tasks");
    let (again, heard) = world.attach(&turn.turn, None);
    assert_eq!(again.unwrap(), turn);
    assert_heard(&heard, &[]);
    assert_eq!(names(&heard).last(), Some(&"turn.stopped"));
    // The same request again is the same turn, and the next one sees what happened.
    assert_eq!(
        world
            .turn(say_once("k", "on it once:1|beat:200 one two three four risky:2"))
            .unwrap(),
        turn
    );
    world.turn(say("go on")).unwrap();
    let request = world.model.requests.borrow().last().unwrap().clone();
    let told = text(&request.messages[request.messages.len() - 2]);
    assert_eq!(told, "one two\n\n(The user stopped this answer.)");
}

#[test]
fn a_turn_that_has_ended_stays_as_it_ended() {
    let world = World::new();
    let finished = world.turn(say("hello")).unwrap();
    let before = world.journal("s1");
    assert_eq!(
        world.stop(&finished.turn),
        Ok(Stopping::Ended(TurnState::Finished))
    );
    assert_eq!(world.journal("s1"), before);
    let failed = world.turn(say("cut")).unwrap();
    assert_eq!(world.stop(&failed.turn), Ok(Stopping::Ended(TurnState::Failed)));
    assert_eq!(world.stop("turn_x"), Err(TurnError::UnknownTurn));
    // A stop of the last one does not stop the next.
    assert_eq!(
        world.turn(say("wait:1000 hello")).unwrap().state,
        TurnState::Finished
    );
}

#[test]
fn whenever_it_is_told_a_turn_ends_stopped_or_as_if_it_had_not_been() {
    let script = "on it once:1 sure:2|and risky:3|beat:40 so it is";
    for polls in 0..120 {
        let world = World::new();
        let mut tasks = Tasks::default();
        let (task, outcome) = start(&world, &mut tasks, say(script));
        for _ in 0..polls {
            if !tasks.poll(task) {
                world.clock().advance(10);
            }
        }
        let turn = world.latest();
        let stopping = world.stop(&turn).unwrap();
        let calls = world.tools.calls.borrow().len();
        world.until(&mut tasks, || outcome.borrow().is_some());
        let ended = ended(&outcome);
        match stopping {
            Stopping::Ended(state) => assert_eq!(state, ended.state),
            Stopping::Asked => assert!(matches!(ended.state, TurnState::Stopped | TurnState::Finished)),
        }
        // At most the call that was being made was made after that.
        assert!(world.tools.calls.borrow().len() <= calls + 1, "{polls}");
        let untold = |call: &&ToolCallReport| call.result.is_null();
        assert!(ended.tool_calls.iter().filter(untold).all(|call| call.is_error));
        let (again, heard) = world.attach(&turn, None);
        assert_eq!(again.unwrap(), ended, "{polls}");
        let end = heard.last().unwrap().kind.end().unwrap();
        assert_eq!((streamed(&heard), end), (ended.message.content.clone(), &ended));
        world.assert_snapshot_is_replay("s1", "tasks");
    }
}

#[test]
fn a_call_that_may_change_something_gets_a_moment_to_tell_its_outcome() {
    for (duration, content, tools) in [
        (2_000, "once 1 is done", 1),
        (60_000, "It is unknown whether this call took effect", 0),
    ] {
        let world = World::new();
        world.tools.duration.set(duration);
        let mut tasks = Tasks::default();
        let (_, outcome) = start(&world, &mut tasks, say("once:1|never said"));
        world.until(&mut tasks, || !world.tools.calls.borrow().is_empty());
        world.clock().advance(400);
        world.until(&mut tasks, || world.elapsed() >= 500);
        world.stop(&world.latest()).unwrap();
        let began = world.clock().now();
        world.until(&mut tasks, || outcome.borrow().is_some());
        assert!(world.clock().now() - began <= 5_100);
        let turn = ended(&outcome);
        assert_eq!(turn.state, TurnState::Stopped);
        let result = turn.tool_calls[0].result.as_str().unwrap();
        assert!(result.starts_with(content), "{result}");
        assert_eq!(world.tools.effects.borrow().len(), tools);
        assert_eq!(world.model.requests.borrow().len(), 1);
    }
}

#[test]
fn a_call_that_only_reads_is_left_at_once() {
    let world = World::new();
    world.tools.duration.set(60_000);
    let mut tasks = Tasks::default();
    let (_, outcome) = start(&world, &mut tasks, say("read:1 read:2|never said"));
    world.until(&mut tasks, || world.elapsed() >= 500);
    world.stop(&world.latest()).unwrap();
    let began = world.clock().now();
    world.until(&mut tasks, || outcome.borrow().is_some());
    assert!(world.clock().now() - began <= 20);
    let turn = ended(&outcome);
    assert_eq!(turn.state, TurnState::Stopped);
    assert!(turn.tool_calls.iter().all(|call| call.is_error));
}

#[test]
fn a_turn_whose_instance_died_is_stopped_by_whoever_asks_for_it() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let (task, _) = start(&world, &mut tasks, say("on it once:1|wait:1000 done"));
    world.until(&mut tasks, || world.model.requests.borrow().len() == 2);
    tasks.crash(task);
    world.clock().advance(3_000);
    let turn = world.latest();
    assert_eq!(world.stop(&turn), Ok(Stopping::Ended(TurnState::Stopped)));
    assert_eq!(world.model.requests.borrow().len(), 2);
    let (ended, heard) = world.attach(&turn, None);
    let ended = ended.unwrap();
    assert_eq!(
        (ended.state, ended.message.content.as_str()),
        (TurnState::Stopped, "on it")
    );
    assert_heard(&heard, &[]);
    // Told while it was dead, it is stopped by whoever goes on with it.
    let world = World::new();
    let mut tasks = Tasks::default();
    let (task, _) = start(&world, &mut tasks, say("once:1|wait:1000 done"));
    tasks.crash(task);
    assert_eq!(world.stop(&world.latest()), Ok(Stopping::Asked));
    assert_eq!(
        world.attach(&world.latest(), None).0.unwrap().state,
        TurnState::Stopped
    );
    assert!(world.tools.calls.borrow().is_empty());
}

#[test]
fn a_quick_turn_pays_nothing_for_being_stoppable() {
    let world = World::new();
    let before = world.store.round_trips();
    world.turn(say("hello")).unwrap();
    world.turn(say("read:1|well")).unwrap();
    assert_eq!(world.store.round_trips() - before, 2 + 4);
}

#[test]
fn a_slow_list_of_tools_does_not_keep_a_turn_from_being_stopped() {
    let world = World::new();
    world.tools.slow.replace(Some((world.clock().clone(), 60_000)));
    let mut tasks = Tasks::default();
    let (_, outcome) = begin(&world, &mut tasks, say("hello"));
    world.until(&mut tasks, || world.elapsed() >= 500);
    world.stop(&world.latest()).unwrap();
    let began = world.clock().now();
    world.until(&mut tasks, || outcome.borrow().is_some());
    assert!(world.clock().now() - began <= 20);
    assert_eq!(ended(&outcome).state, TurnState::Stopped);
    assert!(world.model.requests.borrow().is_empty());
}

#[test]
fn what_is_verifiable_is_checked_before_it_is_repeated() {
    for (polls, forgetful) in (0..14).flat_map(|polls| [(polls, false), (polls, true)]) {
        let world = World::new();
        let mut tasks = Tasks::default();
        let (task, _) = start(&world, &mut tasks, say("sure:1"));
        world.until(&mut tasks, || !world.tools.calls.borrow().is_empty());
        for _ in 0..polls {
            tasks.poll(task);
        }
        let recorded = world.records("s1").contains(&"tool-finished");
        if !tasks.crash(task) || recorded {
            continue;
        }
        world.tools.forgetful.set(forgetful);
        let happened = world.tools.effects.borrow().len() == 1;
        let turn = world.attach(&world.latest(), None).0.unwrap();
        assert_eq!(world.tools.checks.borrow().len(), 1);
        assert!(world.tools.effects.borrow().values().all(|count| *count == 1));
        let call = &turn.tool_calls[0];
        if forgetful {
            assert!(call.is_error && call.result.as_str().unwrap().contains("cannot tell"));
            assert_eq!(world.tools.calls.borrow().len(), 1);
        } else {
            assert_eq!(call.result, "sure 1 is done");
            assert_eq!(world.tools.calls.borrow().len(), if happened { 1 } else { 2 });
        }
    }
}

#[test]
fn a_call_whose_moment_has_passed_takes_no_effect() {
    // The instance is paused within the call, and another one takes over meanwhile.
    for tool in ["once", "sure", "risky"] {
        let world = World::new();
        let mut tasks = Tasks::default();
        let (_, paused) = start(&world, &mut tasks, say(&format!("{tool}:1|ok")));
        world.until(&mut tasks, || !world.tools.calls.borrow().is_empty());
        world.clock().advance(3_001);
        let turn = world.attach(&world.latest(), None).0.unwrap();
        let effects = world.tools.effects.borrow().clone();
        world.until(&mut tasks, || paused.borrow().is_some());
        assert_eq!(ended(&paused), turn);
        assert_eq!(*world.tools.effects.borrow(), effects, "{tool}");
        assert_eq!(effects.len(), usize::from(tool != "risky"));
        assert_eq!(turn.tool_calls[0].is_error, tool == "risky");
    }
}
