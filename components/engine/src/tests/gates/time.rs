//! Gates and time: what nobody decides, and what lasts.

use super::*;

#[test]
fn a_gate_that_nobody_decides_in_time_counts_as_denied() {
    let world = world();
    let (_, gate) = open(&world, "burn:1|pity");
    world.clock().advance(15 * 60 * 1000 + 1);
    let outcome = decide(&world, ada(), &gate, approve()).unwrap();
    assert_eq!(outcome.gate.state, GateState::Expired);
    assert_eq!(outcome.turn.unwrap().message.content, "pity");
    assert_eq!(
        told(&world),
        ["This call was not made: nobody allowed it in time."]
    );
    assert!(world.tools.calls.borrow().is_empty());
    let [entry] = &audit(&world)[..] else { panic!() };
    assert_eq!((entry.action, &entry.by), (AuditAction::Expired, &None));
    assert_eq!(
        decide(&world, ada(), &gate, approve()).unwrap().gate.state,
        GateState::Expired
    );
}

#[test]
fn a_conversation_lives_until_its_gates_have_expired() {
    let world = world();
    let (_, gate) = open(&world, "burn:1");
    world.turn(say("meanwhile")).unwrap();
    world.clock().advance(14 * 60 * 1000);
    assert!(decide(&world, ada(), &gate, approve()).is_ok());
    assert_eq!(world.tools.called(), ["burn"]);
}

#[test]
fn an_instance_that_was_paused_past_the_expiry_approves_nothing() {
    let world = world();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[gates]\nexpire_after = \"1m\"\n[session]\nttl = \"1h\"\n[[tools]]\nserver = \"s\"",
    );
    let (_, gate) = open(&world, "burn:1|pity");
    let mut tasks = Tasks::default();
    let (all, engine, outcome) = (
        world.clone(),
        world.engine(),
        std::rc::Rc::new(std::cell::RefCell::new(None)),
    );
    let (asked, result) = (request(ada(), &gate, approve()), outcome.clone());
    let task = tasks.spawn(async move {
        result.replace(Some(engine.decide(&all, asked, &Heard::default()).await));
    });
    // It has seen that the gate is open, and then sleeps.
    let before = world.store.round_trips();
    while world.store.round_trips() == before {
        tasks.poll(task);
    }
    world.clock().advance(60_001);
    while !tasks.is_empty() {
        if !tasks.poll(task) {
            world.clock().advance(10);
        }
    }
    let outcome = outcome.take().unwrap().unwrap();
    assert_eq!(outcome.gate.state, GateState::Expired);
    assert!(world.tools.calls.borrow().is_empty());
}

#[test]
fn whoever_touches_the_conversation_closes_what_has_expired() {
    let world = world();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[gates]\nexpire_after = \"1m\"\n[session]\nttl = \"1h\"\n[[tools]]\nserver = \"s\"",
    );
    // The next message goes on without it.
    let turn = world.turn(say_once("k", "burn:1 erase:2|pity")).unwrap();
    world.clock().advance(60_001);
    let shown = world
        .run(world.engine().session("ada", "s1", Page::default()))
        .unwrap()
        .unwrap();
    assert!(shown.gates.is_empty());
    assert_eq!(world.turn(say("yes")).unwrap().message.content, "yes");
    assert!(world.tools.calls.borrow().is_empty());
    let closed = world.run(world.engine().report("ada", "s1", &turn.turn)).unwrap();
    assert_eq!(
        (closed.state, closed.error.unwrap().kind),
        (TurnState::Failed, FailureKind::Expired)
    );
    assert!(closed.gates.iter().all(|gate| gate.state == GateState::Expired));
    assert_eq!(audit(&world).len(), 2);
    assert_eq!(
        decide(&world, ada(), &turn.gates[0], approve())
            .unwrap()
            .gate
            .state,
        GateState::Expired
    );
    world.assert_snapshot_is_replay("s1", "tasks");
    // The same request again lets the model say so.
    let turn = world.turn(say_once("l", "burn:1|pity")).unwrap();
    world.clock().advance(60_001);
    let again = world.turn(say_once("l", "burn:1|pity")).unwrap();
    assert_eq!(
        (again.turn.as_str(), again.message.content.as_str()),
        (turn.turn.as_str(), "pity")
    );
    assert!(world.tools.calls.borrow().is_empty());
}
