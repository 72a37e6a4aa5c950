//! Gates: what waits, who decides, and that what was decided is what runs, once.

mod answers;
mod approvals;
mod counting;
mod crashes;
mod edits;
mod overdue;
mod policy;
mod time;

use super::watching::place;
use super::world::*;
use crate::audit::AuditAction;
use crate::event::EventKind;
use crate::gate::*;
use crate::journal::{FailureKind, Record};
use crate::port::*;
use crate::session::Page;
use crate::turn::*;
use anyturn_state::memory::Fault;
use anyturn_state::{Query, Store, Write};
use serde_json::json;

/// A world with the tools `erase` (may destroy, may be repeated) and `burn` (may destroy, must not be repeated),
/// and `pay`, which takes a manager.
fn world() -> World {
    let world = World::new();
    world.tools.add("erase", EffectClass::Idempotent, true);
    world.tools.add("burn", EffectClass::Unprotected, true);
    world.tools.add("pay", EffectClass::Unprotected, false);
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[[tools]]\nserver = \"s\"\nallow_always = [\"erase\"]\napprove = [{ tool = \"pay\", role = \"manager\" }]",
    );
    world
}

/// A world whose gates expire after a minute, and whose conversations outlive them.
fn brief() -> World {
    let world = world();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[gates]\nexpire_after = \"1m\"\n[session]\nttl = \"1h\"\n[[tools]]\nserver = \"s\"\napprove = [{ tool = \"pay\", role = \"manager\" }]",
    );
    world
}

fn approve() -> Decision {
    Decision {
        verdict: Verdict::Approve,
        arguments: None,
        always: false,
        comment: None,
    }
}

fn deny(comment: &str) -> Decision {
    Decision {
        verdict: Verdict::Deny,
        comment: Some(comment.into()),
        ..approve()
    }
}

fn ada() -> Decider {
    Decider {
        user: "ada".into(),
        roles: vec!["member".into(), "manager".into()],
    }
}

fn bob() -> Decider {
    Decider {
        user: "bob".into(),
        roles: vec!["manager".into()],
    }
}

fn request(decider: Decider, gate: &Gate, decision: Decision) -> DecideRequest {
    DecideRequest {
        decider,
        owner: "ada".into(),
        session: "s1".into(),
        gate: gate.id.clone(),
        decision,
    }
}

fn decide(
    world: &World,
    decider: Decider,
    gate: &Gate,
    decision: Decision,
) -> Result<DecideOutcome, DecideError> {
    let request = request(decider, gate, decision);
    world.run(world.engine().decide(world, request, &Heard::default()))
}

fn audit(world: &World) -> Vec<crate::audit::Audited> {
    let page = world
        .run(world.engine().audit("ada", "s1", Page::default()))
        .unwrap();
    let mut entries: Vec<_> = page.entries.into_iter().map(|entry| entry.what).collect();
    entries.reverse();
    entries
}

fn open(world: &World, script: &str) -> (Turn, Gate) {
    let turn = world.turn(say(script)).unwrap();
    assert_eq!(turn.state, TurnState::Waiting, "{turn:?}");
    let gate = turn.gates[0].clone();
    (turn, gate)
}

/// What the model was told of the calls of its last answer.
fn told(world: &World) -> Vec<String> {
    let requests = world.model.requests.borrow();
    let last = requests.last().unwrap().messages.last().unwrap().clone();
    let text = |part: &Part| match part {
        Part::ToolResult(result) => Some(result.content.clone()),
        _ => None,
    };
    last.parts.iter().filter_map(text).collect()
}

#[test]
fn a_risky_call_waits_and_runs_once_when_it_is_approved() {
    let world = world();
    let (turn, events) = world.turn_with_events(say("okay burn:1|done"));
    let turn = turn.unwrap();
    assert_eq!(
        (turn.state, turn.message.content.as_str()),
        (TurnState::Waiting, "okay")
    );
    let [gate] = &turn.gates[..] else { panic!() };
    assert_eq!(
        (gate.tool.as_str(), gate.title.as_str(), gate.server.as_str()),
        ("burn", "BURN", "s")
    );
    assert_eq!(
        (gate.kind, gate.state, gate.risk),
        (GateKind::Confirm, GateState::Open, Risk::Destroys)
    );
    assert_eq!(gate.arguments, json!({"n": 1}));
    assert_eq!(gate.hash, canonical::hash(&gate.arguments));
    assert_eq!(gate.question, "BURN (n: 1)? This cannot be undone.");
    assert_eq!(gate.expires_at.0 - gate.created_at.0, 15 * 60 * 1000);
    let names: Vec<_> = events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(
        names,
        ["turn.started", "text.delta", "gate.opened", "turn.waiting"]
    );
    assert!(world.tools.calls.borrow().is_empty());
    assert_eq!(world.holder("s1"), "");
    assert_eq!(
        world.records("s1"),
        ["turn-started", "model-called", "gate-opened", "turn-waiting"]
    );

    let sink = Heard::default();
    let outcome = world
        .run(
            world
                .engine()
                .decide(&world, request(ada(), gate, approve()), &sink),
        )
        .unwrap();
    let done = outcome.turn.unwrap();
    assert_eq!(
        (done.turn.as_str(), done.state),
        (turn.turn.as_str(), TurnState::Finished)
    );
    assert_eq!(done.message.content, "okay\n\ndone");
    assert_eq!(
        (outcome.gate.state, outcome.waiting),
        (GateState::Approved, false)
    );
    let decided = outcome.gate.decided.unwrap();
    assert_eq!(
        (decided.by.as_deref(), decided.edited, decided.always),
        (Some("ada"), false, false)
    );
    let names: Vec<_> = sink.0.borrow().iter().map(|event| event.kind.name()).collect();
    assert_eq!(
        names,
        [
            "turn.resumed",
            "gate.decided",
            "tool.started",
            "tool.finished",
            "text.delta",
            "turn.finished"
        ]
    );
    // The events go on where they stopped, in a later epoch.
    let (before, after) = (&events.last().unwrap().id, sink.0.borrow()[0].id.clone());
    assert!(after.epoch > before.epoch && after.n == before.n + 1);
    assert_eq!(world.tools.called(), ["burn"]);
    assert_eq!(
        world.records("s1")[4..],
        [
            "gate-decided",
            "turn-resumed",
            "tool-intended",
            "tool-finished",
            "model-called",
            "turn-finished"
        ]
    );
    world.assert_snapshot_is_replay("s1", "tasks");
}

#[test]
fn a_call_that_was_denied_does_not_run_and_the_model_is_told_who_and_why() {
    let world = world();
    let (_, gate) = open(&world, "burn:1|pity");
    let outcome = decide(&world, ada(), &gate, deny("not that one")).unwrap();
    assert_eq!(outcome.turn.unwrap().message.content, "pity");
    assert_eq!(outcome.gate.state, GateState::Denied);
    assert!(world.tools.calls.borrow().is_empty());
    assert_eq!(
        told(&world),
        ["This call was not made: the user denied it, saying “not that one”."]
    );
    let [entry] = &audit(&world)[..] else { panic!() };
    assert_eq!(
        (entry.action, entry.by.as_deref()),
        (AuditAction::Denied, Some("ada"))
    );
    assert_eq!(entry.comment.as_deref(), Some("not that one"));
}

#[test]
fn a_decision_and_what_it_leads_to_are_linked_to_the_trace_in_which_the_turn_began() {
    let world = world();
    world.trace.replace(Some(place(1)));
    let turn = world.turn(say("burn:1|done")).unwrap();
    world.trace.replace(Some(place(2)));
    decide(&world, ada(), &turn.gates[0], approve()).unwrap();
    let links = |name| -> Vec<_> {
        let spans = world.watching.named(name).into_iter();
        spans.map(|span| span.links).collect()
    };
    assert_eq!(links("open_gate"), [vec![]]);
    assert_eq!(links("decide_gate"), [vec![place(1)]]);
    assert_eq!(links("invoke_agent tasks"), [vec![], vec![place(1)]]);
}

#[test]
fn the_audit_names_who_decided_what_and_when_on_which_arguments() {
    let world = world();
    let (turn, gate) = open(&world, "burn:7");
    world.clock().advance(1_000);
    decide(&world, ada(), &gate, approve()).unwrap();
    let [entry] = &audit(&world)[..] else { panic!() };
    assert_eq!(entry.action, AuditAction::Approved);
    assert_eq!(
        (entry.turn.as_str(), entry.gate.as_deref()),
        (turn.turn.as_str(), Some(gate.id.as_str()))
    );
    assert_eq!((entry.tool.as_str(), entry.server.as_str()), ("burn", "s"));
    assert_eq!((&entry.arguments, &entry.hash), (&json!({"n": 7}), &gate.hash));
    assert!(entry.at.0 >= gate.created_at.0 + 1_000);
    // It outlives the conversation.
    world.clock().advance(24 * 60 * 60 * 1000);
    assert!(world.journal("s1").is_empty());
    assert_eq!(audit(&world).len(), 1);
    let json = serde_json::to_value(
        world
            .run(world.engine().audit("ada", "s1", Page::default()))
            .unwrap(),
    )
    .unwrap();
    assert_eq!(json["entries"][0]["action"], "approved");
    assert_eq!(json["entries"][0]["position"], 0);
}

#[test]
fn a_page_of_the_audit_ends_where_the_next_one_begins() {
    let world = world();
    for n in 0..5 {
        let (_, gate) = open(&world, &format!("burn:{n}"));
        decide(&world, ada(), &gate, approve()).unwrap();
    }
    let page = |before, limit| {
        let page = world
            .run(world.engine().audit("ada", "s1", Page { before, limit }))
            .unwrap();
        let all: Vec<_> = page.entries.iter().map(|entry| entry.position).collect();
        (all, page.before)
    };
    assert_eq!(page(None, 2), (vec![4, 3], Some(3)));
    assert_eq!(page(Some(3), 2), (vec![2, 1], Some(1)));
    assert_eq!(page(Some(1), 2), (vec![0], None));
}

#[test]
fn arguments_that_were_edited_to_what_they_were_are_not_edited() {
    let world = world();
    let (_, gate) = open(&world, "burn:1");
    let same = Decision {
        arguments: Some(json!({"n": 1})),
        ..approve()
    };
    // Nobody has to be asked whether they fit.
    world.tools.unlisted.set(true);
    let request = request(ada(), &gate, same);
    world.tools.unlisted.set(false);
    let outcome = world
        .run(world.engine().decide(&world, request, &Heard::default()))
        .unwrap();
    assert!(!outcome.gate.decided.unwrap().edited);
    let (_, gate) = open(&world, "burn:1");
    world.tools.unlisted.set(true);
    let edited = Decision {
        arguments: Some(json!({"n": 2})),
        ..approve()
    };
    assert!(matches!(
        decide(&world, ada(), &gate, edited),
        Err(DecideError::Unchecked(_))
    ));
}

#[test]
fn the_same_decision_again_changes_nothing_and_another_one_is_refused() {
    let world = world();
    let (turn, gate) = open(&world, "burn:1");
    let first = decide(&world, ada(), &gate, approve()).unwrap();
    let journal = world.journal("s1");
    let again = decide(&world, ada(), &gate, approve()).unwrap();
    assert_eq!((&again.gate, &again.turn), (&first.gate, &first.turn));
    let Err(DecideError::AlreadyDecided { gate: decided }) = decide(&world, ada(), &gate, deny("no")) else {
        panic!()
    };
    assert_eq!(*decided, first.gate);
    assert_eq!(world.journal("s1"), journal);
    // Also when the conversation has gone on for long.
    for n in 0..30 {
        world.turn(say(&format!("message {n}"))).unwrap();
    }
    let again = decide(&world, ada(), &gate, approve()).unwrap();
    assert_eq!(again.turn.unwrap().turn, turn.turn);
    assert!(decide(&world, ada(), &gate, deny("no")).is_err());
    assert_eq!(audit(&world).len(), 1);
    assert_eq!(world.tools.called(), ["burn"]);
}

#[test]
fn all_gates_of_a_turn_are_decided_before_it_goes_on() {
    let world = world();
    let (turn, _) = open(&world, "once:1 burn:2 once:3 erase:4 read:5|done");
    // What comes before the first gate is done, what comes after waits.
    assert_eq!(world.tools.called(), ["once"]);
    let [burn, erase] = &turn.gates[..] else { panic!() };
    let outcome = decide(&world, ada(), erase, deny("keep it")).unwrap();
    assert!(outcome.waiting);
    let report = outcome.turn.unwrap();
    assert_eq!(report.state, TurnState::Waiting);
    let states: Vec<_> = report.gates.iter().map(|gate| gate.state).collect();
    assert_eq!(states, [GateState::Open, GateState::Denied]);
    assert_eq!(world.tools.called(), ["once"]);
    let outcome = decide(&world, ada(), burn, approve()).unwrap();
    assert!(!outcome.waiting);
    assert_eq!(world.tools.called(), ["once", "burn", "once", "read"]);
    assert_eq!(
        told(&world),
        [
            "once 1 is done",
            "burn 2 is done",
            "once 3 is done",
            "This call was not made: the user denied it, saying “keep it”.",
            "read 5 is done",
        ]
    );
    assert_eq!(audit(&world).len(), 2);
    world.assert_snapshot_is_replay("s1", "tasks");
}

#[test]
fn the_conversation_goes_on_while_a_turn_waits_and_the_turn_goes_on_after() {
    let world = world();
    world.turn(say("before")).unwrap();
    let (turn, gate) = open(&world, "burn:1|burned");
    for n in 0..3 {
        assert_eq!(
            world.turn(say(&format!("meanwhile {n}"))).unwrap().state,
            TurnState::Finished
        );
        world.assert_snapshot_is_replay("s1", "tasks");
    }
    // The model knows that it has not been done.
    let request = world.model.requests.borrow().last().unwrap().clone();
    let said: Vec<String> = request.messages.iter().map(text).collect();
    assert!(
        said.contains(&"(This has not been done yet; it takes a decision: BURN.)".to_owned()),
        "{said:?}"
    );
    // Nothing is read from further back than without a turn that waits.
    let (snapshot, checkpoint) = world.snapshot("s1");
    assert_eq!(snapshot.unwrap().waiting.len(), 1);
    assert_eq!(checkpoint, world.journal("s1").len() as u64);
    let session = world
        .run(world.engine().session("ada", "s1", Page::default()))
        .unwrap()
        .unwrap();
    assert_eq!(session.gates, std::slice::from_ref(&gate));
    let done = decide(&world, ada(), &gate, approve()).unwrap().turn.unwrap();
    assert_eq!(
        (done.turn.as_str(), done.message.content.as_str()),
        (turn.turn.as_str(), "burned")
    );
    assert_eq!(done.created_at, turn.created_at);
    world.assert_snapshot_is_replay("s1", "tasks");
    // What the model sees now: what was said meanwhile, and then what was burned.
    world.turn(say("after")).unwrap();
    let request = world.model.requests.borrow().last().unwrap().clone();
    let said: Vec<String> = request
        .messages
        .iter()
        .map(text)
        .filter(|said| !said.is_empty())
        .collect();
    let tail: Vec<&str> = said.iter().rev().take(5).rev().map(String::as_str).collect();
    assert_eq!(
        tail,
        ["meanwhile 2", "meanwhile 2", "burn:1|burned", "burned", "after"]
    );
    assert!(
        world
            .run(world.engine().session("ada", "s1", Page::default()))
            .unwrap()
            .unwrap()
            .gates
            .is_empty()
    );
    // Its report is whole, wherever it is asked for.
    let report = world.run(world.engine().report("ada", "s1", &turn.turn)).unwrap();
    assert_eq!(report, done);
}

#[test]
fn a_turn_that_went_on_later_is_whole_under_its_key_long_after() {
    let world = world();
    let turn = world.turn(say_once("k", "burn:1|burned")).unwrap();
    assert_eq!(world.turn(say_once("k", "burn:1|burned")).unwrap(), turn);
    world.turn(say("meanwhile")).unwrap();
    let done = decide(&world, ada(), &turn.gates[0], approve())
        .unwrap()
        .turn
        .unwrap();
    for n in 0..30 {
        world.turn(say(&format!("message {n}"))).unwrap();
    }
    assert_eq!(world.turn(say_once("k", "burn:1|burned")).unwrap(), done);
    // Past the log of its events.
    let log = Write::DeleteJournal(format!("events/{}", turn.turn));
    world
        .run(world.store.commit(&scope("s1"), vec![log], Vec::new()))
        .unwrap();
    assert_eq!(world.turn(say_once("k", "burn:1|burned")).unwrap(), done);
}

#[test]
fn a_turn_can_wait_again() {
    let world = world();
    let (turn, gate) = open(&world, "burn:1|burn:2|done");
    world.turn(say("meanwhile")).unwrap();
    let second = decide(&world, ada(), &gate, approve()).unwrap();
    assert!(second.waiting);
    let second = second.turn.unwrap();
    assert_eq!(
        (second.turn.as_str(), second.gates.len()),
        (turn.turn.as_str(), 2)
    );
    world.assert_snapshot_is_replay("s1", "tasks");
    world.turn(say("more")).unwrap();
    world.assert_snapshot_is_replay("s1", "tasks");
    let done = decide(&world, ada(), &second.gates[1], approve())
        .unwrap()
        .turn
        .unwrap();
    assert_eq!((done.state, done.tool_calls.len()), (TurnState::Finished, 2));
    assert_eq!(world.tools.called(), ["burn", "burn"]);
    world.assert_snapshot_is_replay("s1", "tasks");
}
