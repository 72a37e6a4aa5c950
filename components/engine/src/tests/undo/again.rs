//! Undoing again: what was not undone is tried, and nothing else.

use super::*;

/// Undoes `bulk:10`, of which the item with this number does not work.
fn undo_but(world: &World, failing: usize, failure: (bool, ToolError)) -> Turn {
    let mut failures: Vec<_> = (0..3).map(|_| None).collect();
    failures[failing] = Some(failure);
    let mut tasks = Tasks::default();
    let (all, engine) = (world.clone(), world.engine());
    let result = std::rc::Rc::new(std::cell::RefCell::new(None));
    let told = result.clone();
    let task = tasks.spawn(async move {
        told.replace(Some(engine.undo(&all, request(None), &Heard::default()).await));
    });
    let before = world.tools.calls.borrow().len();
    let mut armed = false;
    while !tasks.is_empty() {
        if !armed && world.tools.calls.borrow().len() == before + failing {
            armed = true;
            world.tools.failures.borrow_mut().extend(failures[failing].take());
        }
        if !tasks.poll(task) {
            world.clock().advance(10);
        }
    }
    result.take().unwrap().unwrap()
}

#[test]
fn undoing_again_tries_what_was_not_undone_and_only_that() {
    let world = world();
    world.turn(say("bulk:10")).unwrap();
    let refused = (false, ToolError::NotRun("it is locked".into()));
    let first = undo_but(&world, 1, refused);
    let states = |turn: &Turn| -> Vec<(bool, bool)> {
        let report = turn.undo.as_ref().unwrap();
        report
            .items
            .iter()
            .map(|item| (item.undone, item.earlier))
            .collect()
    };
    assert_eq!(states(&first), [(true, false), (false, false), (true, false)]);
    let made = world.tools.calls.borrow().len();
    let second = undo(&world, None).unwrap();
    assert_ne!(first.turn, second.turn);
    assert_eq!(states(&second), [(true, true), (true, false), (true, true)]);
    assert_eq!(
        second.message.content,
        "Undone before: Take 10 back.\n\nonce 11 is done\n\nUndone before: Take 10 back."
    );
    // By the same key as before.
    let call = &second.undo.as_ref().unwrap().call;
    assert_eq!(
        world.tools.calls.borrow()[made..],
        [("once".to_owned(), format!("{call}/undo/1"))]
    );
    assert!(world.tools.effects.borrow().values().all(|times| *times == 1));
    // Now nothing is left, and the answer stays.
    assert_eq!(undo(&world, None).unwrap(), second);
    assert_eq!(world.turn(say("undo")).unwrap(), second);
    let undone: Vec<AuditAction> = audit(&world).iter().map(|entry| entry.action).collect();
    assert_eq!(
        undone
            .iter()
            .filter(|action| **action == AuditAction::Undone)
            .count(),
        3
    );
    world.assert_snapshot_is_replay("s1", "tasks");
}

#[test]
fn what_may_have_been_undone_is_tried_again_only_if_its_key_makes_that_safe() {
    for (inverse, again) in [("once", true), ("risky", false)] {
        let world = world();
        world
            .tools
            .inverses
            .borrow_mut()
            .insert("bulk".into(), (inverse.into(), 3));
        world.turn(say("bulk:10")).unwrap();
        // It does not answer, however often it is asked.
        let silent = || (true, ToolError::Unknown("timed out".into()));
        world
            .tools
            .failures
            .borrow_mut()
            .extend([silent(), silent(), silent()]);
        let first = undo(&world, None).unwrap();
        assert!(!items(&first)[0].0, "{first:?}");
        let second = undo(&world, None).unwrap();
        let item = second.undo.as_ref().unwrap().items[0].clone();
        assert_eq!(item.undone, again, "{inverse}: {item:?}");
        if again {
            assert_ne!(first.turn, second.turn);
        } else {
            assert!(
                first.undo.as_ref().unwrap().items[0]
                    .text
                    .contains("unknown whether")
            );
        }
        assert!(
            world.tools.effects.borrow().values().all(|times| *times == 1),
            "{inverse}"
        );
    }
}

#[test]
fn when_it_is_too_late_what_an_earlier_undoing_has_come_to_is_still_told() {
    let world = world();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[session]\nttl = \"1h\"\n[[tools]]\nserver = \"s\"",
    );
    world.turn(say("bulk:10")).unwrap();
    let refused = (false, ToolError::NotRun("it is locked".into()));
    let first = undo_but(&world, 1, refused);
    world.clock().advance(5 * 60 * 1000 + 1);
    assert_eq!(undo(&world, None).unwrap(), first);
}
