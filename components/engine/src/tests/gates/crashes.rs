//! Crashes and failures between a decision and what it decides.

use super::*;

#[test]
fn a_crash_between_the_decision_and_the_call_loses_neither_and_doubles_neither() {
    // The instance that decides dies at every point; another one goes on.
    for polls in 0..60 {
        for tool in ["burn", "erase"] {
            let world = world();
            let turn = world.turn(say_once("k", &format!("{tool}:1|done"))).unwrap();
            let mut tasks = Tasks::default();
            let (all, engine) = (world.clone(), world.engine());
            let asked = request(ada(), &turn.gates[0], approve());
            let task = tasks.spawn(async move {
                let _ = engine.decide(&all, asked, &Heard::default()).await;
            });
            (0..polls).for_each(|_| {
                tasks.poll(task);
            });
            tasks.crash(task);
            let decided = world.records("s1").contains(&"gate-decided");
            assert_eq!(decided, !audit(&world).is_empty());
            world.clock().advance(3_000);
            // Whoever comes: the same decision, if it was not taken.
            let outcome = decide(&world, ada(), &turn.gates[0], approve()).unwrap();
            let done = outcome.turn.unwrap();
            assert_eq!(done.state, TurnState::Finished, "{polls}");
            assert_eq!(audit(&world).len(), 1);
            // What must not be repeated ran once, or it was not known whether it had; what may be took effect once.
            let calls = world.tools.calls.borrow();
            let effects = world.tools.effects.borrow();
            assert!(tool == "erase" || calls.len() <= 1, "{polls}: {calls:?}");
            assert!(tool == "burn" || effects.len() == 1, "{polls}: {calls:?}");
            assert!(effects.values().all(|times| *times == 1));
            let arguments = world.tools.arguments.borrow();
            assert!(
                arguments
                    .iter()
                    .all(|(_, arguments)| *arguments == json!({"n": 1}))
            );
            drop((calls, effects));
            world.assert_snapshot_is_replay("s1", "tasks");
        }
    }
}

#[test]
fn a_store_that_answers_late_or_never_leaves_one_decision() {
    for at in 1..12 {
        for fault in [Fault::Before, Fault::After] {
            let world = world();
            let (_, gate) = open(&world, "burn:1|done");
            let before = world.store.round_trips();
            world
                .store
                .on_operation(move |operation| (operation.number == before + at).then_some(fault));
            let first = decide(&world, ada(), &gate, approve());
            world.store.heal();
            world.clock().advance(3_000);
            let done = decide(&world, ada(), &gate, approve()).unwrap().turn.unwrap();
            assert_eq!(done.state, TurnState::Finished, "{at} {fault:?}");
            if let Ok(first) = first {
                assert_eq!(first.turn.unwrap().turn, done.turn);
            }
            assert_eq!(audit(&world).len(), 1);
            assert_eq!(world.tools.called(), ["burn"], "{at} {fault:?}");
        }
    }
}

#[test]
fn a_yes_that_the_store_answers_late_is_not_also_a_message() {
    for at in 1..12 {
        for fault in [Fault::Before, Fault::After] {
            let world = world();
            let turn = world.turn(say("burn:1 pay:2|done")).unwrap();
            let before = world.store.round_trips();
            world
                .store
                .on_operation(move |operation| (operation.number == before + at).then_some(fault));
            let answered = world.turn(say("yes"));
            world.store.heal();
            match answered {
                Ok(answered) => {
                    assert_eq!(
                        (answered.turn, answered.state),
                        (turn.turn.clone(), TurnState::Waiting),
                        "{at} {fault:?}"
                    );
                }
                Err(error) => assert!(matches!(error, TurnError::Store(_)), "{error}"),
            }
            let decided = world
                .records("s1")
                .iter()
                .filter(|name| **name == "gate-decided")
                .count();
            assert!(decided <= 1);
            assert_eq!(
                world
                    .records("s1")
                    .iter()
                    .filter(|name| **name == "turn-started")
                    .count(),
                1
            );
        }
    }
}

#[test]
fn gates_are_told_to_a_listener_who_comes_late() {
    let world = world();
    let (turn, gate) = open(&world, "hm burn:1|done");
    let sink = Heard::default();
    let attach = |sink: &Heard, after| {
        let engine = world.engine();
        world
            .run(async { engine.attach("ada", "s1", &turn.turn, after, &world, sink).await })
            .unwrap()
    };
    assert_eq!(attach(&sink, None).state, TurnState::Waiting);
    let names: Vec<_> = sink.0.borrow().iter().map(|event| event.kind.name()).collect();
    assert_eq!(
        names,
        ["turn.started", "text.delta", "gate.opened", "turn.waiting"]
    );
    let last = sink.0.borrow().last().unwrap().id.clone();
    decide(&world, ada(), &gate, approve()).unwrap();
    // Who goes on listening from there hears what followed, and nothing twice.
    let sink = Heard::default();
    assert_eq!(attach(&sink, Some(last)).state, TurnState::Finished);
    let names: Vec<_> = sink.0.borrow().iter().map(|event| event.kind.name()).collect();
    assert_eq!(
        names,
        [
            "turn.resumed",
            "gate.decided",
            "tool.started",
            "tool.finished",
            "text.delta",
            "turn.finished"
        ]
    );
    let EventKind::GateDecided(told) = &sink.0.borrow()[1].kind else {
        panic!()
    };
    assert_eq!(
        (told.id.as_str(), told.state),
        (gate.id.as_str(), GateState::Approved)
    );
}

#[test]
fn a_turn_whose_instance_died_after_the_decision_is_found_by_the_sweep() {
    let mut found = 0;
    for polls in 0..60 {
        let world = world();
        let (turn, gate) = open(&world, "erase:1|done");
        world.clock().advance(60_000);
        world.sweep();
        let mut tasks = Tasks::default();
        let (all, engine) = (world.clone(), world.engine());
        let asked = request(ada(), &gate, approve());
        let task = tasks.spawn(async move {
            let _ = engine.decide(&all, asked, &Heard::default()).await;
        });
        (0..polls).for_each(|_| {
            tasks.poll(task);
        });
        let died = tasks.crash(task);
        if !died || !world.records("s1").contains(&"gate-decided") {
            continue;
        }
        world.clock().advance(10_000);
        found += world.sweep().taken_over;
        let done = world.run(world.engine().report("ada", "s1", &turn.turn)).unwrap();
        assert_eq!(done.state, TurnState::Finished, "{polls}");
        assert!(world.tools.effects.borrow().values().all(|times| *times == 1));
    }
    assert!(found > 3, "{found}");
}
