//! What is not asked: because it was allowed for good, because nobody can be, or because it must not run.

use super::*;

#[test]
fn a_tool_can_be_allowed_for_the_rest_of_the_conversation_where_the_assistant_permits() {
    let world = world();
    let always = Decision {
        always: true,
        ..approve()
    };
    let (_, burn) = open(&world, "burn:1");
    assert!(matches!(
        decide(&world, ada(), &burn, always.clone()),
        Err(DecideError::InvalidDecision(_))
    ));
    let (turn, _) = open(&world, "erase:2|erase:3|done");
    assert!(turn.gates[0].allow_always && !burn.allow_always);
    let done = decide(&world, ada(), &turn.gates[0], always)
        .unwrap()
        .turn
        .unwrap();
    assert_eq!(done.state, TurnState::Finished);
    assert_eq!(world.turn(say("erase:4")).unwrap().state, TurnState::Finished);
    assert_eq!(world.tools.called(), ["erase", "erase", "erase"]);
    // Not in another conversation, and no other tool.
    let elsewhere = TurnRequest {
        session: SessionTarget::New { id: "s2".into() },
        ..say("erase:5")
    };
    assert_eq!(world.turn(elsewhere).unwrap().state, TurnState::Waiting);
    assert_eq!(world.turn(say("burn:6")).unwrap().state, TurnState::Waiting);
    world.turn(say("more")).unwrap();
    world.assert_snapshot_is_replay("s1", "tasks");
    assert!(audit(&world)[0].always);
    // The assistant takes its permission back.
    world.assistant("tasks", "prompt = \"x\"\n[[tools]]\nserver = \"s\"");
    assert_eq!(world.turn(say("erase:7")).unwrap().state, TurnState::Waiting);
}

#[test]
fn where_nobody_can_be_asked_a_risky_call_is_not_made() {
    let world = world();
    let detached = TurnRequest {
        session: SessionTarget::Detached {
            id: "s1".into(),
            history: Vec::new(),
        },
        ..say("burn:1|sorry")
    };
    let turn = world.turn(detached).unwrap();
    assert_eq!((turn.state, turn.gates.len()), (TurnState::Finished, 0));
    assert!(told(&world)[0].contains("somebody would have to allow it first"));
    assert!(world.tools.calls.borrow().is_empty());
}

#[test]
fn a_tool_that_the_assistant_lost_does_not_run_although_it_was_approved() {
    let world = world();
    let (_, gate) = open(&world, "burn:1|pity");
    world.assistant("tasks", "prompt = \"x\"\n[[tools]]\nserver = \"other\"");
    decide(&world, ada(), &gate, approve()).unwrap();
    assert_eq!(
        told(&world),
        ["This call was not made: the assistant does not have the tool any more."]
    );
    assert!(world.tools.calls.borrow().is_empty());
}

#[test]
fn arguments_that_are_not_those_decided_on_never_run() {
    let world = world();
    let (_, gate) = open(&world, "burn:1");
    // Somebody writes to the store behind the engine's back.
    let mut entries = world.journal("s1");
    let Record::GateOpened(opened) = &mut entries[2].what else {
        panic!()
    };
    opened.arguments = json!({"n": 666});
    let bytes = entries.iter().map(|entry| entry.encode().unwrap()).collect();
    let forged = vec![
        Write::DeleteJournal("turns".into()),
        Write::Append {
            journal: "turns".into(),
            expected: anyturn_state::ExpectedLength::Any,
            entries: bytes,
            ttl: None,
        },
    ];
    world
        .run(world.store.commit(&scope("s1"), forged, Vec::new()))
        .unwrap();
    let refused = decide(&world, ada(), &gate, approve());
    assert!(
        matches!(
            refused,
            Err(DecideError::Turn(TurnError::Store(
                anyturn_state::Error::Corrupt(_)
            )))
        ),
        "{refused:?}"
    );
    assert!(world.tools.calls.borrow().is_empty());
}

#[test]
fn a_turn_that_waits_can_be_stopped_and_then_nothing_of_it_can_be_approved() {
    let world = world();
    let (turn, gate) = open(&world, "once:1 burn:2|done");
    world.turn(say("meanwhile")).unwrap();
    let stop = |turn: String| {
        let engine = world.engine();
        world
            .run(async { engine.stop("ada", "s1", &turn, &world).await })
            .unwrap()
    };
    assert_eq!(
        stop(turn.turn.clone()),
        crate::Stopping::Ended(TurnState::Stopped)
    );
    assert_eq!(
        stop(turn.turn.clone()),
        crate::Stopping::Ended(TurnState::Stopped)
    );
    let outcome = decide(&world, ada(), &gate, approve()).unwrap();
    assert_eq!(
        (outcome.gate.state, outcome.turn.unwrap().state),
        (GateState::Dropped, TurnState::Stopped)
    );
    assert_eq!(world.tools.called(), ["once"]);
    let [entry] = &audit(&world)[..] else { panic!() };
    assert_eq!(entry.action, AuditAction::Dropped);
    world.assert_snapshot_is_replay("s1", "tasks");
}
