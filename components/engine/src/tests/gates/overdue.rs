//! Gates that expire while nobody asks: the sweep writes down what time has decided.

use super::*;
use crate::Swept;

fn report(world: &World, turn: &str) -> Turn {
    world.run(world.engine().report("ada", "s1", turn)).unwrap()
}

/// Waits until a minute after now has passed, and sweeps until there is nothing left to look at.
fn sweep_past_the_expiry(world: &World) -> Swept {
    let end = world.clock().now() + 75_000;
    let mut swept = Swept::default();
    while world.clock().now() < end {
        world.clock().advance(1_000);
        swept += world.sweep();
    }
    swept
}

#[test]
fn what_nobody_decides_in_time_is_written_down_although_nobody_asks() {
    let world = brief();
    world.enter("s1");
    let (turn, _) = open(&world, "burn:1 pay:2|pity");
    world.clock().advance(7_000);
    let looked = Swept {
        looked: 1,
        waiting: 1,
        ..Swept::default()
    };
    assert_eq!(world.sweep(), looked);
    // Nobody looks again before somebody has to.
    world.clock().advance(50_000);
    assert_eq!(world.sweep(), Swept::default());
    let asked = world.model.requests.borrow().len();
    world.clock().advance(5_000);
    let shown = report(&world, &turn.turn);
    let before = world.store.round_trips();
    let swept = world.sweep();
    assert_eq!((swept.looked, swept.taken_over, swept.failed), (1, 1, 0));
    // The shards and the conversation; the register; then the state, the time, the conversation, the commit, and the
    // list of what waits for managers.
    assert_eq!(world.store.round_trips() - before, 16 + 1 + 1 + 5);
    // Whoever reads sees what they saw before; now it is audited, and on no list.
    let closed = report(&world, &turn.turn);
    assert_eq!((closed.state, &closed.error), (shown.state, &shown.error));
    assert_eq!(closed.error.as_ref().unwrap().kind, FailureKind::Expired);
    let states = |turn: &Turn| turn.gates.iter().map(|gate| gate.state).collect::<Vec<_>>();
    assert_eq!(states(&closed), states(&shown));
    let actions: Vec<_> = audit(&world).iter().map(|entry| entry.action).collect();
    assert_eq!(actions, [AuditAction::Expired, AuditAction::Expired]);
    // No model was asked and no tool was called, and there is nothing to come back for.
    assert_eq!(world.model.requests.borrow().len(), asked);
    assert!(world.tools.calls.borrow().is_empty());
    let journal = world.journal("s1");
    let swept = sweep_past_the_expiry(&world);
    assert_eq!((swept.looked, swept.settled), (1, 1));
    assert_eq!(world.journal("s1"), journal);
    world.assert_snapshot_is_replay("s1", "tasks");
}

#[test]
fn a_turn_that_was_closed_goes_on_without_the_calls_when_somebody_asks_for_it() {
    for way in 0..3 {
        let world = brief();
        world.enter("s1");
        let turn = world.turn(say_once("k", "burn:1|pity")).unwrap();
        sweep_past_the_expiry(&world);
        assert!(report(&world, &turn.turn).error.unwrap().retryable);
        let gone_on = match way {
            0 => world.attach(&turn.turn, None).0.unwrap(),
            1 => world.turn(say_once("k", "burn:1|pity")).unwrap(),
            _ => {
                let outcome = decide(&world, ada(), &turn.gates[0], approve()).unwrap();
                assert_eq!(outcome.gate.state, GateState::Expired);
                outcome.turn.unwrap()
            }
        };
        assert_eq!(
            (gone_on.turn.as_str(), gone_on.message.content.as_str()),
            (turn.turn.as_str(), "pity"),
            "{way}"
        );
        assert_eq!(
            told(&world),
            ["This call was not made: nobody allowed it in time."],
            "{way}"
        );
        assert!(world.tools.calls.borrow().is_empty());
        let (_, all) = world.attach(&turn.turn, None);
        assert_heard(&all, &[]);
        assert_eq!(audit(&world).len(), 1);
    }
}

#[test]
fn of_turns_that_wait_each_is_closed_in_its_time_and_what_others_followed_is_over() {
    let world = brief();
    world.enter("s1");
    let (first, _) = open(&world, "burn:1|pity");
    world.clock().advance(30_000);
    let (second, _) = open(&world, "burn:2|pity");
    world.turn(say("meanwhile")).unwrap();
    world.clock().advance(25_000);
    while audit(&world).is_empty() {
        world.clock().advance(1_000);
        world.sweep();
    }
    assert_eq!(report(&world, &second.turn).state, TurnState::Waiting);
    while audit(&world).len() < 2 {
        world.clock().advance(1_000);
        world.sweep();
    }
    for turn in [first, second] {
        let closed = report(&world, &turn.turn);
        let error = closed.error.unwrap();
        assert_eq!((error.kind, error.retryable), (FailureKind::Expired, false));
        let (_, all) = world.attach(&turn.turn, None);
        assert_eq!(names(&all[all.len() - 2..]), ["gate.decided", "turn.failed"]);
    }
}

#[test]
fn what_was_decided_needs_no_more_looks() {
    let world = brief();
    world.enter("s1");
    let (_, gate) = open(&world, "burn:1|burnt");
    world.clock().advance(7_000);
    assert_eq!(world.sweep().waiting, 1);
    decide(&world, ada(), &gate, approve()).unwrap();
    world.clock().advance(7_000);
    assert_eq!(world.sweep().settled, 1);
    assert_eq!(sweep_past_the_expiry(&world), Swept::default());
    assert_eq!(audit(&world).len(), 1);
    // What a message has closed is looked at once more, to find that there is nothing to do.
    let (_, _) = open(&world, "burn:2|pity");
    world.clock().advance(60_001);
    world.turn(say("something else")).unwrap();
    world.enter("s1");
    let journal = world.journal("s1");
    let swept = sweep_past_the_expiry(&world);
    assert_eq!((swept.taken_over, swept.settled, swept.failed), (1, 1, 0));
    assert_eq!((world.journal("s1"), audit(&world).len()), (journal, 2));
}

#[test]
fn a_decision_and_the_sweep_at_the_same_time_give_one_of_the_two() {
    let mut ways = std::collections::BTreeSet::new();
    for polls in 0..60 {
        let world = brief();
        world.enter("s1");
        let (turn, gate) = open(&world, "burn:1|over");
        world
            .clock()
            .advance(60_000 - (world.clock().now() - gate.created_at.0));
        let mut tasks = Tasks::default();
        let (all, engine) = (world.clone(), world.engine());
        let asked = request(ada(), &gate, approve());
        let deciding = tasks.spawn(async move {
            let _ = engine.decide(&all, asked, &Heard::default()).await;
        });
        for _ in 0..polls {
            tasks.poll(deciding);
        }
        // A moment too late.
        world.clock().advance(10);
        let (all, engine) = (world.clone(), world.engine());
        tasks.spawn(async move {
            engine.sweep(&all, 100).await.unwrap();
        });
        while !tasks.is_empty() {
            if !tasks.poll_any(polls) {
                world.clock().advance(10);
            }
        }
        let decided = report(&world, &turn.turn).gates[0].state;
        let called = world.tools.called().len();
        assert_eq!(called, usize::from(decided == GateState::Approved), "{polls}");
        assert_eq!(audit(&world).len(), 1, "{polls}");
        world.assert_snapshot_is_replay("s1", "tasks");
        ways.insert(format!("{decided:?}"));
    }
    assert_eq!(ways.len(), 2, "{ways:?}");
}
