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

fn shown(world: &World) -> crate::session::Session {
    let session = world.run(world.engine().session("ada", "s1", Page::default()));
    session.unwrap().unwrap()
}

#[test]
fn an_expired_gate_is_shown_as_such_before_anybody_has_touched_it() {
    let world = brief();
    let (turn, _) = open(&world, "burn:1 pay:2|pity");
    world.clock().advance(60_001);
    let journal = world.journal("s1");
    let report = world.run(world.engine().report("ada", "s1", &turn.turn)).unwrap();
    assert!(report.gates.iter().all(|gate| gate.state == GateState::Expired));
    let error = report.error.clone().unwrap();
    assert_eq!(
        (report.state, error.kind, error.retryable),
        (TurnState::Failed, FailureKind::Expired, true)
    );
    let session = shown(&world);
    assert!(session.gates.is_empty());
    let answer = session.messages.last().unwrap();
    assert_eq!(answer.state, TurnState::Failed);
    assert!(answer.gates.iter().all(|gate| gate.state == GateState::Expired));
    let approvals = world.run(world.engine().approvals(&bob(), 0, 0)).unwrap();
    assert!(approvals.0.is_empty());
    // Reading has written nothing; asked for again, the turn goes on where it waited.
    assert_eq!(world.journal("s1"), journal);
    let (gone_on, _) = world.attach(&turn.turn, None);
    assert_eq!(gone_on.unwrap().message.content, "pity");
}

#[test]
fn of_several_gates_those_that_are_open_are_waited_for() {
    let world = brief();
    let (turn, _) = open(&world, "burn:1|pity");
    world.clock().advance(30_000);
    let (later, gate) = open(&world, "burn:2|pity");
    world.clock().advance(30_001);
    let state = |turn: &Turn| {
        let report = world.run(world.engine().report("ada", "s1", &turn.turn)).unwrap();
        (report.state, report.gates[0].state)
    };
    assert_eq!(state(&turn), (TurnState::Failed, GateState::Expired));
    assert_eq!(state(&later), (TurnState::Waiting, GateState::Open));
    assert_eq!(shown(&world).gates, [gate]);
}

#[test]
fn whether_a_gate_has_expired_is_told_by_the_stores_clock_alone() {
    for skew in [-120_000, 120_000] {
        let world = brief();
        let (turn, gate) = open(&world, "burn:1 pay:3|pity");
        world.skew.set(skew);
        world.clock().advance(30_000);
        // Half of its time has passed, whatever this instance thinks.
        let report = |world: &World| world.run(world.engine().report("ada", "s1", &turn.turn)).unwrap();
        assert_eq!(report(&world).state, TurnState::Waiting, "{skew}");
        assert_eq!(shown(&world).gates.len(), 2, "{skew}");
        let approvals = |world: &World| world.run(world.engine().approvals(&bob(), 0, 0)).unwrap().0.len();
        assert_eq!(approvals(&world), 1, "{skew}");
        assert_eq!(
            world.attach(&turn.turn, None).0.unwrap().state,
            TurnState::Waiting,
            "{skew}"
        );
        let decided = decide(&world, ada(), &gate, approve()).unwrap();
        assert_eq!(decided.gate.state, GateState::Approved, "{skew}");
        world.clock().advance(30_001);
        assert_eq!(report(&world).gates[1].state, GateState::Expired, "{skew}");
        assert_eq!((shown(&world).gates.len(), approvals(&world)), (0, 0), "{skew}");
        // A message that comes now closes it.
        world.turn(say("meanwhile")).unwrap();
        assert_eq!(report(&world).gates[1].decided.as_ref().unwrap().by, None);
    }
}

#[test]
fn a_message_of_an_instance_whose_clock_is_ahead_closes_no_gate_that_is_open() {
    let world = brief();
    let (turn, gate) = open(&world, "burn:1|burnt");
    world.skew.set(120_000);
    world.turn(say("meanwhile")).unwrap();
    let outcome = decide(&world, ada(), &gate, approve()).unwrap();
    assert_eq!(
        (outcome.gate.state, outcome.turn.unwrap().turn),
        (GateState::Approved, turn.turn)
    );
    assert_eq!(world.tools.called(), ["burn"]);
}

#[test]
fn a_listener_hears_that_a_turn_which_waited_was_given_up() {
    let world = brief();
    let (turn, before) = world.turn_with_events(say("burn:1|pity"));
    let turn = turn.unwrap();
    let last = before.last().unwrap().id.clone();
    // Nothing is new while it waits.
    assert!(world.attach(&turn.turn, Some(last.clone())).1.is_empty());
    world.clock().advance(60_001);
    world.turn(say("something else")).unwrap();
    let (ended, after) = world.attach(&turn.turn, Some(last));
    let ended = ended.unwrap();
    assert_eq!(
        (ended.state, ended.error.as_ref().unwrap().kind),
        (TurnState::Failed, FailureKind::Expired)
    );
    assert_eq!(names(&after), ["gate.decided", "turn.failed"]);
    let EventKind::GateDecided(gate) = &after[0].kind else {
        panic!()
    };
    assert_eq!(gate.state, GateState::Expired);
    assert_heard(&after, &before[..before.len() - 1]);
    // Whoever comes back after any of these hears the rest, and everybody hears the same.
    let (_, rest) = world.attach(&turn.turn, Some(after[0].id.clone()));
    assert_eq!(rest, after[1..]);
    assert!(world.attach(&turn.turn, Some(after[1].id.clone())).1.is_empty());
    let (_, all) = world.attach(&turn.turn, None);
    assert_eq!(all[all.len() - 2..], after[..]);
    assert_heard(&all, &[]);
}

#[test]
fn a_call_that_does_not_run_is_told_with_its_server_and_title() {
    let world = brief();
    let (turn, _) = open(&world, "burn:1|pity");
    world.clock().advance(60_001);
    let (_, heard) = world.attach(&turn.turn, None);
    let started: Vec<_> = heard
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ToolStarted(started) => Some((started.server.as_str(), started.title.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(started, [("s", "BURN")]);
}

#[test]
fn a_turn_of_which_all_gates_have_expired_can_be_stopped() {
    let world = brief();
    let (turn, _) = open(&world, "burn:1|pity");
    world.clock().advance(60_001);
    assert_eq!(
        world.stop(&turn.turn),
        Ok(crate::Stopping::Ended(TurnState::Stopped))
    );
}

#[test]
fn large_gates_are_decided_together_and_closed_as_far_as_one_commit_takes_them() {
    let world = brief();
    let script = format!("{}|done", ["burn:1x60000"; 16].join(" "));
    let (turn, _) = open(&world, &script);
    assert_eq!(turn.gates.len(), 16);
    // One word decides all of them.
    let denied = world.turn(say("no")).unwrap();
    assert_eq!((denied.state, audit(&world).len()), (TurnState::Finished, 16));
    let turns = [open(&world, &script).0, open(&world, &script).0];
    world.clock().advance(60_001);
    let closed = |turn: &Turn| {
        let report = world.run(world.engine().report("ada", "s1", &turn.turn)).unwrap();
        !report.error.unwrap().retryable
    };
    world.turn(say("one")).unwrap();
    assert_eq!(turns.each_ref().map(closed), [true, false]);
    world.turn(say("two")).unwrap();
    assert_eq!(turns.each_ref().map(closed), [true, true]);
    assert_eq!(audit(&world).len(), 3 * 16);
}
