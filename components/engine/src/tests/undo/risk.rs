//! Undoing and risk: who is asked before an inverse runs, and when nobody is.

use super::*;

#[test]
fn a_risky_inverse_waits_for_a_yes() {
    let world = world();
    let turn = world.turn(say("make:1")).unwrap();
    let waiting = undo(&world, None).unwrap();
    assert_eq!(waiting.state, TurnState::Waiting);
    let [gate] = &waiting.gates[..] else { panic!() };
    assert_eq!(
        (gate.title.as_str(), gate.tool.as_str()),
        ("Take 1 back", "erase")
    );
    assert_eq!(world.tools.called(), ["make"]);
    // Asking again asks the same.
    assert_eq!(undo(&world, None).unwrap(), waiting);
    let undone = world.turn(say("yes")).unwrap();
    assert_eq!(
        (undone.turn.as_str(), items(&undone)),
        (waiting.turn.as_str(), vec![(true, "Take 1 back")])
    );
    assert_eq!(world.tools.called(), ["make", "erase"]);
    assert_eq!(undo(&world, Some(&turn.tool_calls[0].id)).unwrap(), undone);
    let actions: Vec<AuditAction> = audit(&world).iter().map(|entry| entry.action).collect();
    assert_eq!(actions, [AuditAction::Approved, AuditAction::Undone]);
}

#[test]
fn taking_back_what_a_call_made_is_not_risky_if_a_component_of_ours_says_so() {
    let world = world();
    world.tools.destructive.set(Some(false));
    world.turn(say("make:1")).unwrap();
    let undone = undo(&world, None).unwrap();
    assert_eq!(
        (undone.state, items(&undone)),
        (TurnState::Finished, vec![(true, "Take 1 back")])
    );
    assert_eq!(world.tools.called(), ["make", "erase"]);
    // The model's own call of the same tool is as risky as ever.
    assert_eq!(world.turn(say("erase:2")).unwrap().state, TurnState::Waiting);
    // So is it where the assistant names the tool.
    for (policy, kind) in [
        ("confirm = [\"erase\"]", GateKind::Confirm),
        (
            "approve = [{ tool = \"erase\", role = \"manager\" }]",
            GateKind::Approve,
        ),
    ] {
        let named = self::world();
        named.tools.destructive.set(Some(false));
        named.assistant(
            "tasks",
            &format!("prompt = \"x\"\n[[tools]]\nserver = \"s\"\n{policy}"),
        );
        named.turn(say("make:1")).unwrap();
        let waiting = undo(&named, None).unwrap();
        assert_eq!((waiting.state, waiting.gates[0].kind), (TurnState::Waiting, kind));
    }
}

#[test]
fn a_server_elsewhere_is_believed_that_undoing_destroys_and_not_that_it_does_not() {
    let elsewhere = |destructive, inverse: &str| {
        let world = world();
        world.tools.destructive.set(destructive);
        world
            .tools
            .inverses
            .borrow_mut()
            .insert("make".into(), (inverse.into(), 1));
        world.assistant(
            "tasks",
            "prompt = \"x\"\n[[tools]]\nurl = \"https://mcp.example.com/mcp\"",
        );
        world.turn(say("make:1")).unwrap();
        undo(&world, None).unwrap().state
    };
    assert_eq!(elsewhere(Some(false), "erase"), TurnState::Waiting);
    assert_eq!(elsewhere(Some(true), "once"), TurnState::Waiting);
    assert_eq!(elsewhere(None, "once"), TurnState::Finished);
}

fn never_mind() -> TurnRequest {
    TurnRequest {
        on_busy: Some(crate::OnBusy::Rollback),
        ..say("never mind")
    }
}

#[test]
fn a_rollback_takes_back_what_is_not_risky_and_says_what_it_did_not() {
    let world = world();
    world
        .tools
        .inverses
        .borrow_mut()
        .insert("risky".into(), ("erase".into(), 1));
    world.tools.destructive.set(Some(false));
    let mut tasks = Tasks::default();
    let (_, first) = start(&world, &mut tasks, say("make:1|beat:300 one two"));
    world.until(&mut tasks, || world.model.requests.borrow().len() == 2);
    let (_, second) = begin(&world, &mut tasks, never_mind());
    world.until(&mut tasks, || second.borrow().is_some());
    assert_eq!(ended(&first).state, TurnState::Stopped);
    assert_eq!(ended(&second).message.content, "Undone: MAKE.\n\nnever mind");
    // Of two calls, one of which is undone by what may destroy more.
    world.tools.destructive.set(None);
    let (_, first) = start(&world, &mut tasks, say("once:2 make:3|beat:300 one two"));
    world.until(&mut tasks, || world.model.requests.borrow().len() == 5);
    let (_, second) = begin(&world, &mut tasks, never_mind());
    world.until(&mut tasks, || second.borrow().is_some());
    assert_eq!(ended(&first).state, TurnState::Stopped);
    assert_eq!(
        ended(&second).message.content,
        "Undone: ONCE. Could not be undone: MAKE.\n\nnever mind"
    );
}

#[test]
fn an_undoing_that_is_denied_is_not_done_and_says_so() {
    let world = world();
    world.turn(say("make:1")).unwrap();
    undo(&world, None).unwrap();
    let denied = world.turn(say("no")).unwrap();
    assert_eq!(
        (denied.state, items(&denied)),
        (TurnState::Finished, vec![(false, "Take 1 back")])
    );
    assert_eq!(world.tools.called(), ["make"]);
    // Who wants it after all is asked again.
    let asked = undo(&world, None).unwrap();
    assert_eq!(asked.state, TurnState::Waiting);
    let undone = world.turn(say("yes")).unwrap();
    assert_eq!(
        (undone.turn.as_str(), items(&undone)),
        (asked.turn.as_str(), vec![(true, "Take 1 back")])
    );
    assert_eq!(world.tools.called(), ["make", "erase"]);
}

#[test]
fn an_inverse_that_the_assistant_does_not_offer_counts_as_the_worst() {
    let world = world();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[[tools]]\nserver = \"s\"\nexclude = [\"once\"]",
    );
    world.turn(say("bulk:1")).unwrap();
    // Excluded from what the model may call, and known: it is harmless.
    assert_eq!(undo(&world, None).unwrap().state, TurnState::Finished);
    world
        .tools
        .inverses
        .borrow_mut()
        .insert("make".into(), ("unheard_of".into(), 1));
    world.turn(say("make:2")).unwrap();
    assert_eq!(undo(&world, None).unwrap().state, TurnState::Waiting);
}
