//! Who gets a turn: new and old sessions, repeated requests, crashed and paused instances, failing stores.

use super::world::*;
use crate::port::*;
use crate::turn::*;
use anyturn_state::memory::Fault;
use anyturn_state::{Error, Write};

fn in_session(session: SessionTarget, text: &str) -> TurnRequest {
    TurnRequest { session, ..say(text) }
}

/// Starts a turn on an instance of its own and stops as soon as the model has been asked.
fn start(world: &World, tasks: &mut Tasks, request: TurnRequest) -> (usize, Outcome) {
    let asked = world.model.requests.borrow().len();
    let outcome = Outcome::default();
    let (all, engine, result) = (world.clone(), world.engine(), outcome.clone());
    let task = tasks.spawn(async move {
        let turn = engine.turn(&all, request, &Heard::default()).await;
        result.replace(Some(turn));
    });
    while world.model.requests.borrow().len() == asked {
        assert!(tasks.poll(task), "the turn does not get as far as the model");
    }
    (task, outcome)
}

type Outcome = std::rc::Rc<std::cell::RefCell<Option<Result<Turn, TurnError>>>>;

#[test]
fn a_session_is_there_or_not_as_the_request_requires() {
    let world = World::new();
    let existing = SessionTarget::Existing { id: "s2".into() };
    let new = SessionTarget::New { id: "s2".into() };
    assert_eq!(
        world.turn(in_session(existing.clone(), "a")),
        Err(TurnError::UnknownSession)
    );
    assert!(world.turn(in_session(new.clone(), "b")).is_ok());
    assert_eq!(world.turn(in_session(new, "c")), Err(TurnError::SessionExists));
    assert!(world.turn(in_session(existing.clone(), "d")).is_ok());
    let bob = TurnRequest {
        user: "bob".into(),
        ..in_session(existing, "e")
    };
    assert_eq!(world.turn(bob), Err(TurnError::UnknownSession));
    assert_eq!(world.journal("s2").len(), 6);
}

#[test]
fn a_session_stays_with_its_assistant() {
    let world = World::new();
    world.turn(say("a")).unwrap();
    let chat = TurnRequest {
        assistant: Some("chat".into()),
        ..say_once("k", "b")
    };
    let error = world.turn(chat.clone()).unwrap_err();
    assert_eq!(
        error,
        TurnError::OtherAssistant {
            assistant: "tasks".into()
        }
    );
    // What was refused is no part of the conversation, holds nothing and leaves the key free.
    assert_eq!(world.records("s1")[3..], ["turn-started", "turn-refused"]);
    assert_eq!(world.holder("s1"), "");
    world.turn(say("c")).unwrap();
    let request = world.model.requests.borrow().last().unwrap().clone();
    assert_eq!(request.messages.len(), 4);
    world
        .turn(TurnRequest {
            assistant: Some("tasks".into()),
            ..chat
        })
        .unwrap();
    world.assert_snapshot_is_replay("s1", "tasks");
}

#[test]
fn a_message_that_breaks_a_rule_is_refused_without_a_trace() {
    let world = World::new();
    world.assistant("tasks", "prompt = \"x\"\n[limits]\nmessage_chars = 3");
    let refused = |request| match world.turn(request) {
        Err(TurnError::InvalidMessage(problem)) => problem,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(say(" \n")), "the message is empty");
    assert_eq!(
        refused(TurnRequest {
            message: Vec::new(),
            ..say("")
        }),
        "the message is empty"
    );
    assert_eq!(
        refused(say("four")),
        "the message has 4 characters; tasks takes at most 3"
    );
    let result = ToolResult {
        call_id: "c".into(),
        content: "x".into(),
        is_error: false,
    };
    let message = vec![Part::Text { text: "x".into() }, Part::ToolResult(result)];
    assert_eq!(
        refused(TurnRequest { message, ..say("") }),
        "a message consists of text and images"
    );
    assert!(refused(in_session(SessionTarget::Either { id: "x".repeat(256) }, "x")).contains("255"));
    assert_eq!(
        refused(TurnRequest {
            assistant: None,
            ..say("x")
        }),
        "a new session needs an assistant"
    );
    let unknown = TurnRequest {
        assistant: Some("nobody".into()),
        ..say("x")
    };
    assert_eq!(
        world.turn(unknown),
        Err(TurnError::UnknownAssistant("nobody".into()))
    );
    assert_eq!(world.store.round_trips(), 0);
    // A request that leaves the assistant to the session is checked when the session is known.
    world.turn(say("one")).unwrap();
    let existing = TurnRequest {
        assistant: None,
        ..in_session(SessionTarget::Existing { id: "s1".into() }, "four")
    };
    assert!(refused(existing).contains("at most 3"));
    assert_eq!(world.records("s1").last(), Some(&"turn-refused"));
}

#[test]
fn a_detached_conversation_is_what_the_request_brings_and_cannot_be_gone_on_with() {
    let world = World::new();
    let said = |role, text: &str| Message {
        role,
        parts: vec![Part::Text { text: text.into() }],
    };
    let history = vec![
        said(Role::System, "be brief"),
        said(Role::User, "hi"),
        said(Role::Assistant, "ho"),
    ];
    let detached = SessionTarget::Detached {
        id: "d".into(),
        history: history.clone(),
    };
    let before = world.store.round_trips();
    world.turn(in_session(detached, "and now")).unwrap();
    assert_eq!(world.store.round_trips() - before, 2);
    let request = world.model.requests.borrow().last().unwrap().clone();
    assert_eq!(request.messages[1..4], history);
    assert_eq!(world.snapshot("d").0, None);
    let error = world
        .turn(in_session(SessionTarget::Existing { id: "d".into() }, "more"))
        .unwrap_err();
    assert_eq!(error, TurnError::UnknownSession);
    world.clock().advance(60_000);
    assert_eq!(world.journal("d"), []);
}

#[test]
fn the_same_key_gives_the_same_turn_and_another_request_under_it_is_refused() {
    let world = World::new();
    let id = world.engine().new_session_id("ada", Some("k"));
    assert_eq!(id, world.engine().new_session_id("ada", Some("k")));
    let request = TurnRequest {
        session: SessionTarget::New { id },
        ..say_once("k", "once:1")
    };
    let first = world.turn(request.clone()).unwrap();
    assert_eq!(world.turn(request.clone()).unwrap(), first);
    assert_eq!(world.tools.calls.borrow().len(), 1);
    let other = TurnRequest {
        message: say("once:2").message,
        ..request.clone()
    };
    assert_eq!(world.turn(other), Err(TurnError::KeyReused));
    // Long after, with many turns in between, it is found where it stands.
    let existing = SessionTarget::Existing {
        id: first.session.clone(),
    };
    for n in 0..50 {
        world
            .turn(in_session(existing.clone(), &format!("read:{n}")))
            .unwrap();
    }
    assert_eq!(world.turn(request).unwrap(), first);
}

#[test]
fn another_message_while_a_turn_runs_is_refused_and_names_the_turn() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let (task, outcome) = start(&world, &mut tasks, say("wait:1000 slow"));
    let Err(TurnError::Busy { turn, retry_after }) = world.turn(say("quick")) else {
        panic!()
    };
    assert!(retry_after > 0 && retry_after <= 1000);
    while !tasks.is_empty() {
        if !tasks.poll(task) {
            world.clock().advance(100);
        }
    }
    assert_eq!(outcome.take().unwrap().unwrap().turn, turn);
    assert_eq!(
        world.records("s1"),
        ["turn-started", "model-called", "turn-finished"]
    );
    assert!(world.turn(say("quick")).is_ok());
}

#[test]
fn a_repeated_request_waits_for_the_running_turn() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let (_, first) = start(&world, &mut tasks, say_once("k", "wait:8000 slow"));
    let second = Outcome::default();
    let (all, engine, result) = (world.clone(), world.engine(), second.clone());
    tasks.spawn(async move {
        result.replace(Some(
            engine
                .turn(&all, say_once("k", "wait:8000 slow"), &Heard::default())
                .await,
        ));
    });
    while !tasks.is_empty() {
        if !tasks.poll_any(1) {
            world.clock().advance(100);
        }
    }
    assert_eq!(first.take().unwrap().unwrap(), second.take().unwrap().unwrap());
    assert_eq!(world.model.requests.borrow().len(), 1);
}

#[test]
fn a_repeated_request_does_not_wait_for_ever() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let (task, first) = start(&world, &mut tasks, say_once("k", "wait:100000 slow"));
    let second = Outcome::default();
    let (all, engine, result) = (world.clone(), world.engine(), second.clone());
    let began = world.clock().now();
    let waiting = tasks.spawn(async move {
        result.replace(Some(
            engine
                .turn(&all, say_once("k", "wait:100000 slow"), &Heard::default())
                .await,
        ));
    });
    while second.borrow().is_none() {
        if !tasks.poll(task) && !tasks.poll(waiting) {
            world.clock().advance(100);
        }
    }
    let Some(Err(TurnError::StillRunning { turn, .. })) = second.take() else {
        panic!()
    };
    assert!(world.clock().now() - began >= 60_000);
    while first.borrow().is_none() {
        if !tasks.poll(task) {
            world.clock().advance(100);
        }
    }
    assert_eq!(first.take().unwrap().unwrap().turn, turn);
}

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
    assert_eq!(paused.take(), Some(Err(TurnError::Fenced { turn: turn.turn })));
    assert_eq!((world.journal("s1"), world.snapshot("s1")), (journal, snapshot));
    assert_eq!(world.tools.calls.borrow().len(), 1);
}

#[test]
fn a_new_message_closes_the_turn_of_a_dead_instance_and_keeps_what_it_had_done() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let (task, _) = start(&world, &mut tasks, say_once("k", "risky:1"));
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
            "turn-started",
            "turn-abandoned",
            "model-called",
            "turn-finished"
        ]
    );
    // The model sees a history in which every call has a result and every message an answer.
    let request = world.model.requests.borrow().last().unwrap().clone();
    let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
    use Role::*;
    assert_eq!(roles, [System, User, Assistant, Tool, Assistant, User]);
    let Part::ToolResult(result) = &request.messages[3].parts[0] else {
        panic!()
    };
    assert!(result.is_error && result.content.contains("unknown whether it took effect"));
    world.assert_snapshot_is_replay("s1", "tasks");
    // Its key leads to it for as long as the conversation lives.
    world.turn(say("more")).unwrap();
    let turn = world.turn(say_once("k", "risky:1")).unwrap();
    assert_eq!(turn.state, TurnState::Failed);
    assert_eq!(turn.error.unwrap().kind, crate::FailureKind::Interrupted);
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
        ..in_session(existing, "wait:2500 second")
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
    assert_eq!(
        world.snapshot("s1").0.unwrap()["exchanges"],
        snapshot.unwrap()["exchanges"]
    );
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
    let Err(TurnError::Store(Error::Corrupt(reason))) = world.turn(say("again")) else {
        panic!()
    };
    assert!(
        reason.contains("journal entry 3") && reason.contains("update this instance"),
        "{reason}"
    );
}
