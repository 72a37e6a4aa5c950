//! Who gets a turn: new and old sessions, messages at the same time, repeated requests.

use super::world::*;
use crate::port::*;
use crate::turn::*;

fn in_session(session: SessionTarget, text: &str) -> TurnRequest {
    TurnRequest { session, ..say(text) }
}

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
