//! Undo: by request or by word, once, and only what can be undone.

mod again;
mod risk;

use super::world::*;
use crate::audit::{AuditAction, Audited};
use crate::gate::*;
use crate::port::*;
use crate::session::Page;
use crate::turn::*;
use crate::undo::*;
use anyturn_state::memory::Fault;

/// A world with `bulk`, which does three things, each with an inverse of its own, and `make`, the inverse of which
/// may destroy something.
fn world() -> World {
    let world = World::new();
    world.tools.add("bulk", EffectClass::Idempotent, false);
    world.tools.add("make", EffectClass::Idempotent, false);
    world.tools.add("erase", EffectClass::Idempotent, true);
    let mut inverses = world.tools.inverses.borrow_mut();
    inverses.insert("bulk".into(), ("once".into(), 3));
    inverses.insert("make".into(), ("erase".into(), 1));
    drop(inverses);
    world
}

fn request(call: Option<&str>) -> UndoRequest {
    UndoRequest {
        user: "ada".into(),
        roles: vec!["member".into()],
        timezone: None,
        session: "s1".into(),
        call: call.map(str::to_owned),
    }
}

fn undo(world: &World, call: Option<&str>) -> Result<Turn, UndoError> {
    world.run(world.engine().undo(world, request(call), &Heard::default()))
}

fn audit(world: &World) -> Vec<Audited> {
    let page = world
        .run(world.engine().audit("ada", "s1", Page::default()))
        .unwrap();
    page.entries.into_iter().rev().map(|entry| entry.what).collect()
}

fn items(turn: &Turn) -> Vec<(bool, &str)> {
    let report = turn.undo.as_ref().unwrap();
    report
        .items
        .iter()
        .map(|item| (item.undone, item.title.as_str()))
        .collect()
}

#[test]
fn the_last_action_is_undone_by_its_inverse_once() {
    let world = world();
    let turn = world.turn(say("once:1|done")).unwrap();
    let offer = turn.tool_calls[0].undo.clone().unwrap();
    assert_eq!(offer.titles, ["Undo once"]);
    assert!(offer.until.0 - turn.created_at.0 >= 5 * 60 * 1000);
    let sink = Heard::default();
    let undone = world
        .run(world.engine().undo(&world, request(None), &sink))
        .unwrap();
    assert_eq!(
        (undone.state, items(&undone)),
        (TurnState::Finished, vec![(true, "Undo once")])
    );
    assert_eq!(undone.message.content, "once 101 is done");
    assert_eq!(undone.undo.as_ref().unwrap().call, turn.tool_calls[0].id);
    let names: Vec<_> = sink.0.borrow().iter().map(|event| event.kind.name()).collect();
    assert_eq!(
        names,
        [
            "turn.started",
            "tool.started",
            "tool.finished",
            "text.delta",
            "undo.finished",
            "turn.finished"
        ]
    );
    assert_eq!(world.tools.called(), ["once", "once"]);
    let keys: Vec<String> = world
        .tools
        .calls
        .borrow()
        .iter()
        .map(|(_, key)| key.clone())
        .collect();
    assert_eq!(keys[1], format!("{}/undo/0", turn.tool_calls[0].id));
    // No model has a say in it, and the conversation knows of it.
    assert_eq!(world.model.requests.borrow().len(), 2);
    world.turn(say("and now")).unwrap();
    let messages = world.model.requests.borrow().last().unwrap().messages.clone();
    let said: Vec<String> = messages.iter().map(text).collect();
    assert!(
        said.ends_with(&["Undo that.".into(), "once 101 is done".into(), "and now".into()]),
        "{said:?}"
    );
    let [entry] = &audit(&world)[..] else { panic!() };
    assert_eq!(
        (entry.action, entry.by.as_deref()),
        (AuditAction::Undone, Some("ada"))
    );
    assert_eq!(
        (entry.call.as_str(), entry.tool.as_str()),
        (turn.tool_calls[0].id.as_str(), "once")
    );
    assert_eq!(entry.hash, canonical::hash(&entry.arguments));
    world.assert_snapshot_is_replay("s1", "tasks");
}

#[test]
fn undoing_twice_gives_the_same_answer() {
    let world = world();
    let turn = world.turn(say("once:1")).unwrap();
    let undone = undo(&world, None).unwrap();
    let journal = world.journal("s1");
    assert_eq!(undo(&world, None).unwrap(), undone);
    assert_eq!(undo(&world, Some(&turn.tool_calls[0].id)).unwrap(), undone);
    assert_eq!(world.turn(say("undo")).unwrap(), undone);
    assert_eq!(world.journal("s1"), journal);
    assert_eq!((world.tools.calls.borrow().len(), audit(&world).len()), (2, 1));
}

#[test]
fn undo_can_be_said() {
    let world = world();
    world.turn(say("once:1")).unwrap();
    let undone = world.turn(say_once("u", "Undo that!")).unwrap();
    assert_eq!(items(&undone), [(true, "Undo once")]);
    assert_eq!(world.turn(say_once("u", "Undo that!")).unwrap(), undone);
    let session = world
        .run(world.engine().session("ada", "s1", Page::default()))
        .unwrap()
        .unwrap();
    let said: Vec<&str> = session
        .messages
        .iter()
        .map(|message| message.content.as_str())
        .collect();
    assert_eq!(said, ["once:1", "done", "Undo that!", "once 101 is done"]);
    assert_eq!(session.messages[3].tool_calls[0].tool, "once");
}

#[test]
fn a_chosen_action_is_undone_while_others_stay() {
    let world = world();
    let turn = world.turn(say("once:1 once:2|once:3")).unwrap();
    let undone = undo(&world, Some(&turn.tool_calls[1].id)).unwrap();
    assert_eq!(undone.message.content, "once 102 is done");
    assert_eq!(undo(&world, Some("call_0")), Err(UndoError::UnknownCall));
    // The last one is still the last one.
    assert_eq!(undo(&world, None).unwrap().message.content, "once 103 is done");
    assert_eq!(
        undo(&world, Some(&turn.tool_calls[0].id))
            .unwrap()
            .message
            .content,
        "once 101 is done"
    );
    world.assert_snapshot_is_replay("s1", "tasks");
}

#[test]
fn what_cannot_be_undone_is_not() {
    let world = world();
    assert_eq!(
        undo(&world, None),
        Err(UndoError::Turn(TurnError::UnknownSession))
    );
    world.turn(say("risky:1 read:2")).unwrap();
    assert_eq!(undo(&world, None), Err(UndoError::Nothing));
    // The word is for the model then.
    assert_eq!(world.turn(say("undo")).unwrap().message.content, "undo");
    // A call that failed has done nothing.
    world
        .tools
        .failures
        .borrow_mut()
        .push_back((false, ToolError::NotRun("no".into())));
    world.turn(say("once:1")).unwrap();
    assert_eq!(undo(&world, None), Err(UndoError::Nothing));
}

#[test]
fn after_five_minutes_it_is_too_late() {
    let world = world();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[session]\nttl = \"1h\"\n[[tools]]\nserver = \"s\"",
    );
    let turn = world.turn(say("once:1")).unwrap();
    world.clock().advance(5 * 60 * 1000 + 1);
    assert_eq!(undo(&world, None), Err(UndoError::TooLate));
    assert_eq!(world.turn(say("undo")).unwrap().message.content, "undo");
    assert!(undo(&world, Some(&turn.tool_calls[0].id)).is_err());
    assert_eq!(world.tools.called(), ["once"]);
}

#[test]
fn undoing_in_part_says_what_is_not_undone() {
    let world = world();
    let turn = world.turn(say("bulk:10")).unwrap();
    assert_eq!(turn.tool_calls[0].undo.as_ref().unwrap().titles.len(), 3);
    let refused = || (false, ToolError::NotRun("it is locked".into()));
    let fails = (true, ToolError::Unknown("timed out".into()));
    // The first is undone, the second refused, the third does not answer but is tried again.
    world.tools.failures.borrow_mut().clear();
    let mut tasks = Tasks::default();
    let (all, engine) = (world.clone(), world.engine());
    let result = std::rc::Rc::new(std::cell::RefCell::new(None));
    let told = result.clone();
    let task = tasks.spawn(async move {
        told.replace(Some(engine.undo(&all, request(None), &Heard::default()).await));
    });
    while world.tools.calls.borrow().len() < 2 {
        assert!(tasks.poll(task));
    }
    world.tools.failures.borrow_mut().extend([refused(), fails]);
    while !tasks.is_empty() {
        if !tasks.poll(task) {
            world.clock().advance(10);
        }
    }
    let undone = result.take().unwrap().unwrap();
    let states: Vec<bool> = items(&undone).iter().map(|(undone, _)| *undone).collect();
    assert_eq!(states, [true, false, true]);
    assert!(
        undone
            .message
            .content
            .contains("Not undone: Take 10 back. The tool could not be called: it is locked")
    );
    let actions: Vec<AuditAction> = audit(&world).iter().map(|entry| entry.action).collect();
    assert_eq!(
        actions,
        [AuditAction::Undone, AuditAction::NotUndone, AuditAction::Undone]
    );
    assert!(world.tools.effects.borrow().values().all(|times| *times == 1));
}

#[test]
fn a_crash_while_undoing_undoes_once() {
    for polls in 0..60 {
        let world = world();
        let turn = world.turn(say("bulk:1")).unwrap();
        let mut tasks = Tasks::default();
        let (all, engine) = (world.clone(), world.engine());
        let task = tasks.spawn(async move {
            let _ = engine.undo(&all, request(None), &Heard::default()).await;
        });
        (0..polls).for_each(|_| {
            tasks.poll(task);
        });
        tasks.crash(task);
        world.clock().advance(3_000);
        let undone = undo(&world, Some(&turn.tool_calls[0].id)).unwrap();
        assert!(items(&undone).iter().all(|(undone, _)| *undone), "{polls}");
        assert_eq!(world.tools.effects.borrow().len(), 4);
        assert!(
            world.tools.effects.borrow().values().all(|times| *times == 1),
            "{polls}"
        );
        assert_eq!(audit(&world).len(), 3, "{polls}");
        assert_eq!(
            world
                .records("s1")
                .iter()
                .filter(|name| **name == "turn-started")
                .count(),
            2
        );
        world.assert_snapshot_is_replay("s1", "tasks");
    }
}

#[test]
fn a_store_that_answers_late_leaves_one_undoing() {
    for at in 1..14 {
        for fault in [Fault::Before, Fault::After] {
            let world = world();
            world.turn(say("bulk:1")).unwrap();
            let before = world.store.round_trips();
            world
                .store
                .on_operation(move |operation| (operation.number == before + at).then_some(fault));
            let _ = undo(&world, None);
            world.store.heal();
            world.clock().advance(3_000);
            let undone = undo(&world, None).unwrap();
            assert!(items(&undone).iter().all(|(undone, _)| *undone), "{at} {fault:?}");
            assert!(
                world.tools.effects.borrow().values().all(|times| *times == 1),
                "{at} {fault:?}"
            );
            assert_eq!(audit(&world).len(), 3, "{at} {fault:?}");
            assert_eq!(
                world
                    .records("s1")
                    .iter()
                    .filter(|name| **name == "turn-started")
                    .count(),
                2
            );
        }
    }
}

#[test]
fn two_who_undo_at_once_undo_once() {
    for choice in 0..40 {
        let world = world();
        world.turn(say("bulk:1")).unwrap();
        let mut tasks = Tasks::default();
        for _ in 0..2 {
            let (all, engine) = (world.clone(), world.engine());
            tasks.spawn(async move {
                let _ = engine.undo(&all, request(None), &Heard::default()).await;
            });
        }
        let mut next = choice;
        while !tasks.is_empty() {
            next = (next * 31 + 7) % 101;
            if !tasks.poll_any(next) {
                world.clock().advance(10);
            }
        }
        assert!(
            world.tools.effects.borrow().values().all(|times| *times == 1),
            "{choice}"
        );
        assert_eq!(audit(&world).len(), 3, "{choice}");
        let records = world.records("s1");
        assert_eq!(
            records.iter().filter(|name| **name == "turn-started").count(),
            2,
            "{choice}"
        );
    }
}

#[test]
fn what_an_undoing_did_is_not_undone_by_the_next_undo() {
    let world = world();
    world.turn(say("once:1")).unwrap();
    let undone = undo(&world, None).unwrap();
    // Its inverse names an inverse too.
    assert_eq!(undone.tool_calls[0].undo, None);
    world.turn(say("hello")).unwrap();
    assert_eq!(undo(&world, None).unwrap(), undone);
}
