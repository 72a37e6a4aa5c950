//! What survives: crashed and paused instances, failing stores, things that expire.

use super::world::*;
use crate::port::*;
use crate::turn::*;
use anyturn_state::memory::Fault;
use anyturn_state::{Error, Write};

#[test]
fn a_turn_whose_instance_died_is_taken_over_by_its_key_with_what_was_recorded() {
    let world = World::new();
    let mut tasks = Tasks::default();
    // It dies during the second model call: the first one and the tool are in the journal.
    let (task, _) = start(&world, &mut tasks, say_once("k", "on it risky:1|wait:1000 done"));
    while world.model.requests.borrow().len() < 2 {
        tasks.poll(task);
    }
    assert!(tasks.crash(task));
    let began = world.clock().now();
    let (turn, events) = world.turn_with_events(say_once("k", "on it risky:1|wait:1000 done"));
    let turn = turn.unwrap();
    assert_eq!(
        (turn.state, turn.message.content.as_str()),
        (TurnState::Finished, "on it\n\ndone")
    );
    assert_eq!(streamed(&events), turn.message.content);
    assert_eq!(world.tools.calls.borrow().len(), 1);
    assert_eq!(world.model.requests.borrow().len(), 3);
    // Not before the lease has run out, and soon after.
    let took = world.clock().now() - began;
    assert!((3_000..4_200).contains(&took), "{took}");
    assert_eq!(
        world.records("s1"),
        [
            "turn-started",
            "model-called",
            "tool-intended",
            "tool-finished",
            "turn-resumed",
            "model-called",
            "turn-finished"
        ]
    );
}

#[test]
fn a_call_that_was_intended_when_the_instance_died_follows_its_effect_class() {
    for (script, calls, unknown) in [("read:1", 2, false), ("once:1", 2, false), ("risky:1", 1, true)] {
        let world = World::new();
        let mut tasks = Tasks::default();
        let (task, _) = start(&world, &mut tasks, say_once("k", script));
        while world.tools.calls.borrow().is_empty() {
            tasks.poll(task);
        }
        tasks.crash(task);
        let turn = world.turn(say_once("k", script)).unwrap();
        assert_eq!(turn.state, TurnState::Finished);
        assert_eq!(world.tools.calls.borrow().len(), calls, "{script}");
        assert_eq!(turn.tool_calls[0].is_error, unknown);
        let keys: Vec<_> = world
            .tools
            .calls
            .borrow()
            .iter()
            .map(|(_, key)| key.clone())
            .collect();
        assert!(keys.iter().all(|key| *key == keys[0]));
    }
}

#[test]
fn a_paused_instance_finds_its_turn_taken_over_and_writes_nothing() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let (task, paused) = start(&world, &mut tasks, say_once("k", "wait:10 risky:1"));
    world.clock().advance(3_000);
    let turn = world.turn(say_once("k", "wait:10 risky:1")).unwrap();
    let (journal, snapshot) = (world.journal("s1"), world.snapshot("s1"));
    while paused.borrow().is_none() {
        if !tasks.poll(task) {
            world.clock().advance(10);
        }
    }
    // Its listener gets what the other instance came to.
    assert_eq!(paused.take(), Some(Ok(turn)));
    assert_eq!((world.journal("s1"), world.snapshot("s1")), (journal, snapshot));
    assert_eq!(world.tools.calls.borrow().len(), 1);
}

#[test]
fn a_new_message_finishes_the_turn_of_a_dead_instance_first() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let (task, _) = start(&world, &mut tasks, say_once("k", "risky:1|so"));
    while world.tools.calls.borrow().is_empty() {
        tasks.poll(task);
    }
    tasks.crash(task);
    world.clock().advance(3_000);
    world.turn(say("and then")).unwrap();
    assert_eq!(
        world.records("s1"),
        [
            "turn-started",
            "model-called",
            "tool-intended",
            "turn-resumed",
            "tool-finished",
            "model-called",
            "turn-finished",
            "turn-started",
            "model-called",
            "turn-finished"
        ]
    );
    // What may have run is not repeated, and the model is told so.
    assert_eq!(world.tools.calls.borrow().len(), 1);
    let request = world.model.requests.borrow().last().unwrap().clone();
    let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
    use Role::*;
    assert_eq!(roles, [System, User, Assistant, Tool, Assistant, User]);
    let Part::ToolResult(result) = &request.messages[3].parts[0] else {
        panic!()
    };
    assert!(result.is_error && result.content.contains("unknown whether this call took effect"));
    world.assert_snapshot_is_replay("s1", "tasks");
    // Its key leads to it for as long as the conversation lives.
    world.turn(say("more")).unwrap();
    let turn = world.turn(say_once("k", "risky:1|so")).unwrap();
    assert_eq!(
        (turn.state, turn.message.content.as_str()),
        (TurnState::Finished, "so")
    );
    assert_eq!(turn.tool_calls.len(), 1);
}

#[test]
fn an_admission_whose_answer_is_lost_is_found_again() {
    for request in [say("hello"), say_once("k", "hello")] {
        let world = World::new();
        world.store.fail(1, Fault::After);
        assert_eq!(world.turn(request).unwrap().state, TurnState::Finished);
        assert_eq!(
            world.records("s1"),
            ["turn-started", "model-called", "turn-finished"]
        );
    }
}

#[test]
fn a_write_whose_answer_is_lost_is_not_written_twice() {
    // 2: the model's answer and the intention; 3: the tool's answer; 4: the end.
    for (nth, fault) in [
        (2, Fault::Before),
        (2, Fault::After),
        (3, Fault::Before),
        (3, Fault::After),
    ]
    .into_iter()
    .chain([(4, Fault::Before), (4, Fault::After)])
    {
        let world = World::new();
        world.store.fail(nth, fault);
        assert_eq!(
            world.turn(say("once:1")).unwrap().state,
            TurnState::Finished,
            "{nth} {fault:?}"
        );
        assert_eq!(
            world.records("s1"),
            [
                "turn-started",
                "model-called",
                "tool-intended",
                "tool-finished",
                "model-called",
                "turn-finished"
            ]
        );
        assert_eq!(world.tools.calls.borrow().len(), 1);
        world.assert_snapshot_is_replay("s1", "tasks");
    }
}

#[test]
fn a_store_that_is_down_is_an_error_and_the_turn_goes_on_when_it_is_back() {
    let world = World::new();
    world
        .store
        .on_operation(|operation| (operation.number > 1).then_some(Fault::Before));
    let Err(TurnError::Store(Error::Unavailable(_))) = world.turn(say_once("k", "once:1")) else {
        panic!()
    };
    world.store.heal();
    let turn = world.turn(say_once("k", "once:1")).unwrap();
    assert_eq!(turn.state, TurnState::Finished);
    assert_eq!(world.records("s1")[..2], ["turn-started", "turn-resumed"]);
    let dead = World::new();
    dead.store.on_operation(|_| Some(Fault::Before));
    assert!(matches!(
        dead.turn(say("hello")),
        Err(TurnError::Store(Error::Unavailable(_)))
    ));
}

#[test]
fn a_conversation_about_to_expire_is_kept_for_the_turn_that_came_in_time() {
    let world = World::new();
    world.turn(say("first")).unwrap();
    world.clock().advance(5 * 60 * 1000 - 100);
    let existing = SessionTarget::Existing { id: "s1".into() };
    // The request leaves the assistant, and so the time to live, to the session.
    let request = TurnRequest {
        assistant: None,
        session: existing,
        ..say("wait:2500 second")
    };
    assert_eq!(world.turn(request).unwrap().message.content, "second");
    assert_eq!(world.journal("s1").len(), 6);
    world.clock().advance(5 * 60 * 1000);
    assert_eq!(world.journal("s1"), []);
}

#[test]
fn a_journal_without_its_snapshot_is_read_from_its_beginning() {
    let world = World::new();
    for n in 0..60 {
        world.turn(say(&format!("message {n}"))).unwrap();
    }
    let (snapshot, _) = world.snapshot("s1");
    let forget = Write::Delete {
        document: "snapshot".into(),
        expected: anyturn_state::ExpectedVersion::Present,
    };
    world
        .run(anyturn_state::Store::commit(
            &world.store,
            &scope("s1"),
            vec![forget],
            Vec::new(),
        ))
        .unwrap();
    world
        .model
        .failures
        .borrow_mut()
        .push_back(model_error(ModelErrorKind::Unavailable));
    world.turn(say("one more")).unwrap();
    let (again, _) = world.snapshot("s1");
    assert_eq!(again.unwrap().encode(), snapshot.unwrap().encode());
}

#[test]
fn a_journal_of_a_later_version_is_refused_by_name() {
    let world = World::new();
    world.turn(say("hello")).unwrap();
    let append = Write::Append {
        journal: "turns".into(),
        expected: anyturn_state::ExpectedLength::Any,
        entries: vec![br#"{"v":2,"at":1,"turn":"t","what":{"gate-opened":{}}}"#.to_vec()],
        ttl: None,
    };
    world
        .run(anyturn_state::Store::commit(
            &world.store,
            &scope("s1"),
            vec![append],
            Vec::new(),
        ))
        .unwrap();
    let Err(refused @ TurnError::LaterVersion(_)) = world.turn(say("again")) else {
        panic!()
    };
    let reason = refused.to_string();
    assert!(
        reason.contains("journal entry 3") && reason.contains("update this instance"),
        "{reason}"
    );
}

#[test]
fn an_admission_that_went_unanswered_for_too_long_is_answered_once() {
    let world = World::new();
    world.turn(say("before")).unwrap();
    world.store.fail(1, Fault::After);
    let mut tasks = Tasks::default();
    let (all, engine, outcome) = (world.clone(), world.engine(), Outcome::default());
    let result = outcome.clone();
    let task = tasks.spawn(async move {
        result.replace(Some(engine.turn(&all, say("hello"), &Heard::default()).await));
    });
    // Its lease runs out, and another turn comes and goes, before it learns that it was not answered.
    let before = world.store.round_trips();
    while world.store.round_trips() == before {
        tasks.poll(task);
    }
    assert_eq!(world.records("s1").len(), 4);
    world.clock().advance(3_000);
    world.turn(say("quick")).unwrap();
    while !tasks.is_empty() {
        assert!(tasks.poll(task));
    }
    let turn = outcome.take().unwrap().unwrap();
    assert_eq!(turn.message.content, "hello");
    let journal = world.journal("s1");
    let own: Vec<&str> = journal
        .iter()
        .filter(|e| e.turn == turn.turn)
        .map(|e| name(&e.what))
        .collect();
    // The other message has seen to it that it was answered first.
    assert_eq!(
        own,
        ["turn-started", "turn-resumed", "model-called", "turn-finished"]
    );
    let said = journal.iter().filter(|e| name(&e.what) == "turn-started").count();
    assert_eq!(said, 3);
    world.assert_snapshot_is_replay("s1", "tasks");
}

#[test]
fn the_end_of_a_turn_is_written_with_all_that_belongs_to_it_or_not_at_all() {
    // Renewals of the lease come due at every moment, and the instance dies at every later one.
    for (first, between) in (0..20).flat_map(|first| (0..8).map(move |between| (first, between))) {
        for polls in 0..16 {
            let world = World::new();
            let mut tasks = Tasks::default();
            let (task, _) = start(&world, &mut tasks, say_once("k", "risky:1|ok"));
            for polls in [first, between, polls] {
                (0..polls).for_each(|_| {
                    tasks.poll(task);
                });
                world.clock().advance(1_000);
            }
            tasks.crash(task);
            let ended = world.records("s1").contains(&"turn-finished");
            assert_eq!(
                ended,
                world.snapshot("s1").0.is_some(),
                "{first} {between} {polls}"
            );
        }
    }
}
