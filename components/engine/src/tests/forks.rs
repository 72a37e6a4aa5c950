//! Forks: the past of another conversation, and nothing else of it.

use super::world::*;
use crate::gate::*;
use crate::port::*;
use crate::session::fork::*;
use crate::session::{Origin, Page, Session};
use crate::turn::*;
use crate::undo::*;
use anyturn_state::memory::Fault;
use anyturn_state::{ExpectedVersion, Store, Write};

fn request(turn: &Turn, before: bool) -> ForkRequest {
    ForkRequest {
        user: "ada".into(),
        session: turn.session.clone(),
        turn: turn.turn.clone(),
        before,
        fork: "s2".into(),
    }
}

fn fork(world: &World, turn: &Turn, before: bool) -> Result<crate::SessionHead, ForkError> {
    world.run(world.engine().fork(request(turn, before)))
}

fn in_fork(text: &str) -> TurnRequest {
    TurnRequest {
        session: SessionTarget::Existing { id: "s2".into() },
        assistant: None,
        ..say(text)
    }
}

fn session(world: &World, id: &str) -> Session {
    world
        .run(world.engine().session("ada", id, Page::default()))
        .unwrap()
        .unwrap()
}

fn said(session: &Session) -> Vec<String> {
    session
        .messages
        .iter()
        .map(|message| message.content.clone())
        .collect()
}

/// What the model saw in its last call, without the prompt.
fn seen(world: &World) -> Vec<String> {
    let messages = world.model.requests.borrow().last().unwrap().messages.clone();
    messages
        .iter()
        .skip(1)
        .map(text)
        .filter(|text| !text.is_empty())
        .collect()
}

#[test]
fn a_fork_has_the_past_up_to_a_turn() {
    let world = World::new();
    let turns: Vec<Turn> = ["one", "once:2|two", "three"]
        .into_iter()
        .map(|text| world.turn(say(text)).unwrap())
        .collect();
    let origin = world.journal("s1");
    let head = fork(&world, &turns[1], false).unwrap();
    assert_eq!(
        (
            head.session.as_str(),
            head.assistant.as_str(),
            head.title.as_str()
        ),
        ("s2", "tasks", "one")
    );
    let forked = session(&world, "s2");
    assert_eq!(said(&forked), ["one", "one", "once:2|two", "two"]);
    assert_eq!((forked.before, forked.head.title.as_str()), (None, "one"));
    let origin_of = Origin {
        session: "s1".into(),
        turn: turns[1].turn.clone(),
    };
    assert_eq!(forked.origin, Some(origin_of));
    assert_eq!(world.turn(in_fork("other")).unwrap().message.content, "other");
    assert_eq!(seen(&world), ["one", "one", "once:2|two", "two", "other"]);
    world.assert_snapshot_is_replay("s2", "tasks");
    assert_eq!(said(&session(&world, "s2")).len(), 6);
    assert_eq!(session(&world, "s2").origin.unwrap().session, "s1");
    // The origin is as it was.
    assert_eq!(world.journal("s1"), origin);
    assert_eq!(world.tools.calls.borrow().len(), 1);
}

#[test]
fn a_message_is_edited_by_a_fork_before_it() {
    let world = World::new();
    world.turn(say("one")).unwrap();
    let wrong = world.turn(say("twoo")).unwrap();
    fork(&world, &wrong, true).unwrap();
    world.turn(in_fork("two")).unwrap();
    assert_eq!(seen(&world), ["one", "one", "two"]);
    // Also the first one.
    let first = world
        .turn(TurnRequest {
            session: SessionTarget::New { id: "s3".into() },
            ..say("first")
        })
        .unwrap();
    let request = ForkRequest {
        fork: "s4".into(),
        ..request(&first, true)
    };
    assert_eq!(world.run(world.engine().fork(request)).unwrap().title, "first");
    let edited = TurnRequest {
        session: SessionTarget::Existing { id: "s4".into() },
        ..in_fork("edited")
    };
    assert_eq!(world.turn(edited).unwrap().message.content, "edited");
    assert_eq!(seen(&world), ["edited"]);
}

#[test]
fn the_same_fork_again_is_the_same_and_another_under_its_id_is_refused() {
    let world = World::new();
    let one = world.turn(say("one")).unwrap();
    let two = world.turn(say("two")).unwrap();
    let head = fork(&world, &one, false).unwrap();
    world.clock().advance(1_000);
    assert_eq!(fork(&world, &one, false).unwrap(), head);
    assert_eq!(fork(&world, &two, false), Err(ForkError::SessionExists));
    assert_eq!(fork(&world, &one, true), Err(ForkError::SessionExists));
    // Its answer may get lost.
    let world = World::new();
    let one = world.turn(say("one")).unwrap();
    for fault in [Fault::Before, Fault::After] {
        for at in 1..5 {
            let before = world.store.round_trips();
            world
                .store
                .on_operation(move |operation| (operation.number == before + at).then_some(fault));
            let _ = fork(&world, &one, false);
            world.store.heal();
        }
    }
    fork(&world, &one, false).unwrap();
    assert_eq!(
        world
            .records("s2")
            .iter()
            .filter(|name| **name == "forked")
            .count(),
        1
    );
}

#[test]
fn what_is_not_there_or_has_not_ended_is_not_forked() {
    let world = World::new();
    let turn = world.turn(say("one")).unwrap();
    let missing = Turn {
        turn: "turn_0".into(),
        ..turn.clone()
    };
    assert_eq!(fork(&world, &missing, false), Err(ForkError::UnknownTurn));
    let elsewhere = Turn {
        session: "s9".into(),
        ..turn.clone()
    };
    assert_eq!(fork(&world, &elsewhere, false), Err(ForkError::UnknownSession));
    let theirs = ForkRequest {
        user: "bob".into(),
        ..request(&turn, false)
    };
    assert_eq!(
        world.run(world.engine().fork(theirs)),
        Err(ForkError::UnknownSession)
    );
    let mut tasks = Tasks::default();
    start(&world, &mut tasks, say("wait:1000 two"));
    let started = world.journal("s1").last().unwrap().turn.clone();
    let running = Turn {
        turn: started,
        ..turn.clone()
    };
    assert_eq!(fork(&world, &running, false), Err(ForkError::NotEnded));
    assert!(fork(&world, &running, true).is_ok());
    let detached = TurnRequest {
        session: SessionTarget::Detached {
            id: "s5".into(),
            history: Vec::new(),
        },
        ..say("one")
    };
    let detached = world.turn(detached).unwrap();
    assert_eq!(fork(&world, &detached, false), Err(ForkError::UnknownSession));
}

#[test]
fn gates_permissions_and_things_to_undo_stay_with_the_origin() {
    let world = World::new();
    world.tools.add("erase", EffectClass::Idempotent, true);
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[[tools]]\nserver = \"s\"\nallow_always = [\"erase\"]",
    );
    let allowed = world.turn(say("erase:1")).unwrap();
    let decide = |session: &str, gate: &Gate, always| {
        let request = DecideRequest {
            decider: Decider {
                user: "ada".into(),
                roles: Vec::new(),
            },
            owner: "ada".into(),
            session: session.into(),
            gate: gate.id.clone(),
            decision: Decision {
                verdict: Verdict::Approve,
                arguments: None,
                always,
                comment: None,
            },
        };
        world.run(world.engine().decide(&world, request, &Heard::default()))
    };
    let (waiting, once) = {
        let waiting = world.turn(say("once:5 erase:6")).unwrap();
        (waiting, world.turn(say("once:7")).unwrap())
    };
    decide("s1", &allowed.gates[0], true).unwrap();
    let last = world.turn(say("erase:2")).unwrap();
    assert_eq!(last.state, TurnState::Finished);
    fork(&world, &last, false).unwrap();
    // Nothing waits there, …
    assert!(session(&world, "s2").gates.is_empty());
    assert!(matches!(
        decide("s2", &waiting.gates[0], false),
        Err(DecideError::UnknownGate)
    ));
    // … nothing is allowed, …
    assert_eq!(world.turn(in_fork("erase:3")).unwrap().state, TurnState::Waiting);
    // … and nothing can be undone.
    let undo = UndoRequest {
        user: "ada".into(),
        roles: Vec::new(),
        timezone: None,
        session: "s2".into(),
        call: Some(once.tool_calls[0].id.clone()),
    };
    let undone = world.run(world.engine().undo(&world, undo.clone(), &Heard::default()));
    assert_eq!(undone, Err(UndoError::UnknownCall));
    world.assert_snapshot_is_replay("s2", "tasks");
    // In the origin all of it still holds.
    assert!(decide("s1", &waiting.gates[0], false).is_ok());
    let undo = UndoRequest {
        session: "s1".into(),
        ..undo
    };
    assert!(
        world
            .run(world.engine().undo(&world, undo, &Heard::default()))
            .is_ok()
    );
}

#[test]
fn a_turn_that_waits_is_not_forked_but_what_came_after_is() {
    let world = World::new();
    world.tools.add("erase", EffectClass::Idempotent, true);
    let waiting = world.turn(say("erase:1")).unwrap();
    assert_eq!(fork(&world, &waiting, false), Err(ForkError::NotEnded));
    let after = world.turn(say("after")).unwrap();
    fork(&world, &after, false).unwrap();
    world.turn(in_fork("more")).unwrap();
    assert!(seen(&world).contains(&"(This has not been done yet; it takes a decision: ERASE.)".to_owned()));
    world.assert_snapshot_is_replay("s2", "tasks");
}

#[test]
fn of_a_long_conversation_the_latest_turns_are_taken_over() {
    let world = World::new();
    let mut last = None;
    for n in 0..400 {
        last = Some(world.turn(say(&format!("message {n}"))).unwrap());
    }
    fork(&world, &last.unwrap(), false).unwrap();
    let journal = world.records("s2");
    assert!((900..=1002).contains(&journal.len()), "{}", journal.len());
    assert_eq!(
        (journal[0], journal[1], *journal.last().unwrap()),
        ("forked", "turn-started", "past-copied")
    );
    let forked = session(&world, "s2");
    assert_eq!(forked.messages.last().unwrap().content, "message 399");
    assert!(forked.before.is_some());
    world.turn(in_fork("more")).unwrap();
    world.assert_snapshot_is_replay("s2", "tasks");
}

#[test]
fn a_fork_can_be_forked_and_is_read_without_its_snapshot() {
    let world = World::new();
    let one = world.turn(say("one")).unwrap();
    fork(&world, &one, false).unwrap();
    let two = world.turn(in_fork("two")).unwrap();
    let again = ForkRequest {
        fork: "s3".into(),
        ..request(&two, false)
    };
    world.run(world.engine().fork(again)).unwrap();
    let third = TurnRequest {
        session: SessionTarget::Existing { id: "s3".into() },
        ..in_fork("three")
    };
    world.turn(third.clone()).unwrap();
    assert_eq!(seen(&world), ["one", "one", "two", "two", "three"]);
    let forget = Write::Delete {
        document: "snapshot".into(),
        expected: ExpectedVersion::Present,
    };
    world
        .run(world.store.commit(&scope("s3"), vec![forget], Vec::new()))
        .unwrap();
    world.turn(third).unwrap();
    assert_eq!(
        seen(&world),
        ["one", "one", "two", "two", "three", "three", "three"]
    );
    assert_eq!(session(&world, "s3").origin.unwrap().session, "s2");
    assert_eq!(session(&world, "s3").head.assistant, "tasks");
}
